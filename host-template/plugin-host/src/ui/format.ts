/** Numbers and dates, as text in the reader's own way. */

const numbers = new Intl.NumberFormat();
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A number with its thousands set apart. */
export function formatNumber(value: number): string {
  return numbers.format(value);
}

/** A date from RFC 3339 text; the text itself where it is none. */
export function formatDate(text: string | null | undefined): string {
  if (text === null || text === undefined || text === "") {
    return "–";
  }
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : dates.format(time);
}

/** Date and time of day from RFC 3339 text, where the reader is; the text itself where it is none. */
export function formatTime(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : times.format(time);
}

/** The same moment in UTC: `2026-01-15 13:05:00 UTC`. */
export function formatUtc(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
