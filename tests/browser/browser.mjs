// A real Chromium for the browser test: where it is, how it is started, and what a page said on its console.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The program to drive: `$CHROMIUM`, or the first one on the search path. */
export function chromiumPath() {
  if (process.env.CHROMIUM) {
    return process.env.CHROMIUM;
  }
  const folders = (process.env.PATH ?? "").split(":").filter(Boolean);
  const found = NAMES.flatMap((name) => folders.map((folder) => `${folder}/${name}`)).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`no Chromium found (${NAMES.join(", ")}); install one, or set CHROMIUM to its path`);
  }
  return found;
}

/** Starts the browser, without a window and with a profile of its own. */
export function launch() {
  return chromium.launch({ executablePath: chromiumPath(), args: FLAGS });
}

/**
 * Opens a page at a size and in a colour scheme, signed in where a `state` says so; `said` collects what it writes to
 * the console at its worst.
 */
export async function openPage(browser, { width = 1280, height = 800, scheme = "light", state } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce",
    ...(state === undefined ? {} : { storageState: state }),
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const said = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      said.push(`${new URL(page.url()).pathname}: ${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => said.push(`${new URL(page.url()).pathname}: uncaught: ${error.message}`));
  return { page, said, close: () => context.close() };
}

/** Goes to a path and waits until its page is there and nothing is loading any more. */
export async function visit(page, base, path) {
  await page.goto(base + path);
  await page.locator("#main").waitFor();
  await quiet(page);
}

/** Waits until nothing on the page says that it is on its way. The stream of news never ends, so the network is no measure. */
export async function quiet(page) {
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"], .mantine-Skeleton-root') === null);
}

/** Waits until what was moving or changing colour has come to rest. */
export function settled(page) {
  return page.evaluate(async () => {
    // What has just been changed, such as the colour scheme, is heard of with the next frame, and moves from the one after.
    const frames = async () => {
      for (let frame = 0; frame < 3; frame += 1) {
        await new Promise((done) => requestAnimationFrame(done));
      }
    };
    const endsSoon = (one) => one.playState !== "finished" && Number.isFinite(one.effect?.getComputedTiming().endTime);
    for (let round = 0; round < 20; round += 1) {
      await frames();
      const passing = document.getAnimations().filter(endsSoon);
      if (passing.length === 0) {
        return;
      }
      await Promise.allSettled(passing.map((one) => one.finished));
    }
    throw new Error("the page does not come to rest");
  });
}

/** Waits until what is read has this value: a page says one thing after the other, and a busy machine lets them come apart. */
export async function becomes(read, want) {
  const until = Date.now() + 30_000;
  let found = await read();
  while (found !== want && Date.now() < until) {
    await new Promise((resume) => setTimeout(resume, 50));
    found = await read();
  }
  assert.equal(found, want);
}

/** The calls that the accessibility rules object to, at the levels that keep somebody out. */
export async function accessibilityFindings(page, axeSource) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations
    .filter((found) => found.impact === "serious" || found.impact === "critical")
    .map(
      (found) =>
        `${found.id}: ${found.help} (${found.nodes
          .map((node) => node.target.join(" "))
          .slice(0, 3)
          .join("; ")})`,
    );
}
