//! The trees that the check benchmark checks: any number of vertical plugins, each with a manifest, overrides, three
//! web modules and a crate of two sources, and what the peers need to build the same modules.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// Plugins whose first one the others build on.
const GROUP: usize = 10;

/// Writes a tree of `plugins` vertical plugins into `folder`: a plugin root `plugins`, a cargo workspace over the
/// crates, and an entry for bundlers with `modules` as its packages.
pub fn write(folder: &Path, plugins: usize, modules: Option<&Path>) -> io::Result<()> {
    let _ = fs::remove_dir_all(folder);
    for number in 0..plugins {
        plugin(folder, number)?;
    }
    let file = |name: &str, text: &str| put(&folder.join(name), text);
    let mut members = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    let mut entry = String::from("const overrides = [\n");
    for number in 0..plugins {
        let slug = slug(number);
        let _ = writeln!(members, "    \"plugins/{slug}/backend\",");
        let _ = writeln!(entry, "  () => import(\"./plugins/{slug}/frontend/src/Panel\"),");
        let _ = writeln!(entry, "  () => import(\"./plugins/{slug}/frontend/src/pages\"),");
    }
    members.push_str("]\n");
    entry.push_str("];\nexport const load = (at: number) => overrides[at]?.();\nvoid load(0);\n");
    file("Cargo.toml", &members)?;
    file("hub/Cargo.toml", "[package]\nname = \"hub-host\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")?;
    file("hub/src/lib.rs", "")?;
    file("main.tsx", &entry)?;
    file("package.json", "{ \"name\": \"bench-check\", \"private\": true, \"type\": \"module\" }\n")?;
    file("index.html", "<!doctype html>\n<script type=\"module\" src=\"/main.tsx\"></script>\n")?;
    file("vite.config.mjs", VITE)?;
    match modules {
        Some(modules) => std::os::unix::fs::symlink(modules.canonicalize()?, folder.join("node_modules")),
        None => Ok(()),
    }
}

/// What the plugin of a number is called.
pub fn slug(number: usize) -> String {
    format!("p{number:05}")
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, text)
}

fn plugin(folder: &Path, number: usize) -> io::Result<()> {
    let own = slug(number);
    let first = slug(number / GROUP * GROUP);
    let fill = |template: &str| {
        template
            .replace("%SLUG%", &own)
            .replace("%FIRST%", &first)
            .replace("%PRIORITY%", &(number % GROUP).to_string())
    };
    let file = |name: &str, text: &str| put(&folder.join("plugins").join(&own).join(name), &fill(text));
    let mut manifest = MANIFEST.to_string();
    if own != first {
        manifest.push_str("dependencies:\n  %FIRST%: \"^0.1\"\n");
    }
    file("plugin.yaml", &manifest)?;
    file("frontend/overrides.json", OVERRIDES)?;
    file("frontend/src/Panel.tsx", PANEL)?;
    file("frontend/src/ItemsPage.tsx", ITEMS_PAGE)?;
    file("frontend/src/pages.tsx", PAGES)?;
    file("backend/Cargo.toml", CARGO)?;
    file("backend/src/lib.rs", LIB)?;
    file("backend/src/items.rs", ITEMS)
}

const VITE: &str = r#"import { defineConfig } from "vite";
export default defineConfig({
  build: { outDir: "out-vite", rollupOptions: { external: ["@platform/plugin-host"] }, reportCompressedSize: false },
});
"#;

const MANIFEST: &str = r#"name: %SLUG%
version: 0.1.0
display_name: Plugin %SLUG%
description: Items of %SLUG%, with a page, an override and an API.
author: The platform team
license: MIT OR Apache-2.0
min_platform_version: ">=0.1.0"
routers:
  - plugins.%SLUG%.backend.items:router
public_routes:
  GET: [ping, "items/*"]
frontend_entry: frontend/src/pages.tsx
nav:
  - label: Items
    path: /%SLUG%/items
    icon: users
  - label: Archive
    path: /%SLUG%/archive
    icon: archive
    roles: [admin]
permissions: [%SLUG%.read, %SLUG%.write, %SLUG%.archive]
seed_groups:
  - name: Readers of %SLUG%
    permissions: [%SLUG%.read]
  - name: Writers of %SLUG%
    permissions: [%SLUG%.read, %SLUG%.write, %SLUG%.archive]
dataset_templates:
  - slug: items
    display_name: Items
    columns:
      - name: id
        type: text
      - name: name
        type: text
      - name: amount
        type: integer
      - name: created_at
        type: timestamp
