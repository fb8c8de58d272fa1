/** Surfaces and overrides on a page: who is shown, what `Original` is, and what happens when one breaks. */

// biome-ignore-all lint/correctness/noComponentHookFactories: what one test draws stands in that test

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { type Claim, PluginHostProvider, Surface, useOverride } from "@platform/plugin-host";
import { act, cleanup, fireEvent, render } from "@testing-library/react";
import { type ComponentType, type ReactNode, StrictMode, useEffect, useState } from "react";

declare module "@platform/plugin-host" {
  interface SurfaceProps {
    "test.box": { readonly label: string };
  }
}

interface Given {
  readonly label: string;
  readonly Original: ComponentType<{ readonly label?: string }>;
}

let claims = 0;

/** A claim with an identity of its own, so that no test sees another's component. */
function claim(plugin: string, component: unknown, load?: () => Promise<unknown>): Claim {
  claims += 1;
  return {
    id: `test.box#${plugin}#${claims}`,
    plugin,
    priority: 0,
    file: `plugins/${plugin}/frontend/src/Box.tsx`,
    export: "default",
    load: load ?? (() => Promise.resolve(component)),
  };
}

async function show(chain: readonly Claim[], enabled: readonly string[], children: ReactNode) {
  const page = (inner: ReactNode, slugs: readonly string[]) => (
    <StrictMode>
      <PluginHostProvider chains={{ "test.box": chain }} enabledPlugins={slugs}>
        {inner}
      </PluginHostProvider>
    </StrictMode>
  );
  const view = render(page(children, enabled));
  await settle();
  return {
    text: () => view.container.textContent,
    container: view.container,
    again: async (inner: ReactNode, slugs = enabled) => {
      view.rerender(page(inner, slugs));
      await settle();
    },
  };
}

const settle = () => act(async () => new Promise((done) => setTimeout(done, 5)));
const box = (label = "one") => (
  <Surface name="test.box" props={{ label }}>
    {(props) => <i>default {props.label}</i>}
  </Surface>
);

const Crm = ({ label }: Given) => <b>crm {label}</b>;
const Wrapping = ({ label, Original }: Given) => (
  <b>
    wrapping {label} [<Original />]
  </b>
);

let errors: string[] = [];
beforeEach(() => {
  errors = [];
  mock.method(console, "error", (...parts: unknown[]) => errors.push(String(parts[0])));
});
afterEach(() => {
  cleanup();
  mock.restoreAll();
});

test("a key that nobody claims shows the default", async () => {
  const page = await show([], ["crm"], box());
  assert.equal(page.text(), "default one");
});

test("without a provider every surface shows its default", async () => {
  const view = render(box());
  assert.equal(view.container.textContent, "default one");
});

test("the first enabled claim is shown, with the surface's props", async () => {
  const Finance = ({ label }: Given) => <b>finance {label}</b>;
  const chain = [claim("finance", Finance), claim("crm", Crm)];
  const page = await show(chain, ["crm", "finance"], box());
  assert.equal(page.text(), "finance one");
  await page.again(box(), ["crm"]);
  assert.equal(page.text(), "crm one");
  await page.again(box(), []);
  assert.equal(page.text(), "default one");
});

test("Original shows the next claim of the chain, and the default at its end", async () => {
  const chain = [claim("a", Wrapping), claim("off", Crm), claim("b", Wrapping)];
  const page = await show(chain, ["a", "b"], box());
  assert.equal(page.text(), "wrapping one [wrapping one [default one]]");
});

test("props given to Original stand in for the surface's own", async () => {
  const Renaming = ({ label, Original }: Given) => <Original label={`${label} and more`} />;
  const page = await show([claim("a", Renaming), claim("crm", Crm)], ["a", "crm"], box());
  assert.equal(page.text(), "crm one and more");
  await page.again(box(), ["a"]);
  assert.equal(page.text(), "default one and more");
});

test("Original means the same inside another surface", async () => {
  const Nesting = ({ Original }: Given) => (
    <Surface name="test.box" props={{ label: "inner" }}>
      <Original label="outer" />
    </Surface>
  );
  let depth = 0;
  const Once = (props: Given) => {
    depth += 1;
    return props.label === "inner" ? <Wrapping {...props} /> : <Nesting {...props} />;
  };
  const page = await show([claim("a", Once)], ["a"], box());
  assert.equal(page.text(), "wrapping inner [default outer]");
  assert.ok(depth < 20, "no endless nesting");
});

