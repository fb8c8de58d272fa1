/** One page of a list that the API gives out in pages; which page it is stands in the address. */

import { useCallback, useEffect } from "react";
import { useSearchParams } from "react-router";
import type { ListOf } from "../records.ts";
import { type Resource, useResource } from "../use-resource.ts";

/** A list's current page and the ways to another. */
export interface ListPage<T> {
  readonly resource: Resource<ListOf<T>>;
  /** 1 for the first. */
  readonly page: number;
  readonly setPage: (page: number) => void;
}

/** Loads the page that `?page=` names, `limit` items each; `query` goes to the API as well where it is not empty. */
export function useListPage<T>(path: string, limit = 20, query: Readonly<Record<string, string>> = {}): ListPage<T> {
  const [params, setParams] = useSearchParams();
  const page = pageFrom(params.get("page"));
  const search = new URLSearchParams({ limit: String(limit), offset: String((page - 1) * limit) });
  for (const [name, value] of Object.entries(query)) {
    if (value !== "") {
      search.set(name, value);
    }
  }
  const resource = useResource<ListOf<T>>(`${path}?${search}`);
  const setPage = useCallback(
    (next: number) => {
      setParams((last) => withPage(last, next));
    },
    [setParams],
  );
  const last = resource.data === undefined ? page : lastPage(resource.data);
  const beyond = !resource.loading && page > last;
  useEffect(() => {
    if (beyond) {
      setPage(last);
    }
  }, [beyond, last, setPage]);
  return { resource, page, setPage };
}

/** The number of the last page; a list without items has one page as well. */
export function lastPage(list: Pick<ListOf<unknown>, "total" | "limit">): number {
  return Math.max(1, Math.ceil(list.total / Math.max(1, list.limit)));
}

/** The page that a query parameter means; the first where it makes no sense. */
export function pageFrom(text: string | null): number {
  const page = Number(text ?? "1");
  return Number.isSafeInteger(page) && page >= 1 ? page : 1;
}

/** The parameters with another page; the first one needs none. */
export function withPage(params: URLSearchParams, page: number): URLSearchParams {
  const next = new URLSearchParams(params);
  if (page === 1) {
    next.delete("page");
  } else {
    next.set("page", String(page));
  }
  return next;
}
