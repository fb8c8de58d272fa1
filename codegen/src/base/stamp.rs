//! Stamps: whether the files of a folder may have changed since they were looked at, told from their sizes, times and
//! inodes alone.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::digest::{Digest, RACY, Stat};

/// What tells that files have not been touched since; by default nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Fingerprint of the names, sizes, times and inodes of all files.
    pub digest: String,
    /// Whether every change that comes will show: no file was touched just before it was looked at.
    pub settled: bool,
}

impl Stamp {
    /// The stamp of files that were looked at already; `now` is a time before that. Those of which nothing is known keep
    /// the stamp from being settled.
    pub(crate) fn of_known<'a>(
        files: impl IntoIterator<Item = (&'a String, &'a Option<Stat>)>,
        now: u64,
    ) -> Stamp {
        let mut digest = Digest::new("stamp");
        let mut settled = true;
        for (file, stat) in files {
            match stat {
                Some(stat) => {
                    settled &= stat.touched() + RACY.as_nanos() as u64 <= now;
                    digest.add(file, &stat.bytes());
                }
                None => settled = false,
            }
        }
        Stamp { digest: digest.finish(), settled }
    }

    /// The stamp of some files of a folder; `now` is a time before anything of them was read.
    pub fn of<'a>(folder: &Path, files: impl IntoIterator<Item = &'a String>, now: u64) -> Stamp {
        let stat = |file| fs::metadata(folder.join(file)).ok().map(|meta| Stat::of(&meta));
        let known: Vec<(&String, Option<Stat>)> = files.into_iter().map(|file| (file, stat(file))).collect();
        Stamp::of_known(known.iter().map(|(file, stat)| (*file, stat)), now)
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
