//! Which folder can be a data folder: none of the machine's own, none in which the programs lie that root runs, and none that holds
//! others' files. What lies in a data folder becomes its owner's alone.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use hub_manifest::environment;
use hub_release::{Install, guard};

use crate::fault::Fault;
use crate::settings::{self, Database, Env};

/// Folders of the machine that are nobody's data folder, whoever may write to them: all that lies in a data folder becomes its
/// owner's alone.
const OF_MACHINE: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/usr/share",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Whether a folder is one of the machine's own, in which others' things lie beside whatever is meant.
pub(crate) fn is_of_machine(folder: &Path) -> bool {
    OF_MACHINE.iter().any(|of_machine| folder == Path::new(of_machine))
}

/// What an install folder has of its own: the programs that root runs, what says which of them are trusted, and what `setup` links
/// to them.
const OF_INSTALL: &[&str] =
    &["bin", "current", "failed", "iaas", "install.json", "plugins", "releases", "trusted-keys"];

/// Sees that a folder can be a data folder: others' files are not to become its owner's, nor the programs that root runs.
pub(crate) fn own(data: &Path, install: Option<&Install>) -> Result<(), Fault> {
    let (data, shown) = (whole(data), data.display());
    let refused = |what: String| {
        Fault::usage(
            what,
            format!(
                "name a folder of its own, such as {}: --data-dir DIR or DATA_DIR=DIR",
                settings::SYSTEM_DATA
            ),
        )
    };
    if is_of_machine(&data) {
        return Err(refused(format!("{shown} cannot be the data folder: it is one of the machine's own")));
    }
    let Some(install) = install else { return Ok(()) };
    let root = whole(install.root());
    if root.starts_with(&data) {
        return Err(refused(format!(
            "{shown} cannot be the data folder: the install folder {} lies in it, which is root's alone",
            install.root().display()
        )));
    }
    // One that is a link to elsewhere is meant by its name too.
    let holds = |part: &str| data.starts_with(root.join(part)) || data.starts_with(whole(&root.join(part)));
    match OF_INSTALL.iter().find(|part| holds(part)) {
        Some(part) => Err(refused(format!(
            "{shown} cannot be the data folder: it lies in {} of the install folder, which is root's alone",
            install.root().join(part).display()
        ))),
        None => Ok(()),
    }
}

/// The path without `.`, `..` and doubled slashes. Links in it keep their names, but for one that a `..` follows: what is above it is
/// above the folder that it leads to.
pub(crate) fn straight(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if let Ok(real) = found.canonicalize() {
                    found = real;
                }
                // Above the root is the root.
                found.pop();
            }
            part => found.push(part),
        }
    }
    found
}

/// The path without links and `..`, as far as it is there; what is not there yet is what it is called.
pub(crate) fn whole(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                // Above the root is the root.
                found.pop();
            }
            part => found.push(part),
        }
        if let Ok(real) = found.canonicalize() {
            found = real;
        }
    }
    found
}

/// What a data folder has of the platform's own, each enough to know it by.
const OURS: &[&str] = &[
    ".env",
    "connectors",
    "dbt",
    "drivers",
    "drivers.lock",
    "host-id",
    "host.lock",
    "host.sock",
    "hub.db",
    "plugins",
    "runs.lock",
];
/// What is nobody's files: a disk or its server has put it there, or whoever made the folder, as a home, a volume or a part of a
/// repository.
const OF_NOBODY: &[&str] = &[
    "$RECYCLE.BIN",
    ".DS_Store",
    ".DocumentRevisions-V100",
    ".Spotlight-V100",
    ".TemporaryItems",
    ".Trash",
    ".Trashes",
    ".bash_history",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".cache",
    ".fseventsd",
    ".gitkeep",
    ".profile",
    ".snapshot",
    ".snapshots",
    ".zfs",
    "System Volume Information",
    "aquota.group",
    "aquota.user",
    "lost+found",
];
/// What the folders begin with into which desktops put what is removed from a disk: the number of a user follows.
const TRASH: &str = ".Trash-";
/// What the names of files end with that whoever starts a program writes beside its data: a shell, a supervisor, a container.
const OF_STARTERS: &[&str] = &[".log", ".out", ".pid", ".sock"];
/// Whether a name is nobody's, or one that is there for a moment only: another command may be at work in the folder for the first time.
fn is_nobodys(name: &OsString) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let passes = name.to_str().is_some_and(|name| {
        let mut numbered = [TRASH, settings::PROBE].iter().filter_map(|before| name.strip_prefix(before));
        // What is written before it gets its name.
        let in_the_making = name.strip_prefix('.').and_then(|name| name.rsplit_once('.'));
        numbered.any(is_number)
            || in_the_making.is_some_and(|(name, process)| OURS.contains(&name) && is_number(process))
    });
    passes || OF_NOBODY.iter().any(|of_nobody| name == of_nobody)
}

