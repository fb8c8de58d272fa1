/** Forms and lists: what is sent, where an error lands, which page an address means. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "@platform/plugin-host";
import { byGroup, textWithoutField, valuesToSend } from "../../host-template/plugin-host/src/ui/form.tsx";
import { formatDate, formatTime, formatUtc } from "../../host-template/plugin-host/src/ui/format.ts";
import { lastPage, pageFrom, withPage } from "../../host-template/plugin-host/src/ui/list-page.ts";

const FIELDS = [
  { name: "name", label: "Name", required: true },
  { name: "beds", label: "Beds", kind: "number" as const },
  { name: "city", label: "City" },
];

test("values are trimmed, numbers are numbers, empty optional ones stay away", () => {
  assert.deepEqual(valuesToSend(FIELDS, { name: " A ", beds: "12", city: " " }), { name: "A", beds: 12 });
  assert.deepEqual(valuesToSend(FIELDS, {}), { name: "" });
  assert.deepEqual(valuesToSend(FIELDS, { name: "A", beds: "many" }), { name: "A", beds: "many" });
});

test("a password keeps its spaces, lists stay lists", () => {
  const fields = [
    { name: "password", label: "Password", kind: "password" as const },
    { name: "groups", label: "Groups", kind: "many" as const },
  ];
  assert.deepEqual(valuesToSend(fields, { password: " a b ", groups: ["1", "2"] }), { password: " a b ", groups: ["1", "2"] });
  assert.deepEqual(valuesToSend(fields, {}), { groups: [] });
});

test("options stand together by group, in the order in which they came", () => {
  const option = (value: string, group?: string) => ({ value, label: value, ...(group === undefined ? {} : { group }) });
  const groups = byGroup([option("a", "crm"), option("b"), option("c", "crm")]);
  assert.deepEqual(
    groups.map(([group, options]) => [group, options.map((one) => one.value)]),
    [
      ["crm", ["a", "c"]],
      ["", ["b"]],
    ],
  );
});

test("an error at a field of the form needs no text of its own", () => {
  const error = (errors: { field: string; message: string }[]) =>
    new ApiError(422, { title: "Invalid", detail: "wrong", errors });
  assert.equal(textWithoutField(error([{ field: "name", message: "is empty" }]), FIELDS), undefined);
  assert.equal(textWithoutField(error([{ field: "owner", message: "is unknown" }]), FIELDS), "owner: is unknown");
  assert.equal(textWithoutField(error([]), FIELDS), "wrong");
});

test("a page number that makes no sense is the first page", () => {
  assert.deepEqual(["3", null, "", "0", "-2", "1.5", "x", "1e99"].map(pageFrom), [3, 1, 1, 1, 1, 1, 1, 1]);
});

test("every list has a last page", () => {
  const last = (total: number, limit: number) => lastPage({ total, limit });
  assert.deepEqual([last(0, 20), last(20, 20), last(21, 20), last(5, 0)], [1, 1, 2, 5]);
});

test("the first page leaves no trace in the address", () => {
  assert.equal(withPage(new URLSearchParams("q=a&page=4"), 1).toString(), "q=a");
  assert.equal(withPage(new URLSearchParams("q=a"), 2).toString(), "q=a&page=2");
});

test("a date that is none is shown as it is", () => {
  assert.equal(formatDate("soon"), "soon");
  assert.equal(formatDate(null), "–");
  assert.match(formatDate("2026-01-15T13:05:00Z"), /2026/);
});

test("a moment has its UTC beside it", () => {
  assert.equal(formatUtc("2026-01-15T13:05:00.123Z"), "2026-01-15 13:05:00 UTC");
  assert.equal(formatUtc("soon"), "soon");
  assert.equal(formatTime("soon"), "soon");
  assert.match(formatTime("2026-01-15T13:05:00Z"), /2026/);
});
