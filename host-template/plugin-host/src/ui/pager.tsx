/** "21–40 of 57" with a way back and a way on. */

import { ActionIcon, Group, Text } from "@mantine/core";
import ChevronLeft from "lucide-react/icons/chevron-left";
import ChevronRight from "lucide-react/icons/chevron-right";
import type { ReactNode } from "react";
import type { ListOf } from "../records.ts";
import { formatNumber } from "./format.ts";
import { lastPage } from "./list-page.ts";

interface Props {
  readonly list: ListOf<unknown>;
  readonly page: number;
  readonly onPage: (page: number) => void;
}

/** Nothing where everything is on one page. */
export function Pager({ list, page, onPage }: Props): ReactNode {
  const last = lastPage(list);
  if (last === 1 && page === 1) {
    return null;
  }
  const from = list.items.length === 0 ? 0 : list.offset + 1;
  const to = list.offset + list.items.length;
  return (
    <Group component="nav" aria-label="Pages" justify="space-between" gap="sm">
      <Text size="sm" c="dimmed">
        {formatNumber(from)}–{formatNumber(to)} of {formatNumber(list.total)}
      </Text>
      <Group gap="xs">
        <ActionIcon variant="default" size="lg" aria-label="Previous page" disabled={page <= 1} onClick={() => onPage(page - 1)}>
          <ChevronLeft size={17} aria-hidden="true" />
        </ActionIcon>
        <Text size="sm" c="dimmed">
          Page {formatNumber(page)} of {formatNumber(last)}
        </Text>
        <ActionIcon variant="default" size="lg" aria-label="Next page" disabled={page >= last} onClick={() => onPage(page + 1)}>
          <ChevronRight size={17} aria-hidden="true" />
        </ActionIcon>
      </Group>
    </Group>
  );
}
