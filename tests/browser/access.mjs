// Who may what: signing in and out, switches of plugins while somebody else looks, members, the audit log.

import assert from "node:assert/strict";
import { accessibilityFindings, becomes, openPage, quiet, settled, visit } from "./browser.mjs";
import { fits, visible } from "./harness.mjs";

const ADMIN = {
  email: process.env.HUB_ADMIN_EMAIL ?? "admin@example.com",
  password: process.env.HUB_ADMIN_PASSWORD ?? "",
};
const NORA = { email: "nora@example.com", name: "Nora Lind", password: "a lake in the north" };
const PLUGINS = ["Demo", "CRM", "Finance", "Healthcare"];

/** What a browser writes by itself about an answer that is a refusal. */
const refused = (...statuses) => statuses.map((status) => new RegExp(`Failed to load resource.*\\b${status}\\b`));

/** Fills in the sign-in page and sends it. */
async function enter(page, { email, password }) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** The switch of a plugin for a place. */
const toggle = (page, plugin, place) => page.getByRole("switch", { name: `Enable ${plugin} for ${place}` });

/** Turns a switch and waits until the platform has done it. */
async function turn(page, plugin, place, on) {
  const box = toggle(page, plugin, place);
  const answer = page.waitForResponse((response) => /\/(enable|disable)$/.test(new URL(response.url()).pathname));
  await box.setChecked(on, { force: true });
  assert.equal((await answer).status(), 200);
  await page.waitForFunction((node) => node.getAttribute("aria-busy") === null, await box.elementHandle());
  await becomes(() => box.isChecked(), on);
}

/** Signs in through the API: the state of a browser that has. */
export async function signIn(browser, base, who = ADMIN) {
  const { page, close } = await openPage(browser);
  try {
    const answer = await page.request.post(`${base}/api/auth/login`, { data: { email: who.email, password: who.password } });
    assert.equal(answer.status(), 200, `signing in as ${who.email}: ${await answer.text()}`);
    return await page.context().storageState();
  } finally {
    await close();
  }
}

/** Everything, in an order in which each check finds what it needs; signs the harness in on the way. */
export async function access(tools) {
  await signingIn(tools);
  await enabling(tools);
  await members(tools);
  await following(tools);
  await auditing(tools);
  await leaving(tools);
}

