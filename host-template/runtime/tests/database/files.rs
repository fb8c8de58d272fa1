//! SQLite files that are moved away, removed, replaced, or held by another program while a host works with them.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::world::{World, is, until};
use crate::program::{self, Host, command, run};

/// A database file that is gone, or that nobody can write, takes no requests that would be lost.
#[test]
fn readyz_tells_of_a_file_that_is_gone() {
    let world = World::new(None);
    let host = world.host();
    assert_eq!(host.get("/readyz").status, 200);
    fs::rename(world.folder.path("data/hub.db"), world.folder.path("data/moved.db")).unwrap();
    until("it is ready", || host.get("/readyz").status == 503);
    assert!(host.get("/readyz").text.contains("the database's file is gone"));
    fs::rename(world.folder.path("data/moved.db"), world.folder.path("data/hub.db")).unwrap();
    until("it is not ready", || host.get("/readyz").status == 200);
}

/// What is answered 201 is in the file that others find by its name.
#[test]
fn nothing_is_written_into_a_file_that_was_moved_or_replaced() {
    for (what, said) in [
        ("moved", "was moved or removed"),
        ("removed", "was moved or removed"),
        ("replaced", "another file was put"),
    ] {
        let world = World::new(None);
        let host = world.host();
        host.enable("good");
        let add = || host.post("/api/good/notes", r#"{"text": "x"}"#);
        let note = add().header("location").to_owned();
        let path = |name: &str| world.folder.path(&format!("data/{name}"));
        let file = path("hub.db");
        match what {
            "moved" => fs::rename(&file, path("moved.db")).unwrap(),
            "removed" => fs::remove_file(&file).unwrap(),
            // As a copy is brought back: by a rename, under the same name.
            _ => {
                fs::copy(&file, path("copy.db")).unwrap();
                fs::rename(path("copy.db"), &file).unwrap();
            }
        }
        // The very next one, and everything that begins a transaction too.
        is(&add(), 503, "database-moved");
        assert_eq!(add().header("retry-after"), "60");
        is(&host.post("/api/records", r#"{"title": "One more", "status": "open"}"#), 503, "database-moved");
        is(&host.post("/api/plugins/good/disable", r#"{"scope": "org"}"#), 503, "database-moved");
        assert_eq!(host.get(&note).status, 200, "{what}: readers read on");
        until("it is ready", || host.get("/readyz").status == 503);
        host.logs(said);
        host.logs("to go on with another one, stop the host");
        host.logs("everything that was written to the database");
        let log = path("hub.db-wal");
        assert_eq!(fs::metadata(&log).unwrap().len(), 0, "{what}: nothing is left for another file");
        let told = host.log().lines().filter(|line| line.contains("no change is taken until")).count();
        assert_eq!(told, 1, "{what}: told once: {}", host.log());
        assert_eq!(file.exists(), what == "replaced", "{what}: no other file is made in its place");
        if what == "moved" {
            fs::rename(path("moved.db"), &file).unwrap();
            assert_eq!(add().status, 201, "{}", host.log());
            until("it is not ready", || host.get("/readyz").status == 200);
        }
    }
}

/// Notes in a database file, which nobody works with; none where python3 is not installed.
fn notes(file: &Path) -> Option<u64> {
    let python = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); \
                  assert c.execute('PRAGMA integrity_check').fetchall() == [('ok',)]; \
                  print(c.execute('SELECT count(*) FROM plugin_good_notes').fetchone()[0]); c.close()";
    let Ok(asked) = Command::new("python3").args(["-c", python]).arg(file).output() else {
        program::skip("rows of a database file: python3 is not installed");
        return None;
    };
    assert!(asked.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&asked.stderr));
    Some(String::from_utf8(asked.stdout).unwrap().trim().parse().unwrap())
}

/// What was answered 201 is in the file wherever that went, and in no other one that has its name at the next start.
#[test]
fn a_file_that_was_moved_or_replaced_has_all_that_was_written_and_no_other_has() {
    for what in ["moved", "replaced"] {
        let world = World::new(None);
        let path = |name: &str| world.folder.path(&format!("data/{name}"));
        let (file, old) = (path("hub.db"), path("old.db"));
        let add = |host: &Host| host.post("/api/good/notes", r#"{"text": "x"}"#);
        let ends = |host: Host| {
            let (status, log) = host.stop();
            assert_eq!(status, Some(0), "{log}");
            let log = fs::metadata(path("hub.db-wal")).map_or(0, |about| about.len());
            assert_eq!(log, 0, "{what}: nothing is left for another file");
        };
        // A copy of a host that has ended, with one note.
        let host = world.host();
        host.enable("good");
        assert_eq!(add(&host).status, 201);
        ends(host);
        fs::copy(&file, path("copy.db")).unwrap();
        // Two more, which are in the log alone.
        let host = world.host();
        assert_eq!((add(&host).status, add(&host).status), (201, 201));
        assert!(fs::metadata(path("hub.db-wal")).unwrap().len() > 0);
        match what {
            "moved" => fs::rename(&file, &old).unwrap(),
            _ => {
                fs::hard_link(&file, &old).unwrap();
                fs::rename(path("copy.db"), &file).unwrap();
            }
        }
        // Whether somebody asks or not.
        if what == "moved" {
            is(&add(&host), 503, "database-moved");
        }
        ends(host);
        let Some(in_old) = notes(&old) else { return };
        assert_eq!(in_old, 3, "{what}");
        // A start with what lies there then: the same file, or the copy.
        if what == "moved" {
            fs::rename(&old, &file).unwrap();
        } else {
            assert_eq!(notes(&file), Some(1));
        }
        let host = world.host();
        assert_eq!(add(&host).status, 201, "{}", host.log());
        ends(host);
        assert_eq!(notes(&file), Some(if what == "moved" { 4 } else { 2 }), "{what}");
        if what == "replaced" {
            assert_eq!(notes(&old), Some(3), "the old one stays as it was");
        }
    }
}

/// What a killed host has left goes into no other file, whoever opens that first, and is still there for its own.
#[test]
fn the_log_of_a_killed_host_goes_into_no_other_file() {
    let world = World::new(None);
    let path = |name: &str| world.folder.path(&format!("data/{name}"));
    let (file, old) = (path("hub.db"), path("crashed.db"));
    let add = |host: &Host| assert_eq!(host.post("/api/good/notes", r#"{"text": "x"}"#).status, 201);
    let host = world.host();
    host.enable("good");
    add(&host);
    host.stop();
    fs::copy(&file, path("copy.db")).unwrap();
    let host = world.host();
    add(&host);
    host.kill();
    drop(host);
    fs::rename(&file, &old).unwrap();
    fs::rename(path("copy.db"), &file).unwrap();
    let left = fs::read(path("hub.db-wal")).unwrap();
    assert!(!left.is_empty());
    for arguments in [
        &["serve"][..],
        &["admin", "list-users"],
        &["admin", "end-sessions", "--all"],
        &["warehouses", "list"],
    ] {
        let mut asked = command(&world.folder);
        world.prepare(&mut asked);
        asked.args(arguments);
        let (status, _, said) = run(asked);
        assert_eq!(status, Some(3), "{arguments:?}: {said}");
        for part in ["before another file was put in its place", "move the log and the -shm beside it away"] {
            assert!(said.contains(part), "{arguments:?} does not say `{part}`: {said}");
        }
        assert!(fs::read(path("hub.db-wal")).unwrap() == left, "{arguments:?}");
    }
    // The copy without the log, and the old file with it.
    let aside = path("crashed.db-wal");
    fs::rename(path("hub.db-wal"), &aside).unwrap();
    let host = world.host();
    add(&host);
    host.stop();
    fs::rename(&file, path("copy.db")).unwrap();
    fs::rename(&old, &file).unwrap();
    fs::rename(&aside, path("hub.db-wal")).unwrap();
    let host = world.host();
    add(&host);
    host.stop();
    let (Some(copy), Some(own)) = (notes(&path("copy.db")), notes(&file)) else { return };
    assert_eq!((copy, own), (2, 3));
}

/// Another installation's file in this one's data folder is told by the first start with it.
#[test]
fn a_file_that_this_folders_host_never_had_is_told() {
    let (own, other) = (World::new(None), World::new(None));
    for world in [&own, &other] {
        let (_, log) = world.host().stop();
        assert!(!log.contains("has never worked with this database"), "{log}");
    }
    fs::copy(other.folder.path("data/hub.db"), own.folder.path("data/hub.db")).unwrap();
    let told = || own.host().stop().1.contains("has never worked with this database");
    assert!(told());
    assert!(!told(), "it has by now");
    // A folder that is new may begin with any file.
    fs::remove_file(own.folder.path("data/host-id")).unwrap();
    assert!(!told());
}

/// Nobody has to ask: the host looks by itself.
#[test]
fn a_file_that_was_moved_is_told_without_a_request() {
    let world = World::new(None);
    let host = world.host();
    fs::rename(world.folder.path("data/hub.db"), world.folder.path("data/moved.db")).unwrap();
    host.logs("was moved or removed while it is in use");
}

#[test]
fn s19_a_sqlite_file_that_another_program_holds_is_503() {
    let world = World::new(None);
    let host = world.host();
    host.enable("good");
    // Another program holds the file for as long as this test keeps its standard input open.
    let file = world.folder.path("data/hub.db");
    let python = format!(
        "import sqlite3,sys; c=sqlite3.connect({:?}); c.isolation_level=None; c.execute('BEGIN IMMEDIATE'); print('x', flush=True); sys.stdin.read()",
        file.display().to_string()
    );
    let mut holder = Command::new("python3");
    holder.args(["-c", &python]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut holder) = holder.spawn() else {
        program::skip("a database file that another program holds: python3 is not installed");
        return;
    };
    let mut line = [0; 1];
    holder.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
    let answer = host.post("/api/good/notes", r#"{"text": "x"}"#);
    is(&answer, 503, "database-busy");
    assert_eq!(answer.header("retry-after"), "3");
    assert_eq!(host.get("/api/records").status, 200, "readers read on");
    // Waiting closes its standard input.
    holder.wait().unwrap();
    assert_eq!(host.post("/api/good/notes", r#"{"text": "x"}"#).status, 201);
}
