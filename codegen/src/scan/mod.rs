//! The scan stage: which plugin folders the roots hold, and which files each one has. Reads the disk, judges nothing
//! but what it cannot read.

pub mod links;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

use crate::base::files::{reason, shown_path};
use crate::base::parallel::in_parallel;
use crate::base::stamp::Stamp;
use links::{BadLink, list};

/// Folder of a plugin's frontend, relative to its root.
pub const FRONTEND: &str = "frontend";
/// Folder of a plugin's Rust crate, relative to its root.
pub const BACKEND: &str = "backend";
/// The packages whose hooks and contexts work within one copy only.
pub const SHARED: [&str; 2] = ["react", "react-dom"];

/// What a manifest is called by mistake.
const MISNAMED: &[&str] =
    &["plugin.yml", "Plugin.yaml", "Plugin.yml", "plugin.yaml.txt", "plugin.json", "plugin.toml"];

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
    /// Whether these files change.
    pub stamp: Stamp,
    /// Links that count as nothing, sorted.
    pub links: Vec<BadLink>,
    /// Packages in the frontend's node_modules of which the page has one already.
    pub installed: Vec<&'static str>,
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
        let root = self.root.display();
        match self.cause.kind() {
            io::ErrorKind::NotFound => write!(f, "there is no folder {root} to look for plugins in"),
            io::ErrorKind::NotADirectory => write!(f, "{root} is a file: name a folder that holds plugins"),
            _ => write!(f, "cannot look for plugins in {root}: {}", reason(&self.cause)),
        }
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
        if absolute.join("plugin.yaml").is_file() {
            return Err(failed(io::Error::other("it is a plugin itself: name the folder that holds it")));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&absolute).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // A link to a plugin's folder is how authors mount a plugin that lives in its own checkout.
            let kind = entry.file_type().map_err(failed)?;
            let is_link = kind.is_symlink();
            if !(kind.is_dir() || is_link && path.is_dir()) {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.join("plugin.yaml").symlink_metadata().is_ok() {
                names.push((name, path, is_link));
            } else if let Some(meant) = MISNAMED.iter().find(|meant| path.join(meant).is_file()) {
                diagnostics.push(
                    Diagnostic::warning(
                        codes::MISNAMED_MANIFEST,
                        format!("{meant} is not read, so `{name}` is no plugin"),
                    )
                    .plugin(name)
                    .at(shown_path(&path.join(meant), &current), Span::START)
                    .help("rename it to plugin.yaml"),
                );
            }
        }
        names.sort();
        let listed = in_parallel(names, |(name, path, is_link)| {
            // The root is canonical, and so is what lies in it unless it is a link.
            let root = if is_link { path.canonicalize() } else { Ok(path.clone()) };
            (name, path, root.and_then(|root| Ok((list(&root)?, installed(&root), root))))
        });
        for (name, path, listed) in listed {
            let shown = shown_path(&path, &current);
            match listed {
                Ok((listing, installed, root)) => found.push(PluginFolder {
                    name,
                    root,
                    shown,
                    root_index,
                    files: listing.files,
                    stamp: listing.stamp,
                    links: listing.bad,
                    installed,
                }),
                Err(cause) => diagnostics.push(
                    Diagnostic::error(
                        codes::UNREADABLE,
                        format!("the plugin's folder cannot be read: {}", reason(&cause)),
                    )
                    .plugin(name)
                    .at(shown, Span::START)
                    .help("give the user that builds the right to read it"),
                ),
            }
        }
    }
    Ok((found, diagnostics))
}

/// The same plugin, looked at again; nothing where it is no plugin any more or cannot be read.
pub fn scan_again(folder: &PluginFolder) -> Option<PluginFolder> {
    let PluginFolder { name, root, shown, root_index, .. } = folder;
    root.join("plugin.yaml").symlink_metadata().ok()?;
    let listing = list(root).ok()?;
    Some(PluginFolder {
        name: name.clone(),
        root: root.clone(),
        shown: shown.clone(),
        root_index: *root_index,
        files: listing.files,
        stamp: listing.stamp,
        links: listing.bad,
        installed: installed(root),
    })
}

/// The shared packages that lie in a plugin's node_modules, whoever put them there.
fn installed(root: &Path) -> Vec<&'static str> {
    let modules = root.join(FRONTEND).join("node_modules");
    let lies_there = |name: &&str| modules.join(name).join("package.json").is_file();
    SHARED.into_iter().filter(lies_there).collect()
}
