/** From the session to the pages: everything below knows who is asking and which plugins are enabled. */

import { Box } from "@mantine/core";
import { entries, overrides } from "@platform/overrides";
import { PluginHostProvider, Surface, useResource } from "@platform/plugin-host";
import { ErrorState } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { Route, Routes } from "react-router";
import { Layout } from "./layout/Layout.tsx";
import { lazyPage } from "./lazy-page.tsx";
import { DashboardPage } from "./pages/DashboardPage.tsx";
import { PluginRoutes } from "./pages/PluginRoutes.tsx";
import { RecordsPage } from "./pages/RecordsPage.tsx";
import { type Session, SessionProvider } from "./session.ts";

const PluginsPage = lazyPage("The Plugins page", () => import("./pages/PluginsPage.tsx"));
const OverridesPage = lazyPage("The Overrides page", () => import("./pages/OverridesPage.tsx"));

/** The whole shell. */
export function App(): ReactNode {
  const session = useResource<Session>("/api/session");
  if (session.data === undefined) {
    return session.error === undefined ? null : (
      <Box maw={560} mx="auto" mt="15vh" px="md">
        <ErrorState title={session.error.title} detail={session.error.message} onRetry={session.reload} />
      </Box>
    );
  }
  return (
    <SessionProvider value={session.data}>
      <PluginHostProvider chains={overrides} enabledPlugins={session.data.plugins}>
        <Pages />
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
          path="/plugins"
          element={
            <Surface name="route:/plugins">
              <PluginsPage />
            </Surface>
          }
        />
        <Route
          path="/overrides"
          element={
            <Surface name="route:/overrides">
              <OverridesPage />
            </Surface>
          }
        />
        <Route path="*" element={<PluginRoutes entries={entries} />} />
      </Route>
    </Routes>
  );
}
