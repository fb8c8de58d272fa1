/** Patient records: cards with a search, pages, and a form for a new one. */

import { SimpleGrid, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { Surface } from "@platform/plugin-host";
import { CreateDialog, EmptyState, type FormField, Page, Pager, ResourceView, useListPage } from "@platform/plugin-host/ui";
import Search from "lucide-react/icons/search";
import { type ReactNode, useState } from "react";
import type { PatientRecord } from "./model.ts";
import RecordCard from "./RecordCard.tsx";

const FIELDS: readonly FormField[] = [
  { name: "patient_name", label: "Patient", required: true, placeholder: "Ada Lindqvist" },
  { name: "diagnosis", label: "Diagnosis", placeholder: "Fractured wrist" },
  { name: "facility", label: "Facility", placeholder: "St. Anna Hospital" },
  { name: "status", label: "Status", options: ["scheduled", "admitted", "discharged"], initial: "scheduled" },
];

/** The page at `/healthcare/records`. */
export function RecordsPage(): ReactNode {
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search.trim(), 250);
  const { resource, page, setPage } = useListPage<PatientRecord>("/api/healthcare/records", 12, { q });
  const created = () => {
    setPage(1);
    resource.reload();
  };
  return (
    <Page
      title="Patient records"
      description="Every visit to one of our facilities."
      actions={<CreateDialog title="New patient record" path="/api/healthcare/records" fields={FIELDS} onCreated={created} />}
    >
      <TextInput
        type="search"
        aria-label="Search patient records"
        placeholder="Search by patient, diagnosis or facility"
        leftSection={<Search size={16} aria-hidden="true" />}
        value={search}
        onChange={(event) => {
          setSearch(event.currentTarget.value);
          setPage(1);
        }}
        maw={360}
      />
      <ResourceView resource={resource} what="the patient records">
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState
              title={q === "" ? "No patient records yet" : "No record matches"}
              hint={q === "" ? "Make the first one with “New patient record”." : `Nothing is found for “${q}”.`}
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
