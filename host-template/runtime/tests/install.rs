//! Install commands on folders of their own: what a kill leaves, whose the data folder is, and what root does not do there.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hub_release::manifest::seal;
use hub_release::{Install, hash};
use program::{ADMIN, Folder, Host, PASSWORD, command, run, run_with};
use semver::Version;

/// A user that no machine has.
const STRANGER: u32 = 54_321;

/// A host that says that all is well.
const SOUND: &str = "#!/bin/sh\necho '{\"errors\":[]}'\n";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An install folder with releases of a few files.
struct At(Folder);

impl At {
    fn new(versions: &[&str]) -> At {
        let at = At(Folder::release());
        // What another user is to reach.
        fs::set_permissions(at.0.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for version in versions {
            at.release(version, &[]);
        }
        at
    }

    fn root(&self) -> PathBuf {
        self.0.path("opt")
    }

    fn install(&self) -> Install {
        Install::at(self.root())
    }

    fn data(&self) -> PathBuf {
        self.0.path("data")
    }

    /// Unpacks a release with these files besides its own.
    fn release(&self, version: &str, more: &[(&str, &str)]) {
        let folder = self.root().join("releases").join(version);
        let mut files =
            vec![("bin/hub-platform", SOUND), ("bin/hub-launch", SOUND), ("web/index.html", "page")];
        files.extend(more);
        let mut listed = Vec::new();
        for (path, text) in files {
            let (file, mode) = (folder.join(path), if path.starts_with("bin/") { 0o755 } else { 0o644 });
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            listed.push(serde_json::json!({
                "path": path, "size": text.len(), "mode": format!("{mode:04o}"), "sha256": hash::of_bytes(text.as_bytes()),
            }));
        }
        listed.sort_by_key(|file| file["path"].to_string());
        let list = serde_json::json!({"version": version, "plugins": [], "files": listed});
        fs::write(folder.join("RELEASE.json"), seal(format!("{list:#}\n"))).unwrap();
    }

    /// A command of the example host on this installation.
    fn hub(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.0);
        command.args(arguments).arg("--install-dir").arg(self.root());
        command
    }

    fn ran(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(self.hub(arguments))
    }

    fn chosen(&self) -> Option<String> {
        let chosen = self.install().choose(&mut |_| {}).unwrap();
        chosen.map(|(found, _)| found.version.to_string())
    }

    fn is(&self, current: &str, marked: &[&str]) {
        self.install().switch(&Version::parse(current).unwrap()).unwrap();
        let failed = self.root().join("failed");
        let _ = fs::remove_dir_all(&failed);
        fs::create_dir_all(&failed).unwrap();
        for version in marked {
            let mark = serde_json::json!({"version": version, "at": "", "why": "a test"});
            fs::write(failed.join(format!("{version}.json")), mark.to_string()).unwrap();
        }
    }
}

/// O2: the release that was to be gone back to does not stay the only one without a mark, or with one.
#[test]
fn o2_after_a_restart_that_fails_something_is_startable() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    let soon = ["--health-timeout", "1"];
    for command in [["rollback", "--restart", "false"], ["rollback", "--restart", "exit 7"]] {
        at.is("0.2.0", &[]);
        let (status, _, said) = at.ran(&[&command[..], &soon].concat());
        assert_eq!((status, at.chosen().as_deref()), (Some(3), Some("0.2.0")), "{said}");
        assert!(said.contains("`false` failed") || said.contains("`exit 7` failed"), "{said}");
        assert_eq!(at.install().current(), Some(Version::new(0, 2, 0)));
    }
    // A downgrade to a release that bears a mark.
    at.is("0.2.0", &["0.1.0"]);
    let (status, _, said) = at.ran(&["rollback", "--restart", "false"]);
    assert_eq!((status, at.chosen().as_deref()), (Some(1), Some("0.2.0")), "{said}");
    // The only release there is stays the one that is started, whatever its restart says.
    fs::remove_dir_all(at.root().join("releases/0.1.0")).unwrap();
    at.is("0.2.0", &[]);
    let (status, _, said) = at.ran(&["upgrade", "--restart", "false"]);
    assert_eq!((status, at.chosen().as_deref()), (Some(1), Some("0.2.0")), "{said}");
}

