//! O3, O5: commands find the installation that they lie in, and a data folder has one host.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::At;
use crate::program::{Folder, Host, command, run, run_with};

/// Commands that work with a database, and begin none.
const NEED_A_DATABASE: [&[&str]; 7] = [
    &["admin", "list-users"],
    &["admin", "list-users", "--json"],
    &["admin", "reset-password", "--email", "ann@example.com"],
    &["admin", "end-sessions", "--all"],
    &["warehouses", "list"],
    &["warehouses", "move", "--org", "North", "--workspace", "finance"],
    &["warehouses", "forget", "--org", "North", "--workspace", "finance"],
];

/// O3: a file that another program made, or an empty one, is no installation, and is left as it is.
#[test]
fn o3_a_file_without_the_platforms_tables_is_no_installation() {
    let folder = Folder::release();
    let file = folder.path("data/hub.db");
    let list = || {
        let mut list = command(&folder);
        list.args(["admin", "list-users"]);
        run(list)
    };
    for text in ["", "this is no database"] {
        fs::write(&file, text.repeat(100)).unwrap();
        let (status, _, said) = list();
        assert_eq!(status, Some(if text.is_empty() { 2 } else { 3 }), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text.repeat(100));
    }
    fs::remove_file(&file).unwrap();
    let python = format!(
        "import sqlite3; sqlite3.connect({:?}).execute('CREATE TABLE theirs (a)')",
        file.display().to_string()
    );
    let mut other = Command::new("python3");
    other.args(["-c", &python]);
    if !other.output().is_ok_and(|output| output.status.success()) {
        crate::program::skip("a database of another program: python3 is not installed");
        return;
    }
    let before = fs::read(&file).unwrap();
    let (status, _, said) = list();
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("holds no table of the platform's") && said.contains("DATA_DIR"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!folder.path("data/hub.db-wal").exists());
}

/// O3: a line of `.env` that nobody understands may be the one that names the database: nothing is begun beside it.
#[test]
fn o3_no_database_is_begun_where_a_line_of_env_is_lost() {
    let folder = Folder::release();
    let env = folder.path("data/.env");
    let ran = |arguments: &[&str]| {
        let mut command = command(&folder);
        command.args(arguments);
        run(command)
    };
    let url = "DATABASE_URL=sqlite:///nowhere/at/all.db";
    let lost: [Vec<u8>; 4] = [
        format!("# ours\nset {url}\n").into_bytes(),
        format!("# ours\n{}\n", url.replace('=', ": ")).into_bytes(),
        format!("# ours\n{}\n", url.replace('=', "=\"")).into_bytes(),
        [b"# ours\nDATABASE_URL=sqlite:///nowhere/\xff.db\n".to_vec()].concat(),
    ];
    for text in lost {
        fs::write(&env, &text).unwrap();
        for arguments in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["admin", "create-user", "--email", "a@b.example", "--org", "North"],
        ] {
            let (status, _, said) = ran(arguments);
            assert_eq!(status, Some(3), "{arguments:?}: {said}");
            assert!(
                said.contains("line 2 is left out") && said.contains("would be a new database"),
                "{said}"
            );
            assert!(!said.contains("nowhere"), "a line may be a password: {said}");
            assert!(!folder.path("data/hub.db").exists(), "{arguments:?}");
        }
        // Whoever only looks is told, and goes on.
        let (status, _, said) = ran(&["plugins", "list"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("line 2 is left out"), "{said}");
    }
    // As editors and shells write it, the database is the one that is named.
    for text in [format!("\u{feff}{url}\n"), format!("export {url}\n")] {
        fs::write(&env, text).unwrap();
        let (status, _, said) = ran(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("/nowhere/at/all.db") && !folder.path("data/hub.db").exists(), "{said}");
    }
}

