// The pages about data in a real Chromium: Flow with builds by a real dbt, dashboards of blocks, datasets, connectors.
//
//     node flow.mjs BASE_URL OUT_DIR BARE_BASE_URL
//
// BASE_URL has dbt, all plugins of the repository, and the plugin `ops` of the test with a script, dataset templates
// and a dashboard. BARE_BASE_URL has no dbt. Both are new. Prints a line a check and ends with 1 when one failed.

// biome-ignore-all lint/performance/useDomNodeTextContent: what is compared is the text that a person sees

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { signIn } from "./access.mjs";
import { accessibilityFindings, becomes, launch, quiet, settled, visit } from "./browser.mjs";
import { fits, harness, visible } from "./harness.mjs";

const [base, outDir, bare] = process.argv.slice(2).map((argument) => argument.replace(/\/+$/, ""));
if (bare === undefined) {
  console.error("usage: node flow.mjs BASE_URL OUT_DIR BARE_BASE_URL");
  process.exit(2);
}
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await launch();
const { pageCheck, shot, signedIn, failed } = harness(browser, outDir);

/** Longest time that a build may take. */
const BUILD = 120_000;

const FLOW = "/flow?workspace=finance";
const MODELS = ["finance_ledger", "mart_finance__monthly_result", "mart_finance__segment_revenue", "stg_finance__entries"];

/** The models of the graph with the tone of each: `stg_finance__entries good`. */
const tones = (page) =>
  page
    .locator("[data-model]")
    .evaluateAll((models) => models.map((model) => `${model.dataset.model.split(".").at(-1)} ${model.dataset.tone}`).sort());

/** The panel of a run once it has come to a state. */
const runIn = (page, state) => page.locator(`[data-run][data-state="${state}"]`);

const refused = (status) => new RegExp(`Failed to load resource.*\\b${status}\\b`);

try {
  const bareState = await signIn(browser, bare);
  signedIn(await signIn(browser, base));
  await withoutDbt(bareState);
  await building();
  await models();
  await ways();
  await recipes();
  await blocks();
  await connectors();
  await everyPage();
} finally {
  await browser.close();
}
console.log(failed() === 0 ? "all checks passed" : `${failed()} failed`);
process.exit(failed() === 0 ? 0 : 1);

/** A platform on which nothing can be built. */
async function withoutDbt(state) {
  await pageCheck("without dbt the page says which command installs it", { state }, async (page) => {
    await visit(page, bare, FLOW);
    const told = page.locator("[data-dbt-missing]");
    await told.getByText("hub-platform drivers install dbt").waitFor();
    await told.getByRole("button", { name: /^Copy the command/ }).waitFor();
    const build = page.getByRole("button", { name: "Build", exact: true });
    assert.equal(await build.getAttribute("aria-disabled"), "true");
    await build.click({ force: true });
    await page.getByText("No runs yet").waitFor();
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "flow-without-dbt-360");
  });
}

