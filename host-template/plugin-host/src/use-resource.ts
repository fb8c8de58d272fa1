/** `useResource`: the state of one GET, with reload; old data stays while new data is on its way. */

import { useCallback, useEffect, useState } from "react";
import { ApiError, apiGet } from "./api.ts";

/** What is known of a path of the API. */
export interface Resource<T> {
  /** The last good answer; stays while a reload runs or after one fails. */
  readonly data: T | undefined;
  /** Why the last call failed; undefined after a good one. */
  readonly error: ApiError | undefined;
  /** True while a call runs. */
  readonly loading: boolean;
  /** Calls again. */
  readonly reload: () => void;
  /** Takes data that came another way, such as with the answer to a change. */
  readonly replace: (data: T) => void;
}

interface State<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
}

/** GETs a path now and whenever the path changes. */
export function useResource<T>(path: string): Resource<T> {
  const [state, setState] = useState<State<T>>({ data: undefined, error: undefined, loading: true });
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((current) => current + 1), []);

  const replace = useCallback((data: T) => setState({ data, error: undefined, loading: false }), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies(turn): another turn is another call
  useEffect(() => {
    const abort = new AbortController();
    setState((last) => ({ ...last, loading: true }));
    apiGet<T>(path, abort.signal).then(
      (data) => setState({ data, error: undefined, loading: false }),
      (error: unknown) => {
        if (!abort.signal.aborted) {
          setState((last) => ({ data: last.data, error: asApiError(error), loading: false }));
        }
      },
    );
    return () => abort.abort();
  }, [path, turn]);

  return { ...state, reload, replace };
}

/** Any error as an `ApiError`. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  return new ApiError(0, { title: "Unexpected error", detail: error instanceof Error ? error.message : String(error) });
}
