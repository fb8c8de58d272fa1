//! Stamps: whether the files of a folder may have changed since they were looked at, told from their sizes, times and
//! inodes alone.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::digest::{Digest, RACY, Stat};

/// What tells that files have not been touched since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Fingerprint of the names, sizes, times and inodes of all files.
    pub digest: String,
    /// Whether every change that comes will show: no file was touched just before it was looked at.
    pub settled: bool,
}

impl Stamp {
    /// The stamp of some files of a folder; `now` is a time before anything of them was read.
    pub fn of<'a>(folder: &Path, files: impl IntoIterator<Item = &'a String>, now: u64) -> Stamp {
        let mut digest = Digest::new("stamp");
        let mut settled = true;
        let mut path = folder.to_path_buf();
        for file in files {
            path.push(file);
            match fs::metadata(&path) {
                Ok(meta) => {
                    let stat = Stat::of(&meta);
                    settled &= stat.touched() + RACY.as_nanos() as u64 <= now;
                    digest.add(file, &stat.bytes());
                }
                Err(_) => settled = false,
            }
            path.clear();
            path.push(folder);
        }
        Stamp { digest: digest.finish(), settled }
    }

    /// Whether files that had this stamp are the same now that they have the other.
    pub fn holds(&self, now: &Stamp) -> bool {
        self.settled && *self == *now
    }
}

/// Nanoseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
