/** The pages of the plugin, for `frontend_entry` in plugin.yaml. */

import { definePages } from "@platform/plugin-host";
import { ItemsPage } from "./ItemsPage.tsx";

export default definePages([{ path: "/sample-plugin/items", component: ItemsPage }]);
