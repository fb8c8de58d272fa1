/** Invitations as the API gives them, and pure functions over them. */

import { may, type Named, type Session } from "./session.ts";

/** An invitation as `GET /api/invitations` lists it. */
export interface Invitation {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: "admin" | "member";
  readonly tenants: readonly Named[];
  readonly groups: readonly Named[];
  readonly invited_by: string;
  /** RFC 3339. */
  readonly created_at: string;
  readonly expires_at: string;
  readonly expired: boolean;
  readonly mail: "unsent" | "sent" | "failed";
}

/** What making one, or sending it again, answers. */
export interface Invited {
  readonly id: string;
  readonly email: string;
  readonly expires_at: string;
  readonly mail: Invitation["mail"];
  /** Path with the token; none where it went by mail. */
  readonly link: string | null;
}

/** The address to pass on: where this page is, and the path of the invitation. */
export function linkOf(path: string, origin: string): string {
  return new URL(path, origin).href;
}

/** Whether the caller may send it again or take it back: only an admin does so with an admin's. */
export function mayManage(session: Pick<Session, "role" | "permissions">, invitation: Pick<Invitation, "role">): boolean {
  return may(session, "members.manage") && (invitation.role === "member" || session.role === "admin");
}

/** How it stands with an invitation, in a word or two. */
export function standing({ expired, mail }: Pick<Invitation, "expired" | "mail">): { label: string; color: string } {
  if (expired) {
    return { label: "expired", color: "red" };
  }
  switch (mail) {
    case "sent":
      return { label: "sent by mail", color: "petrol" };
    case "failed":
      return { label: "mail failed", color: "orange" };
    case "unsent":
      return { label: "link given", color: "gray" };
  }
}
