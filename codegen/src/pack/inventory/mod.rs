//! The inventory of a build: everything that its plugins bring into a release, as one sorted value.
//!
//! It is kept as `hub.lock` ([`lock`]), goes into `RELEASE.json`, and two of them are compared by [`diff`]. It holds no
//! absolute path and nothing of the machine. What is known before compiling comes from [`planned`]; [`complete`] adds
//! what only a build can tell: routes and crates.

pub mod crates;
pub mod diff;
pub mod lock;
pub mod npm;
pub mod release;
mod toml;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use hub_manifest::plan::{Claim, HostPlugin, PluginCrate};
use hub_manifest::routes;
use serde::{Deserialize, Serialize};

use crate::base::digest::{Digest, FileCache};
use crate::base::failure::Machine;
use crate::compile::graph::Graph;
use crate::compile::stage::{self, Locked};
use crate::load::LoadedPlugin;
use crate::resolve::Resolved;

pub use diff::{Change, Group, Kind, diff};
pub use hub_release::contents::Route;

/// What dbt writes into a project's folder when it runs there.
const DBT_OUTPUT: [&str; 2] = ["target", "logs"];

/// Everything that a release is made of, but for its files.
///
/// Written, it is the part of `RELEASE.json` between `plugins` and `plan`, in the order of the fields. The list writes
/// `platform` and `plugins` itself, because it names the plugins that the release leaves out as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Version of the platform's own crates.
    #[serde(skip_serializing)]
    pub platform: String,
    /// The vertical plugins, in plugin order.
    #[serde(skip_serializing)]
    pub plugins: Vec<Plugin>,
    /// The routes of the host.
    pub routes: Vec<Route>,
    /// For each override key its chain, in winning order.
    pub overrides: BTreeMap<String, Vec<Claim>>,
    /// Pages of the web shell.
    pub pages: Vec<Page>,
    /// Entries of the navigation, in plugin order.
    pub nav: Vec<Nav>,
    /// dbt workspaces of the plugins, by slug.
    pub dbt_workspaces: Vec<Workspace>,
    /// All permissions that plugins declare.
    pub permissions: Vec<String>,
    /// Cargo packages that the repository's own `Cargo.lock` does not name.
    pub cargo_packages: Vec<Locked>,
}

/// One vertical plugin.
///
/// Written, it is what `RELEASE.json` says of a plugin after its name, version and errors, which a plugin that the release
/// leaves out has too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugin {
    /// Slug.
    #[serde(skip_serializing)]
    pub name: String,
    /// Version.
    #[serde(skip_serializing)]
    pub version: String,
    /// SHA-256 over its files.
    pub digest: String,
    /// Slugs that it needs.
    pub dependencies: Vec<String>,
    /// Permissions that it declares.
    pub permissions: Vec<String>,
    /// Crates that are in the host because of this plugin, and not because of the platform.
    pub crates: Vec<Package>,
    /// npm packages that are in the web assets because of this plugin, and not because of the web shell.
    pub npm: Vec<Package>,
    /// Why a release leaves it out; empty for a plugin that is in it.
    #[serde(skip_serializing)]
    pub errors: Vec<String>,
}

/// A package of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Page {
    /// Slug of the plugin.
    pub plugin: String,
    /// Path in the web shell.
    pub path: String,
    /// The plugin's page module.
    pub file: String,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nav {
    /// Slug of the plugin.
    pub plugin: String,
    /// Path in the web shell.
    pub path: String,
    /// Text shown.
    pub label: String,
}

/// A dbt workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Workspace {
    /// Slug of the workspace.
    pub slug: String,
    /// Slug of the plugin.
    pub plugin: String,
    /// Folder of the project, in the plugin.
    pub project_dir: String,
    /// Names of its models.
    pub models: Vec<String>,
}

/// A route of the host's table, as the inventory keeps it.
pub fn route_of(route: &routes::Route) -> Route {
    Route {
        plugin: route.plugin.clone(),
        path: route.path.clone(),
        method: route.method.clone(),
        public: route.public,
    }
}

/// What is known before anything is compiled: of the checkout `repo` with the platform of version `platform`. Routes,
/// crates and cargo's packages are empty.
pub fn planned(
    repo: &Path,
    platform: &str,
    resolved: &Resolved,
    loaded: &[LoadedPlugin],
    cache: &mut FileCache,
) -> Result<Inventory, Machine> {
    let failed = |error| Machine::new(format!("cannot read the plugins' files: {error}"), "");
    of_plan(repo, platform, resolved, loaded, cache).map_err(failed)
}

fn of_plan(
    repo: &Path,
    platform: &str,
    resolved: &Resolved,
    loaded: &[LoadedPlugin],
    cache: &mut FileCache,
) -> io::Result<Inventory> {
    let plan = &resolved.plan;
    let mut inventory = Inventory { platform: platform.to_string(), ..Inventory::default() };
    let packages = npm::Lock::read(repo)?;
    for planned in &plan.host.plugins {
        let Some(loaded) = as_read(resolved, loaded, planned) else { continue };
        inventory.plugins.push(Plugin {
            name: planned.name.clone(),
            version: planned.version.clone(),
            digest: content_digest(loaded, planned, cache)?,
            dependencies: sorted(planned.dependencies.iter().cloned()),
            permissions: sorted(planned.permissions.iter().cloned()),
            npm: packages.brought_in_by(repo, &loaded.folder.root)?,
            ..Plugin::default()
        });
        inventory.nav.extend(planned.nav.iter().map(|item| Nav {
            plugin: planned.name.clone(),
            path: item.path.clone(),
            label: item.label.clone(),
        }));
        inventory.dbt_workspaces.extend(planned.dbt_workspaces.iter().map(|workspace| Workspace {
            slug: workspace.slug.clone(),
            plugin: planned.name.clone(),
            project_dir: workspace.project_dir.clone(),
            models: match workspace.models.as_slice() {
                [] => models(loaded, &workspace.project_dir),
                known => known.to_vec(),
            },
        }));
        inventory.permissions.extend(planned.permissions.iter().cloned());
    }
    for entry in &plan.web.entries {
        inventory.pages.extend(entry.paths.iter().map(|path| Page {
            plugin: entry.plugin.clone(),
            path: path.clone(),
            file: entry.file.clone(),
        }));
    }
    inventory.overrides = plan.web.keys.clone();
    inventory.settle();
    Ok(inventory)
}