/// O2: what is said names the host that serves, and what to restart.
#[test]
fn o2_a_restart_that_does_nothing_is_told_with_the_host_that_serves() {
    let at = At::new(&["0.1.0", "7.8.9"]);
    let host = Host::start(&at.0, |_| {});
    fs::write(at.data().join(".env"), format!("LISTEN={}\n", host.address)).unwrap();
    let still = format!(
        "the host that ran before still serves at http://{}: release 7.8.9, process {}",
        host.address,
        host.process()
    );
    at.is("7.8.9", &[]);
    let soon = ["--health-timeout", "1"];
    let (status, _, said) = at.ran(&[&["rollback", "--restart", "false"][..], &soon].concat());
    assert!(status.is_some_and(|status| status != 0), "{said}");
    for part in [
        "release 0.1.0 was not started: `false` failed",
        &*still,
        "release 7.8.9",
        "run that command by hand",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("does not serve"), "{said}");
    // Nothing to go back to.
    fs::remove_dir_all(at.root().join("releases/7.8.9")).unwrap();
    at.is("0.1.0", &[]);
    let (status, _, said) = at.ran(&[&["upgrade", "--restart", "false"][..], &soon].concat());
    assert_eq!(status, Some(1), "{said}");
    let restart = format!("restart the host that runs now (process {})", host.process());
    for part in ["release 0.1.0 was not started: `false` failed", &*still, &*restart] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("does not serve"), "{said}");
    host.stop();
}

/// O2: killed at every system call that changes something.
#[test]
fn o2_a_kill_at_any_moment_of_a_rollback_leaves_a_release_to_start() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("HUB_REQUIRE_ALL").is_none(), "strace is not installed");
        program::skip("strace is not installed");
        return;
    }
    let at = At::new(&["0.1.0", "0.2.0", "0.3.0"]);
    let trace = at.0.path("trace");
    let calls =
        "openat,write,mkdir,fchmod,chmod,fsync,rename,renameat,symlink,symlinkat,unlink,unlinkat,rmdir";
    let traced = |options: &[String], arguments: &[&str]| {
        let of = at.hub(arguments);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&trace).args(options).arg(of.get_program()).args(of.get_args());
        for (name, value) in of.get_envs() {
            match value {
                Some(value) => strace.env(name, value),
                None => strace.env_remove(name),
            };
        }
        run(strace)
    };
    // What is done, from which state, and how the service takes it.
    let cases: [(&[&str], &str, &[&str]); 4] = [
        (&["rollback", "--restart", "true"], "0.3.0", &[]),
        (&["rollback", "--restart", "false"], "0.3.0", &["0.1.0"]),
        (&["upgrade", "--restart", "false"], "0.2.0", &["0.2.0"]),
        (&["upgrade", "--restart", "false"], "0.1.0", &["0.2.0", "0.3.0"]),
    ];
    let mut tried = BTreeMap::new();
    for (arguments, current, marked) in cases {
        let mut arguments = arguments.to_vec();
        // Nothing answers: what is asked for fails, and the way back is gone too.
        arguments.extend(["--health-timeout", "1"]);
        at.is(current, marked);
        traced(&[format!("-etrace={calls}")], &arguments);
        let text = fs::read_to_string(&trace).unwrap();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for line in text.lines() {
            let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            let Some((call, rest)) = call.split_once('(') else { continue };
            let count = counts.entry(call).or_default();
            *count += 1;
            if call == "openat" && !rest.contains("O_CREAT") || call == "write" && !count.is_power_of_two() {
                continue;
            }
            if calls.split(',').any(|known| known == call) {
                tried
                    .entry((arguments.clone(), current, marked))
                    .or_insert_with(Vec::new)
                    .push((call.to_owned(), *count));
            }
        }
    }
    let mut points = 0;
    for ((arguments, current, marked), found) in &tried {
        // The last calls are those of the second wait.
        for (call, number) in found {
            at.is(current, marked);
            traced(
                &[format!("-etrace={call}"), format!("-einject={call}:signal=KILL:when={number}")],
                arguments,
            );
            assert!(at.chosen().is_some(), "{arguments:?} from {current}, killed at {call} {number}");
            points += 1;
        }
    }
    eprintln!("{points} points, and something to start at each");
    assert!(points >= 40, "only {points} points");
}

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
        program::skip("a database of another program: python3 is not installed");
        return;
    }
    let before = fs::read(&file).unwrap();
    let (status, _, said) = list();
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("holds no table of the platform's") && said.contains("DATA_DIR"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!folder.path("data/hub.db-wal").exists());
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

