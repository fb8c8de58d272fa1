/** The first module of the page: styles in their order, then the app. */

import "./color-scheme.ts";
import "@fontsource-variable/inter/wght.css";
import "@mantine/core/styles.layer.css";
import "./theme.css";

import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { basePath, isOverrideBoundary } from "@platform/plugin-host";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App.tsx";
import { COLOR_SCHEME_KEY } from "./color-scheme.ts";
import { isPageBoundary } from "./page-boundary.tsx";
import { cssVariables, theme } from "./theme.ts";

const root = document.getElementById("root");
if (root === null) {
  throw new Error("the page has no #root element");
}

// Asked for past the proxy that serves it below a path: the router would find no page.
if (basePath !== "" && location.pathname !== basePath && !location.pathname.startsWith(`${basePath}/`)) {
  location.replace(basePath + location.pathname + location.search + location.hash);
}

createRoot(root, {
  // Boundaries of ours have written one line already that says more.
  onCaughtError(error, info) {
    if (!isOverrideBoundary(info.errorBoundary) && !isPageBoundary(info.errorBoundary)) {
      console.error(error, info.componentStack);
    }
  },
}).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: COLOR_SCHEME_KEY })}
    >
      <BrowserRouter basename={basePath === "" ? "/" : basePath}>
        <App />
      </BrowserRouter>
    </MantineProvider>
  </StrictMode>,
);
