/** Text of the platform with `names` in backticks, as people read it. */

import { Fragment, type ReactNode } from "react";

/** The text in pieces; every second one stood in backticks. A backtick without a partner is text. */
export function pieces(text: string): readonly string[] {
  const parts = text.split("`");
  if (parts.length % 2 === 1) {
    return parts;
  }
  const last = parts.slice(-2).join("`");
  return [...parts.slice(0, -2), last];
}

/** The text, its names as code. */
export function Ticked({ text }: { readonly text: string }): ReactNode {
  return pieces(text).map((piece, index) =>
    index % 2 === 1 ? <code key={index}>{piece}</code> : <Fragment key={index}>{piece}</Fragment>,
  );
}
