/** The session on a page: it is read, followed, doubted and forgotten, over a stream of news that the test writes. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { apiGet } from "@platform/plugin-host";
import { act, cleanup, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { type SessionSource, useSessionSource } from "../../host-template/shell/src/session-source.ts";

/** What the browser has for server-sent events, as far as the page uses it. */
class Stream {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static opened: Stream[] = [];
  readyState: number = Stream.OPEN;
  readonly path: string;
  readonly #listeners = new Map<string, () => void>();

  constructor(path: string) {
    this.path = path;
    Stream.opened.push(this);
  }

  addEventListener(name: string, listener: () => void): void {
    this.#listeners.set(name, listener);
  }

  say(name: string): void {
    this.#listeners.get(name)?.();
  }

  close(): void {
    this.readyState = Stream.CLOSED;
  }
}

/** What the platform would answer now, by path. */
let answers: Record<string, () => Response>;
let asked: string[];
let source: SessionSource | undefined;

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const session = (plugins: readonly string[]) => () => json({ user: { id: "u" }, plugins });
const signedOut = () => json({ title: "Unauthorized", status: 401, code: "not-signed-in" }, 401);

beforeEach(() => {
  Stream.opened = [];
  asked = [];
  answers = { "/api/session": session(["crm"]) };
  Object.assign(globalThis, { EventSource: Stream });
  mock.method(globalThis, "fetch", async (path: string) => {
    asked.push(path);
    return answers[path]?.() ?? json({ title: "Not Found" }, 404);
  });
});
afterEach(() => {
  cleanup();
  mock.restoreAll();
  hide(false);
});

function Page(): ReactNode {
  source = useSessionSource();
  return null;
}

const settle = (milliseconds = 20) => act(async () => new Promise((done) => setTimeout(done, milliseconds)));
/** Long enough for a burst of news to be over. */
const news = () => settle(260);

async function open(): Promise<void> {
  render(<Page />);
  await settle();
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
}

const known = () => source?.state;
const plugins = () => {
  const state = known();
  return state?.kind === "ready" ? state.session.plugins : state?.kind;
};

test("news are one reading a burst, and pages hear of it", async () => {
  await open();
  assert.deepEqual(plugins(), ["crm"]);
  assert.deepEqual(
    Stream.opened.map((stream) => stream.path),
    ["/api/session/events"],
  );
  answers["/api/session"] = session([]);
  const before = asked.length;
  await act(async () => {
    Stream.opened[0]?.say("changed");
    Stream.opened[0]?.say("changed");
  });
  await news();
  assert.deepEqual(plugins(), []);
  assert.equal(asked.length - before, 1);
  assert.equal(source?.news, 1);
});

test("whatever happened during a break is asked for when the stream is back", async () => {
  await open();
  await act(async () => Stream.opened[0]?.say("hello"));
  await news();
  assert.equal(source?.news, 0);
  answers["/api/session"] = session(["finance"]);
  await act(async () => Stream.opened[0]?.say("hello"));
  await news();
  assert.deepEqual(plugins(), ["finance"]);
  assert.equal(source?.news, 1);
});

test("a stream that is refused asks who is signed in", async () => {
  await open();
  answers["/api/session"] = signedOut;
  await act(async () => {
    Stream.opened[0]?.close();
    Stream.opened[0]?.say("error");
  });
  await news();
  assert.deepEqual(known(), { kind: "signed-out", ended: true });
});

test("a page that cannot be seen keeps no connection, and catches up when it is seen", async () => {
  await open();
  hide(true);
  await act(async () => document.dispatchEvent(new Event("visibilitychange")));
  assert.equal(Stream.opened[0]?.readyState, Stream.CLOSED);
  answers["/api/session"] = session(["finance"]);
  hide(false);
  await act(async () => document.dispatchEvent(new Event("visibilitychange")));
  await act(async () => Stream.opened[1]?.say("hello"));
  await news();
  assert.deepEqual(plugins(), ["finance"]);
});

test("a call that finds the session gone, or a plugin off, reads the session", async () => {
  await open();
  answers["/api/crm/customers"] = () => json({ title: "Not Found", code: "plugin-not-enabled" }, 404);
  answers["/api/session"] = session([]);
  await act(async () => apiGet("/api/crm/customers").catch(() => undefined));
  await settle();
  assert.deepEqual(plugins(), []);
  answers["/api/records"] = signedOut;
  answers["/api/session"] = signedOut;
  await act(async () => apiGet("/api/records").catch(() => undefined));
  await settle();
  assert.deepEqual(known(), { kind: "signed-out", ended: true });
});

test("leaving forgets at once, and closes the stream", async () => {
  await open();
  await act(async () => source?.leave());
  assert.deepEqual(known(), { kind: "signed-out", ended: false });
  assert.equal(Stream.opened[0]?.readyState, Stream.CLOSED);
});
