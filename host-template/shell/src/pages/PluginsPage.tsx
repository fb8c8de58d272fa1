/** All vertical plugins of this host, live from the API: whether they work, for whom they are on, what they contribute. */

import { ActionIcon, Alert, Badge, Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { overrides } from "@platform/overrides";
import { apiGet, apiPost, asApiError, useResource } from "@platform/plugin-host";
import { type Column, DataTable, EmptyState, Page, ResourceView, SearchField, sentence } from "@platform/plugin-host/ui";
import FolderSearch from "lucide-react/icons/folder-search";
import RotateCw from "lucide-react/icons/rotate-cw";
import { type ReactNode, useState } from "react";
import { countOf } from "../count.ts";
import { keysByPlugin, matching, newsOf, type PluginInfo, type PluginState, reach, summaryOf } from "../plugins.ts";
import { useReloadOnNews, useSession } from "../session.ts";
import { PluginDetail } from "./PluginDetail.tsx";
import { PluginSwitch, SwitchRefusal } from "./PluginSwitch.tsx";
import { type Switches, useSwitches } from "./plugin-switches.ts";
import styles from "./plugins.module.css";

const PATH = "/api/plugins";
const KEYS = keysByPlugin(overrides);
const keysOf = (slug: string): readonly string[] => KEYS.get(slug) ?? [];

/** A table with a search box; each row has its switch, and opens to its tenants and everything else. */
export default function PluginsPage(): ReactNode {
  const { org } = useSession();
  const plugins = useResource<readonly PluginInfo[]>(PATH);
  const switches = useSwitches(plugins);
  const [search, setSearch] = useState("");
  useReloadOnNews(plugins.reload);
  return (
    <Page
      title="Plugins"
      description={`Plugins of the release and of the customer, and which are on for ${org.name}.`}
      actions={
        <>
          <SearchField label="Search plugins" placeholder="Search by name, route or key" value={search} onChange={setSearch} />
          <Tooltip label="Refresh">
            <ActionIcon variant="default" size="lg" aria-label="Refresh" loading={plugins.loading} onClick={plugins.reload}>
              <RotateCw size={16} aria-hidden="true" />
            </ActionIcon>
          </Tooltip>
        </>
      }
    >
      <ResourceView resource={plugins} what="the plugins">
        {(all) => <PluginTable all={switches.shown(all)} search={search} switches={switches} org={org.name} />}
      </ResourceView>
      {plugins.data !== undefined && <CustomerPlugins known={plugins.data} onList={plugins.replace} />}
    </Page>
  );
}

interface TableProps {
  readonly all: readonly PluginInfo[];
  readonly search: string;
  readonly switches: Switches;
  readonly org: string;
}

function PluginTable({ all, search, switches, org }: TableProps): ReactNode {
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
        columns={columns(switches, org)}
        rows={shown}
        rowKey={(plugin) => `${plugin.source}/${plugin.name}`}
        rowName={(plugin) => plugin.display_name}
        note={(plugin) =>
          switches.refusal(plugin.name, null) === undefined ? null : (
            <SwitchRefusal plugin={plugin} switches={switches} tenant={null} place={org} />
          )
        }
        detail={(plugin) => <PluginDetail plugin={plugin} keys={keysOf(plugin.name)} switches={switches} org={org} />}
      />
      <Text size="xs" c="dimmed">
        {shown.length === all.length ? `${all.length} plugins` : `${shown.length} of ${all.length} plugins`}
      </Text>
    </Stack>
  );
}

function columns(switches: Switches, org: string): readonly Column<PluginInfo>[] {
  return [
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
    { label: "Version", cell: ({ version }) => (version === "" ? null : <span className={styles.nowrap}>{version}</span>) },
    {
      label: "Source",
      cell: (plugin) => (
        <Badge variant={plugin.source === "data" ? "light" : "default"} color="violet">
          {plugin.source === "data" ? "customer" : "bundled"}
        </Badge>
      ),
    },
    { label: "State", cell: (plugin) => <StateCell plugin={plugin} /> },
    {
      label: "Contributes",
      cell: (plugin) => {
        const summary = summaryOf(plugin, keysOf(plugin.name));
        return summary === "" ? null : (
          <Text size="sm" c="dimmed">
            {summary}
          </Text>
        );
      },
    },
    { label: `On for ${org}`, cell: (plugin) => <SwitchCell plugin={plugin} switches={switches} org={org} /> },
  ];
}

const STATES: Readonly<Record<PluginState, { readonly label: string; readonly colour: string }>> = {
  ok: { label: "ok", colour: "teal" },
  "not-configured": { label: "not configured", colour: "yellow" },
  shadowed: { label: "shadowed", colour: "gray" },
  invalid: { label: "invalid", colour: "red" },
};

function StateCell({ plugin }: { readonly plugin: PluginInfo }): ReactNode {
  const { label, colour } = STATES[plugin.state];
  return (
    <Group gap={6}>
      <Badge variant="light" color={colour}>
        {label}
      </Badge>
      {plugin.warnings.length > 0 && (
        <Badge variant="light" color="yellow">
          {countOf(plugin.warnings.length, "warning")}
        </Badge>
      )}
    </Group>
  );
}

interface SwitchCellProps {
  readonly plugin: PluginInfo;
  readonly switches: Switches;
  readonly org: string;
}

function SwitchCell({ plugin, switches, org }: SwitchCellProps): ReactNode {
  if (plugin.state === "shadowed") {
    return (
      <Text size="xs" c="dimmed">
        not used
      </Text>
    );
  }
  const partly = reach(plugin);
  return (
    <Group gap="xs" wrap="nowrap">
      <PluginSwitch plugin={plugin} switches={switches} tenant={null} enabled={plugin.enabled} place={org} />
      {partly !== undefined && (
        <Text size="xs" c="dimmed" className={styles.nowrap}>
          {partly}
        </Text>
      )}
    </Group>
  );
}

interface CustomerProps {
  readonly known: readonly PluginInfo[];
  readonly onList: (plugins: readonly PluginInfo[]) => void;
}

/** Has the platform look through the data folder again. */
function CustomerPlugins({ known, onList }: CustomerProps): ReactNode {
  const [looking, setLooking] = useState(false);
  const [said, setSaid] = useState<{ readonly text: string; readonly failed: boolean } | undefined>();

  async function look(): Promise<void> {
    setLooking(true);
    setSaid(undefined);
    try {
      await apiPost("/api/plugins/reload", {});
      const list = await apiGet<readonly PluginInfo[]>(PATH);
      onList(list);
      setSaid({ text: newsOf(known, list), failed: false });
    } catch (caught) {
      setSaid({ text: sentence(asApiError(caught).message), failed: true });
    } finally {
      setLooking(false);
    }
  }

  return (
    <Group gap="sm">
      <Button
        variant="default"
        loading={looking}
        leftSection={<FolderSearch size={16} aria-hidden="true" />}
        onClick={() => void look()}
      >
        Reload customer plugins
      </Button>
      {said === undefined ? (
        <Text size="xs" c="dimmed" maw={420}>
          Customer plugins belong in <code>plugins/</code> of the data folder.
        </Text>
      ) : (
        <Alert color={said.failed ? "red" : "teal"} variant="light" p="xs" role={said.failed ? "alert" : "status"}>
          {said.text}
        </Alert>
      )}
    </Group>
  );
}
