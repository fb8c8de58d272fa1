//! Files below a folder, opened so that no link leads elsewhere: for folders that somebody else may write to.
//!
//! A path is walked one name at a time with `openat` and `O_NOFOLLOW`, so that nobody can exchange a part of it for a link
//! between a check and its use. Only the folder's own path may go through links: whoever names it chose it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, chownat, fchmod, fchown, mkdirat, openat,
    openat2, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::process::{Gid, Uid};

/// How a folder on the way is opened.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder, held open.
#[derive(Debug)]
pub struct Beneath {
    folder: OwnedFd,
    /// For messages only.
    shown: PathBuf,
}

impl Beneath {
    /// Opens the folder; its own path may go through links.
    pub fn open(root: &Path) -> io::Result<Beneath> {
        Ok(Beneath { folder: openat(CWD, root, FOLDER, Mode::empty())?, shown: root.to_path_buf() })
    }

    /// The path that the folder was opened by, for messages.
    pub fn path(&self) -> &Path {
        &self.shown
    }

    /// Who owns the folder, and its mode.
    pub fn metadata(&self) -> io::Result<Metadata> {
        File::from(self.folder.try_clone()?).metadata()
    }

    /// A folder below this one.
    pub fn folder(&self, path: impl AsRef<Path>) -> io::Result<Beneath> {
        let mut here = self.folder.try_clone()?;
        for name in names(path.as_ref())? {
            here = openat(&here, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(link)?;
        }
        Ok(Beneath { folder: here, shown: self.shown.join(path) })
    }

    /// The same; folders that are missing on the way are made, with this mode and the owner of the one that they lie in.
    pub fn make_folder(&self, path: impl AsRef<Path>, mode: u32) -> io::Result<Beneath> {
        let mut here = Beneath { folder: self.folder.try_clone()?, shown: self.shown.clone() };
        for name in names(path.as_ref())? {
            let made = match mkdirat(&here.folder, name, Mode::from_raw_mode(mode)) {
                Ok(()) => true,
                Err(rustix::io::Errno::EXIST) => false,
                Err(error) => return Err(error.into()),
            };
            let below = here.folder(name)?;
            if made {
                // Whatever the umask says.
                fchmod(&below.folder, Mode::from_raw_mode(mode))?;
                here.give(below.folder.as_fd())?;
            }
            here = below;
        }
        Ok(here)
    }

    /// Opens a regular file for reading. A pipe or a device in its place is an error at once, not a wait.
    pub fn file(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open_at(path.as_ref(), flags, Mode::empty())?;
        regular(&file)?;
        Ok(file)
    }

    /// The same through links that stay below the folder, as in a folder that Kubernetes makes of a ConfigMap. A kernel that
    /// cannot hold them there (before Linux 5.6) follows none.
    pub fn file_within(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file = match openat2(&self.folder, path.as_ref(), flags, Mode::empty(), within) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOSYS) => return self.file(path),
            Err(rustix::io::Errno::XDEV) => return Err(io::Error::other("a link leads out of the folder")),
            Err(error) => return Err(error.into()),
        };
        regular(&file)?;
        Ok(file)
    }

    /// All of a regular file, of at most so many bytes.
    pub fn read(&self, path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
        whole(self.file(path)?, most)
    }

    /// The same through links that stay below the folder.
    pub fn read_within(&self, path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
        whole(self.file_within(path)?, most)
    }

    /// Puts a file in place of what has its name, or leaves that as it was: written under another name, on the disk, then
    /// renamed. It belongs to the folder's owner.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
        let path = path.as_ref();
        let name = path.file_name().ok_or_else(|| outside(path))?;
        let above = self.folder(path.parent().unwrap_or(Path::new("")))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        above.forget(&hidden)?;
        let put = || -> io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let mut file = above.open_at(Path::new(&hidden), flags, Mode::from_raw_mode(mode))?;
            fchmod(&file, Mode::from_raw_mode(mode))?;
            above.give(file.as_fd())?;
            file.write_all(bytes)?;
            file.sync_all()?;
            renameat(&above.folder, &hidden, &above.folder, name)?;
            Ok(())
        };
        put().inspect_err(|_| {
            // What could not be removed has a hidden name; the error that led here is the one to tell.
            let _ = above.forget(&hidden);
        })?;
        rustix::fs::fsync(&above.folder)?;
        Ok(())
    }

    /// Puts a link in place of what has its name. What it leads to need not be there.
    pub fn link(&self, name: impl AsRef<OsStr>, target: &Path) -> io::Result<()> {
        let name = name.as_ref();
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        self.forget(&hidden)?;
        symlinkat(target, &self.folder, &hidden)?;
        renameat(&self.folder, &hidden, &self.folder, name).inspect_err(|_| {
            // The error that led here is the one to tell.
            let _ = self.forget(&hidden);
        })?;
        Ok(())
    }

    /// What a link in the folder leads to; none where the entry is no link.
    pub fn target(&self, name: impl AsRef<OsStr>) -> io::Result<Option<PathBuf>> {
        match readlinkat(&self.folder, name.as_ref(), Vec::new()) {
            Ok(target) => Ok(Some(PathBuf::from(OsStr::from_bytes(target.as_bytes())))),
            Err(rustix::io::Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file or a link; one that is not there is no error.
    pub fn forget(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        match unlinkat(&self.folder, name.as_ref(), AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What lies in the folder: names with their kinds, sorted by name.
    pub fn list(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                let kind = match entry.file_type() {
                    // Some file systems do not say it in the list.
                    FileType::Unknown => {
                        let about = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                        FileType::from_raw_mode(about.st_mode)
                    }
                    kind => kind,
                };
                found.push((name.to_owned(), kind));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Gives what is root's in the folder, and then the folder itself, to a user. From the inside out: nobody else may
    /// write to what is still to be given. A file with a second name elsewhere is an error, and no link is followed.
    pub fn give_all(&self, uid: u32, gid: u32) -> io::Result<()> {
        let (to, of) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        for (name, kind) in self.list()? {
            if kind == FileType::Directory {
                self.folder(&name)?.give_all(uid, gid)?;
                continue;
            }
            let about = statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            if about.st_uid != 0 {
                continue;
            }
            if kind == FileType::RegularFile && about.st_nlink > 1 {
                let text =
                    format!("`{}` has a second name somewhere, which would change with it", name.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            chownat(&self.folder, &name, to, of, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        fchown(&self.folder, to, of)?;
        Ok(())
    }

    fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
        let name = path.file_name().ok_or_else(|| outside(path))?;
        let above = self.folder(path.parent().unwrap_or(Path::new("")))?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&above.folder, name, flags, mode).map_err(link)?))
    }

    /// Makes the folder's owner that of something in it. Only root can, and only root has to.
    fn give(&self, to: BorrowedFd<'_>) -> io::Result<()> {
        let about = self.metadata()?;
        if rustix::process::geteuid().is_root() && about.uid() != 0 {
            fchown(to, Some(Uid::from_raw(about.uid())), Some(Gid::from_raw(about.gid())))?;
        }
        Ok(())
    }
}

/// Opens a regular file at a path that nobody else can exchange. A pipe or a device is an error at once, not a wait.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    regular(&file)?;
    Ok(file)
}

/// Opens a file that is to be locked or noted in, and makes it where it is missing. No link is followed, and a pipe, a folder or a
/// device in its place is an error at once, not a wait.
pub fn open_own(path: &Path, mode: u32) -> io::Result<File> {
    // For reading too: a pipe that is opened for writing alone has no reader, which is another error.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::from_raw_mode(mode)).map_err(|error| match error {
        rustix::io::Errno::ISDIR | rustix::io::Errno::NXIO => no_file(),
        error => link(error),
    });
    let file = File::from(opened?);
    regular(&file)?;
    Ok(file)
}

/// That a path that names nothing is a link whose target is gone; none where it is no link. What it would say is lost without a
/// word where it is taken for a file that nobody has written.
pub fn dangling(path: &Path) -> Option<io::Error> {
    let target = std::fs::read_link(path).ok()?;
    let text = format!("it is a link to {}, which is not there: is a disk not mounted?", target.display());
    Some(io::Error::new(io::ErrorKind::NotFound, text))
}

/// All of such a file, of at most so many bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?, most)
}

/// Removes what is at a path, whatever it is, with all that lies in it. A link is removed, not what it leads to; the folder that
/// it lies in has to be nobody else's to exchange at this moment.
pub fn clear(path: &Path) -> io::Result<()> {
    let gone = match std::fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Sees that no link, pipe or file is where a folder is to be; a folder that is there stays.
pub fn clear_unless_folder(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => Ok(()),
        _ => clear(path),
    }
}

fn regular(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        return Ok(());
    }
    Err(no_file())
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// It may grow while it is read, so its length is only a first answer.
fn whole(mut file: File, most: u64) -> io::Result<Vec<u8>> {
    let large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes"));
    if file.metadata()?.len() > most {
        return Err(large());
    }
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(large()) } else { Ok(bytes) }
}

