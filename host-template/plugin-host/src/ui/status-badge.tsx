/** A status word as a coloured badge: the same word has the same colour on every page. */

import { Badge } from "@mantine/core";
import type { ReactNode } from "react";

const COLOURS: Readonly<Record<string, string>> = {
  active: "teal",
  admitted: "blue",
  churned: "red",
  closed: "gray",
  customer: "teal",
  discharged: "gray",
  done: "gray",
  error: "red",
  former: "gray",
  inactive: "gray",
  lead: "blue",
  new: "blue",
  ok: "teal",
  open: "blue",
  outpatient: "violet",
  pending: "yellow",
  prospect: "blue",
  waiting: "yellow",
};

/** Nothing where there is no status. */
export function StatusBadge({ status }: { readonly status: string | null | undefined }): ReactNode {
  if (status === null || status === undefined || status === "") {
    return null;
  }
  return (
    <Badge variant="light" color={COLOURS[status.toLowerCase()] ?? "gray"}>
      {status}
    </Badge>
  );
}
