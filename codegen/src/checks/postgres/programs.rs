//! Finding an installed PostgreSQL: in `PATH`, then where Debian and others put each version's programs.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Where each version has a folder of its own.
const VERSIONS: &[&str] = &["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"];
/// What a folder has to have: initdb takes the server that lies beside it.
const PROGRAMS: [&str; 2] = ["initdb", "postgres"];

/// The folder of the programs, of the newest version where there are several.
pub fn find(path: &OsStr) -> Option<PathBuf> {
    let versions: Vec<PathBuf> = VERSIONS.iter().map(PathBuf::from).collect();
    folders(path, &versions)
        .into_iter()
        .find(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file()))
}

/// The folders to look into, in order.
fn folders(path: &OsStr, versions: &[PathBuf]) -> Vec<PathBuf> {
    // An entry that is not absolute means the current folder: programs of a checkout are not run for being there.
    let on_path = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    on_path.chain(versions.iter().flat_map(|place| of_versions(place))).collect()
}

/// The program folders of the versions below one place, the newest first. A place that is not there has none.
fn of_versions(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_by_key(|name| Reverse((version(name), name.clone())));
    let own = place.join("bin");
    std::iter::once(own).chain(names.into_iter().map(|name| place.join(name).join("bin"))).collect()
}

/// The numbers of a version's name: `9.6` comes before `15`, which text does not know.
fn version(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), "").unwrap();
    }

    #[test]
    fn d3_path_comes_first_and_then_the_newest_version() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("postgresql");
        for version in ["9.6", "15", "16", "common"] {
            fs::create_dir_all(place.join(version)).unwrap();
        }
        let path = std::env::join_paths([Path::new("/a"), Path::new("."), Path::new("/b")]).unwrap();
        let found = folders(&path, &[place.clone(), root.path().join("none")]);
        let bin = |version: &str| place.join(version).join("bin");
        let expected = ["/a", "/b"].map(PathBuf::from).into_iter().chain([place.join("bin")]);
        let expected = expected.chain(["16", "15", "9.6", "common"].map(bin));
        assert_eq!(found[..7], expected.collect::<Vec<_>>());
        assert_eq!(found[7..], [root.path().join("none/bin")]);
    }

    #[test]
    fn d3_a_folder_without_the_server_is_none() {
        let root = tempfile::tempdir().unwrap();
        let (half, whole) = (root.path().join("half"), root.path().join("whole"));
        program(&half, "initdb");
        program(&whole, "initdb");
        program(&whole, "postgres");
        let path = std::env::join_paths([&half, &whole]).unwrap();
        assert_eq!(find(&path), Some(whole));
    }
}
