/** What the platform says of itself, as people read it: sentences, and names that stood in backticks as code. */

import { Fragment, type ReactNode } from "react";

/** A problem's detail as a sentence: they begin small and have no full stop. A name in backticks stays as it is. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") {
    return "";
  }
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

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
    // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of one text never change places
    index % 2 === 1 ? <code key={index}>{piece}</code> : <Fragment key={index}>{piece}</Fragment>,
  );
}
