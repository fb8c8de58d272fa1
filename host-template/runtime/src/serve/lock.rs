//! What one host has for itself, for as long as it serves. The system takes every lock back when the process ends, however it
//! ends, so there is none of a process that is gone.
//!
//! - **The data folder** ([`DataLock`], `host.lock`). A host that hands over gives the lock to its successor: both hold the
//!   same one until the first lets go of it, and at no moment is it free.
//! - **A database that is a file** ([`DatabaseLock`]), which two data folders can name. The lock is on the file itself, so that
//!   every path to it, links of either kind too, leads to one lock: one byte of it, far beyond what SQLite locks and what a
//!   database ever has. It is a lock of an open file (`F_OFD_SETLK`), taken alone and then kept as one of several: nobody gets it
//!   alone while anybody has it, and a successor joins. SQLite's own locks are the process's, and all of them are gone once
//!   *any* descriptor of that file is closed; so this one is let go of without being closed, and closed after SQLite.
//! - **That runs may be under way** ([`RunsLock`], `runs.lock`): a host that has handed over has some left, and nobody may take
//!   them for those of a host that died.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hub_release::beneath;
use rustix::fs::OFlags;

use crate::fault::Fault;
use crate::settings::{HOLDER, beside, reason};

const NAME: &str = "host.lock";
const RUNS: &str = "runs.lock";
/// Longest such file.
const LONGEST: u64 = 8 << 10;
/// The byte of a database's file that is locked. SQLite locks at 2³⁰, and ends at 2⁴⁸.
const BYTE: libc::off_t = 1 << 60;
/// How long one may take to end that was told to a moment ago.
const ENDING: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(1) };

/// The data folder, taken for this process.
#[derive(Debug)]
pub(super) struct DataLock(File);

impl DataLock {
    /// Takes the folder, or what the predecessor had of it.
    pub(super) fn take(data: &Path, inherited: Option<OwnedFd>) -> Result<DataLock, Fault> {
        let path = data.join(NAME);
        let failed = |e: io::Error| unlockable(&path, &e);
        let mut file = own(&path).map_err(failed)?;
        if let Some(inherited) = inherited {
            let inherited = File::from(inherited);
            // Another folder's lock is none of this one.
            if id(&inherited).map_err(failed)? == id(&file).map_err(failed)? {
                return Ok(DataLock(inherited));
            }
        }
        if !soon(|| got(file.try_lock())).map_err(failed)? {
            return Err(taken(&mut file, data));
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

/// A database that is a file, taken for this process.
#[derive(Debug)]
pub(super) struct DatabaseLock {
    file: File,
    id: Id,
    holder: PathBuf,
    data: PathBuf,
}

impl DatabaseLock {
    /// Takes the file, which is made where it is missing; `handed` is what the predecessor calls the one that it has. None where
    /// the file cannot be had at all: SQLite, which comes next, says better why.
    pub(super) fn take(
        path: &Path,
        data: &Path,
        handed: Option<&str>,
    ) -> Result<Option<DatabaseLock>, Fault> {
        let failed = |e: io::Error| unlockable(path, &e);
        let file = match database(path) {
            Ok(file) => file,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                return Ok(None);
            }
            Err(e) => return Err(failed(e)),
        };
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Ok(None);
        }
        if about.nlink() > 1 {
            tracing::warn!(
                "the database {} has {} names (hard links): SQLite keeps what is not yet in the file by name, so use one name \
                 only, and make copies with `VACUUM INTO`",
                path.display(),
                about.nlink()
            );
        }
        let id = id(&file).map_err(failed)?;
        // Names of links end in different folders.
        let whole = path.canonicalize().map_err(failed)?;
        let holder = beside(&whole, HOLDER);
        let lock = DatabaseLock { file, id, holder, data: data.to_path_buf() };
        let joins = handed == Some(lock.name().as_str());
        let had = soon(|| Ok((joins || ofd(&lock.file, libc::F_WRLCK)?) && ofd(&lock.file, libc::F_RDLCK)?));
        match had {
            Ok(true) => {}
            Ok(false) => return Err(in_use(&whole, &lock.holder)),
            // Some sandboxes have their own idea of Linux.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)) => {
                tracing::warn!(
                    error = reason(&e),
                    "this system does not lock open files: see that no host with another data folder works with {}",
                    whole.display()
                );
                return Ok(None);
            }
            Err(e) => return Err(failed(e)),
        }
        if !joins {
            lock.sign();
        }
        Ok(Some(lock))
    }

