// What the browser's checks share: a line a check, pages of their own, pictures.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openPage, settled } from "./browser.mjs";

/** Checks in a browser; screenshots go to `outDir`. */
export function harness(browser, outDir) {
  mkdirSync(outDir, { recursive: true });
  let failures = 0;
  let state;

  /** One check; a failure is a line, and the others still run. */
  async function check(name, run) {
    try {
      await run();
      console.log(`ok - ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`not ok - ${name}\n    ${String(error?.message ?? error).replaceAll("\n", "\n    ")}`);
    }
  }

  /**
   * A check on a page of its own, signed in as `signedIn` said unless the options name another state or a way to
   * one. What the page says on its console is a failure unless `expected` takes it.
   */
  async function pageCheck(name, options, run) {
    await check(name, async () => {
      const own = typeof options.state === "function" ? { ...options, state: await options.state() } : options;
      const { page, said, close } = await openPage(browser, { state, ...own });
      try {
        await run(page);
        const unexpected = said.filter((line) => !(options.expected ?? []).some((pattern) => pattern.test(line)));
        assert.deepEqual(unexpected, [], "errors or warnings on the console");
      } finally {
        await close();
      }
    });
  }

  return {
    check,
    pageCheck,
    /** From now on pages are signed in with these cookies. */
    signedIn: (cookies) => {
      state = cookies;
    },
    shot: async (page, name) => {
      await settled(page);
      await page.screenshot({ path: join(outDir, `${name}.png`) });
    },
    failed: () => failures,
  };
}

/** Waits for the first of what the selector names. */
export const visible = (page, selector) => page.locator(selector).first().waitFor();

/** Fails where the page scrolls sideways. */
export async function fits(page) {
  await settled(page);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, "the page is wider than the screen");
}
