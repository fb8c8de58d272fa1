//! The scan stage: which plugin folders the roots hold, and which files each one has. Reads the disk, judges nothing
//! but what it cannot read.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::{Diagnostic, Span};
use walkdir::WalkDir;

/// Folders that are never part of a plugin: what tools put beside the author's files.
const SKIPPED: &[&str] = &["node_modules", "target", "dbt_packages", "__pycache__"];

/// A folder with a `plugin.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFolder {
    /// Name of the folder.
    pub name: String,
    /// Absolute path.
    pub root: PathBuf,
    /// The path as findings show it: relative to the current folder where it lies below it.
    pub shown: PathBuf,
    /// Number of the root that it was found under; the first has 0.
    pub root_index: usize,
    /// All its files, relative, with `/`, sorted.
    pub files: BTreeSet<String>,
}

/// A root that cannot be scanned.
#[derive(Debug)]
pub struct ScanError {
    /// The root.
    pub root: PathBuf,
    /// Why.
    pub cause: io::Error,
}

impl std::fmt::Display for ScanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot read the plugin folder {}: {}", self.root.display(), self.cause)
    }
}

impl std::error::Error for ScanError {}

/// Finds the plugins of all roots, in the order of the roots and by name within each, whatever order the disk has.
pub fn scan(roots: &[PathBuf]) -> Result<(Vec<PluginFolder>, Vec<Diagnostic>), ScanError> {
    let current = std::env::current_dir().unwrap_or_default();
    let mut found = Vec::new();
    let mut diagnostics = Vec::new();
    for (root_index, root) in roots.iter().enumerate() {
        let failed = |cause| ScanError { root: root.clone(), cause };
        let absolute = root.canonicalize().map_err(failed)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&absolute).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // A link to a plugin's folder is how authors mount a plugin that lives in its own checkout.
            if path.is_dir() && path.join("plugin.yaml").symlink_metadata().is_ok() {
                names.push((entry.file_name().to_string_lossy().into_owned(), path));
            }
        }
        names.sort();
        for (name, path) in names {
            let plugin_root = path.canonicalize().map_err(failed)?;
            let shown = shown_path(&path, &current);
            match list(&plugin_root) {
                Ok(files) => found.push(PluginFolder { name, root: plugin_root, shown, root_index, files }),
                Err(cause) => diagnostics.push(
                    Diagnostic::error("HUB001", format!("the plugin's folder cannot be read: {cause}"))
                        .plugin(name)
                        .at(shown, Span::START)
                        .help("give the user that builds the right to read it"),
                ),
            }
        }
    }
    Ok((found, diagnostics))
}

/// A path relative to the current folder where it lies below it.
pub fn shown_path(path: &Path, current: &Path) -> PathBuf {
    path.strip_prefix(current).unwrap_or(path).to_path_buf()
}

fn list(root: &Path) -> io::Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let walk = WalkDir::new(root).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0
            || !(entry.file_type().is_dir() && (name.starts_with('.') || SKIPPED.contains(&&*name)))
    });
    for entry in walk {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_file()
            && let Ok(inner) = entry.path().strip_prefix(root)
        {
            files.insert(inner.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(files)
}
