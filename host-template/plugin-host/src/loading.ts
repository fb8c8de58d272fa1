/** One lazy component a claim, the same one for as long as it works: React never remounts because of us. */

import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import type { Claim } from "./types.ts";

/** A component of unknown props; the surface's types were checked where it was asked for. */
// biome-ignore lint/suspicious/noExplicitAny: with `unknown` no component that names its props would fit
export type AnyComponent = ComponentType<any>;

const components = new Map<string, LazyExoticComponent<AnyComponent>>();
const unloadable = new Set<string>();

/** The claim's component. Its chunk is fetched when it is first rendered. */
export function claimComponent(claim: Claim): LazyExoticComponent<AnyComponent> {
  const known = components.get(claim.id);
  if (known !== undefined) {
    return known;
  }
  const component = lazy(async () => {
    try {
      return { default: asComponent(await claim.load(), claim) };
    } catch (error) {
      unloadable.add(claim.id);
      throw error;
    }
  });
  components.set(claim.id, component);
  return component;
}

/**
 * Lets the next rendering fetch a chunk again that did not load. A component that loaded stays what it is,
 * so that places where it works are not mounted anew.
 */
export function forgetUnloadable(claimId: string): void {
  if (unloadable.delete(claimId)) {
    components.delete(claimId);
  }
}

/** Checks what a module gave: React's own words for a wrong one name neither the plugin nor the file. */
function asComponent(value: unknown, claim: Claim): AnyComponent {
  const isComponent = typeof value === "function" || (typeof value === "object" && value !== null && "$$typeof" in value);
  if (!isComponent) {
    throw new TypeError(`export "${claim.export}" of ${claim.file} is not a component`);
  }
  return value as AnyComponent;
}
