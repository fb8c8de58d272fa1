/** Calls to the API: what comes back, and what kind of error everything else becomes. */

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { ApiError, apiDelete, apiGet, apiPost, apiPut, watchRefusals } from "@platform/plugin-host";

afterEach(() => mock.restoreAll());

function answer(status: number, body: string, type = "application/json") {
  return mock.method(globalThis, "fetch", async () => new Response(body, { status, headers: { "content-type": type } }));
}

async function failure(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => assert.fail("it should fail"),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof ApiError);
  return error;
}

test("JSON goes in and comes out", async () => {
  const fetched = answer(201, '{"id":7}');
  assert.deepEqual(await apiPost("/api/records", { title: "A" }), { id: 7 });
  const call = fetched.mock.calls[0];
  assert.ok(call);
  const [path, init] = call.arguments as unknown as [string, RequestInit];
  assert.equal(path, "/api/records");
  assert.equal(init.body, '{"title":"A"}');
});

test("a problem keeps its code, and its errors by field", async () => {
  answer(
    422,
    '{"title":"Invalid","status":422,"detail":"2 fields","code":"invalid","errors":[{"field":"title","message":"is empty"}]}',
  );
  const error = await failure(apiPost("/api/records", {}));
  assert.equal(error.status, 422);
  assert.equal(error.code, "invalid");
  assert.equal(error.message, "2 fields");
  assert.deepEqual(error.fields, { title: "is empty" });
});

test("an answer that is no problem document still has words", async () => {
  answer(502, "<h1>Bad gateway</h1>", "text/html");
  const error = await failure(apiGet("/api/records"));
  assert.equal(error.title, "The platform answered 502");
  assert.notEqual(error.message, "");
});

test("a page in place of JSON is an error, not data", async () => {
  answer(200, "<!doctype html>", "text/html");
  const error = await failure(apiGet("/api/records"));
  assert.match(error.message, /\/api\/records did not answer with JSON/);
});

test("no answer at all says so", async () => {
  mock.method(globalThis, "fetch", async () => {
    throw new TypeError("fetch failed");
  });
  const error = await failure(apiGet("/api/records"));
  assert.equal(error.status, 0);
  assert.equal(error.title, "The platform does not answer");
});

test("a change and a removal need no answer's body", async () => {
  const fetched = mock.method(globalThis, "fetch", async () => new Response(null, { status: 204 }));
  await apiPut("/api/groups/7", { name: "Nurses" });
  await apiDelete("/api/groups/7");
  const sent = fetched.mock.calls.map((call) => (call.arguments as unknown as [string, RequestInit])[1]);
  assert.deepEqual(
    sent.map((init) => [init.method, init.body]),
    [
      ["PUT", '{"name":"Nurses"}'],
      ["DELETE", undefined],
    ],
  );
});

test("a refusal tells how long to wait, and whoever watches hears of it", async () => {
  const headers = { "content-type": "application/problem+json", "retry-after": "17" };
  mock.method(globalThis, "fetch", async () => new Response('{"title":"Too Many Requests"}', { status: 429, headers }));
  const heard: unknown[] = [];
  const end = watchRefusals((error, path) => heard.push([error.status, path]));
  assert.equal((await failure(apiGet("/api/records"))).retryAfter, 17);
  end();
  await failure(apiGet("/api/records"));
  assert.deepEqual(heard, [[429, "/api/records"]]);
});
