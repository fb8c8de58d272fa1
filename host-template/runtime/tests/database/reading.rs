//! Commands that look at a database and change nothing: on servers and disks that are only read, and on databases that are not
//! there, or not the platform's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::program::postgres::Server;
use crate::program::world::{World, is, until};
use crate::program::{self, Host, behind, command, run, run_with};
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
    // A folder in which this user writes nothing. Root writes everywhere, so it asks as another.
    fs::set_permissions(data.join("hub.db"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        assert!(Command::new("chown").args(["-R", "54321:54321"]).arg(&data).status().unwrap().success());
    }
    for arguments in READING {
        let mut reading = command(&world.folder);
        world.prepare(&mut reading);
        reading.args(arguments);
        if is_root {
            reading = behind(&reading, &["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]);
        }
        let (status, out, said) = run(reading);
        assert_eq!(status, Some(0), "{arguments:?}: {said}");
        assert!(arguments[0] != "admin" || out.contains("a@example.com"), "{out}");
    }
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
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
    // What the host never does, an operator may forbid: all that the audit log forbids anyhow, and columns.
    server.sql(
        database,
        "REVOKE UPDATE, DELETE ON hub_audit_events, hub_run_logs, hub_tenants FROM limited;
         REVOKE DELETE ON hub_hosts, hub_org_plugins, hub_orgs, hub_runs, hub_state, hub_users FROM limited;
         REVOKE SELECT, UPDATE, DELETE ON hub_seeds FROM limited;
         REVOKE UPDATE ON hub_orgs, hub_users FROM limited;
         GRANT UPDATE (revision) ON hub_orgs TO limited; GRANT UPDATE (password) ON hub_users TO limited",
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
