/** The switches of plugins: shown as wanted at once, taken back with the reason where the platform refuses. */

import { type ApiError, apiGet, apiPost, asApiError, type Resource } from "@platform/plugin-host";
import { useState } from "react";
import { asWanted, type PluginInfo, type Wanted } from "../plugins.ts";
import { useSessionHandle } from "../session.ts";

/** What the page shows of the switches, and the way to turn one. */
export interface Switches {
  /** The plugins with everything that is under way. */
  readonly shown: (plugins: readonly PluginInfo[]) => readonly PluginInfo[];
  readonly turn: (wanted: Wanted) => void;
  readonly busy: (plugin: string, tenant: string | null) => boolean;
  /** Why the last turn of a switch was refused. */
  readonly refusal: (plugin: string, tenant: string | null) => ApiError | undefined;
  readonly forgive: (plugin: string, tenant: string | null) => void;
}

const keyOf = (plugin: string, tenant: string | null): string => JSON.stringify([plugin, tenant]);

/** The switches over a list of plugins. */
export function useSwitches(plugins: Resource<readonly PluginInfo[]>): Switches {
  const { reload: reloadSession } = useSessionHandle();
  const [wanted, setWanted] = useState<readonly Wanted[]>([]);
  const [refusals, setRefusals] = useState<Readonly<Record<string, ApiError>>>({});

  const refuse = (key: string, error: ApiError | undefined) =>
    setRefusals((last) => {
      const { [key]: _, ...others } = last;
      return error === undefined ? others : { ...others, [key]: error };
    });

  async function turn(one: Wanted): Promise<void> {
    const key = keyOf(one.plugin, one.tenant);
    refuse(key, undefined);
    setWanted((last) => [...last, one]);
    try {
      const target = one.tenant === null ? { scope: "org" } : { scope: "tenant", tenant: one.tenant };
      await apiPost(`/api/plugins/${encodeURIComponent(one.plugin)}/${one.on ? "enable" : "disable"}`, target);
      reloadSession();
    } catch (caught) {
      refuse(key, asApiError(caught));
    }
    // Whatever came of it, the platform knows how things stand.
    const list = await apiGet<readonly PluginInfo[]>("/api/plugins").catch(() => undefined);
    if (list === undefined) {
      plugins.reload();
    } else {
      plugins.replace(list);
    }
    setWanted((last) => last.filter((other) => other !== one));
  }

  return {
    shown: (all) => all.map((plugin) => asWanted(plugin, wanted)),
    turn: (one) => void turn(one),
    busy: (plugin, tenant) => wanted.some((one) => one.plugin === plugin && one.tenant === tenant),
    refusal: (plugin, tenant) => refusals[keyOf(plugin, tenant)],
    forgive: (plugin, tenant) => refuse(keyOf(plugin, tenant), undefined),
  };
}
