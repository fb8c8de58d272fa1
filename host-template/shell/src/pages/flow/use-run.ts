/** Follows a run: its state and its log, as they come. */

import { useEffect, useRef, useState } from "react";
import { EMPTY_LOG, type Log, type Run, withChunks } from "../../flow.ts";

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

/** Follows the run from its beginning to its end; `onState` is called with each state that it comes to. */
export function useRun(id: string, onState: (run: Run) => void): FollowedRun {
  const [followed, setFollowed] = useState(NOTHING);
  const tell = useRef(onState);
  useEffect(() => {
    tell.current = onState;
  });

  useEffect(() => {
    setFollowed(NOTHING);
    let waiting: { readonly seq: number; readonly text: string }[] = [];
    let timer: number | undefined;
    const flush = () => {
      timer = undefined;
      const chunks = waiting;
      waiting = [];
      setFollowed((last) => ({ ...last, log: withChunks(last.log, chunks) }));
    };
    const source = new EventSource(`/api/dbt/runs/${encodeURIComponent(id)}/events`);
    source.addEventListener("open", () => setFollowed((last) => ({ ...last, broken: false })));
    source.addEventListener("log", (event: MessageEvent<string>) => {
      waiting.push(JSON.parse(event.data) as { seq: number; text: string });
      timer ??= window.setTimeout(flush, PACE);
    });
    source.addEventListener("state", (event: MessageEvent<string>) => {
      const run = JSON.parse(event.data) as Run;
      setFollowed((last) => ({ ...last, run }));
      tell.current(run);
    });
    source.addEventListener("end", () => {
      source.close();
      window.clearTimeout(timer);
      flush();
    });
    // A broken connection the browser takes up again by itself; the log's numbers tell what is there already.
    source.addEventListener("error", () => setFollowed((last) => ({ ...last, broken: true })));
    return () => {
      source.close();
      window.clearTimeout(timer);
    };
  }, [id]);

  return followed;
}
