//! `hub.lock` and `cargo xtask diff`: what a build changed, told, accepted or refused.

use std::fs;
use std::path::PathBuf;

use hub_tests::release::Built;
use hub_tests::xtask::{repo, run, xtask};
use serde_json::Value;
use tempfile::TempDir;

/// The repository's lock as it might have been before some changes, in a folder of its own.
fn older() -> (TempDir, PathBuf) {
    let now = fs::read_to_string(repo().join("hub.lock")).expect("hub.lock");
    let claim = now.lines().find(|line| line.contains("plugin = \"finance\", priority = 20"));
    let before = now.replace(&format!("{}\n", claim.expect("finance's claim")), "").replace(
        "{ method = \"POST\", path = \"/api/crm/accounts\" },",
        "{ method = \"PUT\", path = \"/api/crm/gone\" },",
    );
    assert_ne!(now, before, "hub.lock is written otherwise than this test expects");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("hub.lock");
    fs::write(&path, before).expect("a lock");
    (folder, path)
}

#[test]
fn a_locked_build_refuses_a_change_and_writes_nothing() {
    let (folder, lock) = older();
    let before = fs::read(&lock).expect("the lock");
    let mut command = xtask(["build-platform", "--locked", "--lock"]);
    command.arg(&lock).arg("--out").arg(folder.path().join("dist"));
    let ran = run(command).expect(1);
    assert!(ran.stderr.contains("error[HUB096]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("healthcare → finance"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("compile"), "it is refused before anything is compiled: {}", ran.stderr);
    assert_eq!(fs::read(&lock).expect("the lock"), before);
    assert!(!folder.path().join("dist").exists());
}

#[test]
fn a_build_tells_what_changed_and_brings_the_lock_up_to_date() {
    let (_folder, lock) = older();
    let mut command = xtask(["build-platform", "--message-format", "json", "--lock"]);
    let out = tempfile::tempdir().expect("a temporary folder");
    command.arg(&lock).arg("--out").arg(out.path());
    let messages = run(command).expect(0).messages();
    let changes: Vec<&Value> = messages.iter().filter(|message| message["type"] == "change").collect();
    let texts: Vec<&str> = changes.iter().filter_map(|change| change["text"].as_str()).collect();
    for expect in ["dashboard.view: healthcare → finance", "POST /api/crm/accounts", "PUT /api/crm/gone"] {
        assert!(texts.iter().any(|text| text.contains(expect)), "{expect} is not among {changes:#?}");
    }
    let committed = fs::read(repo().join("hub.lock")).expect("hub.lock");
    assert_eq!(fs::read(&lock).expect("the lock"), committed);
}

#[test]
fn two_releases_are_compared() {
    let first = Built::shared();
    let plugins = repo().join("plugins");
    let more = repo().join("tests/browser/fixtures/plugins");
    let second = Built::new(&["--plugins", &plugins.to_string_lossy(), "--plugins", &more.to_string_lossy()]);
    let diff = |a: &Built, b: &Built| {
        let mut command = xtask(["diff"]);
        command.arg(&a.tarball).arg(&b.tarball);
        run(command).expect(0).stdout
    };
    let text = diff(first, &second);
    assert!(text.contains("throwing"), "{text}");
    assert!(!diff(first, first).contains("throwing"));
}
