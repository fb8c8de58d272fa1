//! `.ci/run` itself, with programs in PATH that say what they find in place of those that it runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use hub_tests::xtask::run;

/// Says what it was given: its arguments, the folders of the caches, and all that lies in them.
const CARGO: &str = r#"#!/bin/sh
echo "cargo $*"
for cache in "cargo $CARGO_HOME" "npm $npm_config_cache" "pip $PIP_CACHE_DIR" "other $XDG_CACHE_HOME"; do
    echo "cache $cache"
    find "${cache#* }" -mindepth 1 | sed 's/^/holds /'
done
"#;

/// Writes the programs into `bin` of a folder, these ones besides; gives `.ci/run` as it finds them, with caches in `target`.
fn ci(folder: &Path, more: &[(&str, &str)]) -> Command {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let all = [
        ("cargo", CARGO),
        ("dpkg-query", "#!/bin/sh\necho 'install ok installed'\n"),
        ("apt-get", "#!/bin/sh\necho \"apt-get $*\" >&2\nexit 1\n"),
        // Whatever has changed lately, and wherever this runs.
        ("git", "#!/bin/sh\necho 0000\n"),
        ("unshare", "#!/bin/sh\nexit 1\n"),
    ];
    for (name, text) in all.iter().chain(more) {
        fs::write(bin.join(name), text).expect("a file");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/run"));
    let found = std::env::var("PATH").expect("PATH");
    command.env("PATH", format!("{}:{found}", bin.display())).env("CARGO_TARGET_DIR", folder.join("target"));
    command.env("HOME", folder.join("home")).env_remove("CARGO_HOME");
    command
}

// O1: a run passes nowhere just because something was fetched before.
#[test]
fn o1_a_run_begins_with_empty_caches_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |below: &str| folder.path().canonicalize().expect("a folder").join(below);
    let write = |below: &str, text: &str| {
        fs::create_dir_all(path(below).parent().expect("a folder")).expect("a folder");
        fs::write(path(below), text).expect("a file");
    };
    let mut command = ci(&path(""), &[]);
    // What was fetched before: by whoever runs it, and by the run before.
    write("home/.cargo/registry/cache/old.crate", "old");
    write("home/.cargo/config.toml", "[net]\n");
    for cache in ["cargo/registry/cache", "npm/_cacache", "pip/http", "other/pre-commit"] {
        write(&format!("target/ci/{cache}/old"), "old");
        write(&format!("mine/{cache}/old"), "old");
    }
    symlink(path("mine/cargo"), path("target/ci/cargo/linked")).expect("a link");

    command.env("npm_config_cache", path("mine/npm")).env("PIP_CACHE_DIR", path("mine/pip"));
    command.env("XDG_CACHE_HOME", path("mine/other"));
    let ran = run(command);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut lines = ran.stdout.lines();
    let asked = lines.next().unwrap_or_default();
    assert!(asked.starts_with("cargo --locked xtask test --require-all"), "{}", ran.stdout);
    let caches = path("target/ci");
    let cache = |name: &str| format!("cache {name} {}", caches.join(name).display());
    let settings = format!("holds {}", caches.join("cargo/config.toml").display());
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [&cache("cargo"), &settings, &cache("npm"), &cache("pip"), &cache("other")]
    );
    let linked = fs::read_link(caches.join("cargo/config.toml")).expect("a link");
    assert_eq!(linked, path("home/.cargo/config.toml"));
    for kept in
        ["home/.cargo/registry/cache/old.crate", "mine/cargo/registry/cache/old", "mine/npm/_cacache/old"]
    {
        assert!(path(kept).is_file(), "{kept}");
    }
}

// O1: which of two long tests runs is not for whoever commits to choose.
#[test]
fn o1_the_day_says_which_of_the_two_longest_tests_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    for (day, chosen) in [(20_000, "power-cut"), (20_001, "reproducible"), (20_002, "power-cut")] {
        let date = format!("#!/bin/sh\necho {}\n", day * 86_400 + 50_000);
        for commit in ["0000", "ffff"] {
            let git = format!("#!/bin/sh\necho {commit}\n");
            let ran = run(ci(folder.path(), &[("date", &date), ("git", &git)]));
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let asked = ran.stdout.lines().next().unwrap_or_default();
            assert_eq!(asked, format!("cargo --locked xtask test --require-all --long={chosen}"));
        }
    }
}
