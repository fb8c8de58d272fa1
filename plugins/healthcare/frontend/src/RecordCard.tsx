/** The block `RecordCard`: one patient record as a card. */

import type { OverrideProps } from "@platform/plugin-host";
import { formatDate, StatusBadge } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import "./model.ts";
import styles from "./RecordCard.module.css";

type Props = Omit<OverrideProps<"block:RecordCard">, "Original">;

/** Drawn by the records page, and wherever else the block is asked for. */
export default function RecordCard({ record }: Props): ReactNode {
  return (
    <article className={styles.card} data-status={record.status}>
      <header className={styles.head}>
        <h3 className={styles.name}>{record.patient}</h3>
        <StatusBadge status={record.status} />
      </header>
      <dl className={styles.facts}>
        <dt>Diagnosis</dt>
        <dd>{record.diagnosis}</dd>
        <dt>Facility</dt>
        <dd>{record.facility}</dd>
        <dt>Since</dt>
        <dd>{formatDate(record.created_at)}</dd>
      </dl>
    </article>
  );
}
