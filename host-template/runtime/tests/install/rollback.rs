//! O2, S9: after a failure something is startable, and what is damaged is not started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;

use crate::At;
use crate::program::{Host, run};

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

/// The processes whose numbers a command has noted, and of which more is left than a number that nobody has asked for.
fn alive(noted: &Path) -> Vec<u32> {
    let text = fs::read_to_string(noted).unwrap();
    let numbers = text.lines().map(|line| line.trim().parse::<u32>().unwrap());
    let lives =
        |id: &u32| fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    numbers.filter(lives).collect()
}

/// O2: an upgrade at night comes to its end whatever the command does, and nothing of the command stays.
#[test]
fn o2_a_restart_that_hangs_is_ended_with_all_that_it_has_started() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let noted = at.0.path("noted");
    // One that has lost its parent, one in a session of its own, and the command itself, which asks nobody.
    let hangs = format!(
        "(sleep 600 & echo $! >>'{noted}'); setsid sh -c 'echo $$ >>\"{noted}\"; exec sleep 600' & trap '' TERM; \
         echo $$ >>'{noted}'; while :; do sleep 1; done",
        noted = noted.display()
    );
    let limits = ["--restart-timeout", "2", "--health-timeout", "1"];
    let (status, _, said) = at.ran(&[&["rollback", "--restart", &hangs][..], &limits].concat());
    assert_eq!((status, at.chosen().as_deref()), (Some(3), Some("0.2.0")), "{said}");
    assert_eq!(at.install().current(), Some(Version::new(0, 2, 0)));
    for part in [
        "release 0.1.0 was not started",
        "did not end within 2 seconds, and was ended with all that it had started",
        "release 0.2.0, which is the current one again",
        "--restart-timeout SECONDS",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(fs::read_to_string(&noted).unwrap().lines().count() >= 3, "{said}");
    assert_eq!(alive(&noted), [0_u32; 0], "{said}");
}

/// O2: a service that a command starts in the background is meant to stay, and is not waited for.
#[test]
fn o2_what_a_restart_has_started_in_the_background_goes_on() {
    let at = At::new(&["0.1.0", "0.2.0"]);
    at.is("0.2.0", &[]);
    let noted = at.0.path("noted");
    let starts = format!("sleep 600 & echo $! >>'{}'", noted.display());
    let soon = ["--health-timeout", "1"];
    let (_, _, said) = at.ran(&[&["rollback", "--restart", &starts][..], &soon].concat());
    let left = alive(&noted);
    let mut kill = Command::new("kill");
    kill.args(left.iter().map(u32::to_string));
    assert_eq!(run(kill).0, Some(0), "{said}");
    // For the release that was to serve, and for the one of before.
    assert_eq!(left.len(), 2, "{said}");
    assert!(said.contains("nobody reads there any more") && !said.contains("` failed"), "{said}");
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
    // A command that ends well and restarts nothing, where the host that runs on is of the right release.
    at.is("7.8.9", &[]);
    let (status, _, said) = at.ran(&[&["upgrade", "--restart", "true"][..], &soon].concat());
    let idle = format!(
        "the host was not restarted: the one that ran before, release 7.8.9, still answers at http://{}, process {}",
        host.address,
        host.process()
    );
    assert!(status == Some(1) && said.contains(&idle), "{idle}: {said}");
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
        crate::program::skip("strace is not installed");
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
