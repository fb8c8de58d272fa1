/** The two charts, in the platform's colours for light and dark. */

import { type ReactNode, useId } from "react";
import { Area, AreaChart, Bar, BarChart, CartesianGrid, Legend, Tooltip, XAxis, YAxis } from "recharts";
import { type Month, money } from "./figures.ts";

const REVENUE = "var(--mantine-color-petrol-5)";
const COST = "var(--mantine-color-orange-5)";

const AXIS = {
  stroke: "var(--mantine-color-dimmed)",
  fontSize: 12,
  tickLine: false,
  axisLine: false,
} as const;

const TOOLTIP = {
  contentStyle: {
    border: "1px solid var(--mantine-color-default-border)",
    borderRadius: 8,
    background: "var(--hub-panel)",
    fontSize: 13,
  },
  labelStyle: { color: "var(--mantine-color-text)", fontWeight: 600 },
  itemStyle: { color: "var(--mantine-color-text)" },
  cursor: { fill: "var(--mantine-color-default-hover)", stroke: "var(--mantine-color-default-border)" },
} as const;

const SIZE = { width: "100%", height: 280 } as const;

interface RevenueProps {
  readonly months: readonly Month[];
  readonly currency: string;
}

/** Revenue and cost, month by month. */
export function RevenueChart({ months, currency }: RevenueProps): ReactNode {
  const fill = useId();
  return (
    <AreaChart responsive style={SIZE} data={[...months]} margin={{ top: 8, right: 8, left: 0, bottom: 0 }}>
      <defs>
        <linearGradient id={fill} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0%" stopColor={REVENUE} stopOpacity={0.35} />
          <stop offset="100%" stopColor={REVENUE} stopOpacity={0.02} />
        </linearGradient>
      </defs>
      <CartesianGrid vertical={false} stroke="var(--hub-hairline)" />
      <XAxis dataKey="month" {...AXIS} />
      <YAxis {...AXIS} width={56} tickFormatter={(amount: number) => money(amount, currency)} />
      <Tooltip {...TOOLTIP} formatter={(amount) => money(Number(amount), currency)} />
      <Legend itemSorter={null} iconType="circle" iconSize={8} wrapperStyle={{ fontSize: 13 }} />
      <Area
        type="monotone"
        dataKey="revenue"
        name="Revenue"
        stroke={REVENUE}
        strokeWidth={2}
        fill={`url(#${fill})`}
        isAnimationActive={false}
      />
      <Area type="monotone" dataKey="cost" name="Cost" stroke={COST} strokeWidth={2} fill="none" isAnimationActive={false} />
    </AreaChart>
  );
}

interface SegmentProps {
  readonly segments: readonly { readonly segment: string; readonly revenue: number }[];
  readonly currency: string;
}

/** Revenue by segment, the largest first. */
export function SegmentChart({ segments, currency }: SegmentProps): ReactNode {
  const sorted = [...segments].sort((a, b) => b.revenue - a.revenue);
  return (
    <BarChart responsive style={SIZE} data={sorted} layout="vertical" margin={{ top: 8, right: 16, left: 0, bottom: 0 }}>
      <CartesianGrid horizontal={false} stroke="var(--hub-hairline)" />
      <XAxis type="number" {...AXIS} tickFormatter={(amount: number) => money(amount, currency)} />
      <YAxis type="category" dataKey="segment" {...AXIS} width={80} />
      <Tooltip {...TOOLTIP} formatter={(amount) => money(Number(amount), currency)} />
      <Bar dataKey="revenue" name="Revenue" fill={REVENUE} radius={[0, 4, 4, 0]} barSize={22} isAnimationActive={false} />
    </BarChart>
  );
}
