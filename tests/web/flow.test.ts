/** The Flow page's pure parts: verdicts, orders, times, logs, and where models stand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  chosenOf,
  depthsOf,
  EMPTY_LOG,
  formatSeconds,
  inOrder,
  isUnderWay,
  LOG_LIMIT,
  type Model,
  modelsMatching,
  nameOfRun,
  optionsOf,
  type Run,
  secondsOf,
  summaryOf,
  toldOfBuilds,
  verdictOfModel,
  verdictOfRun,
  type Workspace,
  withChunks,
  withParam,
  wordsOfOptions,
} from "../../host-template/shell/src/flow.ts";
import { arrowsOf, heightOf, neighbourOf, placesOf, sizeOf, viewportOf } from "../../host-template/shell/src/lineage-layout.ts";

const model = (name: string, parents: readonly string[] = [], more: Partial<Model> = {}): Model => ({
  id: name,
  name,
  kind: "model",
  parents,
  status: null,
  seconds: null,
  message: null,
  failed_tests: [],
  ...more,
});
const run = (more: Partial<Run> = {}): Run => ({
  id: "r",
  kind: "dbt",
  slug: "finance",
  plugin: "finance",
  workspace: "finance",
  state: "succeeded",
  requested_by: "ada@example.com",
  created_at: "2026-01-02T03:04:05Z",
  started_at: null,
  finished_at: null,
  error: null,
  ...more,
});
const workspace = (slug: string, plugin: string | null, built?: string): Workspace => ({
  slug,
  profile: slug,
  plugin,
  last_run: built === undefined ? null : run({ created_at: built }),
});

test("a model is as bad as its worst: its own failure, then a test on it", () => {
  const word = (more: Partial<Model>) => {
    const { tone, word } = verdictOfModel(model("m", [], more));
    return `${tone}: ${word}`;
  };
  assert.equal(word({ status: "success" }), "good: Built");
  assert.equal(word({ status: "success", kind: "seed" }), "good: Loaded");
  assert.equal(word({ status: "success", failed_tests: ["unique_m"] }), "bad: 1 test failed");
  assert.equal(word({ status: "success", failed_tests: ["a", "b"] }), "bad: 2 tests failed");
  assert.equal(word({ status: "error", failed_tests: ["a"] }), "bad: Failed");
  assert.equal(word({ status: "skipped" }), "idle: Skipped");
  assert.equal(word({ status: null }), "idle: Not built");
  assert.equal(word({ status: null, kind: "source" }), "idle: Source");
  assert.equal(word({ status: "no-op" }), "idle: no-op");
});

test("a run says how it stands, and whether something follows", () => {
  assert.equal(verdictOfRun(run({ state: "timed-out" })).word, "Timed out");
  assert.deepEqual(
    (["queued", "running", "lost"] as const).map((state) => isUnderWay(run({ state }))),
    [true, true, false],
  );
  assert.equal(isUnderWay(null), false);
  assert.equal(nameOfRun(run()), "Build of finance");
  const script = {
    slug: "tidy",
    display_name: "Tidy up",
    plugin: "crm",
    output_schema: "crm",
    schema: "hub_1_crm",
    workspace: "crm",
  };
  assert.equal(nameOfRun(run({ kind: "script", slug: "tidy", plugin: "crm" }), [script]), "Tidy up");
  assert.equal(nameOfRun(run({ kind: "script", slug: "tidy", plugin: "other" }), [script]), "tidy");
});

test("the address names the workspace; else it is the one built last, else a plugin's", () => {
  const own = workspace("honeyframe", null);
  const all = [own, workspace("finance", "finance"), workspace("healthcare", "healthcare")];
  assert.equal(chosenOf(all, "healthcare")?.slug, "healthcare");
  assert.equal(chosenOf(all, "gone"), undefined);
  assert.equal(chosenOf(all, null)?.slug, "finance");
  assert.equal(chosenOf([own], null)?.slug, "honeyframe");
  const built = [workspace("a", "a", "2026-01-01T00:00:00Z"), workspace("b", "b", "2026-02-01T00:00:00Z"), own];
  assert.equal(chosenOf(built, null)?.slug, "b");
  assert.equal(chosenOf([], null), undefined);
});

test("models stand after what they are made of, and a circle does not hang the page", () => {
  const nodes = [model("mart", ["staging"]), model("staging", ["seed", "elsewhere"]), model("seed"), model("alone")];
  assert.deepEqual(
    inOrder(nodes).map((node) => node.name),
    ["alone", "seed", "staging", "mart"],
  );
  assert.equal(depthsOf([model("a", ["b"]), model("b", ["a"])]).size, 2);
});

test("a summary counts outcomes", () => {
  const nodes = [
    model("a", [], { status: "success" }),
    model("b", [], { status: "success" }),
    model("c", [], { status: "error" }),
    model("d", [], { status: "success", failed_tests: ["x"] }),
  ];
  assert.equal(summaryOf(nodes), "2 built, 2 failed");
});

test("times are short, and a run's own grows until it ends", () => {
  assert.deepEqual([0.416, 1, 4.25, 12.4, 59.7, 185, 3725, -1].map(formatSeconds), [
    "0.42 s",
    "1 s",
    "4.3 s",
    "12 s",
    "1 min 00 s",
    "3 min 05 s",
    "1 h 02 min",
    "0 s",
  ]);
  const started = run({ started_at: "2026-01-01T00:00:00Z" });
  assert.equal(secondsOf(run(), 0), undefined);
  assert.equal(secondsOf(started, Date.parse("2026-01-01T00:00:07Z")), 7);
  assert.equal(secondsOf({ ...started, finished_at: "2026-01-01T00:01:00Z" }, 0), 60);
});

test("a log takes each part once, and forgets its beginning when it is too long", () => {
  const one = withChunks(EMPTY_LOG, [
    { seq: 1, text: "a\n" },
    { seq: 2, text: "b" },
  ]);
  assert.deepEqual(one, { text: "a\nb\n", seq: 2, cut: false });
  assert.equal(withChunks(one, [{ seq: 1, text: "a\n" }]), one);
  const line = `${"x".repeat(99)}\n`;
  const long = withChunks(one, [{ seq: 3, text: line.repeat(LOG_LIMIT / 100) }]);
  assert.equal(long.cut, true);
  assert.ok(long.text.length <= LOG_LIMIT && long.text.startsWith("x") && long.text.endsWith(line));
});

test("an address keeps what is not touched", () => {
  const params = new URLSearchParams("workspace=finance&run=1");
  assert.equal(withParam(params, "run", null).toString(), "workspace=finance");
  assert.equal(withParam(params, "view", "table").toString(), "workspace=finance&run=1&view=table");
  assert.equal(params.get("run"), "1");
});

test("arrows lead between listed models, each once", () => {
  const nodes = [model("a"), model("b", ["a", "a", "b", "elsewhere"])];
  assert.deepEqual(arrowsOf(nodes), [{ id: "a -> b", from: "a", to: "b" }]);
});

test("a model stands right of, or below, what it is made of; none covers another", () => {
  const nodes = [model("a"), model("b", ["a"]), model("c", ["a"]), model("d", ["b", "c"])];
  for (const direction of ["right", "down"] as const) {
    const size = sizeOf(direction);
    const places = new Map(placesOf(nodes, direction).map((place) => [place.id, place]));
    const along = (id: string) => (direction === "right" ? places.get(id)?.x : places.get(id)?.y) ?? Number.NaN;
    assert.ok(along("a") < along("b") && along("b") < along("d"), direction);
    const all = [...places.values()];
    for (const one of all) {
      for (const other of all) {
        const apart = Math.abs(one.x - other.x) >= size.width || Math.abs(one.y - other.y) >= size.height;
        assert.ok(one === other || apart, `${one.id} and ${other.id}, ${direction}`);
      }
    }
  }
  const block = placesOf([model("a"), model("b"), model("c")], "down");
  assert.deepEqual(new Set(block.map(({ y }) => y)).size, 2);
  assert.equal(heightOf(block, sizeOf("down")), 2 * sizeOf("down").height + 20);
});

test("arrow keys lead to the nearest model in their direction", () => {
  const places = placesOf([model("a"), model("b", ["a"]), model("c", ["a"]), model("d", ["b"])], "right");
  const [upper, lower] = ["b", "c"].sort((p, q) => (yOf(p) < yOf(q) ? -1 : 1)) as [string, string];
  function yOf(id: string): number {
    return places.find((place) => place.id === id)?.y ?? 0;
  }
  assert.ok(["b", "c"].includes(neighbourOf(places, "a", "ArrowRight") ?? ""));
  assert.equal(neighbourOf(places, "b", "ArrowLeft"), "a");
  assert.equal(neighbourOf(places, "b", "ArrowRight"), "d");
  assert.equal(neighbourOf(places, upper, "ArrowDown"), lower);
  assert.equal(neighbourOf(places, "a", "ArrowLeft"), undefined);
  assert.equal(neighbourOf(places, "a", "Enter"), undefined);
});

test("a small graph is shown whole, of a large one the part that is asked for, or its beginning", () => {
  const canvas = { width: 900, height: 400 };
  const small = placesOf([model("a"), model("b", ["a"])], "right");
  const whole = viewportOf(small, "right", canvas, undefined);
  assert.equal(whole.zoom, 1);
  const [first, second] = small;
  assert.ok(first && second);
  const middle = (first.x + second.x) / 2;
  assert.equal(middle * whole.zoom + whole.x, 450);

  const names = Array.from({ length: 60 }, (_, index) => `m${index}`);
  const large = placesOf(
    names.map((name, index) => model(name, index === 0 ? [] : [`m${index - 1}`])),
    "right",
  );
  const at = (id: string, { x, y, zoom }: { x: number; y: number; zoom: number }) => {
    const place = large.find((one) => one.id === id);
    assert.ok(place, id);
    return [place.x * zoom + x, place.y * zoom + y].map(Math.round);
  };
  const asked = viewportOf(large, "right", canvas, "m40");
  assert.deepEqual([asked.zoom, at("m40", asked)], [0.8, [450, 200]]);
  const begun = viewportOf(large, "right", canvas, undefined);
  assert.ok((at("m0", begun)[0] ?? 0) < 200 && (at("m0", begun)[0] ?? 0) > 0);
  assert.deepEqual(viewportOf([], "down", canvas, undefined), { x: 0, y: 0, zoom: 1 });
});

test("models are found by name, kind, outcome and failed test", () => {
  const nodes = [
    model("orders", [], { status: "success", failed_tests: ["unique_orders_id"] }),
    model("people", [], { status: "success", kind: "seed" }),
  ];
  const found = (search: string) => modelsMatching(nodes, search).map((node) => node.name);
  assert.deepEqual(found("failed"), ["orders"]);
  assert.deepEqual(found("seed loaded"), ["people"]);
  assert.deepEqual(found("unique_"), ["orders"]);
  assert.deepEqual(found(""), ["orders", "people"]);
});

test("D9: the last good build is told from the last try", () => {
  const time = (text: string) => text.slice(0, 10);
  const nodes = [model("a", [], { status: "success" }), model("board", ["a"], { kind: "exposure" })];
  const good = run({ id: "1", created_at: "2026-01-01T00:00:00Z" });
  const bad = run({ id: "2", created_at: "2026-01-02T00:00:00Z", state: "failed" });
  const told = (more: object) => toldOfBuilds({ run: "1", nodes, last_good: good, last_try: good, ...more }, time);
  assert.equal(told({}), "As of the last build: 1 built, 1 exposure.");
  assert.equal(
    told({ last_try: bad }),
    "The last attempt, 2026-01-02: failed. Shown is the state before it: 1 built, 1 exposure. The last good build was 2026-01-01.",
  );
  assert.equal(
    told({ run: "2", last_good: null, last_try: bad }),
    "The last attempt, 2026-01-02: failed. Its result: 1 built, 1 exposure. No build has succeeded yet.",
  );
  assert.equal(told({ run: null, nodes: [], last_good: null, last_try: null }), "Not built yet.");
});

test("D9: the form's options, and options in words", () => {
  assert.deepEqual(
    optionsOf({ select: " a+ ", exclude: "", vars: '{"n": 1}', target: "prod", flags: ["full_refresh", "seed_first"] }),
    {
      select: "a+",
      vars: { n: 1 },
      target: "prod",
      full_refresh: true,
      seed_first: true,
    },
  );
  assert.deepEqual(optionsOf({}), {});
  for (const vars of ["x", "[1]", "1", "null"]) {
    assert.equal(typeof optionsOf({ vars }), "string", vars);
  }
  assert.equal(
    wordsOfOptions({ select: "a", vars: { n: 1 }, full_refresh: true, target: "prod" }),
    "select a · vars n=1 · full refresh · target prod",
  );
  assert.equal(wordsOfOptions(null), "");
});
