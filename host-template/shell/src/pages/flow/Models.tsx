/** The models of a workspace: a graph or a table, and the details of the one that was chosen. */

import { ActionIcon, Group, Paper, SegmentedControl, Select, Skeleton, Text, Title } from "@mantine/core";
import type { Resource } from "@platform/plugin-host";
import { EmptyState, formatTime, ResourceView } from "@platform/plugin-host/ui";
import Search from "lucide-react/icons/search";
import X from "lucide-react/icons/x";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { type Lineage, type Model, toldOfBuilds, type Workspace } from "../../flow.ts";
import { PageBoundary } from "../../page-boundary.tsx";
import styles from "./flow.module.css";
import { ModelFacts } from "./ModelFacts.tsx";
import { ModelTable } from "./ModelTable.tsx";

const loadGraph = () => import("./LineageGraph.tsx");
let Graph = lazy(loadGraph);

/** More models than this are searched. */
const MANY = 12;

/** How the models are shown. */
export type View = "graph" | "table";

interface Props {
  readonly workspace: Workspace;
  readonly lineage: Resource<Lineage>;
  readonly view: View;
  readonly onView: (view: View) => void;
}

/** Heading, choice of view, models. */
export function Models({ workspace, lineage, view, onView }: Props): ReactNode {
  const { data } = lineage;
  return (
    <section aria-labelledby="flow-models">
      <Group justify="space-between" gap="xs" mb="sm">
        <div>
          <Title order={2} size="h3" id="flow-models">
            Models
          </Title>
          <Text size="sm" c="dimmed" data-lineage-run={data?.run ?? undefined}>
            {data === undefined ? "\u00a0" : toldOfBuilds(data, formatTime)}
          </Text>
        </div>
        <SegmentedControl
          aria-label="How the models are shown"
          size="sm"
          value={view}
          onChange={(value) => onView(value === "table" ? "table" : "graph")}
          data={[
            { value: "graph", label: "Graph" },
            { value: "table", label: "Table" },
          ]}
        />
      </Group>
      <ResourceView resource={lineage} what={`the models of ${workspace.slug}`} skeleton={<Skeleton height={360} />}>
        {({ nodes }) =>
          nodes.length === 0 ? (
            <EmptyState
              title="No models yet"
              hint="The first build of the workspace shows its models and what each depends on."
            />
          ) : view === "table" ? (
            <ModelTable nodes={nodes} searched={nodes.length > MANY} />
          ) : (
            <GraphWithDetails nodes={nodes} />
          )
        }
      </ResourceView>
    </section>
  );
}

const intoView = (node: HTMLElement | null) => node?.scrollIntoView({ block: "nearest" });

function GraphWithDetails({ nodes }: { readonly nodes: readonly Model[] }): ReactNode {
  const [chosen, setChosen] = useState<string>();
  const model = nodes.find((node) => node.id === chosen);
  const [Current, setCurrent] = useState(() => Graph);
  const retry = () => {
    Graph = lazy(loadGraph);
    setCurrent(() => Graph);
  };
  return (
    <Paper withBorder className={styles.panel}>
      {nodes.length > MANY && (
        <Select
          aria-label="Find a model"
          placeholder={`Find one of ${nodes.length} models`}
          leftSection={<Search size={16} aria-hidden="true" />}
          className={styles.find}
          data={[...nodes].sort((a, b) => a.name.localeCompare(b.name)).map(({ id, name }) => ({ value: id, label: name }))}
          value={model?.id ?? null}
          searchable
          clearable
          limit={50}
          nothingFoundMessage="No such model"
          onChange={(id) => setChosen(id ?? undefined)}
        />
      )}
      <PageBoundary what="The graph" onRetry={retry}>
        <Suspense fallback={<Skeleton height="100%" mih={360} radius={0} />}>
          <Current nodes={nodes} chosen={model?.id} onChoose={(id) => setChosen((last) => (last === id ? undefined : id))} />
        </Suspense>
      </PageBoundary>
      {model !== undefined && (
        <aside key={model.id} ref={intoView} className={styles.details} aria-label={`Details of ${model.name}`}>
          <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs" mb="sm">
            <Title order={3} size="sm" className={styles.detailsName}>
              {model.name}
            </Title>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              aria-label="Close the details"
              onClick={() => setChosen(undefined)}
            >
              <X size={16} aria-hidden="true" />
            </ActionIcon>
          </Group>
          <ModelFacts model={model} nodes={nodes} />
        </aside>
      )}
    </Paper>
  );
}
