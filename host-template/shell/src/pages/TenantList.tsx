/** The tenants: the parts of the organisation for which plugins can be switched one by one. */

import { Group, Stack, Text } from "@mantine/core";
import { CreateDialog, DataTable, EmptyState, type FormField } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { type Member, membersByTenant } from "../members.ts";
import { may, type Named, useSessionHandle } from "../session.ts";

interface Props {
  readonly tenants: readonly Named[];
  readonly members: readonly Member[];
  readonly onChanged: () => void;
}

const FIELDS: readonly FormField[] = [{ name: "name", label: "Name", required: true, placeholder: "North clinic" }];

/** Admins add tenants; whoever may see members sees them. */
export function TenantList({ tenants, members, onChanged }: Props): ReactNode {
  const { session, reload } = useSessionHandle();
  const counts = membersByTenant(members);
  const add = may(session, "admin") ? (
    <CreateDialog<Named>
      title="Add tenant"
      path="/api/tenants"
      fields={FIELDS}
      onCreated={() => {
        reload();
        onChanged();
      }}
    />
  ) : undefined;
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed" maw={560}>
          A tenant is a part of {session.org.name}: members work in it, and plugins can be on or off for it alone.
        </Text>
        {tenants.length > 0 && add}
      </Group>
      {tenants.length === 0 ? (
        <EmptyState title="No tenants" hint={`Everybody works in ${session.org.name} at large.`} action={add} />
      ) : (
        <DataTable
          caption={`Tenants of ${session.org.name}`}
          columns={[
            {
              label: "Tenant",
              cell: (tenant) => (
                <Text size="sm" fw={600}>
                  {tenant.name}
                </Text>
              ),
            },
            { label: "Members", cell: (tenant) => counts.get(tenant.id) ?? 0, numeric: true },
          ]}
          rows={tenants}
          rowKey={(tenant) => tenant.id}
        />
      )}
    </Stack>
  );
}
