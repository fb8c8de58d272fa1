/** Connectors: their titles, and the form that tests one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bodyOf,
  type Connector,
  type ConnectorField,
  formFields,
  labelOf,
  parted,
  titleOf,
} from "../../host-template/shell/src/connectors.ts";

const connector = (more: Partial<Connector>): Connector => ({
  type: "oracle",
  display_name: "Oracle",
  built_in: false,
  driver: "oracle",
  package: "oracledb",
  available: true,
  reason: null,
  install: null,
  fields: [],
  ...more,
});

test("a connector without its driver says so in its title", () => {
  const missing = connector({ available: false, reason: "driver not installed", install: "hub-platform drivers install oracle" });
  assert.equal(titleOf(connector({})), "Oracle");
  assert.equal(titleOf(missing), "Oracle (driver not installed)");
  assert.equal(titleOf({ ...missing, reason: "libclntsh.so is missing" }), "Oracle (driver does not work)");
  assert.equal(titleOf({ ...missing, reason: "no such driver", install: null }), "Oracle (not available)");
  const [ready, waiting] = parted([missing, connector({ type: "mysql" })]);
  assert.deepEqual([ready.map((one) => one.type), waiting.map((one) => one.type)], [["mysql"], ["oracle"]]);
});

const FIELDS: readonly ConnectorField[] = [
  { name: "host", kind: "text", required: true },
  { name: "port", kind: "number", required: false, default: 5432 },
  { name: "password", kind: "secret", required: false },
  { name: "srv", kind: "boolean", required: false },
  { name: "through", kind: "choice", required: false, choices: ["built-in", "driver"] },
];

test("the form asks for what the connector is told", () => {
  const fields = formFields(FIELDS);
  assert.deepEqual(
    fields.map(({ name, kind, required, placeholder, options }) => [name, kind, required, placeholder, options?.length]),
    [
      ["host", undefined, true, undefined, undefined],
      ["port", "number", false, "5432", undefined],
      ["password", "password", false, undefined, undefined],
      ["srv", undefined, false, undefined, 2],
      ["through", undefined, false, undefined, 2],
    ],
  );
  assert.equal(labelOf("service_name"), "Service name");
});

test("yes and no are sent as booleans, everything else as it is", () => {
  assert.deepEqual(bodyOf(FIELDS, { host: "true", port: 5432, srv: "false" }), { host: "true", port: 5432, srv: false });
});
