/** Reads the session and follows its changes: news of the platform, refused calls, and the page coming back into view. */

import { apiGet, asApiError, platformUrl, watchRefusals } from "@platform/plugin-host";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Session } from "./session.ts";
import { afterAnswer, doubtsSession, reopenDelay, type SessionState } from "./session-state.ts";

/** What is known, and the ways to change it. */
export interface SessionSource {
  readonly state: SessionState;
  readonly news: number;
  readonly reload: () => void;
  readonly leave: () => void;
}

/** The session of this page. */
export function useSessionSource(): SessionSource {
  const [state, setState] = useState<SessionState>({ kind: "loading" });
  const [news, setNews] = useState(0);
  const running = useRef<AbortController>(undefined);

  const reload = useCallback(() => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    apiGet<Session>("/api/session", abort.signal).then(
      (session) => setState((last) => (abort.signal.aborted ? last : afterAnswer(last, { session }))),
      (error: unknown) => setState((last) => (abort.signal.aborted ? last : afterAnswer(last, { error: asApiError(error) }))),
    );
  }, []);

  const leave = useCallback(() => {
    running.current?.abort();
    setState({ kind: "signed-out", ended: false });
  }, []);

  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);

  useEffect(() => watchRefusals((error, path) => doubtsSession(error, path) && reload()), [reload]);

  const onNews = useCallback(() => {
    reload();
    setNews((count) => count + 1);
  }, [reload]);
  useNews(state.kind === "ready", reload, onNews);

  return { state, news, reload, leave };
}

/** News come in bursts, and to everybody at once: wait for the burst to end, and not all for the same time. */
const settleFor = () => 80 + Math.random() * 120;

/**
 * Calls `onNews` when the platform's stream says so, and when something may have been missed; `onStart` when it begins.
 *
 * The stream is closed while the page cannot be seen: a browser keeps few connections to one server, and pages in the
 * background would use them up.
 */
function useNews(wanted: boolean, onStart: () => void, onNews: () => void): void {
  useEffect(() => {
    if (!wanted) {
      return;
    }
    let stream: EventSource | undefined;
    let settling: number | undefined;
    let reopening: number | undefined;
    let failures = 0;
    let opened = false;

    const soon = () => {
      window.clearTimeout(settling);
      settling = window.setTimeout(onNews, settleFor());
    };
    const close = () => {
      window.clearTimeout(reopening);
      stream?.close();
      stream = undefined;
    };
    const open = () => {
      close();
      const source = new EventSource(platformUrl("/api/session/events"));
      stream = source;
      source.addEventListener("hello", () => {
        // Between the first reading and this moment, or during a break, anything may have changed.
        (opened ? soon : onStart)();
        opened = true;
        failures = 0;
      });
      source.addEventListener("changed", soon);
      source.addEventListener("error", () => {
        // The browser itself comes back from a broken connection, and gives up after an answer that is a refusal.
        if (source.readyState === EventSource.CLOSED && stream === source) {
          soon();
          reopening = window.setTimeout(open, reopenDelay(failures));
          failures += 1;
        }
      });
    };
    const onVisibility = () => {
      if (document.hidden) {
        close();
      } else if (stream === undefined) {
        open();
      }
    };
    const onFocus = () => {
      if (stream?.readyState !== EventSource.OPEN) {
        soon();
        open();
      }
    };

    onVisibility();
    document.addEventListener("visibilitychange", onVisibility);
    window.addEventListener("focus", onFocus);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      window.removeEventListener("focus", onFocus);
      window.clearTimeout(settling);
      close();
    };
  }, [wanted, onStart, onNews]);
}