    /// What it is called among hosts that hand over to each other: the same for every path to the file.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.id.0, self.id.1)
    }

    /// Writes down whose it is. Nothing but the sentence that refuses another host depends on it.
    pub(super) fn sign(&self) {
        let text = format!("{}\n{}\n", std::process::id(), self.data.display());
        let written = own(&self.holder).and_then(|file| {
            file.set_len(0)?;
            file.write_all_at(text.as_bytes(), 0)
        });
        if let Err(error) = written {
            tracing::warn!(
                error = reason(&error),
                "{} does not say which process works with the database",
                self.holder.display()
            );
        }
    }

    /// Lets others have it. The file stays open: closing it would take SQLite's locks away.
    pub(super) fn let_go(&self) {
        if let Err(error) = ofd(&self.file, libc::F_UNLCK) {
            tracing::warn!(error = reason(&error), "the database stays locked until this process ends");
        }
    }
}

/// That runs may be under way for this data folder.
#[derive(Debug)]
pub(super) struct RunsLock(#[expect(dead_code, reason = "held until it is dropped")] File);

impl RunsLock {
    /// Says so; and whether nobody else does. `joins` where somebody does for certain: a host that hands over.
    pub(super) fn take(data: &Path, joins: bool) -> Result<(RunsLock, bool), Fault> {
        let path = data.join(RUNS);
        let failed = |e: io::Error| unlockable(&path, &e);
        let file = own(&path).map_err(failed)?;
        let alone = !joins && soon(|| got(file.try_lock())).map_err(failed)?;
        if alone {
            // Nobody comes in between: the folder is this host's.
            file.unlock().map_err(failed)?;
        }
        file.lock_shared().map_err(failed)?;
        Ok((RunsLock(file), alone))
    }
}

/// Device and number of a file: what two names of one have in common.
type Id = (u64, u64);

fn id(file: &File) -> io::Result<Id> {
    file.metadata().map(|about| (about.dev(), about.ino()))
}

/// Opens a file of the host's own to lock it, and makes it where it is missing.
fn own(path: &Path) -> io::Result<File> {
    beneath::open_own(path, 0o600)
}

/// The same of a database, which may be a link.
fn database(path: &Path) -> io::Result<File> {
    // A pipe would be waited for.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    options.open(path)
}

/// Whether a lock was to be had.
fn got(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Tries until it is had, or whoever has it does not end within a moment.
fn soon(mut attempt: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        if attempt()? {
            return Ok(true);
        }
        if begun.elapsed() >= ENDING {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Changes this open file's lock on [`BYTE`]; false where others have one that does not go with it.
#[allow(unsafe_code)]
fn ofd(file: &File, kind: libc::c_int) -> io::Result<bool> {
    let narrow = |number: libc::c_int| libc::c_short::try_from(number).map_err(io::Error::other);
    // SAFETY: numbers alone, for which nothing is a value too.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (narrow(kind)?, narrow(libc::SEEK_SET)?);
    (lock.l_start, lock.l_len) = (BYTE, 1);
    // SAFETY: the descriptor is open, and the lock lives through the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

fn unlockable(path: &Path, error: &io::Error) -> Fault {
    Fault::machine(
        format!("cannot lock {}: {}", path.display(), reason(error)),
        "make it a file of the user that the host runs as, on a disk that knows locks",
    )
}

fn in_use(path: &Path, holder: &Path) -> Fault {
    let text = beneath::read(holder, LONGEST).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // Who it is is a courtesy: the refusal stands without it.
    let said = text.as_deref().ok().and_then(|text| text.trim_end().split_once('\n'));
    let named = said.and_then(|(pid, data)| Some((pid.parse::<u32>().ok()?, data)));
    let who = match named.filter(|(pid, _)| may_be_a_host(*pid)) {
        Some((pid, data)) => format!("process {pid}, which serves from the data folder {data},"),
        // It has only just begun, or has the file by a name in another folder; or the note came with a copy of that folder.
        None => "another process".to_owned(),
    };
    Fault::machine(
        format!("{who} works with the database {} already", path.display()),
        "stop that host first, or let DATABASE_URL of this one name another file (one host works with a SQLite file; several \
         hosts share a PostgreSQL database)",
    )
}

/// Whether a process that a note names is there, and may be a host: it has this program's name, or serves by its arguments. A number
/// may be another process's by now, and whoever reads it may end that one.
fn may_be_a_host(pid: u32) -> bool {
    let of = |process: &str, what: &str| fs::read(Path::new("/proc").join(process).join(what)).ok();
    let pid = pid.to_string();
    // One that cannot be looked at is not named: the refusal stands without it.
    let Some(name) = of(&pid, "comm") else { return false };
    let serves =
        || of(&pid, "cmdline").is_some_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"serve"));
    of("self", "comm").is_some_and(|own| own == name) || serves()
}

fn taken(file: &mut File, data: &Path) -> Fault {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    let who = match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) if may_be_a_host(pid) => format!("process {pid}"),
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
    use crate::scratch::Scratch;

    #[test]
    fn o5_one_process_has_it_until_it_ends_and_a_link_is_no_lock() {
        let folder = Scratch::new("lock");
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
    }

    #[test]
    fn o5_a_database_has_one_host_by_whatever_name() {
        let folder = Scratch::new("lock-db");
        for name in ["one", "two"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let (one, two) = (folder.join("one"), folder.join("two"));
        let file = one.join("hub.db");
        let first = DatabaseLock::take(&file, &one, None).unwrap().unwrap();
        std::os::unix::fs::symlink(&file, two.join("link.db")).unwrap();
        std::os::unix::fs::symlink(&one, folder.join("linked")).unwrap();
        std::fs::hard_link(&file, two.join("hard.db")).unwrap();
        let refused = |path: PathBuf| {
            let fault = DatabaseLock::take(&path, &two, None).unwrap_err();
            assert_eq!(fault.exit(), 3);
            fault.what().to_owned()
        };
        let whole = file.canonicalize().unwrap();
        let said = format!(
            "process {}, which serves from the data folder {}, works with the database {} already",
            std::process::id(),
            one.display(),
            whole.display()
        );
        for path in
            [file.clone(), two.join("link.db"), folder.join("linked/hub.db"), two.join("../one/./hub.db")]
        {
            assert_eq!(refused(path), said);
        }
        assert!(refused(two.join("hard.db")).starts_with("another process works with the database"));
        // Its successor joins; then nobody else gets it, whichever of the two goes first.
        let second = DatabaseLock::take(&file, &one, Some(&first.name())).unwrap().unwrap();
        assert_eq!(refused(two.join("link.db")), said);
        first.let_go();
        assert_eq!(refused(file.clone()), said);
        drop(second);
        // The file of one that has let go may still be open.
        drop(DatabaseLock::take(&two.join("hard.db"), &two, None).unwrap().unwrap());
        drop(first);
        // A note that came with a copy of the folder names a process that is gone: nobody is sent to end another one.
        let fourth = DatabaseLock::take(&file, &one, None).unwrap().unwrap();
        std::fs::write(&fourth.holder, "5000000\n/srv/hub\n").unwrap();
        assert!(refused(file.clone()).starts_with("another process works with the database"));
        drop(fourth);
        // The name of another one is no claim on this one.
        let third = DatabaseLock::take(&file, &one, Some("1:2")).unwrap().unwrap();
        refused(file.clone());
        drop(third);
        assert!(DatabaseLock::take(&folder.join("nowhere/hub.db"), &one, None).unwrap().is_none());
    }

    #[test]
    fn s13_a_host_that_has_handed_over_still_has_its_runs() {
        let folder = Scratch::new("lock-runs");
        let (first, alone) = RunsLock::take(&folder, false).unwrap();
        assert!(alone);
        let (second, alone) = RunsLock::take(&folder, true).unwrap();
        assert!(!alone);
        drop(second);
        assert!(!RunsLock::take(&folder, false).unwrap().1);
        drop(first);
        assert!(RunsLock::take(&folder, false).unwrap().1);
    }
}
