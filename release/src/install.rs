//! The install folder: all releases side by side, the marks on those that failed, and the link to the current one.
//!
//! Every change is one rename. What a kill leaves behind has a hidden name, is never started, and is swept by the next
//! command that holds the lock.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::archive::Checked;
use crate::beneath;
use crate::folder::{self, Looked, Unusable};
use crate::guard;
use crate::keys::Trusted;
use crate::problem::{Problem, reason};
use crate::remove;

/// Folder of the releases.
const RELEASES: &str = "releases";
/// Folder of the marks.
const FAILED: &str = "failed";
/// Folder of the public keys.
const KEYS: &str = "trusted-keys";
/// Largest mark that is read, in bytes. One that is larger marks its release all the same.
const MAX_MARK: u64 = 64 * 1024;
/// The link to the current release.
const CURRENT: &str = "current";

/// An install folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    root: PathBuf,
}

/// One release of an install folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub version: Version,
    /// Its folder.
    pub path: PathBuf,
}

/// Why a release is not to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its version.
    pub version: Version,
    /// When it was marked (RFC 3339).
    pub at: String,
    /// Why, in one sentence.
    pub why: String,
}

/// A release that was left out while one was looked for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its version.
    pub version: Version,
    /// Why, in one sentence.
    pub why: String,
    /// The same, for those who treat them differently.
    pub because: Because,
}

/// A part of an install folder that lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    /// The link.
    pub path: PathBuf,
    /// Where it leads.
    pub to: PathBuf,
    /// Whether anything is there.
    pub there: bool,
}

/// What kind of reason that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It is marked: somebody left it, or it did not serve.
    Marked,
    /// Its files are not as its list says.
    Damaged,
    /// It is signed by nobody who is trusted here.
    Untrusted,
    /// It lies in the folder of another version.
    Misnamed,
}

impl Because {
    /// As it is told of a release.
    pub fn told(self) -> &'static str {
        match self {
            Because::Marked => "is skipped",
            Because::Damaged => "is damaged and skipped",
            Because::Untrusted => "is not trusted here and skipped",
            Because::Misnamed => "lies under another version's name and is skipped",
        }
    }
}

/// The install folder while no other command changes it.
#[derive(Debug)]
pub struct Lock {
    install: Install,
    // The system takes the lock back when the process ends, however it ends.
    _file: File,
}

impl Install {
    /// The install folder `root`; nothing is looked at yet.
    pub fn at(root: impl Into<PathBuf>) -> Install {
        Install { root: root.into() }
    }

    /// The install folder that holds this unpacked release, where it lies in one.
    pub fn of_release(release: &Path) -> Option<Install> {
        let releases = release.parent()?;
        let named = releases.file_name().is_some_and(|name| name == RELEASES);
        named.then(|| releases.parent().map(Install::at)).flatten()
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a release by way of this folder, where it is one of its own: its releases may be a link to another disk.
    pub fn path_of(&self, release: &Path) -> Option<PathBuf> {
        let here = self.releases_dir().join(release.file_name()?);
        is_same(&here, release).then_some(here)
    }

    /// Where a release of this version lies, or would.
    pub fn release(&self, version: &Version) -> PathBuf {
        self.releases_dir().join(version.to_string())
    }

    /// Folder of the public keys that are trusted.
    pub fn keys_dir(&self) -> PathBuf {
        self.root.join(KEYS)
    }

    /// The launcher, outside of all releases.
    pub fn launcher(&self) -> PathBuf {
        self.root.join(crate::manifest::LAUNCHER)
    }

    /// Folder of the releases.
    pub fn releases_dir(&self) -> PathBuf {
        self.root.join(RELEASES)
    }

    /// What of the folder lies elsewhere: links that lead out of it, or nowhere.
    pub fn led_out(&self) -> Vec<Led> {
        let root = fs::canonicalize(&self.root);
        let of = |name: &&str| {
            let path = self.root.join(name);
            // What is no link, or not there, leads nowhere. A folder that cannot be looked into stops whoever works in it.
            let target = fs::read_link(&path).ok()?;
            match fs::canonicalize(&path) {
                Ok(to) if root.as_ref().is_ok_and(|root| to.starts_with(root)) => None,
                Ok(to) => Some(Led { path, to, there: true }),
                Err(_) => Some(Led { path, to: self.root.join(target), there: false }),
            }
        };
        guard::GUARDED.iter().filter_map(of).collect()
    }

    /// What is wrong with the link `current`, in one sentence; none where it leads to a release of this folder, and where there is
    /// no such link.
    pub fn astray(&self) -> Option<String> {
        let path = self.root.join(CURRENT);
        let shown = path.display();
        match fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(format!("{shown} cannot be looked at ({})", reason(&error))),
        }
        match (self.current(), fs::read_link(&path)) {
            (Some(_), _) => None,
            (None, Ok(target)) => {
                let to = fs::canonicalize(&path).unwrap_or(target);
                Some(format!("{shown} leads to {}, which is no release of this install folder", to.display()))
            }
            (None, Err(_)) => Some(format!("{shown} is no link to a release")),
        }
    }

