/** The platform's mark: a hub with four spokes. */

import type { ReactNode } from "react";
import styles from "./layout.module.css";

/** Drawn, not loaded: it stands in the first paint. */
export function Mark(): ReactNode {
  return (
    <svg className={styles.mark} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <g>
        <circle cx="16" cy="16" r="4" />
        <path d="M16 5v7M16 20v7M5 16h7M20 16h7" />
      </g>
    </svg>
  );
}
