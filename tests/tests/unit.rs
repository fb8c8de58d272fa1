//! The systemd unit, as systemd itself reads it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hub_release::unit::Unit;
use hub_tests::release::Built;
use hub_tests::xtask::{Ran, run, skip};

/// Highest exposure that systemd may find, in tenths.
const EXPOSURE: &str = "20";

/// `systemd-analyze` on a unit of this text; none where it is not installed.
fn analyze(folder: &Path, text: &str, arguments: &[&str]) -> Option<Ran> {
    if Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("systemd-analyze is not installed (Debian: systemd)");
        return None;
    }
    let file = folder.join("hub-platform.service");
    fs::write(&file, text).expect("a unit");
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg("--no-pager").arg(file);
    Some(run(command))
}

/// A unit whose launcher is there, in folders with names that have to be quoted.
fn unit(folder: &Path) -> Unit {
    let root = folder.join("my hub 100%n");
    fs::create_dir_all(root.join("bin")).expect("a folder");
    let launcher = root.join("bin/hub-launch");
    fs::write(&launcher, "#!/bin/sh\n").expect("a launcher");
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).expect("permissions");
    let said = "say \"hi\" to $HOME \\ %n\nand 'bye'".to_owned();
    let environment = vec![("GREETING".to_owned(), said)];
    Unit { root, data: "/srv/data of 100%".into(), environment, ..Unit::default() }
}

#[test]
fn the_default_unit() {
    insta::assert_snapshot!(Unit::default().text().expect("a unit"));
}

#[test]
fn a_release_ships_the_default_unit() {
    let installed = Built::shared().unpack();
    let text =
        fs::read_to_string(installed.release().join("systemd/hub-platform.service")).expect("the unit");
    assert_eq!(text, Unit::default().text().expect("a unit"));
}

#[test]
fn systemd_finds_the_service_well_confined() {
    let folder = tempfile::tempdir().expect("a folder");
    for listen in ["127.0.0.1:8001", "0.0.0.0:443"] {
        let unit = Unit { listen: listen.parse().expect("an address"), ..Unit::default() };
        let threshold = format!("--threshold={EXPOSURE}");
        let text = unit.text().expect("a unit");
        let Some(ran) = analyze(folder.path(), &text, &["security", "--offline=true", &threshold]) else {
            return;
        };
        println!("{listen}: {}", ran.stdout.lines().last().unwrap_or_default());
        ran.expect(0);
    }
}

#[test]
fn systemd_understands_every_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = unit(folder.path()).text().expect("a unit");
    let verify = |text: &str| analyze(folder.path(), text, &["verify", "--recursive-errors=no"]);
    let Some(ran) = verify(&text) else { return };
    let ran = ran.expect(0);
    assert_eq!(ran.stderr, "", "{text}");
    // It would have said so: a path that is not quoted is another one.
    let broken = verify(&text.replace('"', "")).expect("systemd-analyze is there");
    assert!(broken.stderr.contains("is not executable"), "{}", broken.stderr);
}
