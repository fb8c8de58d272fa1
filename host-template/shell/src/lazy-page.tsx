/** Pages of the shell that most people seldom open: chunks of their own, fetched again where that failed. */

import { ListSkeleton } from "@platform/plugin-host/ui";
import { type ComponentType, lazy, type ReactNode, Suspense, useState } from "react";
import { PageBoundary } from "./page-boundary.tsx";

/** A page that is loaded when it is first shown. */
export function lazyPage(what: string, load: () => Promise<{ default: ComponentType }>): ComponentType {
  let View = lazy(load);
  // biome-ignore lint/correctness/noComponentHookFactories: called once for each page, where its module is loaded
  return function LazyPage(): ReactNode {
    const [Current, setCurrent] = useState(() => View);
    const retry = () => {
      View = lazy(load);
      setCurrent(() => View);
    };
    return (
      <PageBoundary what={what} onRetry={retry}>
        <Suspense fallback={<ListSkeleton />}>
          <Current />
        </Suspense>
      </PageBoundary>
    );
  };
}
