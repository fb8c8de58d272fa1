/** Follows a run: its state and its log, as they come. */

import { platformUrl } from "@platform/plugin-host";
import { useEffect, useRef, useState } from "react";
import { EMPTY_LOG, type Log, type Run, withChunks } from "../../flow.ts";
import { reopenDelay } from "../../session-state.ts";

/** What is known of a run so far. */
export interface FollowedRun {
  readonly run: Run | undefined;
  readonly log: Log;
  /** Whether news cannot be had at the moment. */
  readonly broken: boolean;
}

const NOTHING: FollowedRun = { run: undefined, log: EMPTY_LOG, broken: false };

/** Milliseconds between two drawings of a log that comes fast. */
const PACE = 100;

/** Refusals in a row after which nothing more is tried: some four minutes. */
const MOST_FAILURES = 12;

/**
 * Follows the run from its beginning to its end; `onState` is called with each state that it comes to.
 *
 * The stream is closed while the page cannot be seen: a browser keeps few connections to one server. It begins anew
 * each time; the numbers of the log's parts tell what is there already.
 */
export function useRun(id: string, onState: (run: Run) => void): FollowedRun {
  const [followed, setFollowed] = useState(NOTHING);
  const tell = useRef(onState);
  useEffect(() => {
    tell.current = onState;
  });

  useEffect(() => {
    setFollowed(NOTHING);
    let source: EventSource | undefined;
    let ended = false;
    let failures = 0;
    let reopening: number | undefined;
    let drawing: number | undefined;
    let waiting: { readonly seq: number; readonly text: string }[] = [];

    const draw = () => {
      window.clearTimeout(drawing);
      drawing = undefined;
      const chunks = waiting;
      waiting = [];
      setFollowed((last) => ({ ...last, log: withChunks(last.log, chunks) }));
    };
    const close = () => {
      window.clearTimeout(reopening);
      source?.close();
      source = undefined;
    };
    const open = () => {
      close();
      const stream = new EventSource(platformUrl(`/api/dbt/runs/${encodeURIComponent(id)}/events`));
      source = stream;
      stream.addEventListener("open", () => {
        failures = 0;
        setFollowed((last) => ({ ...last, broken: false }));
      });
      stream.addEventListener("log", (event: MessageEvent<string>) => {
        waiting.push(JSON.parse(event.data) as { seq: number; text: string });
        drawing ??= window.setTimeout(draw, PACE);
      });
      stream.addEventListener("state", (event: MessageEvent<string>) => {
        const run = JSON.parse(event.data) as Run;
        setFollowed((last) => ({ ...last, run }));
        tell.current(run);
      });
      stream.addEventListener("end", () => {
        ended = true;
        close();
        draw();
      });
      stream.addEventListener("error", () => {
        setFollowed((last) => ({ ...last, broken: true }));
        // The browser itself comes back from a broken connection, and gives up after an answer that is a refusal.
        if (stream.readyState === EventSource.CLOSED && source === stream && failures < MOST_FAILURES) {
          reopening = window.setTimeout(open, reopenDelay(failures));
          failures += 1;
        }
      });
    };
    const onVisibility = () => {
      if (document.hidden) {
        close();
      } else if (source === undefined && !ended) {
        open();
      }
    };

    onVisibility();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      window.clearTimeout(drawing);
      close();
    };
  }, [id]);

  return followed;
}