config:
  page_size:
    type: integer
    label: Items on a page
    default: 20
  mode:
    type: enum
    label: Mode
    values: [quick, thorough]
    default: quick
"#;

const OVERRIDES: &str = r#"{
  "priority": %PRIORITY%,
  "overrides": {
    "%FIRST%.panel": "src/Panel.tsx",
    "%SLUG%.summary": {
      "component": "src/Panel.tsx",
      "export": "Summary",
      "priority": 20
    }
  }
}
"#;

const PANEL: &str = r#"/** The panel of %SLUG%, and the summary above it. */

import { useMemo, useState } from "react";
import type { ReactNode } from "react";

/** One item of the list. */
export interface Item {
  readonly id: string;
  readonly name: string;
  readonly amount: number;
  readonly created_at: string;
}

const ITEMS: readonly Item[] = [
  { id: "%SLUG%-1", name: "First", amount: 12, created_at: "2024-01-01" },
  { id: "%SLUG%-2", name: "Second", amount: 7, created_at: "2024-02-11" },
  { id: "%SLUG%-3", name: "Third", amount: 31, created_at: "2024-03-21" },
];

/** Adds up what a list of items comes to. */
export function total(items: readonly Item[]): number {
  return items.reduce((sum, item) => sum + item.amount, 0);
}

/** The sum and the number of items, in one line. */
export function Summary({ items = ITEMS }: { readonly items?: readonly Item[] }): ReactNode {
  const sum = useMemo(() => total(items), [items]);
  return (
    <p className="%SLUG%-summary">
      {items.length} items, {sum} in all
    </p>
  );
}

/** The list, with a field to search it. */
export default function Panel(): ReactNode {
  const [typed, setTyped] = useState("");
  const shown = useMemo(() => {
    const wanted = typed.trim().toLowerCase();
    return ITEMS.filter((item) => wanted === "" || item.name.toLowerCase().includes(wanted));
  }, [typed]);
  return (
    <section aria-label="Items of %SLUG%">
      <Summary items={shown} />
      <input value={typed} placeholder="Search" onChange={(event) => setTyped(event.currentTarget.value)} />
      <ul>
        {shown.map((item) => (
          <li key={item.id} title={item.created_at}>
            <strong>{item.name}</strong> {item.amount > 10 ? <em>{item.amount}</em> : item.amount}
          </li>
        ))}
      </ul>
    </section>
  );
}
"#;

const ITEMS_PAGE: &str = r#"/** The page at `/%SLUG%/items`. */

import { Surface, useOverride } from "@platform/plugin-host";
import { useEffect, useState } from "react";
import type { ReactNode } from "react";
import { type Item, Summary, total } from "./Panel";

type State =
  | { readonly kind: "loading" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "loaded"; readonly items: readonly Item[] };

async function load(signal: AbortSignal): Promise<readonly Item[]> {
  const response = await fetch("/api/%SLUG%/items?limit=20", { signal });
  if (!response.ok) {
    throw new Error(`the items cannot be loaded: ${response.status}`);
  }
  return (await response.json()) as readonly Item[];
}

function useItems(): State {
  const [state, setState] = useState<State>({ kind: "loading" });
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (items) => setState({ kind: "loaded", items }),
      (error: unknown) => setState({ kind: "failed", reason: String(error) }),
    );
    return () => abort.abort();
  }, []);
  return state;
}

/** Loads the items and shows them. */
export function ItemsPage(): ReactNode {
  const state = useItems();
  const Header = useOverride("%SLUG%.summary");
  if (state.kind === "loading") {
    return <p role="status">Loading…</p>;
  }
  if (state.kind === "failed") {
    return <p role="alert">{state.reason}</p>;
  }
  return (
    <main>
      <h1>Items ({total(state.items)})</h1>
      {Header ? <Header items={state.items} /> : <Summary items={state.items} />}
      <Surface name="%SLUG%.panel" />
    </main>
  );
}
"#;

const PAGES: &str = r#"/** The pages of %SLUG%. */

import type { ReactNode } from "react";
import { useState } from "react";
import { ItemsPage } from "./ItemsPage";

const YEARS = [2021, 2022, 2023, 2024] as const;

