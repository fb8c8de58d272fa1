//! The one writer of generated files: unchanged bytes are not written, changed ones replace the old file at once.
//!
//! Cargo and browsers judge by modification time, so a file that already holds the right bytes keeps its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Permission bits of every file written here, whatever the umask.
const FILE_MODE: u32 = 0o644;

/// What [`write_if_changed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The file already held these bytes.
    Unchanged,
    /// The file was written.
    Changed,
}

/// Whether to bring files up to date or only to say which are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Writes and removes files.
    Write,
    /// Touches nothing.
    Check,
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of the file at this absolute path.
    Copy(PathBuf),
}

impl Source {
    /// The bytes themselves.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Source::Bytes(bytes) => Ok(bytes.clone()),
            Source::Copy(from) => fs::read(from).map_err(|e| at(from, e)),
        }
    }
}

impl From<String> for Source {
    fn from(text: String) -> Source {
        Source::Bytes(text.into_bytes())
    }
}

/// The files of a folder, by path relative to it.
pub type Tree = BTreeMap<PathBuf, Source>;

/// In which way a folder differs from what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file is missing (now written).
    Added,
    /// The file holds other bytes (now replaced).
    Changed,
    /// The file should not be there (now removed).
    Removed,
}

/// One file in which a folder differs from what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path relative to the folder.
    pub path: PathBuf,
    /// In which way.
    pub kind: Kind,
}

/// Adds the path to an error, which the standard library leaves out.
pub(crate) fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Writes `bytes` to `path` unless the file already holds them. A new file takes its place in one step, so that no
/// reader ever sees half of it; missing folders are made.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<Written> {
    if holds(path, bytes)? {
        set_mode(path)?;
        return Ok(Written::Unchanged);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| at(folder, e))?;
    let mut file = tempfile::Builder::new().prefix(".hub-").tempfile_in(folder).map_err(|e| at(folder, e))?;
    file.write_all(bytes).map_err(|e| at(path, e))?;
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE)).map_err(|e| at(path, e))?;
    file.persist(path).map_err(|e| at(path, e.error))?;
    Ok(Written::Changed)
}

/// Makes `dir` hold exactly the files of `tree`, but for the paths in `keep`, which stay as they are.
/// In [`Mode::Check`] nothing is touched. Both modes return the differences found, sorted by path.
pub fn sync_tree(dir: &Path, tree: &Tree, keep: &[&str], mode: Mode) -> io::Result<Vec<Difference>> {
    let wanted = Wanted { dir, tree, folders: folders_of(tree)?, mode };
    let mut differences = Vec::new();
    // Removals go first: what is left over may stand where a folder is wanted.
    if fs::symlink_metadata(dir).is_ok() {
        wanted.remove_others(Path::new(""), keep, &mut differences)?;
    }
    for (path, source) in tree {
        let target = dir.join(path);
        let bytes = source.read()?;
        let kind = if is_file(&target) { Kind::Changed } else { Kind::Added };
        let differs = match mode {
            Mode::Write => write_if_changed(&target, &bytes)? == Written::Changed,
            Mode::Check => !holds(&target, &bytes)?,
        };
        if differs {
            differences.push(Difference { path: path.clone(), kind });
        }
    }
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(differences)
}

/// All folders that the files of a tree lie in; refuses paths that would leave the tree.
fn folders_of(tree: &Tree) -> io::Result<BTreeSet<&Path>> {
    let mut folders = BTreeSet::new();
    for path in tree.keys() {
        let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
        if !plain || path.as_os_str().is_empty() {
            let text = format!("{}: not a plain relative path", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        folders.extend(path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()));
    }
    Ok(folders)
}

/// What a folder should hold, and whether to make it so.
struct Wanted<'a> {
    dir: &'a Path,
    tree: &'a Tree,
    folders: BTreeSet<&'a Path>,
    mode: Mode,
}

