//! `cargo xtask new-plugin`: what it makes is sound beside the platform's own plugins, formatted, and written whole or
//! not at all. The sample's own tests run with those of the plugins.

use std::fs;
use std::path::Path;
use std::process::Command;

use hub_tests::xtask::{Ran, repo, run, xtask};

/// The longest slug there may be: lines are at their longest.
const LONGEST: &str = "a-plugin-whose-name-is-as-long-as-can-be";

fn make(slug: &str, root: &Path) -> Ran {
    let mut command = xtask(["new-plugin", slug, "--plugins"]);
    command.arg(root);
    run(command)
}

/// All files below a folder that end so.
fn files(folder: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(files(&entry, end));
        } else if entry.to_string_lossy().ends_with(end) {
            found.push(entry);
        }
    }
    found
}

#[test]
fn new_plugins_are_sound_beside_all_others() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for slug in ["patient-flow", "_x", LONGEST] {
        let said = make(slug, root.path()).expect(0).stdout;
        assert_eq!(said.lines().count(), 4, "{said}");
    }

    let mut check = xtask(["check", "--deny-warnings", "--plugins", "plugins", "--plugins"]);
    check.arg(root.path());
    let checked = run(check).expect(0);
    assert!(checked.stderr.contains("7 vertical plugins checked"), "{}", checked.stderr);

    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--edition", "2024", "--config-path"]).arg(repo());
    rustfmt.args(files(root.path(), ".rs"));
    run(rustfmt).expect(0);

    for file in files(root.path(), "") {
        let text = fs::read_to_string(&file).expect("text");
        let sample =
            ["sample-plugin", "sample_plugin", "Sample plugin"].iter().find(|name| text.contains(**name));
        assert_eq!(sample, None, "{}", file.display());
    }
    let cargo_toml =
        fs::read_to_string(root.path().join("patient-flow/backend/Cargo.toml")).expect("Cargo.toml");
    let path = cargo_toml.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
    let runtime = root.path().canonicalize().expect("a folder").join("patient-flow/backend").join(path);
    assert_eq!(
        runtime.canonicalize().expect("hub-host"),
        repo().join("host-template/runtime").canonicalize().expect("hub-host")
    );
}

#[test]
fn what_is_there_stays_as_it_is() {
    let root = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(root.path().join("patient_flow")).expect("a folder");
    fs::create_dir(root.path().join("mine")).expect("a folder");
    for (slug, wanted) in [
        ("mine", "is there already"),
        ("patient-flow", "are the same name in Rust and SQL"),
        ("dbt", "the platform itself uses the slug `dbt`"),
        ("Patient Flow", "= help: write `patient-flow`"),
    ] {
        let refused = make(slug, root.path()).expect(2);
        assert!(refused.stderr.contains(wanted), "{slug}: {}", refused.stderr);
    }
    let left: Vec<_> = fs::read_dir(root.path()).expect("a folder").collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(fs::read_dir(root.path().join("mine")).expect("a folder").count(), 0);
}
