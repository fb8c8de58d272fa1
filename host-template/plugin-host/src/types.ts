/** The vocabulary of UI overrides: keys and their props, claims, chains, pages. */

import type { ComponentType } from "react";

/**
 * Every override key that the build found, claimed or asked for.
 *
 * Filled by the generated `overrides.d.ts`; authors do not write here.
 */
// biome-ignore lint/suspicious/noEmptyInterface: the generated `overrides.d.ts` adds to it
export interface KnownKeys {}

/**
 * Props of each surface, declared by whoever owns it:
 *
 *     declare module "@platform/plugin-host" {
 *       interface SurfaceProps { "records.card": { record: PlatformRecord } }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: the owners of surfaces add to it
export interface SurfaceProps {}

/** A key that may be asked for. Page keys are open: any path of the shell can be replaced. */
export type OverrideKey = keyof KnownKeys | keyof SurfaceProps | `route:/${string}`;

/** The props that the owner of a surface hands to it; none where it declared none. */
export type PropsOf<K extends OverrideKey> = K extends keyof SurfaceProps ? SurfaceProps[K] : object;

/** Renders the surface that an override replaces; props given here stand in for the surface's own. */
export type OriginalOf<K extends OverrideKey> = ComponentType<Partial<PropsOf<K>>>;

/** What an override receives: the props of its surface, and `Original`. */
export type OverrideProps<K extends OverrideKey> = PropsOf<K> & { Original: OriginalOf<K> };

/** One plugin's claim on an override key, as the build wrote it. */
export interface Claim {
  /** `<key>#<plugin>`, unique in a build. */
  readonly id: string;
  /** Slug of the plugin. */
  readonly plugin: string;
  /** Higher wins. */
  readonly priority: number;
  /** Source file, for people. */
  readonly file: string;
  /** Name of the export, for people. */
  readonly export: string;
  /** Loads the component; each claim is a chunk of its own. */
  readonly load: () => Promise<unknown>;
}

/** For each key its claims in winning order. */
export type Chains = Readonly<Record<string, readonly Claim[]>>;

/** One page of a plugin. `path` is absolute and may have parameters (`/crm/customers/:id`). */
export interface PluginPage {
  readonly path: string;
  readonly component: ComponentType;
}

/** A plugin's module of pages, as the build wrote it. */
export interface PageEntry {
  /** `entry#<plugin>`, unique in a build. */
  readonly id: string;
  /** Slug of the plugin. */
  readonly plugin: string;
  /** Source file, for people. */
  readonly file: string;
  /** Paths that stand in the module as literals. */
  readonly paths: readonly string[];
  /** Loads the list of pages. */
  readonly load: () => Promise<unknown>;
}

/** Gives a plugin's list of pages its type; default-export what it returns. */
export function definePages(pages: readonly PluginPage[]): readonly PluginPage[] {
  return pages;
}
