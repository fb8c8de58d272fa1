/** Who wins a key and why: pure functions over chains, no React. */

import type { Claim } from "./types.ts";

/** The claims whose plugin is enabled, in winning order. */
export function activeChain<C extends Pick<Claim, "plugin">>(
  chain: readonly C[] | undefined,
  enabledPlugins: ReadonlySet<string>,
): readonly C[] {
  return (chain ?? []).filter((claim) => enabledPlugins.has(claim.plugin));
}

/** What became of one claim. */
export interface Verdict<C> {
  readonly claim: C;
  /** `wins`: it is shown; `replaced`: another one is; `off`: its plugin is not enabled here. */
  readonly outcome: "wins" | "replaced" | "off";
  /** The reason in words. */
  readonly reason: string;
}

/** The verdict on each claim of a chain that stands in winning order. */
export function explainChain<C extends Pick<Claim, "plugin" | "priority">>(
  chain: readonly C[],
  enabledPlugins: ReadonlySet<string>,
): readonly Verdict<C>[] {
  const active = activeChain(chain, enabledPlugins);
  const winner = active[0];
  return chain.map((claim): Verdict<C> => {
    if (!enabledPlugins.has(claim.plugin)) {
      return { claim, outcome: "off", reason: `${claim.plugin} is not enabled` };
    }
    if (winner === undefined || claim === winner) {
      return { claim, outcome: "wins", reason: whyItWins(claim, active[1]) };
    }
    return { claim, outcome: "replaced", reason: whyItLoses(claim, winner) };
  });
}

function whyItWins<C extends Pick<Claim, "plugin" | "priority">>(claim: C, next: C | undefined): string {
  if (next === undefined) {
    return "the only enabled claim";
  }
  return claim.priority > next.priority
    ? `highest priority: ${claim.priority} > ${next.priority}`
    : `same priority as ${next.plugin}, later in plugin order`;
}

function whyItLoses<C extends Pick<Claim, "plugin" | "priority">>(claim: C, winner: C): string {
  return claim.priority < winner.priority
    ? `priority ${claim.priority} < ${winner.priority} of ${winner.plugin}`
    : `priority ${claim.priority} as ${winner.plugin}, but earlier in plugin order`;
}
