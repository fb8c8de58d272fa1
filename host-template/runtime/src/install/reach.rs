//! Whether the service's user can read what it starts: an install folder that was made, or unpacked, with a strict umask is its
//! maker's alone, whatever the commands make in it later.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hub_release::guard::quoted;
use hub_release::{Install, Problem};
use rustix::fs::getxattr;
use rustix::io::Errno;

use super::user::asked_id;
use crate::fault::Fault;

/// What of an install folder the service reads, besides the folder itself and its releases.
const READ: [&str; 4] = ["bin", "failed", "install.json", "trusted-keys"];
/// Most that is told of it.
const TOLD: usize = 3;

/// The user that is to read.
pub(super) struct Reader {
    name: String,
    /// None of one that is yet to be made: nothing is its own or its groups'.
    uid: Option<u32>,
    groups: Vec<u32>,
}

/// Something that it cannot read.
struct Closed {
    path: PathBuf,
    mode: u32,
    /// What has to be opened for that: all of a part of the install folder, or a folder alone.
    open: Open,
}

/// How something is opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    /// A folder on the way, which nobody has to list.
    Way(PathBuf),
    Folder(PathBuf),
    All(PathBuf),
}

impl Open {
    fn command(&self) -> String {
        match self {
            Open::Way(path) => format!("chmod a+x {}", quoted(path)),
            Open::Folder(path) => format!("chmod a+rx {}", quoted(path)),
            Open::All(path) => format!("chmod -R a+rX {}", quoted(path)),
        }
    }
}

impl Reader {
    pub(super) fn of(user: &str) -> Result<Reader, Fault> {
        let groups = asked_id(user, "-G")?.unwrap_or_default();
        Ok(Reader {
            name: user.to_owned(),
            uid: asked_id(user, "-u")?.and_then(|uid| uid.parse().ok()),
            groups: groups.split_whitespace().filter_map(|gid| gid.parse().ok()).collect(),
        })
    }

    /// What is wrong, and what mends it; none where this user can read all that it starts, and get to its data folder.
    pub(super) fn lacks(
        &self,
        install: &Install,
        data: Option<&Path>,
    ) -> Result<Option<(String, String)>, Problem> {
        if self.uid == Some(0) {
            return Ok(None);
        }
        let (root, mut found) = (install.root(), Vec::new());
        self.way(root, &mut found)?;
        if let Some(data) = data {
            self.way(data, &mut found)?;
        }
        for folder in [root.to_path_buf(), install.releases_dir()] {
            self.one(&folder, &Open::Folder(folder.clone()), &mut found)?;
        }
        let parts = READ.iter().map(|name| root.join(name));
        for part in parts.chain(install.releases()?.into_iter().map(|release| release.path)) {
            self.all(&part, &Open::All(part.clone()), &mut found)?;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut told: Vec<String> = found
            .iter()
            .take(TOLD)
            .map(|closed| format!("{} (mode {:04o})", closed.path.display(), closed.mode))
            .collect();
        if let more @ 1.. = found.len().saturating_sub(TOLD) {
            told.push(format!("and {more} more"));
        }
        let commands: BTreeSet<Open> = found.into_iter().map(|closed| closed.open).collect();
        let commands: Vec<String> = commands.iter().map(Open::command).collect();
        Ok(Some((
            format!(
                "user {}, whom the service runs as, cannot read {}: nothing would start",
                self.name,
                told.join(", ")
            ),
            format!("a strict umask leaves such modes; open what is to be read: {}", commands.join(" && ")),
        )))
    }

    /// The folders above a path, as it is written and where it leads.
    fn way(&self, path: &Path, found: &mut Vec<Closed>) -> Result<(), Problem> {
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        for folder in path.ancestors().skip(1).chain(whole.ancestors().skip(1)) {
            // A path that is not whole ends so.
            if folder.as_os_str().is_empty() || found.iter().any(|closed| closed.path == folder) {
                continue;
            }
            if let Some(about) = there(folder)?
                && !self.may(folder, &about, 0o1)
            {
                let open = Open::Way(folder.to_path_buf());
                found.push(Closed { path: folder.to_path_buf(), mode: about.mode() & 0o7777, open });
            }
        }
        Ok(())
    }

    /// An entry by itself; whether it is a folder.
    fn one(&self, path: &Path, open: &Open, found: &mut Vec<Closed>) -> Result<bool, Problem> {
        let Some(about) = there(path)? else { return Ok(false) };
        // What its owner can run is a program.
        let wanted = if about.is_dir() || about.mode() & 0o100 != 0 { 0o5 } else { 0o4 };
        if !self.may(path, &about, wanted) {
            found.push(Closed { path: path.to_path_buf(), mode: about.mode() & 0o7777, open: open.clone() });
        }
        Ok(about.is_dir())
    }

    /// An entry, and where it is a folder all that lies in it.
    fn all(&self, path: &Path, open: &Open, found: &mut Vec<Closed>) -> Result<(), Problem> {
        if !self.one(path, open, found)? {
            return Ok(());
        }
        let failed = |error: io::Error| Problem::io("look at", path, &error);
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // No release has links, and one that is there all the same is told elsewhere.
            if !entry.file_type().map_err(failed)?.is_symlink() {
                self.all(&entry.path(), open, found)?;
            }
        }
        Ok(())
    }

