/** Members, groups, tenants and permissions as the API gives them, and pure functions over them. */

import type { FormOption } from "@platform/plugin-host/ui";
import { may, type Named, type Session } from "./session.ts";

/** A member as `GET /api/members` lists it. */
export interface Member {
  readonly user: Named & { readonly email: string };
  readonly role: "admin" | "member";
  /** None for the organisation at large. */
  readonly tenants: readonly Named[];
  readonly groups: readonly Named[];
  /** RFC 3339. */
  readonly created_at: string;
}

/** A group as `GET /api/groups` lists it. */
export interface MemberGroup {
  readonly id: string;
  readonly name: string;
  /** Slug of the plugin that brought it. */
  readonly plugin: string | null;
  readonly permissions: readonly string[];
  /** How many are in it. */
  readonly members: number;
}

/** A permission that can be granted. */
export interface PermissionInfo {
  readonly name: string;
  /** Slug of the plugin that declares it; none for the platform's own. */
  readonly plugin: string | null;
}

const PLATFORM = "Platform";
const NOT_HERE = "Of disabled plugins";

/** The permissions as choices, by who declares them; those that a group holds of plugins that are off stay choices too. */
export function permissionOptions(known: readonly PermissionInfo[], held: readonly string[]): readonly FormOption[] {
  const names = new Set(known.map((permission) => permission.name));
  return [
    ...known.map(({ name, plugin }) => ({ value: name, label: name, group: plugin ?? PLATFORM })),
    ...held.filter((name) => !names.has(name)).map((name) => ({ value: name, label: name, group: NOT_HERE })),
  ];
}

/** Whose rows the caller may change: only an admin changes an admin, and nobody else their own. */
export function mayChange(
  session: Pick<Session, "role" | "permissions"> & { readonly user?: { readonly id: string } },
  member: Pick<Member, "role"> & { readonly user?: { readonly id: string } },
): boolean {
  if (session.role === "admin") {
    return may(session, "members.manage");
  }
  const oneself = session.user !== undefined && session.user.id === member.user?.id;
  return may(session, "members.manage") && member.role === "member" && !oneself;
}

/** The roles that the caller may give: nobody makes an admin without being one. */
export function rolesFor(session: Pick<Session, "role">): readonly FormOption[] {
  const member = { value: "member", label: "Member: has the permissions of its groups" };
  return session.role === "admin" ? [member, { value: "admin", label: "Admin: has every permission" }] : [member];
}

/** All tenants that are known: the organisation's where they may be listed, and those that members work in. */
export function knownTenants(listed: readonly Named[], members: readonly Member[]): readonly Named[] {
  const all = new Map([...members.flatMap((member) => member.tenants), ...listed].map((tenant) => [tenant.id, tenant]));
  return [...all.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** How many members work in each tenant, by its identifier. */
export function membersByTenant(members: readonly Member[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { id } of members.flatMap((member) => member.tenants)) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** The members in whose name, address, role, tenants or groups every word of the search is found. */
export function searched(members: readonly Member[], search: string): readonly Member[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return members.filter(({ user, role, tenants, groups }) => {
    const text = [user.name, user.email, role, ...[...tenants, ...groups].map((one) => one.name)].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The group that every organisation begins with, for members to look around; gone where somebody removed it. */
const EVERYBODY = "Members";

/** The groups that a new member is put into unless somebody says otherwise. */
export function firstGroups(groups: readonly MemberGroup[]): readonly Named[] {
  return groups.filter((group) => group.plugin === null && group.name === EVERYBODY);
}

/** Things with a name as choices. */
export function asChoices(named: readonly Named[]): readonly FormOption[] {
  return named.map(({ id, name }) => ({ value: id, label: name }));
}
