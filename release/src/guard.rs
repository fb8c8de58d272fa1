//! Who may change an install folder. Its launcher, its releases and the restart command in it are run by root, so whoever may
//! exchange one of them is root as well.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::problem::{Kind, Problem};

/// What of an install folder is run, or decides what is run. Other entries (a data folder, for one) are not looked at.
pub(crate) const GUARDED: [&str; 5] = ["bin", "failed", NOTES, "releases", "trusted-keys"];
/// What `setup` has noted.
const NOTES: &str = "install.json";
/// Most that is told of one folder.
const TOLD: usize = 3;
/// The bit of a folder in which nobody removes or renames what is another's.
const STICKY: u32 = 0o1000;

/// One entry that somebody may change who should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// The entry.
    pub path: PathBuf,
    /// Who may.
    pub who: Who,
}

/// Who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The user who owns it.
    Owner(u32),
    /// A user whom its access control list names.
    User(u32),
    /// The members of a group: its own, or one of its access control list.
    Group(u32),
    /// Everybody on the machine.
    Everybody,
}

impl fmt::Display for Loose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.who {
            Who::Owner(uid) => write!(f, "{path} belongs to user {uid}"),
            Who::User(uid) => write!(f, "user {uid} may write to {path}, by its access control list"),
            Who::Group(gid) => write!(f, "group {gid} may write to {path}"),
            Who::Everybody => write!(f, "everybody may write to {path}"),
        }
    }
}

/// Who runs what lies in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Root does: only root may change it.
    Root,
    /// Whoever owns the folder; where that is root, it is as above.
    Owner,
}

/// Whom a folder may belong to, besides root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Judge {
    uid: u32,
}

impl Judge {
    /// Nobody but root may change what root runs. What somebody else runs is their own or root's, and a group may share it:
    /// many machines make folders so.
    fn who(self, path: &Path, about: &Metadata) -> Option<Who> {
        let (uid, gid, mode) = (about.uid(), about.gid(), about.mode());
        if uid != 0 && uid != self.uid {
            return Some(Who::Owner(uid));
        }
        if mode & 0o002 != 0 {
            return Some(Who::Everybody);
        }
        if self.uid != 0 || mode & 0o020 == 0 {
            return None;
        }
        match acl::writers(path) {
            // The bits of the group are then only the most that the list may give.
            Some(writers) => writers.into_iter().find_map(|writer| match writer {
                acl::Writer::User(uid) => (uid != 0).then_some(Who::User(uid)),
                acl::Writer::Unknown => Some(Who::Everybody),
                acl::Writer::Group(id) => Some(id.unwrap_or(gid)).filter(|gid| *gid != 0).map(Who::Group),
            }),
            None => (gid != 0).then_some(Who::Group(gid)),
        }
    }

    /// The same of a folder in which only what is judged by itself counts: others may add to one like `/tmp`, and not
    /// exchange what is there.
    fn who_around(self, path: &Path, about: &Metadata) -> Option<Who> {
        let sticky = about.mode() & STICKY != 0;
        self.who(path, about).filter(|who| matches!(who, Who::Owner(_)) || !sticky)
    }

    /// The entry itself, and where it is a folder all that lies in it; of a link what it leads to, and all folders on the
    /// way there.
    fn look(self, path: &Path, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<Loose>) -> Result<(), Problem> {
        let Some(about) = there(fs::symlink_metadata(path), path)? else { return Ok(()) };
        if about.is_symlink() {
            // One that leads nowhere is read by nobody.
            let Some(target) = there(fs::canonicalize(path), path)? else { return Ok(()) };
            self.around(&target, found)?;
            return match seen.insert(target.clone()) {
                true => self.look(&target, seen, found),
                false => Ok(()),
            };
        }
        if let Some(who) = self.who(path, &about) {
            found.push(Loose { path: path.to_path_buf(), who });
        }
        if !about.is_dir() {
            return Ok(());
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|error| Problem::io("look at", path, &error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        entries.iter().try_for_each(|entry| self.look(&entry.path(), seen, found))
    }

    /// The folders above a path.
    fn around(self, path: &Path, found: &mut Vec<Loose>) -> Result<(), Problem> {
        for folder in path.ancestors().skip(1) {
            if let Some(about) = there(fs::metadata(folder), folder)?
                && let Some(who) = self.who_around(folder, &about)
                && !found.iter().any(|other| other.path == folder)
            {
                found.push(Loose { path: folder.to_path_buf(), who });
            }
        }
        Ok(())
    }

    fn install(self, root: &Path) -> Result<Vec<Loose>, Problem> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let Some(about) = there(fs::metadata(root), root)? else { return Ok(found) };
        // Of the folder itself only whoever may exchange what lies in it counts.
        found.extend(self.who_around(root, &about).map(|who| Loose { path: root.to_path_buf(), who }));
        GUARDED.iter().try_for_each(|name| self.look(&root.join(name), &mut seen, &mut found))?;
        Ok(found)
    }
}

fn there<T>(looked: io::Result<T>, path: &Path) -> Result<Option<T>, Problem> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::io("look at", path, &error)),
    }
}

