/** Sums and texts of the figures; pure. */

/** One month's revenue and cost. */
export interface Month {
  readonly month: string;
  readonly revenue: number;
  readonly cost: number;
}

/** What the tiles at the top of the dashboard show. */
export interface Summary {
  readonly revenue: number;
  readonly cost: number;
  /** Share of revenue that is left, 0 to 1. */
  readonly margin: number;
  /** Change of revenue from the year's first half to its second, 0.1 for ten percent more. */
  readonly growth: number;
}

/** Adds up the months. */
export function summarize(months: readonly Month[]): Summary {
  const sum = (of: readonly Month[], what: "revenue" | "cost") => of.reduce((total, month) => total + month[what], 0);
  const half = Math.floor(months.length / 2);
  const first = sum(months.slice(0, half), "revenue");
  const second = sum(months.slice(months.length - half), "revenue");
  const revenue = sum(months, "revenue");
  const cost = sum(months, "cost");
  return {
    revenue,
    cost,
    margin: revenue === 0 ? 0 : (revenue - cost) / revenue,
    growth: first === 0 ? 0 : second / first - 1,
  };
}

/** An amount in short: "€5.8M". */
export function money(amount: number, currency: string): string {
  return new Intl.NumberFormat("en", {
    style: "currency",
    currency,
    notation: "compact",
    maximumFractionDigits: 1,
  }).format(amount);
}

/** A share as text: "31.4 %", with a sign where it is a change. */
export function percent(share: number, signed = false): string {
  return new Intl.NumberFormat("en", {
    style: "percent",
    maximumFractionDigits: 1,
    signDisplay: signed ? "exceptZero" : "auto",
  }).format(share);
}