/// O9, O10: a start has no samples unless they are asked for, and tells of what is wrong with the customer's plugins.
#[test]
fn o9_o10_samples_are_for_demonstrations_and_bad_customer_plugins_are_warned_of() {
    let folder = Folder::release();
    folder.write("data/plugins/bad/plugin.yaml", "name: bad\nversion: one\ndisplay_name: Bad\n");
    folder.write(
        "data/plugins/mine/plugin.yaml",
        "name: mine\nversion: 1.0.0\ndisplay_name: Mine\ncolour: red\n",
    );
    let host = Host::start_as_admin(&folder, |_| {});
    assert_eq!(host.get("/api/records").json()["total"], 0);
    let log = host.log();
    let told = |log: &str, what: &[&str]| {
        log.lines().any(|line| line.contains(" WARN ") && what.iter().all(|word| line.contains(word)))
    };
    assert!(told(&log, &["plugins/bad is invalid", "version"]), "{log}");
    assert!(told(&log, &["plugins/mine", "colour"]), "{log}");
    // And when they are looked for anew.
    folder
        .write("data/plugins/late/plugin.yaml", "name: late\nversion: 1.0.0\ndisplay_name: Late\nsize: 9\n");
    host.signal("HUP");
    let begun = std::time::Instant::now();
    while !told(&host.log(), &["plugins/late", "size"]) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", host.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    host.stop();
    let host = Host::start_as_admin(&folder, |command| {
        command.arg("--demo");
    });
    assert_eq!(host.get("/api/records").json()["total"], 3);
    host.stop();
    let host = Host::start_as_admin(&folder, |_| {});
    assert_eq!(host.get("/api/records").json()["total"], 0);
    host.stop();
}

