//! Between scan and resolve: reads what a plugin's folder holds into values. The last stage before generation that
//! touches the disk.

pub(crate) mod backend;
mod depth;
pub mod migrations;
mod plugin;
pub mod projects;
pub mod rust_source;
pub mod shared;
pub mod websource;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hub_manifest::diagnostic::Diagnostic;
use hub_manifest::overrides;
use hub_manifest::plugin::{self as manifest, Manifest};

use crate::base::parallel::in_parallel;
use crate::scan::{FRONTEND, PluginFolder};
use migrations::Migrations;
use shared::Packages;
use websource::Source as WebSource;

pub use backend::Backend;
pub use plugin::LoadedPlugin;
pub(crate) use plugin::in_manifest;
use plugin::read_source;

/// Reads every plugin, in the order given.
pub fn load(folders: Vec<PluginFolder>) -> (Vec<LoadedPlugin>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut plugins = Vec::with_capacity(folders.len());
    for (plugin, found) in load_each(folders) {
        plugins.push(plugin);
        diagnostics.extend(found);
    }
    (plugins, diagnostics)
}

/// Reads every plugin, in the order given; each with what was found in it.
pub fn load_each(folders: Vec<PluginFolder>) -> Vec<(LoadedPlugin, Vec<Diagnostic>)> {
    let mut loaded = in_parallel(folders, load_one);
    // All web sources of all plugins at once: one large plugin keeps all cores as busy as many small ones.
    let files: Vec<(usize, String, PathBuf)> = loaded
        .iter()
        .enumerate()
        .filter(|(_, (plugin, _))| plugin.manifest.enabled != Some(false))
        .flat_map(|(at, (plugin, _))| {
            web_files(plugin).into_iter().map(move |path| (at, plugin.shown(&path), path))
        })
        .map(|(at, file, path)| (at, path, file))
        .collect();
    let read = in_parallel(files, |(at, path, file)| {
        let module = websource::read(&file);
        (at, WebSource { path, file, module })
    });
    for (at, source) in read {
        if let Some((plugin, _)) = loaded.get_mut(at) {
            plugin.web.push(source);
        }
    }
    loaded
}

/// All of a plugin but its web sources.
fn load_one(folder: PluginFolder) -> (LoadedPlugin, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut plugin = LoadedPlugin {
        source: None,
        manifest: Manifest::default(),
        overrides: None,
        backend: None,
        projects: BTreeMap::new(),
        migrations: Migrations::default(),
        tables: Vec::new(),
        packages: Packages::default(),
        web: Vec::new(),
        read_crate: OnceLock::new(),
        folder,
    };
    // A link that may not be followed is told below.
    let is_bad = plugin.folder.links.iter().any(|link| link.path == "plugin.yaml");
    if !is_bad && let Some(source) = read_source(&plugin, "plugin.yaml", &mut found) {
        let (manifest, wrong) = manifest::parse(&source, &plugin.folder.name);
        found.extend(wrong);
        plugin.manifest = manifest;
        plugin.source = Some(source);
    }
    let links = plugin.folder.links.iter();
    found.extend(links.map(|link| link.finding(&plugin.folder.shown).plugin(plugin.slug())));
    if plugin.manifest.enabled == Some(false) {
        return (plugin, found);
    }
    let claims = format!("{FRONTEND}/overrides.json");
    if plugin.folder.files.contains(&claims)
        && let Some(source) = read_source(&plugin, &claims, &mut found)
    {
        let (parsed, wrong) = overrides::parse(&source, plugin.slug());
        found.extend(wrong);
        plugin.overrides = Some((source, parsed));
    }
    plugin.projects = projects::projects(&plugin, &mut found);
    plugin.migrations = migrations::of_plugin(&plugin);
    plugin.tables = projects::table_names(&plugin);
    plugin.backend = backend::backend(&plugin);
    plugin.packages = shared::packages(&plugin.folder);
    (plugin, found)
}

/// Everything below `frontend/`, and the modules elsewhere in the plugin that the manifest names.
fn web_files(plugin: &LoadedPlugin) -> Vec<String> {
    let files = &plugin.folder.files;
    let inner = |file: &str| file.strip_prefix(FRONTEND)?.strip_prefix('/').map(str::to_owned);
    let below = |file: &&String| inner(file).is_some_and(|inner| websource::is_wanted(&inner));
    let mut found: Vec<String> = files.iter().filter(below).cloned().collect();
    let manifest = &plugin.manifest;
    let named = manifest.frontend_overrides.iter().map(|(_, file)| file).chain(&manifest.frontend_entry);
    let claims = plugin.overrides.iter().flat_map(|(_, overrides)| &overrides.claims);
    let claimed = claims.map(|claim| format!("{FRONTEND}/{}", claim.component.value));
    for file in named.map(|file| file.value.clone()).chain(claimed) {
        if !found.contains(&file) && files.contains(&file) && websource::is_source(Path::new(&file)) {
            found.push(file);
        }
    }
    found
}
