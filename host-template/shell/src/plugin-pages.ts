/** Which plugin a path belongs to, and its pages once they are loaded. */

import type { PageEntry, PluginPage } from "@platform/plugin-host";

/** The slug that a path stands under: `/crm/…` and `/plugins/crm/…` both belong to crm. */
export function slugOf(pathname: string): string | undefined {
  const [first, second] = pathname.split("/").filter(Boolean);
  return first === "plugins" ? second : first;
}

/** The page module that may have a page for a path; none where its plugin is not enabled. */
export function entryFor(
  entries: readonly PageEntry[],
  pathname: string,
  enabledPlugins: ReadonlySet<string>,
): PageEntry | undefined {
  const slug = slugOf(pathname);
  return entries.find((entry) => entry.plugin === slug && enabledPlugins.has(entry.plugin));
}

const modules = new Map<string, Promise<readonly PluginPage[]>>();

/** The pages of a module, fetched once. */
export function pagesOf(entry: PageEntry): Promise<readonly PluginPage[]> {
  const known = modules.get(entry.id);
  if (known !== undefined) {
    return known;
  }
  const pages = entry.load().then((value) => asPages(value, entry));
  pages.catch(() => undefined); // whoever draws them reports it
  modules.set(entry.id, pages);
  return pages;
}

/** Lets the next call fetch the module again. */
export function forgetPages(entry: PageEntry): void {
  modules.delete(entry.id);
}

/** Checks what a page module exports: a list of `{path, component}`. */
export function asPages(value: unknown, entry: Pick<PageEntry, "file">): readonly PluginPage[] {
  const isPage = (page: unknown): page is PluginPage =>
    typeof page === "object" &&
    page !== null &&
    "path" in page &&
    typeof page.path === "string" &&
    "component" in page &&
    page.component !== undefined;
  if (!Array.isArray(value) || !value.every(isPage)) {
    throw new TypeError(`the default export of ${entry.file} is not a list of { path, component }`);
  }
  return value;
}