    fn may(&self, path: &Path, about: &Metadata, wanted: u32) -> bool {
        let place = match () {
            () if self.uid == Some(about.uid()) => 6,
            () if self.groups.contains(&about.gid()) => 3,
            () => 0,
        };
        (about.mode() >> place) & wanted == wanted || has_list(path)
    }
}

/// Whether an access control list says who may: it may let this user.
fn has_list(path: &Path) -> bool {
    let mut list = [0_u8; 4];
    let read = getxattr(path, "system.posix_acl_access", list.as_mut_slice());
    // It is longer than that.
    matches!(read, Ok(_) | Err(Errno::RANGE))
}

/// None where nothing is there.
fn there(path: &Path) -> Result<Option<Metadata>, Problem> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::io("look at", path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::scratch::Scratch;

    /// O6: what a strict umask has closed is found, with what opens it.
    #[test]
    fn o6_what_the_services_user_cannot_read_is_told() {
        let folder = Scratch::new("reach");
        let (root, data) = (folder.join("opt"), folder.join("srv/data"));
        for below in ["bin", "releases/1.2.3/web", "trusted-keys"] {
            fs::create_dir_all(root.join(below)).unwrap();
        }
        fs::create_dir_all(&data).unwrap();
        fs::write(root.join("bin/hub-launch"), "").unwrap();
        fs::write(root.join("releases/1.2.3/web/index.html"), "").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for path in ["", "bin", "releases", "releases/1.2.3", "releases/1.2.3/web", "trusted-keys"] {
            mode(&root.join(path), 0o755);
        }
        mode(&root.join("bin/hub-launch"), 0o755);
        mode(&root.join("releases/1.2.3/web/index.html"), 0o644);
        for path in ["", "srv"] {
            mode(&folder.join(path), 0o755);
        }
        // The data folder itself is given to the user.
        mode(&data, 0o700);
        let install = Install::at(&root);
        let reader = |uid| Reader { name: "hub".to_owned(), uid, groups: Vec::new() };
        let lacks = |uid| reader(uid).lacks(&install, Some(&data)).unwrap();
        assert_eq!(lacks(None), None);
        let (launcher, release) = (root.join("bin/hub-launch"), root.join("releases/1.2.3"));
        for (path, closed, command, open) in [
            (&root, 0o700, "chmod a+rx", &root),
            (&root.join("bin"), 0o750, "chmod -R a+rX", &root.join("bin")),
            (&launcher, 0o744, "chmod -R a+rX", &root.join("bin")),
            (&release.join("web/index.html"), 0o600, "chmod -R a+rX", &release),
            (&folder.join("srv"), 0o700, "chmod a+x", &folder.join("srv")),
        ] {
            let before = fs::metadata(path).unwrap();
            mode(path, closed);
            let (what, how) = lacks(None).unwrap();
            assert!(what.contains(&format!("{} (mode {closed:04o})", path.display())), "{what}");
            assert!(how.ends_with(&format!(": {command} {}", quoted(open))), "{how}");
            assert_eq!(lacks(Some(before.uid())), None, "its owner, or root");
            mode(path, before.mode());
        }
        assert_eq!(lacks(None), None);
    }
}
