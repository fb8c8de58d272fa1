/** The dashboard; a plugin may take all of it over. */

import { Surface } from "@platform/plugin-host";
import type { ReactNode } from "react";
import { DefaultDashboard } from "./DefaultDashboard.tsx";

/** `dashboard.view`, or the platform's own. */
export function DashboardPage(): ReactNode {
  return (
    <Surface name="dashboard.view">
      <DefaultDashboard />
    </Surface>
  );
}