impl Wanted<'_> {
    /// Removes what the tree does not name below `folder` (relative to the whole), but for the paths in `keep`.
    /// Links are removed and never followed, so nothing outside of the folder is touched.
    fn remove_others(
        &self,
        folder: &Path,
        keep: &[&str],
        differences: &mut Vec<Difference>,
    ) -> io::Result<()> {
        let whole = self.dir.join(folder);
        for entry in fs::read_dir(&whole).map_err(|e| at(&whole, e))? {
            let entry = entry.map_err(|e| at(&whole, e))?;
            let path = folder.join(entry.file_name());
            if keep.iter().any(|kept| path == Path::new(kept)) {
                continue;
            }
            let kind = entry.file_type().map_err(|e| at(&entry.path(), e))?;
            if kind.is_dir() {
                self.remove_others(&path, keep, differences)?;
                if !self.folders.contains(path.as_path()) && self.mode == Mode::Write {
                    fs::remove_dir(entry.path()).map_err(|e| at(&entry.path(), e))?;
                }
            } else if !(kind.is_file() && self.tree.contains_key(&path)) {
                if self.mode == Mode::Write {
                    fs::remove_file(entry.path()).map_err(|e| at(&entry.path(), e))?;
                }
                if !self.tree.contains_key(&path) {
                    differences.push(Difference { path, kind: Kind::Removed });
                }
            }
        }
        Ok(())
    }
}

/// Whether `path` is a regular file with exactly these bytes.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == bytes.len() as u64 => {
            let mut file = fs::File::open(path).map_err(|e| at(path, e))?;
            let mut old = Vec::with_capacity(bytes.len());
            file.read_to_end(&mut old).map_err(|e| at(path, e))?;
            Ok(old == bytes)
        }
        Ok(_) => Ok(false),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(at(path, e)),
    }
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file())
}

/// Brings the permission bits of an unchanged file to the fixed ones.
fn set_mode(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path).map_err(|e| at(path, e))?.permissions().mode() & 0o7777;
    if mode == FILE_MODE {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(FILE_MODE)).map_err(|e| at(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().map(|(path, text)| (PathBuf::from(path), Source::from(text.to_string()))).collect()
    }

    fn mtime(path: &Path) -> std::time::SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    fn shown(differences: &[Difference]) -> Vec<String> {
        differences.iter().map(|d| format!("{:?} {}", d.kind, d.path.display())).collect()
    }

    #[test]
    fn unchanged_bytes_keep_the_modification_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/file.txt");
        assert_eq!(write_if_changed(&path, b"one").unwrap(), Written::Changed);
        let before = mtime(&path);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(write_if_changed(&path, b"one").unwrap(), Written::Unchanged);
        assert_eq!(mtime(&path), before);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(write_if_changed(&path, b"two").unwrap(), Written::Changed);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_link_is_replaced_and_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside.txt");
        fs::write(&outside, "mine").unwrap();
        let link = dir.path().join("link.txt");
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        write_if_changed(&link, b"mine").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        write_if_changed(&link, b"other").unwrap();
        assert_eq!(fs::read(&outside).unwrap(), b"mine");
    }

    #[test]
    fn a_folder_ends_up_with_exactly_the_files_of_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("out");
        sync_tree(&root, &tree(&[("a/one.txt", "1"), ("b/two.txt", "2"), ("c", "3")]), &[], Mode::Write)
            .unwrap();
        fs::create_dir_all(root.join("kept/below")).unwrap();
        fs::write(root.join("kept/below/x"), "x").unwrap();
        fs::write(root.join("a/kept.txt"), "x").unwrap();
        let before = mtime(&root.join("a/one.txt"));

        // `b` turns from a folder into a file, `c` from a file into a folder.
        let next = tree(&[("a/one.txt", "1"), ("b", "now a file"), ("c/three.txt", "3")]);
        let expected = ["Added b", "Removed b/two.txt", "Removed c", "Added c/three.txt"];
        assert_eq!(shown(&sync_tree(&root, &next, &["kept", "a/kept.txt"], Mode::Check).unwrap()), expected);
        assert!(root.join("b/two.txt").exists(), "a check touches nothing");
        assert_eq!(shown(&sync_tree(&root, &next, &["kept", "a/kept.txt"], Mode::Write).unwrap()), expected);
        assert_eq!(mtime(&root.join("a/one.txt")), before);
        assert_eq!(fs::read_to_string(root.join("c/three.txt")).unwrap(), "3");
        assert!(root.join("kept/below/x").exists() && root.join("a/kept.txt").exists());
        assert!(sync_tree(&root, &next, &["kept", "a/kept.txt"], Mode::Write).unwrap().is_empty());
    }

    #[test]
    fn a_linked_folder_is_removed_without_touching_what_it_points_to() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("mine.txt"), "mine").unwrap();
        let root = dir.path().join("out");
        fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("a")).unwrap();
        sync_tree(&root, &tree(&[("a/one.txt", "1")]), &[], Mode::Write).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(root.join("a/one.txt").is_file());
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../x", "/etc/x", "", "a/../../x"] {
            let error = sync_tree(dir.path(), &tree(&[(path, "")]), &[], Mode::Write).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }
}
