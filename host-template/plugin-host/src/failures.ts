/**
 * The overrides that failed and where: a list of a hundred cards with a broken override gives one notice,
 * not a hundred, and one retry mends them all.
 */

import { forgetUnloadable } from "./loading.ts";
import type { Claim } from "./types.ts";

/** A place on the page where an override failed. */
export interface FailedPlace {
  /** Renders the override again. */
  retry(): void;
}

const places = new Map<string, Set<FailedPlace>>();
const listeners = new Set<() => void>();

/** Records a failure. True when it is the first of its claim, so that the console gets one line as well. */
export function addFailure(claim: Claim, place: FailedPlace): boolean {
  const known = places.get(claim.id) ?? new Set();
  const first = known.size === 0;
  places.set(claim.id, known.add(place));
  notify();
  return first;
}

/** Forgets a place that left the page. With the last one goes the failure: coming back is another try. */
export function removeFailure(claimId: string, place: FailedPlace): void {
  const failed = places.get(claimId);
  if (failed?.delete(place)) {
    if (failed.size === 0) {
      forgetUnloadable(claimId);
    }
    notify();
  }
}

/** True for the one place of a claim that shows the notice. */
export function showsNotice(claimId: string, place: FailedPlace): boolean {
  const first = places.get(claimId)?.values().next();
  return first?.value === place;
}

/** Fetches the claim's chunk again and renders it wherever it had failed. */
export function retryClaim(claimId: string): void {
  const failed = [...(places.get(claimId) ?? [])];
  places.delete(claimId);
  forgetUnloadable(claimId);
  for (const place of failed) {
    place.retry();
  }
  notify();
}

/** For `useSyncExternalStore`. */
export function subscribeToFailures(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function notify(): void {
  for (const listener of listeners) {
    listener();
  }
}
