/** The audit log as the API gives it, its filters, and its events in words: pure functions. */

/** An event as `GET /api/audit/events` lists it. */
export interface AuditEvent {
  readonly id: string;
  /** RFC 3339, in UTC. */
  readonly time: string;
  readonly event_type: string;
  /** Without an identifier where the platform itself acted. */
  readonly actor: { readonly id: string; readonly email: string };
  readonly plugin: string | null;
  readonly scope: string | null;
  /** Identifier of the tenant. */
  readonly tenant: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A part of the log, and where the next one begins. */
export interface AuditPageOf {
  readonly items: readonly AuditEvent[];
  readonly next: string | null;
}

/** The kinds of event, as the filter names them. */
export const EVENT_TYPES: Readonly<Record<string, string>> = {
  plugin_state_change: "Plugin switched",
  plugins_reload: "Looked for customer plugins",
  sign_in: "Signed in",
  sign_in_failed: "Sign-in failed",
  sign_out: "Signed out",
  password_change: "Password changed",
  user_created: "Account created",
  user_changed: "Account changed",
  org_created: "Organisation created",
  tenant_created: "Tenant added",
  member_added: "Member added",
  member_changed: "Member changed",
  member_removed: "Member removed",
  group_added: "Group added",
  group_changed: "Group changed",
  group_removed: "Group removed",
};

/** Which events are shown; "" for all. */
export interface AuditFilter {
  readonly type: string;
  readonly plugin: string;
  readonly actor: string;
}

/** The filter in the page's address. */
export function filterFrom(params: URLSearchParams): AuditFilter {
  const value = (name: string) => (params.get(name) ?? "").trim();
  return { type: value("type"), plugin: value("plugin"), actor: value("actor") };
}

/** The address's parameters with one part of the filter changed; an empty one leaves no trace. */
export function withFilter(params: URLSearchParams, part: keyof AuditFilter, value: string): URLSearchParams {
  const next = new URLSearchParams(params);
  if (value.trim() === "") {
    next.delete(part);
  } else {
    next.set(part, value.trim());
  }
  return next;
}

/** The filter as the API takes it: "?event_type=sign_in", or nothing. */
export function queryOf(filter: AuditFilter, more: Readonly<Record<string, string>> = {}): string {
  const params = new URLSearchParams();
  const all = { event_type: filter.type, plugin: filter.plugin, actor: filter.actor.toLowerCase(), ...more };
  for (const [name, value] of Object.entries(all)) {
    if (value !== "") {
      params.set(name, value);
    }
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

/** Who did it. */
export function actorOf({ actor }: Pick<AuditEvent, "actor">): string {
  return actor.email === "" ? "The platform" : actor.email;
}

/** What was done, in words; names stand in backticks. */
export function whatOf(event: AuditEvent): string {
  const { event_type: type, details } = event;
  const named = (key: string): string => {
    const value = details[key];
    return typeof value === "string" && value !== "" ? ` \`${value}\`` : "";
  };
  const role = typeof details.role === "string" ? ` as ${details.role}` : "";
  switch (type) {
    case "plugin_state_change":
      return `Switched${event.plugin === null ? " a plugin" : ` \`${event.plugin}\``} ${event.to === "disabled" ? "off" : "on"}`;
    case "plugins_reload":
      return "Looked for customer plugins";
    case "sign_in":
      return "Signed in";
    case "sign_in_failed":
      return "Tried to sign in with a wrong password";
    case "sign_out":
      return "Signed out";
    case "password_change":
      return "Changed the own password";
    case "user_created":
      return `Made the account${named("email")}${role}`;
    case "user_changed":
      return `Changed the account${named("email")}`;
    case "org_created":
      return `Made the organisation${named("name")}`;
    case "tenant_created":
      return `Added the tenant${named("name")}`;
    case "member_added":
      return `Added${named("email") || " a member"}${role}`;
    case "member_changed":
      return `Changed${named("email") || " a member"}`;
    case "member_removed":
      return `Removed${named("email") || " a member"}`;
    case "group_added":
      return `Added the group${named("name")}`;
    case "group_changed":
      return `Changed the group${named("name")}`;
    case "group_removed":
      return `Removed the group${named("name")}`;
    default: {
      const words = type.replaceAll(/[_-]+/g, " ").trim();
      return words === "" ? "Did something" : words.charAt(0).toUpperCase() + words.slice(1);
    }
  }
}

/** Where it took effect: the organisation, or one of its tenants by name where it is known; nothing where that says nothing. */
export function whereOf(
  { scope, tenant }: Pick<AuditEvent, "scope" | "tenant">,
  org: string,
  tenants: ReadonlyMap<string, string>,
): string | undefined {
  if (tenant !== null) {
    return tenants.get(tenant) ?? "a tenant";
  }
  return scope === "org" ? `All of ${org}` : undefined;
}

/** A value of the details as text. */
export function detailText(value: unknown): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? "none" : value.map(detailText).join(", ");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