async function signingIn({ base, pageCheck, shot, axe, signedIn }) {
  await pageCheck("whoever is not signed in is asked to, at any address", { expected: refused(401) }, async (page) => {
    await page.goto(`${base}/records`);
    await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    assert.match(await page.title(), /^Sign in · /);
    assert.equal(await page.evaluate(() => document.activeElement?.name), "email");
    assert.equal(await page.getByLabel("E-mail address").getAttribute("autocomplete"), "username");
    assert.equal(await page.getByLabel("Password", { exact: true }).getAttribute("autocomplete"), "current-password");
    await shot(page, "sign-in");
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await settled(page);
      assert.deepEqual(await accessibilityFindings(page, axe), [], scheme);
    }
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "sign-in-360");
  });

  await pageCheck("a wrong password is said so, and the next try begins there", { expected: refused(401) }, async (page) => {
    await page.goto(`${base}/records`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Enter your e-mail address").waitFor();
    await enter(page, { email: ADMIN.email, password: "not the password" });
    await page.getByRole("alert").filter({ hasText: "The e-mail address or the password is wrong" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.name), "password");
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "sign-in-refused-360");
  });

  await pageCheck("too many attempts say how long to wait", { expected: refused(401, 429) }, async (page) => {
    const problem = { title: "Too Many Requests", status: 429, code: "too-many-attempts", detail: "too many attempts" };
    const headers = { "retry-after": "3", "content-type": "application/problem+json" };
    await page.route("**/api/auth/login", (route) => route.fulfill({ status: 429, headers, body: JSON.stringify(problem) }));
    await page.goto(`${base}/`);
    await enter(page, ADMIN);
    await page.getByRole("alert").filter({ hasText: "Wait 3 seconds" }).waitFor();
    await becomes(() => page.getByRole("button", { name: /^Try again in \d s$/ }).isDisabled(), true);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
  });

  await pageCheck("signing in shows the page that was asked for", { expected: refused(401) }, async (page) => {
    await page.goto(`${base}/records`);
    await enter(page, ADMIN);
    await page.getByRole("heading", { level: 1, name: "Records" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/records");
    signedIn(await page.context().storageState());
  });
}

/** The name of the organisation that the page is signed in to. */
const orgOf = async (page, base) => (await (await page.request.get(`${base}/api/session`)).json()).org.name;

async function enabling({ base, pageCheck, shot }) {
  await pageCheck("an admin switches plugins on, and the navigation follows", {}, async (page) => {
    await visit(page, base, "/plugins");
    const org = await orgOf(page, base);
    for (const plugin of PLUGINS) {
      await turn(page, plugin, org, true);
    }
    await page.getByRole("link", { name: "Customers" }).waitFor();
    await page.getByRole("link", { name: "Patient records" }).waitFor();
    await shot(page, "plugins-enabled");
  });

  await pageCheck(
    "a switch that is refused goes back, and the reason stands below it",
    { expected: refused(409) },
    async (page) => {
      const problem = {
        title: "Conflict",
        status: 409,
        code: "plugin-needed",
        detail: "`more` needs vertical plugin `crm`: disable it first",
      };
      const headers = { "content-type": "application/problem+json" };
      await visit(page, base, "/plugins");
      const org = await orgOf(page, base);
      await page.route("**/api/plugins/crm/disable", (route) =>
        route.fulfill({ status: 409, headers, body: JSON.stringify(problem) }),
      );
      await toggle(page, "CRM", org)
        .setChecked(false, { force: true })
        .catch(() => undefined);
      await page.getByRole("alert").filter({ hasText: "more needs vertical plugin crm: disable it first" }).waitFor();
      await becomes(() => toggle(page, "CRM", org).isChecked(), true);
      await shot(page, "plugins-refused");
      await page.getByRole("button", { name: "Close", exact: true }).click();
      await becomes(() => page.getByRole("alert").count(), 0);
    },
  );

  await pageCheck("a look for customer plugins says what it found", {}, async (page) => {
    await visit(page, base, "/plugins");
    await page.getByRole("button", { name: "Reload customer plugins" }).click();
    await page.getByText("There are no customer plugins.").waitFor();
  });
}

async function members({ base, pageCheck, shot, axe }) {
  let invitation = "";
  await pageCheck("tenants, groups and members are added on the Members page", {}, async (page) => {
    await visit(page, base, "/members?tab=tenants");
    for (const name of ["North", "South"]) {
      await page.getByRole("button", { name: "Add tenant" }).first().click();
      await page.getByRole("textbox", { name: "Name" }).fill(name);
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.getByRole("cell", { name, exact: true }).waitFor();
    }
    await page.getByRole("tab", { name: /^Groups/ }).click();
    await page.getByRole("button", { name: "Add group" }).first().click();
    await page.getByRole("textbox", { name: "Name" }).fill("Reception");
    await page.getByRole("checkbox", { name: "healthcare.read" }).check();
    await page.getByRole("checkbox", { name: "records.read" }).check();
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "group-dialog");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("button", { name: "Details of Reception" }).click();
    await page.getByText("healthcare.read", { exact: true }).waitFor();
    await page.getByRole("tab", { name: /^Members/ }).click();
    await page.getByRole("button", { name: "Invite member" }).click();
    await page.getByLabel("E-mail address").fill(NORA.email);
    await page.getByRole("textbox", { name: "Name" }).fill(NORA.name);
    await choose(page, "Tenants", "North");
    await choose(page, "Groups", "Reception");
    await settled(page);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "member-dialog");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    const link = page.getByLabel("Link", { exact: true });
    await link.waitFor();
    await settled(page);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "invitation-link");
    invitation = await link.inputValue();
    assert.match(invitation, /\/invitation#[\w-]{43}$/);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("tab", { name: /^Invitations/ }).click();
    await page.getByRole("row").filter({ hasText: NORA.email }).filter({ hasText: "link given" }).waitFor();
    await settled(page);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "invitations");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "invitations-360");
  });

  await pageCheck(
    "whoever is invited chooses a password and is in",
    { state: () => undefined, expected: refused(401, 404, 422) },
    async (page) => {
      await page.goto(invitation);
      await page.getByRole("heading", { level: 1, name: /^Join / }).waitFor();
      for (const [scheme, width] of [
        ["light", 1280],
        ["dark", 1280],
        ["light", 360],
        ["dark", 360],
      ]) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: scheme });
        await settled(page);
        await fits(page);
        assert.deepEqual(await accessibilityFindings(page, axe), [], `${scheme} ${width}`);
        await shot(page, `invitation-${scheme}-${width}`);
      }
      await page.getByLabel("Choose a password").fill("short");
      await page.getByRole("button", { name: "Create account and join" }).click();
      await visible(page, '[aria-invalid="true"][name="password"]');
      await page.getByLabel("Choose a password").fill(NORA.password);
      await page.getByRole("button", { name: "Create account and join" }).click();
      await page.getByRole("button", { name: /account of/ }).waitFor();
      await page.goto("about:blank");
      await page.goto(invitation);
      await page.getByRole("heading", { level: 1, name: "This link no longer works" }).waitFor();
      assert.deepEqual(await accessibilityFindings(page, axe), []);
      await shot(page, "invitation-used");
    },
  );

  await pageCheck("the new member stands among the members", {}, async (page) => {
    await visit(page, base, "/members");
    const row = page.getByRole("row").filter({ hasText: NORA.email });
    await row.filter({ hasText: "North" }).filter({ hasText: "Reception" }).waitFor();
    await shot(page, "members-added");
  });

  const taken = refused(409, 422);
  await pageCheck("what the platform refuses about a member lands in the form", { expected: taken }, async (page) => {
    await visit(page, base, "/members");
    await page.getByRole("button", { name: "Invite member" }).click();
    await page.getByLabel("E-mail address").fill("no address");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await visible(page, '[role="dialog"] [aria-invalid="true"][name="email"]');
    await page.getByLabel("E-mail address").fill(NORA.email);
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: "is a member already" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
  });

  await pageCheck("a member is changed and removed", {}, async (page) => {
    const invited = await page.request.post(`${base}/api/invitations`, {
      data: { email: "bo@example.com" },
      headers: { origin: base },
    });
    assert.equal(invited.status(), 201);
    const { token } = await invited.json();
    // By fetch: the browser's own requests would take over bo's session.
    const accepted = await fetch(`${base}/api/invitations/accept`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, name: "bo", password: "some years ago" }),
    });
    assert.equal(accepted.status, 200);
    await visit(page, base, "/members");
    const row = page.getByRole("row").filter({ hasText: "bo@example.com" });
    await row.getByRole("button", { name: "Actions for bo" }).click();
    await page.getByRole("menuitem", { name: "Change…" }).click();
    await choose(page, "Tenants", "South");
    await page.getByRole("button", { name: "Save" }).click();
    await row.filter({ hasText: "South" }).waitFor();
    await row.getByRole("button", { name: "Actions for bo" }).click();
    await page.getByRole("menuitem", { name: "Remove…" }).click();
    await page.getByText("leaves").waitFor();
    await shot(page, "member-remove");
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await row.waitFor({ state: "detached" });
  });
}

