// Drives a real Chromium over a running platform, as a person would: `node e2e.mjs BASE_URL OUT_DIR [THROWING_BASE_URL]`.
//
// BASE_URL serves the four plugins of the repository. THROWING_BASE_URL, where given, serves a build that holds
// fixtures/plugins as well, all of them on. Both are new, with the admin that HUB_ADMIN_EMAIL and HUB_ADMIN_PASSWORD
// name. Prints `ok - …` or `not ok - …` a check and ends with 1 when one failed. Screenshots go to OUT_DIR.

// biome-ignore-all lint/performance/useDomNodeTextContent: what is compared is the text that a person sees

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { access, signIn } from "./access.mjs";
import { accessibilityFindings, becomes, launch, settled, visit } from "./browser.mjs";
import { fits, harness, visible } from "./harness.mjs";

const [baseArgument, outDir, throwingArgument] = process.argv.slice(2);
if (baseArgument === undefined || outDir === undefined) {
  console.error("usage: node e2e.mjs BASE_URL OUT_DIR [THROWING_BASE_URL]");
  process.exit(2);
}
const base = baseArgument.replace(/\/+$/, "");
const throwing = throwingArgument?.replace(/\/+$/, "");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The shell's own pages, but for those that need an address of their own: a dashboard, an invitation. */
const OWN = JSON.parse(readFileSync(new URL("../../host-template/shell/src/pages.json", import.meta.url), "utf8"))
  .filter(({ path, anonymous }) => !(path.includes(":") || anonymous))
  .map(({ path }) => [path, path === "/" ? "dashboard" : path.slice(1)]);
const PAGES = [
  ...OWN,
  ["/members?tab=groups", "groups"],
  ["/members?tab=tenants", "tenants"],
  ["/crm/customers", "crm-customers"],
  ["/crm/accounts", "crm-accounts"],
  ["/healthcare/records", "healthcare-records"],
  ["/healthcare/facilities", "healthcare-facilities"],
  ["/no/such/page", "not-found"],
];

/** What a browser writes by itself about a page that there is not: its status says so, too. */
const NO_PAGE = [/Failed to load resource.*\b404\b/];

const browser = await launch();
const { pageCheck, shot, signedIn, failed } = harness(browser, outDir);
try {
  await access({ browser, base, pageCheck, shot, signedIn, axe });
  await overrides();
  await pages();
  await failures();
} finally {
  await browser.close();
}
console.log(failed() === 0 ? "all checks passed" : `${failed()} failed`);
process.exit(failed() === 0 ? 0 : 1);

