//! The same sources give the same bytes, whatever the folder, the user, the umask, the clock, its zone and the language of the
//! machine, the number of jobs, and the times and order of the files. Everything is compiled again for that, so it takes long;
//! without a network, as `fetch` has brought what it needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hub_tests::release::{Built, unpack_into};
use hub_tests::xtask::{long, repo, run, xtask};
use serde_json::Value;

/// Copies the files that git knows, as somebody with another umask would, the last one first, with a time of long ago.
const COPY: &str = r#"
set -e
umask 077
cd "$1"
git ls-files -z | sort -zr | xargs -0 cp --parents -t "$2"
find "$2" -type f -print0 | xargs -0 touch -d '2001-02-03 04:05:06'
"#;

/// Builds there: as a user with another number, by another clock.
const BUILD: &str = r#"
umask 077
cd "$1"
export USER=somebody LOGNAME=somebody LD_PRELOAD="$2"
shift 2
exec unshare --user --net --map-user=1000 --map-group=1000 "$@"
"#;

/// Seconds that the second build's clock is ahead: more than a year.
const AHEAD: u64 = 400 * 24 * 3600;

/// Compiles what gives the programs that it is loaded into another time.
fn clock(folder: &Path) -> PathBuf {
    let library = folder.join("clock.so");
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror"])
        .arg(format!("-DSHIFT={AHEAD}"))
        .arg("-o")
        .arg(&library)
        .arg(repo().join("tests/tests/reproducible/clock.c"));
    run(compile).expect(0);
    let seconds = |preload: &Path| -> u64 {
        let mut date = Command::new("date");
        date.arg("+%s").env("LD_PRELOAD", preload);
        run(date).expect(0).stdout.trim().parse().expect("seconds")
    };
    let ahead = seconds(&library) - seconds(Path::new(""));
    assert!((AHEAD - 60..AHEAD + 60).contains(&ahead), "the clock is {ahead} s ahead");
    library
}

#[test]
fn the_same_sources_elsewhere_give_the_same_bytes() {
    if !long(
        "reproducible",
        "a second build from nothing, in another folder, by another user, at another time",
    ) {
        return;
    }
    let one = Built::new(&["--locked"]);
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("another/checkout of it");
    std::fs::create_dir_all(&sources).unwrap();
    let mut copy = Command::new("bash");
    copy.args(["-c", COPY, "copy"]).arg(repo()).arg(&sources);
    run(copy).expect(0);

    let out = folder.path().join("out");
    // For the copy: what npm has fetched for this checkout need not be in npm's cache any more.
    let mut fetch = xtask(["fetch"]);
    fetch.env("CARGO_MANIFEST_DIR", sources.join("xtask"));
    run(fetch).expect(0);
    let program = xtask(["build-platform", "--locked", "--offline", "--out"]);
    let mut build = Command::new("bash");
    build
        .args(["-c", BUILD, "build"])
        .arg(&sources)
        .arg(clock(folder.path()))
        .arg(program.get_program())
        .args(program.get_args())
        .arg(&out);
    // The sources that are built are the copies.
    build
        .env("CARGO_MANIFEST_DIR", sources.join("xtask"))
        .env("CARGO_TARGET_DIR", folder.path().join("target"));
    // Another number of jobs than the first build had.
    let jobs = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    build
        .env("CARGO_BUILD_JOBS", jobs.to_string())
        .env("TZ", "Pacific/Auckland")
        .env("LC_ALL", "C")
        .env("LANG", "de_DE.UTF-8");
    run(build).expect(0);

    let two = out.join(one.tarball.file_name().unwrap());
    let (first, second) = (files(&one.tarball), files(&two));
    let differ: Vec<&String> = first.keys().filter(|path| first.get(*path) != second.get(*path)).collect();
    assert_eq!(differ, Vec::<&String>::new(), "files of the release differ");
    assert_eq!(first.len(), second.len());
    assert!(std::fs::read(&one.tarball).unwrap() == std::fs::read(&two).unwrap(), "the tarballs differ");
}

/// SHA-256 of each file of a release, by path.
fn files(tarball: &Path) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    unpack_into(tarball, folder.path());
    let release = std::fs::read_dir(folder.path().join("releases")).unwrap().next().unwrap().unwrap().path();
    let list: Value = serde_json::from_slice(&std::fs::read(release.join("RELEASE.json")).unwrap()).unwrap();
    let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
    list["files"].as_array().unwrap().iter().map(|file| (text(file, "path"), text(file, "sha256"))).collect()
}
