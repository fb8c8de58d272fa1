/** The path below which the platform is served: `/hub` where the page is at `https://host/hub/`, else nothing. */

/** What the host writes into the page; it begins with `/` and does not end with one. */
function written(): string {
  if (typeof document === "undefined") {
    return "";
  }
  return document.querySelector<HTMLMetaElement>('meta[name="hub-base"]')?.content ?? "";
}

/** The base path, empty where there is none. For the shell's router: links of pages get it by themselves. */
export const basePath: string = written();

/**
 * The address of an absolute path of the platform, for `fetch`, `EventSource`, `<a href>`, `<img src>`.
 *
 * `apiGet` and its siblings, and the links of the router, do this themselves.
 */
export function platformUrl(path: string): string {
  return path.startsWith("/") && !path.startsWith("//") ? basePath + path : path;
}