/// The whole inventory of a build: `planned`, with the routes and crates of the host, and with what cargo took for it in
/// the `staged` workspace.
pub fn built(
    repo: &Path,
    staged: &Path,
    plugins: &[PluginCrate],
    graph: &Graph,
    routes: &[routes::Route],
    planned: Inventory,
) -> Result<Inventory, Machine> {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|error| Machine::io("read", path, &error)),
    };
    let (own, taken) = (read(&repo.join("Cargo.lock"))?, read(&staged.join("Cargo.lock"))?);
    let additions = Additions {
        routes: routes.to_vec(),
        crates: crates::brought_in(graph, plugins),
        cargo_packages: stage::additions(&own, &taken),
    };
    Ok(complete(planned, additions))
}

/// What a build adds to [`planned`].
#[derive(Debug, Default)]
pub struct Additions {
    /// The routes of the host.
    pub routes: Vec<routes::Route>,
    /// The crates of each plugin, by slug.
    pub crates: BTreeMap<String, Vec<Package>>,
    /// Cargo packages that the repository's `Cargo.lock` lacks.
    pub cargo_packages: Vec<Locked>,
}

/// Adds what only a build can tell.
pub fn complete(mut inventory: Inventory, mut built: Additions) -> Inventory {
    for plugin in &mut inventory.plugins {
        plugin.crates = built.crates.remove(&plugin.name).unwrap_or_default();
    }
    inventory.routes = built.routes.iter().map(route_of).collect();
    inventory.cargo_packages = built.cargo_packages;
    inventory.settle();
    inventory
}

impl Inventory {
    /// Sorts what has no order of its own.
    fn settle(&mut self) {
        self.pages.sort();
        self.dbt_workspaces.sort();
        self.routes.sort();
        self.routes.dedup();
        self.permissions.sort();
        self.permissions.dedup();
        self.cargo_packages.sort();
        self.cargo_packages.dedup();
    }

    /// This inventory with those parts of `other` that only a build can tell: what is left to differ is known before.
    pub fn with_built_parts_of(mut self, other: &Inventory) -> Inventory {
        for plugin in &mut self.plugins {
            let known = other.plugins.iter().find(|known| known.name == plugin.name);
            plugin.crates = known.map(|known| known.crates.clone()).unwrap_or_default();
        }
        self.routes = other.routes.clone();
        self.cargo_packages = other.cargo_packages.clone();
        self
    }
}

/// A planned plugin as it was read. Earlier roots win a name.
fn as_read<'a>(
    resolved: &Resolved,
    loaded: &'a [LoadedPlugin],
    planned: &HostPlugin,
) -> Option<&'a LoadedPlugin> {
    let root = resolved.roots.get(&planned.name)?;
    loaded.iter().find(|plugin| plugin.folder.root == *root)
}

/// The fingerprint of a plugin's files: of their names and bytes, and of nothing else that a disk knows.
pub fn content_digest(
    loaded: &LoadedPlugin,
    planned: &HostPlugin,
    cache: &mut FileCache,
) -> io::Result<String> {
    let mut digest = Digest::new("plugin contents 1");
    let folders: Vec<&str> = planned.dbt_workspaces.iter().map(|w| w.project_dir.as_str()).collect();
    for file in loaded.folder.files.iter().filter(|file| is_content(file, &folders)) {
        let hash = cache.hash(&loaded.folder.root.join(file))?;
        digest.add(file, hash.sha256.as_bytes());
    }
    Ok(digest.finish())
}

/// Whether a file is the author's, and not what a tool left behind: dbt's output, or the lock that cargo writes when the
/// crate is built by itself (a platform has one lock for all of its crates).
fn is_content(file: &str, dbt_folders: &[&str]) -> bool {
    let written_by_dbt = dbt_folders.iter().any(|folder| {
        let inner = inside(folder, file);
        inner.is_some_and(|inner| inner.split_once('/').is_some_and(|(top, _)| DBT_OUTPUT.contains(&top)))
    });
    !written_by_dbt && file != "backend/Cargo.lock"
}

/// A file's path relative to a folder that holds it.
fn inside<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    if folder == "." { Some(file) } else { file.strip_prefix(folder)?.strip_prefix('/') }
}

/// The models of a dbt project: what dbt names after the files below its `models` folder.
fn models(loaded: &LoadedPlugin, project_dir: &str) -> Vec<String> {
    let model = |file: &String| {
        let inner = inside(project_dir, file)?.strip_prefix("models/")?;
        let name = inner.rsplit('/').next()?;
        name.strip_suffix(".sql").or_else(|| name.strip_suffix(".py")).map(str::to_string)
    };
    sorted(loaded.folder.files.iter().filter_map(model))
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
pub(crate) mod tests;
