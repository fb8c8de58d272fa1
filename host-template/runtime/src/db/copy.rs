//! A copy of a SQLite file with its log, for whoever reads where nothing can be made beside the file itself: SQLite reads a log only
//! with the help of one more file. Without the log it would read what is older, or half of a change.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::Error;
use super::sqlite::PARTS;
use crate::settings::{beside, reason};

/// In a folder of its own, which goes with the value.
pub(super) struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        // A folder that stays is seen by whoever makes room in it; there is nobody to tell it to.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Copy {
    /// Copies to where temporary files go, for nobody else to read: passwords are in it, as hashes. It is all of one state: an error
    /// where somebody wrote meanwhile.
    pub(super) fn of(file: &Path) -> Result<Copy, Error> {
        Copy::into(file, &std::env::temp_dir())
    }

    fn into(file: &Path, place: &Path) -> Result<Copy, Error> {
        let cannot = |what: String| {
            Error::Refused(format!(
                "its log cannot be read where it lies, for nothing can be written there, and not in a copy either: {what}"
            ))
        };
        let parts: Vec<&str> = std::iter::once("").chain(PARTS).collect();
        let seen = || parts.iter().map(|part| mark(&beside(file, part))).collect::<Vec<_>>();
        let before = seen();
        // The log is copied, and put into the file after that.
        let bytes: u64 = before.iter().flatten().map(|(bytes, ..)| bytes).sum::<u64>() * 2;
        let free = statvfs(place).map_or(u64::MAX, |about| about.f_bavail.saturating_mul(about.f_frsize));
        if free < bytes {
            return Err(cannot(format!(
                "that takes {} MB in {}, and {} MB are free there; make room, or name another folder in TMPDIR",
                bytes.div_ceil(1_000_000),
                place.display(),
                free / 1_000_000
            )));
        }
        let copy = Copy(place.join(format!(".hub-read-{}", crate::new_id())));
        DirBuilder::new().mode(0o700).create(&copy.0).map_err(|e| {
            let place = place.display();
            cannot(format!("{place} takes no folder ({}); name another one in TMPDIR", reason(&e)))
        })?;
        for (part, _) in parts.iter().zip(&before).filter(|(_, mark)| mark.is_some()) {
            let (from, to) = (beside(file, part), beside(&copy.file(), part));
            copied(&from, &to).map_err(|e| cannot(format!("{}: {}", from.display(), reason(&e))))?;
        }
        if seen() != before {
            return Err(cannot("somebody writes to it meanwhile; try again".to_owned()));
        }
        Ok(copy)
    }

    /// The file; what belongs to it lies beside it.
    pub(super) fn file(&self) -> PathBuf {
        self.0.join("copy.db")
    }
}

fn copied(from: &Path, to: &Path) -> io::Result<u64> {
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut made)
}

/// Length, number, and when it was written to; none where it is not there.
fn mark(file: &Path) -> Option<(u64, u64, i64, i64)> {
    let of = |about: Metadata| (about.len(), about.ino(), about.mtime(), about.mtime_nsec());
    fs::metadata(file).ok().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_log_is_nobody_elses_to_read_and_goes() {
        let folder = std::env::temp_dir().join(format!("hub-copy-{}", std::process::id()));
        fs::create_dir_all(folder.join("place")).unwrap();
        let file = folder.join("hub.db");
        fs::write(&file, "file").unwrap();
        fs::write(beside(&file, "-wal"), "log").unwrap();
        let copy = Copy::into(&file, &folder.join("place")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(fs::read_to_string(copy.file()).unwrap(), "file");
        assert_eq!(fs::read_to_string(beside(&copy.file(), "-wal")).unwrap(), "log");
        assert!(!beside(&copy.file(), "-journal").exists());
        assert_eq!((mode(&copy.0), mode(&copy.file())), (0o700, 0o600));
        drop(copy);
        assert_eq!(fs::read_dir(folder.join("place")).unwrap().count(), 0);
        let error = Copy::into(&file, &folder.join("nowhere")).err().unwrap().to_string();
        assert!(error.contains("nowhere takes no folder") && error.contains("TMPDIR"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
