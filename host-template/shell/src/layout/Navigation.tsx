/** The navigation: the platform's own pages, and what the enabled plugins bring. */

import { Divider, ScrollArea, Stack, Text } from "@mantine/core";
import { platformUrl, Surface, useResource } from "@platform/plugin-host";
import { Icon } from "@platform/plugin-host/ui";
import ExternalLink from "lucide-react/icons/external-link";
import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { type NavGroupName, PAGES } from "../pages.ts";
import { may, type NavEntry, type Session, useSession } from "../session.ts";
import styles from "./layout.module.css";

interface Entry {
  readonly label: string;
  readonly path: string;
  readonly icon: string;
}

/** The shell's own pages of a group, those that the caller may see. */
function ownEntries(session: Session, group: NavGroupName): readonly Entry[] {
  return PAGES.flatMap(({ path, title, access, nav }) =>
    nav?.group === group && (access === undefined || may(session, access)) ? [{ label: title, path, icon: nav.icon }] : [],
  );
}

/** All groups, and the footer. */
export function Navigation(): ReactNode {
  const session = useSession();
  const data = ownEntries(session, "data");
  const administration = ownEntries(session, "administration");
  return (
    <>
      <ScrollArea className={styles.groups} type="hover">
        <Stack component="nav" gap="lg" aria-label="Main">
          <NavGroup entries={ownEntries(session, "work")} />
          {data.length > 0 && <NavGroup label="Data" entries={data} />}
          {byPlugin(session.nav).map(([plugin, entries]) => (
            <NavGroup key={plugin} label={plugin} entries={entries} />
          ))}
          {administration.length > 0 && <NavGroup label="Administration" entries={administration} />}
          <NavGroup label="Help" entries={[]}>
            <a className={styles.link} href={platformUrl("/api/docs")} target="_blank" rel="noreferrer">
              <Icon name="book-open" />
              <span className={styles.linkLabel}>API reference</span>
              <ExternalLink size={14} aria-label="opens in a new tab" />
            </a>
          </NavGroup>
        </Stack>
      </ScrollArea>
      <Divider />
      <div className={styles.footer}>
        <Surface name="shell.footer">
          <Footer />
        </Surface>
      </div>
    </>
  );
}

interface GroupProps {
  readonly label?: string;
  readonly entries: readonly Entry[];
  readonly children?: ReactNode;
}

function NavGroup({ label, entries, children }: GroupProps): ReactNode {
  return (
    <div>
      {label !== undefined && <div className={styles.groupLabel}>{label}</div>}
      <ul className={styles.list}>
        {entries.map((entry) => (
          <li key={entry.path}>
            <NavLink to={entry.path} end={entry.path === "/" || entry.path === "/plugins"} className={styles.link}>
              <Icon name={entry.icon} />
              <span className={styles.linkLabel}>{entry.label}</span>
            </NavLink>
          </li>
        ))}
        {children !== undefined && <li>{children}</li>}
      </ul>
    </div>
  );
}

/** The entries by plugin, plugins and entries in the order in which the session names them. */
export function byPlugin(nav: readonly NavEntry[]): readonly (readonly [string, readonly NavEntry[]])[] {
  const groups = new Map<string, NavEntry[]>();
  for (const entry of nav) {
    groups.set(entry.plugin, [...(groups.get(entry.plugin) ?? []), entry]);
  }
  return [...groups];
}

interface Health {
  readonly status: string;
  readonly version: string;
}

/** Version and health, unless a plugin puts something else here. */
function Footer(): ReactNode {
  const { data, error } = useResource<Health>("/api/health");
  const healthy = data?.status === "ok";
  if (data === undefined) {
    return (
      <Text size="xs" c="dimmed">
        {error === undefined ? "\u00a0" : error.title}
      </Text>
    );
  }
  return (
    <div className={styles.health} data-default-surface="shell.footer">
      <span className={styles.dot} data-ok={healthy || undefined} aria-hidden="true" />
      <Text size="xs" c="dimmed">
        {healthy ? "All systems running" : `Status: ${data.status}`} · v{data.version}
      </Text>
    </div>
  );
}
