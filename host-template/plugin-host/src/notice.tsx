/** The small notice that stands above a default surface whose override failed. */

import { type ReactNode, useSyncExternalStore } from "react";
import { type FailedPlace, retryClaim, showsNotice, subscribeToFailures } from "./failures.ts";
import styles from "./plugin-host.module.css";
import type { Claim } from "./types.ts";

interface Props {
  readonly surface: string;
  readonly claim: Claim;
  readonly place: FailedPlace;
  readonly error: unknown;
}

/** Names plugin and key, says why, and offers another try. Only the first place of a claim shows it. */
export function FailureNotice({ surface, claim, place, error }: Props): ReactNode {
  const shown = useSyncExternalStore(subscribeToFailures, () => showsNotice(claim.id, place));
  if (!shown) {
    return null;
  }
  return (
    <div className={styles.notice} role="status" data-override-failure={claim.id}>
      <span className={styles.mark} aria-hidden="true">
        !
      </span>
      <span className={styles.text}>
        <strong>{claim.plugin}</strong> could not show <code>{surface}</code>, so you see the standard view.{" "}
        <span className={styles.reason}>{reasonOf(error)}</span>
      </span>
      <button type="button" className={styles.retry} onClick={() => retryClaim(claim.id)}>
        Try again
      </button>
    </div>
  );
}

/** One line about an error, whatever was thrown. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}
