/** What the API tells of vertical plugins, and pure functions over it. */

import { countOf } from "./count.ts";
import type fields from "./plugin-metadata.json";

/** What a plugin's author says about it to people: the fields of `manifest/src/metadata.rs`, `null` where there is no text. */
export type PluginMetadata = { readonly [Field in keyof typeof fields]: string | null };

/** A plugin as `GET /api/plugins` lists it. */
export interface PluginInfo extends PluginMetadata {
  readonly name: string;
  readonly display_name: string;
  readonly version: string;
  /** `install`: came with the release; `data`: the customer's own. */
  readonly source: "install" | "data";
  readonly visibility: string;
  readonly dependencies: readonly string[];
  readonly routes: readonly RouteInfo[];
  readonly dbt_workspaces: readonly string[];
  readonly nav_count: number;
  readonly permissions: readonly string[];
  readonly known_scripts: readonly string[];
  readonly dataset_templates: readonly string[];
  readonly dashboard_seeds: readonly string[];
  /** Whether it is on for the organisation as a whole. */
  readonly enabled: boolean;
  /** `chosen`: on for some tenants only. */
  readonly org_state: "enabled" | "chosen" | "disabled";
  readonly tenants: readonly TenantSwitch[];
  readonly state: PluginState;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Whether a plugin works; what is `shadowed` gives way to another of the same name. */
export type PluginState = "ok" | "not-configured" | "shadowed" | "invalid";

/** A plugin for one tenant. */
export interface TenantSwitch {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** It does as the organisation does. */
  readonly follows: boolean;
}

/** One route of a plugin. */
export interface RouteInfo {
  readonly method: string;
  readonly path: string;
  readonly public: boolean;
}

/** A switch that was asked for: of the organisation where no tenant is named. */
export interface Wanted {
  readonly plugin: string;
  readonly tenant: string | null;
  readonly on: boolean;
}

/** The plugin as it will be once what is wanted has happened: shown at once, and taken back where it is refused. */
export function asWanted(plugin: PluginInfo, wanted: readonly Wanted[]): PluginInfo {
  return wanted.filter((one) => one.plugin === plugin.name).reduce(turned, plugin);
}

function turned(plugin: PluginInfo, { tenant, on }: Wanted): PluginInfo {
  if (plugin.state === "shadowed") {
    return plugin;
  }
  if (tenant === null) {
    // Off for the organisation is off for all its tenants; on is on for those that follow or were chosen.
    const tenants = plugin.tenants.map((one) => ({ ...one, enabled: on && (one.follows || one.enabled) }));
    return { ...plugin, enabled: on, org_state: on ? "enabled" : "disabled", tenants };
  }
  const tenants = plugin.tenants.map((one) => (one.id === tenant ? { ...one, enabled: on, follows: false } : one));
  return { ...plugin, tenants, org_state: on && plugin.org_state === "disabled" ? "chosen" : plugin.org_state };
}

/** Whether the switch can be turned at all: one with errors can only be switched off. */
export function turnable(plugin: Pick<PluginInfo, "state">, enabled: boolean): boolean {
  return plugin.state !== "shadowed" && (enabled || plugin.state !== "invalid");
}

/** Why the plugin is on or off for a tenant. */
export function whyOfTenant(
  { follows, enabled }: Pick<TenantSwitch, "follows" | "enabled">,
  orgState: PluginInfo["org_state"],
  org: string,
): string {
  if (orgState === "disabled") {
    return `off for ${org}`;
  }
  if (orgState === "chosen") {
    return enabled ? "chosen" : "not chosen";
  }
  return follows ? `follows ${org}` : "set for this tenant";
}

/** For how much of the organisation a plugin is on: "for 2 of 3 tenants"; nothing where the switch says it all. */
export function reach({ org_state, tenants }: Pick<PluginInfo, "org_state" | "tenants">): string | undefined {
  const on = tenants.filter((tenant) => tenant.enabled).length;
  if (org_state === "chosen" || (org_state === "enabled" && on < tenants.length)) {
    return `${on} of ${countOf(tenants.length, "tenant")}`;
  }
  return undefined;
}

/** "4 routes · 1 override": what a plugin contributes, the kinds that it has none of left out. */
export function summaryOf(plugin: PluginInfo, keys: readonly string[]): string {
  const counts: readonly (readonly [number, string])[] = [
    [plugin.routes.length, "route"],
    [plugin.nav_count, "page"],
    [keys.length, "override"],
    [plugin.dbt_workspaces.length, "dbt workspace"],
    [plugin.known_scripts.length, "script"],
    [plugin.dataset_templates.length, "template"],
    [plugin.dashboard_seeds.length, "dashboard"],
  ];
  const parts = counts.filter(([count]) => count > 0).map(([count, word]) => countOf(count, word));
  return parts.join(" · ");
}

/** What a look for customer plugins came to, in words. */
export function newsOf(before: readonly PluginInfo[], after: readonly PluginInfo[]): string {
  const identify = (plugin: PluginInfo) => `${plugin.source}/${plugin.name}`;
  const names = (plugins: readonly PluginInfo[], known: readonly PluginInfo[]) => {
    const ids = new Set(known.map(identify));
    return plugins.filter((plugin) => !ids.has(identify(plugin))).map((plugin) => plugin.display_name);
  };
  const [found, gone] = [names(after, before), names(before, after)];
  const parts = [
    ...(found.length > 0 ? [`New: ${found.join(", ")}.`] : []),
    ...(gone.length > 0 ? [`Removed: ${gone.join(", ")}.`] : []),
  ];
  const own = after.filter((plugin) => plugin.source === "data").length;
  const total = own === 1 ? "There is 1 customer plugin." : `There are ${own === 0 ? "no" : own} customer plugins.`;
  return [...(parts.length === 0 ? ["Nothing new."] : parts), total].join(" ");
}

/** The plugins in whose name, description, routes or override keys every word of the search is found. */
export function matching(
  plugins: readonly PluginInfo[],
  search: string,
  keysOf: (slug: string) => readonly string[],
): readonly PluginInfo[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return plugins.filter((plugin) => {
    const text = [
      plugin.name,
      plugin.display_name,
      plugin.description ?? "",
      ...plugin.routes.map((route) => `${route.method} ${route.path}`),
      ...plugin.dbt_workspaces,
      ...plugin.permissions,
      ...keysOf(plugin.name),
    ]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** For each plugin the override keys that it claims. */
export function keysByPlugin(
  chains: Readonly<Record<string, readonly { readonly plugin: string }[]>>,
): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, string[]>();
  for (const [key, chain] of Object.entries(chains)) {
    for (const { plugin } of chain) {
      keys.set(plugin, [...(keys.get(plugin) ?? []), key]);
    }
  }
  return keys;
}
