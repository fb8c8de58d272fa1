/** Draws a platform record as a customer: who it is and who looks after them; the standard card is one click away. */

import { Avatar, UnstyledButton } from "@mantine/core";
import type { OverrideProps } from "@platform/plugin-host";
import { formatDate, formatNumber, Icon, StatusBadge } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import styles from "./RecordCard.module.css";

/** Colours of the platform's palette, which are readable in light and dark. */
const COLOURS = ["petrol", "blue", "teal", "violet", "orange"];

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
  const { owner, region, value, email } = record.fields ?? {};
  return (
    <article className={styles.card} data-crm-card="">
      <header className={styles.head}>
        <Avatar name={record.title} color="initials" allowedInitialsColors={COLOURS} radius="md" alt="" />
        <div className={styles.who}>
          <h3 className={styles.name}>{record.title}</h3>
          <p className={styles.subtitle}>{record.subtitle ?? "Customer"}</p>
        </div>
        <StatusBadge status={record.status} />
      </header>
      <ul className={styles.facts}>
        <Fact icon="user" name="Owner" value={owner} />
        <Fact icon="map-pin" name="Region" value={region} />
        <Fact icon="banknote" name="Value" value={typeof value === "number" ? formatNumber(value) : value} />
        <Fact icon="mail" name="E-mail" value={email} link="mailto:" />
      </ul>
      <p className={styles.since}>Since {formatDate(record.created_at)}</p>
    </article>
  );
}

interface FactProps {
  readonly icon: string;
  readonly name: string;
  readonly value: unknown;
  /** What a link to the value begins with. */
  readonly link?: string;
}

/** One thing that is known of a customer; nothing where it is not known. */
function Fact({ icon, name, value, link }: FactProps): ReactNode {
  if (typeof value !== "string" || value === "") {
    return null;
  }
  return (
    <li title={name}>
      <Icon name={icon} size={14} />
      {link === undefined ? <span>{value}</span> : <a href={link + value}>{value}</a>}
    </li>
  );
}
