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

/** A kind of event: its name in the filter, and what was done in words. */
interface EventKind {
  readonly label: string;
  readonly what: (event: AuditEvent) => string;
}

const kind = (label: string, what: EventKind["what"] = () => label): EventKind => ({ label, what });

/** A detail in backticks after a space; nothing where the event has none. */
function named({ details }: AuditEvent, key: string): string {
  const value = details[key];
  return typeof value === "string" && value !== "" ? ` \`${value}\`` : "";
}

const asRole = ({ details }: AuditEvent): string => (typeof details.role === "string" ? ` as ${details.role}` : "");
const member = (event: AuditEvent): string => named(event, "email") || " a member";

/** Every kind of event that the platform writes. */
const KINDS: Readonly<Record<string, EventKind>> = {
  plugin_state_change: kind("Plugin enabled or disabled", ({ plugin, to }) => {
    return `${to === "disabled" ? "Disabled" : "Enabled"}${plugin === null ? " a plugin" : ` \`${plugin}\``}`;
  }),
  plugins_reload: kind("Customer plugins reloaded"),
  run_requested: kind("Run started", (event) => `Started a run of${named(event, "slug") || " a recipe"}`),
  run_cancelled: kind("Run cancelled", (event) => `Cancelled a run of${named(event, "slug") || " a recipe"}`),
  dashboard_added: kind("Dashboard added", (event) => `Added the dashboard${named(event, "title")}`),
  dashboard_changed: kind("Dashboard changed", (event) => `Changed the dashboard${named(event, "title")}`),
  dashboard_removed: kind("Dashboard removed", (event) => `Removed the dashboard${named(event, "title")}`),
  sign_in: kind("Signed in"),
  sign_in_failed: kind("Sign-in failed", () => "Tried to sign in with a wrong password"),
  sign_out: kind("Signed out"),
  password_change: kind("Password changed", () => "Changed their password"),
  user_created: kind("Account created", (event) => `Created the account${named(event, "email")}${asRole(event)}`),
  user_changed: kind("Account changed", (event) => `Changed the account${named(event, "email")}`),
  org_created: kind("Organisation created", (event) => `Created the organisation${named(event, "name")}`),
  tenant_created: kind("Tenant added", (event) => `Added the tenant${named(event, "name")}`),
  password_reset: kind("Password reset", (event) => `Set the password of${named(event, "email")} and ended its sessions`),
  sessions_ended: kind("Sessions ended", (event) => `Ended the sessions of${named(event, "email") || " everybody"}`),
  member_invited: kind("Member invited", (event) => `Invited${member(event)}${asRole(event)}`),
  invitation_resent: kind("Invitation renewed", (event) => `Created a new link for${member(event)}`),
  invitation_revoked: kind("Invitation withdrawn", (event) => `Withdrew the invitation of${member(event)}`),
  member_joined: kind(
    "Invitation accepted",
    (event) => `Accepted the invitation of${named(event, "invited_by")}${asRole(event)}`,
  ),
  member_added: kind("Member added", (event) => `Added${member(event)}${asRole(event)}`),
  member_changed: kind("Member changed", (event) => `Changed${member(event)}`),
  member_removed: kind("Member removed", (event) => `Removed${member(event)}`),
  group_added: kind("Group added", (event) => `Added the group${named(event, "name")}`),
  group_changed: kind("Group changed", (event) => `Changed the group${named(event, "name")}`),
  group_removed: kind("Group removed", (event) => `Removed the group${named(event, "name")}`),
};

/** The kinds of event by name, as the filter offers them. */
export const EVENT_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(KINDS).map(([type, { label }]) => [type, label]),
);

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

/** What was done, in words; names stand in backticks. A kind that is not known is told by its own name. */
export function whatOf(event: AuditEvent): string {
  const known = Object.hasOwn(KINDS, event.event_type) ? KINDS[event.event_type] : undefined;
  if (known !== undefined) {
    return known.what(event);
  }
  const words = event.event_type.replaceAll(/[_-]+/g, " ").trim();
  return words === "" ? "Unknown event" : words.charAt(0).toUpperCase() + words.slice(1);
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

/** A value of the details as text; identifiers that `names` knows have their name beside them. */
export function detailText(value: unknown, names: ReadonlyMap<string, string> = new Map()): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? "none" : value.map((one) => detailText(one, names)).join(", ");
  }
  if (typeof value !== "string") {
    return JSON.stringify(value);
  }
  const name = names.get(value);
  return name === undefined ? value : `${name} (${value})`;
}
