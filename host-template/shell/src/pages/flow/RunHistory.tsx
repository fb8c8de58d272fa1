/** The runs so far, newest first. */

import { Button, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import {
  type Column,
  DataTable,
  EmptyState,
  formatTime,
  formatUtc,
  ResourceView,
  sentence,
  Ticked,
} from "@platform/plugin-host/ui";
import ScrollText from "lucide-react/icons/scroll-text";
import type { ReactNode } from "react";
import { formatSeconds, nameOfRun, type Run, type Script, secondsOf, verdictOfRun } from "../../flow.ts";
import type { CursorList } from "../../use-cursor-list.ts";
import styles from "./flow.module.css";
import { VerdictBadge } from "./Verdict.tsx";

interface Props {
  readonly workspace: string;
  /** Whether the runs of all workspaces are shown. */
  readonly all: boolean;
  readonly onAll: (all: boolean) => void;
  readonly runs: CursorList<Run>;
  readonly scripts: readonly Script[];
  /** The run whose log is open. */
  readonly shown: string | undefined;
  readonly onShow: (id: string) => void;
}

/** Of one workspace, or of all. */
export function RunHistory({ workspace, all, onAll, runs, scripts, shown, onShow }: Props): ReactNode {
  const { items, error, loading, reload, more, next } = runs;
  return (
    <section aria-labelledby="flow-history">
      <Group justify="space-between" gap="xs" mb="sm">
        <Title order={2} size="h3" id="flow-history">
          Runs
        </Title>
        <SegmentedControl
          aria-label="Whose runs are shown"
          size="sm"
          value={all ? "all" : "one"}
          onChange={(value) => onAll(value === "all")}
          data={[
            { value: "one", label: workspace },
            { value: "all", label: "All" },
          ]}
        />
      </Group>
      <ResourceView resource={{ data: items, error, loading, reload, replace: () => undefined }} what="the runs">
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title="No runs yet" hint="Builds and runs of recipes will be listed here with their logs." />
          ) : (
            <Stack gap="sm">
              <DataTable
                caption="Runs, newest first"
                columns={columns(all, scripts, shown, onShow)}
                rows={rows}
                rowKey={(run) => run.id}
                note={(run) =>
                  run.error === null ? null : (
                    <Text size="xs" c="dimmed">
                      <Ticked text={sentence(run.error)} />
                    </Text>
                  )
                }
              />
              {next !== null && (
                <Group justify="flex-end">
                  <Button variant="default" loading={loading} onClick={more}>
                    Load more
                  </Button>
                </Group>
              )}
            </Stack>
          )
        }
      </ResourceView>
    </section>
  );
}

function columns(
  all: boolean,
  scripts: readonly Script[],
  shown: string | undefined,
  onShow: (id: string) => void,
): readonly Column<Run>[] {
  return [
    {
      label: "Run",
      cell: (run) => (
        <div>
          <Text size="sm" fw={550}>
            {nameOfRun(run, scripts)}
          </Text>
          {all && run.kind === "script" && (
            <Text size="xs" c="dimmed">
              {run.workspace}
            </Text>
          )}
        </div>
      ),
    },
    { label: "State", cell: (run) => <VerdictBadge verdict={verdictOfRun(run)} /> },
    { label: "Requested by", cell: (run) => <span className={styles.who}>{run.requested_by}</span> },
    {
      label: "When",
      cell: (run) => (
        <time dateTime={run.created_at} title={formatUtc(run.created_at)} className={styles.time}>
          {formatTime(run.created_at)}
        </time>
      ),
    },
    { label: "Duration", numeric: true, cell: (run) => took(run) },
    {
      label: "Log",
      actions: true,
      cell: (run) => (
        <Button
          variant={run.id === shown ? "light" : "default"}
          size="compact-sm"
          leftSection={<ScrollText size={14} aria-hidden="true" />}
          aria-pressed={run.id === shown}
          aria-label={`Log of ${nameOfRun(run, scripts)}, ${formatTime(run.created_at)}`}
          onClick={() => onShow(run.id)}
        >
          Log
        </Button>
      ),
    },
  ];
}

function took(run: Run): string {
  const seconds = run.finished_at === null ? undefined : secondsOf(run, 0);
  return seconds === undefined ? "–" : formatSeconds(seconds);
}