/// O3: a slip of the pen in `.env` begins no database either; where there is one, it is told.
#[test]
fn o3_a_misspelt_database_is_no_new_one() {
    let folder = Folder::release();
    let env = folder.path("data/.env");
    let ran = |arguments: &[&str]| {
        let mut command = command(&folder);
        command.args(arguments);
        run_with(command, "a long password\n")
    };
    let new = ["admin", "create-user", "--email", "a@b.example", "--org", "North"];
    let url = "sqlite:///nowhere/at/all.db";
    for (text, want) in [
        (
            format!("DATABSE_URL={url}\n"),
            "`DATABSE_URL` is no variable of the host, which knows `DATABASE_URL`",
        ),
        (format!("database_url={url}\n"), "which knows `DATABASE_URL`"),
        (format!("HUB_DATABASE_URL={url}\n"), "`DATABASE_URL` is the name"),
        (format!("HUB_DEMO=1 DATABASE_URL={url}\n"), "the value of `HUB_DEMO` holds `DATABASE_URL=`"),
        (format!("A='1\nDATABASE_URL={url}\nB='2\n"), "the value of `A` holds `DATABASE_URL=`"),
    ] {
        fs::write(&env, text).unwrap();
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &new] {
            let (status, _, said) = ran(arguments);
            assert_eq!(status, Some(3), "{arguments:?}: {said}");
            assert!(said.contains(want) && said.contains("would be a new database"), "{want}: {said}");
            assert!(!said.contains("nowhere"), "a value may be a password: {said}");
            assert!(!folder.path("data/hub.db").exists(), "{arguments:?}");
        }
    }
    // Whoever says which database is meant, or has one, is only told.
    fs::write(
        &env,
        format!("DATABASE_URI={url}\nDATABASE_URL=sqlite://{}\n", folder.path("data/hub.db").display()),
    )
    .unwrap();
    let (status, _, said) = ran(&new);
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("DATABASE_URI"), "{said}");
    fs::write(&env, format!("DATABASE_URI={url}\nLISTN=127.0.0.1:1\n")).unwrap();
    let (status, _, said) = ran(&["admin", "list-users"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("warning: ") && said.contains("`DATABASE_URL`") && said.contains("`LISTEN`"),
        "{said}"
    );
}

/// O3: the data folder that setup settled is found by every command, and said.
#[test]
fn o3_commands_find_the_installation_that_they_lie_in() {
    let at = At::new(&[]);
    let own = at.root().join("releases/1.0.0/bin/hub-platform");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    let program = command(&at.0).get_program().to_owned();
    if fs::hard_link(&program, &own).is_err() {
        fs::copy(&program, &own).unwrap();
    }
    let home = at.0.path("home");
    let data = at.data();
    let hub = |arguments: &[&str]| {
        let mut command = command(&at.0);
        let mut own = Command::new(&own);
        for (name, value) in command.args(arguments).get_envs() {
            if let Some(value) = value {
                own.env(name, value);
            } else {
                own.env_remove(name);
            }
        }
        own.args(arguments).env_remove("DATA_DIR").env("HOME", &home);
        own
    };
    let new = ["admin", "create-user", "--email", "ann@example.com", "--org", "North", "--role", "admin"];
    // Nothing settled, nothing there: it asks rather than make a database that nobody looks into.
    if !Path::new("/data/honeyframe").exists() {
        let (status, _, said) = run_with(hub(&new), "a long password\n");
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("there is no installation here") && said.contains("--data-dir"), "{said}");
        assert!(!home.join(".local").exists());
        // Nor does any other command make one, so that it would not be asked for any more.
        let own = home.join(".local/share/honeyframe").display().to_string();
        for command in NEED_A_DATABASE {
            let (status, out, said) = run_with(hub(command), "a long password\n");
            assert_eq!((status, out.as_str()), (Some(2), ""), "{command:?}: {said}");
            for part in [&*own, &format!("{own}/hub.db"), "--data-dir DIR", "DATA_DIR=DIR"] {
                assert!(said.contains(part), "{command:?} does not say `{part}`: {said}");
            }
        }
        for command in [&["plugins", "list"][..], &["drivers", "list"], &["hand-over"]] {
            run(hub(command));
        }
        // One rule for all: `doctor` looks where `list-users` does.
        let (_, out, _) = run(hub(&["doctor"]));
        assert!(out.contains(&format!("data  {own} (")), "{out}");
        assert!(!home.exists(), "{:?}", fs::read_dir(&home).map(|all| all.flatten().collect::<Vec<_>>()));
        assert_eq!(run_with(hub(&new), "a long password\n").0, Some(2));
    }
    // A name that is mistyped is a folder that is not there, and stays so.
    let typo = at.0.path("dtaa").display().to_string();
    for command in NEED_A_DATABASE {
        let (status, _, said) =
            run_with(hub(&[command, &["--data-dir", &typo]].concat()), "a long password\n");
        assert_eq!(status, Some(2), "{command:?}: {said}");
        assert!(said.contains(&format!("{typo} (--data-dir)")), "{command:?}: {said}");
    }
    let (_, _, said) = run(hub(&["plugins", "list", "--data-dir", &typo]));
    assert!(said.contains(&format!("there is no data folder {typo}")), "{said}");
    assert!(!Path::new(&typo).exists());
    fs::write(
        at.root().join("install.json"),
        serde_json::json!({"format": 9, "data_dir": data, "from": "the future"}).to_string(),
    )
    .unwrap();
    let (status, _, said) = run_with(hub(&new), "a long password\n");
    assert_eq!(status, Some(0), "{said}");
    let want =
        format!("data folder {} (settled by setup), database {}/hub.db", data.display(), data.display());
    assert!(said.contains(&want), "{said}");
    assert_eq!(said.matches("data folder").count(), 1, "{said}");
    let (status, out, said) = run(hub(&["admin", "list-users"]));
    assert!(status == Some(0) && out.contains("ann@example.com"), "{out}{said}");
    assert!(said.contains(&want) && said.lines().count() == 1, "{said}");
    let (_, out, _) = run(hub(&["doctor"]));
    assert!(out.contains(&format!("data  {} (settled by setup)", data.display())), "{out}");
    assert!(data.join("hub.db").is_file() && !home.exists());
    let (status, _, said) = run(hub(&["plugins", "list"]));
    assert_eq!(status, Some(0), "{said}");
    // A flag goes first, wherever it stands.
    let other = at.0.path("other").display().to_string();
    let (status, _, said) = run_with(hub(&[&["--data-dir", &other], &new[..]].concat()), "a long password\n");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("data folder {other} (--data-dir)")), "{said}");
    // What `.env` says counts, and a shell's variable that says another thing is not guessed about.
    let elsewhere = at.0.path("elsewhere.db").display().to_string();
    fs::write(data.join(".env"), format!("DATABASE_URL=sqlite://{elsewhere}\n")).unwrap();
    let (status, _, said) = run_with(hub(&new), "a long password\n");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("database {elsewhere}")) && Path::new(&elsewhere).is_file(), "{said}");
    let mut both = hub(&new);
    both.env("DATABASE_URL", "postgres://hub:s3cret@db/hub");
    let (status, _, said) = run_with(both, "a long password\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("two databases could be meant") && !said.contains("s3cret"), "{said}");
    // Half a file is said to be one.
    fs::write(at.root().join("install.json"), "{").unwrap();
    let (status, _, said) = run(hub(&["plugins", "list"]));
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("install.json cannot be understood"), "{said}");
}

