/** All vertical plugins of this host, live from the API: state, routes, workspaces, claims, findings. */

import { ActionIcon, Anchor, Badge, Group, List, Stack, Text, Title, Tooltip } from "@mantine/core";
import { overrides } from "@platform/overrides";
import { useResource } from "@platform/plugin-host";
import { type Column, DataTable, EmptyState, Page, ResourceView, SearchField } from "@platform/plugin-host/ui";
import RotateCw from "lucide-react/icons/rotate-cw";
import { type ReactNode, useState } from "react";
import { Link } from "react-router";
import { keysByPlugin, matching, type PluginInfo, type PluginState, stateOf } from "../plugins.ts";
import styles from "./plugins.module.css";

const KEYS = keysByPlugin(overrides);
const keysOf = (slug: string): readonly string[] => KEYS.get(slug) ?? [];

const STATE_COLOURS: Readonly<Record<PluginState, string>> = { enabled: "teal", disabled: "gray", invalid: "red" };

const COLUMNS: readonly Column<PluginInfo>[] = [
  {
    label: "Plugin",
    cell: (plugin) => (
      <div>
        <Text size="sm" fw={600}>
          {plugin.display_name}
        </Text>
        <Text size="xs" c="dimmed">
          {plugin.name}
        </Text>
      </div>
    ),
  },
  { label: "Version", cell: (plugin) => <span className={styles.nowrap}>{plugin.version}</span> },
  {
    label: "Source",
    cell: (plugin) => (
      <Badge variant={plugin.source === "data" ? "light" : "default"} color="violet">
        {plugin.source === "data" ? "customer" : "bundled"}
      </Badge>
    ),
  },
  { label: "State", cell: (plugin) => <StateCell plugin={plugin} /> },
  { label: "Routes", cell: (plugin) => <Count of={plugin.routes.length} />, numeric: true },
  { label: "Overrides", cell: (plugin) => <Count of={keysOf(plugin.name).length} />, numeric: true },
  {
    label: "dbt workspaces",
    cell: (plugin) =>
      plugin.dbt_workspaces.length === 0 ? (
        <Nothing />
      ) : (
        <Group gap={6}>
          {plugin.dbt_workspaces.map((slug) => (
            <code key={slug} className={styles.code}>
              {slug}
            </code>
          ))}
        </Group>
      ),
  },
];

/** A table with a search box; each row opens to its routes, overrides, errors and warnings. */
export default function PluginsPage(): ReactNode {
  const plugins = useResource<readonly PluginInfo[]>("/api/plugins");
  const [search, setSearch] = useState("");
  const refresh = (
    <Tooltip label="Refresh">
      <ActionIcon variant="default" size="lg" aria-label="Refresh" loading={plugins.loading} onClick={plugins.reload}>
        <RotateCw size={16} aria-hidden="true" />
      </ActionIcon>
    </Tooltip>
  );
  return (
    <Page
      title="Plugins"
      description="What came with the release, and what the customer added."
      actions={
        <>
          <SearchField label="Search plugins" placeholder="Search by name, route or key" value={search} onChange={setSearch} />
          {refresh}
        </>
      }
    >
      <ResourceView resource={plugins} what="the plugins">
        {(all) => <PluginTable all={all} search={search} />}
      </ResourceView>
    </Page>
  );
}

function PluginTable({ all, search }: { readonly all: readonly PluginInfo[]; readonly search: string }): ReactNode {
  const shown = matching(all, search, keysOf);
  if (all.length === 0) {
    return <EmptyState title="No plugins" hint="This platform was built without vertical plugins." />;
  }
  if (shown.length === 0) {
    return <EmptyState title="No plugin matches" hint={`Nothing is found for “${search}”.`} />;
  }
  return (
    <Stack gap="xs">
      <DataTable
        caption="Vertical plugins"
        columns={COLUMNS}
        rows={shown}
        rowKey={(plugin) => `${plugin.source}/${plugin.name}`}
        rowName={(plugin) => plugin.display_name}
        detail={(plugin) => <PluginDetail plugin={plugin} />}
      />
      <Text size="xs" c="dimmed">
        {shown.length === all.length ? `${all.length} plugins` : `${shown.length} of ${all.length} plugins`}
      </Text>
    </Stack>
  );
}

function StateCell({ plugin }: { readonly plugin: PluginInfo }): ReactNode {
  const state = stateOf(plugin);
  return (
    <Group gap={6}>
      <Badge variant="light" color={STATE_COLOURS[state]}>
        {state}
      </Badge>
      {plugin.warnings.length > 0 && (
        <Badge variant="light" color="yellow">
          {plugin.warnings.length === 1 ? "1 warning" : `${plugin.warnings.length} warnings`}
        </Badge>
      )}
    </Group>
  );
}

function Count({ of }: { readonly of: number }): ReactNode {
  return of === 0 ? <Nothing /> : of;
}

function Nothing(): ReactNode {
  return <Text span c="dimmed" size="sm" aria-label="none">–</Text>;
}

function PluginDetail({ plugin }: { readonly plugin: PluginInfo }): ReactNode {
  const keys = keysOf(plugin.name);
  return (
    <Stack gap="md">
      {plugin.description && <Text size="sm">{plugin.description}</Text>}
      <Findings title="Errors" colour="red" lines={plugin.errors} />
      <Findings title="Warnings" colour="yellow" lines={plugin.warnings} />
      <Section title="Routes">
        {plugin.routes.length === 0 ? (
          <Text size="sm" c="dimmed">
            It has no backend.
          </Text>
        ) : (
          <ul className={styles.routes}>
            {plugin.routes.map((route) => (
              <li key={`${route.method} ${route.path}`}>
                <span className={styles.method} data-method={route.method}>
                  {route.method}
                </span>
                <code>{route.path}</code>
                {route.public && (
                  <Badge size="sm" variant="light" color="blue">
                    public
                  </Badge>
                )}
              </li>
            ))}
          </ul>
        )}
      </Section>
      <Section title="Overrides">
        {keys.length === 0 ? (
          <Text size="sm" c="dimmed">
            It claims no surface.
          </Text>
        ) : (
          <Group gap={6}>
            {keys.map((key) => (
              <Anchor key={key} component={Link} to={`/overrides#${encodeURIComponent(key)}`} size="sm">
                <code className={styles.code}>{key}</code>
              </Anchor>
            ))}
          </Group>
        )}
      </Section>
    </Stack>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode {
  return (
    <div>
      <Title order={3} size="xs" c="dimmed" mb={6}>
        {title}
      </Title>
      {children}
    </div>
  );
}

interface FindingsProps {
  readonly title: string;
  readonly colour: string;
  readonly lines: readonly string[];
}

function Findings({ title, colour, lines }: FindingsProps): ReactNode {
  if (lines.length === 0) {
    return null;
  }
  return (
    <Section title={title}>
      <List size="sm" spacing={4} withPadding className={styles.findings} data-colour={colour}>
        {lines.map((line) => (
          <List.Item key={line}>{line}</List.Item>
        ))}
      </List>
    </Section>
  );
}
