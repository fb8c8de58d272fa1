/** The members: a table, and dialogs to invite, change and remove one. */

import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { apiDelete, apiPost, apiPut } from "@platform/plugin-host";
import {
  type Column,
  ConfirmDialog,
  DataTable,
  EmptyState,
  FormDialog,
  type FormField,
  formatDate,
  SearchField,
} from "@platform/plugin-host/ui";
import UserPlus from "lucide-react/icons/user-plus";
import { type ReactNode, useState } from "react";
import { countOf } from "../count.ts";
import type { Invited } from "../invitations.ts";
import { asChoices, firstGroups, type Member, type MemberGroup, mayChange, rolesFor, searched } from "../members.ts";
import { may, type Named, type Session, useSession } from "../session.ts";
import { RowMenu } from "./RowMenu.tsx";

interface Props {
  readonly members: readonly Member[];
  readonly groups: readonly MemberGroup[];
  readonly tenants: readonly Named[];
  readonly onChanged: () => void;
  /** Somebody has been invited: the link is shown this once. */
  readonly onInvited: (invited: Invited) => void;
}

/** Which dialog is open, and on whom. A dialog that closes still shows whom it was about. */
interface Open {
  readonly dialog: "add" | "change" | "remove" | undefined;
  readonly member?: Member;
}

/** Who may only look sees the table alone. */
export function MemberList({ members, groups, tenants, onChanged, onInvited }: Props): ReactNode {
  const session = useSession();
  const [search, setSearch] = useState("");
  const [open, setOpen] = useState<Open>({ dialog: undefined });
  const shown = searched(members, search);
  const close = () => setOpen((last) => ({ ...last, dialog: undefined }));
  const { dialog, member } = open;
  const places = placeFields(session, tenants, groups, member);
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <SearchField label="Search members" placeholder="Search by name, address or group" value={search} onChange={setSearch} />
        {may(session, "members.manage") && (
          <Button leftSection={<UserPlus size={16} aria-hidden="true" />} onClick={() => setOpen({ dialog: "add" })}>
            Invite member
          </Button>
        )}
      </Group>
      {shown.length === 0 ? (
        <EmptyState title="No member matches" hint={`Nothing is found for “${search}”.`} />
      ) : (
        <DataTable
          caption={`Members of ${session.org.name}`}
          columns={columns(session, setOpen)}
          rows={shown}
          rowKey={(member) => member.user.id}
        />
      )}
      <FormDialog
        title="Invite member"
        submitLabel="Invite"
        opened={dialog === "add"}
        onClose={close}
        fields={[...INVITATION_FIELDS, ...places]}
        onSubmit={async (values) => {
          onInvited(await apiPost<Invited>("/api/invitations", values));
          onChanged();
        }}
      />
      <FormDialog
        title={`Change ${member?.user.name ?? ""}`}
        opened={dialog === "change"}
        onClose={close}
        fields={places}
        onSubmit={async (values) => {
          if (member !== undefined) {
            await apiPut(`/api/members/${encodeURIComponent(member.user.id)}`, values);
            onChanged();
          }
        }}
      />
      <ConfirmDialog
        title={`Remove ${member?.user.name ?? ""}?`}
        opened={dialog === "remove"}
        onClose={close}
        confirmLabel="Remove"
        onConfirm={async () => {
          if (member !== undefined) {
            await apiDelete(`/api/members/${encodeURIComponent(member.user.id)}`);
            onChanged();
          }
        }}
      >
        <Text size="sm">
          {member?.user.email} leaves {session.org.name} with all tenants and groups, and is signed out of it at once. The account
          itself stays its owner's and can be invited again.
        </Text>
      </ConfirmDialog>
    </Stack>
  );
}

const INVITATION_FIELDS: readonly FormField[] = [
  {
    name: "email",
    label: "E-mail address",
    kind: "email",
    required: true,
    placeholder: "ada@example.com",
    autoComplete: "off",
    description: "Its owner accepts by a link and chooses a password.",
  },
  { name: "name", label: "Name", placeholder: "Ada Brandt", autoComplete: "off" },
];

/** Role, tenants and groups; of a member where there is one. */
function placeFields(
  session: Session,
  tenants: readonly Named[],
  groups: readonly MemberGroup[],
  member: Member | undefined,
): readonly FormField[] {
  const ids = (named: readonly Named[] | undefined) => (named ?? []).map((one) => one.id);
  return [
    { name: "role", label: "Role", required: true, options: rolesFor(session), initial: member?.role ?? "member" },
    {
      name: "tenants",
      label: "Tenants",
      kind: "many",
      options: asChoices(tenants),
      initial: ids(member?.tenants),
      placeholder: `All of ${session.org.name}`,
      description: "Where a member works. An admin always sees every tenant.",
    },
    {
      name: "groups",
      label: "Groups",
      kind: "many",
      options: asChoices(groups),
      initial: ids(member === undefined ? firstGroups(groups) : member.groups),
      placeholder: "None",
      description: "A member has the permissions of all its groups.",
    },
  ];
}

function columns(session: Session, onOpen: (open: Open) => void): readonly Column<Member>[] {
  const own: readonly Column<Member>[] = [
    {
      label: "Member",
      cell: ({ user }) => (
        <div>
          <Group gap={6}>
            <Text size="sm" fw={600}>
              {user.name}
            </Text>
            {user.id === session.user.id && (
              <Badge variant="default" size="sm">
                you
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {user.email}
          </Text>
        </div>
      ),
    },
    {
      label: "Role",
      cell: ({ role }) => (
        <Badge variant="light" color={role === "admin" ? "petrol" : "gray"}>
          {role}
        </Badge>
      ),
    },
    { label: "Tenants", cell: ({ tenants }) => <Names of={tenants} none={`All of ${session.org.name}`} /> },
    {
      label: "Groups",
      cell: ({ groups, role }) => <Names of={groups} none={role === "admin" ? "needs none" : "none"} />,
    },
    { label: "Since", cell: ({ created_at }) => <Text size="sm">{formatDate(created_at)}</Text> },
  ];
  if (!may(session, "members.manage")) {
    return own;
  }
  return [
    ...own,
    {
      label: "Actions",
      actions: true,
      cell: (member) =>
        mayChange(session, member) ? (
          <RowMenu
            of={member.user.name}
            onChange={() => onOpen({ dialog: "change", member })}
            onRemove={() => onOpen({ dialog: "remove", member })}
          />
        ) : null,
    },
  ];
}

/** At most so many names stand in a cell. */
const MANY = 3;

function Names({ of, none }: { readonly of: readonly Named[]; readonly none: string }): ReactNode {
  if (of.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {none}
      </Text>
    );
  }
  const more = of.length - MANY;
  return (
    <Text size="sm" {...(more > 0 ? { title: of.map((one) => one.name).join(", ") } : {})}>
      {of
        .slice(0, MANY)
        .map((one) => one.name)
        .join(", ")}
      {more > 0 && ` and ${countOf(more, "other")}`}
    </Text>
  );
}
