/** The dashboards that plugins brought and that the organisation made. */

import { Anchor, Badge, Button, Text } from "@mantine/core";
import { apiDelete, apiPost, apiPut, usePluginHost, useResource } from "@platform/plugin-host";
import {
  type Column,
  ConfirmDialog,
  DataTable,
  EmptyState,
  FormDialog,
  type FormField,
  formatTime,
  formatUtc,
  Page,
  ResourceView,
} from "@platform/plugin-host/ui";
import Plus from "lucide-react/icons/plus";
import { type ReactNode, useState } from "react";
import { Link, useNavigate } from "react-router";
import { blocksOf, type Dashboard, nameOfBlock, withBlocks } from "../../dashboards.ts";
import { may, useReloadOnNews, useSession } from "../../session.ts";
import { RowMenu } from "../RowMenu.tsx";
import styles from "./dashboards.module.css";

type Open = { readonly dialog: "add" } | { readonly dialog: "change" | "remove"; readonly of: Dashboard } | undefined;

/** A table, and for whoever may the dialogs that change it. */
export default function DashboardsPage(): ReactNode {
  const session = useSession();
  const dashboards = useResource<readonly Dashboard[]>("/api/dashboards");
  useReloadOnNews(dashboards.reload);
  const [open, setOpen] = useState<Open>();
  const mayWrite = may(session, "dashboards.write");
  const add = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setOpen({ dialog: "add" })}>
      New dashboard
    </Button>
  );
  return (
    <Page title="Dashboards" description="Pages built from blocks of plugins." actions={add === false ? undefined : add}>
      <ResourceView resource={dashboards} what="the dashboards">
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState
              title="No dashboards yet"
              hint={
                mayWrite
                  ? "Plugins add some when they are enabled; you can also build one from the available blocks."
                  : "Plugins add some when they are enabled."
              }
            />
          ) : (
            <DataTable
              caption={`Dashboards of ${session.org.name}`}
              columns={columns(mayWrite ? setOpen : undefined)}
              rows={rows}
              rowKey={(dashboard) => dashboard.id}
            />
          )
        }
      </ResourceView>
      <Dialogs open={open} onClose={() => setOpen(undefined)} onChanged={dashboards.reload} />
    </Page>
  );
}

function columns(onOpen: ((open: Open) => void) | undefined): readonly Column<Dashboard>[] {
  const own: readonly Column<Dashboard>[] = [
    {
      label: "Dashboard",
      cell: ({ id, title }) => (
        <Anchor component={Link} to={`/dashboards/${encodeURIComponent(id)}`} size="sm" fw={600}>
          {title}
        </Anchor>
      ),
    },
    {
      label: "From",
      cell: ({ plugin }) =>
        plugin === null ? (
          <Text size="sm" c="dimmed">
            made here
          </Text>
        ) : (
          <Badge variant="light">{plugin}</Badge>
        ),
    },
    { label: "Blocks", numeric: true, cell: ({ widgets }) => widgets.length },
    {
      label: "Changed",
      cell: ({ updated_at }) => (
        <time dateTime={updated_at} title={formatUtc(updated_at)} className={styles.time}>
          {formatTime(updated_at)}
        </time>
      ),
    },
  ];
  if (onOpen === undefined) {
    return own;
  }
  const actions: Column<Dashboard> = {
    label: "Actions",
    actions: true,
    cell: (of) => (
      <RowMenu
        of={of.title}
        onChange={() => onOpen({ dialog: "change", of })}
        onRemove={() => onOpen({ dialog: "remove", of })}
      />
    ),
  };
  return [...own, actions];
}

interface DialogsProps {
  readonly open: Open;
  readonly onClose: () => void;
  readonly onChanged: () => void;
}

function Dialogs({ open, onClose, onChanged }: DialogsProps): ReactNode {
  const { chains, enabled } = usePluginHost();
  const navigate = useNavigate();
  const blocks = blocksOf(chains, enabled);
  const path = (of: Dashboard) => `/api/dashboards/${encodeURIComponent(of.id)}`;
  return (
    <>
      <FormDialog
        title="New dashboard"
        submitLabel="Add"
        opened={open?.dialog === "add"}
        onClose={onClose}
        fields={fields(blocks)}
        onSubmit={async ({ title, widgets }) => {
          const made = await apiPost<Dashboard>("/api/dashboards", { title, widgets: withBlocks([], widgets as string[]) });
          onChanged();
          await navigate(`/dashboards/${encodeURIComponent(made.id)}`);
        }}
      />
      <FormDialog
        title={open?.dialog === "change" ? `Change ${open.of.title}` : ""}
        opened={open?.dialog === "change"}
        onClose={onClose}
        fields={fields(blocks, open?.dialog === "change" ? open.of : undefined)}
        onSubmit={async ({ title, widgets }) => {
          if (open?.dialog === "change") {
            await apiPut(path(open.of), { title, widgets: withBlocks(open.of.widgets, widgets as string[]) });
            onChanged();
          }
        }}
      />
      <ConfirmDialog
        title={open?.dialog === "remove" ? `Remove ${open.of.title}?` : ""}
        opened={open?.dialog === "remove"}
        onClose={onClose}
        confirmLabel="Remove"
        onConfirm={async () => {
          if (open?.dialog === "remove") {
            await apiDelete(path(open.of));
            onChanged();
          }
        }}
      >
        <Text size="sm">
          It disappears for everybody in the organisation.
          {open?.dialog === "remove" &&
            open.of.plugin !== null &&
            ` The plugin ${open.of.plugin} added it and will not add it again.`}
        </Text>
      </ConfirmDialog>
    </>
  );
}

/** Title and blocks; a block whose plugin is off can be kept. */
function fields(blocks: readonly string[], of?: Dashboard): readonly FormField[] {
  const held = [...new Set(of?.widgets.map((widget) => widget.block))];
  const all = [...new Set([...held, ...blocks])];
  return [
    { name: "title", label: "Title", required: true, initial: of?.title ?? "", placeholder: "Week at a glance" },
    {
      name: "widgets",
      label: "Blocks",
      kind: "many",
      options: all.map((block) => ({ value: block, label: nameOfBlock(block) })),
      initial: held,
      placeholder: all.length === 0 ? "No enabled plugin has one" : "Choose blocks",
      description: "Shown in the order in which you choose them.",
    },
  ];
}