    /// The public keys that are trusted.
    pub fn trusted(&self) -> Result<Trusted, Problem> {
        Trusted::read(&self.keys_dir())
    }

    /// The releases, the highest version first; whether they are whole is another question. Folders that are named like no
    /// version are nobody's business here.
    pub fn releases(&self) -> Result<Vec<Found>, Problem> {
        let entries = list(&self.releases_dir(), "list the releases in")?;
        let of_entry = |entry: &DirEntry| {
            let version = Version::parse(entry.file_name().to_str()?).ok()?;
            // One that is gone meanwhile, or of which the disk does not tell what it is, could not be started either.
            entry.file_type().ok()?.is_dir().then(|| Found { version, path: entry.path() })
        };
        let mut found: Vec<Found> = entries.iter().filter_map(of_entry).collect();
        found.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(found)
    }

    /// The version that the link `current` names. One that leads out of the folder names none of its releases, whatever it is
    /// called there.
    pub fn current(&self) -> Option<Version> {
        let path = self.root.join(CURRENT);
        // What is no link names none, and neither does one that cannot be read: [`Install::astray`] tells of both.
        let target = fs::read_link(&path).ok()?;
        let version = Version::parse(target.file_name()?.to_str()?).ok()?;
        let release = self.release(&version);
        // One that was removed is named all the same.
        let names = target == Path::new(RELEASES).join(version.to_string()) || is_same(&path, &release);
        (names && !release.is_symlink()).then_some(version)
    }

    /// The marks. One that cannot be read still marks its release.
    pub fn marks(&self) -> Result<BTreeMap<Version, Mark>, Problem> {
        let of_entry = |entry: &DirEntry| {
            let version = Version::parse(entry.file_name().to_str()?.strip_suffix(".json")?).ok()?;
            let path = entry.path();
            let read =
                beneath::read(&path, MAX_MARK).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let mark = read.unwrap_or_else(|| Mark {
                version: version.clone(),
                at: String::new(),
                why: format!("{} cannot be read", path.display()),
            });
            Some((version, mark))
        };
        Ok(list(&self.root.join(FAILED), "read the marks in")?.iter().filter_map(of_entry).collect())
    }

    /// The release to start: the highest one that is whole, signed where signatures are required, and not marked. Those
    /// that are passed over are told to `skipped`.
    pub fn choose(&self, skipped: &mut dyn FnMut(Skipped)) -> Result<Option<(Found, Looked)>, Problem> {
        self.choose_below(None, skipped)
    }

    /// Whether this release would be started if nothing but marks kept it from that.
    pub fn is_whole(&self, version: &Version) -> Result<bool, Problem> {
        let found = Found { version: version.clone(), path: self.release(version) };
        Ok(whole(&found, &self.trusted()?).is_ok())
    }

    /// The same among the releases below `limit`.
    pub fn choose_below(
        &self,
        limit: Option<&Version>,
        skipped: &mut dyn FnMut(Skipped),
    ) -> Result<Option<(Found, Looked)>, Problem> {
        let (marks, trusted) = (self.marks()?, self.trusted()?);
        for found in self.releases()? {
            if limit.is_some_and(|limit| found.version >= *limit) {
                continue;
            }
            let mut skip = |because, why| skipped(Skipped { version: found.version.clone(), why, because });
            if let Some(mark) = marks.get(&found.version) {
                skip(Because::Marked, format!("it is marked: {}", mark.why));
                continue;
            }
            match whole(&found, &trusted) {
                Ok(looked) => return Ok(Some((found, looked))),
                Err(Unusable::Damaged(why)) => skip(Because::Damaged, why),
                Err(Unusable::Untrusted(why)) => skip(Because::Untrusted, why),
                Err(Unusable::Misnamed(why)) => skip(Because::Misnamed, why),
            }
        }
        Ok(None)
    }

