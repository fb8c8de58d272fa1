/** The groups: a table that opens to the permissions of each, and dialogs to add, change and remove one. */

import { Badge, Button, Group, Stack, Text, Title } from "@mantine/core";
import { apiDelete, apiPost, apiPut } from "@platform/plugin-host";
import { byGroup, type Column, ConfirmDialog, DataTable, EmptyState, FormDialog, type FormField } from "@platform/plugin-host/ui";
import Plus from "lucide-react/icons/plus";
import { type ReactNode, useState } from "react";
import { countOf } from "../count.ts";
import { type MemberGroup, type PermissionInfo, permissionOptions } from "../members.ts";
import { may, type Session, useSession } from "../session.ts";
import styles from "./plugins.module.css";
import { RowMenu } from "./RowMenu.tsx";

interface Props {
  readonly groups: readonly MemberGroup[];
  /** Those that can be granted now. */
  readonly permissions: readonly PermissionInfo[];
  readonly onChanged: () => void;
}

/** Which dialog is open, and on whom. A dialog that closes still shows whom it was about. */
interface Open {
  readonly dialog: "add" | "change" | "remove" | undefined;
  readonly group?: MemberGroup;
}

/** Who may only look sees the table alone. */
export function GroupList({ groups, permissions, onChanged }: Props): ReactNode {
  const session = useSession();
  const [open, setOpen] = useState<Open>({ dialog: undefined });
  const close = () => setOpen((last) => ({ ...last, dialog: undefined }));
  const { dialog, group } = open;
  const manage = may(session, "members.manage");
  const add = manage ? (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setOpen({ dialog: "add" })}>
      Add group
    </Button>
  ) : undefined;
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={560}>
          A group gives its members permissions. Plugins add groups of their own when they are enabled.
        </Text>
        {groups.length > 0 && add}
      </Group>
      {groups.length === 0 ? (
        <EmptyState
          title="No groups yet"
          hint="Members without a group hold no permissions; admins hold all of them."
          action={add}
        />
      ) : (
        <DataTable
          caption={`Groups of ${session.org.name}`}
          columns={columns(session, setOpen)}
          rows={groups}
          rowKey={(group) => group.id}
          rowName={(group) => group.name}
          detail={(group) => <Permissions group={group} known={permissions} />}
        />
      )}
      <FormDialog
        title="Add group"
        submitLabel="Add"
        opened={dialog === "add"}
        onClose={close}
        fields={fields(permissions)}
        onSubmit={async (values) => {
          await apiPost("/api/groups", values);
          onChanged();
        }}
      />
      <FormDialog
        title={`Change ${group?.name ?? ""}`}
        opened={dialog === "change"}
        onClose={close}
        fields={fields(permissions, group)}
        onSubmit={async (values) => {
          if (group !== undefined) {
            await apiPut(`/api/groups/${encodeURIComponent(group.id)}`, values);
            onChanged();
          }
        }}
      />
      <ConfirmDialog
        title={`Remove ${group?.name ?? ""}?`}
        opened={dialog === "remove"}
        onClose={close}
        confirmLabel="Remove"
        onConfirm={async () => {
          if (group !== undefined) {
            await apiDelete(`/api/groups/${encodeURIComponent(group.id)}`);
            onChanged();
          }
        }}
      >
        <Text size="sm">
          {group !== undefined && group.members > 0
            ? `${countOf(group.members, "member")} will lose the permissions that only this group grants.`
            : "It has no members."}
        </Text>
      </ConfirmDialog>
    </Stack>
  );
}

function fields(permissions: readonly PermissionInfo[], group?: MemberGroup): readonly FormField[] {
  return [
    { name: "name", label: "Name", required: true, placeholder: "Accounting", initial: group?.name ?? "" },
    {
      name: "permissions",
      label: "Permissions",
      kind: "checks",
      options: permissionOptions(permissions, group?.permissions ?? []),
      initial: group?.permissions ?? [],
    },
  ];
}

function columns(session: Session, onOpen: (open: Open) => void): readonly Column<MemberGroup>[] {
  const own: readonly Column<MemberGroup>[] = [
    {
      label: "Group",
      cell: (group) => (
        <Text size="sm" fw={600}>
          {group.name}
        </Text>
      ),
    },
    {
      label: "Added by",
      cell: ({ plugin }) =>
        plugin === null ? (
          <Text size="sm" c="dimmed">
            {session.org.name}
          </Text>
        ) : (
          <Badge variant="default">{plugin}</Badge>
        ),
    },
    { label: "Permissions", cell: (group) => group.permissions.length, numeric: true },
    { label: "Members", cell: (group) => group.members, numeric: true },
  ];
  if (!may(session, "members.manage")) {
    return own;
  }
  return [
    ...own,
    {
      label: "Actions",
      actions: true,
      cell: (group) => (
        <RowMenu
          of={group.name}
          onChange={() => onOpen({ dialog: "change", group })}
          onRemove={() => onOpen({ dialog: "remove", group })}
        />
      ),
    },
  ];
}

/** What a group gives, by who declares it. */
function Permissions({ group, known }: { readonly group: MemberGroup; readonly known: readonly PermissionInfo[] }): ReactNode {
  const held = new Set(group.permissions);
  const options = permissionOptions(known, group.permissions).filter((option) => held.has(option.value));
  if (options.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        The group grants no permissions.
      </Text>
    );
  }
  return (
    <Stack gap="md">
      {byGroup(options).map(([owner, ones]) => (
        <div key={owner}>
          <Title order={3} size="xs" c="dimmed" mb={6}>
            {owner}
          </Title>
          <Group gap={6}>
            {ones.map((option) => (
              <code key={option.value} className={styles.code}>
                {option.label}
              </code>
            ))}
          </Group>
        </div>
      ))}
    </Stack>
  );
}
