/** Takes over the dashboard: patients and facilities at a glance, the platform's own dashboard below. */

import { Anchor, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { type ListOf, type OverrideProps, useResource } from "@platform/plugin-host";
import { formatNumber, Page, ResourceView, StatusBadge } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Facility, PatientRecord } from "./model.ts";
import pulse from "./pulse.svg";
import styles from "./RecordsDashboard.module.css";

/** Claims `dashboard.view`. `Original` is whatever would be here without this plugin; this one does without. */
export default function RecordsDashboard(_: OverrideProps<"dashboard.view">): ReactNode {
  const records = useResource<ListOf<PatientRecord>>("/api/healthcare/records?limit=6&offset=0");
  const facilities = useResource<ListOf<Facility>>("/api/healthcare/facilities?limit=6&offset=0");
  return (
    <Page title="Care today" description="Patients and facilities at a glance.">
      <div className={styles.banner}>
        <div>
          <Text size="sm" c="dimmed">
            Patient records
          </Text>
          <div className={styles.total}>{totalOf(records.data)}</div>
        </div>
        <div>
          <Text size="sm" c="dimmed">
            Facilities
          </Text>
          <div className={styles.total}>{totalOf(facilities.data)}</div>
        </div>
        <img className={styles.pulse} src={pulse} alt="" />
      </div>
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Panel title="Latest patients" to="/healthcare/records">
          <ResourceView resource={records} what="the patient records" skeleton={<Skeleton height={160} />}>
            {({ items }) => (
              <Lines
                empty="No patient records yet."
                lines={items.map((record) => ({
                  id: record.id,
                  text: record.patient,
                  hint: record.diagnosis,
                  end: <StatusBadge status={record.status} />,
                }))}
              />
            )}
          </ResourceView>
        </Panel>
        <Panel title="Facilities" to="/healthcare/facilities">
          <ResourceView resource={facilities} what="the facilities" skeleton={<Skeleton height={160} />}>
            {({ items }) => (
              <Lines
                empty="No facilities yet."
                lines={items.map((facility) => ({
                  id: facility.id,
                  text: facility.name,
                  hint: facility.city,
                  end: <Text size="sm">{formatNumber(facility.beds)} beds</Text>,
                }))}
              />
            )}
          </ResourceView>
        </Panel>
      </SimpleGrid>
    </Page>
  );
}

function totalOf(list: ListOf<unknown> | undefined): string {
  return list === undefined ? "–" : formatNumber(list.total);
}

function Panel({
  title,
  to,
  children,
}: {
  readonly title: string;
  readonly to: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h3">
            {title}
          </Title>
          <Anchor component={Link} to={to} size="sm">
            Show all
          </Anchor>
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}

interface Line {
  readonly id: string | number;
  readonly text: string;
  readonly hint: string;
  readonly end: ReactNode;
}

function Lines({ lines, empty }: { readonly lines: readonly Line[]; readonly empty: string }): ReactNode {
  if (lines.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {empty}
      </Text>
    );
  }
  return (
    <ul className={styles.lines}>
      {lines.map((line) => (
        <li key={line.id}>
          <div className={styles.text}>
            <Text size="sm" fw={550} truncate>
              {line.text}
            </Text>
            <Text size="xs" c="dimmed" truncate>
              {line.hint}
            </Text>
          </div>
          {line.end}
        </li>
      ))}
    </ul>
  );
}
