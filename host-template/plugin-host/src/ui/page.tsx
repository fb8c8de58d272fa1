/** The frame of a page: heading, what it is about, actions, and the document's title. */

import { Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import styles from "./page.module.css";

/** The platform's name, as the served page carries it. */
const platformName = typeof document === "undefined" ? "" : document.title;

/** Sets the browser's title to "page · platform" for as long as the caller is mounted. */
export function useDocumentTitle(title: string): void {
  useEffect(() => {
    const before = document.title;
    document.title = platformName === "" ? title : `${title} · ${platformName}`;
    return () => {
      document.title = before;
    };
  }, [title]);
}

interface Props {
  readonly title: string;
  readonly description?: ReactNode;
  /** Buttons at the right of the heading. */
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A page's heading and body. */
export function Page({ title, description, actions, children }: Props): ReactNode {
  useDocumentTitle(title);
  return (
    <Stack gap="lg">
      <div className={styles.head}>
        <Stack gap={4} className={styles.heading}>
          <Title order={1}>{title}</Title>
          {description !== undefined && (
            <Text c="dimmed" size="sm">
              {description}
            </Text>
          )}
        </Stack>
        {actions !== undefined && <div className={styles.actions}>{actions}</div>}
      </div>
      {children}
    </Stack>
  );
}
