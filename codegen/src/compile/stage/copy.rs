//! Which files of a crate's folder are staged.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use walkdir::{DirEntry, WalkDir};

/// Entries of the crate's own folder that compiling its library never needs.
const TOP_SKIPPED: [&str; 5] = ["target", "tests", "benches", "examples", "Cargo.lock"];

/// Whether an entry is left out: build output, packages of npm, and hidden files but for sqlx's query data.
fn skipped(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let hidden = name.as_encoded_bytes().starts_with(b".") && name != OsStr::new(".sqlx");
    let top = entry.depth() == 1 && TOP_SKIPPED.iter().any(|skip| name == OsStr::new(skip));
    entry.depth() > 0 && (hidden || top || name == OsStr::new("node_modules"))
}

/// The files below `root`/`dir`, relative to `root`, in no particular order. A link may lead anywhere inside of
/// `root`; one that leads out is an error.
pub fn files(root: &Path, dir: &Path) -> (Vec<PathBuf>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut diagnostics = Vec::new();
    let home = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let folder = root.join(dir);
    let mut walk = WalkDir::new(&folder).follow_links(true).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(&folder).to_path_buf();
                let what = if error.loop_ancestor().is_some() {
                    format!("the link {} leads back into its own folder", path.display())
                } else {
                    format!("cannot read {}: {}", path.display(), plain(&error))
                };
                diagnostics.push(
                    Diagnostic::error(codes::CRATE_NOT_COPIED, what)
                        .at(path, Span::START)
                        .help("remove the link, or make the file readable for the user who builds"),
                );
                continue;
            }
        };
        if skipped(&entry) {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        if entry.path_is_symlink() && entry.depth() > 0 {
            let target = entry.path().canonicalize().unwrap_or_default();
            if !target.starts_with(&home) {
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                let what = format!(
                    "the link {} leads out of the plugin, to {}",
                    entry.path().display(),
                    target.display()
                );
                diagnostics.push(
                    Diagnostic::error(codes::CRATE_NOT_COPIED, what)
                        .at(entry.path(), Span::START)
                        .help("copy the file into the plugin: a plugin is built from its own folder alone"),
                );
                continue;
            }
        }
        if entry.file_type().is_file()
            && let Ok(path) = entry.path().strip_prefix(root)
        {
            found.push(path.to_path_buf());
        }
    }
    (found, diagnostics)
}

/// The operating system's own words, without the path that walkdir puts in front.
fn plain(error: &walkdir::Error) -> String {
    error.io_error().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_the_library_needs_is_staged() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for path in [
            "backend/Cargo.toml",
            "backend/Cargo.lock",
            "backend/src/lib.rs",
            "backend/src/target/mod.rs",
            "backend/src/tests/mod.rs",
            "backend/.sqlx/query-1.json",
            "backend/.git/HEAD",
            "backend/.env",
            "backend/target/debug/x",
            "backend/tests/api.rs",
            "backend/node_modules/x/index.js",
            "frontend/src/App.tsx",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        let (mut found, diagnostics) = files(root, Path::new("backend"));
        found.sort();
        let found: Vec<_> = found.iter().map(|p| p.display().to_string()).collect();
        assert!(diagnostics.is_empty());
        assert_eq!(
            found,
            [
                "backend/.sqlx/query-1.json",
                "backend/Cargo.toml",
                "backend/src/lib.rs",
                "backend/src/target/mod.rs",
                "backend/src/tests/mod.rs",
            ]
        );
    }

    #[test]
    fn links_may_not_leave_the_plugin() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("crm");
        fs::create_dir_all(root.join("backend/src")).unwrap();
        fs::create_dir_all(root.join("shared")).unwrap();
        fs::write(root.join("shared/a.rs"), "").unwrap();
        fs::write(dir.path().join("secret"), "").unwrap();
        symlink(root.join("shared"), root.join("backend/src/shared")).unwrap();
        symlink(dir.path().join("secret"), root.join("backend/src/secret.rs")).unwrap();
        symlink(root.join("backend"), root.join("backend/src/loop")).unwrap();
        symlink("nowhere", root.join("backend/src/dangling.rs")).unwrap();
        let (found, mut diagnostics) = files(&root, Path::new("backend"));
        assert_eq!(found, [Path::new("backend/src/shared/a.rs")]);
        hub_manifest::diagnostic::sort(&mut diagnostics);
        let text: Vec<_> = diagnostics
            .iter()
            .map(|d| d.message.replace(&dir.path().display().to_string(), "$DIR"))
            .collect();
        assert_eq!(
            text,
            [
                "cannot read $DIR/crm/backend/src/dangling.rs: No such file or directory (os error 2)",
                "the link $DIR/crm/backend/src/loop leads back into its own folder",
                "the link $DIR/crm/backend/src/secret.rs leads out of the plugin, to $DIR/secret",
            ]
        );
    }
}
