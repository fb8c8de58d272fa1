/** The table of the shell's pages, and what follows from it: views, navigation, the pages that a browser visits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { iconNames } from "../../host-template/plugin-host/src/ui/icon.tsx";
import { keyOf, PAGES } from "../../host-template/shell/src/pages.ts";
import { SHELL_SURFACES } from "../../host-template/shell/src/surfaces.ts";
import { ANONYMOUS_VIEWS, VIEWS } from "../../host-template/shell/src/views.tsx";

const paths = (anonymous: boolean) => PAGES.filter((page) => (page.anonymous ?? false) === anonymous).map(({ path }) => path);

test("every page of the table is drawn, and no other", () => {
  assert.deepEqual(Object.keys(VIEWS).sort(), paths(false).sort());
  assert.deepEqual(Object.keys(ANONYMOUS_VIEWS).sort(), paths(true).sort());
});

test("an entry of the navigation has an icon that there is, and a group that is shown", () => {
  for (const { path, nav, anonymous } of PAGES) {
    if (nav !== undefined) {
      assert.ok(iconNames.includes(nav.icon), `${path}: ${nav.icon}`);
      assert.ok(["work", "data", "administration"].includes(nav.group), `${path}: ${nav.group}`);
      assert.ok(!path.includes(":") && anonymous !== true, path);
    }
  }
});

test("a page's override key is in the table alone", () => {
  assert.deepEqual(
    PAGES.filter((page) => Object.hasOwn(SHELL_SURFACES, keyOf(page))),
    [],
  );
});
