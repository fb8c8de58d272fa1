/** What the page knows of the session, and how answers change that: pure, so that every way through it can be tested. */

import type { ApiError } from "@platform/plugin-host";
import type { Session } from "./session.ts";

/** From "not known yet" to "signed in". */
export type SessionState =
  | { readonly kind: "loading" }
  /** `ended`: there was a session, and it is no more. */
  | { readonly kind: "signed-out"; readonly ended: boolean }
  | { readonly kind: "failed"; readonly error: ApiError }
  | { readonly kind: "ready"; readonly session: Session };

/** What came back when the session was read. */
export type Answer = { readonly session: Session } | { readonly error: ApiError };

/** The state after an answer. A session that is the same stays the same object, so that nothing is drawn anew. */
export function afterAnswer(last: SessionState, answer: Answer): SessionState {
  if ("session" in answer) {
    const same = last.kind === "ready" && JSON.stringify(last.session) === JSON.stringify(answer.session);
    return same ? last : { kind: "ready", session: answer.session };
  }
  if (answer.error.status === 401) {
    return last.kind === "signed-out" ? last : { kind: "signed-out", ended: last.kind === "ready" };
  }
  // Who is signed in stays so while the platform cannot be reached: the pages say themselves what they cannot load.
  return last.kind === "ready" ? last : { kind: "failed", error: answer.error };
}

/** Whether a refused call means that the session is not what the page takes it for. */
export function doubtsSession(error: Pick<ApiError, "status" | "code">, path: string): boolean {
  if (path === "/api/session" || path.startsWith("/api/auth/login")) {
    return false;
  }
  return error.status === 401 || error.code === "plugin-not-enabled";
}

/** How long to wait before the stream of news is opened again, after so many failures: 1 s, doubling, 30 s at most. */
export function reopenDelay(failures: number): number {
  return Math.min(30_000, 1_000 * 2 ** Math.min(failures, 10));
}