    /// Points `current` to a release, by one rename. Needs no lock: whoever does it last is right.
    pub fn switch(&self, version: &Version) -> Result<(), Problem> {
        self.link(CURRENT, &format!("{RELEASES}/{version}"))
    }

    /// Makes a link in the install folder, in place of what has that name unless it is a folder.
    pub fn link(&self, name: &str, target: &str) -> Result<(), Problem> {
        let path = self.root.join(name);
        let failed = |error: io::Error| Problem::io("make the link", &path, &error);
        if fs::read_link(&path).is_ok_and(|now| now == Path::new(target)) {
            return Ok(());
        }
        let next = self.root.join(format!(".{name}.{}", std::process::id()));
        // Where a kill has left one that cannot be removed, making the link fails.
        let _ = fs::remove_file(&next);
        symlink(target, &next).map_err(failed)?;
        fs::rename(&next, &path).map_err(|error| {
            // Told is why the name was not taken; what stays has a hidden name, and the next link takes its place.
            let _ = fs::remove_file(&next);
            failed(error)
        })?;
        sync(&self.root)
    }

    /// Takes the install folder for this process. An error says that another command has it, or that root would trust what
    /// others may change.
    pub fn lock(&self) -> Result<Lock, Problem> {
        guard::trusted_by_root(&self.root)?;
        fs::create_dir_all(&self.root).map_err(|error| Problem::io("make", &self.root, &error))?;
        let path = self.root.join(".lock");
        let failed = |error: &io::Error| Problem::io("lock", &path, error);
        let file = beneath::open_own(&path, 0o644).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => Problem {
                kind: crate::Kind::Machine,
                what: format!("cannot lock {}: {error}", path.display()),
                help: format!(
                    "see who put it there, remove it (rm -r {}), and run the command again: it makes the file anew",
                    guard::quoted(&path)
                ),
            },
            _ => failed(&error),
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { install: self.clone(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(Problem {
                kind: crate::Kind::Machine,
                what: format!("another command is changing {} right now", self.root.display()),
                help: "wait until that setup, upgrade or rollback has ended, and run this one again"
                    .to_string(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }
}

/// Whether two paths lead to the same.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// What lies in a folder; one that is not there holds nothing, and one that is out of reach may hold anything.
fn list(folder: &Path, doing: &str) -> Result<Vec<DirEntry>, Problem> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let gone = beneath::dangling(folder);
            return gone.map_or(Ok(Vec::new()), |gone| Err(Problem::io(doing, folder, &gone)));
        }
        entries => entries.and_then(Iterator::collect),
    };
    entries.map_err(|error| Problem::io(doing, folder, &error))
}

/// Whether a release is whole, and may be started here.
fn whole(found: &Found, trusted: &Trusted) -> Result<Looked, Unusable> {
    let looked = folder::check_installed(&found.path, trusted)?;
    match looked.damage() {
        None => Ok(looked),
        Some(damage) => Err(Unusable::Damaged(damage)),
    }
}

impl Lock {
    /// Removes what killed commands left: half-unpacked and half-removed releases, links that were not renamed.
    pub fn sweep(&self) -> Result<(), Problem> {
        let hidden = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries
                .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
                .map(|entry| entry.path())
                .collect()
        };
        for path in hidden(&self.install.releases_dir()) {
            remove::all(&path)?;
        }
        let links = hidden(&self.install.root).into_iter().filter(|path| path.is_symlink());
        for path in links.chain(hidden(&self.install.root.join(FAILED))) {
            // What stays is in nobody's way: its name is hidden.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Unpacks a checked release under a hidden name; gives the folder.
    pub fn unpack(&self, checked: &Checked, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, Problem> {
        let folder = self.hidden(&checked.manifest.version, "new");
        let above = self.install.releases_dir();
        fs::create_dir_all(&above).map_err(|error| Problem::io("make", &above, &error))?;
        remove::all(&folder)?;
        checked.unpack(&folder, progress).inspect_err(|_| {
            // A disk that is full should not stay so for our sake.
            let _ = fs::remove_dir_all(&folder);
        })?;
        Ok(folder)
    }

    /// Gives an unpacked release its name. From now on the launcher starts it, if it is the highest.
    pub fn place(&self, folder: &Path, version: &Version) -> Result<(), Problem> {
        let place = self.install.release(version);
        if place.exists() {
            remove::whole(&place, &self.hidden(version, "old"))?;
        }
        fs::rename(folder, &place).map_err(|error| Problem::io("make", &place, &error))?;
        sync(&self.install.releases_dir())
    }

    /// Makes a whole release the one that is started: it bears no mark, and every higher one does, for the reason that `why`
    /// gives. In this order: a kill in between leaves this release, or a higher one, to be started. Gives those that got a
    /// mark.
    pub fn prefer(
        &self,
        version: &Version,
        at: &str,
        why: &dyn Fn(&Version) -> String,
    ) -> Result<Vec<Version>, Problem> {
        self.unmark(version)?;
        let marks = self.install.marks()?;
        let mut marked = Vec::new();
        // The highest last: until the last mark is made, a kill leaves the one that was started before, or this one.
        for found in self.install.releases()?.into_iter().rev() {
            if found.version > *version && !marks.contains_key(&found.version) {
                let mark =
                    Mark { version: found.version.clone(), at: at.to_owned(), why: why(&found.version) };
                self.mark(&mark)?;
                marked.push(found.version);
            }
        }
        Ok(marked)
    }

    /// Marks a release: it is not started again.
    pub fn mark(&self, mark: &Mark) -> Result<(), Problem> {
        let folder = self.install.root.join(FAILED);
        fs::create_dir_all(&folder).map_err(|error| Problem::io("make", &folder, &error))?;
        let text = serde_json::to_vec_pretty(mark).unwrap_or_default();
        write(&folder.join(format!("{}.json", mark.version)), &text, 0o644)
    }

    /// Takes the mark away, if there is one.
    pub fn unmark(&self, version: &Version) -> Result<(), Problem> {
        let folder = self.install.root.join(FAILED);
        let path = folder.join(format!("{version}.json"));
        match fs::remove_file(&path) {
            Ok(()) => sync(&folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Problem::io("remove", &path, &error)),
        }
    }

    /// Removes all but the `keep` highest releases; the current one and the highest whole one below it stay whatever they
    /// are. Gives the versions removed.
    pub fn prune(&self, keep: usize) -> Result<Vec<Version>, Problem> {
        let current = self.install.current();
        let before = match &current {
            Some(current) => self.install.choose_below(Some(current), &mut |_| {})?,
            None => None,
        };
        let before = before.map(|(found, _)| found.version);
        let mut removed = Vec::new();
        for found in self.install.releases()?.into_iter().skip(keep.max(1)) {
            if Some(&found.version) == current.as_ref() || Some(&found.version) == before.as_ref() {
                continue;
            }
            remove::whole(&found.path, &self.hidden(&found.version, "gone"))?;
            removed.push(found.version);
        }
        Ok(removed)
    }

    fn hidden(&self, version: &Version, what: &str) -> PathBuf {
        self.install.releases_dir().join(format!(".{version}.{what}.{}", std::process::id()))
    }
}

/// Writes a file beside its place and renames it there, all of it on the disk before the name is.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Problem> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let failed = |error: io::Error| Problem::io("write", path, &error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let next = path.with_file_name(format!(".{name}.{}", std::process::id()));
    // Where a kill has left one that cannot be removed, making the file fails.
    let _ = fs::remove_file(&next);
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&next)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&next, path)
    })();
    if let Err(error) = written {
        // As above: told is what went wrong first.
        let _ = fs::remove_file(&next);
        return Err(failed(error));
    }
    sync(path.parent().unwrap_or(Path::new("/")))
}