/** From models that are only known by name to a green graph. */
async function building() {
  await pageCheck("before the first build the models are known by name", {}, async (page) => {
    await visit(page, base, FLOW);
    await visible(page, "[data-model]");
    assert.deepEqual(new Set((await tones(page)).map((line) => line.split(" ")[1])), new Set(["idle"]));
    await page.getByText("3 models, not built yet").waitFor();
  });

  await pageCheck("a build shows its log as it comes, and turns the models green", {}, async (page) => {
    await visit(page, base, "/");
    await page.getByRole("link", { name: "Flow", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Flow" }).waitFor();
    for (const workspace of ["healthcare", "finance"]) {
      await page.getByRole("combobox", { name: "Workspace" }).click();
      await page.getByRole("option", { name: workspace }).click();
      await page.waitForURL(`**/flow?workspace=${workspace}`);
    }
    await page.getByRole("button", { name: "Build", exact: true }).click();
    await page.locator("[data-run]").waitFor();
    assert.match(page.url(), /run=/);
    await page.getByRole("log").getByText("Running with dbt").waitFor({ timeout: BUILD });
    await page.getByRole("button", { name: "Building" }).waitFor();
    await shot(page, "flow-running");
    await runIn(page, "succeeded").waitFor({ timeout: BUILD });
    await page.getByRole("log").getByText("Completed successfully").waitFor();
    await page.locator("[data-lineage-run]").waitFor();
    await page.locator('[data-model][data-tone="good"]').first().waitFor();
    assert.deepEqual(
      await tones(page),
      MODELS.map((name) => `${name} good`),
    );
    await becomes(() => page.locator(".react-flow__edge").count(), 3);
    await page.getByRole("row").filter({ hasText: "Build of finance" }).getByText("Succeeded").waitFor();
    await page.getByRole("button", { name: "Build", exact: true }).waitFor();
    await shot(page, "flow-built");
    const address = page.url();
    await page.reload();
    await runIn(page, "succeeded").waitFor();
    await page.getByRole("log").getByText("Completed successfully").waitFor();
    assert.equal(page.url(), address);
    await page.getByRole("button", { name: "Close the run's log" }).click();
    await page.locator("[data-run]").waitFor({ state: "detached" });
  });

  await pageCheck("a build that somebody ends is cancelled, and its models keep what they were", {}, async (page) => {
    await visit(page, base, FLOW);
    await page.getByRole("button", { name: "Build", exact: true }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await runIn(page, "cancelled").waitFor({ timeout: BUILD });
    await page.getByRole("row").filter({ hasText: "Cancelled" }).waitFor();
    await becomes(() => page.getByRole("button", { name: "Cancel" }).count(), 0);
    assert.equal((await tones(page)).length, MODELS.length);
  });

  await pageCheck("a run that there is not is said so", { expected: [refused(404)] }, async (page) => {
    await visit(page, base, `${FLOW}&run=none`);
    await page.getByText("Could not show the run").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await visible(page, "[data-model]");
  });

  await pageCheck("a workspace that there is not is said so", {}, async (page) => {
    await visit(page, base, "/flow?workspace=none");
    await page.getByText("There is no workspace “none” here").waitFor();
    await page.getByRole("link", { name: "Show another workspace" }).click();
    await visible(page, "[data-model]");
  });
}

/** What is told of a model, and how models that went wrong look. */
async function models() {
  await pageCheck("the keyboard leads through the graph", {}, async (page) => {
    await visit(page, base, FLOW);
    await page.locator('[data-model][tabindex="0"]').focus();
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-model")?.split(".").at(-1));
    for (let step = 0; step < 3; step += 1) {
      await page.keyboard.press("ArrowLeft");
    }
    assert.equal(await focused(), "finance_ledger");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "stg_finance__entries");
    await page.keyboard.press("Enter");
    const details = page.getByRole("complementary", { name: "Details of stg_finance__entries" });
    await details.getByText("finance_ledger").waitFor();
    await details.getByText("mart_finance__monthly_result, mart_finance__segment_revenue").waitFor();
    await becomes(() => page.locator('[data-model][tabindex="0"]').count(), 1);
    await settled(page);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "flow-details");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "flow-details-360");
  });

  await pageCheck("the table lists the same models, each after what it is made of", {}, async (page) => {
    await visit(page, base, FLOW);
    await page.getByText("Table", { exact: true }).click();
    assert.match(page.url(), /view=table/);
    const table = page.getByRole("table", { name: /^Models/ });
    await table.waitFor();
    const names = await table.locator("tbody tr td[data-first]").allInnerTexts();
    assert.deepEqual([...names].sort(), MODELS);
    assert.deepEqual(names.slice(0, 2), ["finance_ledger", "stg_finance__entries"]);
    await page.getByRole("button", { name: "Details of finance_ledger" }).click();
    await page.getByText("seed.hub_finance.finance_ledger").waitFor();
  });

  const wrong = {
    run: "r",
    nodes: [
      node("raw", "seed", [], "success"),
      node("broken", "model", ["raw"], "error", { message: "Binder Error: column amount is missing" }),
      node("tested", "model", ["raw"], "success", { failed_tests: ["unique_tested_id"] }),
      node("after", "model", ["broken"], "skipped"),
    ],
  };
  await pageCheck("models that failed say what dbt said, and which tests failed", {}, async (page) => {
    await page.route("**/api/dbt/workspaces/finance/lineage", (route) => route.fulfill({ json: wrong }));
    await visit(page, base, FLOW);
    await visible(page, "[data-model]");
    assert.deepEqual(await tones(page), ["after idle", "broken bad", "raw good", "tested bad"]);
    await page.locator('[data-model="tested"]').getByText("1 test failed").waitFor();
    await page.locator('[data-model="tested"]').click();
    await page.getByText("unique_tested_id").waitFor();
    await page.locator('[data-model="broken"]').click();
    await page.getByText("Binder Error: column amount is missing").waitFor();
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await settled(page);
      assert.deepEqual(await accessibilityFindings(page, axe), [], scheme);
      await shot(page, `flow-failed-${scheme}`);
    }
  });

  const many = Array.from({ length: 90 }, (_, place) =>
    node(`m${place}`, "model", place < 3 ? [] : [`m${Math.floor(place / 3)}`], place === 70 ? "error" : "success"),
  );
  await pageCheck("many models begin where one failed, and are found by name", {}, async (page) => {
    await page.route("**/api/dbt/workspaces/finance/lineage", (route) => route.fulfill({ json: { run: "r", nodes: many } }));
    await visit(page, base, FLOW);
    await page.locator('[data-model="m70"]').waitFor();
    await page.waitForFunction(() => {
      const middle = (selector) => {
        const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
        return [x + width / 2, y + height / 2];
      };
      const [canvas, model] = [middle("[data-lineage-graph] .react-flow"), middle('[data-model="m70"]')];
      return canvas.every((value, axis) => Math.abs(value - model[axis]) < 4);
    });
    await shot(page, "flow-many");
    await page.getByRole("combobox", { name: "Find a model" }).fill("m88");
    await page.getByRole("option", { name: "m88" }).click();
    await page.getByRole("complementary", { name: "Details of m88" }).waitFor();
    await page.getByText("Table", { exact: true }).click();
    await page.getByRole("searchbox", { name: "Search models" }).fill("failed");
    await page.getByRole("button", { name: "Details of m70" }).waitFor();
    await becomes(() => page.getByRole("button", { name: /^Details of/ }).count(), 1);
  });

  await pageCheck("models that cannot be loaded are tried again", { expected: [/Failed to load resource/] }, async (page) => {
    const path = "**/api/dbt/workspaces/finance/lineage";
    await page.route(path, (route) => route.abort());
    await visit(page, base, FLOW);
    await page.getByText("Could not load the models of finance").waitFor();
    await page.unroute(path);
    await page.getByRole("button", { name: "Try again" }).click();
    await visible(page, "[data-model]");
  });
}

