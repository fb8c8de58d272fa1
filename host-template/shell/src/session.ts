/** The caller's session: who it is, and what of the platform is theirs. */

import { createContext, use } from "react";

/** An entry of the navigation that a plugin brings. */
export interface NavEntry {
  readonly plugin: string;
  readonly label: string;
  readonly path: string;
  readonly icon: string;
}

/** What `GET /api/session` answers. */
export interface Session {
  readonly user: { readonly id: string | number; readonly email: string; readonly name: string };
  readonly org: { readonly id: string | number; readonly name: string };
  /** Identifier of the tenant, where one is chosen. */
  readonly tenant: string | null;
  readonly role: string;
  readonly permissions: readonly string[];
  readonly nav: readonly NavEntry[];
  /** Slugs of the plugins enabled for the caller. */
  readonly plugins: readonly string[];
}

const SessionContext = createContext<Session | null>(null);

/** Makes the session known. */
export const SessionProvider = SessionContext.Provider;

/** The session; pages are only drawn once there is one. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) {
    throw new Error("useSession outside of SessionProvider");
  }
  return session;
}