/// S9: what somebody has put beside a release's own files is not served and not run.
#[test]
fn s9_only_listed_files_are_read() {
    let at = At::new(&[]);
    let notes = "CREATE TABLE plugin_good_notes (id TEXT, text TEXT)";
    at.release(
        "1.0.0",
        &[("web/assets/app-1a2b.js", "let a"), ("plugins/good/migrations/0001_notes.sql", notes)],
    );
    let release = at.root().join("releases/1.0.0");
    for (path, text) in [
        ("web/evil.js", "evil"),
        ("web/assets/app-1a2b.js.br", "evil"),
        ("plugins/good/migrations/0002_evil.sql", "CREATE TABLE plugin_good_evil (id TEXT)"),
    ] {
        fs::write(release.join(path), text).unwrap();
    }
    assert_eq!(at.chosen(), None, "it is damaged");
    let (status, _, said) = at.ran(&["verify"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("has files that its list does not name") && said.contains("remove those files"),
        "{said}"
    );
    let host = Host::start_as_admin(&at.0, |command| {
        command.env("INSTALL_DIR", &release);
    });
    assert_eq!(host.get("/evil.js").status, 404);
    let answer = host.ask("GET", "/assets/app-1a2b.js", &[("accept-encoding", "br")], "");
    assert_eq!((answer.text.as_str(), answer.header("content-encoding")), ("let a", ""));
    host.enable("good");
    host.stop();
    let database = fs::read(at.data().join("hub.db")).unwrap();
    let wal = fs::read(at.data().join("hub.db-wal")).unwrap_or_default();
    let holds =
        |name: &[u8]| [&database, &wal].iter().any(|bytes| bytes.windows(name.len()).any(|w| w == name));
    assert!(holds(b"plugin_good_notes") && !holds(b"plugin_good_evil"));
}

/// S9: what the launcher does not start, `verify` calls wrong, and the other way round.
#[test]
fn s9_launcher_and_verify_judge_alike() {
    let at = At::new(&["0.1.0"]);
    let release = at.root().join("releases/0.2.0");
    let host = release.join("bin/hub-platform");
    let mode = |path: PathBuf, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let judged = |what: &str, chosen: &str, said: &[&str]| {
        let whole = chosen == "0.2.0";
        let (status, out, err) = at.ran(&["verify"]);
        let all = out + &err;
        assert_eq!(
            (at.chosen().as_deref(), status),
            (Some(chosen), Some(if whole { 0 } else { 1 })),
            "{what}: {all}"
        );
        for text in said {
            assert!(all.contains(text), "{what}: it does not say `{text}`: {all}");
        }
    };
    let fresh = || {
        let _ = fs::remove_dir_all(&release);
        at.release("0.2.0", &[("web/assets/app.js", "let a")]);
    };
    fresh();
    judged("whole", "0.2.0", &["whole  release 0.2.0: 4 files"]);
    for bits in [0o4755, 0o2755, 0o777, 0o775, 0o655] {
        fresh();
        mode(host.clone(), bits);
        let has = format!("bin/hub-platform has the mode {bits:04o} instead of 0755");
        judged(&has, "0.1.0", &[&has, "`hub-platform upgrade TARBALL`", "rm -r"]);
    }
    for (path, bits) in [("bin/hub-platform", 0o700), ("web/index.html", 0o640)] {
        fresh();
        mode(release.join(path), bits);
        judged(path, "0.2.0", &["without effect: ", path]);
    }
    fresh();
    fs::write(release.join("notes"), "x").unwrap();
    judged("a note", "0.2.0", &["without effect: notes is not part of the release"]);
    fresh();
    mode(release.join("web"), 0o777);
    judged("an open folder", "0.1.0", &["web is a folder that everybody may write to (mode 0777)"]);
    for path in ["web", "bin", "web/assets"] {
        fresh();
        let moved = at.0.path("moved");
        let _ = fs::remove_dir_all(&moved);
        fs::rename(release.join(path), &moved).unwrap();
        symlink(&moved, release.join(path)).unwrap();
        let has = format!("{path} is a link where a folder is expected");
        judged(path, "0.1.0", &[&has, "unpack it again: rm -r", "tar xzf"]);
    }
    // A copy of a whole release, and one that has taken another's place.
    fresh();
    let copied = at.root().join("releases/0.3.0");
    fs::rename(&release, &copied).unwrap();
    judged(
        "a copy",
        "0.1.0",
        &["its folder is named 0.3.0, and its list says 0.2.0", "lies under another version's name: 0.3.0"],
    );
    let (_, _, said) = at.ran(&["doctor"]);
    assert!(said.contains("lies under another version's name: 0.3.0"), "{said}");
}

/// S12: nobody else reads the customer's data, whatever the umask and whatever lies there already.
#[test]
fn s12_the_data_folder_is_its_owners_alone() {
    let folder = Folder::release();
    let loose = |mode| {
        fs::set_permissions(folder.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["hub.db", ".env", "host-id"] {
            let file = folder.path("data").join(name);
            if !file.exists() {
                fs::write(&file, "").unwrap();
            }
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    for round in 0..2 {
        if round == 1 {
            loose(0o644);
        }
        let host = Host::start(&folder, |command| {
            // SAFETY: a system call between fork and exec; it allocates nothing.
            unsafe {
                command.pre_exec(|| {
                    rustix::process::umask(rustix::fs::Mode::empty());
                    Ok(())
                })
            };
        });
        let mode = |name: &str| fs::metadata(folder.path("data").join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode(""), 0o700);
        for name in ["hub.db", "hub.db-wal", "hub.db-shm", "host-id", "host.lock", "host.sock"] {
            assert_eq!(mode(name), 0o600, "{name} in round {round}");
        }
        let (_, log) = host.stop();
        assert_eq!(log.contains("had the mode 0644"), round == 1, "{log}");
    }
}

/// S12: what is named as a database and is none keeps its mode.
#[test]
fn s12_only_what_is_the_customers_is_tightened() {
    let folder = Folder::release();
    let page = folder.path("release/web/index.html");
    let mode = || fs::metadata(&page).unwrap().mode() & 0o777;
    let before = mode();
    let mut serve = command(&folder);
    serve
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", format!("sqlite://{}", page.display()));
    let (status, _, said) = run(serve);
    assert_eq!((status, mode()), (Some(3), before), "{said}");
}

/// S17: a key that the release is not signed with is not left behind, nor anything else.
#[test]
fn s17_a_key_is_trusted_only_once_the_release_is_signed_with_it() {
    let at = At::new(&[]);
    let own = at.root().join("releases/7.8.9/bin/hub-platform");
    let program = PathBuf::from(command(&at.0).get_program());
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::copy(&program, &own).unwrap();
    let key = at.0.path("vendor.pub");
    fs::write(
        &key,
        "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    )
    .unwrap();
    // Its list names what lies there.
    let size = fs::metadata(&own).unwrap().len();
    let mut bytes = fs::File::open(&own).unwrap();
    let (_, sha256) = hash::copy(&mut bytes, &mut std::io::sink()).unwrap();
    let list = serde_json::json!({"version": "7.8.9", "plugins": [],
        "files": [{"path": "bin/hub-platform", "size": size, "mode": "0755", "sha256": sha256}]});
    fs::write(at.root().join("releases/7.8.9/RELEASE.json"), seal(format!("{list:#}\n"))).unwrap();
    let data = at.0.path("new-data");
    let mut setup = Command::new(&own);
    setup.args(["setup", "--no-service", "--trust"]).arg(&key).arg("--data-dir").arg(&data);
    let (status, _, said) = run(setup);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("it is not signed") && !said.contains("unpack"), "{said}");
    assert!(!at.install().keys_dir().exists() && !data.exists() && !at.root().join("install.json").exists());
    assert_eq!(at.chosen().as_deref(), Some("7.8.9"));

    // O6: a first start where the customer has a plugin of a name that the release brings.
    let theirs = data.join("plugins/good");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("plugin.yaml"), "name: good\nversion: 1.0.0\ndisplay_name: Ours\n").unwrap();
    let setup = |more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.args(["setup", "--no-service", "--data-dir"]).arg(&data).args(more);
        run(setup)
    };
    let (status, _, said) = setup(&[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("vertical plugin `good`") && said.contains("--take-over good"), "{said}");
    let (status, _, said) = setup(&["--take-over", "other"]);
    assert_eq!(status, Some(1), "{said}");
    let ours = "name: good\nversion: 1.2.3\ndisplay_name: Ours\nenabled: false\n";
    fs::write(theirs.join("plugin.yaml"), ours).unwrap();
    let (status, _, said) = setup(&[]);
    assert_eq!(status, Some(0), "{said}");
    let warned = said.lines().find(|line| line.starts_with("warning: ")).unwrap_or_default();
    for part in
        ["`good` (1.2.3)", &*theirs.display().to_string(), "is off", "the release has one of that name ("]
    {
        assert!(warned.contains(part), "{part}: {said}");
    }
    fs::remove_dir_all(data.join("plugins")).unwrap();
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("plugin.yaml"), "name: good\nversion: 1.0.0\ndisplay_name: Ours\n").unwrap();
    for name in [".env", "../opt/install.json", "../opt/current"] {
        fs::remove_file(data.join(name)).unwrap();
    }
    if is_root() {
        // S17: what root makes in somebody's folder is theirs.
        for path in [&data, &data.join("plugins"), &theirs] {
            chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
        }
    }
    let (status, _, said) = setup(&["--take-over", "good"]);
    assert_eq!(status, Some(0), "{said}");
    for name in [".env", "plugins"] {
        let about = fs::symlink_metadata(data.join(name)).unwrap();
        assert_eq!(about.uid(), fs::metadata(&data).unwrap().uid(), "{name}");
    }
    let settled: serde_json::Value =
        serde_json::from_slice(&fs::read(at.root().join("install.json")).unwrap()).unwrap();
    assert_eq!((&settled["data_dir"], &settled["format"]), (&serde_json::json!(data), &serde_json::json!(1)));
}

/// A user that is not there is refused before anything is written, whoever runs it; and a data folder of somebody else's too.
#[test]
fn setup_names_a_user_that_is_not_there_and_writes_nothing() {
    let at = At::new(&[]);
    let own = at.root().join("releases/7.8.9/bin/hub-platform");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::copy(command(&at.0).get_program(), &own).unwrap();
    let (data, units) = (at.0.path("new-data"), at.0.path("units"));
    let entries = || fs::read_dir(at.root()).unwrap().count();
    let setup = |more: &[&str]| {
        let mut setup = Command::new(&own);
        setup.arg("setup").args(more).arg("--data-dir").arg(&data).arg("--unit-dir").arg(&units);
        run(setup)
    };
    for more in [
        &["--user", "nope-nobody"][..],
        &["--user", "54321", "--no-service"],
        &["--user", "-x"],
        &["--user="],
    ] {
        let (status, _, said) = setup(more);
        assert_eq!(status, Some(2), "{more:?}: {said}");
        assert!(!data.exists() && !units.exists() && entries() == 1, "{more:?}: {said}");
        if more[0] == "--user" && !more[1].starts_with('-') {
            assert!(said.contains(&format!("`{}`", more[1])) && said.contains("no such user"), "{said}");
        }
    }
    if is_root() {
        fs::create_dir(&data).unwrap();
        chown(&data, Some(STRANGER), Some(STRANGER)).unwrap();
        let (status, _, said) = setup(&["--user", "root"]);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("belongs to user 54321"), "{said}");
        assert!(fs::read_dir(&data).unwrap().next().is_none() && entries() == 1, "{said}");
    }
}

/// Root's own folder makes a host of root's; that is said once, with the way to another.
#[test]
fn a_host_that_serves_as_root_says_so() {
    let contained = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env_remove("container");
    });
    let warned =
        host.log().lines().filter(|line| line.contains(" WARN ") && line.contains("serves as root")).count();
    assert_eq!(warned, usize::from(is_root() && !contained), "{}", host.log());
    let chown = format!("chown -R USER {}", folder.path("data").display());
    assert_eq!(host.log().contains(&chown), warned == 1, "{}", host.log());
    host.stop();
    if is_root() {
        chown_to_stranger(&folder);
        let host = Host::start(&folder, |_| {});
        assert!(!host.log().contains("serves as root"), "{}", host.log());
        host.stop();
    }
}

