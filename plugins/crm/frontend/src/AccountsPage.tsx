/** Accounts: a table with pages, and a form for a new one. */

import { Text } from "@mantine/core";
import {
  type Column,
  CreateDialog,
  DataTable,
  EmptyState,
  type FormField,
  formatNumber,
  Page,
  Pager,
  ResourceView,
  useListPage,
} from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import type { Account } from "./model.ts";

const FIELDS: readonly FormField[] = [
  { name: "name", label: "Name", required: true, placeholder: "Northwind Group" },
  { name: "industry", label: "Industry", required: true, placeholder: "Wholesale" },
  { name: "owner", label: "Owner", required: true, placeholder: "Who looks after it" },
  { name: "annual_value", label: "Annual value", kind: "number", placeholder: "120000" },
];

const COLUMNS: readonly Column<Account>[] = [
  {
    label: "Name",
    cell: (account) => (
      <Text size="sm" fw={600}>
        {account.name}
      </Text>
    ),
  },
  { label: "Industry", cell: (account) => account.industry },
  { label: "Owner", cell: (account) => account.owner },
  { label: "Customers", cell: (account) => formatNumber(account.customers), numeric: true },
  { label: "Annual value", cell: (account) => formatNumber(account.annual_value), numeric: true },
];

/** The page at `/crm/accounts`. */
export function AccountsPage(): ReactNode {
  const { resource, page, setPage } = useListPage<Account>("/api/crm/accounts");
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Accounts"
      description="The companies that buy from us."
      actions={
        <CreateDialog
          title="New account"
          path="/api/crm/accounts"
          permission="accounts.write"
          fields={FIELDS}
          onCreated={created}
        />
      }
    >
      <ResourceView resource={resource} what="the accounts">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState title="No accounts yet" hint="Make the first one with “New account”." />
          ) : (
            <>
              <DataTable caption="Accounts" columns={COLUMNS} rows={list.items} rowKey={(account) => account.id} />
              <Pager list={list} page={page} onPage={setPage} />
            </>
          )
        }
      </ResourceView>
    </Page>
  );
}
