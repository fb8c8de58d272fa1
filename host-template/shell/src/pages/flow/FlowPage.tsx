/** The Flow page: the models of a dbt workspace, builds and recipes, their logs and their history. */

import { ActionIcon, Alert, Anchor, Button, Select, Stack, Text, Tooltip } from "@mantine/core";
import { type ApiError, apiPost, asApiError, useResource } from "@platform/plugin-host";
import { EmptyState, Page, ResourceView, sentence, Ticked } from "@platform/plugin-host/ui";
import Hammer from "lucide-react/icons/hammer";
import PackageX from "lucide-react/icons/package-x";
import RotateCw from "lucide-react/icons/rotate-cw";
import SlidersHorizontal from "lucide-react/icons/sliders-horizontal";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { CopyCommand } from "../../copy-command.tsx";
import {
  chosenOf,
  isUnderWay,
  type Lineage,
  type Run,
  type Script,
  type Workspace,
  type Workspaces,
  withParam,
} from "../../flow.ts";
import { may, useReloadOnNews, useSession } from "../../session.ts";
import { useCursorList } from "../../use-cursor-list.ts";
import { BuildOptionsDialog } from "./BuildOptions.tsx";
import styles from "./flow.module.css";
import { Models } from "./Models.tsx";
import { Recipes } from "./Recipes.tsx";
import { RunHistory } from "./RunHistory.tsx";
import { RunPanel } from "./RunPanel.tsx";

const NO_SCRIPTS: readonly Script[] = [];

/** Which workspace, which run and which view are shown stands in the address. */
export default function FlowPage(): ReactNode {
  const [params, setParams] = useSearchParams();
  const workspaces = useResource<Workspaces>("/api/dbt/workspaces");
  const scripts = useResource<readonly Script[]>("/api/scripts");
  const reload = useCallback(() => {
    workspaces.reload();
    scripts.reload();
  }, [workspaces.reload, scripts.reload]);
  useReloadOnNews(reload);
  useReloadOnReturn(reload);

  const { data } = workspaces;
  const wanted = params.get("workspace");
  const chosen = data === undefined ? undefined : chosenOf(data.workspaces, wanted);
  // Another workspace has other runs.
  const choose = (slug: string) => setParams((last) => withParam(withParam(last, "run", null), "workspace", slug));
  return (
    <Page
      title="Flow"
      description="The models of a dbt workspace, its builds, and what runs now."
      actions={
        data !== undefined && (
          <div className={styles.actions}>
            <Select
              aria-label="Workspace"
              className={styles.choice}
              data={data.workspaces.map((workspace) => workspace.slug)}
              value={chosen?.slug ?? null}
              placeholder="Choose a workspace"
              allowDeselect={false}
              searchable={data.workspaces.length > 8}
              nothingFoundMessage="No such workspace"
              onChange={(slug) => slug !== null && choose(slug)}
            />
            {chosen !== undefined && <Build key={chosen.slug} workspace={chosen} installed={data.dbt_installed} />}
            <Tooltip label="Refresh">
              <ActionIcon variant="default" size="lg" aria-label="Refresh" loading={workspaces.loading} onClick={reload}>
                <RotateCw size={16} aria-hidden="true" />
              </ActionIcon>
            </Tooltip>
          </div>
        )
      }
    >
      <ResourceView resource={workspaces} what="the dbt workspaces">
        {({ dbt_installed, install_with }) => (
          <Stack gap="xl">
            {!dbt_installed && <DbtMissing command={install_with} />}
            {chosen === undefined ? (
              <NoWorkspace wanted={wanted} />
            ) : (
              <Flow key={chosen.slug} workspace={chosen} scripts={scripts.data ?? NO_SCRIPTS} onChanged={workspaces.reload} />
            )}
          </Stack>
        )}
      </ResourceView>
    </Page>
  );
}

/** Calls `reload` when the page comes back into view: somebody else may have built something. */
function useReloadOnReturn(reload: () => void): void {
  useEffect(() => {
    const onVisibility = () => {
      if (!document.hidden) {
        reload();
      }
    };
    document.addEventListener("visibilitychange", onVisibility);
    return () => document.removeEventListener("visibilitychange", onVisibility);
  }, [reload]);
}

function DbtMissing({ command }: { readonly command: string | null }): ReactNode {
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={<PackageX size={18} aria-hidden="true" />}
      title="dbt is not installed on this platform"
      data-dbt-missing
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          You cannot build until it is.
          {command !== null && " An operator runs this on the server; no restart is needed:"}
        </Text>
        {command !== null && <CopyCommand command={command} />}
      </Stack>
    </Alert>
  );
}

