//! One plugin as it was read, and the reading of one of its files.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::overrides::Overrides;
use hub_manifest::plugin::Manifest;
use hub_manifest::rules::Subject;
use hub_manifest::source::{MAX_BYTES, Source};

use super::backend::{Backend, ReadCrate};
use super::migrations::Migrations;
use super::projects::{Project, TableName};
use super::shared::Packages;
use super::websource::Source as WebSource;
use crate::base::files::{read_bounded, reason};
use crate::scan::PluginFolder;

/// Largest Rust source or `Cargo.toml` that is looked into, in bytes.
pub(super) const MAX_RUST_BYTES: u64 = 4 * 1024 * 1024;

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
    /// What `backend` says of its crate, once the resolve stage has asked.
    pub read_crate: OnceLock<ReadCrate>,
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

/// Gives a finding its place in a plugin's `plugin.yaml`.
pub(crate) fn in_manifest(
    plugin: &LoadedPlugin,
    range: &std::ops::Range<usize>,
    found: Diagnostic,
) -> Diagnostic {
    let span = plugin.source.as_ref().map_or(Span::START, |source| source.span(range));
    found.plugin(plugin.slug()).at(plugin.shown("plugin.yaml"), span)
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
        Err(cause) => {
            Diagnostic::error(codes::UNREADABLE, format!("{inner} cannot be read: {}", reason(&cause)))
                .at(&shown, Span::START)
                .help("it must be a regular file that the user who builds may read")
        }
    };
    diagnostics.push(diagnostic.plugin(plugin.slug()));
    None
}

/// The text of a file of at most so many bytes, or why there is none and where in it the reason lies.
pub(crate) fn text(plugin: &LoadedPlugin, file: &str, most: u64) -> Result<String, (String, Span)> {
    let path = plugin.folder.root.join(file);
    let failed = |error: std::io::Error| (reason(&error), Span::START);
    let bytes = read_bounded(&path, most).map_err(failed)?.map_err(|bytes| {
        let message = format!("it has {bytes} bytes, more than the {most} that are read");
        (message, Span::START)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
        (format!("it is not UTF-8: byte {} fits no character", at + 1), Span::at(&before, at, 0))
    })
}
