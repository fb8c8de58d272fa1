/** From the session to the pages: everything below knows who is asking and which plugins are enabled. */

import { Box } from "@mantine/core";
import { entries, overrides } from "@platform/overrides";
import { PluginHostProvider, Surface } from "@platform/plugin-host";
import { ErrorState } from "@platform/plugin-host/ui";
import { type ReactNode, useMemo } from "react";
import { Route, Routes, useLocation } from "react-router";
import { AcceptPage } from "./account/AcceptPage.tsx";
import { SignInPage } from "./account/SignInPage.tsx";
import { Layout } from "./layout/Layout.tsx";
import { lazyPage } from "./lazy-page.tsx";
import { DashboardPage } from "./pages/DashboardPage.tsx";
import { PluginRoutes } from "./pages/PluginRoutes.tsx";
import { RecordsPage } from "./pages/RecordsPage.tsx";
import { RequireAccess } from "./pages/RequireAccess.tsx";
import { type Session, SessionProvider } from "./session.ts";
import { type SessionSource, useSessionSource } from "./session-source.ts";

const PluginsPage = lazyPage("The Plugins page", () => import("./pages/PluginsPage.tsx"));
const AuditPage = lazyPage("The Audit log", () => import("./pages/AuditPage.tsx"));
const MembersPage = lazyPage("The Members page", () => import("./pages/MembersPage.tsx"));
const ConnectorsPage = lazyPage("The Connectors page", () => import("./pages/connectors/ConnectorsPage.tsx"));
const DashboardsPage = lazyPage("The Dashboards page", () => import("./pages/dashboards/DashboardsPage.tsx"));
const BoardPage = lazyPage("The dashboard", () => import("./pages/dashboards/BoardPage.tsx"));
const DatasetsPage = lazyPage("The Datasets page", () => import("./pages/dashboards/DatasetsPage.tsx"));
const FlowPage = lazyPage("The Flow page", () => import("./pages/flow/FlowPage.tsx"));
const OverridesPage = lazyPage("The Overrides page", () => import("./pages/OverridesPage.tsx"));

/** The whole shell. */
export function App(): ReactNode {
  const source = useSessionSource();
  const { state, reload } = source;
  const { pathname } = useLocation();
  if (state.kind === "loading") {
    return null;
  }
  // Whoever holds an invitation needs no session.
  if (pathname === "/invitation") {
    return <AcceptPage source={source} />;
  }
  switch (state.kind) {
    case "signed-out":
      return <SignInPage ended={state.ended} onSignedIn={reload} />;
    case "failed":
      return (
        <Box maw={560} mx="auto" mt="15vh" px="md">
          <ErrorState title={state.error.title} detail={state.error.message} onRetry={reload} />
        </Box>
      );
    case "ready":
      return <SignedIn session={state.session} source={source} />;
  }
}

function SignedIn({ session, source }: { readonly session: Session; readonly source: SessionSource }): ReactNode {
  const { news, reload, leave } = source;
  const handle = useMemo(() => ({ session, news, reload, leave }), [session, news, reload, leave]);
  // In another place, and for somebody else, every page begins anew: nothing of what was loaded is theirs.
  const place = JSON.stringify([session.user.id, session.org.id, session.tenant?.id]);
  return (
    <SessionProvider value={handle}>
      <PluginHostProvider chains={overrides} enabledPlugins={session.plugins} permissions={session.permissions}>
        <Pages key={place} />
      </PluginHostProvider>
    </SessionProvider>
  );
}

function Pages(): ReactNode {
  return (
    <Routes>
      <Route element={<Layout />}>
        <Route
          index
          element={
            <Surface name="route:/">
              <DashboardPage />
            </Surface>
          }
        />
        <Route
          path="/records"
          element={
            <Surface name="route:/records">
              <RecordsPage />
            </Surface>
          }
        />
        <Route
          path="/connectors"
          element={
            <Surface name="route:/connectors">
              <RequireAccess access="connectors.read" title="Connectors">
                <ConnectorsPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/dashboards"
          element={
            <Surface name="route:/dashboards">
              <RequireAccess access="dashboards.read" title="Dashboards">
                <DashboardsPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/dashboards/:id"
          element={
            <RequireAccess access="dashboards.read" title="Dashboard">
              <BoardPage />
            </RequireAccess>
          }
        />
        <Route
          path="/datasets"
          element={
            <Surface name="route:/datasets">
              <RequireAccess access="datasets.read" title="Datasets">
                <DatasetsPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/flow"
          element={
            <Surface name="route:/flow">
              <RequireAccess access="dbt.read" title="Flow">
                <FlowPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/plugins"
          element={
            <Surface name="route:/plugins">
              <RequireAccess access="admin" title="Plugins">
                <PluginsPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/overrides"
          element={
            <Surface name="route:/overrides">
              <RequireAccess access="admin" title="Overrides">
                <OverridesPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/members"
          element={
            <Surface name="route:/members">
              <RequireAccess access="members.read" title="Members">
                <MembersPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route
          path="/audit"
          element={
            <Surface name="route:/audit">
              <RequireAccess access="audit.read" title="Audit log">
                <AuditPage />
              </RequireAccess>
            </Surface>
          }
        />
        <Route path="*" element={<PluginRoutes entries={entries} />} />
      </Route>
    </Routes>
  );
}