/// A monitor that runs `doctor` hears of a service that is set up and does not answer; where none is, there is nothing to mend.
#[test]
fn doctor_expects_an_answer_where_a_service_is_set_up() {
    let at = At::new(&["0.1.0"]);
    at.is("0.1.0", &[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    at.0.write("data/.env", &format!("LISTEN={free}\n"));
    for (restart, silent) in [(&[][..], true), (&["sh", "-c", "sv restart hub"], false)] {
        let settled = serde_json::json!({"format": 1, "data_dir": at.data(), "restart": restart});
        fs::write(at.root().join("install.json"), settled.to_string()).unwrap();
        let (_, out, said) = at.ran(&["doctor"]);
        let told = format!("nothing answers at http://{free}");
        assert_eq!(out.contains(&format!("silent  {told}")), silent, "{out}{said}");
        let wrong = format!("{told}, and `sv restart hub` was settled to restart it");
        assert_eq!(said.contains(&wrong), !silent, "{out}{said}");
    }
}

/// O5: a second host on one data folder.
#[test]
fn o5_a_second_host_on_a_data_folder_is_refused_and_a_successor_is_not() {
    let folder = Folder::release();
    let mut host = Host::start(&folder, |_| {});
    let second = |folder: &Folder| {
        let mut second = command(folder);
        second.args(["serve", "--listen", "127.0.0.1:0"]);
        run(second)
    };
    let (status, _, said) = second(&folder);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&format!("process {} serves from the data folder", host.process())), "{said}");
    let (status, said) = host.hand_over(&folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    let (status, _, said) = second(&folder);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&format!("process {} serves from", host.process())), "{said}");
    // However it ends, the folder is free.
    host.kill();
    std::thread::sleep(Duration::from_millis(200));
    let host = Host::start(&folder, |_| {});
    host.stop();
}
