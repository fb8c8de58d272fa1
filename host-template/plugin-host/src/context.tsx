/** What the rest needs to know of this build and this caller: the chains, and which plugins are enabled. */

import { createContext, type ReactNode, use, useMemo } from "react";
import type { Chains } from "./types.ts";

/** The override chains of the build and the plugins enabled for the caller. */
export interface PluginHost {
  readonly chains: Chains;
  readonly enabled: ReadonlySet<string>;
}

const PluginHostContext = createContext<PluginHost>({ chains: {}, enabled: new Set() });

interface Props {
  /** `overrides` of the generated module. */
  readonly chains: Chains;
  /** Slugs from the session. */
  readonly enabledPlugins: readonly string[];
  readonly children: ReactNode;
}

/** Makes the overrides of enabled plugins known below it; without it every surface shows its default. */
export function PluginHostProvider({ chains, enabledPlugins, children }: Props): ReactNode {
  const host = useMemo(() => ({ chains, enabled: new Set(enabledPlugins) }), [chains, enabledPlugins]);
  return <PluginHostContext value={host}>{children}</PluginHostContext>;
}

/** The chains and the enabled plugins. */
export function usePluginHost(): PluginHost {
  return use(PluginHostContext);
}
