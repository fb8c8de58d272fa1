//! Commands that look at a database and change nothing: on servers and disks that are only read, and on databases that are not
//! there, or not the platform's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::program::postgres::Server;
use crate::program::world::{World, is, until};
use crate::program::{self, Host, command, run, run_with};
use crate::server;

/// O3: an empty database of a server is no installation either: only what begins one makes tables there.
#[test]
fn o3_commands_that_need_an_installation_make_no_tables() {
    let Some(server) = server() else { return };
    let url = server.database();
    let world = World::new(Some(url.clone()));
    let database = url.rsplit_once('/').unwrap().1;
    let tables = || server.sql(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    let hub = |arguments: &[&str]| {
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.args(arguments).env("DATA_DIR", world.folder.path("data-none"));
        run_with(command, "a long password\n")
    };
    for arguments in [
        &["admin", "list-users"][..],
        &["admin", "reset-password", "--email", "a@example.com"],
        &["admin", "end-sessions", "--all"],
        &["warehouses", "list"],
    ] {
        let (status, _, said) = hub(arguments);
        assert_eq!((status, tables().as_str()), (Some(2), "0"), "{arguments:?}: {said}");
        for part in ["holds no table of the platform's", "data-none", &format!("/{database}"), "DATA_DIR=DIR"]
        {
            assert!(said.contains(part), "{arguments:?} does not say `{part}`: {said}");
        }
    }
    assert!(!world.folder.path("data-none").exists());
    world.create_user(&["--email", "a@example.com", "--org", "North"], "a long password\n");
    let (status, out, said) = hub(&["admin", "list-users"]);
    assert!(status == Some(0) && out.contains("a@example.com"), "{said}");
    assert!(!world.folder.path("data-none").exists(), "what only looks makes no folder");
}

const READING: [&[&str]; 4] = [
    &["admin", "list-users"],
    &["admin", "list-users", "--json"],
    &["warehouses", "list"],
    &["warehouses", "list", "--json"],
];

fn hub(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(arguments);
    run(command)
}

/// A standby, or a database whose sessions only read: what reads works there, and what writes says what is wrong.
#[test]
fn commands_that_only_read_work_where_nothing_can_be_written() {
    let Some(server) = server() else { return };
    let url = server.database();
    let world = World::new(Some(url.clone()));
    world.create_user(&["--email", "a@example.com", "--org", "North"], "a long password\n");
    let database = url.rsplit_once('/').unwrap().1;
    server.sql("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    for arguments in READING {
        let (status, out, said) = hub(&world, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("warning"), "{said}");
        assert!(arguments[0] != "admin" || out.contains("a@example.com"), "{out}");
    }
    let (status, _, said) = hub(&world, &["admin", "end-sessions", "--all"]);
    assert!(
        status == Some(3) && said.contains("let DATABASE_URL name the server that takes writes"),
        "{said}"
    );
    // Of an older release: told, and still read.
    server.sql(
        database,
        "BEGIN READ WRITE; DELETE FROM hub_plugin_migrations WHERE name = '0016_lives_of_hosts.sql'; COMMIT",
    );
    for arguments in READING {
        let (status, _, said) = hub(&world, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        let warning =
            "is not up to date: 1 of the platform's migrations have not run (0016_lives_of_hosts.sql)";
        assert!(said.contains(warning), "{said}");
    }
}

/// Names, sizes and times of what lies in a folder.
fn listed(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let about = |entry: fs::DirEntry| {
        let about = entry.metadata().unwrap();
        format!("{:?} {} {:?}", entry.file_name(), about.len(), about.modified().unwrap())
    };
    entries.map(about).collect()
}

/// The same of a file: nothing beside it, whoever may write there, and none where another program writes.
#[test]
fn commands_that_only_read_change_nothing_in_the_data_folder() {
    let world = World::new(None);
    world.create_user(&["--email", "a@example.com", "--org", "North"], "a long password\n");
    let data = world.folder.path("data");
    let before = listed(&data);
    for arguments in READING {
        let (status, _, said) = hub(&world, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        assert_eq!(listed(&data), before, "{arguments:?}");
    }
    let host = Host::start(&world.folder, |command| world.prepare(command));
    let (status, out, said) = hub(&world, &["admin", "list-users"]);
    assert!(status == Some(0) && out.contains("a@example.com"), "{said}");
    host.stop();
    // A folder in which this user writes nothing.
    let closed = Closed::of(&data);
    for arguments in READING {
        let (status, out, said) = closed.hub(&world, arguments, &std::env::temp_dir());
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        assert!(arguments[0] != "admin" || out.contains("a@example.com"), "{out}");
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A data folder in which its owner makes and writes nothing, until the value goes. Root writes everywhere: then it is somebody
/// else's, and the commands are theirs.
struct Closed<'a>(&'a Path);

impl Closed<'_> {
    fn of(data: &Path) -> Closed<'_> {
        if is_root() {
            assert!(Command::new("chown").args(["-R", "54321:54321"]).arg(data).status().unwrap().success());
        }
        for path in
            fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
        {
            fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
        }
        fs::set_permissions(data, fs::Permissions::from_mode(0o500)).unwrap();
        Closed(data)
    }

    /// Runs a command as the owner.
    fn hub(&self, world: &World, arguments: &[&str], temporary: &Path) -> (Option<i32>, String, String) {
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.args(arguments).env("TMPDIR", temporary);
        let owner = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"];
        run(if is_root() { program::behind(&command, &owner) } else { command })
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        // Otherwise nobody but root removes what is in it.
        let _ = fs::set_permissions(self.0, fs::Permissions::from_mode(0o700));
    }
}

/// A host that was killed leaves everything in the log. It is read where nothing can be made beside it, with the other file that
/// SQLite needs for that and without, and nothing is left where temporary files go.
#[test]
fn commands_that_only_read_see_the_log_of_a_killed_host_where_nothing_can_be_written() {
    for with_index in [true, false] {
        let world = World::new(None);
        world.host().kill();
        let data = world.folder.path("data");
        let (log, index) = (data.join("hub.db-wal"), data.join("hub.db-shm"));
        assert!(fs::metadata(&log).unwrap().len() > 0 && index.exists(), "the host has left no log");
        // A host that has locked it is gone, but its process may be on its way.
        until("the killed host is gone", || hub(&world, &["admin", "list-users"]).0 == Some(0));
        if !with_index {
            fs::remove_file(&index).unwrap();
        }
        let temporary = world.folder.path("temporary");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o777)).unwrap();
        let before = listed(&data);
        let closed = Closed::of(&data);
        for arguments in READING {
            let (status, out, said) = closed.hub(&world, arguments, &temporary);
            assert_eq!(status, Some(0), "{arguments:?}: {said}");
            assert!(arguments[0] != "admin" || out.contains(program::ADMIN), "{with_index}: {out}{said}");
            assert_eq!(listed(&data), before, "{arguments:?}");
        }
        let install = world.folder.path("opt").display().to_string();
        let (_, out, said) = closed.hub(&world, &["doctor", "--install-dir", &install], &temporary);
        let said = out + &said;
        has_no_word_of_the_database(&said);
        assert!(!said.contains("cannot copy"), "{said}");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{with_index}");
    }
}

