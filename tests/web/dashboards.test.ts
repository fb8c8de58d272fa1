/** Dashboards of blocks: which block can be drawn, and what a change of blocks keeps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf, nameOfBlock, stateOfBlock, templatesMatching, withBlocks } from "../../host-template/shell/src/dashboards.ts";

const claim = (plugin: string) => ({
  id: `k#${plugin}`,
  plugin,
  priority: 0,
  file: "Card.tsx",
  export: "default",
  load: async () => undefined,
});
const chains = { "block:Card": [claim("crm"), claim("finance")], "block:Old": [claim("crm")], "records.card": [claim("crm")] };

test("a block is shown, off, or unknown", () => {
  assert.deepEqual(stateOfBlock("block:Card", chains, new Set(["finance"])), { kind: "shown" });
  assert.deepEqual(stateOfBlock("block:Card", chains, new Set()), { kind: "off", plugins: ["crm", "finance"] });
  assert.deepEqual(stateOfBlock("block:Weather", chains, new Set(["crm"])), { kind: "unknown" });
  assert.deepEqual(stateOfBlock("toString", chains, new Set(["crm"])), { kind: "unknown" });
});

test("only blocks of enabled plugins are offered", () => {
  assert.deepEqual(blocksOf(chains, new Set(["finance"])), ["block:Card"]);
  assert.deepEqual(blocksOf(chains, new Set(["crm"])), ["block:Card", "block:Old"]);
  assert.equal(nameOfBlock("block:Card"), "Card");
});

test("a block that stays keeps its place and its props, a new one comes last", () => {
  const widgets = [
    { block: "block:A", props: { n: 1 } },
    { block: "block:B", props: {} },
    { block: "block:A", props: { n: 2 } },
  ];
  assert.deepEqual(withBlocks(widgets, ["block:C", "block:A"]), [
    { block: "block:A", props: { n: 1 } },
    { block: "block:A", props: { n: 2 } },
    { block: "block:C", props: {} },
  ]);
});

test("templates are found by their columns", () => {
  const templates = [
    { slug: "orders", display_name: "Orders", plugin: "crm", columns: [{ name: "amount", type: "number" }] },
    { slug: "people", display_name: "People", plugin: "crm", columns: [] },
  ];
  const found = (search: string) => templatesMatching(templates, search).map((template) => template.slug);
  assert.deepEqual(found("crm amount"), ["orders"]);
  assert.deepEqual(found(" "), ["orders", "people"]);
  assert.deepEqual(found("amount people"), []);
});
