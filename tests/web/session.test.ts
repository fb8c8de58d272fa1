/** The session: what answers make of it, who may see what, and the words for a refused sign-in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "@platform/plugin-host";
import { sentence } from "../../host-template/plugin-host/src/ui/prose.tsx";
import { checkAgain } from "../../host-template/shell/src/account/PasswordDialog.tsx";
import { inWords, refusalOf } from "../../host-template/shell/src/account/refusal.ts";
import { tenantChoices } from "../../host-template/shell/src/layout/AccountMenu.tsx";
import { may, placeOf, type Session } from "../../host-template/shell/src/session.ts";
import { afterAnswer, doubtsSession, reopenDelay, type SessionState } from "../../host-template/shell/src/session-state.ts";

const session = (more: Partial<Session> = {}): Session => ({
  user: { id: "u", email: "ada@acme.test", name: "Ada" },
  org: { id: "o", name: "Acme" },
  tenant: null,
  role: "member",
  orgs: [{ id: "o", name: "Acme" }],
  tenants: [],
  permissions: [],
  nav: [],
  plugins: [],
  ...more,
});
const error = (status: number, code?: string) =>
  new ApiError(status, { title: "Refused", detail: "no", ...(code === undefined ? {} : { code }) });

test("a session that is the same stays the same object", () => {
  const ready = afterAnswer({ kind: "loading" }, { session: session() });
  assert.equal(afterAnswer(ready, { session: session() }), ready);
  const changed = afterAnswer(ready, { session: session({ plugins: ["crm"] }) });
  assert.deepEqual(changed, { kind: "ready", session: session({ plugins: ["crm"] }) });
});

test("401 asks to sign in, and says so where a session has ended", () => {
  const ready: SessionState = { kind: "ready", session: session() };
  assert.deepEqual(afterAnswer({ kind: "loading" }, { error: error(401) }), { kind: "signed-out", ended: false });
  const ended = afterAnswer(ready, { error: error(401) });
  assert.deepEqual(ended, { kind: "signed-out", ended: true });
  assert.equal(afterAnswer(ended, { error: error(401) }), ended);
});

test("a platform that does not answer signs nobody out", () => {
  const ready: SessionState = { kind: "ready", session: session() };
  assert.equal(afterAnswer(ready, { error: error(0) }), ready);
  assert.equal(afterAnswer({ kind: "loading" }, { error: error(503) }).kind, "failed");
});

test("only refusals that concern the session put it in doubt", () => {
  assert.equal(doubtsSession(error(401, "not-signed-in"), "/api/records"), true);
  assert.equal(doubtsSession(error(404, "plugin-not-enabled"), "/api/crm/customers"), true);
  assert.equal(doubtsSession(error(404), "/api/crm/customers/7"), false);
  assert.equal(doubtsSession(error(403, "permission-missing"), "/api/audit/events"), false);
  // Reading the session because reading the session failed would never end.
  assert.equal(doubtsSession(error(401, "not-signed-in"), "/api/session"), false);
  assert.equal(doubtsSession(error(401, "wrong-credentials"), "/api/auth/login"), false);
});

test("the stream is opened again after ever longer waits", () => {
  assert.deepEqual([0, 1, 2, 4, 5, 50].map(reopenDelay), [1_000, 2_000, 4_000, 16_000, 30_000, 30_000]);
});

test("an admin may what admins may, anybody what they hold", () => {
  assert.equal(may(session({ role: "admin" }), "admin"), true);
  assert.equal(may(session(), "admin"), false);
  assert.equal(may(session({ permissions: ["audit.read"] }), "audit.read"), true);
  assert.equal(may(session({ role: "admin" }), "audit.read"), false);
});

test("a place is the organisation, or one of its tenants", () => {
  assert.equal(placeOf(session()), "Acme");
  assert.equal(placeOf(session({ tenant: { id: "n", name: "North" } })), "Acme · North");
});

test("an admin may choose the organisation at large, a member only its tenants", () => {
  const tenants = [{ id: "n", name: "North" }];
  assert.deepEqual(tenantChoices(session({ tenants })), tenants);
  assert.deepEqual(tenantChoices(session({ tenants, role: "admin" })), [{ id: null, name: "All of Acme" }, ...tenants]);
});

test("a refused sign-in says what to do", () => {
  assert.equal(refusalOf(error(401, "wrong-credentials")).focus, "password");
  const wait = refusalOf(new ApiError(429, { title: "Too Many Requests", code: "too-many-attempts" }, 42));
  assert.equal(wait.retryAfter, 42);
  assert.match(wait.detail ?? "", /Wait 42 seconds/);
  assert.equal(refusalOf(new ApiError(429, { title: "Too Many Requests" })).retryAfter, 30);
  const fields = new ApiError(422, { title: "Invalid", errors: [{ field: "email", message: "is too long" }] });
  assert.deepEqual(refusalOf(fields), { email: "is too long", focus: "email" });
  assert.deepEqual(refusalOf(new ApiError(0, { title: "The platform does not answer", detail: "try again" })), {
    title: "The platform does not answer",
    detail: "Try again.",
  });
});

test("waits and details in words", () => {
  assert.deepEqual([1, 42, 90, 600].map(inWords), ["1 second", "42 seconds", "2 minutes", "10 minutes"]);
  assert.deepEqual(["", "it is off", "Done.", "`crm` needs `base`"].map(sentence), [
    "",
    "It is off.",
    "Done.",
    "`crm` needs `base`.",
  ]);
});

test("a new password is typed twice", () => {
  checkAgain({ new: "one two three", again: "one two three" });
  assert.throws(
    () => checkAgain({ new: "one two three", again: "one two" }),
    (caught: unknown) => caught instanceof ApiError && caught.fields.again !== undefined,
  );
});
