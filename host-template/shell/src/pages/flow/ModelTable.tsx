/** The models as a table: the same as the graph, in reading order, for whoever prefers or needs it. */

import { Text } from "@mantine/core";
import { type Column, DataTable } from "@platform/plugin-host/ui";
import type { ReactNode } from "react";
import { formatSeconds, inOrder, type Model, parentsOf, verdictOfModel } from "../../flow.ts";
import { ModelFacts } from "./ModelFacts.tsx";
import { VerdictBadge } from "./Verdict.tsx";

/** Each model after what it is made of. */
export function ModelTable({ nodes }: { readonly nodes: readonly Model[] }): ReactNode {
  return (
    <DataTable
      caption="Models, each after what it is made of"
      columns={columns(nodes)}
      rows={inOrder(nodes)}
      rowKey={(model) => model.id}
      rowName={(model) => model.name}
      detail={(model) => <ModelFacts model={model} nodes={nodes} />}
    />
  );
}

function columns(nodes: readonly Model[]): readonly Column<Model>[] {
  return [
    {
      label: "Model",
      cell: (model) => (
        <Text size="sm" fw={550}>
          {model.name}
        </Text>
      ),
    },
    { label: "Kind", cell: (model) => model.kind },
    { label: "Last run", cell: (model) => <VerdictBadge verdict={verdictOfModel(model)} /> },
    { label: "Took", numeric: true, cell: (model) => (model.seconds === null ? "–" : formatSeconds(model.seconds)) },
    {
      label: "Made of",
      cell: (model) => (
        <Text size="sm" c="dimmed">
          {parentsOf(nodes, model)
            .map((parent) => parent.name)
            .join(", ") || "–"}
        </Text>
      ),
    },
  ];
}
