/** The surfaces that the shell offers to plugins: their props, and a line on each for the Overrides page. */

import type { PlatformRecord } from "@platform/plugin-host";

declare module "@platform/plugin-host" {
  interface SurfaceProps {
    /** The whole dashboard, heading included. */
    "dashboard.view": object;
    /** One record on the Records page. */
    "records.card": { readonly record: PlatformRecord };
    /** The foot of the navigation. */
    "shell.footer": object;
  }
}

/** What each of the shell's surfaces is, but for its pages. */
export const SHELL_SURFACES: Readonly<Record<string, string>> = {
  "dashboard.view": "The dashboard page",
  "records.card": "One record on the Records page",
  "shell.footer": "The foot of the navigation",
};
