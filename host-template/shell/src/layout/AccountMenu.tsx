/** Who is signed in and where they work; ways to work elsewhere, to change the password, and to leave. */

import { Avatar, Box, Menu, ScrollArea, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { apiPost, asApiError } from "@platform/plugin-host";
import Check from "lucide-react/icons/check";
import KeyRound from "lucide-react/icons/key-round";
import LogOut from "lucide-react/icons/log-out";
import { type ReactNode, useState } from "react";
import { useNavigate } from "react-router";
import { PasswordDialog } from "../account/PasswordDialog.tsx";
import { placeOf, type Session, useSessionHandle } from "../session.ts";
import styles from "./layout.module.css";

/** The caller's initials; a menu says and does the rest. */
export function AccountMenu(): ReactNode {
  const { session, reload, leave } = useSessionHandle();
  const { user, role } = session;
  const [password, { open: openPassword, close: closePassword }] = useDisclosure(false);
  const [failure, setFailure] = useState<string | undefined>();
  const navigate = useNavigate();

  async function run(action: () => Promise<unknown>): Promise<void> {
    setFailure(undefined);
    try {
      await action();
    } catch (caught) {
      const error = asApiError(caught);
      // A session that has ended needs no signing out, and shows so by itself.
      if (error.status !== 401) {
        setFailure(error.message);
      }
    }
  }

  const switchTo = (place: object) =>
    void run(async () => {
      await apiPost("/api/session/switch", place);
      reload();
    });
  const signOut = () =>
    void run(async () => {
      await apiPost("/api/auth/logout", {});
      leave();
      await navigate("/");
    });

  return (
    <>
      <Menu position="bottom-end" width={270} onClose={() => setFailure(undefined)}>
        <Menu.Target>
          <UnstyledButton className={styles.account}>
            <Avatar name={user.name} color="petrol" size={32} radius="xl" alt="" />
            <VisuallyHidden>, account of {user.name}</VisuallyHidden>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Box px="sm" py="xs">
            <Text size="sm" fw={600} truncate>
              {user.name}
            </Text>
            <Text size="xs" c="dimmed" truncate>
              {user.email}
            </Text>
            <Text size="xs" c="dimmed" mt={6}>
              {placeOf(session)} · {role}
            </Text>
          </Box>
          <PlaceChoices session={session} onChoose={switchTo} />
          <Menu.Divider />
          <Menu.Item leftSection={<KeyRound size={16} aria-hidden="true" />} onClick={openPassword}>
            Change password
          </Menu.Item>
          <Menu.Item leftSection={<LogOut size={16} aria-hidden="true" />} closeMenuOnClick={false} onClick={signOut}>
            Sign out
          </Menu.Item>
          {failure !== undefined && (
            <Text size="xs" c="var(--mantine-color-red-text)" px="sm" py="xs" role="alert">
              {failure}
            </Text>
          )}
        </Menu.Dropdown>
      </Menu>
      <PasswordDialog opened={password} onClose={closePassword} />
    </>
  );
}

interface ChoicesProps {
  readonly session: Session;
  /** With the body of `POST /api/session/switch`. */
  readonly onChoose: (place: object) => void;
}

/** The other organisations and tenants, where there are any. */
function PlaceChoices({ session, onChoose }: ChoicesProps): ReactNode {
  const { org, orgs, tenant } = session;
  const tenants = tenantChoices(session);
  return (
    <>
      {orgs.length > 1 && (
        <Choices label="Organisation" options={orgs} chosen={org.id} onChoose={(id) => id !== null && onChoose({ org: id })} />
      )}
      {tenants.length > 1 && (
        <Choices label="Tenant" options={tenants} chosen={tenant?.id ?? null} onChoose={(id) => onChoose({ tenant: id })} />
      )}
    </>
  );
}

interface Choice {
  /** None for the organisation at large. */
  readonly id: string | null;
  readonly name: string;
}

/** Where the caller may work in this organisation: an admin at large as well, a member in its tenants only. */
export function tenantChoices({ org, tenants, role }: Pick<Session, "org" | "tenants" | "role">): readonly Choice[] {
  return role === "admin" ? [{ id: null, name: `All of ${org.name}` }, ...tenants] : tenants;
}

interface ListProps {
  readonly label: string;
  readonly options: readonly Choice[];
  readonly chosen: string | null;
  readonly onChoose: (id: string | null) => void;
}

function Choices({ label, options, chosen, onChoose }: ListProps): ReactNode {
  return (
    <>
      <Menu.Divider />
      <Menu.Label>{label}</Menu.Label>
      <ScrollArea.Autosize mah={190} type="auto">
        {options.map(({ id, name }) => (
          <Menu.Item
            key={id ?? ""}
            aria-current={id === chosen || undefined}
            rightSection={id === chosen ? <Check size={15} aria-hidden="true" /> : undefined}
            onClick={() => id !== chosen && onChoose(id)}
          >
            {name}
          </Menu.Item>
        ))}
      </ScrollArea.Autosize>
    </>
  );
}
