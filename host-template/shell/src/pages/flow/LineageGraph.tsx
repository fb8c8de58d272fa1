/** The lineage as a graph: an arrow leads from what a model is made of to the model. A heavy chunk of its own. */

import "@xyflow/react/dist/base.css";
import { ActionIcon, Group, Tooltip, VisuallyHidden } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import {
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Panel,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from "@xyflow/react";
import Maximize from "lucide-react/icons/maximize";
import Minus from "lucide-react/icons/minus";
import Plus from "lucide-react/icons/plus";
import {
  createContext,
  type KeyboardEvent,
  type ReactNode,
  use,
  useEffect,
  useEffectEvent,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import { formatSeconds, type Model, verdictOfModel } from "../../flow.ts";
import {
  arrowsOf,
  type Direction,
  heightOf,
  neighbourOf,
  type Place,
  placesOf,
  type Size,
  sizeOf,
  viewportOf,
} from "../../lineage-layout.ts";
import styles from "./flow.module.css";
import { ToneMark } from "./Verdict.tsx";

interface Props {
  readonly nodes: readonly Model[];
  /** Identifier of the model whose details are shown. */
  readonly chosen: string | undefined;
  readonly onChoose: (id: string) => void;
}

/** From this width on models stand from left to right. */
const WIDE = 620;

/** Limits of the canvas's height in pixels, and what it leaves around the models for the buttons. */
const [LOWEST, HIGHEST, AROUND] = [260, 520, 130];

/** What the models need to know beyond themselves. */
interface Shared {
  readonly chosen: string | undefined;
  /** The one that the Tab key leads to. */
  readonly stop: string | undefined;
  readonly direction: Direction;
  readonly onChoose: (id: string) => void;
  readonly onFocus: (id: string) => void;
  readonly onKeyDown: (event: KeyboardEvent, id: string) => void;
}

const SharedContext = createContext<Shared | null>(null);

type ModelNode = Node<{ readonly model: Model }, "model">;

/** The drawing, once it is known how wide it is. */
export default function LineageGraph(props: Props): ReactNode {
  const { ref, width } = useElementSize();
  return (
    <div ref={ref} className={styles.canvas} data-lineage-graph={width > 0 || undefined}>
      {width > 0 && (
        <ReactFlowProvider>
          <Drawing {...props} direction={width >= WIDE ? "right" : "down"} width={width} />
        </ReactFlowProvider>
      )}
    </div>
  );
}

const NODE_TYPES = { model: ModelBox };
const FIT = { padding: 0.08, maxZoom: 1 };

/** A model that is looked for is shown at least this big. */
const READABLE = 0.75;

interface DrawingProps extends Props {
  readonly direction: Direction;
  readonly width: number;
}

function Drawing({ nodes, chosen, onChoose, direction, width }: DrawingProps): ReactNode {
  const frame = useRef<HTMLDivElement>(null);
  const helpId = useId();
  const { setViewport, setCenter, getZoom } = useReactFlow();
  const [focused, setFocused] = useState<string>();
  const size = sizeOf(direction);
  const places = useMemo(() => placesOf(nodes, direction), [nodes, direction]);
  const boxes = useMemo(() => places.map((place) => boxOf(place, size, nodes)), [places, size, nodes]);
  const height = Math.min(HIGHEST, Math.max(LOWEST, heightOf(places, size) + AROUND));
  const edges = useMemo(() => arrowsOf(nodes).map((arrow) => edgeOf(arrow, chosen)), [nodes, chosen]);

  // The shape of the graph or of the page is another: begin anew, at what went wrong where there is not room for all.
  const shape = places.map((place) => place.id).join("\n");
  const start = useEffectEvent(() => {
    const wrong = nodes.find((node) => verdictOfModel(node).tone === "bad");
    void setViewport(viewportOf(places, direction, { width, height }, chosen ?? wrong?.id));
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: these are what it begins anew for
  useEffect(() => start(), [shape, direction, width, height]);

  const reveal = (id: string) => {
    const place = places.find((one) => one.id === id);
    if (place !== undefined && isOutside(frame.current, id)) {
      void setCenter(place.x, place.y, { zoom: Math.max(READABLE, getZoom()) });
    }
  };
  const revealChosen = useEffectEvent(() => chosen !== undefined && reveal(chosen));
  // biome-ignore lint/correctness/useExhaustiveDependencies(chosen): what is chosen is shown once, when it is chosen
  useEffect(() => {
    revealChosen();
  }, [chosen]);

  const shared: Shared = {
    chosen,
    stop: places.find((place) => place.id === (focused ?? chosen))?.id ?? places[0]?.id,
    direction,
    onChoose,
    onFocus: (id) => {
      setFocused(id);
      reveal(id);
    },
    onKeyDown: (event, id) => {
      const next = neighbourOf(places, id, event.key);
      if (next !== undefined) {
        event.preventDefault();
        modelElement(frame.current, next)?.focus({ preventScroll: true });
      }
    },
  };
  return (
    <SharedContext value={shared}>
      <VisuallyHidden id={helpId}>
        Arrow keys move between models, Enter shows the details of one. The same models are listed in the table view.
      </VisuallyHidden>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset groups the fields of a form */}
      <div ref={frame} style={{ height }} role="group" aria-label="Lineage of the models" aria-describedby={helpId}>
        <ReactFlow<ModelNode>
          nodes={boxes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          minZoom={0.05}
          maxZoom={1.5}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          onlyRenderVisibleElements={false}
        >
          <Zoom />
        </ReactFlow>
      </div>
    </SharedContext>
  );
}

function boxOf({ id, x, y }: Place, size: Size, nodes: readonly Model[]): ModelNode {
  const model = nodes.find((node) => node.id === id) as Model;
  return {
    id,
    type: "model",
    position: { x: x - size.width / 2, y: y - size.height / 2 },
    data: { model },
    ...size,
  };
}

function edgeOf(
  { id, from, to }: { readonly id: string; readonly from: string; readonly to: string },
  chosen: string | undefined,
): Edge {
  const near = from === chosen || to === chosen;
  const colour = near ? "var(--hub-flow-edge-near)" : "var(--hub-flow-edge)";
  return {
    id,
    source: from,
    target: to,
    style: { stroke: colour, strokeWidth: near ? 2 : 1.5 },
    markerEnd: { type: MarkerType.ArrowClosed, color: colour, width: 16, height: 16 },
  };
}

function modelElement(frame: HTMLElement | null, id: string): HTMLElement | null {
  return frame?.querySelector<HTMLElement>(`[data-model="${CSS.escape(id)}"]`) ?? null;
}

function isOutside(frame: HTMLElement | null, id: string): boolean {
  const inner = modelElement(frame, id)?.getBoundingClientRect();
  const outer = frame?.getBoundingClientRect();
  if (inner === undefined || outer === undefined) {
    return false;
  }
  return inner.left < outer.left || inner.right > outer.right || inner.top < outer.top || inner.bottom > outer.bottom;
}

function ModelBox({ data: { model } }: NodeProps<ModelNode>): ReactNode {
  const shared = use(SharedContext);
  if (shared === null) {
    return null;
  }
  const { chosen, stop, direction, onChoose, onFocus, onKeyDown } = shared;
  const verdict = verdictOfModel(model);
  const took = model.seconds === null ? undefined : formatSeconds(model.seconds);
  const [into, outOf] = direction === "right" ? [Position.Left, Position.Right] : [Position.Top, Position.Bottom];
  return (
    <>
      <Handle type="target" position={into} isConnectable={false} className={styles.handle} />
      <button
        type="button"
        className={`nopan ${styles.model}`}
        data-model={model.id}
        data-tone={verdict.tone}
        data-direction={direction}
        aria-pressed={model.id === chosen}
        tabIndex={model.id === stop ? 0 : -1}
        title={model.name}
        onClick={() => onChoose(model.id)}
        onFocus={() => onFocus(model.id)}
        onKeyDown={(event) => onKeyDown(event, model.id)}
      >
        <span className={styles.modelName}>{model.name}</span>
        <span className={styles.modelFacts}>
          <span className={styles.modelState}>
            <ToneMark tone={verdict.tone} />
            {verdict.word}
          </span>
          <span className={styles.modelKind}>{took === undefined ? model.kind : `${model.kind} · ${took}`}</span>
        </span>
      </button>
      <Handle type="source" position={outOf} isConnectable={false} className={styles.handle} />
    </>
  );
}

function Zoom(): ReactNode {
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  const button = (label: string, glyph: ReactNode, onClick: () => void) => (
    <Tooltip label={label}>
      <ActionIcon variant="default" size="md" aria-label={label} onClick={onClick}>
        {glyph}
      </ActionIcon>
    </Tooltip>
  );
  return (
    <Panel position="bottom-left">
      <Group gap={4} role="group" aria-label="Zoom">
        {button("Zoom in", <Plus size={15} aria-hidden="true" />, () => void zoomIn())}
        {button("Zoom out", <Minus size={15} aria-hidden="true" />, () => void zoomOut())}
        {button("Show everything", <Maximize size={15} aria-hidden="true" />, () => void fitView(FIT))}
      </Group>
    </Panel>
  );
}
