/** Marks each record of the Records page with the plugin's name, above the card that it had before. */

import type { OverrideProps } from "@platform/plugin-host";
import type { ReactNode } from "react";
import styles from "./RecordCard.module.css";

/** Claims `records.card`. `Original` draws the card that this one replaces, with the props that it would have had. */
export default function RecordCard({ record, Original }: OverrideProps<"records.card">): ReactNode {
  return (
    <div className={styles.frame} data-plugin="sample-plugin">
      <p className={styles.mark}>Sample plugin: {record.title}</p>
      <Original />
    </div>
  );
}
