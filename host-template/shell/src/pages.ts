/** The shell's own pages: the rows of `pages.json`, which the build and the host read too. */

import rows from "./pages.json";
import type { Access } from "./session.ts";

/** A group of the navigation. */
export type NavGroupName = "work" | "data" | "administration";

/** One page of the shell. */
export interface ShellPage {
  /** Its path; `:name` stands for a segment. */
  readonly path: `/${string}`;
  /** What it is called, in the navigation too. */
  readonly title: string;
  /** What the caller has to be or hold; nothing where everybody who is signed in sees it. */
  readonly access?: Access;
  /** Its entry in the navigation. */
  readonly nav?: { readonly group: NavGroupName; readonly icon: string };
  /** Whether a plugin may take its place, with a claim on `keyOf` it. */
  readonly replaceable?: boolean;
  /** Whether it is shown to whoever comes, without a session. */
  readonly anonymous?: boolean;
}

/** All of them; within a group they are in the order of the navigation. */
export const PAGES = rows as readonly ShellPage[];

/** The override key of a page. */
export function keyOf({ path }: Pick<ShellPage, "path">): `route:/${string}` {
  return `route:${path}`;
}
