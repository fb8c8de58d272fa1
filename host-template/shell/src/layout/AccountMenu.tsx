/** Who is signed in, for which organisation and in which role. */

import { Avatar, Box, Menu, Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import { useSession } from "../session.ts";

/** The caller's initials; a menu says the rest. */
export function AccountMenu(): ReactNode {
  const { user, org, tenant, role } = useSession();
  return (
    <Menu position="bottom-end" width={250}>
      <Menu.Target>
        <UnstyledButton>
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
        </Box>
        <Menu.Divider />
        <Box px="sm" py="xs">
          <Text size="xs" c="dimmed">
            {org.name}
            {tenant === null ? "" : ` · ${tenant}`} · {role}
          </Text>
        </Box>
      </Menu.Dropdown>
    </Menu>
  );
}
