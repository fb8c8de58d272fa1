//! The files of one plugin's folder, links included: a link to something in the same plugin counts as what it leads to,
//! any other is a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

use crate::base::digest::Stat;
use crate::base::stamp::{Stamp, now};

/// Folders that are never part of a plugin: what tools put beside the author's files.
const SKIPPED: &[&str] = &["node_modules", "target", "__pycache__"];
/// Most folders that are entered through links: links to folders of links multiply.
const MOST_FOLDERS: usize = 1000;

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// All files, relative, with `/`.
    pub files: BTreeSet<String>,
    /// Whether they change.
    pub stamp: Stamp,
    /// Links that count as nothing.
    pub bad: Vec<BadLink>,
}

/// A link that cannot be part of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadLink {
    /// Where it is, relative to the plugin's root.
    pub path: String,
    /// What it says.
    pub target: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It leads out of the plugin.
    Outside,
    /// It leads to nothing.
    Dangling,
    /// It leads to itself, perhaps by way of other links.
    Loop,
    /// It leads to a folder that it lies in.
    Above,
    /// Too many folders are reached through links.
    TooMany,
    /// The system does not let it be followed.
    Unreadable,
}

impl BadLink {
    /// The finding, without the plugin's slug; `folder` is the plugin's, as findings show it.
    pub(crate) fn finding(&self, folder: &Path) -> Diagnostic {
        let (path, target) = (&self.path, self.target.display());
        let (message, help) = match self.why {
            Why::Outside => (
                format!("the link {path} leads out of the plugin, to `{target}`"),
                "copy what it leads to into the plugin: a plugin is built from its own files alone",
            ),
            Why::Dangling => (
                format!("the link {path} leads to `{target}`, which does not exist"),
                "let it lead to a file of the plugin, or delete it",
            ),
            Why::Loop => (
                format!("the link {path} leads back to itself, by way of `{target}`"),
                "let it lead to a file of the plugin, or delete it",
            ),
            Why::Above => (
                format!("the link {path} leads to `{target}`, a folder that it lies in itself"),
                "let it lead to a folder that does not hold it, or delete it",
            ),
            Why::TooMany => (
                format!(
                    "the link {path} is followed no further: links lead to more than {MOST_FOLDERS} folders"
                ),
                "replace links to folders that hold such links themselves by the folders that are meant",
            ),
            Why::Unreadable => (
                format!("the link {path} to `{target}` cannot be followed"),
                "give the user that builds the right to read what it leads to",
            ),
        };
        Diagnostic::error(codes::UNUSABLE_LINK, message).at(folder.join(path), Span::START).help(help)
    }
}

/// Lists all files below a folder, which must be given by its canonical path.
pub(crate) fn list(root: &Path) -> io::Result<Listing> {
    let begun = now();
    let mut walk = Walk { root, files: BTreeMap::new(), bad: Vec::new(), above: Vec::new(), entered: 0 };
    walk.folder(root.to_path_buf(), "")?;
    walk.bad.sort();
    let stamp = Stamp::of_known(&walk.files, begun);
    Ok(Listing { files: walk.files.into_keys().collect(), stamp, bad: walk.bad })
}

struct Walk<'a> {
    root: &'a Path,
    /// All files, with what tells that they change. Looked at while their folder is at hand, which is the quickest.
    files: BTreeMap<String, Option<Stat>>,
    bad: Vec<BadLink>,
    /// Canonical paths of the folders that are being read, outermost first.
    above: Vec<PathBuf>,
    /// How many folders were entered through links.
    entered: usize,
}

impl Walk<'_> {
    /// Reads a folder by its canonical path; `inner` is what it is called in the plugin, with a closing `/`.
    fn folder(&mut self, folder: PathBuf, inner: &str) -> io::Result<()> {
        let entries = fs::read_dir(&folder)?;
        self.above.push(folder);
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            // Hidden links are editors' locks, which lead nowhere by design.
            let skipped = name.starts_with('.') || SKIPPED.contains(&&*name);
            if kind.is_file() {
                let stat = entry.metadata().ok().map(|meta| Stat::of(&meta));
                self.files.insert(format!("{inner}{name}"), stat);
            } else if !skipped && kind.is_dir() {
                self.folder(entry.path(), &format!("{inner}{name}/"))?;
            } else if !skipped && kind.is_symlink() {
                self.link(&entry.path(), format!("{inner}{name}"))?;
            }
        }
        self.above.pop();
        Ok(())
    }

    fn link(&mut self, path: &Path, inner: String) -> io::Result<()> {
        let why = match fs::canonicalize(path) {
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Why::Dangling,
                io::ErrorKind::PermissionDenied => Why::Unreadable,
                // The kind for a link that leads to itself has no stable name.
                _ => Why::Loop,
            },
            Ok(target) if !target.starts_with(self.root) => Why::Outside,
            Ok(target) if target.is_dir() => {
                if self.above.contains(&target) {
                    Why::Above
                } else if self.entered >= MOST_FOLDERS {
                    Why::TooMany
                } else {
                    self.entered += 1;
                    return self.folder(target, &format!("{inner}/"));
                }
            }
            Ok(target) if target.is_file() => {
                let stat = fs::metadata(path).ok().map(|meta| Stat::of(&meta));
                self.files.insert(inner, stat);
                return Ok(());
            }
            // A pipe or a socket: as little a file of the plugin as one that lies in it.
            Ok(_) => return Ok(()),
        };
        let target = fs::read_link(path).unwrap_or_default();
        self.bad.push(BadLink { path: inner, target, why });
        Ok(())
    }
}
