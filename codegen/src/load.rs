//! Between scan and resolve: reads what a plugin's folder holds into values. The last stage before generation that
//! touches the disk.

use std::collections::BTreeMap;
use std::fs;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::overrides::{self, Overrides};
use hub_manifest::plugin::{self, Manifest};
use hub_manifest::source::{MAX_BYTES, Source};

use crate::projects::{self, Project, TableName};
use crate::rust_source::Sources;
use crate::scan::{PluginFolder, reason};
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
    /// Names in the migrations that begin as the tables of plugins do.
    pub tables: Vec<TableName>,
    /// What its frontend says of the packages that the whole page shares.
    pub packages: Packages,
    /// The frontend's modules, by their path in the plugin.
    pub web: Vec<WebSource>,
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

    /// A file of the plugin, as findings show it.
    pub fn shown(&self, inner: &str) -> std::path::PathBuf {
        self.folder.shown.join(inner)
    }
}

/// Reads every plugin, in the order given.
pub fn load(folders: Vec<PluginFolder>) -> (Vec<LoadedPlugin>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let plugins = folders.into_iter().map(|folder| load_one(folder, &mut diagnostics)).collect();
    (plugins, diagnostics)
}

fn load_one(folder: PluginFolder, diagnostics: &mut Vec<Diagnostic>) -> LoadedPlugin {
    let mut plugin = LoadedPlugin {
        source: None,
        manifest: Manifest::default(),
        overrides: None,
        backend: None,
        projects: BTreeMap::new(),
        tables: Vec::new(),
        packages: Packages::default(),
        web: Vec::new(),
        folder,
    };
    if let Some(source) = read_source(&plugin, "plugin.yaml", diagnostics) {
        let (manifest, found) = plugin::parse(&source, &plugin.folder.name);
        diagnostics.extend(found);
        plugin.manifest = manifest;
        plugin.source = Some(source);
    }
    if plugin.manifest.enabled == Some(false) {
        return plugin;
    }
    let claims = format!("{FRONTEND}/overrides.json");
    if plugin.folder.files.contains(&claims)
        && let Some(source) = read_source(&plugin, &claims, diagnostics)
    {
        let (parsed, found) = overrides::parse(&source, plugin.slug());
        diagnostics.extend(found);
        plugin.overrides = Some((source, parsed));
    }
    plugin.projects = projects::projects(&plugin, diagnostics);
    plugin.tables = projects::table_names(&plugin);
    plugin.backend = backend(&plugin);
    plugin.packages = shared::packages(&plugin.folder.root);
    plugin.web = web_sources(&plugin);
    plugin
}

/// Everything below `frontend/`, and the modules elsewhere in the plugin that the manifest names.
fn web_sources(plugin: &LoadedPlugin) -> Vec<WebSource> {
    let mut found = websource::scan(&plugin.shown(FRONTEND));
    for source in &mut found {
        source.path = format!("{FRONTEND}/{}", source.path);
    }
    let manifest = &plugin.manifest;
    let named = manifest.frontend_overrides.iter().map(|(_, file)| file).chain(&manifest.frontend_entry);
    let claims = plugin.overrides.iter().flat_map(|(_, overrides)| &overrides.claims);
    let claimed = claims.map(|claim| format!("{FRONTEND}/{}", claim.component.value));
    for file in named.map(|file| file.value.clone()).chain(claimed) {
        let known = found.iter().any(|source| source.path == file);
        if !known && plugin.folder.files.contains(&file) {
            let sources = websource::scan(&plugin.shown(&file));
            found.extend(sources.into_iter().map(|source| WebSource { path: file.clone(), ..source }));
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
        let metadata = fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        if metadata.len() > MAX_BYTES as u64 {
            return Ok(Err(Box::new(Source::too_large(&shown, metadata.len()))));
        }
        Ok(Source::decode(&shown, &fs::read(&path)?))
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
fn text(plugin: &LoadedPlugin, file: &str) -> Result<String, (String, Span)> {
    let path = plugin.folder.root.join(file);
    let failed = |error: std::io::Error| (reason(&error), Span::START);
    let bytes = fs::metadata(&path).map_err(failed)?.len();
    if bytes > MAX_RUST_BYTES {
        return Err((
            format!("it has {bytes} bytes, more than the {MAX_RUST_BYTES} that are read"),
            Span::START,
        ));
    }
    String::from_utf8(fs::read(&path).map_err(failed)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
        (format!("it is not UTF-8: byte {} fits no character", at + 1), Span::at(&before, at, 0))
    })
}
