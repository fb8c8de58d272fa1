//! One host works on a data folder: `host.lock`, held for as long as the host serves. The system takes it back when the
//! process ends, however it ends, so there is no lock of a process that is gone.
//!
//! A host that hands over gives the lock to its successor: both hold the same one until the first lets go of it, and at no
//! moment is it free.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use crate::fault::Fault;
use crate::settings::reason;

const NAME: &str = "host.lock";
/// How long one may take to end that was told to a moment ago.
const ENDING: Duration = Duration::from_secs(1);

/// The data folder, taken for this process.
#[derive(Debug)]
pub(super) struct DataLock(File);

impl DataLock {
    /// Takes the folder, or what the predecessor had of it.
    pub(super) fn take(data: &Path, inherited: Option<OwnedFd>) -> Result<DataLock, Fault> {
        let path = data.join(NAME);
        let failed = |e: io::Error| {
            Fault::machine(
                format!("cannot lock the data folder, {}: {}", path.display(), reason(&e)),
                "make it a file of the user that the host runs as, on a disk that knows locks",
            )
        };
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let mut file = options.open(&path).map_err(failed)?;
        if let Some(inherited) = inherited {
            let inherited = File::from(inherited);
            let id = |file: &File| file.metadata().map(|about| (about.dev(), about.ino()));
            // Another folder's lock is none of this one.
            if id(&inherited).map_err(failed)? == id(&file).map_err(failed)? {
                return Ok(DataLock(inherited));
            }
        }
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < ENDING => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(taken(&mut file, data)),
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
        let lock = DataLock(file);
        lock.sign().map_err(failed)?;
        Ok(lock)
    }

    /// Writes down whose it is.
    pub(super) fn sign(&self) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
    }

    /// Its descriptor, for a successor.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn taken(file: &mut File, data: &Path) -> Fault {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    let who = match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        // It has only just begun.
        _ => "another process".to_owned(),
    };
    Fault::machine(
        format!("{who} serves from the data folder {} already", data.display()),
        "stop that host first, or give this one a data folder of its own: --data-dir DIR (several hosts share a PostgreSQL \
         database, never a data folder)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o5_one_process_has_it_until_it_ends_and_a_link_is_no_lock() {
        let folder = std::env::temp_dir().join(format!("hub-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = DataLock::take(&folder, None).unwrap();
        let refused = DataLock::take(&folder, None).unwrap_err();
        assert_eq!(refused.exit(), 3);
        assert!(refused.what().starts_with(&format!("process {} serves", std::process::id())), "{refused}");
        // Handed over, it stays taken when the first one lets go.
        let handed = first.0.try_clone().unwrap();
        let second = DataLock::take(&folder, Some(handed.into())).unwrap();
        drop(first);
        assert!(DataLock::take(&folder, None).is_err());
        drop(second);
        // What a process that is gone has written means nothing.
        drop(DataLock::take(&folder, None).unwrap());
        std::fs::remove_file(folder.join(NAME)).unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.join(NAME)).unwrap();
        assert!(DataLock::take(&folder, None).is_err());
        assert!(!folder.join("elsewhere").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