/** Picks an option of a field that takes many. */
async function choose(page, label, option) {
  const field = page.getByRole("dialog").getByRole("combobox", { name: label });
  await field.click();
  await page.getByRole("option", { name: option, exact: true }).click();
  await field.press("Escape").catch(() => undefined);
  await page.getByRole("listbox").waitFor({ state: "hidden" });
}

async function following({ browser, base, pageCheck, shot, axe }) {
  const asNora = () => signIn(browser, base, NORA);
  const told = refused(404);
  await pageCheck("a plugin switched off for a tenant is gone there without a reload", { expected: told }, async (admin) => {
    const nora = await openPage(browser, { state: await asNora() });
    try {
      const records = nora.page;
      await visit(records, base, "/healthcare/records");
      await records.getByRole("heading", { level: 1, name: "Patient records" }).waitFor();
      const dashboard = await records.context().newPage();
      await visit(dashboard, base, "/");
      await dashboard.getByRole("heading", { level: 1, name: "Finance" }).waitFor();

      await visit(admin, base, "/plugins");
      await admin.getByRole("button", { name: "Details of Healthcare" }).click();
      await turn(admin, "Healthcare", "North", false);
      await shot(admin, "plugins-tenant-off");
      await visible(records, '[data-not-enabled="healthcare"]');
      await records.getByText("It is off for North").waitFor();
      await becomes(() => records.getByRole("link", { name: "Patient records" }).count(), 0);
      assert.equal(new URL(records.url()).pathname, "/healthcare/records");
      assert.deepEqual(await accessibilityFindings(records, axe), []);
      await shot(records, "not-enabled");

      await admin.getByRole("button", { name: "Details of Finance" }).click();
      await turn(admin, "Finance", "North", false);
      await visible(dashboard, '[data-default-surface="dashboard.view"]');
      await becomes(() => dashboard.getByRole("heading", { level: 1, name: "Finance" }).count(), 0);

      await turn(admin, "Healthcare", "North", true);
      await records.getByRole("heading", { level: 1, name: "Patient records" }).waitFor();
      await records.getByRole("link", { name: "Patient records" }).waitFor();
      await turn(admin, "Finance", "North", true);
      await dashboard.getByRole("heading", { level: 1, name: "Finance" }).waitFor();
      // The other tenants never noticed.
      await becomes(() => toggle(admin, "Healthcare", "South").isChecked(), true);
    } finally {
      await nora.close();
    }
  });

  await pageCheck("an admin works in a tenant, and at large again", {}, async (page) => {
    await visit(page, base, "/");
    const org = await orgOf(page, base);
    await page.getByRole("button", { name: /account of/ }).click();
    await shot(page, "account-menu");
    await page.getByRole("menuitem", { name: "North" }).click();
    await page.getByText(`${org} · North`).first().waitFor();
    await page.getByRole("button", { name: /account of/ }).click();
    await page.getByRole("menuitem", { name: `All of ${org}` }).click();
    await page.getByText(`${org} · North`).waitFor({ state: "detached" });
  });

  await pageCheck("who is no admin sees neither the switches nor the way to them", { state: asNora }, async (page) => {
    await visit(page, base, "/plugins");
    await page.getByText("403: you do not have access to this page").waitFor();
    await becomes(() => page.getByText("Administration", { exact: true }).count(), 0);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "forbidden");
    await visit(page, base, "/audit");
    await page.getByText("audit.read").waitFor();
  });

  const forbidden = refused(403);
  await pageCheck(
    "what a caller may not do is not offered, or said plainly",
    { state: asNora, expected: forbidden },
    async (page) => {
      await visit(page, base, "/healthcare/records");
      await page.getByRole("heading", { level: 1, name: "Patient records" }).waitFor();
      await becomes(() => page.getByRole("button", { name: "New record" }).count(), 0);
      await visit(page, base, "/crm/customers");
      await page.getByText("You may not see the customers").waitFor();
      await page.getByText("customers.read").waitFor();
      assert.deepEqual(await accessibilityFindings(page, axe), []);
      await shot(page, "permission-missing");
    },
  );
}

