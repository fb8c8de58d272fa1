/** One run: how it stands, its log as it comes, and the way to end it. */

import { ActionIcon, Button, Group, Paper, Text, Title, Tooltip, VisuallyHidden } from "@mantine/core";
import { type ApiError, apiPost, asApiError, useResource } from "@platform/plugin-host";
import { ErrorState, formatTime, sentence, Ticked } from "@platform/plugin-host/ui";
import Ban from "lucide-react/icons/ban";
import X from "lucide-react/icons/x";
import { type ReactNode, useEffect, useRef, useState } from "react";
import {
  formatSeconds,
  isUnderWay,
  type Log,
  nameOfRun,
  type Run,
  type Script,
  secondsOf,
  verdictOfRun,
  wordsOfOptions,
} from "../../flow.ts";
import { may, useSession } from "../../session.ts";
import styles from "./flow.module.css";
import { useRun } from "./use-run.ts";
import { VerdictBadge } from "./Verdict.tsx";

interface Props {
  readonly id: string;
  readonly scripts: readonly Script[];
  /** Called with each state that the run comes to. */
  readonly onState: (run: Run) => void;
  readonly onClose: () => void;
}

/** The panel of a run, whether it is under way or long over. */
export function RunPanel({ id, scripts, onState, onClose }: Props): ReactNode {
  const first = useResource<Run>(`/api/dbt/runs/${encodeURIComponent(id)}`);
  const { run: latest, log, broken } = useRun(id, onState);
  const run = latest ?? first.data;
  if (run === undefined && first.error !== undefined) {
    return <ErrorState title="Could not show the run" detail={first.error.message} onRetry={onClose} retryLabel="Close" />;
  }
  return (
    <Paper withBorder component="section" aria-labelledby="flow-run" className={styles.run} data-run={id} data-state={run?.state}>
      <Group justify="space-between" gap="xs" className={styles.runHead}>
        <Group gap="sm" miw={0}>
          <Title order={2} size="sm" id="flow-run">
            {run === undefined ? "Run" : nameOfRun(run, scripts)}
          </Title>
          <span role="status">{run !== undefined && <VerdictBadge verdict={verdictOfRun(run)} />}</span>
          {run !== undefined && <Facts run={run} />}
        </Group>
        <Group gap="xs" wrap="nowrap">
          {isUnderWay(run) && <Cancel id={id} />}
          <Tooltip label="Close">
            <ActionIcon variant="subtle" color="gray" aria-label="Close the run's log" onClick={onClose}>
              <X size={16} aria-hidden="true" />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
      {run !== undefined && run.error !== null && (
        <Text size="sm" c="var(--mantine-color-red-text)" className={styles.runError} role="alert">
          <Ticked text={sentence(run.error)} />
        </Text>
      )}
      {run !== undefined && wordsOfOptions(run.options) !== "" && (
        <Text size="xs" c="dimmed" className={styles.runError} data-run-options>
          {wordsOfOptions(run.options)}
        </Text>
      )}
      {run?.state === "queued" && typeof run.waiting === "string" && (
        <Text size="sm" className={styles.runError} role="status">
          <Ticked text={sentence(run.waiting)} />
        </Text>
      )}
      <LogView log={log} run={run} />
      {broken && isUnderWay(run) && (
        <Text size="xs" c="dimmed" className={styles.runError} role="status">
          The connection is lost; reconnecting.
        </Text>
      )}
    </Paper>
  );
}

/** Who asked for it, and how long it has taken. */
function Facts({ run }: { readonly run: Run }): ReactNode {
  const now = useNow(isUnderWay(run));
  const seconds = secondsOf(run, now);
  return (
    <Text size="xs" c="dimmed">
      {seconds === undefined ? "" : `${formatSeconds(run.finished_at === null ? Math.floor(seconds) : seconds)} · `}
      requested by {run.requested_by}, <time dateTime={run.created_at}>{formatTime(run.created_at)}</time>
    </Text>
  );
}

/** The time of day in milliseconds, each second while it is wanted. */
function useNow(wanted: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (wanted) {
      setNow(Date.now());
      const timer = window.setInterval(() => setNow(Date.now()), 1000);
      return () => window.clearInterval(timer);
    }
    return undefined;
  }, [wanted]);
  return now;
}

function Cancel({ id }: { readonly id: string }): ReactNode {
  const session = useSession();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<ApiError>();
  if (!may(session, "dbt.run")) {
    return null;
  }
  const cancel = async () => {
    setSending(true);
    setError(undefined);
    try {
      await apiPost(`/api/dbt/runs/${encodeURIComponent(id)}/cancel`, {});
    } catch (caught) {
      const refusal = asApiError(caught);
      // It ended by itself in the meantime, which its state tells.
      setError(refusal.code === "run-ended" ? undefined : refusal);
    } finally {
      setSending(false);
    }
  };
  return (
    <>
      {error !== undefined && (
        <Text size="xs" c="var(--mantine-color-red-text)" role="alert">
          <Ticked text={sentence(error.message)} />
        </Text>
      )}
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<Ban size={14} aria-hidden="true" />}
        loading={sending}
        onClick={() => void cancel()}
      >
        Cancel
      </Button>
    </>
  );
}

interface LogProps {
  readonly log: Log;
  readonly run: Run | undefined;
}

/** The text, its end in view for as long as the reader does not scroll up. */
function LogView({ log, run }: LogProps): ReactNode {
  const box = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies(log): a longer text has another end
  useEffect(() => {
    if (follows.current && box.current !== null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [log]);
  return (
    <>
      {log.cut && (
        <Text size="xs" c="dimmed" className={styles.runError}>
          The log is too long to show: its beginning is left out.
        </Text>
      )}
      <pre
        ref={box}
        className={styles.log}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that can be scrolled has to be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Log of the run"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          follows.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {log.text === "" ? <span className={styles.quiet}>{emptyLog(run)}</span> : log.text}
      </pre>
      <VisuallyHidden>End of the log</VisuallyHidden>
    </>
  );
}

function emptyLog(run: Run | undefined): string {
  switch (run?.state) {
    case undefined:
      return "…";
    case "queued":
      return "Queued: a workspace has one run at a time.";
    case "running":
      return "No output yet.";
    default:
      return "No output.";
  }
}
