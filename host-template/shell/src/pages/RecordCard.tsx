/** A record as the platform draws it where no plugin does. */

import { Group, Paper, Stack, Text } from "@mantine/core";
import type { PlatformRecord } from "@platform/plugin-host";
import { formatDate, StatusBadge } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";

/** Title, status, and whatever fields there are. */
export function RecordCard({ record }: { readonly record: PlatformRecord }): ReactNode {
  const fields = Object.entries(record.fields ?? {}).filter(([, value]) => value !== null && value !== "");
  return (
    <Paper withBorder p="md" component="article" data-default-surface="records.card">
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start" gap="sm">
          <div style={{ minWidth: 0 }}>
            <Text fw={600} truncate>
              {record.title}
            </Text>
            <Text size="sm" c="dimmed" truncate>
              {record.subtitle ?? "\u00a0"}
            </Text>
          </div>
          <StatusBadge status={record.status} />
        </Group>
        {fields.map(([name, value]) => (
          <Group key={name} gap="xs" wrap="nowrap">
            <Text size="sm" c="dimmed" w={72}>
              {name}
            </Text>
            <Text size="sm" truncate>
              {typeof value === "object" ? JSON.stringify(value) : String(value)}
            </Text>
          </Group>
        ))}
        <Text size="xs" c="dimmed">
          {record.source ?? "platform"} · {formatDate(record.created_at)}
        </Text>
      </Stack>
    </Paper>
  );
}
