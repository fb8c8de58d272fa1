//! S9: an install folder of which parts are links to another disk, and what lies in the place of its files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::At;
use crate::program::{behind, command, run, run_with};

/// An installation whose releases lie on another disk, with data of its own.
fn on_another_disk() -> At {
    let at = At::new(&[]);
    at.release_of_program("1.0.0");
    fs::create_dir_all(at.0.path("big")).unwrap();
    fs::rename(at.root().join("releases"), at.0.path("big/releases")).unwrap();
    symlink(at.0.path("big/releases"), at.root().join("releases")).unwrap();
    symlink("releases/1.0.0", at.root().join("current")).unwrap();
    let note = serde_json::json!({"format": 1, "data_dir": at.data()});
    fs::write(at.root().join("install.json"), note.to_string()).unwrap();
    at
}

/// A command of the program at this path, with nothing that names a data folder.
fn hub(at: &At, program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env("HOME", at.0.path("home"));
    for name in ["INSTALL_DIR", "DATA_DIR", "DATABASE_URL", "LISTEN", "RUST_LOG", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command
}

const NEW: &[&str] =
    &["admin", "create-user", "--email", "ann@example.com", "--org", "North", "--role", "admin"];

/// The data folder is the installation's, whatever is a link; what somebody names goes first.
#[test]
fn s9_releases_on_another_disk_leave_the_data_folder_where_it_is() {
    let at = on_another_disk();
    let settled = format!("data folder {} (settled by setup)", at.data().display());
    let there = at.0.path("big/releases/1.0.0/bin/hub-platform");
    for program in ["releases/1.0.0/bin/hub-platform", "current/bin/hub-platform"] {
        let (status, _, said) = run_with(hub(&at, &at.root().join(program), NEW), "a long password\n");
        assert_eq!(status, Some(0), "{program}: {said}");
        assert!(said.contains(&settled), "{program}: {said}");
    }
    // As the launcher hands it to the host.
    let mut handed = hub(&at, &there, &["admin", "list-users"]);
    handed.arg0("hub-platform").env("INSTALL_DIR", at.root().join("releases/1.0.0"));
    let (status, out, said) = run(handed);
    assert!(status == Some(0) && out.contains("ann@example.com") && said.contains(&settled), "{out}{said}");
    // Another release's folder says nothing of where this program lies.
    let mut strange = hub(&at, &at.root().join("current/bin/hub-platform"), &["admin", "list-users"]);
    strange.env("INSTALL_DIR", at.0.path("release"));
    let (status, _, said) = run(strange);
    assert!(status == Some(0) && said.contains(&settled), "{said}");
    let other = at.0.path("other");
    let mut named = hub(&at, &at.root().join("current/bin/hub-platform"), NEW);
    named.env("DATA_DIR", &other);
    let (status, _, said) = run_with(named, "a long password\n");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("data folder {} (DATA_DIR)", other.display())), "{said}");
    assert!(!at.0.path("home").exists(), "nothing was begun in the user's own folder");

    // Whoever looks is told where they lie, and a setup takes them as its own.
    let told = format!("{} → {}", at.root().join("releases").display(), at.0.path("big/releases").display());
    let (status, out, said) = run(hub(&at, &at.root().join("current/bin/hub-platform"), &["verify"]));
    assert_eq!(status, Some(0), "{out}{said}");
    assert!(out.contains(&told), "{out}");
    let mut setup = hub(&at, &there, &["setup", "--no-service", "--install-dir"]);
    let (status, out, said) = run({
        setup.arg(at.root());
        setup
    });
    assert_eq!(status, Some(0), "{out}{said}");
    assert!(said.contains(&settled), "{said}");
    // A disk that is not mounted is told, not taken for an installation without releases.
    fs::rename(at.0.path("big"), at.0.path("away")).unwrap();
    let (status, out, said) = at.ran(&["verify"]);
    assert!(
        status != Some(0) && said.contains("which is not there") && said.contains("is a disk not mounted?"),
        "{out}{said}"
    );
}