/// Waits until a folder's names are on the disk.
fn sync(folder: &Path) -> Result<(), Problem> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Problem::io("write", folder, &error))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::scratch::Scratch;

    fn scratch(name: &str) -> (Scratch, Install) {
        let root = Scratch::new(&format!("install-{name}"));
        for folder in ["opt/releases/1.0.0", "big/releases/1.0.0", "big/2.0.0"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let install = Install::at(root.join("opt"));
        (root, install)
    }

    /// S9: what has the name of a release somewhere else is none of this folder's.
    #[test]
    fn s9_current_is_a_release_of_this_folder_or_none() {
        let (at, install) = scratch("current");
        let link = install.root().join(CURRENT);
        let leads = |target: &Path| {
            let _ = fs::remove_file(&link);
            symlink(target, &link).unwrap();
            (install.current().map(|version| version.to_string()), install.astray())
        };
        assert_eq!((install.current(), install.astray()), (None, None));
        fs::write(at.join("file"), "").unwrap();
        let unseen = Install::at(at.join("file")).astray();
        assert!(unseen.is_some_and(|why| why.contains("cannot be looked at")), "it may lead anywhere");
        let one = Some("1.0.0".to_owned());
        for target in ["releases/1.0.0", "./releases/1.0.0", "../opt/releases/1.0.0"] {
            assert_eq!(leads(Path::new(target)), (one.clone(), None), "{target}");
        }
        assert_eq!(leads(&at.join("opt/releases/1.0.0")), (one.clone(), None));
        // Removed since, and named all the same.
        assert_eq!(leads(Path::new("releases/0.1.0")), (Some("0.1.0".to_owned()), None));
        for target in ["../big/releases/1.0.0", "../big/2.0.0", "/nowhere/1.0.0"] {
            let (current, astray) = leads(Path::new(target));
            assert!(
                current.is_none() && astray.unwrap().contains("is no release of this install folder"),
                "{target}"
            );
        }
        // One that is put right is a release again.
        install.switch(&Version::new(1, 0, 0)).unwrap();
        assert_eq!((install.current(), install.astray()), (Some(Version::new(1, 0, 0)), None));
        // A release that is a link is started by nobody.
        symlink(at.join("big/2.0.0"), install.release(&Version::new(2, 0, 0))).unwrap();
        assert_eq!(leads(Path::new("releases/2.0.0")).0, None);
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        assert!(install.current().is_none() && install.astray().unwrap().contains("is no link"));
    }

    /// Releases on another disk are as good as here, and are told; on a disk that is not there they are out of reach.
    #[test]
    fn s9_parts_that_are_links_are_followed_and_told() {
        let (at, install) = scratch("led");
        assert_eq!(install.led_out(), []);
        let version = Version::new(1, 0, 0);
        fs::remove_dir_all(install.releases_dir()).unwrap();
        symlink(at.join("big/releases"), install.releases_dir()).unwrap();
        install.switch(&version).unwrap();
        assert_eq!((install.current(), install.astray()), (Some(version.clone()), None));
        let there = fs::canonicalize(at.join("big/releases")).unwrap();
        assert_eq!(install.led_out(), [Led { path: install.releases_dir(), to: there.clone(), there: true }]);
        assert_eq!(install.path_of(&there.join("1.0.0")), Some(install.release(&version)));
        assert_eq!(install.path_of(&at.join("big/2.0.0")), None);
        for name in [KEYS, FAILED] {
            symlink("/nowhere/at/all", install.root().join(name)).unwrap();
        }
        assert!(install.led_out().iter().filter(|led| !led.there).count() == 2);
        // Keys and marks that are out of reach are not as if there were none.
        for problem in [install.trusted().unwrap_err(), install.marks().unwrap_err()] {
            assert!(problem.what.contains("a link to /nowhere/at/all, which is not there"), "{problem}");
        }
        fs::remove_file(install.releases_dir()).unwrap();
        symlink("/nowhere", install.releases_dir()).unwrap();
        assert!(install.releases().unwrap_err().what.contains("which is not there"));
    }

    /// Whatever lies in the place of the lock, nobody waits for it and nothing is made elsewhere.
    #[test]
    fn a_lock_that_is_no_file_is_told() {
        let (at, install) = scratch("lock");
        let lock = install.root().join(".lock");
        let told = |what: &str| {
            let problem = install.lock().unwrap_err();
            assert!(problem.what.contains(what) && problem.help.contains("rm -r "), "{problem}");
            let _ = fs::remove_file(&lock).or_else(|_| fs::remove_dir(&lock));
        };
        assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
        told("it is not a regular file");
        fs::create_dir(&lock).unwrap();
        told("it is not a regular file");
        symlink(at.join("elsewhere"), &lock).unwrap();
        told("it is a link");
        assert!(!at.join("elsewhere").exists());
        drop(install.lock().unwrap());
        drop(install.lock().unwrap());
    }
}
