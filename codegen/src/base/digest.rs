//! Fingerprints that decide "nothing changed": of values, and of files with a cache as in git's index.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub_release::hash::copy;
/// SHA-256 of some bytes, and bytes as such, in lower-case hex.
pub use hub_release::hash::{hex, of_bytes as sha256_hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::write::{at, write_if_changed};

/// A file that changed this shortly before it was hashed may change again without its times showing it.
pub(crate) const RACY: Duration = Duration::from_millis(20);

/// A fingerprint over named values; names and lengths go in too, so that no two lists of values run into one another.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Starts with the name of what is fingerprinted, which should change when its meaning does.
    pub fn new(name: &str) -> Digest {
        let mut digest = Digest::default();
        digest.add("digest", name.as_bytes());
        digest
    }

    /// Adds one value.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// The fingerprint in lower-case hex.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Size and SHA-256 of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHash {
    /// Length in bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// What tells that a file has not been touched since it was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stat(u64, u64, u64, u64);

impl Stat {
    pub(crate) fn of(meta: &Metadata) -> Stat {
        let nanos = |seconds: i64, nanos: i64| (seconds.max(0) as u64) * 1_000_000_000 + nanos.max(0) as u64;
        Stat(
            meta.len(),
            nanos(meta.mtime(), meta.mtime_nsec()),
            nanos(meta.ctime(), meta.ctime_nsec()),
            meta.ino(),
        )
    }

    /// The later of the file's two times.
    pub(crate) fn touched(&self) -> u64 {
        self.1.max(self.2)
    }

    /// The numbers, for a fingerprint.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.0, self.1, self.2, self.3].iter().flat_map(|number| number.to_le_bytes()).collect()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    stat: Stat,
    /// When the hash was taken, in nanoseconds since 1970.
    seen: u64,
    sha256: String,
}

/// Hashes of files, kept on disk between runs. A file is read again only when its size, times or inode differ.
pub struct FileCache {
    file: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
    used: BTreeSet<PathBuf>,
    changed: bool,
}

impl FileCache {
    /// Opens the cache kept in `file`. One that cannot be read counts as empty: the cache saves time, nothing else.
    pub fn open(file: &Path) -> FileCache {
        let entries =
            fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        FileCache { file: file.to_path_buf(), entries, used: BTreeSet::new(), changed: false }
    }

    /// Size and SHA-256 of the file at `path`, which must be absolute to be remembered rightly.
    pub fn hash(&mut self, path: &Path) -> io::Result<FileHash> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let stat = Stat::of(&fs::metadata(path).map_err(|e| at(path, e))?);
        if let Some(entry) = self.entries.get(path)
            && entry.stat == stat
            && stat.touched() + RACY.as_nanos() as u64 <= entry.seen
        {
            self.used.insert(path.to_path_buf());
            return Ok(FileHash { size: stat.0, sha256: entry.sha256.clone() });
        }
        let (size, sha256) = hash_file(path)?;
        // Non-Unicode paths cannot be written to the cache file; they are simply hashed each time.
        if path.to_str().is_some() {
            let entry = Entry { stat, seen: now.as_nanos() as u64, sha256: sha256.clone() };
            self.entries.insert(path.to_path_buf(), entry);
            self.used.insert(path.to_path_buf());
            self.changed = true;
        }
        Ok(FileHash { size, sha256 })
    }

    /// Writes the cache back if it learnt something; files that are gone are forgotten.
    pub fn save(&mut self) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let used = &self.used;
        self.entries.retain(|path, _| used.contains(path) || path.exists());
        write_if_changed(&self.file, &serde_json::to_vec(&self.entries)?)?;
        self.changed = false;
        Ok(())
    }
}

/// Length and SHA-256 of a file.
fn hash_file(path: &Path) -> io::Result<(u64, String)> {
    fs::File::open(path).and_then(|mut file| copy(&mut file, &mut io::sink())).map_err(|e| at(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_the_usual_notation() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn values_do_not_run_into_one_another() {
        let of = |parts: &[(&str, &str)]| {
            let mut digest = Digest::new("test");
            parts.iter().for_each(|(name, value)| digest.add(name, value.as_bytes()));
            digest.finish()
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("a", "bcd")]));
        assert_eq!(of(&[("a", "b")]), of(&[("a", "b")]));
    }

    #[test]
    fn a_file_is_read_again_only_when_its_times_moved() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        fs::write(&file, "one").unwrap();
        std::thread::sleep(Duration::from_millis(60));
        let index = dir.path().join("index.json");
        let mut cache = FileCache::open(&index);
        assert_eq!(cache.hash(&file).unwrap(), FileHash { size: 3, sha256: sha256_hex(b"one") });
        cache.save().unwrap();

        let mut cache = FileCache::open(&index);
        cache.hash(&file).unwrap();
        assert!(!cache.changed, "a known file is not read");
        fs::write(&file, "two").unwrap();
        assert_eq!(cache.hash(&file).unwrap().sha256, sha256_hex(b"two"));
        fs::remove_file(&file).unwrap();
        assert!(cache.hash(&file).unwrap_err().to_string().contains("x: "));
    }

    #[test]
    fn a_change_within_the_clock_tick_is_not_missed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        let mut cache = FileCache::open(&dir.path().join("index.json"));
        for round in 0..50 {
            let text = format!("{round:03}");
            fs::write(&file, &text).unwrap();
            assert_eq!(cache.hash(&file).unwrap().sha256, sha256_hex(text.as_bytes()));
        }
    }

    #[test]
    fn a_broken_cache_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let index = dir.path().join("index.json");
        fs::write(&index, "{ not json").unwrap();
        fs::write(dir.path().join("x"), "one").unwrap();
        let mut cache = FileCache::open(&index);
        assert_eq!(cache.hash(&dir.path().join("x")).unwrap().size, 3);
        cache.save().unwrap();
    }
}
