//! Whether the write-ahead log beside a SQLite file is that file's. SQLite does not ask: it applies whatever log lies there, also
//! one that a killed host has left for a file that somebody has put aside or written over since, and ruins the new one with it.
//!
//! So whoever opens a file to write notes which file and which log belong together, in a file beside them ([`PAIR`]), by what a
//! copy never has in common with its original: number and time of birth. Of a file that was written over in
//! place its count of changes tells, and its time. A log that is none of the noted one's, as in a folder that was restored as a whole,
//! is nobody's concern here.

mod format;

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use format::{Applied, count, filled, follows};
use hub_release::beneath;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::io::Errno;

use super::Error;
use super::parts::PARTS;
use crate::settings::{PAIR, beside, reason};

/// Longest note, in bytes.
const LONGEST: u64 = 256;
/// Where the system says which of its starts this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A file as no copy of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    number: u64,
    /// Nanoseconds since 1970.
    born: i128,
}

/// Which log a file has: noted as `FILE LOG BOOT`, the first two `NUMBER@BIRTH`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    file: Identity,
    log: Identity,
    /// The start of the system in which they were opened; empty where it does not say.
    boot: String,
}

/// The log that SQLite keeps beside a file, which is no link.
pub(super) fn log_of(file: &Path) -> PathBuf {
    beside(file, "-wal")
}

/// Whether there is one with anything in it.
pub(super) fn has_log(file: &Path) -> bool {
    fs::metadata(log_of(file)).is_ok_and(|about| about.len() > 0)
}

/// What lies at a path where a file should, in words; none of a file, and of what is not there. A pipe would be waited for.
fn odd(path: &Path) -> Option<&'static str> {
    // What cannot be looked at SQLite tells.
    let kind = fs::metadata(path).ok()?.file_type();
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a folder"),
        kind if kind.is_fifo() => Some("a pipe"),
        kind if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

/// Refuses what is no file, and a file beside which the log of another one lies. To be asked before SQLite opens it; `file` may be a link.
pub(super) fn check(file: &Path) -> Result<(), Error> {
    // Where its folder cannot be looked into SQLite says so.
    let found = file.canonicalize().ok();
    let file = found.clone().unwrap_or_else(|| file.to_path_buf());
    for path in std::iter::once("").chain(PARTS).map(|part| beside(&file, part)) {
        if let Some(what) = odd(&path) {
            let path = path.display();
            return Err(Error::Refused(format!(
                "{path} is {what}, not a file: nothing was read from it or changed"
            )));
        }
    }
    if !has_log(&file) {
        return Ok(());
    }
    let log = log_of(&file);
    // SQLite removes a log beside a file of no bytes, also beside one that it has just made.
    let empty = match &found {
        Some(file) => fs::metadata(file).is_ok_and(|about| about.is_file() && about.len() == 0),
        None => true,
    };
    if empty {
        let how = if found.is_some() { "empty" } else { "not there" };
        let (file, log) = (file.display(), log.display());
        return Err(Error::ForeignLog(format!(
            "{log} holds changes of the database that was {file}, which is {how} now: SQLite would remove them, and \
             nothing was changed"
        )));
    }
    let (Some(noted), Some(is)) = (read(&file), pair(&file).map_err(sqlx::Error::Io)?) else { return Ok(()) };
    let refused = |how: &str| {
        let (file, log) = (file.display(), log.display());
        Err(Error::ForeignLog(format!(
            "{log} holds changes of the database that was {file} before {how}: with this file they would give a broken one, and \
             nothing was changed"
        )))
    };
    if noted.log != is.log {
        return Ok(());
    }
    if noted.file != is.file {
        return refused("another file was put in its place");
    }
    // After a power cut a file may be as old as the disk has it, which says nothing.
    if is.boot.is_empty() || noted.boot != is.boot {
        return Ok(());
    }
    match overwritten(&file, &log).map_err(sqlx::Error::Io)? {
        Some(Overwritten::Count { is, first, last }) => refused(&format!(
            "another one was written over it (which counts {is} changes, where the log goes on from {first} to {last})"
        )),
        Some(Overwritten::Time) => refused(
            "another one was written over it, or something else than SQLite made it younger than its log (`touch`)",
        ),
        None => Ok(()),
    }
}