function NoWorkspace({ wanted }: { readonly wanted: string | null }): ReactNode {
  return wanted === null ? (
    <EmptyState title="No dbt workspaces" hint="Enable a plugin that has one." />
  ) : (
    <EmptyState
      title={`There is no workspace “${wanted}” here`}
      hint="Its plugin may be disabled, or missing from this release."
      action={
        <Anchor component={Link} to="/flow" size="sm">
          Show another workspace
        </Anchor>
      }
    />
  );
}

/** Puts a build into the queue. */
function Build({ workspace, installed }: { readonly workspace: Workspace; readonly installed: boolean }): ReactNode {
  const session = useSession();
  const [, setParams] = useSearchParams();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [choosing, setChoosing] = useState(false);
  if (!may(session, "dbt.run")) {
    return null;
  }
  const waiting = isUnderWay(workspace.last_run);
  const show = (run: Run) => setParams((last) => withParam(withParam(last, "workspace", workspace.slug), "run", run.id));
  const build = async () => {
    setSending(true);
    setError(undefined);
    try {
      const run = await apiPost<Run>(`/api/dbt/workspaces/${encodeURIComponent(workspace.slug)}/build`, {});
      show(run);
    } catch (caught) {
      setError(asApiError(caught));
    } finally {
      setSending(false);
    }
  };
  return (
    <>
      <Tooltip label={installed ? "A run is active" : "dbt is not installed"} disabled={installed && !waiting}>
        <Button
          leftSection={<Hammer size={16} aria-hidden="true" />}
          loading={sending}
          // Not `disabled`: whoever comes by keyboard should learn why.
          data-disabled={!installed || waiting || undefined}
          aria-disabled={!installed || waiting || undefined}
          onClick={() => installed && !waiting && void build()}
        >
          {!waiting ? "Build" : workspace.last_run?.kind === "script" ? "Running" : "Building"}
        </Button>
      </Tooltip>
      {installed && (
        <Tooltip label="Build with options">
          <ActionIcon variant="default" size="lg" aria-label="Build with options" onClick={() => setChoosing(true)}>
            <SlidersHorizontal size={16} aria-hidden="true" />
          </ActionIcon>
        </Tooltip>
      )}
      <BuildOptionsDialog
        workspace={workspace}
        opened={choosing}
        onClose={() => setChoosing(false)}
        onStarted={(run) => {
          setChoosing(false);
          show(run);
        }}
      />
      {error !== undefined && (
        <Text size="xs" c="var(--mantine-color-red-text)" role="alert" className={styles.refusal}>
          <Ticked text={sentence(error.message)} />
        </Text>
      )}
    </>
  );
}

interface FlowProps {
  readonly workspace: Workspace;
  readonly scripts: readonly Script[];
  /** Called when a run of some workspace came to another state. */
  readonly onChanged: () => void;
}

/** Everything of one workspace. */
function Flow({ workspace, scripts, onChanged }: FlowProps): ReactNode {
  const { slug, last_run: lastRun } = workspace;
  const [params, setParams] = useSearchParams();
  const [closed, setClosed] = useState<string>();
  const all = params.get("runs") === "all";
  const set = (name: string, value: string | null) =>
    setParams((last) => withParam(withParam(last, "workspace", slug), name, value), { replace: true });

  const lineage = useResource<Lineage>(`/api/dbt/workspaces/${encodeURIComponent(slug)}/lineage`);
  const runs = useCursorList<Run>((before) => {
    const query = new URLSearchParams({ limit: "20", ...(all ? {} : { workspace: slug }) });
    if (before !== null) {
      query.set("before", before);
    }
    return `/api/dbt/runs?${query}`;
  });
  const changed = () => {
    onChanged();
    lineage.reload();
    runs.reload();
  };

  // A run that is under way is shown without being asked for, until it is closed.
  const active = isUnderWay(lastRun) && lastRun?.id !== closed ? lastRun?.id : undefined;
  const shown = params.get("run") ?? active;
  return (
    <Stack gap="xl">
      {shown !== undefined && (
        <RunPanel
          key={shown}
          id={shown}
          scripts={scripts}
          onState={changed}
          onClose={() => {
            setClosed(shown);
            set("run", null);
          }}
        />
      )}
      <Models
        workspace={workspace}
        lineage={lineage}
        view={params.get("view") === "table" ? "table" : "graph"}
        onView={(view) => set("view", view === "table" ? view : null)}
      />
      <Recipes
        scripts={scripts}
        onStarted={(run) => {
          set("run", run.id);
          window.scrollTo({ top: 0 });
          changed();
        }}
      />
      <RunHistory
        workspace={slug}
        all={all}
        onAll={(wanted) => set("runs", wanted ? "all" : null)}
        runs={runs}
        scripts={scripts}
        shown={shown}
        onShow={(id) => {
          set("run", id === params.get("run") ? null : id);
          window.scrollTo({ top: 0 });
        }}
      />
    </Stack>
  );
}
