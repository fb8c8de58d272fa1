/** The shell's pure parts: paths of plugins, the search, states, the colour scheme. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { summarize } from "../../plugins/finance/frontend/src/figures.ts";
import { schemeOf } from "../../host-template/shell/src/color-scheme.ts";
import { asPages, entryFor, slugOf } from "../../host-template/shell/src/plugin-pages.ts";
import { keysByPlugin, matching, type PluginInfo, stateOf } from "../../host-template/shell/src/plugins.ts";

const entry = (plugin: string) => ({ id: `entry#${plugin}`, plugin, file: "pages.tsx", paths: [], load: async () => [] });
const plugin = (name: string, more: Partial<PluginInfo> = {}): PluginInfo => ({
  name,
  display_name: name.toUpperCase(),
  version: "0.1.0",
  source: "install",
  router_count: 0,
  routes: [],
  dbt_workspaces: [],
  enabled: true,
  errors: [],
  warnings: [],
  ...more,
});

test("a plugin's pages stand under its slug, with or without /plugins", () => {
  assert.deepEqual(["/crm/customers", "/plugins/crm", "/plugins", "/"].map(slugOf), ["crm", "crm", undefined, undefined]);
  const entries = [entry("crm"), entry("crm-extra")];
  assert.equal(entryFor(entries, "/crm-extra/x", new Set(["crm-extra"]))?.plugin, "crm-extra");
  assert.equal(entryFor(entries, "/crm/x", new Set(["crm-extra"])), undefined);
});

test("a page module is a list of paths and components", () => {
  const pages = [{ path: "/crm", component: () => null }];
  assert.equal(asPages(pages, { file: "pages.tsx" }), pages);
  for (const wrong of [undefined, {}, [{ path: "/crm" }], [{ component: () => null }], [null]]) {
    assert.throws(() => asPages(wrong, { file: "plugins/crm/pages.tsx" }), /plugins\/crm\/pages\.tsx/);
  }
});

test("the search looks everywhere, for all of its words", () => {
  const all = [
    plugin("crm", { routes: [{ method: "GET", path: "/api/crm/customers", public: false }] }),
    plugin("finance", { dbt_workspaces: ["ledger"] }),
  ];
  const found = (search: string) =>
    matching(all, search, (slug) => (slug === "crm" ? ["records.card"] : [])).map((one) => one.name);
  assert.deepEqual(found(""), ["crm", "finance"]);
  assert.deepEqual(found("Customers get"), ["crm"]);
  assert.deepEqual(found("ledger"), ["finance"]);
  assert.deepEqual(found("RECORDS.card"), ["crm"]);
  assert.deepEqual(found("crm ledger"), []);
});

test("errors weigh more than being enabled", () => {
  assert.equal(stateOf(plugin("a", { errors: ["broken"] })), "invalid");
  assert.equal(stateOf(plugin("a", { enabled: false })), "disabled");
  assert.equal(stateOf(plugin("a")), "enabled");
});

test("keys are listed by the plugins that claim them", () => {
  const keys = keysByPlugin({ a: [{ plugin: "crm" }, { plugin: "finance" }], b: [{ plugin: "crm" }] });
  assert.deepEqual([...keys], [
    ["crm", ["a", "b"]],
    ["finance", ["a"]],
  ]);
});

test("the system decides on the colour scheme until somebody does", () => {
  assert.equal(schemeOf(null, true), "dark");
  assert.equal(schemeOf("auto", false), "light");
  assert.equal(schemeOf("light", true), "light");
  assert.equal(schemeOf("nonsense", true), "dark");
});

test("the finance figures add up", () => {
  const months = [
    { month: "Jan", revenue: 100, cost: 80 },
    { month: "Feb", revenue: 150, cost: 70 },
  ];
  assert.deepEqual(summarize(months), { revenue: 250, cost: 150, margin: 0.4, growth: 0.5 });
  assert.deepEqual(summarize([]), { revenue: 0, cost: 0, margin: 0, growth: 0 });
});
