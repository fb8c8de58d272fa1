/** What the generated module looks like to those who import it. */

declare module "@platform/overrides" {
  import type { Chains, PageEntry } from "@platform/plugin-host";

  /** For each key its claims in winning order. */
  export const overrides: Chains;
  /** The plugins' page modules, in plugin order. */
  export const entries: readonly PageEntry[];
}
