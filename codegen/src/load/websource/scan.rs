//! All web sources of a folder, parsed on all cores.

use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::source::name_of;
use walkdir::{DirEntry, WalkDir};

use super::module::Module;
use crate::base::files::{read_bounded, reason};
use crate::base::parallel::in_parallel;

use super::{MAX_BYTES, decode, parse, too_large};

/// Folders that hold no sources of the author's.
const SKIPPED: [&str; 5] = ["node_modules", "target", "dist", "__tests__", "__mocks__"];

/// One source file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the folder scanned, with `/`.
    pub path: String,
    /// The file itself: the folder as given, and the path below it.
    pub file: PathBuf,
    /// What the file says, or what is wrong with it.
    pub module: Result<Module, Vec<Diagnostic>>,
}

/// Whether the file is one that [`scan`] would read, by its name.
pub fn is_source(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let mut parts = name.rsplit('.');
    let extension = parts.next().unwrap_or_default();
    let before = parts.next();
    matches!(extension, "tsx" | "ts" | "jsx" | "js" | "mts" | "mjs" | "cts" | "cjs")
        && before.is_some_and(|before| !matches!(before, "test" | "spec" | "stories"))
        && !name.starts_with('.')
}

/// Reads all sources below a folder, sorted by path. Tests, hidden files and folders, and what is installed or built
/// are left out; links are not followed. A folder that does not exist has no sources.
pub fn scan(folder: &Path) -> Vec<Source> {
    let wanted = |entry: &DirEntry| entry.depth() == 0 || !(is_hidden(entry) || is_skipped_folder(entry));
    let mut sources = Vec::new();
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_source(entry.path()) => {
                files.push(entry.into_path())
            }
            Ok(_) => {}
            Err(error) if error.depth() == 0 => {}
            Err(error) => {
                let file = error.path().unwrap_or(folder).to_owned();
                let why = error.io_error().map_or_else(|| "a loop of folders".to_owned(), reason);
                sources.push(source(folder, &file, Err(vec![unreadable(&file, &why)])));
            }
        }
    }
    sources.extend(in_parallel(files, |file| source(folder, &file, read(&file))));
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Whether [`scan`] would read the file of this path, relative to the folder scanned.
pub fn is_wanted(path: &str) -> bool {
    let (folders, _) = path.rsplit_once('/').unwrap_or(("", path));
    is_source(Path::new(path))
        && !folders.split('/').any(|folder| folder.starts_with('.') || SKIPPED.contains(&folder))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn is_skipped_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() && SKIPPED.iter().any(|name| entry.file_name() == *name)
}

fn source(folder: &Path, file: &Path, module: Result<Module, Vec<Diagnostic>>) -> Source {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Source { path: parts.join("/"), file: file.to_owned(), module }
}

/// Reads one source file.
pub fn read(file: &Path) -> Result<Module, Vec<Diagnostic>> {
    let failed = |error: std::io::Error| vec![unreadable(file, &reason(&error))];
    let text = match read_bounded(file, MAX_BYTES as u64).map_err(failed)? {
        Ok(bytes) => decode(file, bytes).map_err(|error| vec![*error])?,
        Err(bytes) => return Err(vec![too_large(file, bytes)]),
    };
    parse(file, &text)
}

fn unreadable(file: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(codes::MODULE_UNREADABLE, format!("{} cannot be read: {reason}", name_of(file)))
        .at(file, Span::START)
        .help("make it readable for the user who builds, or take it out of the plugin")
}
