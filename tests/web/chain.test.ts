/** Who wins a key, and the reasons given. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { activeChain, explainChain } from "@platform/plugin-host";

const claim = (plugin: string, priority = 0) => ({ plugin, priority });
const names = (chain: readonly { plugin: string }[]) => chain.map((one) => one.plugin).join(" ");

/** `crm:20 finance:10` and what is enabled give `plugin outcome (reason)` a line. */
function check(chain: string, enabled: string, expected: readonly string[]): void {
  const claims = chain.split(" ").map((text) => {
    const [plugin = "", priority] = text.split(":");
    return claim(plugin, Number(priority));
  });
  const verdicts = explainChain(claims, new Set(enabled.split(" ")));
  assert.deepEqual(
    verdicts.map((verdict) => `${verdict.claim.plugin} ${verdict.outcome} (${verdict.reason})`),
    expected,
  );
}

test("the active chain holds enabled plugins' claims in their order", () => {
  const chain = [claim("finance", 20), claim("crm", 10), claim("healthcare", 10)];
  assert.equal(names(activeChain(chain, new Set(["healthcare", "finance"]))), "finance healthcare");
  assert.equal(names(activeChain(chain, new Set())), "");
  assert.equal(names(activeChain(undefined, new Set(["crm"]))), "");
});

test("priority decides", () => {
  check("finance:20 healthcare:10", "finance healthcare", [
    "finance wins (highest priority: 20 > 10)",
    "healthcare replaced (priority 10 < 20 of finance)",
  ]);
});

test("on a tie the later plugin wins", () => {
  check("sales:5 crm:5 base:1", "sales crm base", [
    "sales wins (same priority as crm, later in plugin order)",
    "crm replaced (priority 5 as sales, but earlier in plugin order)",
    "base replaced (priority 1 < 5 of sales)",
  ]);
});

test("a plugin that is not enabled leaves the key to the next", () => {
  check("finance:20 healthcare:10", "healthcare", [
    "finance off (finance is not enabled)",
    "healthcare wins (the only enabled claim)",
  ]);
});

test("nobody wins where nobody is enabled", () => {
  check("finance:20 crm:-3", "", ["finance off (finance is not enabled)", "crm off (crm is not enabled)"]);
});
