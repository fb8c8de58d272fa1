/** Every path that is not the shell's own: a page of a plugin, a claim on `route:/path`, or a 404. */

import { type PageEntry, Surface, usePluginHost } from "@platform/plugin-host";
import { ListSkeleton } from "@platform/plugin-host/ui";
import { type ReactNode, Suspense, use } from "react";
import { useLocation, useRoutes } from "react-router";
import { PageBoundary } from "../page-boundary.tsx";
import { entryFor, forgetPages, pagesOf, slugOf } from "../plugin-pages.ts";
import { NotEnabledPage } from "./NotEnabledPage.tsx";
import { NotFoundPage } from "./NotFoundPage.tsx";

/** Draws the page at the current path. */
export function PluginRoutes({ entries }: { readonly entries: readonly PageEntry[] }): ReactNode {
  const { pathname } = useLocation();
  const { enabled } = usePluginHost();
  const entry = entryFor(entries, pathname, enabled);
  const slug = slugOf(pathname);
  const off = slug !== undefined && entries.some((one) => one.plugin === slug && !enabled.has(slug));
  const path = pathname.replace(/^\/|\/+$/g, "");
  return (
    <Surface name={`route:/${path}`}>
      {off ? (
        <NotEnabledPage plugin={slug} />
      ) : entry === undefined ? (
        <NotFoundPage />
      ) : (
        <PageBoundary key={entry.id} what={`The page of plugin ${entry.plugin}`} onRetry={() => forgetPages(entry)}>
          <Suspense fallback={<ListSkeleton />}>
            <EntryPages entry={entry} />
          </Suspense>
        </PageBoundary>
      )}
    </Surface>
  );
}

function EntryPages({ entry }: { readonly entry: PageEntry }): ReactNode {
  const pages = use(pagesOf(entry));
  return useRoutes([
    ...pages.map((page) => ({ path: page.path, element: <page.component /> })),
    { path: "*", element: <NotFoundPage /> },
  ]);
}
