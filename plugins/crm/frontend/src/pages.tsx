/** The pages of the plugin, for `frontend_entry` in plugin.yaml. */

import { definePages } from "@platform/plugin-host";
import { AccountsPage } from "./AccountsPage.tsx";
import { CustomersPage } from "./CustomersPage.tsx";

export default definePages([
  { path: "/crm/customers", component: CustomersPage },
  { path: "/crm/accounts", component: AccountsPage },
]);
