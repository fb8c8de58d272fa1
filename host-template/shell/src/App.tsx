/** From the session to the pages: everything below knows who is asking and which plugins are enabled. */

import { Box } from "@mantine/core";
import { entries, overrides } from "@platform/overrides";
import { PluginHostProvider, Surface } from "@platform/plugin-host";
import { ErrorState } from "@platform/plugin-host/ui";
import { type ReactNode, useMemo } from "react";
import { Route, Routes, useLocation } from "react-router";
import { SignInPage } from "./account/SignInPage.tsx";
import { Layout } from "./layout/Layout.tsx";
import { PluginRoutes } from "./pages/PluginRoutes.tsx";
import { RequireAccess } from "./pages/RequireAccess.tsx";
import { keyOf, PAGES, type ShellPage } from "./pages.ts";
import { type Session, SessionProvider } from "./session.ts";
import { type SessionSource, useSessionSource } from "./session-source.ts";
import { ANONYMOUS_VIEWS, VIEWS } from "./views.tsx";

const SIGNED_IN = PAGES.filter((page) => page.anonymous !== true);

/** The whole shell. */
export function App(): ReactNode {
  const source = useSessionSource();
  const { state, reload } = source;
  const { pathname } = useLocation();
  if (state.kind === "loading") {
    return null;
  }
  // Whoever holds an invitation needs no session.
  const Anonymous = ANONYMOUS_VIEWS[pathname];
  if (Anonymous !== undefined) {
    return <Anonymous source={source} />;
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

/** A page behind what its row asks for. */
function elementOf(page: ShellPage): ReactNode {
  const View = VIEWS[page.path];
  if (View === undefined) {
    throw new Error(`views.tsx draws nothing for ${page.path}`);
  }
  const view =
    page.access === undefined ? (
      <View />
    ) : (
      <RequireAccess access={page.access} title={page.title}>
        <View />
      </RequireAccess>
    );
  return page.replaceable === true ? <Surface name={keyOf(page)}>{view}</Surface> : view;
}

function Pages(): ReactNode {
  return (
    <Routes>
      <Route element={<Layout />}>
        {SIGNED_IN.map((page) => (
          <Route key={page.path} path={page.path} element={elementOf(page)} />
        ))}
        <Route path="*" element={<PluginRoutes entries={entries} />} />
      </Route>
    </Routes>
  );
}
