/** A verdict as a mark and a word, in a colour that says the same. */

import { Badge } from "@mantine/core";
import Check from "lucide-react/icons/check";
import CircleDashed from "lucide-react/icons/circle-dashed";
import LoaderCircle from "lucide-react/icons/loader-circle";
import TriangleAlert from "lucide-react/icons/triangle-alert";
import X from "lucide-react/icons/x";
import type { ComponentType, ReactNode } from "react";
import type { Tone, Verdict } from "../../flow.ts";
import styles from "./flow.module.css";

interface GlyphProps {
  readonly size?: number;
  readonly className?: string;
  readonly "aria-hidden"?: "true";
}

const GLYPHS: Readonly<Record<Tone, ComponentType<GlyphProps>>> = {
  good: Check,
  busy: LoaderCircle,
  warned: TriangleAlert,
  bad: X,
  idle: CircleDashed,
};

const COLOURS: Readonly<Record<Tone, string>> = { good: "teal", busy: "blue", warned: "orange", bad: "red", idle: "gray" };

/** The mark alone; a word has to stand beside it. */
export function ToneMark({ tone, size = 14 }: { readonly tone: Tone; readonly size?: number }): ReactNode {
  const Glyph = GLYPHS[tone];
  return <Glyph size={size} className={tone === "busy" ? styles.turning : ""} aria-hidden="true" />;
}

/** Mark and word. */
export function VerdictBadge({ verdict }: { readonly verdict: Verdict }): ReactNode {
  return (
    <Badge
      variant="light"
      className={styles.verdict}
      color={COLOURS[verdict.tone]}
      leftSection={<ToneMark tone={verdict.tone} size={13} />}
      data-tone={verdict.tone}
    >
      {verdict.word}
    </Badge>
  );
}
