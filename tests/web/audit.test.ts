/** The audit log and the members: filters, words, and who may change whom. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AuditEvent,
  actorOf,
  detailText,
  EVENT_TYPES,
  filterFrom,
  queryOf,
  whatOf,
  whereOf,
  withFilter,
} from "../../host-template/shell/src/audit.ts";
import { linkOf, mayManage, standing } from "../../host-template/shell/src/invitations.ts";
import {
  firstGroups,
  knownTenants,
  type Member,
  mayChange,
  membersByTenant,
  permissionOptions,
  rolesFor,
  searched,
} from "../../host-template/shell/src/members.ts";

const event = (event_type: string, more: Partial<AuditEvent> = {}): AuditEvent => ({
  id: "1",
  time: "2026-01-15T13:05:00Z",
  event_type,
  actor: { id: "u", email: "ada@acme.test" },
  plugin: null,
  scope: null,
  tenant: null,
  from: null,
  to: null,
  details: {},
  ...more,
});

test("the filter lives in the address, and an empty one leaves no trace", () => {
  const params = new URLSearchParams("type=sign_in&actor=%20Ada%40acme.test&tab=x");
  assert.deepEqual(filterFrom(params), { type: "sign_in", plugin: "", actor: "Ada@acme.test" });
  assert.equal(withFilter(params, "plugin", " crm ").get("plugin"), "crm");
  assert.equal(withFilter(params, "type", "").has("type"), false);
});

test("the API is asked for what the filter says, addresses in small letters", () => {
  assert.equal(queryOf({ type: "", plugin: "", actor: "" }), "");
  assert.equal(
    queryOf({ type: "sign_in", plugin: "crm", actor: "Ada@acme.test" }, { limit: "50" }),
    "?event_type=sign_in&plugin=crm&actor=ada%40acme.test&limit=50",
  );
});

test("a switch is told in words", () => {
  assert.equal(whatOf(event("plugin_state_change", { plugin: "crm", to: "disabled" })), "Disabled `crm`");
  assert.equal(whatOf(event("plugin_state_change", { plugin: "crm", to: "enabled" })), "Enabled `crm`");
});

test("every kind of event has words of its own, and an unknown one those of its name", () => {
  for (const type of Object.keys(EVENT_TYPES)) {
    assert.notEqual(whatOf(event(type)), "Unknown event");
    assert.doesNotMatch(whatOf(event(type)), /undefined|null|_/);
  }
  assert.equal(
    whatOf(event("member_added", { details: { email: "b@acme.test", role: "admin" } })),
    "Added `b@acme.test` as admin",
  );
  assert.equal(whatOf(event("run_requested", { details: { slug: "healthcare" } })), "Started a run of `healthcare`");
  assert.equal(whatOf(event("constructor")), "Constructor");
  assert.equal(whatOf(event("driver_installed")), "Driver installed");
});

test("who and where", () => {
  assert.equal(actorOf(event("org_created", { actor: { id: "", email: "" } })), "The platform");
  const names = new Map([["n", "North"]]);
  assert.equal(whereOf({ scope: "org", tenant: null }, "Acme", names), "All of Acme");
  assert.equal(whereOf({ scope: "tenant", tenant: "n" }, "Acme", names), "North");
  assert.equal(whereOf({ scope: "tenant", tenant: "gone" }, "Acme", names), "a tenant");
  assert.equal(whereOf({ scope: null, tenant: null }, "Acme", names), undefined);
});

test("details are readable whatever they are", () => {
  assert.deepEqual(
    [["a", "b"], [], "x", 3, { a: 1 }].map((value) => detailText(value)),
    ["a, b", "none", "x", "3", '{"a":1}'],
  );
  assert.equal(detailText(["n", "s"], new Map([["n", "North"]])), "North (n), s");
});

const named = (id: string) => ({ id, name: id.toUpperCase() });
const member = (id: string, more: Partial<Member> = {}): Member => ({
  user: { id, name: id, email: `${id}@acme.test` },
  role: "member",
  tenants: [],
  groups: [],
  created_at: "2026-01-15T13:05:00Z",
  ...more,
});

test("permissions stand under who declares them; those of plugins that are off stay", () => {
  const known = [
    { name: "audit.read", plugin: null },
    { name: "crm.read", plugin: "crm" },
  ];
  assert.deepEqual(
    permissionOptions(known, ["crm.read", "finance.read"]).map((option) => [option.value, option.group]),
    [
      ["audit.read", "Platform"],
      ["crm.read", "crm"],
      ["finance.read", "Of disabled plugins"],
    ],
  );
});

test("only an admin changes an admin, and makes one", () => {
  const manager = { role: "member" as const, permissions: ["members.manage"] };
  assert.equal(mayChange(manager, { role: "member" }), true);
  assert.equal(mayChange(manager, { role: "admin" }), false);
  assert.equal(mayChange({ role: "admin", permissions: ["members.manage"] }, { role: "admin" }), true);
  assert.equal(mayChange({ role: "member", permissions: ["members.read"] }, { role: "member" }), false);
  assert.deepEqual(
    rolesFor(manager).map((role) => role.value),
    ["member"],
  );
  assert.deepEqual(
    rolesFor({ role: "admin" }).map((role) => role.value),
    ["member", "admin"],
  );
});

test("tenants are those that are listed and those that members work in", () => {
  const members = [member("a", { tenants: [named("s"), named("n")] }), member("b", { tenants: [named("n")] })];
  assert.deepEqual(
    knownTenants([named("w")], members).map((tenant) => tenant.id),
    ["n", "s", "w"],
  );
  assert.deepEqual(
    [...membersByTenant(members)],
    [
      ["s", 1],
      ["n", 2],
    ],
  );
});

test("members are found by all that stands in their row", () => {
  const all = [member("ada", { role: "admin" }), member("bo", { groups: [named("nurses")] })];
  const found = (search: string) => searched(all, search).map((one) => one.user.id);
  assert.deepEqual(["", "admin", "NURSES bo", "ada nurses"].map(found), [["ada", "bo"], ["ada"], ["bo"], []]);
});

test("a new member begins in the group of everybody, where it still exists", () => {
  const group = (name: string, plugin: string | null = null) => ({ ...named(name), name, plugin, permissions: [], members: 0 });
  assert.deepEqual(firstGroups([group("Nurses"), group("Members"), group("Members", "crm")]), [group("Members")]);
  assert.deepEqual(firstGroups([group("Nurses")]), []);
});

test("nobody but an admin changes their own row", () => {
  const manager = { role: "member" as const, permissions: ["members.manage"], user: { id: "mo" } };
  assert.equal(mayChange(manager, { role: "member", user: { id: "mo" } }), false);
  assert.equal(mayChange(manager, { role: "member", user: { id: "bo" } }), true);
});

test("an invitation says how it stands, and its link begins where the page is", () => {
  assert.deepEqual(
    [standing({ expired: true, mail: "sent" }), standing({ expired: false, mail: "failed" })].map((one) => one.label),
    ["expired", "mail failed"],
  );
  assert.equal(linkOf("/invitation#abc", "https://hub.example.com"), "https://hub.example.com/invitation#abc");
  const manager = { role: "member" as const, permissions: ["members.manage"] };
  assert.deepEqual([mayManage(manager, { role: "member" }), mayManage(manager, { role: "admin" })], [true, false]);
});
