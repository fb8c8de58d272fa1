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

const SIZES: Readonly<Record<Direction, Size>> = { right: { width: 244, height: 72 }, down: { width: 156, height: 84 } };

/** On narrow screens models are narrower; a name has two lines on both. */
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
  graph.setGraph({
    rankdir: direction === "right" ? "LR" : "TB",
    nodesep: direction === "right" ? 20 : 14,
    ranksep: direction === "right" ? 64 : 40,
  });
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

/** What part of the drawing is shown: as React Flow takes it. */
export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

/** Smaller than this nobody reads a model's name. */
const SMALLEST = 0.65;

/** The zoom for a drawing of which only a part can be shown. */
const PART = 0.8;

/** Pixels around the drawing. */
const MARGIN = 24;

/**
 * All of the drawing in the middle of a canvas where it can be read so; else a part of it: around the model that is
 * asked for, or where the arrows begin.
 */
export function viewportOf(places: readonly Place[], direction: Direction, canvas: Size, around: string | undefined): Viewport {
  const first = places[0];
  if (first === undefined) {
    return { x: 0, y: 0, zoom: 1 };
  }
  const size = sizeOf(direction);
  const [xs, ys] = [places.map((place) => place.x), places.map((place) => place.y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const zoom = Math.min(
    1,
    (canvas.width - 2 * MARGIN) / (right - left + size.width),
    (canvas.height - 2 * MARGIN) / (bottom - top + size.height),
  );
  const middle = { x: canvas.width / 2, y: canvas.height / 2 };
  const shown = (
    place: { readonly x: number; readonly y: number },
    at: { readonly x: number; readonly y: number },
    zoom: number,
  ) => ({
    x: at.x - place.x * zoom,
    y: at.y - place.y * zoom,
    zoom,
  });
  if (zoom >= SMALLEST) {
    return shown({ x: (left + right) / 2, y: (top + bottom) / 2 }, middle, zoom);
  }
  const asked = places.find((place) => place.id === around);
  if (asked !== undefined) {
    return shown(asked, middle, PART);
  }
  const along = (place: Place) => (direction === "right" ? place.x : place.y);
  const start = places.reduce((best, place) => (along(place) < along(best) ? place : best), first);
  return direction === "right"
    ? shown(start, { x: MARGIN + (size.width / 2) * PART, y: middle.y }, PART)
    : shown(start, { x: middle.x, y: MARGIN + (size.height / 2) * PART }, PART);
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
