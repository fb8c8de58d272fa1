//! `cargo xtask check --postgres`: what only PostgreSQL finds in migrations, as findings with a place; nothing in them reaches
//! the machine, and the server is gone afterwards, however the check ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hub_tests::xtask::{Ran, prepared, run, xtask};
use tempfile::TempDir;

/// Longer than a server takes to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A plugin root, and the folder that servers are made in.
struct Tree {
    plugins: TempDir,
    temporary: TempDir,
}

impl Tree {
    /// Nothing where PostgreSQL or the program is not there.
    fn new() -> Option<Tree> {
        prepared("HUB_XTASK")?;
        prepared("HUB_POSTGRES")?;
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let tree = Tree { plugins: folder(), temporary: folder() };
        // The server is not root's.
        fs::set_permissions(tree.temporary.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        Some(tree)
    }

    /// Adds a plugin with one migration.
    fn plugin(&self, slug: &str, migration: &str, sql: &str) {
        let folder = self.plugins.path().join(slug);
        fs::create_dir_all(folder.join("migrations")).expect("a folder");
        let manifest =
            format!("name: {slug}\nversion: 1.0.0\ndisplay_name: {slug}\nmigrations: migrations\n");
        fs::write(folder.join("plugin.yaml"), manifest).expect("a file");
        fs::write(folder.join("migrations").join(migration), sql).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = xtask(["check", "--message-format", "json", "--plugins"]);
        command.arg(self.plugins.path()).args(arguments);
        command.env("TMPDIR", self.temporary.path()).env_remove("HUB_CHECK_POSTGRES");
        command
    }

    /// The command lines of programs that know of the folder.
    fn programs(&self) -> Vec<String> {
        let folder = self.temporary.path().to_string_lossy().into_owned();
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        // A program may end while it is looked at.
        let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&folder)).collect()
    }

    /// What is left of servers.
    fn left(&self) -> Vec<String> {
        let files = fs::read_dir(self.temporary.path()).expect("the folder").flatten();
        files.map(|entry| entry.path().display().to_string()).chain(self.programs()).collect()
    }
}

/// The findings, as `code plugin file:line:column: message (help)`.
fn findings(ran: &Ran) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let messages = ran.messages();
    let found = messages.iter().filter(|message| message["type"] == "diagnostic");
    found
        .map(|found| {
            let (file, code, plugin) = (text(&found["file"]), text(&found["code"]), text(&found["plugin"]));
            let file = file.rsplit('/').next().unwrap_or_default();
            let (line, column) = (&found["line"], &found["column"]);
            let (message, help) = (text(&found["message"]), text(&found["help"]));
            format!("{code} {plugin} {file}:{line}:{column}: {message} ({help})")
        })
        .collect()
}

#[track_caller]
fn begins(found: &[String], beginning: &str) {
    assert!(found.iter().any(|found| found.starts_with(beginning)), "{beginning}\nis not in {found:#?}");
}

#[test]
fn d3_what_only_postgresql_finds_has_a_place_and_nothing_reaches_the_machine() {
    let Some(tree) = Tree::new() else { return };
    let touched = tree.plugins.path().join("touched");
    let touch = |how: &str| how.replace("FILE", &touched.to_string_lossy());
    // Fine on SQLite, which takes any value anywhere.
    let text = "CREATE TABLE plugin_text_a (n INTEGER);\n-- ä\nINSERT INTO plugin_text_a (n) VALUES ('x');\n";
    tree.plugin("text", "0001_a.sql", text);
    tree.plugin("nul", "0001_a.postgres.sql", "CREATE TABLE plugin_nul_a (\n  id TEXT NOT NUL\n)");
    tree.plugin("ambiguous", "0001_a.postgres.sql", "SELECT generate_series('1', '2');");
    tree.plugin("later", "0001_a.postgres.sql", "SELECT ';';\nSELECT 1;\n  SELECT 1 / (SELECT 0);\nSELECT 2");
    tree.plugin("shell", "0001_a.postgres.sql", &touch("SELECT 1;\n\\! touch FILE\n"));
    // Put together while it runs, so that nobody who reads the file sees it.
    let hidden = |to: &str| touch(&format!("DO $$ BEGIN EXECUTE 'CO' || 'PY (SELECT 1) TO {to}'; END $$"));
    tree.plugin("copy", "0001_a.postgres.sql", &hidden("PROGRAM ''touch FILE''"));
    tree.plugin("file", "0001_a.postgres.sql", &hidden("''FILE''"));
    tree.plugin("role", "0001_a.postgres.sql", "SET ROLE hub_check");
    tree.plugin("foreign", "0001_a.postgres.sql", "CREATE TABLE customers (id TEXT)");
    tree.plugin("sleeps", "0001_a.postgres.sql", "SELECT 1;\nSELECT pg_sleep(1000)");
    let never = "SET LOCAL statement_timeout = 0;\nDO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000);\n\
                 EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    tree.plugin("never", "0001_a.postgres.sql", never);
    tree.plugin("sound", "0001_a.sql", "CREATE TABLE plugin_sound_a (id TEXT PRIMARY KEY)");

    let alone = run(tree.command(&[])).expect(0);
    assert_eq!(findings(&alone), [""; 0], "SQLite finds nothing in any of them");

    // These are known without any server, and are not run on one.
    tree.plugin("program", "0001_a.postgres.sql", &touch("COPY (SELECT 1) TO PROGRAM 'touch FILE'"));
    let program = "HUB101 program 0001_a.postgres.sql:1:1: the migration 0001_a.postgres.sql reaches beyond its database (`COPY TO \
                   PROGRAM`)";
    tree.plugin("commits", "0001_a.postgres.sql", "SELECT 1;\nCOMMIT; SELECT 2");
    let commits = "HUB101 commits 0001_a.postgres.sql:2:1: the migration 0001_a.postgres.sql controls the transaction that it \
                   runs in (`COMMIT`) (leave it out: ";
    tree.plugin(
        "stdin",
        "0001_a.postgres.sql",
        "CREATE TABLE plugin_stdin_a (a TEXT); COPY plugin_stdin_a FROM STDIN",
    );
    let stdin = "HUB101 stdin 0001_a.postgres.sql:1:39: the migration 0001_a.postgres.sql exchanges data with a client (`COPY FROM \
                 STDIN`)";
    let alone = findings(&run(tree.command(&[])).expect(1));
    begins(&alone, commits);
    begins(&alone, program);
    begins(&alone, stdin);
    assert_eq!(alone.len(), 3, "{alone:#?}");

    let ran = run(tree.command(&["--postgres"])).expect(1);
    assert!(!touched.exists(), "a migration did something on the machine");
    assert_eq!(tree.left(), [""; 0]);
    let found = findings(&ran);
    begins(
        &found,
        "HUB101 text 0001_a.sql:3:39: the migration 0001_a.sql fails on PostgreSQL: invalid input syntax for type integer: \
         \"x\" (write it so that both engines take it, or give each a file of its own: 0001_a.postgres.sql beside \
         0001_a.sqlite.sql)",
    );
    let at = |slug: &str, place: &str, message: &str| {
        begins(
            &found,
            &format!(
                "HUB101 {slug} 0001_a.postgres.sql:{place}: the migration 0001_a.postgres.sql {message}"
            ),
        );
    };
    at("nul", "2:15", "fails on PostgreSQL: syntax error at or near \"NUL\"");
    at("ambiguous", "1:8", "fails on PostgreSQL: function generate_series(unknown, unknown) is not unique");
    at("later", "3:3", "fails on PostgreSQL: division by zero");
    at("shell", "2:1", "fails on PostgreSQL: syntax error at or near \"\\\"");
    for slug in ["copy", "file"] {
        begins(&found, &format!("HUB101 {slug} 0001_a.postgres.sql:"));
    }
    at("role", "1:1", "fails on PostgreSQL: permission denied to set role \"hub_check\"");
    at(
        "foreign",
        "1:14",
        "makes the table `customers`, which is not named as the plugin's (name it `plugin_foreign_customers`)",
    );
    begins(&found, commits);
    begins(&found, program);
    begins(&found, stdin);
    at("sleeps", "2:1", "takes too long on an empty database of PostgreSQL's");
    at("never", "2:1", "takes too long on an empty database of PostgreSQL's");
    assert_eq!(found.len(), 14, "{found:#?}");
}

