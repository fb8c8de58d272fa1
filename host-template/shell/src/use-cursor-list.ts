/** A list that the API gives out in parts: each answer says where the next part begins. */

import { type ApiError, apiGet, asApiError } from "@platform/plugin-host";
import { useCallback, useEffect, useRef, useState } from "react";

/** One part, as the API answers. */
interface Part<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

interface State<T> {
  readonly items: readonly T[] | undefined;
  readonly next: string | null;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
}

/** What is loaded so far, and the ways to more. */
export interface CursorList<T> extends State<T> {
  /** Loads the next part; nothing happens where there is none. */
  readonly more: () => void;
  /** Begins anew. */
  readonly reload: () => void;
}

/** Loads the first part of what `pathOf(null)` gives; the others as they are asked for, by `pathOf(next)`. */
export function useCursorList<T>(pathOf: (before: string | null) => string): CursorList<T> {
  const first = pathOf(null);
  const [state, setState] = useState<State<T>>({ items: undefined, next: null, error: undefined, loading: true });
  const [turn, setTurn] = useState(0);
  const running = useRef<AbortController>(undefined);

  const load = useCallback((path: string, before: readonly T[]) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState((last) => ({ ...last, loading: true, error: undefined }));
    apiGet<Part<T>>(path, abort.signal).then(
      ({ items, next }) => {
        if (!abort.signal.aborted) {
          setState({ items: [...before, ...items], next, error: undefined, loading: false });
        }
      },
      (error: unknown) => {
        if (!abort.signal.aborted) {
          setState((last) => ({ ...last, error: asApiError(error), loading: false }));
        }
      },
    );
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies(turn): another turn begins anew
  useEffect(() => {
    load(first, []);
    return () => running.current?.abort();
  }, [load, first, turn]);

  return {
    ...state,
    more: () => state.next !== null && load(pathOf(state.next), state.items ?? []),
    reload: useCallback(() => setTurn((current) => current + 1), []),
  };
}