fn chown_to_stranger(folder: &Folder) {
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(folder.path("data"));
    assert_eq!(run(give).0, Some(0));
}

/// O6: an upgrade does not turn a customer's plugin into the release's.
#[test]
fn o6_a_customers_plugin_is_taken_over_only_when_somebody_says_so() {
    let at = At::new(&["0.1.0"]);
    at.0.write("data/plugins/good/plugin.yaml", "name: good\nversion: 1.0.0\ndisplay_name: Ours\n");
    let preflight = |agreed: &str| {
        let mut preflight = command(&at.0);
        preflight.args(["preflight", "--json"]).env("HUB_TAKE_OVER", agreed);
        let (_, out, said) = run(preflight);
        let report: serde_json::Value = serde_json::from_str(&out).expect(&said);
        report["errors"].to_string()
    };
    for agreed in ["", "other,needy"] {
        let errors = preflight(agreed);
        assert!(errors.contains("vertical plugin `good`") && errors.contains("--take-over good"), "{errors}");
    }
    assert!(!preflight("needy, good").contains("`good`"));

    // One that is off stops nothing, and is told: with its folder and both versions.
    let off = "name: good\nversion: 1.2.3\ndisplay_name: Ours\nenabled: false\n";
    at.0.write("data/plugins/good/plugin.yaml", off);
    assert!(!preflight("").contains("`good`"));
    let mut said = command(&at.0);
    said.args(["preflight", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run(said).1).unwrap();
    let warnings = report["warnings"].to_string();
    let shown = at.0.path("data/plugins/good").display().to_string();
    for part in ["`good` (1.2.3)", &*shown, "is off", "the release has one of that name ("] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

/// S3: root runs nothing that lies in the data folder, follows no link there, and leaves nothing of its own.
#[test]
fn s3_root_goes_on_as_the_owner_of_the_data_folder() {
    if !is_root() {
        program::skip("only root can become somebody else");
        return;
    }
    let at = At::new(&["0.1.0", "0.2.0"]);
    let data = at.data();
    let theirs = |path: &Path| chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    theirs(&data);
    let (status, _, said) = run_with(
        {
            let mut new = command(&at.0);
            new.args(["admin", "create-user", "--email", ADMIN, "--org", "North"]);
            new
        },
        PASSWORD,
    );
    assert_eq!(status, Some(0), "{said}");
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), STRANGER, "{:?}", entry.path());
    }
    assert!(data.join("hub.db").is_file());

    // Programs that the service may have put there, and links out of the folder.
    let proof = at.0.path("proof");
    fs::create_dir(&proof).unwrap();
    fs::set_permissions(&proof, fs::Permissions::from_mode(0o777)).unwrap();
    let evil = format!("#!/bin/sh\nid -u > {}/$(id -u)-$$\nexit 1\n", proof.display());
    for path in ["dbt/venv/bin/python3", "dbt/venv/bin/dbt", "bin/python3", "bin/systemctl", "bin/sh"] {
        let file = data.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &evil).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(&data);
    assert_eq!(run(give).0, Some(0));
    // The planted Python is what an install asks for pip.
    at.0.write("drivers.yaml", "mysql: pymysql\n");
    let mut install = command(&at.0);
    install.args(["drivers", "install", "mysql"]);
    let (status, _, said) = run(install);
    assert_eq!(status, Some(3), "{said}");
    let secret = at.0.path("secret");
    fs::write(&secret, "of root").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["host-id", "host.lock", "drivers.lock", "drivers"] {
        let _ = fs::remove_file(data.join(name));
        symlink(&secret, data.join(name)).unwrap();
    }
    let elsewhere = at.0.path("other-root");
    fs::write(
        data.join(".env"),
        format!(
            "HUB_ROOT={}\nPATH={}/bin\nPYTHONPATH={0}\nLD_PRELOAD={0}/x.so\nHUB_TAKE_OVER=good\n",
            elsewhere.display(),
            data.display()
        ),
    )
    .unwrap();
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(&data);
    assert_eq!(run(give).0, Some(0));
    at.is("0.1.0", &[]);
    let here = command(&at.0);
    let commands: [&[&str]; 6] = [
        &["drivers", "install", "mysql"],
        &["drivers", "list"],
        &["plugins", "list"],
        &["doctor"],
        &["preflight", "--json"],
        &["serve", "--listen", "127.0.0.1:0"],
    ];
    for arguments in commands {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "20"]).arg(here.get_program()).args(arguments);
        for (name, value) in here.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if arguments == ["doctor"] {
            command.arg("--install-dir").arg(at.root());
        }
        if arguments == ["preflight", "--json"] {
            // As an upgrade runs it.
            command.uid(STRANGER).gid(STRANGER);
        }
        run(command);
    }
    at.ran(&["upgrade", "--restart", "true", "--health-timeout", "1"]);
    at.ran(&["rollback", "--restart", "true", "--health-timeout", "1"]);
    let ran: Vec<String> =
        fs::read_dir(&proof).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!ran.is_empty(), "the planted programs are never run: the test shows nothing");
    assert!(ran.iter().all(|name| name.starts_with(&format!("{STRANGER}-"))), "{ran:?}");
    let about = fs::metadata(&secret).unwrap();
    assert_eq!(
        (about.uid(), about.mode() & 0o777, fs::read(&secret).unwrap()),
        (0, 0o600, b"of root".to_vec())
    );
    assert!(!elsewhere.exists());

    // Waits for nothing and reads nothing through a link.
    for kind in ["fifo", "link"] {
        fs::remove_file(data.join(".env")).unwrap();
        match kind {
            "fifo" => assert_eq!(
                run({
                    let mut fifo = Command::new("mkfifo");
                    fifo.arg(data.join(".env"));
                    fifo
                })
                .0,
                Some(0)
            ),
            _ => symlink(&secret, data.join(".env")).unwrap(),
        }
        let (status, _, said) = at.ran(&["rollback", "--restart", "true"]);
        assert_eq!(status, Some(3), "{kind}: {said}");
        assert!(
            said.contains("cannot read") && said.contains("ordinary file") && !said.contains("of root"),
            "{said}"
        );
    }
}

