/** What the API tells of vertical plugins, and pure functions over it. */

/** A plugin as `GET /api/plugins` lists it. */
export interface PluginInfo {
  readonly name: string;
  readonly display_name: string;
  readonly version: string;
  readonly description?: string | null;
  /** `install`: came with the release; `data`: the customer's own. */
  readonly source: "install" | "data";
  readonly visibility?: string;
  readonly router_count: number;
  readonly routes: readonly RouteInfo[];
  readonly dbt_workspaces: readonly string[];
  readonly enabled: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** One route of a plugin. */
export interface RouteInfo {
  readonly method: string;
  readonly path: string;
  readonly public: boolean;
}

/** Whether a plugin works, and for whom, in one word. */
export type PluginState = "enabled" | "disabled" | "invalid";

/** Errors weigh more than being enabled. */
export function stateOf(plugin: Pick<PluginInfo, "enabled" | "errors">): PluginState {
  if (plugin.errors.length > 0) {
    return "invalid";
  }
  return plugin.enabled ? "enabled" : "disabled";
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
