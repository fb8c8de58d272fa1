/** dbt workspaces, their models and runs as the API gives them, and how they are put into words: pure functions. */

import { countOf } from "./count.ts";

/** How far a run is, or how it ended. */
export type RunState = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "timed-out" | "lost";

/** A build of a workspace, or a run of a known script. */
export interface Run {
  readonly id: string;
  readonly kind: "dbt" | "script";
  readonly slug: string;
  readonly plugin: string | null;
  readonly workspace: string;
  readonly state: RunState;
  /** E-mail address. */
  readonly requested_by: string;
  /** RFC 3339, as are the others. */
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly error: string | null;
  /** What it was asked to do beyond a plain build. */
  readonly options?: BuildOptions | null;
  /** What it waits for, where that is one host. */
  readonly waiting?: string | null;
}

/** What a build may be asked to do. */
export interface BuildOptions {
  readonly select?: string;
  readonly exclude?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly full_refresh?: boolean;
  readonly seed_first?: boolean;
  readonly target?: string;
}

/** A dbt workspace. */
export interface Workspace {
  readonly slug: string;
  readonly profile: string;
  /** None for the platform's own. */
  readonly plugin: string | null;
  readonly last_run: Run | null;
}

/** What `GET /api/dbt/workspaces` answers. */
export interface Workspaces {
  readonly dbt_installed: boolean;
  /** The command that installs dbt, where it is missing. */
  readonly install_with: string | null;
  readonly workspaces: readonly Workspace[];
}

/** A model, seed, snapshot, source or exposure of a workspace. */
export interface Model {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  /** Identifiers of what it is made of; some may lie outside of the workspace. */
  readonly parents: readonly string[];
  /** dbt's own word. */
  readonly status: string | null;
  readonly seconds: number | null;
  readonly message: string | null;
  readonly failed_tests: readonly string[];
  /** The earlier run that the outcome is of, where the last one did not touch it. */
  readonly of_run?: string;
}

/** What `GET /api/dbt/workspaces/{slug}/lineage` answers. */
export interface Lineage {
  /** The run that told it; none before the first. */
  readonly run: string | null;
  readonly nodes: readonly Model[];
  /** The newest build that succeeded. */
  readonly last_good?: Run | null;
  /** The newest build that has ended, well or not. */
  readonly last_try?: Run | null;
}

/** A script that a plugin brings. */
export interface Script {
  readonly slug: string;
  readonly display_name: string;
  readonly plugin: string | null;
  /** As its manifest names it. */
  readonly output_schema: string;
  /** The organisation's own, which it is told to write to. */
  readonly schema: string;
  readonly workspace: string;
}

/** How good or bad something is: decides its colour and its icon, which never stand without a word. */
export type Tone = "good" | "busy" | "warned" | "bad" | "idle";

/** A tone and the word for it. */
export interface Verdict {
  readonly tone: Tone;
  readonly word: string;
}

const RUN_VERDICTS: Readonly<Record<RunState, Verdict>> = {
  queued: { tone: "idle", word: "Queued" },
  running: { tone: "busy", word: "Running" },
  succeeded: { tone: "good", word: "Succeeded" },
  failed: { tone: "bad", word: "Failed" },
  cancelled: { tone: "idle", word: "Cancelled" },
  "timed-out": { tone: "warned", word: "Timed out" },
  lost: { tone: "warned", word: "Lost" },
};

/** How a run stands. */
export function verdictOfRun({ state }: Pick<Run, "state">): Verdict {
  return RUN_VERDICTS[state] ?? { tone: "idle", word: state };
}

/** Whether something still happens to it. */
export function isUnderWay(run: Pick<Run, "state"> | null | undefined): boolean {
  return run?.state === "queued" || run?.state === "running";
}

/** How a model fared in the last run; a failed test on it weighs as much as a failure of its own. */
export function verdictOfModel({ status, failed_tests, kind }: Pick<Model, "status" | "failed_tests" | "kind">): Verdict {
  switch (status) {
    case "error":
    case "fail":
    case "runtime error":
      return { tone: "bad", word: "Failed" };
    case "skipped":
      return { tone: "idle", word: "Skipped" };
  }
  if (failed_tests.length > 0) {
    return { tone: "bad", word: `${countOf(failed_tests.length, "test")} failed` };
  }
  switch (status) {
    case "success":
    case "pass":
      return { tone: "good", word: kind === "seed" ? "Loaded" : "Built" };
    case "warn":
    case "partial success":
      return { tone: "warned", word: "With warnings" };
    case null:
      return { tone: "idle", word: kind === "source" ? "Source" : kind === "exposure" ? "Exposure" : "Not built" };
    default:
      return { tone: "idle", word: status };
  }
}

