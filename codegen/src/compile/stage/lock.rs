//! The lock file of the staged workspace: always the repository's, cut down by cargo to what is used.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::{Document, Table, value};

use crate::base::digest::Digest;
use crate::base::write::{Tree, at, write_if_changed};

/// Name of cargo's lock file.
pub const LOCK: &str = "Cargo.lock";
/// File beside it that says what it was made from.
pub const STAMP: &str = ".lock-stamp";

/// Puts the repository's lock into the staged workspace and returns its fingerprint.
///
/// Cargo removes unused packages from the staged lock, so it is copied afresh only when the repository's lock or any
/// staged `Cargo.toml` changed: then a package that was removed once may be needed again, at its locked version. What only
/// plugins need is not in the repository's lock: `further` names the versions that the last build took.
pub fn seed(repo_lock: &Path, further: &[Locked], out: &Path, tree: &Tree) -> io::Result<String> {
    let lock = match fs::read(repo_lock) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(at(repo_lock, e)),
    };
    let lock = if further.is_empty() {
        lock
    } else {
        with_packages(&String::from_utf8_lossy(&lock), further).into_bytes()
    };
    let mut digest = Digest::new("staged lock 1");
    digest.add(LOCK, &lock);
    for (path, source) in tree.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
        digest.add(&path.to_string_lossy(), &source.read()?);
    }
    let stamp = digest.finish();
    let (staged, stamp_file) = (out.join(LOCK), out.join(STAMP));
    let known = fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp);
    if !(known && staged.is_file()) {
        if lock.is_empty() {
            remove(&staged)?;
        } else {
            write_if_changed(&staged, &lock)?;
        }
        // The stamp goes last: an interrupted run copies the lock again.
        write_if_changed(&stamp_file, stamp.as_bytes())?;
    }
    Ok(stamp)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path, e)),
        _ => Ok(()),
    }
}

/// A package that a lock file names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locked {
    /// Package name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where it comes from, as cargo writes it.
    pub source: String,
    /// What the package's archive is checked against; a git repository has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// The packages from registries that `staged` names and `repo` does not: what cargo chose by itself.
pub fn additions(repo: &str, staged: &str) -> Vec<Locked> {
    let known = packages(repo);
    packages(staged).difference(&known).cloned().collect()
}

/// A lock file with further packages. Their dependencies are not named: cargo takes them from the packages of the lock
/// that fit, before it looks for others.
pub fn with_packages(lock: &str, further: &[Locked]) -> String {
    let known = packages(lock);
    let mut out = lock.to_string();
    for package in further.iter().filter(|package| !known.contains(package)) {
        let mut table = Table::new();
        table.insert("name", value(&package.name));
        table.insert("version", value(&package.version));
        table.insert("source", value(&package.source));
        if let Some(checksum) = &package.checksum {
            table.insert("checksum", value(checksum));
        }
        out.push_str(&format!("\n[[package]]\n{table}"));
    }
    out
}

/// The packages of a lock file that come from somewhere else than this disk. An unreadable file has none: cargo
/// itself reports what is wrong with it.
pub fn packages(lock: &str) -> BTreeSet<Locked> {
    let Ok(document) = Document::parse(lock) else { return BTreeSet::new() };
    let Some(packages) = document.get("package").and_then(|item| item.as_array_of_tables()) else {
        return BTreeSet::new();
    };
    let text =
        |table: &toml_edit::Table, key: &str| table.get(key).and_then(|i| i.as_str()).map(str::to_string);
    packages
        .iter()
        .filter_map(|table| {
            Some(Locked {
                name: text(table, "name")?,
                version: text(table, "version")?,
                source: text(table, "source")?,
                checksum: text(table, "checksum"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::write::Source;
    use std::path::PathBuf;

    fn tree(manifest: &str) -> Tree {
        Tree::from([(PathBuf::from("host/Cargo.toml"), Source::from(manifest.to_string()))])
    }

    #[test]
    fn the_lock_is_copied_when_something_it_depends_on_changed() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("repo.lock");
        let out = dir.path().join("out");
        fs::write(&repo, "full").unwrap();
        let first = seed(&repo, &[], &out, &tree("a")).unwrap();
        assert_eq!(fs::read_to_string(out.join(LOCK)).unwrap(), "full");

        fs::write(out.join(LOCK), "cut down by cargo").unwrap();
        assert_eq!(seed(&repo, &[], &out, &tree("a")).unwrap(), first);
        assert_eq!(fs::read_to_string(out.join(LOCK)).unwrap(), "cut down by cargo");

        seed(&repo, &[], &out, &tree("another dependency")).unwrap();
        assert_eq!(fs::read_to_string(out.join(LOCK)).unwrap(), "full");

        fs::write(&repo, "newer").unwrap();
        seed(&repo, &[], &out, &tree("another dependency")).unwrap();
        assert_eq!(fs::read_to_string(out.join(LOCK)).unwrap(), "newer");
    }

    #[test]
    fn packages_that_the_repository_does_not_lock_are_found() {
        let package = |name: &str, version: &str, source: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}\n")
        };
        let from = "source = \"registry+https://example.org\"";
        let repo = package("a", "1.0.0", from) + &package("hub-host", "0.1.0", "");
        let staged =
            package("a", "1.0.0", from) + &package("b", "2.0.0", from) + &package("plugin", "0.1.0", "");
        let added = additions(&repo, &staged);
        let b = Locked {
            name: "b".into(),
            version: "2.0.0".into(),
            source: "registry+https://example.org".into(),
            checksum: None,
        };
        assert_eq!(added, std::slice::from_ref(&b));

        // Written down, they are no longer cargo's choice.
        let seeded = with_packages(&repo, std::slice::from_ref(&b));
        assert_eq!(additions(&seeded, &staged), []);
        assert_eq!(with_packages(&seeded, &[b]), seeded, "a package stands in a lock once");
    }
}
