/** What is below a plugin's row: what it is, what is wrong with it, for which tenants it is on, what it contributes. */

import { Anchor, Badge, Button, Group, List, Stack, Text, Title } from "@mantine/core";
import { Ticked } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { type PluginInfo, whyOfTenant } from "../plugins.ts";
import { PluginSwitch, SwitchRefusal } from "./PluginSwitch.tsx";
import type { Switches } from "./plugin-switches.ts";
import styles from "./plugins.module.css";

interface Props {
  readonly plugin: PluginInfo;
  /** Override keys that it claims. */
  readonly keys: readonly string[];
  readonly switches: Switches;
  /** Name of the organisation. */
  readonly org: string;
}

/** Everything about one plugin. */
export function PluginDetail({ plugin, keys, switches, org }: Props): ReactNode {
  return (
    <Stack gap="lg">
      <About plugin={plugin} />
      <Findings title="Errors" colour="red" lines={plugin.errors} />
      <Findings title="Warnings" colour="yellow" lines={plugin.warnings} />
      <div className={styles.columns}>
        <Stack gap="lg">
          {plugin.state !== "shadowed" && <Tenants plugin={plugin} switches={switches} org={org} />}
          <Words title="Permissions" words={plugin.permissions} />
          <Words title="dbt workspaces" words={plugin.dbt_workspaces} />
          <Words title="Scripts" words={plugin.known_scripts} />
          <Words title="Dataset templates" words={plugin.dataset_templates} />
          <Words title="Dashboards" words={plugin.dashboard_seeds} />
        </Stack>
        <Stack gap="lg">
          <Routes plugin={plugin} />
          <Overrides keys={keys} />
        </Stack>
      </div>
    </Stack>
  );
}

function About({ plugin }: Pick<Props, "plugin">): ReactNode {
  const facts = [
    plugin.author,
    plugin.license,
    plugin.visibility === "protected" ? null : `${plugin.visibility} visibility`,
    plugin.nav_count === 0 ? null : `${plugin.nav_count} in the navigation`,
  ].filter((fact) => fact !== null);
  return (
    <Stack gap={4}>
      {plugin.description !== null && <Text size="sm">{plugin.description}</Text>}
      <Group gap="xs">
        {facts.length > 0 && (
          <Text size="xs" c="dimmed">
            {facts.join(" · ")}
          </Text>
        )}
        <Outside label="Homepage" address={plugin.homepage} />
        <Outside label="Source code" address={plugin.repository} />
      </Group>
      {plugin.dependencies.length > 0 && (
        <Text size="xs" c="dimmed">
          Needs {plugin.dependencies.join(", ")}
        </Text>
      )}
    </Stack>
  );
}

/** A link that leaves the platform; nothing where there is no web address. */
function Outside({ label, address }: { readonly label: string; readonly address: string | null }): ReactNode {
  if (address === null || !/^https?:/.test(address)) {
    return null;
  }
  return (
    <Anchor href={address} size="xs" target="_blank" rel="noreferrer" underline="always">
      {label}
    </Anchor>
  );
}

function Tenants({ plugin, switches, org }: Omit<Props, "keys">): ReactNode {
  const { tenants, org_state } = plugin;
  return (
    <Section title={`Tenants of ${org}`}>
      {tenants.length === 0 ? (
        <Text size="sm" c="dimmed">
          {org} has no tenants: the switch of the organisation is all there is.
        </Text>
      ) : (
        <ul className={styles.tenants}>
          {tenants.map((tenant) => (
            <li key={tenant.id}>
              <Group gap="xs" justify="space-between">
                <PluginSwitch
                  plugin={plugin}
                  switches={switches}
                  tenant={tenant.id}
                  enabled={tenant.enabled}
                  place={tenant.name}
                  label={tenant.name}
                />
                <Text size="xs" c="dimmed">
                  {whyOfTenant(tenant, org_state, org)}
                </Text>
              </Group>
              <SwitchRefusal plugin={plugin} switches={switches} tenant={tenant.id} place={tenant.name} />
            </li>
          ))}
        </ul>
      )}
      {org_state === "chosen" && (
        <Group gap="xs" mt="xs">
          <Text size="xs" c="dimmed">
            On for chosen tenants only.
          </Text>
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => switches.turn({ plugin: plugin.name, tenant: null, on: false })}
          >
            Disable for all
          </Button>
        </Group>
      )}
    </Section>
  );
}

function Routes({ plugin }: Pick<Props, "plugin">): ReactNode {
  return (
    <Section title="Routes">
      {plugin.routes.length === 0 ? (
        <Text size="sm" c="dimmed">
          The plugin has no backend.
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
  );
}

function Overrides({ keys }: Pick<Props, "keys">): ReactNode {
  return (
    <Section title="Overrides">
      {keys.length === 0 ? (
        <Text size="sm" c="dimmed">
          The plugin claims no surface.
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
  );
}

/** A list of slugs or permissions; nothing where there is none. */
function Words({ title, words }: { readonly title: string; readonly words: readonly string[] }): ReactNode {
  if (words.length === 0) {
    return null;
  }
  return (
    <Section title={title}>
      <Group gap={6}>
        {words.map((word) => (
          <code key={word} className={styles.code}>
            {word}
          </code>
        ))}
      </Group>
    </Section>
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
          <List.Item key={line}>
            <Ticked text={line} />
          </List.Item>
        ))}
      </List>
    </Section>
  );
}
