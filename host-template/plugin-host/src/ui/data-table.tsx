/** A table that is a table where there is room, and a list of cards on a phone. Rows may open to show more. */

import { Text, UnstyledButton, VisuallyHidden } from "@mantine/core";
import ChevronRight from "lucide-react/icons/chevron-right";
import { Fragment, type ReactNode, useId, useState } from "react";
import styles from "./data-table.module.css";

/** One column. */
export interface Column<T> {
  readonly label: string;
  /** Null where there is nothing: a dash in the table, and no line on a phone. */
  readonly cell: (row: T) => ReactNode;
  /** Numbers stand at the right. */
  readonly numeric?: boolean;
  /** What can be done with the row: at its end, and on a phone in the corner of its card. */
  readonly actions?: boolean;
}

interface Props<T> {
  /** What the table shows, for those who cannot see it. */
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string | number;
  /** What opens below a row; null for a row without. */
  readonly detail?: (row: T) => ReactNode;
  /** Names a row on the button that opens it. */
  readonly rowName?: (row: T) => string;
  /** What stands below a row whether or not it is open, such as why something was refused; null for nothing. */
  readonly note?: (row: T) => ReactNode;
}

/** The first column names the row. */
export function DataTable<T>({ caption, columns, rows, rowKey, detail, rowName, note }: Props<T>): ReactNode {
  return (
    <div className={styles.frame}>
      <table className={styles.table}>
        <caption>
          <VisuallyHidden>{caption}</VisuallyHidden>
        </caption>
        <thead>
          <tr>
            {detail !== undefined && (
              <th scope="col" className={styles.toggle}>
                <VisuallyHidden>Details</VisuallyHidden>
              </th>
            )}
            {columns.map((column) => (
              <th
                key={column.label}
                scope="col"
                data-numeric={column.numeric || undefined}
                data-actions={column.actions || undefined}
              >
                {column.actions === true ? <VisuallyHidden>{column.label}</VisuallyHidden> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={rowKey(row)} row={row} columns={columns} detail={detail} note={note} name={rowName?.(row) ?? ""} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps<T> {
  readonly row: T;
  readonly columns: readonly Column<T>[];
  readonly detail: Props<T>["detail"] | undefined;
  readonly note: Props<T>["note"] | undefined;
  readonly name: string;
}

function Row<T>({ row, columns, detail, note, name }: RowProps<T>): ReactNode {
  const [open, setOpen] = useState(false);
  const detailId = useId();
  const more = open ? detail?.(row) : null;
  const below = note?.(row) ?? null;
  const span = columns.length + (detail === undefined ? 0 : 1);
  return (
    <Fragment>
      <tr>
        {detail !== undefined && (
          <td className={styles.toggle}>
            <UnstyledButton
              className={styles.button}
              aria-expanded={open}
              aria-controls={open ? detailId : undefined}
              aria-label={`Details of ${name}`}
              onClick={() => setOpen(!open)}
            >
              <ChevronRight size={16} className={styles.chevron} data-open={open || undefined} aria-hidden="true" />
            </UnstyledButton>
          </td>
        )}
        {columns.map((column, index) => (
          <td
            key={column.label}
            data-label={column.label}
            data-first={index === 0 || undefined}
            data-numeric={column.numeric || undefined}
            data-actions={column.actions || undefined}
          >
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {below !== null && (
        <tr className={styles.note}>
          <td colSpan={span}>{below}</td>
        </tr>
      )}
      {open && (
        <tr className={styles.detail} id={detailId}>
          <td colSpan={span}>{more ?? <Text size="sm">No further details.</Text>}</td>
        </tr>
      )}
    </Fragment>
  );
}
