/** Customers: a table with pages, and a form for a new one. */

import { Anchor, Text } from "@mantine/core";
import {
  type Column,
  CreateDialog,
  DataTable,
  EmptyState,
  type FormField,
  formatDate,
  Page,
  Pager,
  ResourceView,
  StatusBadge,
  useListPage,
} from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import type { Customer } from "./model.ts";

const FIELDS: readonly FormField[] = [
  { name: "name", label: "Name", required: true, placeholder: "Northwind Traders" },
  { name: "email", label: "E-mail", kind: "email", placeholder: "hello@northwind.example" },
  { name: "segment", label: "Segment", options: ["enterprise", "mid-market", "small business"] },
  { name: "status", label: "Status", options: ["prospect", "active", "churned"], initial: "prospect" },
];

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
    cell: ({ email }) =>
      email === null || email === "" ? (
        "–"
      ) : (
        <Anchor href={`mailto:${email}`} size="sm">
          {email}
        </Anchor>
      ),
  },
  { label: "Segment", cell: (customer) => customer.segment ?? "–" },
  { label: "Status", cell: (customer) => <StatusBadge status={customer.status} /> },
  { label: "Since", cell: (customer) => formatDate(customer.created_at) },
];

/** The page at `/crm/customers`. */
export function CustomersPage(): ReactNode {
  const { resource, page, setPage } = useListPage<Customer>("/api/crm/customers");
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Customers"
      description="The people and companies that buy from us."
      actions={<CreateDialog title="New customer" path="/api/crm/customers" fields={FIELDS} onCreated={created} />}
    >
      <ResourceView resource={resource} what="the customers">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState title="No customers yet" hint="Make the first one with “New customer”." />
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
