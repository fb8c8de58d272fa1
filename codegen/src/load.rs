//! Between scan and resolve: reads what a plugin's folder holds into values. The last stage before generation that
//! touches the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::overrides::{self, Overrides};
use hub_manifest::plugin::{self, Manifest};
use hub_manifest::rules::Subject;
use hub_manifest::source::{MAX_BYTES, Source};

use crate::migrations::{self, Migrations};
use crate::parallel::in_parallel;
use crate::projects::{self, Project, TableName};
use crate::resolve::ReadCrate;
use crate::rust_source::Sources;
use crate::scan::{PluginFolder, read_bounded, reason};
use crate::shared::{self, Packages};
use crate::websource::{self, Source as WebSource};

/// Folder of a plugin's frontend, relative to its root.
pub const FRONTEND: &str = "frontend";
/// Folder of a plugin's Rust crate, relative to its root.
pub const BACKEND: &str = "backend";
/// Largest Rust source or `Cargo.toml` that is looked into, in bytes.
const MAX_RUST_BYTES: u64 = 4 * 1024 * 1024;

/// One plugin, read.
#[derive(Debug)]
pub struct LoadedPlugin {
    /// Its folder and files.
    pub folder: PluginFolder,
    /// Text of `plugin.yaml`, if it could be read.
    pub source: Option<Source>,
    /// The manifest's sound fields.
    pub manifest: Manifest,
    /// `frontend/overrides.json`.
    pub overrides: Option<(Source, Overrides)>,
    /// `backend/Cargo.toml` and the sources beside it.
    pub backend: Option<Backend>,
    /// dbt projects, by their folders.
    pub projects: BTreeMap<String, Project>,
    /// Its SQL migrations.
    pub migrations: Migrations,
    /// Names in the migrations that begin as the tables of plugins do.
    pub tables: Vec<TableName>,
    /// What its frontend says of the packages that the whole page shares.
    pub packages: Packages,
    /// The frontend's modules, by their path in the plugin.
    pub web: Vec<WebSource>,
    /// What the resolve stage made of `backend`, once it has.
    pub read_crate: OnceLock<ReadCrate>,
}

/// A plugin's Rust crate.
#[derive(Debug)]
pub struct Backend {
    /// Text of `Cargo.toml`, or why there is none and where in it the reason lies.
    pub cargo_toml: Result<String, (String, Span)>,
    /// `*.rs`, relative to the plugin's folder.
    pub sources: Sources,
}

impl LoadedPlugin {
    /// The slug, or the folder's name where the manifest gives none.
    pub fn slug(&self) -> &str {
        self.manifest.name.as_ref().map_or(&self.folder.name, |name| &name.value)
    }

    /// The plugin as the rules see it that the build and the host share.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { slug: self.slug(), manifest: &self.manifest, source: self.source.as_ref() }
    }

    /// A file of the plugin, as findings show it.
    pub fn shown(&self, inner: &str) -> std::path::PathBuf {
        self.folder.shown.join(inner)
    }
}

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
        let (manifest, wrong) = plugin::parse(&source, &plugin.folder.name);
        found.extend(wrong);
        plugin.manifest = manifest;
        plugin.source = Some(source);
    }
    let links = plugin.folder.links.iter();
    found.extend(links.map(|link| link.finding(&plugin.folder).plugin(plugin.slug())));
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
    plugin.backend = backend(&plugin);
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

/// A file of the plugin as text; what keeps it from being one is told.
pub(crate) fn read_source(
    plugin: &LoadedPlugin,
    inner: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Source> {
    let shown = plugin.shown(inner);
    let path = plugin.folder.root.join(inner);
    let read = || {
        // Opening a pipe would wait for its other end.
        if !plugin.folder.files.contains(inner) && !fs::metadata(&path)?.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        Ok(match read_bounded(&path, MAX_BYTES as u64)? {
            Ok(bytes) => Source::decode(&shown, &bytes),
            Err(bytes) => Err(Box::new(Source::too_large(&shown, bytes))),
        })
    };
    let diagnostic = match read() {
        Ok(Ok(source)) => return Some(source),
        Ok(Err(diagnostic)) => *diagnostic,
        Err(cause) => Diagnostic::error("HUB001", format!("{inner} cannot be read: {}", reason(&cause)))
            .at(&shown, Span::START)
            .help("it must be a regular file that the user who builds may read"),
    };
    diagnostics.push(diagnostic.plugin(plugin.slug()));
    None
}

fn backend(plugin: &LoadedPlugin) -> Option<Backend> {
    let folder = &plugin.folder;
    let prefix = format!("{BACKEND}/");
    let manifest = format!("{BACKEND}/Cargo.toml");
    if !folder.files.contains(&manifest) {
        return None;
    }
    let mut sources = Sources::new();
    for file in folder.files.iter().filter(|file| file.ends_with(".rs")) {
        if file.starts_with(&prefix) {
            sources.insert(file.clone(), text(plugin, file).map_err(|(reason, _)| reason));
        }
    }
    Some(Backend { cargo_toml: text(plugin, &manifest), sources })
}

/// A file's text, or why there is none and where in it the reason lies.
pub(crate) fn text(plugin: &LoadedPlugin, file: &str) -> Result<String, (String, Span)> {
    let path = plugin.folder.root.join(file);
    let failed = |error: std::io::Error| (reason(&error), Span::START);
    let bytes = read_bounded(&path, MAX_RUST_BYTES).map_err(failed)?.map_err(|bytes| {
        let message = format!("it has {bytes} bytes, more than the {MAX_RUST_BYTES} that are read");
        (message, Span::START)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
        (format!("it is not UTF-8: byte {} fits no character", at + 1), Span::at(&before, at, 0))
    })
}