/// Notes and settings that are links to nowhere are lost, and no database is begun without them.
#[test]
fn s9_a_link_to_nowhere_is_no_file_that_nobody_wrote() {
    let at = on_another_disk();
    let program = at.root().join("current/bin/hub-platform");
    for file in [at.data().join(".env"), at.root().join("install.json")] {
        let _ = fs::remove_file(&file);
        symlink("/nowhere/at/all", &file).unwrap();
        for arguments in [NEW, &["serve", "--listen", "127.0.0.1:0"]] {
            let (status, _, said) = run_with(hub(&at, &program, arguments), "a long password\n");
            assert_eq!(status, Some(3), "{arguments:?}: {said}");
            assert!(
                said.contains(&format!("cannot read {}", file.display())) && said.contains("/nowhere/at/all"),
                "{said}"
            );
        }
        assert!(!at.data().join("hub.db").exists() && !at.0.path("home").exists());
        fs::remove_file(&file).unwrap();
    }
}

/// What `current` leads to out of the folder is no release, whatever it is called: it is told, and not run.
#[test]
fn s9_a_current_that_leads_out_of_the_install_folder_is_told() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    let proof = at.0.path("proof");
    let theirs = at.0.path("theirs/0.2.0/bin/hub-platform");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, format!("#!/bin/sh\ntouch {}\necho '[]'\n", proof.display())).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(at.0.path("theirs/0.2.0"), at.root().join("current")).unwrap();
    let told = format!(
        "{} leads to {}, which is no release of this install folder",
        at.root().join("current").display(),
        at.0.path("theirs/0.2.0").display()
    );
    for arguments in [&["verify"][..], &["doctor"], &["rollback"], &["upgrade", "--dry-run"]] {
        let (status, out, said) = at.ran(arguments);
        assert!(said.contains(&told), "{arguments:?}: {out}{said}");
        assert_eq!(status == Some(0), arguments[0] == "upgrade", "{arguments:?}: {out}{said}");
    }
    // Nor does a host that looks at the release in use take it for that.
    let mut preflight = command(&at.0);
    preflight.args(["preflight", "--json"]).env("INSTALL_DIR", at.root().join("releases/0.2.0"));
    let (_, out, said) = run(preflight);
    assert!(out.contains("\"errors\"") && !proof.exists(), "{out}{said}");
    let (status, _, said) = at.ran(&["upgrade", "--restart", "true", "--health-timeout", "1"]);
    // No host answers here; `current` is the folder's own again all the same.
    assert_eq!(status, Some(1), "{said}");
    assert_eq!(at.install().current().map(|version| version.to_string()).as_deref(), Some("0.2.0"), "{said}");
    assert!(!proof.exists());
}

/// No command waits for what lies in the place of a lock, and none goes through it.
#[test]
fn a_lock_that_is_a_pipe_a_folder_or_a_link_is_told_at_once() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let own = at.release_of_program("7.8.9");
    let lock = at.root().join(".lock");
    let made = |kind: &str| {
        let _ = fs::remove_file(&lock).or_else(|_| fs::remove_dir(&lock));
        match kind {
            "pipe" => assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success()),
            "folder" => fs::create_dir(&lock).unwrap(),
            _ => symlink(at.0.path("elsewhere"), &lock).unwrap(),
        }
    };
    for kind in ["pipe", "folder", "link"] {
        made(kind);
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(at.data());
        for command in [at.hub(&["upgrade"]), at.hub(&["rollback"]), setup] {
            let (status, out, said) = run(behind(&command, &["timeout", "-k", "1", "60"]));
            assert_eq!(status, Some(3), "{kind}: {out}{said}");
            let want = if kind == "link" { "it is a link" } else { "it is not a regular file" };
            assert!(said.contains(&format!("cannot lock {}: {want}", lock.display())), "{kind}: {said}");
        }
        assert!(!at.0.path("elsewhere").exists());
    }
    let _ = fs::remove_file(&lock);
    // Those of the data folder are the same.
    for name in ["host.lock", "runs.lock", "host-id"] {
        let file = at.data().join(name);
        let _ = fs::remove_file(&file);
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        let mut serve = command(&at.0);
        serve.args(["serve", "--listen", "127.0.0.1:0"]);
        let (status, _, said) = run(behind(&serve, &["timeout", "-k", "1", "60"]));
        assert_eq!(status, Some(3), "{name}: {said}");
        assert!(said.contains(&format!("{}: it is not a regular file", file.display())), "{name}: {said}");
        fs::remove_file(&file).unwrap();
    }
}