/// A log that cannot be read says so, rather than that older data are the data.
#[test]
fn a_log_that_cannot_be_read_is_told() {
    let world = World::new(None);
    world.host().kill();
    let data = world.folder.path("data");
    until("the killed host is gone", || hub(&world, &["admin", "list-users"]).0 == Some(0));
    fs::remove_file(data.join("hub.db-shm")).unwrap();
    let closed = Closed::of(&data);
    let (status, out, said) = closed.hub(&world, &["admin", "list-users"], &world.folder.path("nowhere"));
    assert_eq!((status, out.as_str()), (Some(3), ""), "{said}");
    assert!(said.contains("its log cannot be read where it lies") && said.contains("TMPDIR"), "{said}");
}

fn doctor(world: &World) -> String {
    let (status, out, said) =
        hub(world, &["doctor", "--install-dir", &world.folder.path("opt").display().to_string()]);
    // Nothing is installed here: it has something to say anyhow.
    assert_eq!(status, Some(1), "{out}{said}");
    out + &said
}

fn has_no_word_of_the_database(said: &str) {
    for word in ["no database", " is empty", "is not the platform's", "(no ", "cannot use"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

/// A database that is not there, that is empty, that is another application's, or that lacks tables: told, and left alone.
#[test]
fn doctor_tells_of_a_file_that_is_not_the_platforms() {
    let world = World::new(None);
    let file = world.folder.path("data/hub.db");
    let nothing = format!("there is no database {}", file.display());
    let mends =
        "see that DATABASE_URL (.env in the data folder) and the data folder are those of this installation";
    let said = doctor(&world);
    assert!(said.contains(&nothing) && said.contains(mends), "{said}");
    assert!(!file.exists());
    fs::write(&file, "").unwrap();
    let said = doctor(&world);
    assert!(
        said.contains("hub.db is empty: no host has ever worked with it") && said.contains(mends),
        "{said}"
    );
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
    let Ok(made) = Command::new("python3")
        .args(["-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"])
        .arg(&file)
        .arg("CREATE TABLE invoices (id TEXT); CREATE TABLE customers (id TEXT)")
        .status()
    else {
        program::skip("a database of another application: python3 is not installed");
        return;
    };
    assert!(made.success());
    let before = fs::read(&file).unwrap();
    let said = doctor(&world);
    let foreign =
        "is not the platform's: it has other tables (customers, invoices), and none of the platform's";
    assert!(said.contains(foreign) && said.contains(mends), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before);
    // A link to a place where nothing is.
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("elsewhere.db", &file).unwrap();
    assert!(doctor(&world).contains(&nothing));
    fs::remove_file(&file).unwrap();
    // The platform's own, and then without one of its tables.
    world.create_user(&["--email", "a@example.com", "--org", "North"], "a long password\n");
    has_no_word_of_the_database(&doctor(&world));
    let drop = "import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript('DROP TABLE hub_invitations')";
    assert!(Command::new("python3").args(["-c", drop]).arg(&file).status().unwrap().success());
    assert!(doctor(&world).contains("(no table hub_invitations)"));
}

/// O3: a column that somebody has renamed is named by all that look at the database, and nothing begins on one without it.
#[test]
fn o3_a_column_that_is_not_there_is_told() {
    let urls = [server().map(|server| server.database()), None];
    // Without a server the file stands for both.
    for url in urls {
        let world = World::new(url);
        let host = world.host();
        until("it is not ready", || host.get("/readyz").status == 200);
        // It says so itself where this machine cannot do it; the other kind of database is looked at all the same.
        if !world.sql("ALTER TABLE hub_dashboards RENAME COLUMN widgets TO cards") {
            host.stop();
            continue;
        }
        until("it is ready", || host.get("/readyz").status == 503);
        let said = host.get("/readyz").text;
        assert!(said.contains("columns of the platform's tables are not there"), "{said}");
        assert!(!said.contains("hub_dashboards"), "{said}");
        host.stop();
        let told = "(no column hub_dashboards.widgets)";
        assert!(doctor(&world).contains(told), "{}", doctor(&world));
        let mut again = command(&world.folder);
        world.prepare(&mut again);
        again.arg("serve").env("LISTEN", "127.0.0.1:0");
        let (status, _, said) = run(again);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains(told) && said.contains("RENAME COLUMN"), "{said}");
        assert!(world.sql("ALTER TABLE hub_dashboards RENAME COLUMN cards TO widgets"));
        assert!(!doctor(&world).contains("no column"), "{}", doctor(&world));
    }
}

#[test]
fn doctor_tells_of_a_servers_database_that_is_not_the_platforms() {
    let Some(server) = server() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1;
    let tables = || server.sql(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    let missing = World::new(Some(format!("{url}_none")));
    let said = doctor(&missing);
    assert!(
        said.contains(&format!("database \"{database}_none\" does not exist")) && said.contains("createdb"),
        "{said}"
    );
    let world = World::new(Some(url.clone()));
    let said = doctor(&world);
    assert!(said.contains(&format!("/{database} is empty: no host has ever worked with it")), "{said}");
    assert_eq!(tables(), "0");
    server.sql(database, "CREATE TABLE invoices (id TEXT)");
    let said = doctor(&world);
    assert!(
        said.contains("is not the platform's: it has other tables (invoices), and none of the platform's"),
        "{said}"
    );
    assert_eq!(tables(), "1");
    // What other applications have beside the platform's own is nobody's concern.
    world.create_user(&["--email", "a@example.com", "--org", "North"], "a long password\n");
    has_no_word_of_the_database(&doctor(&world));
}

/// Commands that begin a database, or work with one.
const WRITING: [&[&str]; 5] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["admin", "create-user", "--email", "a@example.com", "--org", "North"],
    &["admin", "reset-password", "--email", "a@example.com"],
    &["admin", "end-sessions", "--all"],
    &["warehouses", "forget", "--org", "North", "--workspace", "finance"],
];

/// Another application's file, whatever state that has left it in, keeps every byte, and gets nothing beside it.
#[test]
fn commands_that_write_leave_another_applications_file_as_it_is() {
    let make = "import os,sqlite3,sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('PRAGMA journal_mode = ' + sys.argv[2])
c.executescript('CREATE TABLE invoices (id TEXT, text TEXT); CREATE TABLE customers (id TEXT)')
if sys.argv[3] == 'killed':
    c.execute('PRAGMA cache_size = 1')
    c.execute('INSERT INTO invoices VALUES (1, zeroblob(100000))')
    c.execute('BEGIN')
    c.execute('UPDATE invoices SET id = 2, text = randomblob(300000)')
    os.kill(os.getpid(), 9)
c.close()";
    for (mode, end) in [("DELETE", "closed"), ("DELETE", "killed"), ("WAL", "closed"), ("WAL", "killed")] {
        let world = World::new(None);
        let data = world.folder.path("data");
        let file = data.join("hub.db");
        let Ok(made) = Command::new("python3").args(["-c", make]).arg(&file).args([mode, end]).status()
        else {
            program::skip("a database of another application: python3 is not installed");
            return;
        };
        assert_eq!(made.success(), end == "closed");
        let parts = ["hub.db", "hub.db-wal", "hub.db-journal", "hub.db-host"].map(|name| data.join(name));
        let bytes = || parts.clone().map(|part| fs::read(part).ok());
        let before = bytes();
        assert_eq!(before[1..3].iter().any(Option::is_some), end == "killed", "{mode}");
        for arguments in WRITING {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(arguments);
            let (status, _, said) = run_with(command, "a long password\n");
            let begins = ["serve", "create-user"].iter().any(|name| arguments.contains(name));
            assert_eq!(status, Some(if begins { 3 } else { 2 }), "{arguments:?}: {said}");
            let want = match begins {
                true => {
                    "is not the platform's: it has other tables (customers, invoices), and none of the platform's; nothing was \
                     changed"
                }
                false => "holds no table of the platform's",
            };
            assert!(said.contains(want), "{arguments:?}: {said}");
            assert!(bytes() == before, "{mode}, {end}: {arguments:?}: {said}");
        }
        // An upgrade would end in the same refusal, and says so before.
        let (status, out, said) = hub(&world, &["preflight", "--json"]);
        assert!(status == Some(3) && out.contains("is not the platform's"), "{out}{said}");
        assert!(bytes() == before, "{mode}, {end}: {said}");
    }
}

/// A server's database may have other applications' tables, but not under the platform's names.
#[test]
fn commands_that_write_make_nothing_where_the_platforms_names_are_taken() {
    let Some(server) = server() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1;
    let world = World::new(Some(url.clone()));
    let relations = || {
        server.sql(
            database,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        )
    };
    let refused = |want: &str| {
        let before = relations();
        for arguments in WRITING {
            let mut command = command(&world.folder);
            world.prepare(&mut command);
            command.args(arguments);
            let (status, _, said) = run_with(command, "a long password\n");
            assert!(matches!(status, Some(2 | 3)) && said.contains(want), "{arguments:?}: {status:?} {said}");
            assert_eq!(relations(), before, "{arguments:?}: {said}");
        }
    };
    server.sql(database, "CREATE TABLE invoices (id TEXT); CREATE VIEW hub_runs AS SELECT 1");
    refused(
        "has what is called like the platform's tables (hub_runs), and nothing in it says that a host has made them",
    );
    assert!(doctor(&world).contains("has what is called like the platform's tables (hub_runs)"));
    // What is found out only while the tables are made takes them back, with the one that remembers.
    server.sql(database, "DROP VIEW hub_runs; CREATE SEQUENCE hub_sessions_user");
    let before = relations();
    let (status, _, said) = hub(&world, WRITING[0]);
    assert!(
        status == Some(3) && said.contains("hub_sessions_user") && said.contains("nothing was changed"),
        "{said}"
    );
    assert_eq!(relations(), before);
    server.sql(database, "DROP SEQUENCE hub_sessions_user");
    world.host().stop();
    has_no_word_of_the_database(&doctor(&world));
}

/// A user that owns nothing, with these rights on all tables.
fn with_rights(server: &Server, database: &str, user: &str, rights: &str) {
    server.sql(
        database,
        &format!(
            "DO $$ BEGIN CREATE ROLE {user} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             GRANT CREATE, USAGE ON SCHEMA public TO {user}; GRANT {rights} ON ALL TABLES IN SCHEMA public TO {user}"
        ),
    );
}

/// A host whose user may no longer write, or read, is not ready, and says which right it lacks.
#[test]
fn readyz_tells_of_rights_that_are_lacking() {
    let Some(server) = server() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1;
    // The tables are somebody else's.
    let owner = World::new(Some(url.clone()));
    owner.create_user(&["--email", program::ADMIN, "--org", "Default", "--role", "admin"], program::PASSWORD);
    with_rights(server, database, "limited", "SELECT, INSERT, UPDATE, DELETE");
    let world = World::new(Some(url.replace("hub@", "limited@")));
    let host: Host = world.host();
    assert_eq!(host.get("/readyz").status, 200, "{}", host.get("/readyz").text);
    let all = "ALL TABLES IN SCHEMA public";
    for (right, of) in [
        ("INSERT", all),
        ("UPDATE", all),
        ("DELETE", all),
        ("SELECT", all),
        ("INSERT", "hub_sessions"),
        ("SELECT", "hub_orgs"),
    ] {
        server.sql(database, &format!("REVOKE {right} ON {of} FROM limited"));
        until("it is ready", || host.get("/readyz").status == 503);
        let ready = host.get("/readyz");
        is(&ready, 503, "not-ready");
        let want = format!("the database's user lacks rights on the platform's tables: {right}");
        assert_eq!(ready.json()["detail"], want, "{right} on {of}");
        if of != all {
            host.logs(&format!("(no {right} on {of})"));
        }
        with_rights(server, database, "limited", "SELECT, INSERT, UPDATE, DELETE");
        until("it is not ready again", || host.get("/readyz").status == 200);
    }
    let not_ready = |why: &str, log: &str| {
        until("it is ready", || host.get("/readyz").status == 503);
        let ready = host.get("/readyz");
        is(&ready, 503, "not-ready");
        assert_eq!(ready.json()["detail"], why);
        host.logs(log);
        assert!(doctor(&world).contains(log));
    };
    let ready_again = || {
        until("it is not ready again", || host.get("/readyz").status == 200);
    };
    // Some of the columns that a right is needed on.
    for (right, table, some, others) in [
        ("SELECT", "hub_tenants", "id, name", "org_id, created_at"),
        ("INSERT", "hub_groups", "id", "org_id, name, plugin, created_at"),
        ("UPDATE", "hub_users", "password, name", "email"),
        ("UPDATE", "hub_orgs", "name", ""),
    ] {
        server.sql(
            database,
            &format!("REVOKE {right} ON {table} FROM limited; GRANT {right} ({some}) ON {table} TO limited"),
        );
        // Where it has none of those that are needed, the table says it all.
        let lacking = if others.is_empty() { table.to_owned() } else { format!("{table} ({others})") };
        not_ready(
            &format!("the database's user lacks rights on the platform's tables: {right}"),
            &format!("(no {right} on {lacking})"),
        );
        with_rights(server, database, "limited", "SELECT, INSERT, UPDATE, DELETE");
        ready_again();
    }
    // Rows that are there, and not for this user.
    let policies = "DROP POLICY IF EXISTS p ON hub_orgs; DROP POLICY IF EXISTS q ON hub_orgs;";
    for (policy, hides) in [
        ("", true),
        ("CREATE POLICY p ON hub_orgs USING (name <> 'x')", true),
        ("CREATE POLICY p ON hub_orgs FOR SELECT USING (true)", true),
        ("CREATE POLICY p ON hub_orgs TO hub USING (true)", true),
        ("CREATE POLICY p ON hub_orgs TO limited USING (true)", false),
        (
            "CREATE POLICY p ON hub_orgs USING (true); CREATE POLICY q ON hub_orgs AS RESTRICTIVE USING (name <> 'x')",
            true,
        ),
    ] {
        server.sql(database, &format!("{policies} ALTER TABLE hub_orgs ENABLE ROW LEVEL SECURITY; {policy}"));
        match hides {
            true => not_ready(
                "row level security may hide rows of the platform's tables from the database's user",
                "(row level security on hub_orgs)",
            ),
            false => {
                ready_again();
                assert!(!doctor(&world).contains("row level security"), "{policy}");
            }
        }
        server.sql(database, &format!("{policies} ALTER TABLE hub_orgs DISABLE ROW LEVEL SECURITY"));
        ready_again();
    }
    // What the host never does, an operator may forbid: all that the audit log forbids anyhow, and columns.
    server.sql(
        database,
        "REVOKE UPDATE, DELETE ON hub_audit_events, hub_run_logs, hub_tenants FROM limited;
         REVOKE DELETE ON hub_hosts, hub_org_plugins, hub_orgs, hub_runs, hub_state, hub_users FROM limited;
         REVOKE SELECT, UPDATE, DELETE ON hub_seeds FROM limited;
         REVOKE UPDATE ON hub_orgs, hub_users FROM limited;
         GRANT UPDATE (revision) ON hub_orgs TO limited; GRANT UPDATE (password, email) ON hub_users TO limited",
    );
    server.sql(database, "REVOKE USAGE ON SCHEMA public FROM limited, public");
    until("it is ready", || host.get("/readyz").status == 503);
    assert!(host.get("/readyz").text.contains("does not see them"), "{}", host.get("/readyz").text);
    server.sql(database, "GRANT USAGE ON SCHEMA public TO limited");
    until("it is not ready again", || host.get("/readyz").status == 200);
    // The same in `doctor`.
    server.sql(database, "REVOKE INSERT ON hub_runs FROM limited");
    let said = doctor(&world);
    assert!(said.contains("(no INSERT on hub_runs)") && said.contains("GRANT SELECT, INSERT"), "{said}");
}