async function auditing({ base, pageCheck, shot }) {
  await pageCheck("the audit log tells of the switch, and its filters live in the address", {}, async (page) => {
    await visit(page, base, "/audit");
    await page
      .getByRole("row")
      .filter({ hasText: "Disabled healthcare" })
      .filter({ hasText: "North" })
      .filter({ hasText: ADMIN.email })
      .waitFor();
    await page.getByRole("combobox", { name: "Kind of event" }).click();
    await page.getByRole("option", { name: "Plugin enabled or disabled" }).click();
    await page.getByRole("combobox", { name: "Plugin", exact: true }).click();
    await page.getByRole("option", { name: "finance" }).click();
    await page.waitForURL(/type=plugin_state_change&plugin=finance/);
    await page.getByText("3 events", { exact: true }).waitFor();
    await page.reload();
    await quiet(page);
    await page.getByText("3 events", { exact: true }).waitFor();
    assert.match(await page.locator("time").first().getAttribute("title"), / UTC$/);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Export as CSV" }).click(),
    ]);
    assert.equal(download.suggestedFilename(), "audit-log.csv");
    await page
      .getByRole("button", { name: /^Details of (Enabled|Disabled) finance/ })
      .first()
      .click();
    await page.getByText("plugin_state_change", { exact: true }).waitFor();
    await shot(page, "audit-filtered");
    await visit(page, base, "/audit?type=org_created&plugin=finance");
    await page.getByText("No event matches").waitFor();
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByRole("row").nth(1).waitFor();
  });

  await pageCheck("older events come with Load more", {}, async (page) => {
    const groups = await (await page.request.get(`${base}/api/groups`)).json();
    const { id, name, permissions } = groups.find((group) => group.name === "Reception");
    for (let turn = 0; turn < 55; turn += 1) {
      await page.request.put(`${base}/api/groups/${id}`, { data: { name, permissions }, headers: { origin: base } });
    }
    await visit(page, base, "/audit");
    await page.getByText("50 events so far").waitFor();
    await page.getByRole("button", { name: "Load more" }).click();
    await page.getByText("50 events so far").waitFor({ state: "detached" });
    assert.ok((await page.getByRole("button", { name: /^Details of/ }).count()) > 55);
  });
}