/** What was archived, year by year. */
function ArchivePage(): ReactNode {
  const [year, setYear] = useState<number>(YEARS[0]);
  const [open, setOpen] = useState(false);
  const label = open ? "Close" : "Open";
  return (
    <main>
      <h1>Archive of {year}</h1>
      <nav>
        {YEARS.map((known) => (
          <button key={known} type="button" disabled={known === year} onClick={() => setYear(known)}>
            {known}
          </button>
        ))}
      </nav>
      <button type="button" onClick={() => setOpen((before) => !before)}>
        {label}
      </button>
      {open && (
        <dl>
          <dt>Year</dt>
          <dd>{year}</dd>
          <dt>State</dt>
          <dd>complete</dd>
        </dl>
      )}
    </main>
  );
}

export default [
  { path: "/%SLUG%/items", component: ItemsPage },
  { path: "/%SLUG%/archive", component: ArchivePage },
];
"#;

const CARGO: &str = r#"[package]
name = "hub-plugin-%SLUG%"
version = "0.1.0"
edition = "2024"
license = "MIT OR Apache-2.0"
publish = false

[dependencies]
hub = { package = "hub-host", path = "../../../hub" }
"#;

const LIB: &str = r#"//! Backend of %SLUG%.

pub mod items;

/// What the plugin is called in logs.
pub const NAME: &str = "%SLUG%";

/// A piece of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Number of the first item.
    pub offset: u64,
    /// Most items that are given.
    pub limit: u64,
}

impl Page {
    /// The page that a caller asks for, within bounds.
    pub fn new(offset: Option<u64>, limit: Option<u64>) -> Page {
        Page { offset: offset.unwrap_or(0), limit: limit.unwrap_or(20).clamp(1, 500) }
    }

    /// The page after this one.
    pub fn next(self) -> Page {
        Page { offset: self.offset.saturating_add(self.limit), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_at_least_one_item() {
        assert_eq!(Page::new(None, Some(0)).limit, 1);
        assert_eq!(Page::new(None, None).next().offset, 20);
    }
}
"#;

const ITEMS: &str = r#"//! Items of %SLUG%: listed, read and made.

use hub::prelude::*;
use serde::{Deserialize, Serialize};

permission!(Read = "%SLUG%.read", Write = "%SLUG%.write");
permission!(Archive = "%SLUG%.archive");

/// One item.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// Identifier of the item.
    pub id: String,
    /// Name shown.
    pub name: String,
    /// What it comes to.
    pub amount: i64,
}

/// What a new item needs.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// Name shown.
    pub name: String,
    /// What it comes to.
    pub amount: i64,
}

const LIST: &str = "SELECT id, name, amount FROM plugin_%SLUG%_items ORDER BY id LIMIT $1 OFFSET $2";
const COUNT: &str = "SELECT count(*) FROM plugin_%SLUG%_items";
const CREATE: &str = "INSERT INTO plugin_%SLUG%_items (id, name, amount) VALUES ($1, $2, $3)";
const ARCHIVE: &str = "DELETE FROM plugin_%SLUG%_items WHERE id = $1";

/// Gives some items.
#[utoipa::path(get, path = "/items", params(Page), responses((status = 200, body = Paged<Item>)))]
async fn list(ctx: Ctx, _: Allowed<Read>, page: Page) -> Result<Json<Paged<Item>>> {
    let items = ctx.db().all(LIST, args![page.limit, page.offset]).await?;
    let total = ctx.db().value(COUNT, args![]).await?;
    Ok(Json(page.of(items, total)))
}

/// Makes an item.
#[utoipa::path(post, path = "/items", request_body = NewItem, responses((status = 201, body = Item)))]
async fn create(ctx: Ctx, _: Allowed<Write>, Json(new): Json<NewItem>) -> Result<Created<Item>> {
    Check::new().text("name", &new.name, 1..=200).done()?;
    let item = Item { id: hub::new_id(), name: new.name.trim().to_owned(), amount: new.amount };
    ctx.db().execute(CREATE, args![&item.id, &item.name, item.amount]).await?;
    let location = format!("/api/%SLUG%/items/{}", item.id);
    Ok(Created { location, body: item })
}

/// Archives an item.
#[utoipa::path(delete, path = "/items/{id}", params(("id" = String, Path)), responses((status = 204)))]
async fn archive(ctx: Ctx, _: Allowed<Archive>, Path(id): Path<String>) -> Result<()> {
    ctx.db().execute(ARCHIVE, args![&id]).await?;
    Ok(())
}

/// Answers anybody.
#[utoipa::path(get, path = "/ping", responses((status = 200)))]
async fn ping() -> &'static str {
    "%SLUG%"
}

/// The routes of this module.
#[hub::router]
pub fn router() -> Router {
    Router::new().routes(routes!(list, create)).routes(routes!(archive)).routes(routes!(ping))
}
"#;
