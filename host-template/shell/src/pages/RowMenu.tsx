/** What can be done with a row: a button at its end, with a menu. */

import { ActionIcon, Menu } from "@mantine/core";
import Ellipsis from "lucide-react/icons/ellipsis";
import Pencil from "lucide-react/icons/pencil";
import Trash2 from "lucide-react/icons/trash-2";
import type { ReactNode } from "react";

interface Props {
  /** Names the row. */
  readonly of: string;
  readonly onChange: () => void;
  readonly onRemove: () => void;
}

/** "Change…" and "Remove…": both open a dialog. */
export function RowMenu({ of, onChange, onRemove }: Props): ReactNode {
  return (
    <Menu position="bottom-end" width={170}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Actions for ${of}`}>
          <Ellipsis size={18} aria-hidden="true" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<Pencil size={15} aria-hidden="true" />} onClick={onChange}>
          Change…
        </Menu.Item>
        <Menu.Item color="red" leftSection={<Trash2 size={15} aria-hidden="true" />} onClick={onRemove}>
          Remove…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
