/** A command to be run in a terminal, with a button that copies it. */

import { ActionIcon, CopyButton, Tooltip } from "@mantine/core";
import Check from "lucide-react/icons/check";
import Copy from "lucide-react/icons/copy";
import type { ReactNode } from "react";
import styles from "./copy-command.module.css";

/** The text can be chosen by hand as well: a page that was not loaded securely may not copy. */
export function CopyCommand({ command }: { readonly command: string }): ReactNode {
  return (
    <span className={styles.frame}>
      <code className={styles.command}>{command}</code>
      <CopyButton value={command} timeout={2000}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : "Copy"}>
            <ActionIcon
              variant="subtle"
              color={copied ? "teal" : "gray"}
              size="sm"
              aria-label={copied ? `Copied: ${command}` : `Copy the command: ${command}`}
              onClick={copy}
            >
              {copied ? <Check size={15} aria-hidden="true" /> : <Copy size={15} aria-hidden="true" />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </span>
  );
}