/// What in an install folder somebody may change who should not.
pub fn loose(root: &Path, runs: Runs) -> Result<Vec<Loose>, Problem> {
    match there(fs::metadata(root), root)? {
        Some(about) => judge(&about, runs).install(root),
        None => Ok(Vec::new()),
    }
}

fn judge(about: &Metadata, runs: Runs) -> Judge {
    match runs {
        Runs::Owner if !geteuid().is_root() => Judge { uid: about.uid() },
        Runs::Root | Runs::Owner => Judge { uid: 0 },
    }
}

/// The folders above an install folder in which another user may put one of their own into its place.
pub fn above(root: &Path, runs: Runs) -> Result<Vec<Loose>, Problem> {
    let mut found = Vec::new();
    let Some(about) = there(fs::metadata(root), root)? else { return Ok(found) };
    let judge = judge(&about, runs);
    let failed = |error: io::Error| Problem::io("look at", root, &error);
    // As it is written, and where that leads.
    judge.around(&std::path::absolute(root).map_err(failed)?, &mut found)?;
    judge.around(&fs::canonicalize(root).map_err(failed)?, &mut found)?;
    Ok(found)
}

/// Sees that root may trust an install folder. Nothing is asked of other users, who run only what they may anyway.
pub fn trusted_by_root(root: &Path) -> Result<(), Problem> {
    match is_root_among_others() {
        true => refused(root, Runs::Root, &loose(root, Runs::Root)?),
        false => Ok(()),
    }
}

/// The same of what `setup` has noted there alone, which says where root works.
pub fn notes_trusted_by_root(root: &Path) -> Result<(), Problem> {
    let notes = root.join(NOTES);
    if !is_root_among_others() || there(fs::symlink_metadata(&notes), &notes)?.is_none() {
        return Ok(());
    }
    let (judge, mut found) = (Judge { uid: 0 }, Vec::new());
    if let Some(about) = there(fs::metadata(root), root)? {
        found.extend(judge.who_around(root, &about).map(|who| Loose { path: root.to_path_buf(), who }));
    }
    judge.look(&notes, &mut BTreeSet::new(), &mut found)?;
    refused(root, Runs::Root, &found)
}

/// Whether this process is root's on a machine that others live on too. The first process of a container is root among nobody
/// else.
fn is_root_among_others() -> bool {
    geteuid().is_root() && std::process::id() != 1
}

/// What is wrong, as one problem.
pub fn refused(root: &Path, runs: Runs, found: &[Loose]) -> Result<(), Problem> {
    if found.is_empty() {
        return Ok(());
    }
    let mut what: Vec<String> = found.iter().take(TOLD).map(ToString::to_string).collect();
    if let more @ 1.. = found.len().saturating_sub(TOLD) {
        what.push(format!("and {more} more"));
    }
    let owner = fs::metadata(root).map_or(0, |about| judge(&about, runs).uid);
    let (owner, whose) = match owner {
        0 => ("root:root".to_owned(), "root runs"),
        uid => (uid.to_string(), "is run here"),
    };
    // By where they lie: chown and chmod take a link for what it leads to, and nothing in that.
    let place = |path: PathBuf| match path.is_symlink() {
        true => fs::canonicalize(&path).unwrap_or(path),
        false => path,
    };
    let parts: Vec<PathBuf> =
        GUARDED.iter().map(|name| root.join(name)).filter(|path| path.exists()).map(place).collect();
    // The folder itself, and those on the way to what a link leads to: of them alone, and of nothing else in them.
    let around: Vec<String> = found
        .iter()
        .filter(|loose| !parts.iter().any(|part| loose.path.starts_with(part)))
        .map(|loose| quoted(&loose.path))
        .map(|path| format!("chown {owner} {path} && chmod go-w {path} && "))
        .collect();
    let (around, parts) =
        (around.concat(), parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" "));
    Err(Problem {
        kind: Kind::Machine,
        what: format!("{}: whoever can change that decides what {whose}", what.join(", ")),
        help: format!(
            "see who did it, close it ({around}chown -R {owner} {parts} && chmod -R go-w {parts}; setfacl -bR takes access control \
             lists away), and see whether the releases are whole: hub-platform verify"
        ),
    })
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    match text.contains(|c: char| !(c.is_alphanumeric() || "/._-+@:".contains(c))) {
        true => format!("'{}'", text.replace('\'', "'\\''")),
        false => text,
    }
}