/// How many of the names in a folder are told.
const TOLD: usize = 3;

/// What lies in a folder that is nobody's data folder yet: none where it is empty, or holds something of the platform's, or cannot
/// be listed, which is told by whoever works in it. `url` names a database that may lie there.
fn foreign(data: &Path, url: Option<&str>) -> Vec<String> {
    let Ok(entries) = fs::read_dir(data) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    let is_database = |name: &OsString| match settings::database(url, data) {
        Ok(Database::Sqlite(file)) => file == data.join(name),
        // A server's lies elsewhere, and an address that is none is told where it is used.
        Ok(Database::Postgres(_)) | Err(_) => false,
    };
    // Asked before any name is left out: the host's own socket is named as a starter's would be.
    if names.iter().any(|name| OURS.iter().any(|own| name == own) || is_database(name)) {
        return Vec::new();
    }
    let of_starter = |name: &OsString| {
        let (name, path) = (name.to_string_lossy(), data.join(name));
        OF_STARTERS.iter().any(|ending| name.ends_with(ending)) && !path.is_dir()
    };
    names.retain(|name| !is_nobodys(name) && !of_starter(name));
    let mut names: Vec<String> = names.iter().map(|name| name.display().to_string()).collect();
    names.sort();
    names
}

/// Sees that a folder which is to become a data folder is free, or is one: what lies in it becomes its owner's alone.
pub(crate) fn free(data: &Path, env: Env<'_>) -> Result<(), Fault> {
    let names = foreign(data, env(environment::DATABASE_URL).as_deref());
    if names.is_empty() {
        return Ok(());
    }
    let mut told: Vec<String> = names.iter().take(TOLD).cloned().collect();
    if let more @ 1.. = names.len().saturating_sub(TOLD) {
        told.push(format!("and {more} more"));
    }
    let shown = data.display();
    Err(Fault::usage(
        format!(
            "{shown} cannot be the data folder: it holds nothing of the platform's, and other things ({})",
            told.join(", ")
        ),
        format!(
            "name a folder of its own, new or empty: --data-dir DIR or DATA_DIR=DIR; where this one is meant all the same, make \
             the folder `plugins` in it: mkdir {}",
            guard::quoted(&data.join("plugins"))
        ),
    ))
}

