/** Where the models of a workspace stand when their lineage is drawn, and which one an arrow key leads to. */

import { Graph, layout } from "@dagrejs/dagre";
import type { Model } from "./flow.ts";

/** `right`: from left to right, for wide screens; `down`: from top to bottom. */
export type Direction = "right" | "down";

/** Width and height of a model as it is drawn. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

const SIZES: Readonly<Record<Direction, Size>> = { right: { width: 244, height: 66 }, down: { width: 156, height: 84 } };

/** On narrow screens a name takes two lines. */
export function sizeOf(direction: Direction): Size {
  return SIZES[direction];
}

/** A model's middle. */
export interface Place {
  readonly id: string;
  readonly x: number;
  readonly y: number;
}

/** An arrow from what a model is made of. */
export interface Arrow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/** The arrows between listed models. */
export function arrowsOf(nodes: readonly Model[]): readonly Arrow[] {
  const listed = new Set(nodes.map((node) => node.id));
  return nodes.flatMap((node) =>
    [...new Set(node.parents)]
      .filter((parent) => listed.has(parent) && parent !== node.id)
      .map((parent) => ({ id: `${parent} -> ${node.id}`, from: parent, to: node.id })),
  );
}

/** A place for each model; without any arrow they stand in a block. */
export function placesOf(nodes: readonly Model[], direction: Direction): readonly Place[] {
  const arrows = arrowsOf(nodes);
  const size = sizeOf(direction);
  if (arrows.length === 0) {
    return inBlock(nodes, size, direction === "right" ? 3 : 2);
  }
  const graph = new Graph();
  graph.setGraph({ rankdir: direction === "right" ? "LR" : "TB", nodesep: direction === "right" ? 20 : 14, ranksep: direction === "right" ? 64 : 40 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    graph.setNode(node.id, { ...size });
  }
  for (const { from, to } of arrows) {
    graph.setEdge(from, to);
  }
  layout(graph);
  return nodes.map(({ id }) => {
    const { x = 0, y = 0 } = graph.node(id) as { readonly x?: number; readonly y?: number };
    return { id, x, y };
  });
}

/** How high the drawing is. */
export function heightOf(places: readonly Place[], { height }: Size): number {
  const ys = places.map((place) => place.y);
  return ys.length === 0 ? 0 : Math.max(...ys) - Math.min(...ys) + height;
}

function inBlock(nodes: readonly Model[], size: Size, columns: number): readonly Place[] {
  return nodes.map(({ id }, index) => ({
    id,
    x: (index % columns) * (size.width + 20),
    y: Math.floor(index / columns) * (size.height + 20),
  }));
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};

/** The nearest model in the direction of an arrow key; nothing where there is none, or for another key. */
export function neighbourOf(places: readonly Place[], id: string, key: string): string | undefined {
  const step = STEPS[key];
  const here = places.find((place) => place.id === id);
  if (step === undefined || here === undefined) {
    return undefined;
  }
  const [dx, dy] = step;
  let best: { readonly id: string; readonly cost: number } | undefined;
  for (const place of places) {
    const ahead = (place.x - here.x) * dx + (place.y - here.y) * dy;
    const aside = Math.abs((place.x - here.x) * dy) + Math.abs((place.y - here.y) * dx);
    const cost = ahead + 2 * aside;
    // Half as far ahead as aside is another direction.
    if (ahead > 1 && ahead * 2 >= aside && (best === undefined || cost < best.cost)) {
      best = { id: place.id, cost };
    }
  }
  return best?.id;
}