async function leaving({ browser, base, pageCheck, shot }) {
  const asNora = () => signIn(browser, base, NORA);
  await pageCheck("a password is changed, and the new one signs in", { state: asNora, expected: refused(422) }, async (page) => {
    await visit(page, base, "/records");
    await page.getByRole("button", { name: /account of/ }).click();
    await page.getByRole("menuitem", { name: "Change password" }).click();
    const fill = async (current, next, again) => {
      for (const [name, value] of [
        ["current", current],
        ["new", next],
        ["again", again],
      ]) {
        await page.getByRole("dialog").locator(`input[name="${name}"]`).fill(value);
      }
      await page.getByRole("dialog").getByRole("button", { name: "Change password" }).click();
    };
    await fill(NORA.password, "a lake in the south", "a lake");
    await page.getByText("does not match the new password").waitFor();
    await fill("not the password", "a lake in the south", "a lake in the south");
    await page.getByText("is not your password").waitFor();
    await fill(NORA.password, "a lake in the south", "a lake in the south");
    await page.getByText("Your password is changed.").waitFor();
    await shot(page, "password-changed");
    NORA.password = "a lake in the south";
    await page.getByRole("button", { name: "Done" }).click();
  });

  await pageCheck("signing out signs out every page of the browser", { state: asNora, expected: refused(401) }, async (page) => {
    await visit(page, base, "/records");
    const other = await page.context().newPage();
    await visit(other, base, "/healthcare/facilities");
    await page.getByRole("button", { name: /account of/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
    await becomes(() => page.getByText("Your session has ended").count(), 0);
    await other.getByText("Your session has ended").waitFor();
    await shot(other, "session-ended");
    await enter(other, NORA);
    await other.getByRole("heading", { level: 1, name: "Facilities" }).waitFor();
  });

  await pageCheck(
    "a session that has ended asks to sign in at the next call, and comes back",
    { state: asNora, expected: refused(401) },
    async (page) => {
      await visit(page, base, "/records");
      await page.context().clearCookies();
      await page.getByRole("link", { name: "Facilities" }).click();
      await page.getByText("Your session has ended").waitFor();
      await enter(page, NORA);
      await page.getByRole("heading", { level: 1, name: "Facilities" }).waitFor();
    },
  );
}
