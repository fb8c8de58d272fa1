/** Numbers and dates, as text in the reader's own way. */

const numbers = new Intl.NumberFormat();
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

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