/** What a run is a run of: "Build of finance", or a script by its name where it is known. */
export function nameOfRun(run: Pick<Run, "kind" | "slug" | "plugin">, scripts: readonly Script[] = []): string {
  if (run.kind === "dbt") {
    return `Build of ${run.slug}`;
  }
  const known = scripts.find((script) => script.slug === run.slug && script.plugin === run.plugin);
  return known?.display_name ?? run.slug;
}

/** What a build was asked to do, in words: "select stg_orders+ · full refresh"; empty where it was a plain one. */
export function wordsOfOptions(options: BuildOptions | null | undefined): string {
  if (options === null || options === undefined) {
    return "";
  }
  const { select, exclude, vars, full_refresh, seed_first, target } = options;
  const names = Object.keys(vars ?? {});
  return [
    select === undefined ? "" : `select ${select}`,
    exclude === undefined ? "" : `exclude ${exclude}`,
    names.length === 0 ? "" : `vars ${names.map((name) => `${name}=${JSON.stringify(vars?.[name])}`).join(", ")}`,
    full_refresh === true ? "full refresh" : "",
    seed_first === true ? "seeds first" : "",
    target === undefined ? "" : `target ${target}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The options that a form holds; variables that are no JSON object give a sentence instead. */
export function optionsOf(values: Readonly<Record<string, unknown>>): BuildOptions | string {
  const text = (name: string) => (typeof values[name] === "string" ? (values[name] as string).trim() : "");
  const flags = Array.isArray(values.flags) ? (values.flags as readonly unknown[]) : [];
  let vars: unknown = {};
  if (text("vars") !== "") {
    try {
      vars = JSON.parse(text("vars"));
    } catch {
      return 'must be JSON, such as {"day": "2026-01-31"}';
    }
    if (typeof vars !== "object" || vars === null || Array.isArray(vars)) {
      return 'must be a JSON object, such as {"day": "2026-01-31"}';
    }
  }
  return {
    ...(text("select") === "" ? {} : { select: text("select") }),
    ...(text("exclude") === "" ? {} : { exclude: text("exclude") }),
    ...(text("target") === "" ? {} : { target: text("target") }),
    ...(Object.keys(vars as object).length === 0 ? {} : { vars: vars as Readonly<Record<string, unknown>> }),
    ...(flags.includes("full_refresh") ? { full_refresh: true } : {}),
    ...(flags.includes("seed_first") ? { seed_first: true } : {}),
  };
}

/** What there is to say of the builds behind the models that are shown: the last good one told from the last try. */
export function toldOfBuilds(lineage: Lineage, time: (text: string) => string): string {
  const { run, nodes, last_good: good, last_try: tried } = lineage;
  if (nodes.length === 0) {
    return tried === null || tried === undefined || tried.state === "succeeded" ? "Not built yet." : failedTry(tried, time);
  }
  const count = countOf(nodes.length, "model");
  if (run === null) {
    const never = `${count}, not built yet: the first build shows what each depends on.`;
    return tried === null || tried === undefined ? never : `${never} ${failedTry(tried, time)}`;
  }
  if (tried === null || tried === undefined || tried.state === "succeeded") {
    return `As of the last build: ${summaryOf(nodes)}.`;
  }
  const before =
    good === null || good === undefined ? "No build has succeeded yet." : `The last good build was ${time(good.created_at)}.`;
  const shown = run === tried.id ? `Its result: ${summaryOf(nodes)}.` : `Shown is the state before it: ${summaryOf(nodes)}.`;
  return `${failedTry(tried, time)} ${shown} ${before}`;
}

function failedTry(tried: Run, time: (text: string) => string): string {
  return `The last attempt, ${time(tried.created_at)}: ${verdictOfRun(tried).word.toLowerCase()}.`;
}

/** The workspace to show: the one that the address names, else the one built last, else a plugin's, else the first. */
export function chosenOf(workspaces: readonly Workspace[], wanted: string | null): Workspace | undefined {
  if (wanted !== null) {
    return workspaces.find((workspace) => workspace.slug === wanted);
  }
  const built = workspaces
    .filter((workspace) => workspace.last_run !== null)
    .sort((a, b) => (b.last_run?.created_at ?? "").localeCompare(a.last_run?.created_at ?? ""));
  return built[0] ?? workspaces.find((workspace) => workspace.plugin !== null) ?? workspaces[0];
}

/** The models that are made of a model. */
export function childrenOf(nodes: readonly Model[], id: string): readonly Model[] {
  return nodes.filter((node) => node.parents.includes(id));
}

/** The models that a model is made of, as far as they are listed. */
export function parentsOf(nodes: readonly Model[], model: Pick<Model, "parents">): readonly Model[] {
  return nodes.filter((node) => model.parents.includes(node.id));
}

/** The models in an order in which each comes after what it is made of; by name where that leaves a choice. */
export function inOrder(nodes: readonly Model[]): readonly Model[] {
  const depths = depthsOf(nodes);
  return [...nodes].sort((a, b) => (depths.get(a.id) ?? 0) - (depths.get(b.id) ?? 0) || a.name.localeCompare(b.name));
}

/** The models that hold all the words: in their name, their kind, how they fared, or a failed test. */
export function modelsMatching(nodes: readonly Model[], search: string): readonly Model[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return nodes.filter((node) => {
    const text = [node.name, node.kind, verdictOfModel(node).word, ...node.failed_tests].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** For each model the length of the longest way to it. */
export function depthsOf(nodes: readonly Model[]): ReadonlyMap<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const depths = new Map<string, number>();
  const open = new Set<string>();
  const depth = (id: string): number => {
    const known = depths.get(id);
    const node = byId.get(id);
    if (known !== undefined || node === undefined || open.has(id)) {
      return known ?? -1;
    }
    open.add(id);
    const found = 1 + Math.max(-1, ...node.parents.map(depth));
    open.delete(id);
    depths.set(id, found);
    return found;
  };
  for (const node of nodes) {
    depth(node.id);
  }
  return depths;
}

/** "3 built, 1 failed": how many models fared how, in the order in which the outcomes first appear. */
export function summaryOf(nodes: readonly Model[]): string {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const { tone, word } = verdictOfModel(node);
    const key = tone === "bad" ? "failed" : word.toLowerCase();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}

/** A time in seconds, short: "0.42 s", "12 s", "3 min 05 s", "1 h 02 min"; whole seconds stay whole. */
export function formatSeconds(time: number): string {
  const seconds = Math.max(0, time);
  if (seconds < 10 && !Number.isInteger(seconds)) {
    return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  }
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** How long a run took, or has taken so far at `now` (milliseconds since 1970); nothing before its start. */
export function secondsOf(run: Pick<Run, "started_at" | "finished_at">, now: number): number | undefined {
  const start = Date.parse(run.started_at ?? "");
  const end = run.finished_at === null ? now : Date.parse(run.finished_at);
  return Number.isNaN(start) || Number.isNaN(end) ? undefined : Math.max(0, (end - start) / 1000);
}

/** A log as far as it has come. */
export interface Log {
  readonly text: string;
  /** Number of its last part. */
  readonly seq: number;
  /** Whether its beginning was left out, because it is too long to show. */
  readonly cut: boolean;
}

/** Nothing yet. */
export const EMPTY_LOG: Log = { text: "", seq: 0, cut: false };

/** Characters of a log that are kept. */
export const LOG_LIMIT = 400_000;

/** The log with more parts of it; one that it has already, as after a broken connection, changes nothing. */
export function withChunks(log: Log, chunks: readonly { readonly seq: number; readonly text: string }[]): Log {
  let { text, seq, cut } = log;
  for (const chunk of chunks) {
    if (chunk.seq > seq) {
      text += chunk.text.endsWith("\n") ? chunk.text : `${chunk.text}\n`;
      seq = chunk.seq;
    }
  }
  if (seq === log.seq) {
    return log;
  }
  if (text.length > LOG_LIMIT) {
    const from = text.indexOf("\n", text.length - LOG_LIMIT) + 1;
    text = text.slice(from === 0 ? text.length - LOG_LIMIT : from);
    cut = true;
  }
  return { text, seq, cut };
}

/** The address's parameters with one changed; null takes it out. */
export function withParam(params: URLSearchParams, name: string, value: string | null): URLSearchParams {
  const next = new URLSearchParams(params);
  if (value === null) {
    next.delete(name);
  } else {
    next.set(name, value);
  }
  return next;
}