/// Notes which log is the file's, once SQLite has both open.
pub(super) fn note(file: &Path) -> io::Result<()> {
    let file = file.canonicalize()?;
    let noted = beside(&file, PAIR);
    match pair(&file)? {
        Some(pair) if read(&file).as_ref() == Some(&pair) => Ok(()),
        Some(pair) => {
            let opened = beneath::open_own(&noted, 0o600)?;
            // Root's is the host's too, as SQLite does with the log itself.
            if rustix::process::geteuid().is_root() {
                let owner = fs::metadata(&file)?;
                fchown(&opened, Some(owner.uid()), Some(owner.gid()))?;
            }
            opened.set_len(0)?;
            opened.write_all_at(pair.text().as_bytes(), 0)
        }
        // Of no use, and never right again.
        None => match fs::remove_file(&noted) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        },
    }
}

/// What is noted; none where nothing is, or where it was cut off.
fn read(file: &Path) -> Option<Pair> {
    let noted = beside(file, PAIR);
    match beneath::read(&noted, LONGEST) {
        Ok(bytes) => Pair::of_text(std::str::from_utf8(&bytes).ok()?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(
                error = reason(&error),
                "{} cannot be read: whether the log beside the database is that file's is not known",
                noted.display()
            );
            None
        }
    }
}

impl Pair {
    fn text(&self) -> String {
        let Pair { file, log, boot } = self;
        format!("{}@{} {}@{} {boot}\n", file.number, file.born, log.number, log.born)
    }

    fn of_text(text: &str) -> Option<Pair> {
        let identity = |word: &str| {
            let (number, born) = word.split_once('@')?;
            Some(Identity { number: number.parse().ok()?, born: born.parse().ok()? })
        };
        let mut words = text.strip_suffix('\n')?.split(' ');
        let (file, log) = (identity(words.next()?)?, identity(words.next()?)?);
        Some(Pair { file, log, boot: words.next()?.to_owned() })
    }
}

/// The file and its log; none without a log, or on a disk that knows no times of birth.
fn pair(file: &Path) -> io::Result<Option<Pair>> {
    let identity = |path: &Path| match statx(CWD, path, AtFlags::empty(), StatxFlags::INO | StatxFlags::BTIME)
    {
        Ok(about) if StatxFlags::from_bits_retain(about.stx_mask).contains(StatxFlags::BTIME) => {
            let born =
                i128::from(about.stx_btime.tv_sec) * 1_000_000_000 + i128::from(about.stx_btime.tv_nsec);
            Ok(Some(Identity { number: about.stx_ino, born }))
        }
        // Old systems, and sandboxes, have no such call.
        Ok(_) | Err(Errno::NOENT | Errno::NOSYS) => Ok(None),
        Err(e) => Err(io::Error::from(e)),
    };
    let (Some(file), Some(log)) = (identity(file)?, identity(&log_of(file))?) else { return Ok(None) };
    // A sandbox may have no such file.
    let boot = fs::read_to_string(BOOT).map(|boot| boot.trim().to_owned()).unwrap_or_default();
    Ok(Some(Pair { file, log, boot }))
}

/// By what a file is known to have been written over since its log was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overwritten {
    /// It counts this many changes, where the log has the count go on from the first of these to the last.
    Count { is: u32, first: u32, last: u32 },
    /// It is younger than the log, and nothing of that is in it.
    Time,
}

