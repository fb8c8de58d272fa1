//! Whether the name of a SQLite database still leads to the file that this process has open. SQLite never looks: it goes on in a
//! file that was moved, removed or replaced, and what it writes there is lost to everybody who comes by the name.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::Error;

/// A file that is open, by its device and number.
#[derive(Debug)]
pub struct OpenFile {
    path: PathBuf,
    /// SQLite's write-ahead log of it: beside the file, where the path is a link too.
    log: PathBuf,
    id: (u64, u64),
    /// Whether the log says already that the name leads elsewhere.
    told: AtomicBool,
    /// Whether SQLite's write-ahead log may hold what is not in the file, which it has lost with its name.
    unsettled: AtomicBool,
    /// Held by whoever settles; why that failed the last time.
    settling: Mutex<String>,
}

/// Where the name leads instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strayed {
    /// Nowhere: the file was moved or removed.
    Gone,
    /// To another file.
    Replaced,
}

impl OpenFile {
    /// The file that a name leads to, which has just been opened by that name. It is not opened once more: closing it would take
    /// SQLite's locks away.
    pub(super) fn of(path: &Path) -> io::Result<OpenFile> {
        let about = fs::metadata(path)?;
        let mut log = fs::canonicalize(path)?.into_os_string();
        log.push("-wal");
        Ok(OpenFile {
            path: path.to_path_buf(),
            log: log.into(),
            id: id(&about),
            told: AtomicBool::new(false),
            unsettled: AtomicBool::new(false),
            settling: Mutex::default(),
        })
    }

    /// Where the name leads instead; none where it leads to the file. It takes one call to the system.
    pub(super) fn strayed(&self) -> Option<Strayed> {
        let strayed = self.leads_elsewhere();
        match strayed {
            // Told once, by whoever sees it first.
            Some(strayed) if !self.told.swap(true, Ordering::Relaxed) => {
                self.unsettle();
                tracing::error!(
                    "{}: no change is taken until that very file is back under its name; to go on with another one, stop the \
                     host, put that one there, move {} and the -shm beside it away, and start again",
                    self.sentence(strayed),
                    self.log.display()
                );
            }
            None if self.told.load(Ordering::Relaxed) && self.told.swap(false, Ordering::Relaxed) => {
                // A file that has its name has its log.
                self.unsettled.store(false, Ordering::Relaxed);
                tracing::info!("the database {} is back: changes are taken again", self.path.display());
            }
            _ => {}
        }
        strayed
    }

    fn leads_elsewhere(&self) -> Option<Strayed> {
        match fs::metadata(&self.path) {
            Ok(about) if id(&about) == self.id => None,
            Ok(_) => Some(Strayed::Replaced),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Some(Strayed::Gone)
            }
            // A folder that cannot be looked into says nothing of the file.
            Err(_) => None,
        }
    }

    fn sentence(&self, strayed: Strayed) -> String {
        let path = self.path.display();
        match strayed {
            Strayed::Gone => {
                format!("the file of the database, {path}, was moved or removed while it is in use")
            }
            Strayed::Replaced => {
                format!("another file was put in the place of the database {path} while that is in use")
            }
        }
    }

    /// Says that the write-ahead log may hold something for a file that has lost its name.
    pub(super) fn unsettle(&self) {
        self.unsettled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// For whoever puts what the log holds into the file; none where nothing is in it. Waits for anybody who does so already.
    pub(super) async fn settle(&self) -> Option<Settling<'_>> {
        let failed = self.settling.lock().await;
        // Before it is done: what is written meanwhile is for the next time.
        self.unsettled.swap(false, Ordering::Relaxed).then_some(Settling { file: self, failed })
    }

    /// The same as an error of a statement.
    pub(super) fn error(&self, strayed: Strayed) -> Error {
        Error::Strayed(self.sentence(strayed))
    }
}

/// The turn of one who settles.
pub(super) struct Settling<'a> {
    file: &'a OpenFile,
    failed: MutexGuard<'a, String>,
}

impl Settling<'_> {
    /// What came of it.
    pub(super) fn end(mut self, done: Result<(), String>) {
        let (path, log) = (self.file.path.display(), self.file.log.display());
        match done {
            Ok(()) => {
                self.failed.clear();
                tracing::info!(
                    "everything that was written to the database {path} before it lost its name is in its file now, wherever \
                     that is: {log} holds nothing of it any more"
                );
            }
            Err(why) => {
                self.file.unsettle();
                // Tried again at every refusal, and told once.
                if *self.failed != why {
                    tracing::error!(
                        "{log} may still hold changes of the database that has lost its name, {path}, and they cannot be put \
                         into its file: {why}; this is tried again until the host ends. Until it works, keep the log: it belongs \
                         beside that file, under the same name with -wal at its end, and beside no other database"
                    );
                    *self.failed = why;
                }
            }
        }
    }
}

/// Device and number: what all names of one file have in common.
fn id(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}

/// Whether a statement changes nothing for certain. What is taken for a change although it is none is refused for no reason only
/// while the database's name leads elsewhere.
pub(super) fn only_reads(sql: &str) -> bool {
    let is_one_of = |word: &str, of: &[&str]| of.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    match words.next() {
        Some(word) if is_one_of(word, &["select"]) => true,
        // What it leads to comes later.
        Some(word) if is_one_of(word, &["with"]) => {
            !words.any(|word| is_one_of(word, &["insert", "update", "delete", "replace"]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_name_that_leads_elsewhere_is_noticed() {
        let folder = Scratch::new("open-file");
        fs::create_dir_all(folder.join("data")).unwrap();
        let (path, aside) = (folder.join("data/hub.db"), folder.join("aside.db"));
        fs::write(&path, "one").unwrap();
        let open = OpenFile::of(&path).unwrap();
        assert_eq!(open.strayed(), None);
        fs::rename(&path, &aside).unwrap();
        assert_eq!(open.strayed(), Some(Strayed::Gone));
        fs::copy(&aside, &path).unwrap();
        assert_eq!(open.strayed(), Some(Strayed::Replaced), "a copy is another file");
        fs::rename(&aside, &path).unwrap();
        assert_eq!(open.strayed(), None, "the file itself is back");
        // By the folder, and by a link.
        fs::rename(folder.join("data"), folder.join("moved")).unwrap();
        assert_eq!(open.strayed(), Some(Strayed::Gone));
        std::os::unix::fs::symlink("moved", folder.join("data")).unwrap();
        assert_eq!(open.strayed(), None);
        fs::remove_file(folder.join("data")).unwrap();
        fs::write(folder.join("data"), "").unwrap();
        assert_eq!(open.strayed(), Some(Strayed::Gone));
    }

    #[test]
    fn what_only_reads_is_told_from_what_may_change() {
        for sql in [
            "SELECT 1",
            "\n  select * FROM t",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "SELECT updated FROM t",
        ] {
            assert!(only_reads(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t VALUES (1) RETURNING id",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a RETURNING id",
            "with a as (select 1) delete from t",
            "PRAGMA user_version = 3",
            "VACUUM",
            "",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
