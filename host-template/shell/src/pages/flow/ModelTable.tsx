/** The models as a table: the same as the graph, in reading order, for whoever prefers or needs it. */

import { Stack, Text } from "@mantine/core";
import { type Column, DataTable, EmptyState, SearchField } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { formatSeconds, inOrder, type Model, modelsMatching, parentsOf, verdictOfModel } from "../../flow.ts";
import { ModelFacts } from "./ModelFacts.tsx";
import { VerdictBadge } from "./Verdict.tsx";

interface Props {
  readonly nodes: readonly Model[];
  /** Whether there are so many that they can be searched. */
  readonly searched: boolean;
}

/** Each model after what it is made of. */
export function ModelTable({ nodes, searched }: Props): ReactNode {
  const [search, setSearch] = useState("");
  const rows = modelsMatching(inOrder(nodes), search);
  return (
    <Stack gap="sm">
      {searched && (
        <SearchField label="Search models" placeholder="Search by name, kind or outcome" value={search} onChange={setSearch} />
      )}
      {rows.length === 0 ? (
        <EmptyState title="No model matches" hint={`Nothing is found for “${search}”.`} />
      ) : (
        <DataTable
          caption="Models, each after those it depends on"
          columns={columns(nodes)}
          rows={rows}
          rowKey={(model) => model.id}
          rowName={(model) => model.name}
          detail={(model) => <ModelFacts model={model} nodes={nodes} />}
        />
      )}
    </Stack>
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
    { label: "Duration", numeric: true, cell: (model) => (model.seconds === null ? "–" : formatSeconds(model.seconds)) },
    {
      label: "Depends on",
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
