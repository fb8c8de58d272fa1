//! The install folder that a program was started in. `bin` and `releases` of an install folder may be links to another disk, and
//! the system tells a program only where its file lies in the end; the way that it was started by leads through the folder that
//! is meant.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::install::Install;

/// Most links on the way to a file, as the system counts them.
const MOST: usize = 40;

/// The ways to this process's program, `program` with all links followed: as it was named by whoever started it, and with
/// one link after the other followed. None where that name leads elsewhere.
pub fn ways(program: &Path) -> Vec<PathBuf> {
    let Some(named) = std::env::args_os().next() else { return Vec::new() };
    ways_of(&named, std::env::var_os("PATH").as_deref(), program)
}

/// The same of a name, and of the folders in which names without `/` are looked up.
fn ways_of(named: &OsStr, search: Option<&OsStr>, program: &Path) -> Vec<PathBuf> {
    let candidates: Vec<PathBuf> = match named.as_bytes().contains(&b'/') {
        true => vec![PathBuf::from(named)],
        false => std::env::split_paths(search.unwrap_or_default()).map(|folder| folder.join(named)).collect(),
    };
    let is_it = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|whole| whole == program);
    // One that is found by a name in a folder that is gone meanwhile leads nowhere.
    let found = candidates.into_iter().find(is_it).and_then(|path| std::path::absolute(path).ok());
    std::iter::successors(found, |path| followed(path)).take(MOST).collect()
}

/// The path with its first link followed; none where it has none.
fn followed(path: &Path) -> Option<PathBuf> {
    let (mut here, mut parts) = (PathBuf::new(), path.components());
    while let Some(part) = parts.next() {
        match part {
            Component::CurDir => {}
            // Up to here there is no link, so the names tell which folder is above.
            Component::ParentDir => {
                here.pop();
            }
            part => here.push(part),
        }
        if let Ok(target) = fs::read_link(&here) {
            here.pop();
            here.push(target);
            return Some(here.join(parts.as_path()));
        }
    }
    None
}

/// The first folder on these ways that holds releases, and in which `inner` is `real`.
pub fn install(ways: &[PathBuf], inner: &Path, real: &Path) -> Option<Install> {
    let holds = |root: &&Path| {
        root.join("releases").is_dir() && fs::canonicalize(root.join(inner)).is_ok_and(|whole| whole == real)
    };
    let root = ways.iter().flat_map(|way| way.ancestors().skip(1)).find(holds)?;
    // It was there a moment ago; one that is gone since is no install folder.
    fs::canonicalize(root).ok().map(Install::at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    /// An install folder `opt` whose programs lie on another disk, and a folder of links to them.
    fn scratch() -> Scratch {
        let root = Scratch::new("started");
        for folder in ["opt", "big/bin", "big/releases/1.0.0/bin", "local/bin"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["big/bin/hub-launch", "big/releases/1.0.0/bin/hub-platform"] {
            fs::write(root.join(file), "").unwrap();
        }
        for (link, target) in [
            ("opt/bin", "../big/bin"),
            ("opt/releases", "../big/./releases"),
            ("opt/current", "releases/1.0.0"),
            ("local/bin/hub-launch", "../../opt/bin/hub-launch"),
            ("local/bin/hub-platform", "../../opt/current/bin/hub-platform"),
            ("local/hub", "../opt/current"),
            ("linked", "opt"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        root
    }

    /// S9: whatever of an install folder is a link, its programs know which folder it is.
    #[test]
    fn s9_a_program_finds_the_install_folder_that_it_was_started_in() {
        let root = scratch();
        let of = |named: &str, inner: &str| {
            let real = fs::canonicalize(root.join("opt").join(inner)).unwrap();
            let program = match real.is_dir() {
                true => real.join("bin/hub-platform"),
                false => real.clone(),
            };
            let search = root.join("local/bin").into_os_string();
            let named = if named.contains('/') { root.join(named) } else { PathBuf::from(named) };
            let ways = ways_of(named.as_os_str(), Some(&search), &program);
            install(&ways, Path::new(inner), &real)
        };
        let opt = Some(Install::at(root.join("opt")));
        for named in ["opt/bin/hub-launch", "local/bin/hub-launch", "linked/bin/hub-launch", "hub-launch"] {
            assert_eq!(of(named, "bin/hub-launch"), opt, "{named}");
        }
        for named in [
            "opt/current/bin/hub-platform",
            "opt/releases/1.0.0/bin/hub-platform",
            "local/bin/hub-platform",
            "local/hub/bin/hub-platform",
            "local/../linked/current/bin/hub-platform",
            "hub-platform",
        ] {
            assert_eq!(of(named, "releases/1.0.0"), opt, "{named}");
        }
        // Where it was started by no way through the install folder, it lies where its file does.
        let big = Some(Install::at(root.join("big")));
        assert_eq!(of("big/releases/1.0.0/bin/hub-platform", "releases/1.0.0"), big);
        // A name is no proof.
        assert_eq!(of("opt/bin/hub-launch", "releases/1.0.0"), None);
        assert_eq!(of("nowhere/hub-launch", "bin/hub-launch"), None);
    }
}