/// S3: a folder that is root's by half is refused: others may write to what root would run.
#[test]
fn s3_a_data_folder_that_is_roots_only_by_half_is_refused() {
    if !is_root() {
        program::skip("only root can become somebody else");
        return;
    }
    let folder = Folder::release();
    let data = folder.path("data");
    let list = |want: &str| {
        let mut list = command(&folder);
        list.args(["drivers", "install", "mysql"]);
        let (status, _, said) = run(list);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(want) && said.contains("chown -R"), "{said}");
    };
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    list("others may write to it");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(data.join("dbt")).unwrap();
    chown(data.join("dbt"), Some(STRANGER), Some(STRANGER)).unwrap();
    list("and dbt in it to user 54321");
}

/// Messages name what is wrong, and a cure that cures it.
#[test]
fn messages_of_install_commands_fit_what_is_wrong() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let check = |arguments: &[&str], status: i32, want: &[&str], not: &[&str]| {
        let (found, out, said) = at.ran(arguments);
        assert_eq!(found, Some(status), "{arguments:?}: {out}{said}");
        for text in want {
            assert!(
                format!("{out}{said}").contains(text),
                "{arguments:?} does not say `{text}`: {out}{said}"
            );
        }
        for text in not {
            assert!(!format!("{out}{said}").contains(text), "{arguments:?} says `{text}`: {out}{said}");
        }
    };
    check(&["verify"], 0, &["whole  release 0.2.0 (current)"], &[]);
    let folder = at.root().display().to_string();
    check(&["verify", &folder], 1, &["is a folder", "name the file"], &["copy the tarball again"]);
    check(&["verify", "/dev/null"], 1, &["no ordinary file"], &["copy the tarball again"]);
    check(
        &["verify", "/nowhere.tar.gz"],
        3,
        &["cannot read /nowhere.tar.gz", "see that the path is right"],
        &[],
    );
    // Another key is no damage, and unpacking again is no cure.
    fs::create_dir_all(at.install().keys_dir()).unwrap();
    fs::write(
        at.install().keys_dir().join("other.pub"),
        "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    )
    .unwrap();
    check(&["verify"], 1, &["untrusted", "setup --trust"], &["damaged", "unpack"]);
    fs::write(at.install().keys_dir().join("broken.pub"), "no key").unwrap();
    check(&["verify"], 1, &["broken.pub is no public key of minisign"], &["damaged"]);
    // Whatever is named as a key and is none, the disk is not to blame.
    let page = at.root().join("releases/0.2.0/web/index.html").display().to_string();
    fs::remove_file(at.install().keys_dir().join("broken.pub")).unwrap();
    for path in [&*page, &*folder, "/dev/null", "/proc/self/exe"] {
        let no_key = format!("{path} is no public key of minisign");
        let want = [&*no_key, "two lines", "`cargo xtask keygen NAME`"];
        check(&["verify", &page, "--key", path], 1, &want, &["disk"]);
        check(&["setup", "--no-service", "--trust", path], 1, &want, &["disk"]);
    }
    fs::remove_dir_all(at.install().keys_dir()).unwrap();
    fs::write(at.root().join("releases/0.2.0/web/index.html"), "half").unwrap();
    check(
        &["verify"],
        1,
        &["0.2.0 (current): web/index.html has other bytes", "`hub-platform upgrade TARBALL`"],
        &[],
    );
    check(
        &["rollback", "--restart", "true", "--health-timeout", "1"],
        1,
        &["release 0.1.0 does not serve"],
        &[],
    );
    fs::remove_dir_all(at.root().join("releases/0.1.0")).unwrap();
    check(&["rollback"], 1, &["there is no whole release before", "upgrade --allow-downgrade"], &["unpack"]);
    // A FIFO in the place of the list is waited for by nobody.
    fs::remove_file(at.root().join("releases/0.2.0/RELEASE.json")).unwrap();
    let mut fifo = Command::new("mkfifo");
    fifo.arg(at.root().join("releases/0.2.0/RELEASE.json"));
    assert_eq!(run(fifo).0, Some(0));
    check(&["verify"], 1, &["RELEASE.json cannot be read: it is not a regular file"], &[]);
}
