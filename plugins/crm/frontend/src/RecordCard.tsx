/** Draws a platform record as a customer: who it is and how to reach them; the standard card is one click away. */

import { Avatar, UnstyledButton } from "@mantine/core";
import type { OverrideProps } from "@platform/plugin-host";
import { formatDate, StatusBadge } from "@platform/plugin-host/ui";
import Mail from "lucide-react/icons/mail";
import Phone from "lucide-react/icons/phone";
import { type ReactNode, useState } from "react";
import styles from "./RecordCard.module.css";

/** Claims `records.card`. `Original` draws the card that this one replaces. */
export function CustomerRecordCard({ record, Original }: OverrideProps<"records.card">): ReactNode {
  const [standard, setStandard] = useState(false);
  return (
    <div className={styles.frame}>
      {standard ? <Original /> : <CustomerCard record={record} />}
      <UnstyledButton className={styles.switch} aria-pressed={standard} onClick={() => setStandard(!standard)}>
        {standard ? "Customer card" : "Standard card"}
      </UnstyledButton>
    </div>
  );
}

function CustomerCard({ record }: Pick<OverrideProps<"records.card">, "record">): ReactNode {
  const email = textOf(record.fields?.email);
  const phone = textOf(record.fields?.phone);
  return (
    <article className={styles.card} data-crm-card="">
      <header className={styles.head}>
        <Avatar name={record.title} color="initials" radius="md" alt="" />
        <div className={styles.who}>
          <h3 className={styles.name}>{record.title}</h3>
          <p className={styles.subtitle}>{record.subtitle ?? "Customer"}</p>
        </div>
        <StatusBadge status={record.status} />
      </header>
      <ul className={styles.contacts}>
        {email !== undefined && (
          <li>
            <Mail size={14} aria-hidden="true" />
            <a href={`mailto:${email}`}>{email}</a>
          </li>
        )}
        {phone !== undefined && (
          <li>
            <Phone size={14} aria-hidden="true" />
            <a href={`tel:${phone.replace(/[^+\d]/g, "")}`}>{phone}</a>
          </li>
        )}
        {email === undefined && phone === undefined && <li className={styles.none}>No contact details</li>}
      </ul>
      <p className={styles.since}>Since {formatDate(record.created_at)}</p>
    </article>
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
