// Runs the web's unit tests: one bundle of all *.test.ts(x) here, in one process. `npm test` in the repository's root.

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const repo = resolve(here, "../..");
// Beside the installed packages, so that Node finds those from there.
const out = join(repo, "node_modules/.cache/hub-web-tests");

/** Installed packages stay outside: there is one React, and nothing is bundled twice. */
const packagesStayOutside = {
  name: "packages-stay-outside",
  setup(building) {
    building.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith("@platform/") || path.endsWith(".css") ? undefined : { path, external: true },
    );
  },
};

/** What a build makes of its plugins: here there are none. */
const noPlugins = {
  name: "no-plugins",
  setup(building) {
    building.onResolve({ filter: /^@platform\/overrides$/ }, ({ path }) => ({ path, namespace: "generated" }));
    building.onLoad({ filter: /./, namespace: "generated" }, () => ({
      contents: "export const overrides = {}; export const entries = [];",
    }));
  },
};

const tests = readdirSync(here)
  .filter((name) => /\.test\.tsx?$/.test(name))
  .sort();
mkdirSync(out, { recursive: true });
await build({
  stdin: {
    contents: ["./dom.ts", ...tests.map((name) => `./${name}`)].map((name) => `import ${JSON.stringify(name)};`).join("\n"),
    resolveDir: here,
    sourcefile: "all-tests.ts",
  },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  jsx: "automatic",
  jsxDev: true,
  sourcemap: "inline",
  loader: { ".svg": "dataurl" },
  outfile: join(out, "all.mjs"),
  logLevel: "warning",
  plugins: [noPlugins, packagesStayOutside],
});

const node = spawnSync(process.execPath, ["--enable-source-maps", "--test-reporter=spec", join(out, "all.mjs")], {
  stdio: "inherit",
  env: { ...process.env, NODE_ENV: "test" },
});
process.exit(node.status ?? 1);
