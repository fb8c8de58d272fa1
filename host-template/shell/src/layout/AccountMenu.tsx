/** Who is signed in, for which organisation and in which role. */

import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import type { ReactNode } from "react";
import { useSession } from "../session.ts";

/** The caller's initials; a menu says the rest. */
export function AccountMenu(): ReactNode {
  const { user, org, tenant, role } = useSession();
  return (
    <Menu position="bottom-end" width={250}>
      <Menu.Target>
        <UnstyledButton aria-label={`Account of ${user.name}`}>
          <Avatar name={user.name} color="petrol" size={32} radius="xl" alt="" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <div style={{ padding: "0.5rem 0.75rem" }}>
          <Text size="sm" fw={600} truncate>
            {user.name}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {user.email}
          </Text>
        </div>
        <Menu.Divider />
        <div style={{ padding: "0.5rem 0.75rem" }}>
          <Text size="xs" c="dimmed">
            {org.name}
            {tenant === null ? "" : ` · ${tenant.name}`} · {role}
          </Text>
        </div>
      </Menu.Dropdown>
    </Menu>
  );
}