/// POSIX access control lists, as the kernel keeps them (linux/posix_acl_xattr.h).
mod acl {
    use std::path::Path;

    use rustix::io::Errno;

    /// The version that there is.
    const VERSION: u32 = 2;
    const WRITE: u16 = 2;
    const USER: u16 = 0x02;
    const GROUP_OBJ: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;

    /// Whom a list lets write, besides the owner and everybody.
    pub(super) enum Writer {
        User(u32),
        /// None is the entry's own.
        Group(Option<u32>),
        /// The list cannot be read, so it may be anybody.
        Unknown,
    }

    /// Those whom an entry's list lets write; none where it has no list, or its disk knows none.
    pub(super) fn writers(path: &Path) -> Option<Vec<Writer>> {
        // The largest attribute that Linux knows.
        let mut list = vec![0; 64 << 10];
        match rustix::fs::getxattr(path, "system.posix_acl_access", list.as_mut_slice()) {
            Ok(length) => Some(list.get(..length).and_then(parse).unwrap_or_else(|| vec![Writer::Unknown])),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => None,
            Err(_) => Some(vec![Writer::Unknown]),
        }
    }

    pub(super) fn parse(list: &[u8]) -> Option<Vec<Writer>> {
        let (head, entries) = list.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*head) != VERSION {
            return None;
        }
        let entries: Vec<(u16, u16, u32)> = entries
            .chunks_exact(8)
            .filter_map(|entry| {
                let [a, b, c, d, id @ ..] = *entry.first_chunk::<8>()?;
                Some((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]), u32::from_le_bytes(id)))
            })
            .collect();
        let most = entries.iter().find(|(tag, ..)| *tag == MASK).map_or(WRITE, |(_, allowed, _)| *allowed);
        let writers = entries.iter().filter(|(_, allowed, _)| allowed & most & WRITE != 0);
        Some(
            writers
                .filter_map(|(tag, _, id)| match *tag {
                    USER => Some(Writer::User(*id)),
                    GROUP_OBJ => Some(Writer::Group(None)),
                    GROUP => Some(Writer::Group(Some(*id))),
                    _ => None,
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;
    use crate::scratch::Scratch;

    /// An install folder as `setup` leaves it.
    fn install(name: &str) -> Scratch {
        let root = Scratch::new(&format!("guard-{name}"));
        for folder in ["bin", "failed", "releases/1.0.0/web", "trusted-keys", "data/plugins"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in
            ["bin/hub-launch", "install.json", "releases/1.0.0/web/index.html", "trusted-keys/vendor.pub"]
        {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("releases/1.0.0", root.join("current")).unwrap();
        open(&root, 0o755);
        for folder in ["bin", "failed", "releases", "releases/1.0.0", "releases/1.0.0/web", "trusted-keys"] {
            open(&root.join(folder), 0o755);
        }
        root
    }

    fn open(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// S: each part of an install folder that root runs or believes, opened to everybody.
    #[test]
    fn what_everybody_may_change_is_found_wherever_it_lies() {
        let folder = install("open");
        let loose = |root: &Path| loose(root, Runs::Owner);
        assert_eq!(loose(&folder).unwrap(), []);
        for part in ["", "bin", "bin/hub-launch", "failed", "install.json", "releases", "releases/1.0.0/web"]
        {
            let path = if part.is_empty() { folder.to_path_buf() } else { folder.join(part) };
            let before = fs::metadata(&path).unwrap().mode() & 0o7777;
            // The sticky bit keeps others from removing what is there, and not from adding a higher release.
            for mode in [before | 0o002, before | 0o1002] {
                open(&path, mode);
                let found = loose(&folder).unwrap();
                // What may be added to the folder itself is judged by its own owner and mode.
                let excused = part.is_empty() && mode & STICKY != 0;
                let want = Loose { path: path.clone(), who: Who::Everybody };
                assert_eq!(found, if excused { vec![] } else { vec![want] }, "{part} {mode:o}");
            }
            open(&path, before);
        }
        // What is no part of it may be anybody's.
        open(&folder.join("data"), 0o777);
        assert_eq!(loose(&folder).unwrap(), []);
        assert_eq!(loose(&folder.join("nothing")).unwrap(), []);
    }

    #[test]
    fn root_takes_nothing_that_another_user_or_group_may_change() {
        let folder = install("owner");
        let loose = |root: &Path| loose(root, Runs::Root);
        if !geteuid().is_root() {
            eprintln!("skipped: only root can give files away");
            return;
        }
        for part in ["bin/hub-launch", "trusted-keys", "install.json", "releases/1.0.0/web/index.html"] {
            let path = folder.join(part);
            chown(&path, Some(4711), None).unwrap();
            let problem = trusted_by_root(&folder).unwrap_err();
            assert!(
                problem.what.starts_with(&format!("{} belongs to user 4711", path.display())),
                "{problem}"
            );
            assert_eq!(notes_trusted_by_root(&folder).is_err(), part == "install.json");
            chown(&path, Some(0), Some(4711)).unwrap();
            assert_eq!(trusted_by_root(&folder), Ok(()), "a group that may only read");
            open(&path, 0o775);
            assert_eq!(loose(&folder).unwrap(), [Loose { path: path.clone(), who: Who::Group(4711) }]);
            chown(&path, Some(0), Some(0)).unwrap();
            assert_eq!(trusted_by_root(&folder), Ok(()), "root's own group");
        }
        chown(&folder, Some(4711), None).unwrap();
        assert!(trusted_by_root(&folder).is_err() && notes_trusted_by_root(&folder).is_err());
        let above = above(&folder.join("bin"), Runs::Root).unwrap();
        assert_eq!(above, [Loose { path: folder.to_path_buf(), who: Who::Owner(4711) }]);
        // Without notes nobody says where root works.
        fs::remove_file(folder.join(NOTES)).unwrap();
        assert_eq!(notes_trusted_by_root(&folder), Ok(()));
    }

    /// A link is followed: what it leads to is run, and whoever may exchange a folder on the way decides it too.
    #[test]
    fn links_are_judged_by_where_they_lead() {
        let (folder, elsewhere) = (install("links"), install("elsewhere"));
        let loose = |root: &Path| loose(root, Runs::Owner).unwrap();
        fs::remove_dir_all(folder.join("releases")).unwrap();
        symlink(elsewhere.join("releases"), folder.join("releases")).unwrap();
        symlink(folder.join("releases"), elsewhere.join("releases/round")).unwrap();
        assert_eq!(loose(&folder), []);
        for part in ["", "releases", "releases/1.0.0/web"] {
            let path = fs::canonicalize(elsewhere.join(part)).unwrap();
            open(&path, 0o777);
            assert_eq!(loose(&folder), [Loose { path: path.clone(), who: Who::Everybody }], "{part}");
            open(&path, 0o755);
        }
        // What closes it names where they lie, and of a folder on the way that folder alone.
        open(&elsewhere, 0o777);
        let help = refused(&folder, Runs::Owner, &loose(&folder)).unwrap_err().help;
        open(&elsewhere, 0o755);
        let (above, there) =
            (fs::canonicalize(&elsewhere).unwrap(), fs::canonicalize(elsewhere.join("releases")).unwrap());
        assert!(help.contains(&format!(" {} && chmod go-w {0} && chown -R", above.display())), "{help}");
        assert!(help.contains(&format!(" {} ", there.display())), "{help}");
        fs::remove_file(folder.join("releases")).unwrap();
        symlink("nowhere", folder.join("releases")).unwrap();
        assert_eq!(loose(&folder), []);
    }

    #[test]
    fn access_control_lists_are_read_as_the_kernel_keeps_them() {
        let list = |entries: &[(u16, u16, u32)]| {
            let mut bytes = 2_u32.to_le_bytes().to_vec();
            for (tag, allowed, id) in entries {
                bytes.extend(tag.to_le_bytes());
                bytes.extend(allowed.to_le_bytes());
                bytes.extend(id.to_le_bytes());
            }
            let told = |writer: &acl::Writer| match writer {
                acl::Writer::User(id) => format!("user {id}"),
                acl::Writer::Group(id) => format!("group {id:?}"),
                acl::Writer::Unknown => "unknown".to_owned(),
            };
            acl::parse(&bytes).unwrap().iter().map(told).collect::<Vec<_>>()
        };
        let none = u32::MAX;
        let (owner, group, mask, other) = ((1, 7, none), (4, 5, none), (16, 7, none), (32, 5, none));
        assert_eq!(
            list(&[owner, (2, 7, 1000), group, (8, 6, 50), mask, other]),
            ["user 1000", "group Some(50)"]
        );
        assert_eq!(list(&[owner, (2, 7, 1000), (4, 7, none), (16, 5, none), other]), Vec::<String>::new());
        assert_eq!(list(&[owner, (4, 7, none), mask, other]), ["group None"]);
        assert!(acl::parse(&[1, 0, 0, 0]).is_none() && acl::parse(&[2]).is_none());
    }
}
