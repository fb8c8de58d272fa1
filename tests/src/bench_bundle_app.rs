//! The app that the bundle benchmark bundles: a shell and any number of overrides, ten to a plugin, written anew for
//! every run so that nobody can tune a tool to one committed app.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

/// Overrides in one plugin.
const PER_PLUGIN: usize = 10;
/// Icons that the overrides pick from.
const ICONS: [&str; 24] = [
    "Activity",
    "Archive",
    "BadgeCheck",
    "Bell",
    "Bookmark",
    "Briefcase",
    "Calendar",
    "Camera",
    "ChartBar",
    "Clock",
    "Cloud",
    "Database",
    "FileText",
    "Flag",
    "Folder",
    "Globe",
    "Heart",
    "Inbox",
    "Layers",
    "Mail",
    "Map",
    "Package",
    "Shield",
    "Users",
];

/// Writes the app into `folder`, with `modules` as its packages.
pub fn write(folder: &Path, modules: &Path, overrides: usize) -> io::Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)
    };
    file("shell/main.tsx", SHELL)?;
    file("shell/layout.tsx", LAYOUT)?;
    file("shell/surface.tsx", SURFACE)?;
    file("shell/theme.css", THEME)?;
    file("index.html.hbs", TEMPLATE)?;
    file("index.html", VITE_PAGE)?;
    file("vite.config.mjs", &vite_config(folder))?;
    file("package.json", "{ \"name\": \"bench-app\", \"private\": true, \"type\": \"module\" }\n")?;
    file("generated/overrides.ts", &manifest(overrides))?;
    for plugin in 0..overrides.div_ceil(PER_PLUGIN) {
        file(&format!("plugins/p{plugin:03}/frontend/src/format.ts"), &format_module(plugin))?;
    }
    for number in 0..overrides {
        let base = format!("plugins/{}/frontend/src/Override{number:04}", slug(number));
        file(&format!("{base}.tsx"), &component(number))?;
        if has_styles(number) {
            file(&format!("{base}.module.css"), &styles(number))?;
        }
    }
    let link = folder.join("node_modules");
    std::os::unix::fs::symlink(modules.canonicalize()?, link)
}

/// The job for `hub-bundle`.
pub fn job(folder: &Path, overrides: usize) -> String {
    let plugins: BTreeMap<String, PathBuf> = (0..overrides.div_ceil(PER_PLUGIN))
        .map(|plugin| format!("p{plugin:03}"))
        .map(|slug| (slug.clone(), folder.join("plugins").join(slug)))
        .collect();
    json!({
        "repo": folder,
        "entry": folder.join("shell/main.tsx"),
        "html": folder.join("index.html.hbs"),
        "generated": folder.join("generated"),
        "plugins": plugins,
        "out": folder.join("out-hub"),
        "mode": "production",
        "compress": false,
        "title": "Bench",
    })
    .to_string()
}

/// esbuild's command line; it makes no page, see [`esbuild_page`].
pub const ESBUILD: [&str; 16] = [
    "shell/main.tsx",
    "--bundle",
    "--splitting",
    "--format=esm",
    "--minify",
    "--sourcemap=external",
    "--jsx=automatic",
    "--target=chrome111,edge111,firefox114,safari16.4",
    "--define:process.env.NODE_ENV=\"production\"",
    "--outdir=out-esbuild/assets",
    "--entry-names=[name]-[hash]",
    "--chunk-names=[name]-[hash]",
    "--asset-names=[name]-[hash]",
    "--alias:@platform/overrides=./generated/overrides.ts",
    "--alias:@plugins=./plugins",
    "--log-level=warning",
];

/// The page that goes with esbuild's output in `out`: its entry script and style sheet, and nothing else.
pub fn esbuild_page(out: &Path) -> io::Result<()> {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Bench</title>\n",
    );
    for entry in std::fs::read_dir(out.join("assets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("main-") && name.ends_with(".css") {
            let _ = writeln!(page, "    <link rel=\"stylesheet\" href=\"/assets/{name}\">");
        } else if name.starts_with("main-") && name.ends_with(".js") {
            let _ = writeln!(page, "    <script type=\"module\" src=\"/assets/{name}\"></script>");
        }
    }
    page.push_str("  </head>\n  <body><div id=\"root\"></div></body>\n</html>\n");
    std::fs::write(out.join("index.html"), page)
}

fn slug(number: usize) -> String {
    format!("p{:03}", number / PER_PLUGIN)
}

/// One override in eight has a style sheet of its own.
fn has_styles(number: usize) -> bool {
    number % 8 == 3
}

/// One override in five draws a chart.
fn has_chart(number: usize) -> bool {
    number % 5 == 1
}

