/** The caller's session: who it is, and what of the platform is theirs. */

import { createContext, use, useEffect, useRef } from "react";

/** Something with an identifier and a name: an organisation or a tenant. */
export interface Named {
  readonly id: string;
  readonly name: string;
}

/** An entry of the navigation that a plugin brings. */
export interface NavEntry {
  readonly plugin: string;
  readonly label: string;
  readonly path: string;
  readonly icon: string;
}

/** What `GET /api/session` answers. */
export interface Session {
  readonly user: Named & { readonly email: string };
  readonly org: Named;
  /** None where the caller sees the organisation at large. */
  readonly tenant: Named | null;
  readonly role: "admin" | "member";
  /** The caller's organisations. */
  readonly orgs: readonly Named[];
  /** The tenants of this organisation that the caller may choose. */
  readonly tenants: readonly Named[];
  readonly permissions: readonly string[];
  readonly nav: readonly NavEntry[];
  /** Slugs of the plugins enabled for the caller. */
  readonly plugins: readonly string[];
}

/** The session, and what the page may do about it. */
export interface SessionHandle {
  readonly session: Session;
  /** Rises whenever the platform says that something changed. */
  readonly news: number;
  /** Reads the session anew. */
  readonly reload: () => void;
  /** Forgets the session, after signing out. */
  readonly leave: () => void;
}

const SessionContext = createContext<SessionHandle | null>(null);

/** Makes the session known. */
export const SessionProvider = SessionContext.Provider;

/** The session and the ways to change it; pages are only drawn once there is one. */
export function useSessionHandle(): SessionHandle {
  const handle = use(SessionContext);
  if (handle === null) {
    throw new Error("useSession outside of SessionProvider");
  }
  return handle;
}

/** The session. */
export function useSession(): Session {
  return useSessionHandle().session;
}

/** Calls `reload` whenever the platform says that something changed. */
export function useReloadOnNews(reload: () => void): void {
  const { news } = useSessionHandle();
  const seen = useRef(news);
  useEffect(() => {
    if (seen.current !== news) {
      seen.current = news;
      reload();
    }
  }, [news, reload]);
}

/** What the caller has to be or hold to see a page of the administration. */
export type Access = "admin" | `${string}.${string}`;

/** Whether the session is of somebody who may. */
export function may(session: Pick<Session, "role" | "permissions">, access: Access): boolean {
  return access === "admin" ? session.role === "admin" : session.permissions.includes(access);
}

/** Where the caller works: "Acme · North". */
export function placeOf({ org, tenant }: Pick<Session, "org" | "tenant">): string {
  return tenant === null ? org.name : `${org.name} · ${tenant.name}`;
}
