/** The platform's own dashboard: is it well, what is enabled, what came in last. */

import { Anchor, Badge, Group, Paper, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { overrides } from "@platform/overrides";
import { type ListOf, type PlatformRecord, useResource } from "@platform/plugin-host";
import { EmptyState, formatDate, formatNumber, Page, ResourceView, StatusBadge } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { may, placeOf, useReloadOnNews, useSession } from "../session.ts";
import styles from "./dashboard.module.css";

interface Health {
  readonly status: string;
  readonly version: string;
  readonly plugins: { readonly total: number; readonly ok: number; readonly invalid: number };
}

interface PluginsStatus {
  readonly vertical: readonly { readonly name: string; readonly enabled: boolean; readonly ok: boolean }[];
}

/** Figures on top, plugins and the latest records below. */
export function DefaultDashboard(): ReactNode {
  const place = placeOf(useSession());
  return (
    <Page title="Dashboard" description={`The state of the platform for ${place}.`}>
      <div data-default-surface="dashboard.view" className={styles.grid}>
        <Figures />
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <EnabledPlugins />
          <LatestRecords />
        </SimpleGrid>
      </div>
    </Page>
  );
}

function Figures(): ReactNode {
  const { plugins } = useSession();
  const health = useResource<Health>("/api/health");
  const records = useResource<ListOf<PlatformRecord>>("/api/records?limit=1&offset=0");
  const invalid = health.data?.plugins.invalid ?? 0;
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }}>
      <Figure
        label="Platform"
        value={health.data === undefined ? undefined : health.data.status === "ok" ? "Running" : health.data.status}
        hint={health.data === undefined ? undefined : `Version ${health.data.version}`}
        failed={health.error !== undefined}
      />
      <Figure
        label="Plugins enabled"
        value={health.data === undefined ? undefined : `${plugins.length} of ${health.data.plugins.total}`}
        hint={invalid === 0 ? "None invalid" : `${invalid} invalid`}
        failed={health.error !== undefined}
      />
      <Figure
        label="Records"
        value={records.data === undefined ? undefined : formatNumber(records.data.total)}
        hint="In the platform's own list"
        failed={records.error !== undefined}
      />
      <Figure label="Surfaces claimed" value={String(Object.keys(overrides).length)} hint="By plugins of this build" />
    </SimpleGrid>
  );
}

interface FigureProps {
  readonly label: string;
  readonly value: string | undefined;
  readonly hint: string | undefined;
  readonly failed?: boolean;
}

function Figure({ label, value, hint, failed = false }: FigureProps): ReactNode {
  return (
    <Paper withBorder p="md">
      <Text size="xs" c="dimmed" fw={550}>
        {label}
      </Text>
      <div className={styles.value}>{value ?? (failed ? "–" : <Skeleton height={24} width={90} mt={6} />)}</div>
      <Text size="xs" c="dimmed">
        {failed ? "Not available" : (hint ?? "\u00a0")}
      </Text>
    </Paper>
  );
}

function EnabledPlugins(): ReactNode {
  const session = useSession();
  const status = useResource<PluginsStatus>("/api/plugins/status");
  useReloadOnNews(status.reload);
  return (
    <Panel title="Plugins" {...(may(session, "admin") ? { link: { to: "/plugins", label: "All plugins" } } : {})}>
      <ResourceView resource={status} what="the plugins" skeleton={<Skeleton height={120} />}>
        {({ vertical }) => (
          <ul className={styles.list}>
            {vertical.map((plugin) => (
              <li key={plugin.name}>
                <Text size="sm" fw={550} truncate>
                  {plugin.name}
                </Text>
                <Badge variant="light" color={plugin.ok ? (plugin.enabled ? "teal" : "gray") : "red"}>
                  {plugin.ok ? (plugin.enabled ? "enabled" : "disabled") : "invalid"}
                </Badge>
              </li>
            ))}
          </ul>
        )}
      </ResourceView>
    </Panel>
  );
}

function LatestRecords(): ReactNode {
  const records = useResource<ListOf<PlatformRecord>>("/api/records?limit=5&offset=0");
  return (
    <Panel title="Latest records" link={{ to: "/records", label: "All records" }}>
      <ResourceView resource={records} what="the records" skeleton={<Skeleton height={120} />}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No records yet" hint="Create the first one on the Records page." />
          ) : (
            <ul className={styles.list}>
              {items.map((record) => (
                <li key={record.id}>
                  <div className={styles.record}>
                    <Text size="sm" fw={550} truncate>
                      {record.title}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {formatDate(record.created_at)}
                    </Text>
                  </div>
                  <StatusBadge status={record.status} />
                </li>
              ))}
            </ul>
          )
        }
      </ResourceView>
    </Panel>
  );
}

interface PanelProps {
  readonly title: string;
  readonly link?: { readonly to: string; readonly label: string };
  readonly children: ReactNode;
}

function Panel({ title, link, children }: PanelProps): ReactNode {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h3">
            {title}
          </Title>
          {link !== undefined && (
            <Anchor component={Link} to={link.to} size="sm">
              {link.label}
            </Anchor>
          )}
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}