fn manifest(overrides: usize) -> String {
    let mut text = String::from("export const overrides = {\n");
    for number in 0..overrides {
        let (slug, file) = (slug(number), format!("frontend/src/Override{number:04}.tsx"));
        let _ = writeln!(
            text,
            "  \"surface.{number}\": [{{ id: \"surface.{number}#{slug}\", plugin: \"{slug}\", priority: {}, file: \"plugins/{slug}/{file}\", export: \"default\",\n    load: () => import(\"@plugins/{slug}/{file}\").then((m) => m.default) }}],",
            number % 50
        );
    }
    text.push_str("};\nexport const entries = [];\n");
    text
}

fn format_module(plugin: usize) -> String {
    format!(
        "export const currency = new Intl.NumberFormat(\"en\", {{ style: \"currency\", currency: \"EUR\" }});\n\
         export const day = new Intl.DateTimeFormat(\"en\", {{ dateStyle: \"medium\" }});\n\
         export function initials(name: string): string {{\n  return name.split(\" \").map((part) => part[0]).join(\"\").slice(0, 2);\n}}\n\
         export const plugin = \"p{plugin:03}\";\n"
    )
}

fn component(number: usize) -> String {
    let (first, second) = (ICONS[number % ICONS.len()], ICONS[(number * 7 + 5) % ICONS.len()]);
    let second = if first == second { "Search" } else { second };
    let chart_import = if has_chart(number) {
        "import { Bar, BarChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from \"recharts\";\n"
    } else {
        ""
    };
    let style_import = if has_styles(number) {
        format!("import styles from \"./Override{number:04}.module.css\";\n")
    } else {
        String::new()
    };
    let class = if has_styles(number) { " className={styles.card}" } else { "" };
    let chart = if has_chart(number) {
        "\n      <ResponsiveContainer width=\"100%\" height={180}>\n        <BarChart data={rows}>\n          <XAxis dataKey=\"name\" />\n          <YAxis />\n          <Tooltip />\n          <Bar dataKey=\"amount\" fill=\"#1d6b79\" />\n        </BarChart>\n      </ResponsiveContainer>"
    } else {
        ""
    };
    format!(
        r#"import {{ useMemo, useState, type ComponentType }} from "react";
import {{ Badge, Button, Card, Group, Stack, Text, Title }} from "@mantine/core";
import {{ {first}, {second} }} from "lucide-react";
{chart_import}{style_import}import {{ currency, initials }} from "./format";

interface Row {{
  id: number;
  name: string;
  amount: number;
  open: boolean;
}}

interface Props {{
  Original: ComponentType;
  rows?: Row[];
}}

const sample: Row[] = [
  {{ id: {number}, name: "Customer {number}", amount: {amount}, open: true }},
  {{ id: {next}, name: "Customer {next}", amount: {half}, open: false }},
];

/** Override number {number}: a list that can be narrowed to what is open. */
export default function Override{number:04}({{ Original, rows = sample }}: Props) {{
  const [onlyOpen, setOnlyOpen] = useState(false);
  const [picked, setPicked] = useState<number | null>(null);
  const shown = useMemo(() => rows.filter((row) => !onlyOpen || row.open), [rows, onlyOpen]);
  const total = useMemo(() => shown.reduce((sum, row) => sum + row.amount, 0), [shown]);
  return (
    <Card withBorder{class}>{chart}
      <Group justify="space-between">
        <Title order={{4}}>
          <{first} size={{18}} /> Surface {number}
        </Title>
        <Button size="xs" variant="light" onClick={{() => setOnlyOpen((was) => !was)}}>
          {{onlyOpen ? "All" : "Open only"}}
        </Button>
      </Group>
      <Stack gap="xs">
        {{shown.map((row) => (
          <Group key={{row.id}} onClick={{() => setPicked(row.id)}}>
            <Badge color={{row.open ? "teal" : "gray"}}>{{initials(row.name)}}</Badge>
            <Text fw={{picked === row.id ? 700 : 400}}>{{row.name}}</Text>
            <Text c="dimmed">{{currency.format(row.amount)}}</Text>
          </Group>
        ))}}
      </Stack>
      <Group>
        <{second} size={{14}} />
        <Text size="sm">Total of {{shown.length}}: {{currency.format(total)}}</Text>
      </Group>
      <Original />
    </Card>
  );
}}
"#,
        amount = number * 13 + 70,
        next = number + 1,
        half = number * 5 + 11,
    )
}

fn styles(number: usize) -> String {
    format!(
        ".card {{\n  border-radius: {}px;\n  & h4 {{\n    color: light-dark(#123, #def);\n  }}\n  &:hover {{\n    box-shadow: 0 2px {}px rgb(0 0 0 / 20%);\n  }}\n}}\n.quiet {{\n  opacity: 0.6;\n}}\n",
        4 + number % 9,
        6 + number % 5
    )
}

