/** One block on a dashboard: what its plugin draws, or why nothing is drawn. */

import { Text } from "@mantine/core";
import { type OverrideKey, Surface, usePluginHost } from "@platform/plugin-host";
import Puzzle from "lucide-react/icons/puzzle";
import type { ReactNode } from "react";
import { nameOfBlock, stateOfBlock, type Widget } from "../../dashboards.ts";
import styles from "./dashboards.module.css";

/** A widget in its place. */
export function Block({ widget }: { readonly widget: Widget }): ReactNode {
  // Which blocks a dashboard holds is known when it is read, not when the shell is built.
  const name = widget.block as OverrideKey;
  return (
    <Surface name={name} props={widget.props}>
      <Placeholder block={widget.block} />
    </Surface>
  );
}

function Placeholder({ block }: { readonly block: string }): ReactNode {
  const { chains, enabled } = usePluginHost();
  const state = stateOfBlock(block, chains, enabled);
  return (
    <div className={styles.placeholder} data-block-placeholder={state.kind}>
      <Puzzle size={20} aria-hidden="true" />
      <Text size="sm" fw={600}>
        {nameOfBlock(block)}
      </Text>
      <Text size="xs" c="dimmed">
        {state.kind === "unknown"
          ? "No plugin of this release has this block."
          : state.kind === "off"
            ? `This block comes from ${state.plugins.join(" or ")}, which is not enabled here.`
            : "This block could not be shown."}
      </Text>
    </div>
  );
}
