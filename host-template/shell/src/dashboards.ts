/** Dashboards made of blocks, as the API gives them, and what can be said of a block: pure functions. */

import type { Chains } from "@platform/plugin-host";

/** One block on a dashboard. */
export interface Widget {
  /** Override key, `block:Name`. */
  readonly block: string;
  /** Handed to the block. */
  readonly props: Readonly<Record<string, unknown>>;
}

/** What `GET /api/dashboards` lists. */
export interface Dashboard {
  readonly id: string;
  readonly slug: string;
  readonly title: string;
  /** Slug of the plugin that brought it. */
  readonly plugin: string | null;
  readonly widgets: readonly Widget[];
  /** RFC 3339. */
  readonly updated_at: string;
}

/** Whether a block can be drawn, and by whom it could be. */
export type BlockState =
  | { readonly kind: "shown" }
  /** Plugins of this release have it, none of which is enabled. */
  | { readonly kind: "off"; readonly plugins: readonly string[] }
  /** No plugin of this release has it. */
  | { readonly kind: "unknown" };

/** What stands in the way of a block, if anything. */
export function stateOfBlock(block: string, chains: Chains, enabled: ReadonlySet<string>): BlockState {
  const chain = (Object.hasOwn(chains, block) ? chains[block] : undefined) ?? [];
  if (chain.length === 0) {
    return { kind: "unknown" };
  }
  return chain.some((claim) => enabled.has(claim.plugin))
    ? { kind: "shown" }
    : { kind: "off", plugins: [...new Set(chain.map((claim) => claim.plugin))] };
}

/** The blocks that enabled plugins have, by name. */
export function blocksOf(chains: Chains, enabled: ReadonlySet<string>): readonly string[] {
  return Object.keys(chains)
    .filter((key) => key.startsWith("block:") && stateOfBlock(key, chains, enabled).kind === "shown")
    .sort();
}

/** `block:RecordCard` as people read it: "RecordCard". */
export function nameOfBlock(block: string): string {
  return block.replace(/^block:/, "");
}

/** The widgets once only these blocks are wanted: what stays keeps its place and its props, what is new comes last. */
export function withBlocks(widgets: readonly Widget[], blocks: readonly string[]): readonly Widget[] {
  const kept = widgets.filter((widget) => blocks.includes(widget.block));
  const added = blocks.filter((block) => !widgets.some((widget) => widget.block === block));
  return [...kept, ...added.map((block) => ({ block, props: {} }))];
}

/** What `GET /api/datasets/templates` lists. */
export interface DatasetTemplate {
  readonly slug: string;
  readonly display_name: string;
  readonly plugin: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** The templates that hold all the words: in their name, their plugin's, or a column's. */
export function templatesMatching(templates: readonly DatasetTemplate[], search: string): readonly DatasetTemplate[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return templates.filter(({ slug, display_name, plugin, columns }) => {
    const text = [slug, display_name, plugin, ...columns.flatMap((column) => [column.name, column.type])]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