/// The names of a path that leads nowhere but down.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => Ok(name),
            _ => Err(outside(path)),
        })
        .collect()
}

fn outside(path: &Path) -> io::Error {
    let text = format!("`{}` is no path below a folder", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// A link has an error of its own; the system's words for it, "too many levels", mislead.
fn link(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP => {
            io::Error::new(io::ErrorKind::InvalidInput, "it is a link, which is not followed")
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;
    use crate::scratch::Scratch;

    struct Folder(Scratch);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = Scratch::new(&format!("beneath-{name}"));
            fs::create_dir_all(folder.join("in/deep")).unwrap();
            fs::write(folder.join("secret"), "secret").unwrap();
            fs::write(folder.join("in/deep/file"), "text").unwrap();
            Folder(folder)
        }

        fn beneath(&self) -> Beneath {
            Beneath::open(&self.0.join("in")).unwrap()
        }
    }

    #[test]
    fn no_link_and_no_dots_lead_out() {
        let folder = Folder::new("links");
        symlink("../secret", folder.0.join("in/link")).unwrap();
        symlink("..", folder.0.join("in/up")).unwrap();
        let beneath = folder.beneath();
        assert_eq!(beneath.read("deep/file", 4).unwrap(), b"text");
        assert_eq!(beneath.read("./deep/./file", 4).unwrap(), b"text");
        for wrong in ["link", "up/secret", "../secret", "/etc/passwd", "deep/../../secret", "", "."] {
            assert!(beneath.read(wrong, 100).is_err(), "{wrong}");
        }
        assert_eq!(beneath.read("link", 9).unwrap_err().to_string(), "it is a link, which is not followed");
        symlink("../secret", folder.0.join("in/deep/target")).unwrap();
        beneath.write("deep/target", b"new", 0o600).unwrap();
        assert_eq!(fs::read(folder.0.join("secret")).unwrap(), b"secret");
        assert_eq!(beneath.read("deep/target", 3).unwrap(), b"new");
        assert!(beneath.write("up/secret", b"new", 0o600).is_err());
        assert!(beneath.make_folder("up/made", 0o700).is_err());
    }

    #[test]
    fn what_is_cleared_is_a_link_and_not_what_it_leads_to() {
        let folder = Folder::new("clear");
        let inner = |name: &str| folder.0.join("in").join(name);
        symlink("../in/deep", inner("link")).unwrap();
        clear_unless_folder(&inner("link")).unwrap();
        clear_unless_folder(&inner("deep")).unwrap();
        assert!(!inner("link").is_symlink() && inner("deep/file").is_file());
        symlink("..", inner("deep/up")).unwrap();
        clear(&inner("deep")).unwrap();
        clear(&inner("deep")).unwrap();
        assert!(!inner("deep").exists() && folder.0.join("secret").is_file());
    }

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = Folder::new("kinds");
        let beneath = folder.beneath();
        let made = Command::new("mkfifo").arg(folder.0.join("in/pipe")).status().unwrap();
        assert!(made.success());
        File::create(folder.0.join("in/sparse")).unwrap().set_len(3 << 30).unwrap();
        assert_eq!(beneath.read("pipe", 9).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(beneath.read("deep", 9).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(beneath.read("sparse", 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(beneath.read("deep/file", 3).unwrap_err().to_string(), "it has more than 3 bytes");
        assert_eq!(read(&folder.0.join("in/pipe"), 9).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(read(Path::new("/dev/zero"), 9).unwrap_err().to_string(), "it is not a regular file");
    }

    /// What lies in the place of a lock is waited for by nobody, and no link leads a lock elsewhere.
    #[test]
    fn a_file_of_ones_own_is_a_regular_one() {
        let folder = Folder::new("own");
        let path = |name: &str| folder.0.join("in").join(name);
        drop(open_own(&path("lock"), 0o600).unwrap());
        drop(open_own(&path("lock"), 0o600).unwrap());
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        symlink("../secret", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        for (name, want) in [
            ("pipe", "it is not a regular file"),
            ("deep", "it is not a regular file"),
            ("socket", "it is not a regular file"),
            ("link", "it is a link, which is not followed"),
            ("dangling", "it is a link, which is not followed"),
        ] {
            assert_eq!(open_own(&path(name), 0o600).unwrap_err().to_string(), want, "{name}");
        }
        assert!(!path("nowhere").exists());
        let told = dangling(&path("dangling")).unwrap().to_string();
        assert!(told.starts_with("it is a link to nowhere, which is not there"), "{told}");
        assert!(dangling(&path("lock")).is_none() && dangling(&path("gone")).is_none());
    }

    #[test]
    fn files_and_folders_are_made_with_their_modes() {
        let folder = Folder::new("make");
        let beneath = folder.beneath();
        beneath.make_folder("a/b", 0o700).unwrap().write("c", b"1", 0o600).unwrap();
        let mode = |path: &str| fs::metadata(folder.0.join("in").join(path)).unwrap().mode() & 0o777;
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/c")), (0o700, 0o700, 0o600));
        let listed = beneath.folder("a/b").unwrap().list().unwrap();
        assert_eq!(listed, [(OsString::from("c"), FileType::RegularFile)]);
        beneath.folder("a/b").unwrap().forget("c").unwrap();
        beneath.folder("a/b").unwrap().forget("c").unwrap();
        assert_eq!(fs::read_dir(folder.0.join("in/a/b")).unwrap().count(), 0);
    }
}