/** Who is shown where, and what the platform says about it. */
async function overrides() {
  await pageCheck("the dashboard shows finance's override, which has the higher priority", {}, async (page) => {
    await visit(page, base, "/");
    await page.getByRole("heading", { level: 1, name: "Finance" }).waitFor();
    await visible(page, "svg.recharts-surface");
    await becomes(() => page.locator('[data-default-surface="dashboard.view"]').count(), 0);
    await shot(page, "dashboard");
  });

  await pageCheck("an override can show what it replaces: healthcare's dashboard", {}, async (page) => {
    await visit(page, base, "/");
    await page.getByText("Operations", { exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Care today" }).waitFor();
    await shot(page, "dashboard-original");
  });

  const title = `Browser test ${Date.now()}`;
  await pageCheck("a record made in the form appears as crm's card", {}, async (page) => {
    await visit(page, base, "/records");
    await page.getByRole("button", { name: "New record" }).click();
    await page.getByRole("textbox", { name: "Title", exact: true }).fill(title);
    await page.getByLabel("Owner").fill("Ada Brandt");
    await page.getByRole("button", { name: "Save" }).click();
    await visible(page, `[data-crm-card]:has-text("${title}")`);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await becomes(() => page.locator('[data-default-surface="records.card"]').count(), 0);
    await shot(page, "records");
  });

  await pageCheck("crm's card can show the standard card in its place", {}, async (page) => {
    await visit(page, base, "/records");
    await page.getByRole("button", { name: "Standard card" }).first().click();
    await visible(page, '[data-default-surface="records.card"]');
  });

  const refused = [/422/];
  await pageCheck("a form without its title is refused at the field", { expected: refused }, async (page) => {
    await visit(page, base, "/records");
    await page.getByRole("button", { name: "New record" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await visible(page, '[role="dialog"] [aria-invalid="true"][name="title"]');
  });

  await pageCheck("a key that nobody claims shows its default", {}, async (page) => {
    await visit(page, base, "/overrides");
    await visible(page, '[data-default-surface="shell.footer"]');
    await page.getByRole("heading", { name: "Not claimed" }).waitFor();
    await visible(page, 'li:has-text("shell.footer")');
  });

  await pageCheck("the Plugins table lists the four plugins and what they hold", {}, async (page) => {
    await visit(page, base, "/plugins");
    const rows = page.locator("table tbody tr");
    for (const name of ["Demo", "CRM", "Finance", "Healthcare"]) {
      await rows
        .filter({ has: page.getByText(name, { exact: true }) })
        .first()
        .waitFor();
    }
    await becomes(() => rows.count(), 4);
    await page.getByRole("button", { name: "Details of CRM" }).click();
    await page.getByText("/api/crm/customers", { exact: true }).first().waitFor();
    await shot(page, "plugins");
    await page.getByRole("searchbox").fill("facilities");
    await becomes(() => page.getByRole("button", { name: /^Details of/ }).count(), 1);
  });

  await pageCheck("the Overrides page says who wins and why the others do not", {}, async (page) => {
    await visit(page, base, "/overrides");
    const chain = page.locator('[data-key="dashboard.view"] [data-claim]');
    await chain.first().waitFor();
    const lines = await chain.evaluateAll((claims) => claims.map((claim) => `${claim.dataset.outcome} ${claim.innerText}`));
    assert.match(lines[0] ?? "", /^wins finance[\s\S]*highest priority: 20 > 10/);
    assert.match(lines[1] ?? "", /^replaced healthcare[\s\S]*priority 10 < 20 of finance/);
    await shot(page, "overrides");
  });
}

/** Every page: its title, both colour schemes, a narrow screen, accessibility, and a quiet console. */
async function pages() {
  for (const [path, name] of PAGES) {
    const expected = path === "/no/such/page" ? NO_PAGE : [];
    await pageCheck(`${path} is titled and accessible in light and dark, and fits 360 px`, { expected }, async (page) => {
      await visit(page, base, path);
      assert.match(await page.title(), / · /);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        await visible(page, `html[data-mantine-color-scheme="${scheme}"]`);
        await settled(page);
        assert.deepEqual(await accessibilityFindings(page, axe), [], scheme);
      }
      await shot(page, `${name}-dark`);
      await page.setViewportSize({ width: 360, height: 740 });
      await fits(page);
      await shot(page, `${name}-360`);
    });
  }

  await pageCheck("an unknown page says 404 and leads back", { expected: NO_PAGE }, async (page) => {
    await visit(page, base, "/no/such/page");
    await page.getByText("404: there is no page here").waitFor();
    await page.getByRole("link", { name: "Go to the dashboard" }).click();
    await page.getByRole("heading", { level: 1, name: "Finance" }).waitFor();
  });

  await pageCheck("the navigation leads to a plugin's page on a phone", { width: 360, height: 740 }, async (page) => {
    await visit(page, base, "/");
    await page.getByRole("button", { name: "Open navigation" }).click();
    await page.getByRole("link", { name: "Customers" }).click();
    await page.getByRole("heading", { level: 1, name: "Customers" }).waitFor();
    await page.getByRole("button", { name: "Open navigation" }).waitFor();
  });

  await pageCheck("a chosen colour scheme outlives the page", { scheme: "light" }, async (page) => {
    await visit(page, base, "/records");
    await page.getByRole("button", { name: /^Colour scheme/ }).click();
    await page.getByRole("menuitem", { name: "Dark" }).click();
    await page.reload({ waitUntil: "domcontentloaded" });
    await visible(page, 'html[data-mantine-color-scheme="dark"]');
  });

  await pageCheck("the keyboard leads into the page", {}, async (page) => {
    await visit(page, base, "/");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  });
}

/** What breaks, and what is shown all the same. */
async function failures() {
  const winner = "plugins/finance/frontend/src/FinanceDashboard.tsx";
  const chunk = new RegExp(`/${winner.replace(/^.*\//, "").replace(/\.\w+$/, "")}-[^/]*\\.js$`);
  const told = [/The override "dashboard\.view" of plugin "finance"/, /Failed to load resource/, /Failed to fetch/];

  await pageCheck(
    "a chunk that does not load: the default, a notice, and a retry that works",
    { expected: told },
    async (page) => {
      await page.route(chunk, (route) => route.abort());
      await visit(page, base, "/");
      await visible(page, '[data-default-surface="dashboard.view"]');
      assert.match(await page.locator("[data-override-failure]").innerText(), /finance[\s\S]*dashboard\.view/);
      await shot(page, "chunk-does-not-load");
      await page.unroute(chunk);
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("heading", { level: 1, name: "Finance" }).waitFor();
    },
  );

  await pageCheck("an override that throws: the default and a notice", { expected: told }, async (page) => {
    const body = 'export default function Broken() { throw new Error("broken on purpose"); }';
    await page.route(chunk, (route) => route.fulfill({ contentType: "text/javascript", body }));
    await visit(page, base, "/");
    await visible(page, '[data-default-surface="dashboard.view"]');
    assert.match(await page.locator("[data-override-failure]").innerText(), /finance[\s\S]*broken on purpose/);
    await page.getByRole("link", { name: "Records", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Records" }).waitFor();
  });

  const down = [/Failed to load resource/];
  await pageCheck("an API that is down is said so, and tried again", { expected: down }, async (page) => {
    await page.route("**/api/plugins", (route) => route.abort());
    await visit(page, base, "/plugins");
    await page.getByText("Could not load the plugins").waitFor();
    await page.unroute("**/api/plugins");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("button", { name: "Details of CRM" }).waitFor();
  });

  await pageCheck("a platform that does not answer at all shows no white page", { expected: down }, async (page) => {
    await page.route("**/api/session", (route) => route.abort());
    await page.goto(`${base}/`, { waitUntil: "load" });
    await page.getByText("The platform does not answer").waitFor();
    await page.unroute("**/api/session");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { level: 1, name: "Finance" }).waitFor();
  });

  if (throwing === undefined) {
    return;
  }
  const thrown = [/The override "dashboard\.view" of plugin "throwing"[\s\S]*this dashboard always throws/];
  const state = await signIn(browser, throwing);
  await pageCheck("a built plugin that throws: the default and a notice", { state, expected: thrown }, async (page) => {
    await visit(page, throwing, "/");
    await visible(page, '[data-default-surface="dashboard.view"]');
    assert.match(await page.locator("[data-override-failure]").innerText(), /throwing[\s\S]*this dashboard always throws/);
    await fits(page);
    await shot(page, "throwing-override");
  });
}
