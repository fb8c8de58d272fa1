// Shows /api/openapi.json: operations by plugin, what they take and give, and a form that tries them out.
// biome-ignore lint/suspicious/noRedundantUseStrict: the page loads this as a script, not as a module
"use strict";

/** What stands before the paths of the API, where a proxy serves the platform below a path. */
const BASE = location.pathname.slice(0, location.pathname.lastIndexOf("/api/docs"));

/** An element with attributes and children; text is never read as HTML. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** What a `$ref` points to. */
function resolve(api, value) {
  let found = value;
  while (found?.$ref) {
    found = found.$ref
      .slice(2)
      .split("/")
      .reduce((at, key) => at?.[key], api);
  }
  return found ?? {};
}

/** A schema in short, `string | null` or `Record[]`. */
function typeName(schema) {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf ?? schema.anyOf) return (schema.oneOf ?? schema.anyOf).map(typeName).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? "any"].flat();
  return types.map((type) => (type === "array" ? `${typeName(schema.items)}[]` : type)).join(" | ");
}

/** A value that fits a schema, for the form and for the reader. */
function example(api, schema, depth = 0) {
  const found = resolve(api, schema);
  if (found.example !== undefined) return found.example;
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[0];
  const choices = found.oneOf ?? found.anyOf ?? found.allOf;
  if (choices) return example(api, choices.find((choice) => choice.type !== "null") ?? choices[0], depth);
  const type = [found.type].flat().find((name) => name !== "null");
  if (type === "array") return depth > 4 ? [] : [example(api, found.items, depth + 1)];
  if (type === "object" || found.properties) {
    const entries = Object.entries(found.properties ?? {});
    return depth > 4 ? {} : Object.fromEntries(entries.map(([key, value]) => [key, example(api, value, depth + 1)]));
  }
  return { integer: 0, number: 0, boolean: true, string: "" }[type] ?? null;
}

function fields(api, schema) {
  const found = resolve(api, schema);
  const list = found.type === "array" ? resolve(api, found.items) : found;
  const rows = Object.entries(list.properties ?? {});
  if (rows.length === 0) return el("p", {}, el("code", {}, typeName(schema)));
  const required = new Set(list.required ?? []);
  return el(
    "table",
    {},
    el("tbody", {}, ...rows.map(([name, value]) => row(name, value, required.has(name), value.description))),
  );
}

function row(name, schema, required, description) {
  return el(
    "tr",
    {},
    el("td", {}, el("code", {}, name), required ? " *" : ""),
    el("td", {}, el("code", {}, typeName(schema))),
    el("td", {}, description ?? ""),
  );
}

function body(content) {
  return content?.["application/json"]?.schema ?? Object.values(content ?? {})[0]?.schema;
}

/** A form that sends the request and shows what came back. */
function attempt(api, method, path, operation) {
  const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in !== "header");
  const inputs = parameters.map((parameter) => [
    parameter,
    el("input", { "aria-label": parameter.name, placeholder: parameter.name }),
  ]);
  const schema = body(operation.requestBody?.content);
  const text = schema
    ? el("textarea", { "aria-label": "request body", spellcheck: "false" }, JSON.stringify(example(api, schema), null, 2))
    : null;
  const answer = el("pre", { hidden: "" });
  const send = async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(parameter.name, input.value);
    }
    if (query.size > 0) url += `?${query}`;
    answer.hidden = false;
    answer.textContent = "…";
    try {
      const init = text ? { method, body: text.value, headers: { "content-type": "application/json" } } : { method };
      const response = await fetch(BASE + url, init);
      const raw = await response.text();
      const isJson = (response.headers.get("content-type") ?? "").includes("json");
      answer.textContent = `${response.status} ${response.statusText}\n\n${isJson ? JSON.stringify(JSON.parse(raw), null, 2) : raw}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  };
  return el(
    "form",
    { onsubmit: send },
    el("h3", {}, "Try it"),
    ...inputs.map(([, input]) => input),
    text,
    el("p", {}, el("button", {}, `Send ${method.toUpperCase()}`)),
    answer,
  );
}

function inside(api, method, path, operation) {
  const parameters = operation.parameters ?? [];
  const request = body(operation.requestBody?.content);
  const responses = Object.entries(operation.responses ?? {}).map(([status, response]) => [status, resolve(api, response)]);
  return el(
    "div",
    { class: "inside" },
    el("p", {}, [operation.summary, operation.description].filter(Boolean).join(" ")),
    parameters.length > 0 ? el("h3", {}, "Parameters") : null,
    parameters.length > 0
      ? el(
          "table",
          {},
          el("tbody", {}, ...parameters.map((p) => row(`${p.name} (${p.in})`, p.schema, p.required, p.description))),
        )
      : null,
    request ? el("h3", {}, "Body") : null,
    request ? fields(api, request) : null,
    ...responses.flatMap(([status, response]) => {
      const schema = body(response.content);
      return [el("h3", {}, `${status} ${response.description ?? ""}`), schema ? fields(api, schema) : null];
    }),
    attempt(api, method, path, operation),
  );
}

function operationView(api, method, path, operation) {
  const details = el(
    "details",
    { id: operation.operationId ?? `${method}-${path}` },
    el(
      "summary",
      {},
      el("span", { class: `method ${method}` }, method.toUpperCase()),
      el("code", {}, path),
      el("span", { class: "what" }, operation.summary ?? ""),
    ),
  );
  // What is inside is made when it is first opened: a platform has many operations.
  details.addEventListener("toggle", () => details.append(inside(api, method, path, operation)), { once: true });
  details.dataset.text = `${method} ${path} ${operation.summary ?? ""} ${(operation.tags ?? []).join(" ")}`.toLowerCase();
  return details;
}

function show(api) {
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), operationView(api, method, path, operation)]);
    }
  }
  const sections = [...groups]
    .filter(([, views]) => views.length > 0)
    .map(([tag, views]) => el("section", {}, el("h2", {}, tag), ...views));
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("operations").replaceChildren(...sections);
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.setAttribute("open", "");
}

document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const section of document.querySelectorAll("section")) {
    const views = [...section.querySelectorAll("details")];
    for (const view of views) view.hidden = !words.every((word) => view.dataset.text.includes(word));
    section.hidden = views.every((view) => view.hidden);
  }
});

fetch("openapi.json")
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`the server answered ${response.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById("operations").replaceChildren(el("p", {}, `The description could not be loaded: ${error.message}`));
  });
