/** The pages of the plugin, for `frontend_entry` in plugin.yaml. */

import { definePages } from "@platform/plugin-host";
import { FacilitiesPage } from "./FacilitiesPage.tsx";
import { RecordsPage } from "./RecordsPage.tsx";

export default definePages([
  { path: "/healthcare/records", component: RecordsPage },
  { path: "/healthcare/facilities", component: FacilitiesPage },
]);
