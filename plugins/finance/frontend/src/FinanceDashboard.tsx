/** Takes over the dashboard: revenue and cost as charts. What it replaces stays one click away. */

import { Badge, Group, SegmentedControl } from "@mantine/core";
import type { OverrideProps } from "@platform/plugin-host";
import { Page } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { RevenueChart, SegmentChart } from "./Charts.tsx";
import styles from "./FinanceDashboard.module.css";
import figures from "./figures.json";
import { money, percent, summarize } from "./figures.ts";

/** Claims `dashboard.view`. `Original` is the next plugin's dashboard, or the platform's own. */
export default function FinanceDashboard({ Original }: OverrideProps<"dashboard.view">): ReactNode {
  const [view, setView] = useState("finance");
  const choice = (
    <SegmentedControl
      aria-label="Dashboard"
      size="xs"
      value={view}
      onChange={setView}
      data={[
        { value: "finance", label: "Finance" },
        { value: "original", label: "Operations" },
      ]}
    />
  );
  if (view === "original") {
    return (
      <div className={styles.original}>
        <div className={styles.choice}>{choice}</div>
        <Original />
      </div>
    );
  }
  return (
    <Page
      title="Finance"
      description="Revenue and cost of the last twelve months."
      actions={
        <Group gap="sm">
          <Badge variant="light" color="yellow" title="These numbers come with the plugin; they are not your own books.">
            Sample figures
          </Badge>
          {choice}
        </Group>
      }
    >
      <Tiles />
      <div className={styles.charts}>
        <section className={styles.panel} aria-labelledby="finance-revenue">
          <h2 id="finance-revenue" className={styles.heading}>
            Revenue and cost
          </h2>
          <RevenueChart months={figures.months} currency={figures.currency} />
        </section>
        <section className={styles.panel} aria-labelledby="finance-segments">
          <h2 id="finance-segments" className={styles.heading}>
            Revenue by segment
          </h2>
          <SegmentChart segments={figures.segments} currency={figures.currency} />
        </section>
      </div>
    </Page>
  );
}

function Tiles(): ReactNode {
  const { revenue, cost, margin, growth } = summarize(figures.months);
  const tiles = [
    { label: "Revenue", value: money(revenue, figures.currency), hint: "Twelve months" },
    { label: "Cost", value: money(cost, figures.currency), hint: "Twelve months" },
    { label: "Margin", value: percent(margin), hint: "Of revenue" },
    { label: "Growth", value: percent(growth, true), hint: "Second half against first" },
  ];
  return (
    <dl className={styles.tiles}>
      {tiles.map((tile) => (
        <div key={tile.label} className={styles.tile}>
          <dt>{tile.label}</dt>
          <dd className={styles.value}>{tile.value}</dd>
          <dd className={styles.hint}>{tile.hint}</dd>
        </div>
      ))}
    </dl>
  );
}