/// Whether there is something of the platform's in a folder, or the folder cannot be listed to tell.
pub(crate) fn is_begun(data: &Path) -> bool {
    match fs::read_dir(data) {
        Ok(entries) => entries.flatten().any(|entry| OURS.iter().any(|own| entry.file_name() == *own)),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether a folder holds others' files and nothing of the platform's.
pub(crate) fn is_anothers(data: &Path) -> bool {
    !foreign(data, None).is_empty()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    /// S3: what becomes its owner's alone is neither the machine's nor what root runs.
    #[test]
    fn s3_a_data_folder_is_a_folder_of_its_own() {
        let folder = Scratch::new("data-own");
        let install = Install::at(folder.join("opt"));
        fs::create_dir_all(install.root().join("data")).unwrap();
        for machine in ["/", "/etc", "/opt/", "/usr/../var/lib", "/tmp"] {
            let said = own(Path::new(machine), None).unwrap_err().to_string();
            assert!(said.contains("one of the machine's own") && !said.contains("chown"), "{said}");
        }
        for around in ["", "opt", "opt/../opt"] {
            let said = own(&folder.join(around), Some(&install)).unwrap_err().to_string();
            assert!(said.contains("lies in it") && !said.contains("chown"), "{said}");
        }
        for name in ["opt/data", "data", "opt2"] {
            assert_eq!(own(&folder.join(name), Some(&install)), Ok(()), "{name}");
        }
        assert_eq!(own(Path::new(settings::SYSTEM_DATA), Some(&install)), Ok(()));
    }

    /// S3: what an install folder has of its own never becomes the service user's, there or not, by its own name or another.
    #[test]
    fn s3_no_data_folder_lies_among_the_programs_that_root_runs() {
        let folder = Scratch::new("data-among");
        let install = Install::at(folder.join("opt"));
        let release = install.root().join("releases/0.1.0");
        fs::create_dir_all(&release).unwrap();
        symlink("releases/0.1.0", install.root().join("current")).unwrap();
        fs::create_dir_all(folder.join("disk/bin")).unwrap();
        symlink(folder.join("disk/bin"), install.root().join("bin")).unwrap();
        symlink(install.root(), folder.join("link")).unwrap();
        for name in [
            "opt/releases",
            "opt/releases/0.1.0",
            "opt/releases/9.9.9/data",
            "opt/current",
            "opt/current/web",
            "opt/bin",
            "disk/bin/data",
            "opt/failed",
            "opt/trusted-keys",
            "opt/trusted-keys/data",
            "opt/data/../failed",
            "link/trusted-keys",
        ] {
            let said = own(&folder.join(name), Some(&install)).unwrap_err();
            assert_eq!(said.exit(), 2);
            assert!(said.what().contains("of the install folder, which is root's alone"), "{name}: {said}");
        }
        for name in ["opt/data", "opt/binaries", "link/data", "opt/failed/../data", "disk/data"] {
            assert_eq!(own(&folder.join(name), Some(&install)), Ok(()), "{name}");
        }
    }

    /// S3: what setup puts into an install folder later is its own already.
    #[test]
    fn s3_what_setup_links_into_an_install_folder_is_no_data_folder() {
        let folder = Scratch::new("data-links");
        let install = Install::at(folder.join("opt"));
        for name in ["opt/plugins", "opt/iaas/data", "opt/install.json"] {
            let said = own(&folder.join(name), Some(&install)).unwrap_err();
            assert!(said.what().contains("of the install folder, which is root's alone"), "{name}: {said}");
        }
    }

    #[test]
    fn a_path_is_straightened_as_the_system_walks_it() {
        let folder = Scratch::new("data-straight");
        let folder = folder.canonicalize().unwrap();
        fs::create_dir_all(folder.join("disk/hub")).unwrap();
        symlink(folder.join("disk/hub"), folder.join("link")).unwrap();
        for (name, want) in [
            ("hub/../hub/data/", "hub/data"),
            ("./hub//data/.", "hub/data"),
            ("link/data", "link/data"),
            ("link/../data", "disk/data"),
        ] {
            assert_eq!(straight(&folder.join(name)), folder.join(want), "{name}");
        }
        assert_eq!(straight(Path::new("/../..//a")), Path::new("/a"));
    }

    #[test]
    fn s12_what_holds_others_files_alone_is_anothers() {
        let scratch = Scratch::new("data-free");
        let folder = scratch.join("data");
        let free = |url: Option<&str>| {
            free(&folder, &|name| url.filter(|_| name == "DATABASE_URL").map(str::to_owned))
        };
        assert_eq!(free(None), Ok(()), "one that is not there yet");
        for name in OF_NOBODY.iter().chain(&[".Trash-0", ".Trash-1000"]) {
            fs::create_dir_all(folder.join(name)).unwrap();
            assert_eq!(free(None), Ok(()), "a fresh disk, or the home of a user that was just made: {name}");
        }
        for passing in [".hub-write-test-17", "..env.17", ".host.sock.17"] {
            fs::write(folder.join(passing), "").unwrap();
            assert_eq!(free(None), Ok(()), "another command is at work there for the first time: {passing}");
        }
        for ending in OF_STARTERS {
            fs::write(folder.join(format!("test{ending}")), "").unwrap();
            assert_eq!(free(None), Ok(()), "the log of the very program that asks: {ending}");
        }
        for name in [".Trash-", ".Trash-me"] {
            fs::create_dir(folder.join(name)).unwrap();
            assert!(free(None).is_err(), "{name}");
            fs::remove_dir(folder.join(name)).unwrap();
        }
        for name in ["d", "c", "b", "a.db"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let said = free(None).unwrap_err();
        assert_eq!(said.exit(), 2);
        assert!(said.what().ends_with("other things (a.db, b, c, and 1 more)"), "{said}");
        assert!(is_anothers(&folder) && free(Some("postgres://h/d")).is_err());
        let url = format!("sqlite://{}", folder.join("a.db").display());
        assert_eq!(free(Some(&url)), Ok(()), "the database that is named");
        for name in OURS {
            fs::write(folder.join(name), "").unwrap();
            assert_eq!(free(None), Ok(()), "{name}");
            fs::remove_file(folder.join(name)).unwrap();
        }
    }
}