function node(id, kind, parents, status, more = {}) {
  return { id, name: id, kind, parents, status, seconds: 0.2, message: null, failed_tests: [], ...more };
}

/** What somebody may see who may not build. */
async function ways() {
  await pageCheck("who may only read is offered no build", {}, async (page) => {
    await page.route("**/api/session", async (route) => {
      const answer = await route.fetch();
      const session = await answer.json();
      const permissions = session.permissions.filter((name) => name !== "dbt.run" && name !== "connectors.read");
      await route.fulfill({ json: { ...session, permissions } });
    });
    await visit(page, base, FLOW);
    await visible(page, "[data-model]");
    await becomes(() => page.getByRole("button", { name: /^(Build|Run)/ }).count(), 0);
    await becomes(() => page.getByRole("link", { name: "Connectors" }).count(), 0);
    await page.goto(`${base}/connectors`);
    await page.getByText("403: you do not have access to this page").waitFor();
  });
}

/** A known script of a plugin. */
async function recipes() {
  await pageCheck("a recipe runs with a log, and stands in the history", {}, async (page) => {
    await visit(page, base, FLOW);
    await page.getByRole("button", { name: "Run Forecast of next month" }).click();
    await page.getByRole("log").getByText("forecast of May: 12").waitFor({ timeout: BUILD });
    await runIn(page, "succeeded").waitFor({ timeout: BUILD });
    await page.getByText("All", { exact: true }).click();
    await page.getByRole("row").filter({ hasText: "Forecast of next month" }).getByText("Succeeded").waitFor();
    await shot(page, "flow-recipe");
  });
}

