/** The audit log: who did what in the organisation, newest first. */

import { ActionIcon, Autocomplete, Badge, Button, Group, Select, Stack, Text, Tooltip } from "@mantine/core";
import { platformUrl, useResource } from "@platform/plugin-host";
import {
  type Column,
  DataTable,
  EmptyState,
  formatNumber,
  formatTime,
  formatUtc,
  Page,
  ResourceView,
  Ticked,
} from "@platform/plugin-host/ui";
import ArrowRight from "lucide-react/icons/arrow-right";
import Download from "lucide-react/icons/download";
import RotateCw from "lucide-react/icons/rotate-cw";
import { type ReactNode, useEffect, useState } from "react";
import { useSearchParams } from "react-router";
import {
  type AuditEvent,
  type AuditFilter,
  actorOf,
  detailText,
  EVENT_TYPES,
  filterFrom,
  queryOf,
  whatOf,
  whereOf,
  withFilter,
} from "../audit.ts";
import { type Session, useSession } from "../session.ts";
import { useCursorList } from "../use-cursor-list.ts";
import styles from "./audit.module.css";

const PART = "50";

/** Filters on top, which stand in the address; the events; and a way to older ones. */
export default function AuditPage(): ReactNode {
  const session = useSession();
  const [params, setParams] = useSearchParams();
  const filter = filterFrom(params);
  const events = useCursorList<AuditEvent>(
    (before) => `/api/audit/events${queryOf(filter, { limit: PART, ...(before === null ? {} : { before }) })}`,
  );
  const { items, error, loading, reload } = events;
  const narrow = (part: keyof AuditFilter, value: string) =>
    setParams((last) => withFilter(last, part, value), { replace: true });
  return (
    <Page
      title="Audit log"
      description={`Who did what in ${session.org.name}, newest first.`}
      actions={
        <>
          <Button
            component="a"
            href={platformUrl(`/api/audit/export${queryOf(filter)}`)}
            download="audit-log.csv"
            variant="default"
            leftSection={<Download size={16} aria-hidden="true" />}
          >
            Export as CSV
          </Button>
          <Tooltip label="Refresh">
            <ActionIcon variant="default" size="lg" aria-label="Refresh" loading={loading} onClick={reload}>
              <RotateCw size={16} aria-hidden="true" />
            </ActionIcon>
          </Tooltip>
        </>
      }
    >
      <Filters filter={filter} seen={items ?? []} onNarrow={narrow} />
      <ResourceView resource={{ data: items, error, loading, reload, replace: () => undefined }} what="the audit log">
        {(shown) =>
          shown.length === 0 ? (
            <Nothing filter={filter} onClear={() => setParams({}, { replace: true })} />
          ) : (
            <Stack gap="sm">
              <DataTable
                caption="Events, newest first"
                columns={columns(session)}
                rows={shown}
                rowKey={(event) => event.id}
                rowName={(event) => `${whatOf(event).replaceAll("`", "")}, ${formatTime(event.time)}`}
                detail={(event) => <Details event={event} names={namesOf(session)} />}
              />
              <Group justify="space-between">
                <Text size="xs" c="dimmed" role="status">
                  {shown.length === 1 ? "1 event" : `${formatNumber(shown.length)} events`}
                  {events.next === null ? "" : " so far"}
                </Text>
                {events.next !== null && (
                  <Button variant="default" loading={loading} onClick={events.more}>
                    Load more
                  </Button>
                )}
              </Group>
            </Stack>
          )
        }
      </ResourceView>
    </Page>
  );
}

interface FiltersProps {
  readonly filter: AuditFilter;
  /** Events whose actors are offered. */
  readonly seen: readonly AuditEvent[];
  readonly onNarrow: (part: keyof AuditFilter, value: string) => void;
}

interface PluginsStatus {
  readonly vertical: readonly { readonly name: string }[];
}

function Filters({ filter, seen, onNarrow }: FiltersProps): ReactNode {
  const status = useResource<PluginsStatus>("/api/plugins/status");
  const known = (status.data?.vertical ?? []).map((plugin) => plugin.name);
  const plugins = [...new Set([...known, ...(filter.plugin === "" ? [] : [filter.plugin])])];
  const types = Object.entries(EVENT_TYPES).map(([value, label]) => ({ value, label }));
  const type = filter.type === "" || Object.hasOwn(EVENT_TYPES, filter.type) ? [] : [{ value: filter.type, label: filter.type }];
  return (
    <search className={styles.filters} aria-label="Filter the audit log">
      <Select
        aria-label="Kind of event"
        placeholder="All kinds of events"
        data={[...types, ...type]}
        value={filter.type === "" ? null : filter.type}
        searchable
        clearable
        nothingFoundMessage="No such kind"
        onChange={(value) => onNarrow("type", value ?? "")}
      />
      <Select
        aria-label="Plugin"
        placeholder="All plugins"
        data={plugins}
        value={filter.plugin === "" ? null : filter.plugin}
        searchable
        clearable
        nothingFoundMessage="No such plugin"
        onChange={(value) => onNarrow("plugin", value ?? "")}
      />
      <ActorFilter actor={filter.actor} seen={seen} onChange={(value) => onNarrow("actor", value)} />
    </search>
  );
}

interface ActorProps {
  readonly actor: string;
  readonly seen: readonly AuditEvent[];
  readonly onChange: (actor: string) => void;
}

/** The log is searched for a whole address: once one is chosen, or typed to its end. */
function ActorFilter({ actor, seen, onChange }: ActorProps): ReactNode {
  const [typed, setTyped] = useState(actor);
  useEffect(() => setTyped(actor), [actor]);
  const addresses = [...new Set(seen.map((event) => event.actor.email).filter((email) => email !== ""))].sort();
  return (
    <Autocomplete
      aria-label="Who, by e-mail address"
      placeholder="Anybody"
      data={addresses}
      value={typed}
      clearable
      onChange={(value) => {
        setTyped(value);
        if (value === "") {
          onChange("");
        }
      }}
      onOptionSubmit={onChange}
      onBlur={() => typed !== actor && onChange(typed)}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          onChange(event.currentTarget.value);
        }
      }}
    />
  );
}

