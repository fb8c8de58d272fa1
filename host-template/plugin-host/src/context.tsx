/** What the rest needs to know of this build and this caller: the chains, the enabled plugins, the permissions. */

import { createContext, type ReactNode, use, useMemo } from "react";
import type { Chains } from "./types.ts";

/** The override chains of the build, and what is the caller's. */
export interface PluginHost {
  readonly chains: Chains;
  readonly enabled: ReadonlySet<string>;
  /** What the caller may do. */
  readonly permissions: ReadonlySet<string>;
}

const PluginHostContext = createContext<PluginHost>({ chains: {}, enabled: new Set(), permissions: new Set() });

interface Props {
  /** `overrides` of the generated module. */
  readonly chains: Chains;
  /** Slugs from the session. */
  readonly enabledPlugins: readonly string[];
  /** From the session. */
  readonly permissions?: readonly string[];
  readonly children: ReactNode;
}

/** Makes the overrides of enabled plugins known below it; without it every surface shows its default. */
export function PluginHostProvider({ chains, enabledPlugins, permissions, children }: Props): ReactNode {
  const host = useMemo(
    () => ({ chains, enabled: new Set(enabledPlugins), permissions: new Set(permissions) }),
    [chains, enabledPlugins, permissions],
  );
  return <PluginHostContext value={host}>{children}</PluginHostContext>;
}

/** The chains, and what is the caller's. */
export function usePluginHost(): PluginHost {
  return use(PluginHostContext);
}

/** Whether the caller holds a permission. The API decides for itself; this is for what is not worth offering. */
export function usePermission(permission: string): boolean {
  return usePluginHost().permissions.has(permission);
}