test("an override keeps its state when the page is drawn again", async () => {
  let mounted = 0;
  const Counting = ({ label }: Given) => {
    const [born] = useState(() => Math.random());
    useEffect(() => {
      mounted += 1;
    }, []);
    return (
      <b>
        {label} {born}
      </b>
    );
  };
  const page = await show([claim("a", Counting)], ["a"], box("one"));
  const before = page.text()?.replace("one ", "");
  const mountedBefore = mounted;
  await page.again(box("two"));
  assert.equal(page.text(), `two ${before}`);
  assert.equal(mounted, mountedBefore);
});

test("an override that throws gives way to the default, and one notice names it", async () => {
  const Throwing = (): ReactNode => {
    throw new Error("no such figure");
  };
  const page = await show([claim("finance", Throwing), claim("crm", Crm)], ["finance", "crm"], box());
  const notice = page.container.querySelector("[data-override-failure]");
  assert.ok(notice);
  assert.match(notice.textContent ?? "", /finance.*test\.box.*no such figure/);
  assert.equal(page.container.querySelector("i")?.textContent, "default one");
  assert.equal(errors.filter((line) => line.includes('"test.box" of plugin "finance"')).length, 1);
});

test("many places of one broken override show one notice, and one retry mends them all", async () => {
  let broken = true;
  const Sometimes = ({ label }: Given) => {
    if (broken) {
      throw new Error("not yet");
    }
    return <b>mended {label}</b>;
  };
  const page = await show(
    [claim("a", Sometimes)],
    ["a"],
    ["1", "2", "3"].map((label) => <p key={label}>{box(label)}</p>),
  );
  assert.equal(page.container.querySelectorAll("[data-override-failure]").length, 1);
  assert.equal(page.container.querySelectorAll("i").length, 3);
  broken = false;
  await act(async () => fireEvent.click(page.container.querySelector("button") as unknown as Element));
  await settle();
  assert.equal(page.text(), "mended 1mended 2mended 3");
});

test("a chunk that does not load gives way to the default until a retry fetches it", async () => {
  let tries = 0;
  const load = () => {
    tries += 1;
    return tries === 1 ? Promise.reject(new TypeError("Failed to fetch the module")) : Promise.resolve(Crm);
  };
  const page = await show([claim("crm", undefined, load)], ["crm"], box());
  assert.match(page.text() ?? "", /crm could not show test\.box.*Failed to fetch the module.*default one/);
  assert.equal(tries, 1, "no endless fetching");
  await act(async () => fireEvent.click(page.container.querySelector("button") as unknown as Element));
  await settle();
  assert.equal(page.text(), "crm one");
});

test("coming back to a page is another try", async () => {
  let tries = 0;
  const load = () => {
    tries += 1;
    return tries === 1 ? Promise.reject(new Error("gone")) : Promise.resolve(Crm);
  };
  const page = await show([claim("crm", undefined, load)], ["crm"], box());
  await page.again(null);
  await page.again(box());
  assert.equal(page.text(), "crm one");
});

test("an export that is no component is named with its file", async () => {
  const page = await show([claim("crm", { rows: [] })], ["crm"], box());
  assert.match(page.text() ?? "", /export "default" of plugins\/crm\/frontend\/src\/Box\.tsx is not a component/);
});

test("useOverride is null without an enabled claim, and else a component that stays the same", async () => {
  const seen: unknown[] = [];
  function Asking({ turn }: { readonly turn: number }): ReactNode {
    const Box = useOverride("test.box");
    seen.push(Box);
    return Box === null ? <i>none {turn}</i> : <Box label={`turn ${turn}`} Original={() => <i>own default</i>} />;
  }
  const chain = [claim("a", Wrapping)];
  const page = await show(chain, [], <Asking turn={1} />);
  assert.equal(page.text(), "none 1");
  seen.length = 0;
  await page.again(<Asking turn={2} />, ["a"]);
  await page.again(<Asking turn={3} />, ["a"]);
  assert.equal(page.text(), "wrapping turn 3 [own default]");
  assert.equal(new Set(seen).size, 1);
});
