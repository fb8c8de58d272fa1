/** Customers: a table with search, filter and pages, and a form for a new one. */

import { Anchor, Group, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type ListOf, useResource } from "@platform/plugin-host";
import {
  ChoiceFilter,
  type Column,
  CreateDialog,
  DataTable,
  EmptyState,
  type FormField,
  formatDate,
  Page,
  Pager,
  ResourceView,
  SearchField,
  StatusBadge,
  useListPage,
} from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { type Account, type Customer, STATUSES } from "./model.ts";

const COLUMNS: readonly Column<Customer>[] = [
  {
    label: "Name",
    cell: (customer) => (
      <Text size="sm" fw={600}>
        {customer.name}
      </Text>
    ),
  },
  {
    label: "E-mail",
    cell: ({ email }) => (
      <Anchor href={`mailto:${email}`} size="sm">
        {email}
      </Anchor>
    ),
  },
  { label: "Account", cell: (customer) => customer.account },
  { label: "Status", cell: (customer) => <StatusBadge status={customer.status} /> },
  { label: "Since", cell: (customer) => formatDate(customer.created_at) },
];

/** The page at `/crm/customers`. */
export function CustomersPage(): ReactNode {
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim(), 250);
  const [status, setStatus] = useState("");
  const { resource, page, setPage } = useListPage<Customer>("/api/crm/customers", 20, { search, status });
  const fields = useFields();
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Customers"
      description="The people at the companies that buy from us."
      actions={
        <CreateDialog
          title="New customer"
          path="/api/crm/customers"
          permission="customers.write"
          fields={fields}
          onCreated={created}
        />
      }
    >
      <Group gap="sm">
        <SearchField
          label="Search customers"
          placeholder="Search by name or e-mail"
          value={typed}
          onChange={(value) => {
            setTyped(value);
            setPage(1);
          }}
        />
        <ChoiceFilter
          label="Status"
          values={STATUSES}
          chosen={status}
          onChoose={(next) => {
            setStatus(next);
            setPage(1);
          }}
        />
      </Group>
      <ResourceView resource={resource} what="the customers">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState
              title={search === "" && status === "" ? "No customers yet" : "No customer matches"}
              hint="Make one with “New customer”."
            />
          ) : (
            <>
              <DataTable caption="Customers" columns={COLUMNS} rows={list.items} rowKey={(customer) => customer.id} />
              <Pager list={list} page={page} onPage={setPage} />
            </>
          )
        }
      </ResourceView>
    </Page>
  );
}

/** The form's fields; accounts are offered by name. */
function useFields(): readonly FormField[] {
  const { data } = useResource<ListOf<Account>>("/api/crm/accounts?limit=500");
  const accounts = (data?.items ?? []).map((account) => ({ value: account.id, label: account.name }));
  return [
    { name: "name", label: "Name", required: true, placeholder: "Ingrid Falk" },
    { name: "email", label: "E-mail", kind: "email", required: true, placeholder: "ingrid.falk@northwind.example" },
    { name: "status", label: "Status", options: STATUSES, initial: "lead" },
    { name: "account_id", label: "Account", required: true, placeholder: "Choose one", options: accounts },
  ];
}
