//! The output folder: written beside its place and swapped in, so that there is always a whole one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Makes `out` hold exactly `files`. A folder that does already is left alone.
pub fn replace(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    if holds(out, files) {
        return Ok(());
    }
    let (fresh, stale) = (beside(out, "new"), beside(out, "old"));
    remove(&fresh)?;
    remove(&stale)?;
    for (path, bytes) in files {
        let file = fresh.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, bytes)?;
    }
    if out.exists() {
        std::fs::rename(out, &stale)?;
    }
    if let Err(error) = std::fs::rename(&fresh, out) {
        // Put back what was there.
        let _ = std::fs::rename(&stale, out);
        return Err(error);
    }
    remove(&stale)
}

/// The folder beside `out` in which compressed twins are kept between runs.
pub fn kept(out: &Path) -> PathBuf {
    beside(out, "twins")
}

/// `dist` → `.dist.new`, in the same folder, so that a rename is enough.
fn beside(out: &Path, what: &str) -> PathBuf {
    out.with_file_name(format!(".{}.{what}", out.file_name().unwrap_or_default().to_string_lossy()))
}

fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether `out` holds these files with these bytes, and no others.
fn holds(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> bool {
    let mut found = 0;
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { return false };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(out).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let same = files.get(&name).is_some_and(|bytes| {
                entry.metadata().is_ok_and(|data| data.len() == bytes.len() as u64)
                    && std::fs::read(&path).is_ok_and(|found| found == *bytes)
            });
            if !same {
                return false;
            }
            found += 1;
        }
    }
    found == files.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("index.html".to_owned(), text.into()), ("assets/a.js".to_owned(), b"1".to_vec())])
    }

    #[test]
    fn the_folder_holds_what_was_asked_for_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/dist");
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join("stale.txt"), "x").unwrap();
        replace(&out, &files("one")).unwrap();
        assert!(holds(&out, &files("one")));
        assert!(!holds(&out, &files("two")));
        assert_eq!(
            std::fs::read_dir(root.path().join("deep")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn an_unchanged_folder_is_not_touched() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("dist");
        replace(&out, &files("one")).unwrap();
        let before = std::fs::metadata(&out).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        replace(&out, &files("one")).unwrap();
        assert_eq!(std::fs::metadata(&out).unwrap().modified().unwrap(), before);
    }
}