/** Dashboards, and templates of datasets. */
async function blocks() {
  await pageCheck("a plugin's dashboard draws its blocks, and says which it cannot", {}, async (page) => {
    await visit(page, base, "/dashboards");
    await page.getByRole("link", { name: "Week at a glance" }).click();
    await page.getByRole("heading", { level: 1, name: "Week at a glance" }).waitFor();
    await page.locator('[data-widget="block:RecordCard"]').getByText("Edda Berg").waitFor();
    await page.locator('[data-widget="block:Weather"] [data-block-placeholder="unknown"]').waitFor();
    await shot(page, "board");
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await settled(page);
      assert.deepEqual(await accessibilityFindings(page, axe), [], scheme);
    }
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "board-360");
  });

  await pageCheck("a block whose plugin is off names the plugin", {}, async (page) => {
    await page.route("**/api/session", async (route) => {
      const session = await (await route.fetch()).json();
      await route.fulfill({ json: { ...session, plugins: session.plugins.filter((plugin) => plugin !== "healthcare") } });
    });
    await visit(page, base, "/dashboards");
    await page.getByRole("link", { name: "Week at a glance" }).click();
    const place = page.locator('[data-widget="block:RecordCard"] [data-block-placeholder="off"]');
    await place.getByText("This block comes from healthcare").waitFor();
  });

  const broken = [/The override "block:RecordCard" of plugin "healthcare"/];
  await pageCheck("a dashboard is made, changed and removed", { expected: broken }, async (page) => {
    await visit(page, base, "/dashboards");
    await page.getByRole("button", { name: "New dashboard" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox", { name: "Title" }).fill("Wards");
    await dialog.getByRole("button", { name: "Add" }).click();
    await page.getByRole("heading", { level: 1, name: "Wards" }).waitFor();
    await page.getByText("This dashboard has no blocks").waitFor();
    await page.getByRole("link", { name: "All dashboards" }).click();
    await page.getByRole("button", { name: "Actions for Wards" }).click();
    await page.getByRole("menuitem", { name: "Change…" }).click();
    await dialog.getByRole("textbox", { name: "Title" }).fill("Wards today");
    await dialog.getByRole("combobox", { name: "Blocks" }).click();
    await page.getByRole("option", { name: "RecordCard" }).click();
    await page.keyboard.press("Escape");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Wards today" }).click();
    // The block is told no record, and throws.
    const place = page.locator('[data-widget="block:RecordCard"]');
    await place.getByText("This block could not be shown").waitFor();
    assert.match(await place.locator("[data-override-failure]").innerText(), /healthcare/);
    await page.getByRole("link", { name: "All dashboards" }).click();
    await page.getByRole("button", { name: "Actions for Wards today" }).click();
    await page.getByRole("menuitem", { name: "Remove…" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("link", { name: "Wards today" }).waitFor({ state: "detached" });
  });

  await pageCheck("a dashboard that there is not is said so", { expected: [refused(404)] }, async (page) => {
    await visit(page, base, "/dashboards/none");
    await page.getByText("There is no such dashboard").waitFor();
  });

  await pageCheck("the templates of datasets show their columns, and are found by them", {}, async (page) => {
    await visit(page, base, "/datasets");
    await page.locator('[data-template="shipments"]').getByText("shipped_on").waitFor();
    await page.getByRole("searchbox").fill("shipped_on");
    await becomes(() => page.locator("[data-template]").count(), 1);
    await page.getByRole("searchbox").fill("no such column");
    await page.getByText("No template matches").waitFor();
  });
}

/** The catalog of connectors, and a test that ends as it must: nothing listens on port 9. */
async function connectors() {
  await pageCheck("a connector without its driver is greyed out, with the command that installs it", {}, async (page) => {
    await visit(page, base, "/connectors");
    const oracle = page.locator('[data-connector="oracle"][data-available="false"]');
    await oracle.getByText("Oracle (driver not installed)").waitFor();
    await oracle.getByText("hub-platform drivers install oracle").waitFor();
    await becomes(() => oracle.getByRole("button", { name: /^Test/ }).count(), 0);
  });

  await pageCheck("a test of a connection says how it ended", { expected: [refused(422)] }, async (page) => {
    await visit(page, base, "/connectors");
    await page.getByRole("button", { name: "Test a connection to PostgreSQL" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Test", exact: true }).click();
    await visible(page, '[role="dialog"] [name="host"][aria-invalid="true"]');
    await dialog.getByRole("textbox", { name: "Host" }).fill("127.0.0.1");
    await dialog.getByRole("textbox", { name: "Port" }).fill("9");
    await dialog.getByRole("textbox", { name: "Database" }).fill("sales");
    await dialog.getByRole("textbox", { name: "User" }).fill("reader");
    await dialog.getByRole("button", { name: "Test", exact: true }).click();
    await dialog.locator('[data-test-result="failed"]').getByText("127.0.0.1").waitFor();
    await settled(page);
    assert.deepEqual(await accessibilityFindings(page, axe), []);
    await shot(page, "connector-test");
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page);
    await shot(page, "connector-test-360");
  });
}

/** Each page: both colour schemes, a narrow screen, accessibility, a quiet console. */
async function everyPage() {
  const pages = [
    [FLOW, "flow"],
    [`${FLOW}&view=table`, "flow-table"],
    ["/dashboards", "dashboards"],
    ["/datasets", "datasets"],
    ["/connectors", "connectors"],
  ];
  for (const [path, name] of pages) {
    await pageCheck(`${path} is titled and accessible in light and dark, and fits 360 px`, {}, async (page) => {
      await visit(page, base, path);
      assert.match(await page.title(), / · /);
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        await visible(page, `html[data-mantine-color-scheme="${scheme}"]`);
        await settled(page);
        assert.deepEqual(await accessibilityFindings(page, axe), [], scheme);
        await shot(page, `${name}-${scheme}`);
      }
      await page.setViewportSize({ width: 360, height: 740 });
      await quiet(page);
      await fits(page);
      assert.deepEqual(await accessibilityFindings(page, axe), [], "360 px");
      await shot(page, `${name}-360`);
    });
  }
}