/// Whether somebody has written over a file since its log was written, by what SQLite alone would have left:
///
/// - It changes the file only by moving pages of the log into it, each as the last transaction has left it; so a file that is
///   younger than its log has at least one of those.
/// - Its first page counts changes. Whoever writes that page to the log gives it one more than it had when it was read, and the log
///   begins anew only once all of it is in the file. So the file counts one less than the first such page of the log, as many as the
///   last, or something between. That holds whatever times a copy has; a log without that page says nothing.
///
/// To be asked only where this process has the file not open: closing it takes SQLite's locks away.
fn overwritten(file: &Path, log: &Path) -> io::Result<Option<Overwritten>> {
    let times = || io::Result::Ok((fs::metadata(file)?.modified()?, fs::metadata(log)?.modified()?));
    let before = times()?;
    let file = beneath::open(file)?;
    // Before the log is opened: what the file counts is then held against the log of that moment, or of a later one.
    let is = count(&file)?;
    let log = beneath::open(log)?;
    let Some(applied) = Applied::read(&log)? else { return Ok(None) };
    if let (Some(is), Some((first, last))) = (is, applied.counts)
        && !follows(is, first, last)
        // Whoever writes meanwhile has the two open together.
        && count(&file)? == Some(is)
        && applied.is_still(&log)?
    {
        return Ok(Some(Overwritten::Count { is, first, last }));
    }
    // A clock that was set back says nothing either.
    if before.0 <= before.1 || before.0 > SystemTime::now() {
        return Ok(None);
    }
    let Applied { size, pages, .. } = &applied;
    let (mut moved, mut has) = (vec![0; *size], vec![0; *size]);
    for (page, at) in pages {
        log.read_exact_at(&mut moved, *at)?;
        let place = u64::from(page.saturating_sub(1)) * *size as u64;
        // One that lies behind the file's end is none of its pages.
        if filled(&file, &mut has, place)? && has == moved {
            return Ok(None);
        }
    }
    // The same of whoever writes meanwhile.
    Ok((!pages.is_empty() && times()? == before).then_some(Overwritten::Time))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::format::COUNT;
    use super::*;
    use crate::db::Db;
    use crate::scratch::Scratch;

    /// O3: nothing waits for whoever would write into a pipe.
    #[tokio::test]
    async fn o3_what_is_no_file_is_no_database() {
        let folder = Scratch::new("no-file");
        fs::create_dir_all(folder.join("folder.db")).unwrap();
        let pipe = |name: &str| {
            let made = std::process::Command::new("mkfifo").arg(folder.join(name)).status().unwrap();
            assert!(made.success());
        };
        pipe("pipe.db");
        std::os::unix::fs::symlink("pipe.db", folder.join("link.db")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket.db")).unwrap();
        fs::write(folder.join("beside.db"), "").unwrap();
        pipe("beside.db-wal");
        for (name, want) in [
            ("folder.db", "folder.db is a folder, not a file"),
            ("pipe.db", "pipe.db is a pipe, not a file"),
            ("link.db", "pipe.db is a pipe, not a file"),
            ("socket.db", "socket.db is a socket, not a file"),
            ("beside.db", "beside.db-wal is a pipe, not a file"),
        ] {
            let file = folder.join(name);
            let opened = [
                Db::open_sqlite(&file).await,
                Db::open_unchanged(&file).await,
                Db::open_to_read(&file).await,
            ];
            for opened in opened {
                let said = opened.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(said.contains(want), "{name}: {said}");
            }
        }
    }

    /// A folder as a killed host leaves it: a file, its log with changes that are nowhere else, and which belongs to which.
    pub(super) struct Left {
        folder: Scratch,
        pub(super) file: PathBuf,
        backup: PathBuf,
        pub(super) db: Db,
    }

    impl Left {
        pub(super) async fn new(name: &str) -> Left {
            let folder = Scratch::new(&format!("pair-{name}"));
            let (file, backup) = (folder.join("hub.db"), folder.join("backup.db"));
            let db = Db::open_sqlite(&file).await.unwrap();
            db.execute("CREATE TABLE t (text TEXT)", Vec::new()).await.unwrap();
            let into = backup.display().to_string();
            db.execute("VACUUM INTO $1", crate::args![into]).await.unwrap();
            for _ in 0..200 {
                db.execute("INSERT INTO t VALUES (hex(randomblob(500)))", Vec::new()).await.unwrap();
            }
            assert!(has_log(&file));
            assert!(
                pair(&file).unwrap().is_some(),
                "the disk of {} knows no times of birth",
                folder.display()
            );
            Left { folder, file, backup, db }
        }

        /// What opening says. The pool stays open: closing it would settle the log, which a kill does not.
        async fn refused(&self) -> Option<String> {
            let why = match check(&self.file) {
                Ok(()) => return None,
                Err(error @ Error::ForeignLog(_)) => error.to_string(),
                Err(error) => panic!("{error}"),
            };
            let log = fs::read(log_of(&self.file)).unwrap();
            assert!(Db::open_sqlite(&self.file).await.is_err());
            assert!(Db::open_to_read(&self.file).await.is_err());
            assert!(Db::open_unchanged(&self.file).await.is_err());
            assert!(log == fs::read(log_of(&self.file)).unwrap(), "it is left as it is");
            Some(why)
        }
    }

    #[tokio::test]
    async fn a_log_is_refused_beside_any_file_but_its_own() {
        let left = Left::new("other").await;
        assert_eq!(left.refused().await, None);
        let aside = left.folder.join("aside.db");
        fs::rename(&left.file, &aside).unwrap();
        fs::copy(&left.backup, &left.file).unwrap();
        assert!(left.refused().await.is_some_and(|why| why.contains("another file was put in its place")));
        fs::rename(&left.backup, &left.file).unwrap();
        assert!(left.refused().await.is_some());
        // By a link as well.
        let link = left.folder.join("link.db");
        std::os::unix::fs::symlink("hub.db", &link).unwrap();
        assert!(matches!(check(&link), Err(Error::ForeignLog(_))));
        // The way out, and the way back.
        fs::rename(log_of(&left.file), left.folder.join("aside.db-wal")).unwrap();
        assert_eq!(left.refused().await, None);
        fs::rename(left.folder.join("aside.db-wal"), log_of(&left.file)).unwrap();
        fs::rename(&aside, &left.file).unwrap();
        assert_eq!(left.refused().await, None);
        drop(left.db);
    }

    #[tokio::test]
    async fn a_file_that_was_written_over_is_not_its_logs() {
        let left = Left::new("over").await;
        let whole = fs::read(&left.file).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::copy(&left.backup, &left.file).unwrap();
        let why = left.refused().await.unwrap();
        assert!(why.contains("another one was written over it"), "{why}");
        // One that SQLite has moved pages into, as far as it came.
        fs::write(&left.file, whole).unwrap();
        left.db.execute("PRAGMA wal_checkpoint(PASSIVE)", Vec::new()).await.unwrap();
        assert!(has_log(&left.file));
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        assert!(modified(&left.file) > modified(&log_of(&left.file)));
        assert_eq!(left.refused().await, None);
        drop(left.db);
    }

    /// `cp -p`, `rsync --inplace`: the copy is as old as it was, and has the number of the file that was there.
    #[tokio::test]
    async fn a_file_that_was_written_over_with_its_old_times_is_not_its_logs() {
        let left = Left::new("times").await;
        let (whole, log) = (fs::read(&left.file).unwrap(), log_of(&left.file));
        let is = count(&File::open(&left.file).unwrap()).unwrap().unwrap();
        let (first, last) = Applied::read(&File::open(&log).unwrap()).unwrap().unwrap().counts.unwrap();
        assert!(follows(is, first, last), "{is} {first} {last}");
        let old = SystemTime::now() - std::time::Duration::from_secs(9 * 60 * 60);
        let put = |count: u32| {
            let mut copy = fs::read(&left.backup).unwrap();
            copy[COUNT..COUNT + 4].copy_from_slice(&count.to_be_bytes());
            fs::write(&left.file, copy).unwrap();
            File::open(&left.file).unwrap().set_modified(old).unwrap();
        };
        for other in [first.wrapping_sub(2), first.wrapping_sub(9), last + 1, last + 999] {
            put(other);
            let why = left.refused().await.unwrap();
            assert!(
                why.contains("another one was written over it") && why.contains(&format!("counts {other} ")),
                "{why}"
            );
        }
        // The file itself is never refused, whatever its times are.
        fs::write(&left.file, whole).unwrap();
        File::open(&left.file).unwrap().set_modified(old).unwrap();
        assert_eq!(left.refused().await, None);
        drop(left.db);
    }

    /// SQLite would remove the log.
    #[tokio::test]
    async fn a_log_is_refused_beside_an_empty_file_and_beside_none() {
        let left = Left::new("empty").await;
        fs::remove_file(beside(&left.file, PAIR)).unwrap();
        fs::rename(&left.file, left.folder.join("aside.db")).unwrap();
        let refused = || check(&left.file).unwrap_err().to_string();
        assert!(refused().contains("which is not there now"), "{}", refused());
        assert!(Db::open_sqlite(&left.file).await.is_err() && !left.file.exists());
        fs::write(&left.file, "").unwrap();
        let why = left.refused().await.unwrap();
        assert!(why.contains("which is empty now"), "{why}");
        drop(left.db);
    }

    /// Another number, another birth: what was copied together belongs together.
    #[tokio::test]
    async fn a_folder_that_was_restored_as_a_whole_is_no_stranger() {
        let left = Left::new("whole").await;
        let copied = left.folder.join("copied");
        fs::create_dir_all(&copied).unwrap();
        // The log first, so that the file is the younger one.
        for suffix in ["-wal", "-pair", ""] {
            let name = format!("hub.db{suffix}");
            fs::copy(left.folder.join(&name), copied.join(&name)).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let db = Db::open_sqlite(&copied.join("hub.db")).await.unwrap();
        assert_eq!(db.value::<i64>("SELECT count(*) FROM t", Vec::new()).await.unwrap(), 200);
        db.close().await;
        drop(left.db);
    }

    #[test]
    fn a_note_that_was_cut_off_is_none() {
        let one = Identity { number: 7, born: 1_700_000_000_123_456_789 };
        let pair = Pair { file: one, log: Identity { number: 8, ..one }, boot: "4f2e".to_owned() };
        assert_eq!(Pair::of_text(&pair.text()), Some(pair.clone()));
        for cut in 0..pair.text().len() {
            assert_eq!(Pair::of_text(&pair.text()[..cut]), None, "{cut}");
        }
    }
}
