/** What each page of `pages.json` draws. */

import type { ComponentType } from "react";
import { AcceptPage } from "./account/AcceptPage.tsx";
import { lazyPage } from "./lazy-page.tsx";
import { DashboardPage } from "./pages/DashboardPage.tsx";
import { RecordsPage } from "./pages/RecordsPage.tsx";
import type { SessionSource } from "./session-source.ts";

/** The pages of those who are signed in, by path. */
export const VIEWS: Readonly<Record<string, ComponentType>> = {
  "/": DashboardPage,
  "/records": RecordsPage,
  "/dashboards": lazyPage("The Dashboards page", () => import("./pages/dashboards/DashboardsPage.tsx")),
  "/dashboards/:id": lazyPage("The dashboard", () => import("./pages/dashboards/BoardPage.tsx")),
  "/flow": lazyPage("The Flow page", () => import("./pages/flow/FlowPage.tsx")),
  "/datasets": lazyPage("The Datasets page", () => import("./pages/dashboards/DatasetsPage.tsx")),
  "/connectors": lazyPage("The Connectors page", () => import("./pages/connectors/ConnectorsPage.tsx")),
  "/plugins": lazyPage("The Plugins page", () => import("./pages/PluginsPage.tsx")),
  "/overrides": lazyPage("The Overrides page", () => import("./pages/OverridesPage.tsx")),
  "/members": lazyPage("The Members page", () => import("./pages/MembersPage.tsx")),
  "/audit": lazyPage("The Audit log", () => import("./pages/AuditPage.tsx")),
};

/** The pages of whoever comes, by path. */
export const ANONYMOUS_VIEWS: Readonly<Record<string, ComponentType<{ readonly source: SessionSource }>>> = {
  "/invitation": AcceptPage,
};
