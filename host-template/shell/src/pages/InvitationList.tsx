/** The invitations that wait to be accepted, and the dialog that shows a link once. */

import { ActionIcon, Badge, Button, CopyButton, Group, Menu, Modal, Stack, Text, TextInput } from "@mantine/core";
import { apiDelete, apiPost, asApiError } from "@platform/plugin-host";
import { type Column, ConfirmDialog, DataTable, EmptyState, ErrorState, formatDate } from "@platform/plugin-host/ui";
import Ellipsis from "lucide-react/icons/ellipsis";
import Send from "lucide-react/icons/send";
import Trash2 from "lucide-react/icons/trash-2";
import { type ReactNode, useState } from "react";
import { type Invitation, type Invited, linkOf, mayManage, standing } from "../invitations.ts";
import { may, useSession } from "../session.ts";

interface Props {
  readonly invitations: readonly Invitation[];
  readonly onChanged: () => void;
  /** A link has been made: it is shown this once. */
  readonly onInvited: (invited: Invited) => void;
}

/** Who may only look sees the table alone. */
export function InvitationList({ invitations, onChanged, onInvited }: Props): ReactNode {
  const session = useSession();
  const [revoking, setRevoking] = useState<{ open: boolean; invitation?: Invitation }>({ open: false });
  const [trouble, setTrouble] = useState<{ title: string; detail: string } | undefined>();
  const { invitation } = revoking;

  async function resend(one: Invitation): Promise<void> {
    setTrouble(undefined);
    try {
      onInvited(await apiPost<Invited>(`/api/invitations/${encodeURIComponent(one.id)}/resend`, {}));
      onChanged();
    } catch (caught) {
      const error = asApiError(caught);
      setTrouble({ title: error.title, detail: error.message });
    }
  }

  const columns: Column<Invitation>[] = [
    {
      label: "Address",
      cell: ({ email, name }) => (
        <div>
          <Text size="sm" fw={600}>
            {email}
          </Text>
          {name !== "" && (
            <Text size="xs" c="dimmed">
              {name}
            </Text>
          )}
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
    {
      label: "Tenants",
      cell: ({ tenants }) => (
        <Text size="sm" {...(tenants.length === 0 ? { c: "dimmed" } : {})}>
          {tenants.length === 0 ? `All of ${session.org.name}` : tenants.map((one) => one.name).join(", ")}
        </Text>
      ),
    },
    { label: "Invited by", cell: ({ invited_by }) => <Text size="sm">{invited_by}</Text> },
    {
      label: "State",
      cell: (one) => {
        const { label, color } = standing(one);
        return (
          <Badge variant="light" color={color}>
            {label}
          </Badge>
        );
      },
    },
    { label: "Open until", cell: ({ expires_at }) => <Text size="sm">{formatDate(expires_at)}</Text> },
  ];
  if (may(session, "members.manage")) {
    columns.push({
      label: "Actions",
      actions: true,
      cell: (one) =>
        mayManage(session, one) ? (
          <Menu position="bottom-end" width={190}>
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Actions for ${one.email}`}>
                <Ellipsis size={18} aria-hidden="true" />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<Send size={15} aria-hidden="true" />} onClick={() => void resend(one)}>
                New link
              </Menu.Item>
              <Menu.Item
                color="red"
                leftSection={<Trash2 size={15} aria-hidden="true" />}
                onClick={() => setRevoking({ open: true, invitation: one })}
              >
                Take back…
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        ) : null,
    });
  }

  return (
    <Stack gap="sm">
      {trouble !== undefined && <ErrorState title={trouble.title} detail={trouble.detail} />}
      {invitations.length === 0 ? (
        <EmptyState title="No open invitations" hint="People whom you invite are listed here until they accept." />
      ) : (
        <DataTable
          caption={`Open invitations of ${session.org.name}`}
          columns={columns}
          rows={invitations}
          rowKey={(one) => one.id}
        />
      )}
      <ConfirmDialog
        title={`Withdraw the invitation of ${invitation?.email ?? ""}?`}
        opened={revoking.open}
        onClose={() => setRevoking((last) => ({ ...last, open: false }))}
        confirmLabel="Withdraw"
        onConfirm={async () => {
          if (invitation !== undefined) {
            await apiDelete(`/api/invitations/${encodeURIComponent(invitation.id)}`);
            onChanged();
          }
        }}
      >
        <Text size="sm">The link stops working immediately.</Text>
      </ConfirmDialog>
    </Stack>
  );
}

interface LinkProps {
  /** What was answered; none closes the dialog. */
  readonly invited: Invited | undefined;
  readonly onClose: () => void;
}

/** What to do with a new invitation: nothing where it went by mail, else pass on the link. */
export function InvitedDialog({ invited, onClose }: LinkProps): ReactNode {
  return (
    <Modal
      opened={invited !== undefined}
      onClose={onClose}
      title={<strong>Invitation for {invited?.email ?? ""}</strong>}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {invited !== undefined && <InvitedBody invited={invited} onClose={onClose} />}
    </Modal>
  );
}

function InvitedBody({ invited, onClose }: { readonly invited: Invited; readonly onClose: () => void }): ReactNode {
  if (invited.link === null) {
    return (
      <Stack gap="md">
        <Text size="sm">
          A mail with the link is on its way to {invited.email}. It works once, until {formatDate(invited.expires_at)}.
        </Text>
        <Group justify="flex-end">
          <Button onClick={onClose}>Done</Button>
        </Group>
      </Stack>
    );
  }
  const link = linkOf(invited.link, window.location.origin);
  return (
    <Stack gap="md">
      <Text size="sm">
        {invited.mail === "failed" ? "The mail server did not accept the mail. " : ""}
        Pass this link on to {invited.email} and to nobody else: whoever opens it can join. It is shown only once, works once, and
        is open until {formatDate(invited.expires_at)}.
      </Text>
      <TextInput
        label="Link"
        value={link}
        readOnly
        onFocus={(event) => event.currentTarget.select()}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: "var(--mantine-font-size-xs)" } }}
      />
      <Group justify="flex-end">
        <CopyButton value={link} timeout={2000}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy link"}
            </Button>
          )}
        </CopyButton>
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}