fn vite_config(folder: &Path) -> String {
    format!(
        r#"export default {{
  root: {root:?},
  publicDir: false,
  resolve: {{
    alias: [
      {{ find: "@platform/overrides", replacement: {overrides:?} }},
      {{ find: /^@plugins\//, replacement: {plugins:?} }},
    ],
  }},
  build: {{
    outDir: "out-vite",
    emptyOutDir: true,
    sourcemap: "hidden",
    target: ["chrome111", "edge111", "firefox114", "safari16.4"],
    reportCompressedSize: false,
    chunkSizeWarningLimit: 100000,
    modulePreload: {{ polyfill: false }},
    assetsInlineLimit: 0,
  }},
}};
"#,
        root = folder.display().to_string(),
        overrides = folder.join("generated/overrides.ts").display().to_string(),
        plugins = folder.join("plugins/").display().to_string(),
    )
}

const SHELL: &str = r#"import "@mantine/core/styles.css";
import "./theme.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createTheme, MantineProvider } from "@mantine/core";
import { createBrowserRouter, RouterProvider } from "react-router";
import { Layout } from "./layout";
import { Surface } from "./surface";

const theme = createTheme({ primaryColor: "teal", defaultRadius: "md" });

const router = createBrowserRouter([
  {
    path: "/",
    element: <Layout />,
    children: [
      { index: true, element: <Surface name="surface.0" /> },
      { path: "surfaces/:name", element: <Surface name="surface.1" /> },
    ],
  },
]);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <RouterProvider router={router} />
    </MantineProvider>
  </StrictMode>,
);
"#;

const LAYOUT: &str = r#"import { useState } from "react";
import { ActionIcon, AppShell, Burger, Group, Loader, Menu, NavLink, ScrollArea, Table, Tabs, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { LayoutDashboard, Moon, Puzzle, Search, Settings } from "lucide-react";
import { Outlet, useNavigate } from "react-router";

/** Frame of every page. */
export function Layout() {
  const [open, setOpen] = useState(false);
  const wide = useMediaQuery("(min-width: 60em)");
  const go = useNavigate();
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 240, breakpoint: "sm", collapsed: { mobile: !open } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          {!wide && <Burger opened={open} onClick={() => setOpen(!open)} />}
          <Text fw={700}>Platform</Text>
          <TextInput leftSection={<Search size={14} />} placeholder="Search" />
          <Menu>
            <Menu.Target><ActionIcon variant="subtle"><Settings size={16} /></ActionIcon></Menu.Target>
            <Menu.Dropdown><Menu.Item leftSection={<Moon size={14} />}>Dark</Menu.Item></Menu.Dropdown>
          </Menu>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar>
        <ScrollArea>
          <NavLink label="Dashboard" leftSection={<LayoutDashboard size={16} />} onClick={() => go("/")} />
          <NavLink label="Surfaces" leftSection={<Puzzle size={16} />} onClick={() => go("/surfaces/all")} />
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main>
        <Tabs defaultValue="one"><Tabs.List><Tabs.Tab value="one">One</Tabs.Tab></Tabs.List></Tabs>
        <Table data={{ head: ["Name"], body: [["One"]] }} />
        <Outlet />
        <Loader size="xs" />
      </AppShell.Main>
    </AppShell>
  );
}
"#;

const SURFACE: &str = r#"import { useEffect, useState, type ComponentType } from "react";
import { Skeleton } from "@mantine/core";
import { overrides } from "@platform/overrides";

type Chain = { load: () => Promise<ComponentType<{ Original: ComponentType }>> }[];

const Nothing = () => null;

/** Shows the first override of a surface. */
export function Surface({ name }: { name: string }) {
  const [Override, setOverride] = useState<ComponentType<{ Original: ComponentType }> | null>(null);
  useEffect(() => {
    const chain = (overrides as Record<string, Chain>)[name];
    chain?.[0]?.load().then((component) => setOverride(() => component));
  }, [name]);
  return Override ? <Override Original={Nothing} /> : <Skeleton height={120} />;
}
"#;

const THEME: &str = ":root {\n  --hub-accent: #1d6b79;\n}\nbody {\n  margin: 0;\n  & a {\n    color: var(--hub-accent);\n  }\n}\n";

const TEMPLATE: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>{{title}}</title>
{{#each styles}}
    <link rel="stylesheet" href="{{this}}">
{{/each}}
{{#each preloads}}
    <link rel="modulepreload" href="{{this}}">
{{/each}}
    <script type="application/json" id="hub-preload">{{{preload_json}}}</script>
    <script type="module" src="{{entry}}"></script>
  </head>
  <body><div id="root"></div></body>
</html>
"#;

const VITE_PAGE: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Bench</title>
    <script type="module" src="/shell/main.tsx"></script>
  </head>
  <body><div id="root"></div></body>
</html>
"#;