#[test]
fn d3_the_plugins_of_this_repository_run_on_postgresql() {
    let Some(tree) = Tree::new() else { return };
    let mut command = xtask(["check", "--deny-warnings"]);
    command.env("TMPDIR", tree.temporary.path()).env("HUB_CHECK_POSTGRES", "1");
    let ran = run(command).expect(0);
    assert!(ran.stderr.contains("; migrations tried on PostgreSQL "), "{}", ran.stderr);
    assert_eq!(tree.left(), [""; 0]);
}

#[test]
fn d3_a_postgresql_that_does_not_work_is_an_error() {
    let Some(tree) = Tree::new() else { return };
    tree.plugin("crm", "0001_a.sql", "CREATE TABLE plugin_crm_a (id TEXT)");
    let programs = tree.temporary.path().join("programs");
    fs::create_dir(&programs).expect("a folder");
    for name in ["initdb", "postgres"] {
        fs::write(programs.join(name), "#!/bin/sh\necho 'no space left'\nexit 1\n").expect("a file");
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).expect("rights");
    }
    let path = std::env::var("PATH").expect("PATH");
    let mut command = tree.command(&["--postgres"]);
    command.env("PATH", format!("{}:{path}", programs.display()));
    let found = findings(&run(command).expect(1));
    assert_eq!(found.len(), 1, "{found:?}");
    begins(
        &found,
        "HUB103  migrations:1:1: the migrations of plugins cannot be tried: no PostgreSQL can be made for this: it has \
         ended: no space left (see that this user may run PostgreSQL's initdb",
    );
    fs::remove_dir_all(&programs).expect("it goes");
    assert_eq!(tree.left(), [""; 0]);

    let mut command = tree.command(&[]);
    command.env("HUB_CHECK_POSTGRES", "yes");
    let ran = run(command).expect(2);
    assert!(ran.stderr.contains("HUB_CHECK_POSTGRES is `yes`: set it to 1, or to 0"), "{}", ran.stderr);
}

#[test]
fn d3_nothing_is_left_of_a_check_that_is_interrupted_or_killed() {
    let Some(tree) = Tree::new() else { return };
    tree.plugin("crm", "0001_a.postgres.sql", "SELECT pg_sleep(1000)");
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGKILL] {
        // While the server is made, and while it works.
        for file in ["log", "server/.s.PGSQL.5432"] {
            let mut command = tree.command(&["--postgres"]);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
            let mut child = Ended(child);
            until("there is a server", || holds(tree.temporary.path(), file));
            // SAFETY: the process is this test's own child, and has not been waited for.
            assert_eq!(unsafe { libc::kill(child.0.id().cast_signed(), signal) }, 0);
            child.0.wait().expect("it ends");
            until("all of it is gone", || tree.left().is_empty());
        }
    }
}

/// A child that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn holds(temporary: &Path, file: &str) -> bool {
    fs::read_dir(temporary).expect("the folder").flatten().any(|entry| entry.path().join(file).exists())
}

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
