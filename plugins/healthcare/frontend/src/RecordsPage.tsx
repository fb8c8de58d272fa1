/** Patient records: cards with a filter, pages, and a form for a new one. */

import { SimpleGrid } from "@mantine/core";
import { type ListOf, Surface, useResource } from "@platform/plugin-host";
import {
  ChoiceFilter,
  CreateDialog,
  EmptyState,
  type FormField,
  Page,
  Pager,
  ResourceView,
  useListPage,
} from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { type Facility, type PatientRecord, STATUSES } from "./model.ts";
import RecordCard from "./RecordCard.tsx";

/** The page at `/healthcare/records`. */
export function RecordsPage(): ReactNode {
  const [status, setStatus] = useState("");
  const { resource, page, setPage } = useListPage<PatientRecord>("/api/healthcare/records", 12, { status });
  const fields = useFields();
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Patient records"
      description="Every visit to one of our facilities."
      actions={
        <CreateDialog
          title="New record"
          path="/api/healthcare/records"
          permission="healthcare.write"
          fields={fields}
          onCreated={created}
        />
      }
    >
      <ChoiceFilter
        label="Status"
        values={STATUSES}
        chosen={status}
        onChoose={(next) => {
          setStatus(next);
          setPage(1);
        }}
      />
      <ResourceView resource={resource} what="the patient records">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState
              title={status === "" ? "No patient records yet" : `No ${status} patients`}
              hint="Make one with “New record”."
            />
          ) : (
            <>
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
                {list.items.map((record) => (
                  // Asked for as a surface, so that another plugin may draw the cards of this page.
                  <Surface key={record.id} name="block:RecordCard" props={{ record }}>
                    <RecordCard record={record} />
                  </Surface>
                ))}
              </SimpleGrid>
              <Pager list={list} page={page} onPage={setPage} />
            </>
          )
        }
      </ResourceView>
    </Page>
  );
}

/** The form's fields; facilities are offered by name. */
function useFields(): readonly FormField[] {
  const { data } = useResource<ListOf<Facility>>("/api/healthcare/facilities?limit=500");
  const facilities = (data?.items ?? []).map((facility) => ({ value: facility.id, label: facility.name }));
  return [
    { name: "patient", label: "Patient", required: true, placeholder: "P-1006" },
    { name: "diagnosis", label: "Diagnosis", required: true, placeholder: "J45.9 Asthma" },
    { name: "status", label: "Status", options: STATUSES, initial: "outpatient" },
    { name: "facility_id", label: "Facility", required: true, placeholder: "Choose one", options: facilities },
  ];
}
