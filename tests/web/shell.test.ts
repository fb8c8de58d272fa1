/** The shell's pure parts: paths of plugins, the search, states, the colour scheme. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces } from "../../host-template/plugin-host/src/ui/prose.tsx";
import { schemeOf } from "../../host-template/shell/src/color-scheme.ts";
import fields from "../../host-template/shell/src/plugin-metadata.json";
import { asPages, entryFor, slugOf } from "../../host-template/shell/src/plugin-pages.ts";
import {
  asWanted,
  keysByPlugin,
  matching,
  newsOf,
  type PluginInfo,
  type PluginMetadata,
  reach,
  summaryOf,
  turnable,
  whyOfTenant,
} from "../../host-template/shell/src/plugins.ts";
import { summarize } from "../../plugins/finance/frontend/src/figures.ts";

const entry = (plugin: string) => ({ id: `entry#${plugin}`, plugin, file: "pages.tsx", paths: [], load: async () => [] });
const noMetadata = Object.fromEntries(Object.keys(fields).map((field) => [field, null])) as unknown as PluginMetadata;
const plugin = (name: string, more: Partial<PluginInfo> = {}): PluginInfo => ({
  name,
  display_name: name.toUpperCase(),
  version: "0.1.0",
  ...noMetadata,
  source: "install",
  visibility: "protected",
  dependencies: [],
  routes: [],
  dbt_workspaces: [],
  nav_count: 0,
  permissions: [],
  known_scripts: [],
  dataset_templates: [],
  dashboard_seeds: [],
  enabled: true,
  org_state: "enabled",
  tenants: [],
  state: "ok",
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
    plugin("crm", { routes: [{ method: "GET", path: "/api/crm/customers", public: false }], permissions: ["crm.read"] }),
    plugin("finance", { dbt_workspaces: ["ledger"] }),
  ];
  const found = (search: string) =>
    matching(all, search, (slug) => (slug === "crm" ? ["records.card"] : [])).map((one) => one.name);
  assert.deepEqual(found(""), ["crm", "finance"]);
  assert.deepEqual(found("Customers get"), ["crm"]);
  assert.deepEqual(found("ledger"), ["finance"]);
  assert.deepEqual(found("RECORDS.card"), ["crm"]);
  assert.deepEqual(found("crm.read"), ["crm"]);
  assert.deepEqual(found("crm ledger"), []);
});

const tenant = (id: string, enabled: boolean, follows: boolean) => ({ id, name: id.toUpperCase(), enabled, follows });

test("a switch of the organisation takes the tenants along, but for those that said otherwise", () => {
  const tenants = [tenant("n", true, true), tenant("s", false, false)];
  const crm = plugin("crm", { tenants });
  const off = asWanted(crm, [{ plugin: "crm", tenant: null, on: false }]);
  assert.deepEqual([off.enabled, off.org_state, off.tenants.map((one) => one.enabled)], [false, "disabled", [false, false]]);
  const again = asWanted(off, [{ plugin: "crm", tenant: null, on: true }]);
  assert.deepEqual([again.enabled, again.org_state, again.tenants.map((one) => one.enabled)], [true, "enabled", [true, false]]);
});

test("a switch of one tenant leaves the others alone", () => {
  const crm = plugin("crm", {
    enabled: false,
    org_state: "disabled",
    tenants: [tenant("n", false, true), tenant("s", false, true)],
  });
  const on = asWanted(crm, [
    { plugin: "finance", tenant: "s", on: true },
    { plugin: "crm", tenant: "n", on: true },
  ]);
  assert.deepEqual([on.enabled, on.org_state], [false, "chosen"]);
  assert.deepEqual(on.tenants, [tenant("n", true, false), tenant("s", false, true)]);
});

test("a plugin with errors can only be switched off, one that is not used not at all", () => {
  assert.deepEqual([turnable({ state: "invalid" }, false), turnable({ state: "invalid" }, true)], [false, true]);
  assert.deepEqual([turnable({ state: "not-configured" }, false), turnable({ state: "shadowed" }, true)], [true, false]);
  const shadowed = plugin("crm", { state: "shadowed", enabled: false });
  assert.equal(asWanted(shadowed, [{ plugin: "crm", tenant: null, on: true }]), shadowed);
});

test("each tenant's state has its reason", () => {
  assert.equal(whyOfTenant({ follows: true, enabled: true }, "enabled", "Acme"), "follows Acme");
  assert.equal(whyOfTenant({ follows: false, enabled: false }, "enabled", "Acme"), "set for this tenant");
  assert.equal(whyOfTenant({ follows: false, enabled: true }, "chosen", "Acme"), "chosen");
  assert.equal(whyOfTenant({ follows: true, enabled: false }, "disabled", "Acme"), "off for Acme");
});

test("where a plugin is not on for all, it is said for how many", () => {
  const tenants = [tenant("n", true, true), tenant("s", false, false)];
  assert.equal(reach({ org_state: "enabled", tenants }), "1 of 2 tenants");
  assert.equal(reach({ org_state: "enabled", tenants: [tenant("n", true, true)] }), undefined);
  assert.equal(reach({ org_state: "chosen", tenants: [tenant("n", true, false)] }), "1 of 1 tenant");
  assert.equal(reach({ org_state: "disabled", tenants }), undefined);
});

test("what a plugin contributes is counted in words", () => {
  const route = { method: "GET", path: "/api/crm/accounts", public: false };
  assert.equal(
    summaryOf(plugin("crm", { routes: [route, route], dbt_workspaces: ["crm"] }), ["records.card"]),
    "2 routes · 1 override · 1 dbt workspace",
  );
  assert.equal(summaryOf(plugin("crm"), []), "");
});

test("a look for customer plugins says what it found", () => {
  const [crm, own] = [plugin("crm"), plugin("own", { source: "data" })];
  assert.equal(newsOf([crm], [crm]), "Nothing new. There are no customer plugins.");
  assert.equal(newsOf([crm], [crm, own]), "New: OWN. There is 1 customer plugin.");
  assert.equal(newsOf([crm, own], [crm]), "Removed: OWN. There are no customer plugins.");
});

test("keys are listed by the plugins that claim them", () => {
  const keys = keysByPlugin({ a: [{ plugin: "crm" }, { plugin: "finance" }], b: [{ plugin: "crm" }] });
  assert.deepEqual(
    [...keys],
    [
      ["crm", ["a", "b"]],
      ["finance", ["a"]],
    ],
  );
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

test("names in backticks are told apart, and a lone backtick is text", () => {
  assert.deepEqual(pieces("`crm` needs `base`"), ["", "crm", " needs ", "base", ""]);
  assert.deepEqual(pieces("plain"), ["plain"]);
  assert.deepEqual(pieces("`crm` and one `more"), ["", "crm", " and one `more"]);
});
