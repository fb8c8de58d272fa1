/** The platform's records: a page of cards, and a form for a new one. */

import { SimpleGrid, Skeleton } from "@mantine/core";
import { type PlatformRecord, Surface } from "@platform/plugin-host";
import { CreateDialog, EmptyState, type FormField, Page, Pager, ResourceView, useListPage } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { RecordCard } from "./RecordCard.tsx";

const FIELDS: readonly FormField[] = [
  { name: "title", label: "Title", required: true, placeholder: "Northwind Traders" },
  { name: "subtitle", label: "Subtitle", placeholder: "Renewal of the service contract" },
  { name: "status", label: "Status", options: ["open", "waiting", "done"], initial: "open" },
  { name: "owner", label: "Owner", placeholder: "Person responsible" },
  { name: "email", label: "E-mail", kind: "email", placeholder: "hello@example.com" },
];

/** Each record is drawn by `records.card`. */
export function RecordsPage(): ReactNode {
  const { resource, page, setPage } = useListPage<PlatformRecord>("/api/records", 12);
  const create = (
    <CreateDialog<PlatformRecord>
      title="New record"
      path="/api/records"
      permission="records.write"
      fields={FIELDS}
      toBody={({ owner, email, ...own }) => ({ ...own, fields: { owner, email } })}
      onCreated={() => {
        setPage(1);
        resource.reload();
      }}
    />
  );
  return (
    <Page title="Records" description="All records of the platform, whichever plugin added them." actions={create}>
      <ResourceView resource={resource} what="the records" skeleton={<CardSkeletons />}>
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState title="No records yet" hint="Create the first one with “New record”." />
          ) : (
            <>
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
                {list.items.map((record) => (
                  <Surface key={record.id} name="records.card" props={{ record }}>
                    {({ record: shown }) => <RecordCard record={shown} />}
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

function CardSkeletons(): ReactNode {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} aria-busy="true">
      {Array.from({ length: 6 }, (_, card) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: one outline is like the other
        <Skeleton key={card} height={148} />
      ))}
    </SimpleGrid>
  );
}
