/** Calls to the platform's API: JSON in, JSON out, problems as one kind of error. */

import { platformUrl } from "./base.ts";

/** An answer that is not a success, or no answer at all (status 0). */
export class ApiError extends Error {
  override name = "ApiError";
  /** HTTP status; 0 where the platform did not answer. */
  readonly status: number;
  /** Short and general: "Validation failed". */
  readonly title: string;
  /** Stable code such as `plugin-not-enabled`, where the problem has one. */
  readonly code: string | undefined;
  /** What is wrong with which field of a form. */
  readonly fields: Readonly<Record<string, string>>;
  /** Seconds until it is worth trying again, where the answer says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem: Problem, retryAfter?: number) {
    super(problem.detail ?? problem.title);
    this.status = status;
    this.title = problem.title;
    this.code = problem.code;
    this.fields = Object.fromEntries((problem.errors ?? []).map((error) => [error.field, error.message]));
    this.retryAfter = retryAfter;
  }
}

interface Problem {
  readonly title: string;
  readonly detail?: string;
  readonly code?: string;
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

/** GETs a path of the API. */
export function apiGet<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(path, { headers: { accept: "application/json" }, ...(signal === undefined ? {} : { signal }) });
}

/** POSTs JSON to a path of the API. */
export function apiPost<T>(path: string, body: unknown): Promise<T> {
  return send<T>("POST", path, body);
}

/** PUTs JSON to a path of the API. */
export function apiPut<T>(path: string, body: unknown): Promise<T> {
  return send<T>("PUT", path, body);
}

/** DELETEs what stands at a path of the API. */
export function apiDelete(path: string): Promise<void> {
  return call<void>(path, { method: "DELETE", headers: { accept: "application/json" } });
}

function send<T>(method: string, path: string, body: unknown): Promise<T> {
  return call<T>(path, {
    method,
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

type Watcher = (error: ApiError, path: string) => void;

const watchers = new Set<Watcher>();

/**
 * Calls `watcher` with every answer that is not a success, whoever made the call; returns the way to end it.
 *
 * The shell learns so that a session has ended, or that a plugin was switched off.
 */
export function watchRefusals(watcher: Watcher): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  const response = await reach(path, init);
  const body = await bodyOf(response);
  if (!response.ok) {
    const error = new ApiError(response.status, problemOf(response, body), secondsOf(response.headers.get("retry-after")));
    for (const watcher of watchers) {
      watcher(error, path);
    }
    throw error;
  }
  if (body === undefined && response.status !== 204) {
    throw new ApiError(response.status, { title: "Unexpected answer", detail: `${path} did not answer with JSON.` });
  }
  return body as T;
}

/** The number of seconds in a `Retry-After`; nothing where it is a date or makes no sense. */
function secondsOf(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(platformUrl(path), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, {
      title: "The platform does not answer",
      detail: "Check that the server is running and that you are online, then try again.",
    });
  }
}

/** The body as JSON, undefined where it is not. */
async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function problemOf(response: Response, body: unknown): Problem {
  if (typeof body === "object" && body !== null && "title" in body && typeof body.title === "string") {
    return body as Problem;
  }
  return { title: `The platform answered ${response.status}`, detail: response.statusText || "No further details." };
}
