//! A folder for a copy of a SQLite file, which nobody else enters. And a copy with its log, for whoever reads where nothing can be
//! made beside the file itself: SQLite reads a log only with the help of one more file. Without the log it would read what is older,
//! or half of a change.

use std::fs::{self, DirBuilder, DirEntry, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;
use rustix::process::geteuid;

use super::Error;
use super::parts::{PARTS, about};
use crate::settings::{beside, reason};

/// What the folders of copies are called, with an identifier behind it.
const NAMED: &str = ".hub-read-";
/// What copies are called that a release of before made in the data folder, with the number of its process behind it.
const NAMED_BEFORE: &str = ".preflight-";
/// A copy in which nothing has changed for so long is no longer being made, and one that was made is open at once.
const LEFT: Duration = Duration::from_secs(60 * 60);

/// In a folder of its own, which goes with the value; one that a kill has left goes with the next copy.
pub(crate) struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        // A folder that stays is seen by whoever makes room in it; there is nobody to tell it to.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Copy {
    /// Makes an empty folder there, for nobody else to read: passwords will be in it, as hashes. Nobody can guess its name, and
    /// nothing that has it is taken or followed.
    pub(crate) fn begin(place: &Path) -> io::Result<Copy> {
        let folder = place.join(format!("{NAMED}{}", crate::new_id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Copy(folder))
    }

    /// Removes the copies that were left there, before room is looked for.
    pub(crate) fn sweep(place: &Path) {
        sweep(place, LEFT);
    }

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
        let seen = || {
            let marks = parts.iter().map(|part| {
                let path = beside(file, part);
                mark(&path).map_err(|e| cannot(format!("{}: {}", path.display(), reason(&e))))
            });
            marks.collect::<Result<Vec<_>, Error>>()
        };
        let before = seen()?;
        Copy::sweep(place);
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
        let copy = Copy::begin(place).map_err(|e| {
            let place = place.display();
            cannot(format!("{place} takes no folder ({}); name another one in TMPDIR", reason(&e)))
        })?;
        for (part, _) in parts.iter().zip(&before).filter(|(_, mark)| mark.is_some()) {
            let (from, to) = (beside(file, part), beside(&copy.file(), part));
            copied(&from, &to).map_err(|e| cannot(format!("{}: {}", from.display(), reason(&e))))?;
        }
        if seen()? != before {
            return Err(cannot("somebody writes to it meanwhile; try again".to_owned()));
        }
        Ok(copy)
    }

    /// Where the file is, or is to be; what belongs to it lies beside it.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("copy.db")
    }
}

/// Removes the copies that commands of this user have left there when they were killed: passwords are in them, as hashes.
fn sweep(place: &Path, after: Duration) {
    // Others write there too: one that cannot be listed takes no copy either, which is told.
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten().filter(|entry| is_left(entry, after)) {
        // Follows no link. What stays is seen by whoever makes room there, as above.
        let _ = fs::remove_dir_all(entry.path());
    }
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten().filter(|entry| is_left_before(entry, after)) {
        let _ = fs::remove_file(entry.path());
    }
}

/// Whether it is a copy of a release of before, or a part of one, whose process is gone and in which nothing has changed for so long.
fn is_left_before(entry: &DirEntry, after: Duration) -> bool {
    let name = entry.file_name();
    let rest = name.to_str().and_then(|name| name.strip_prefix(NAMED_BEFORE));
    let Some((process, part)) = rest.and_then(|rest| rest.split_once(".db")) else { return false };
    let is_part = ["", "-wal", "-shm", "-journal"].contains(&part);
    let Ok(process) = process.parse::<u32>() else { return false };
    // Whatever process has the number now: one more hour costs less than a copy that is in use.
    if !is_part || Path::new("/proc").join(process.to_string()).exists() {
        return false;
    }
    // Of the entry itself, not of what a link names.
    entry
        .metadata()
        .is_ok_and(|about| about.is_file() && about.uid() == geteuid().as_raw() && is_old(&about, after))
}

fn is_old(about: &Metadata, after: Duration) -> bool {
    about.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= after)
}

/// Whether it is a folder as this user's copies have, in which nothing has changed for so long.
fn is_left(entry: &DirEntry, after: Duration) -> bool {
    let name = entry.file_name();
    let id = name.to_str().and_then(|name| name.strip_prefix(NAMED));
    let is_named = id.is_some_and(|id| uuid::Uuid::parse_str(id).is_ok());
    if !is_named {
        return false;
    }
    // Of the entry itself, not of what a link names.
    let Ok(about) = entry.metadata() else { return false };
    let own = about.is_dir() && about.uid() == geteuid().as_raw() && about.mode() & 0o777 == 0o700;
    let is_old = |about: &Metadata| is_old(about, after);
    own && is_old(&about)
        && fs::read_dir(entry.path())
            .is_ok_and(|parts| parts.flatten().all(|part| part.metadata().is_ok_and(|about| is_old(&about))))
}

