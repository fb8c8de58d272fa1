/** Facilities: a table with pages, and a form for a new one. */

import { Text } from "@mantine/core";
import {
  ChoiceFilter,
  type Column,
  CreateDialog,
  DataTable,
  EmptyState,
  type FormField,
  formatDate,
  formatNumber,
  Page,
  Pager,
  ResourceView,
  useListPage,
} from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { type Facility, KINDS } from "./model.ts";

const FIELDS: readonly FormField[] = [
  { name: "name", label: "Name", required: true, placeholder: "St. Anna Hospital" },
  { name: "kind", label: "Kind", required: true, options: KINDS, initial: "hospital" },
  { name: "city", label: "City", required: true, placeholder: "Malmö" },
  { name: "beds", label: "Beds", kind: "number", placeholder: "120" },
];

const COLUMNS: readonly Column<Facility>[] = [
  {
    label: "Name",
    cell: (facility) => (
      <Text size="sm" fw={600}>
        {facility.name}
      </Text>
    ),
  },
  { label: "City", cell: (facility) => facility.city },
  { label: "Kind", cell: (facility) => facility.kind },
  { label: "Beds", cell: (facility) => formatNumber(facility.beds), numeric: true },
  { label: "Since", cell: (facility) => formatDate(facility.created_at) },
];

/** The page at `/healthcare/facilities`. */
export function FacilitiesPage(): ReactNode {
  const [kind, setKind] = useState("");
  const { resource, page, setPage } = useListPage<Facility>("/api/healthcare/facilities", 20, { kind });
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Facilities"
      description="Where patients are seen."
      actions={
        <CreateDialog
          title="New facility"
          path="/api/healthcare/facilities"
          permission="healthcare.write"
          fields={FIELDS}
          onCreated={created}
        />
      }
    >
      <ChoiceFilter
        label="Kind of facility"
        values={KINDS}
        chosen={kind}
        onChoose={(next) => {
          setKind(next);
          setPage(1);
        }}
      />
      <ResourceView resource={resource} what="the facilities">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState
              title={kind === "" ? "No facilities yet" : `No ${kind} yet`}
              hint="Make the first one with “New facility”."
            />
          ) : (
            <>
              <DataTable caption="Facilities" columns={COLUMNS} rows={list.items} rowKey={(facility) => facility.id} />
              <Pager list={list} page={page} onPage={setPage} />
            </>
          )
        }
      </ResourceView>
    </Page>
  );
}