function Nothing({ filter, onClear }: { readonly filter: AuditFilter; readonly onClear: () => void }): ReactNode {
  const narrowed = filter.type !== "" || filter.plugin !== "" || filter.actor !== "";
  return narrowed ? (
    <EmptyState
      title="No event matches"
      hint="Nothing in the log matches these filters."
      action={
        <Button variant="default" onClick={onClear}>
          Clear the filters
        </Button>
      }
    />
  ) : (
    <EmptyState title="Nothing has happened yet" hint="Sign-ins and changes of plugins and members will be listed here." />
  );
}

/** The tenants' names by identifier. */
function namesOf({ tenants }: Session): ReadonlyMap<string, string> {
  return new Map(tenants.map((tenant) => [tenant.id, tenant.name]));
}

function columns(session: Session): readonly Column<AuditEvent>[] {
  const names = namesOf(session);
  return [
    {
      label: "What",
      cell: (event) => (
        <Text size="sm" fw={550} className={styles.what}>
          <Ticked text={whatOf(event)} />
        </Text>
      ),
    },
    {
      label: "Who",
      cell: (event) => (
        <span className={styles.who} title={actorOf(event)}>
          {actorOf(event)}
        </span>
      ),
    },
    {
      label: "Where",
      cell: (event) => {
        const where = whereOf(event, session.org.name, names);
        return where === undefined ? null : <span className={styles.where}>{where}</span>;
      },
    },
    {
      label: "Change",
      cell: ({ from, to }) => (from === null && to === null ? null : <Change from={from} to={to} />),
    },
    {
      label: "When",
      cell: (event) => (
        <time dateTime={event.time} title={formatUtc(event.time)} className={styles.time}>
          {formatTime(event.time)}
        </time>
      ),
    },
  ];
}

const CHANGE_COLOURS: Readonly<Record<string, string>> = { enabled: "teal", chosen: "teal", disabled: "gray" };

function Change({ from, to }: Pick<AuditEvent, "from" | "to">): ReactNode {
  const badge = (state: string | null) => (
    <Badge variant="light" className={styles.state} color={CHANGE_COLOURS[state ?? ""] ?? "gray"}>
      {state ?? "–"}
    </Badge>
  );
  return (
    <Group gap={6} wrap="nowrap">
      {badge(from)}
      <ArrowRight size={14} aria-label="to" />
      {badge(to)}
    </Group>
  );
}

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Everything that the log keeps of an event. */
function Details({ event, names }: { readonly event: AuditEvent; readonly names: ReadonlyMap<string, string> }): ReactNode {
  const facts: readonly (readonly [string, string | null])[] = [
    ["Kind", event.event_type],
    ["Time", formatUtc(event.time)],
    ["Actor", event.actor.id === "" ? "the platform" : `${event.actor.email} (${event.actor.id})`],
    ["Plugin", event.plugin],
    ["Scope", event.scope],
    ["Tenant", event.tenant === null ? null : detailText(event.tenant, names)],
    ...Object.entries(event.details).map(([name, value]) => [capital(name), detailText(value, names)] as const),
    ["Event", event.id],
  ];
  return (
    <dl className={styles.details}>
      {facts.map(([name, value]) =>
        value === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