fn copied(from: &Path, to: &Path) -> io::Result<u64> {
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut File::open(from)?, &mut made)
}

/// Length, number, and when it was written to; none where it is not there.
fn mark(file: &Path) -> io::Result<Option<(u64, u64, i64, i64)>> {
    let of = |about: Metadata| (about.len(), about.ino(), about.mtime(), about.mtime_nsec());
    Ok(about(file)?.map(of))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::time::SystemTime;

    use super::*;
    use crate::scratch::Scratch;

    /// A command that is killed removes nothing itself.
    #[test]
    fn what_a_kill_has_left_goes_with_the_next_copy() {
        let folder = Scratch::new("copy-left");
        let (place, aside) = (folder.join("place"), folder.join("aside"));
        let make = |path: &Path| {
            DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
            fs::write(path.join("copy.db"), "hashes").unwrap();
        };
        let left = || {
            let path = place.join(format!("{NAMED}{}", crate::new_id()));
            make(&path);
            path
        };
        fs::create_dir_all(&place).unwrap();
        make(&aside);
        let file = folder.join("hub.db");
        fs::write(&file, "file").unwrap();
        let (old, working, young) = (left(), left(), left());
        let before = SystemTime::now() - LEFT * 2;
        for path in [old.join("copy.db"), old.clone(), working.clone()] {
            File::open(path).unwrap().set_modified(before).unwrap();
        }
        drop(Copy::into(&file, &place).unwrap());
        assert!(!old.exists(), "it was left, and is old");
        assert!(working.exists() && young.exists(), "somebody may be at work on it");
        // However old they are: what is no folder of a copy, what a link names, and what is another user's.
        let (link, named) = (place.join(format!("{NAMED}{}", crate::new_id())), place.join(".hub-read-mine"));
        symlink(&aside, &link).unwrap();
        make(&named);
        let mut kept = vec![aside.join("copy.db"), link, named];
        if geteuid().is_root() {
            let anothers = left();
            chown(&anothers, Some(54321), Some(54321)).unwrap();
            kept.push(anothers);
        }
        sweep(&place, Duration::ZERO);
        assert!(!working.exists() && !young.exists());
        for path in kept {
            assert!(path.symlink_metadata().is_ok(), "{}", path.display());
        }
    }

    /// S12: those of a release that copied into the data folder itself are as full of hashes.
    #[test]
    fn s12_what_a_release_of_before_has_left_goes_too() {
        let folder = Scratch::new("copy-before");
        fs::create_dir_all(&folder).unwrap();
        // No process has this number: the kernel's highest is 2^22.
        let gone = 5_000_000;
        let left = |name: String| {
            fs::write(folder.join(&name), "hashes").unwrap();
            folder.join(name)
        };
        let parts = ["", "-wal", "-shm", "-journal"];
        let old: Vec<PathBuf> = parts.map(|part| left(format!(".preflight-{gone}.db{part}"))).into();
        let running = left(format!(".preflight-{}.db", std::process::id()));
        let others = [".preflight-.db", ".preflight-x.db", ".preflight-5000000.db.kept"];
        let mut kept = others.map(|name| left(name.to_owned())).to_vec();
        kept.push(running);
        let link = folder.join(".preflight-5000001.db");
        symlink(&kept[0], &link).unwrap();
        kept.push(link);
        Copy::sweep(&folder);
        assert!(old.iter().all(|path| path.exists()), "somebody may be at work on it");
        sweep(&folder, Duration::ZERO);
        assert!(old.iter().all(|path| !path.exists()));
        assert!(kept.iter().all(|path| path.symlink_metadata().is_ok()));
    }

    #[test]
    fn a_copy_has_the_log_is_nobody_elses_to_read_and_goes() {
        let folder = Scratch::new("copy");
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
    }

    /// Without its log it would be what the file was before.
    #[test]
    fn a_file_whose_log_cannot_be_looked_at_is_not_copied() {
        let folder = Scratch::new("copy-closed");
        let file = folder.join("hub.db");
        fs::write(&file, "file").unwrap();
        symlink("hub.db-wal", beside(&file, "-wal")).unwrap();
        let error = Copy::into(&file, &folder).err().unwrap().to_string();
        assert!(error.contains("hub.db-wal: "), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left of a copy");
    }
}
