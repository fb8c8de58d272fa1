//! What a database does to a host, and a host to its database: migrations that would lose something, poolers, locks,
//! standbys, names that nobody knows, and what an operator is told.

mod program;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use program::pgbouncer::PgBouncer;
use program::postgres::Server;
use program::world::{World, is, until};
use program::{Host, command, run, run_with};
use serde_json::{Value, json};

/// Notes that belong to a book: a row goes with its book.
const BOOKS: &str = "
    CREATE TABLE plugin_good_books (id TEXT PRIMARY KEY, title TEXT);
    INSERT INTO plugin_good_books VALUES ('b', 'Book'), ('c', 'Another');
    CREATE TABLE plugin_good_notes (id TEXT PRIMARY KEY, text TEXT,
        book TEXT DEFAULT 'b' REFERENCES plugin_good_books (id) ON DELETE CASCADE);";

/// The same table made anew, as SQLite's own documentation says: new, copy, drop, rename.
const REBUILD: &str = "
    CREATE TABLE plugin_good_books_new (id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT 'none');
    INSERT INTO plugin_good_books_new SELECT id, title FROM plugin_good_books;
    DROP TABLE plugin_good_books CASCADE;
    ALTER TABLE plugin_good_books_new RENAME TO plugin_good_books;";

fn migration(world: &World, name: &str, sql: &str) {
    let sql = if world.url.is_none() {
        sql.replace(" CASCADE;\n    ALTER", ";\n    ALTER")
    } else {
        sql.to_owned()
    };
    world.folder.write(&format!("plugins/good/migrations/{name}"), &sql);
}

fn with_a_note(world: &World) -> String {
    migration(world, "0001_notes.sql", BOOKS);
    let host = world.host();
    host.enable("good");
    let note = host.post("/api/good/notes", r#"{"text": "kept"}"#).header("location").to_owned();
    host.stop();
    note
}

fn preflight(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(["preflight", "--json"]).args(arguments);
    let (status, stdout, stderr) = run(command);
    (status, serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no JSON: {stdout}{stderr}")))
}

fn errors(report: &Value) -> Vec<&str> {
    report["errors"].as_array().unwrap().iter().map(|error| error["what"].as_str().unwrap()).collect()
}

on_both! {
    fn d2_a_table_that_others_refer_to_is_rebuilt_and_they_keep_their_rows(world: &World) {
        let note = with_a_note(world);
        migration(world, "0002_rebuild.sql", REBUILD);
        let (status, report) = preflight(world, &[]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
        let host = world.host();
        assert!(host.log().contains("ran migrations"), "{}", host.log());
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}), "{}", host.log());
        // References are looked at again.
        assert_eq!(host.post("/api/good/notes", r#"{"text": "more"}"#).status, 201);
    }

    fn d2_it_is_rebuilt_while_it_is_enabled_too(world: &World) {
        migration(world, "0001_notes.sql", BOOKS);
        let more = "INSERT INTO plugin_good_notes (id, text, book) VALUES ('n', 'kept', 'c');";
        migration(world, "0002_more.sql", more);
        migration(world, "0003_rebuild.sql", REBUILD);
        let host = world.host();
        host.enable("good");
        assert_eq!(host.get("/api/good/notes/n").json(), json!({"text": "kept"}), "{}", host.log());
    }

    fn d2_data_goes_only_where_a_migration_says_so_and_the_operator_does(world: &World) {
        let note = with_a_note(world);
        let refused = "migration 0002_less.sql: it removes data (plugin_good_notes: 1 rows before, 0 after) and does \
            not say so: keep the data, or write the comment `-- hub: removes plugin_good_notes` into it";
        migration(world, "0002_less.sql", "DELETE FROM plugin_good_notes");
        let (status, report) = preflight(world, &[]);
        assert_eq!(status, Some(1), "{report}");
        assert_eq!(errors(&report), [format!("vertical plugin `good` would be invalid: {refused}")]);
        // And a start does not run it, whoever starts.
        let host = world.host();
        assert!(host.log().contains(refused), "{}", host.log());
        host.stop();
        // Said by the author: the operator has the last word.
        migration(world, "0002_less.sql", "-- hub: removes plugin_good_notes\nDELETE FROM plugin_good_notes");
        let (status, report) = preflight(world, &[]);
        let told = "a migration of vertical plugin `good` removes data, as it says: plugin_good_notes: 1 rows before, 0 after";
        assert_eq!((status, errors(&report)), (Some(3), vec![told]), "{report}");
        assert_eq!(report["changes"]["removed"][0]["table"], "plugin_good_notes");
        assert_eq!(preflight(world, &["--accept-loss", "plugin_good_books"]).0, Some(3));
        let (status, report) = preflight(world, &["--accept-loss", "plugin_good_notes"]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
        let host = world.host();
        assert_eq!(host.get(&note).status, 404);
        assert!(host.log().contains("plugin_good_notes: 1 rows before, 0 after"), "{}", host.log());
    }

    fn d2_siblings_of_a_loss_are_seen(world: &World) {
        let note = with_a_note(world);
        let truncate = if world.url.is_some() { "TRUNCATE plugin_good_books CASCADE" } else { "DELETE FROM plugin_good_books; DELETE FROM plugin_good_notes" };
        for (sql, said) in [
            ("UPDATE plugin_good_notes SET text = NULL", "plugin_good_notes.text: 1 values before, 0 after"),
            ("ALTER TABLE plugin_good_notes DROP COLUMN text", "plugin_good_notes.text: 1 values before, 0 after"),
            ("DROP TABLE plugin_good_notes", "plugin_good_notes: 1 rows before, 0 after"),
            ("DELETE FROM plugin_good_books WHERE id = 'c'", "plugin_good_books: 2 rows before, 1 after"),
            (truncate, "plugin_good_books: 2 rows before, 0 after"),
            // The declaration is for what it names.
            ("-- hub: removes plugin_good_notes\nDELETE FROM plugin_good_books WHERE id = 'c'", "plugin_good_books: 2 rows before, 1 after"),
            // Nobody may say so for others.
            ("-- hub: removes hub_members\nDELETE FROM hub_members", "it removes what is not vertical plugin `good`'s (hub_members: 1 rows before, 0 after)"),
        ] {
            migration(world, "0002_less.sql", sql);
            let (_, report) = preflight(world, &[]);
            assert!(errors(&report).iter().any(|error| error.contains(said)), "{sql}: {report}");
        }
        // Rows that refer to nothing afterwards.
        let orphan = "-- hub: removes plugin_good_books\nDELETE FROM plugin_good_books WHERE id = 'b'";
        migration(world, "0002_less.sql", orphan);
        let (_, report) = preflight(world, &[]);
        let said = if world.url.is_some() { "plugin_good_notes: 1 rows before, 0 after" } else { "it leaves 1 rows of `plugin_good_notes` that refer to nothing in `plugin_good_books`" };
        assert!(errors(&report).iter().any(|error| error.contains(said)), "{report}");
        // What only moves or gets another name is no loss.
        for sql in [
            "ALTER TABLE plugin_good_books RENAME TO plugin_good_volumes",
            "ALTER TABLE plugin_good_books RENAME COLUMN title TO name",
            "UPDATE plugin_good_notes SET text = 'changed'",
        ] {
            migration(world, "0002_less.sql", sql);
            let (status, report) = preflight(world, &[]);
            assert_eq!((status, errors(&report)), (Some(0), vec![]), "{sql}: {report}");
        }
        fs::remove_file(world.folder.path("release/plugins/good/migrations/0002_less.sql")).unwrap();
        let host = world.host();
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}));
    }

    fn s19_of_six_who_make_the_same_one_is_first(world: &World) {
        let host = world.host();
        let six = |path: &str, body: &Value| {
            let one = || host.post(path, &body.to_string()).status;
            let mut codes: Vec<u16> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            codes.sort_unstable();
            codes
        };
        for (path, body) in
            [("/api/groups", json!({"name": "Nurses", "permissions": []})), ("/api/tenants", json!({"name": "North"}))]
        {
            assert_eq!(six(path, &body), [201, 409, 409, 409, 409, 409], "{path}: {}", host.log());
        }
        // An invitation takes the place of an earlier one to the same address, so two in a row are no conflict.
        for (path, done) in [("/api/invitations", 201), ("/api/members", 202)] {
            let codes = six(path, &json!({"email": "six@example.com", "role": "member"}));
            assert!(codes.contains(&done), "{path}: {codes:?} {}", host.log());
            assert!(codes.iter().all(|code| [done, 409].contains(code)), "{path}: {codes:?} {}", host.log());
            let pending = host.get("/api/invitations").json();
            assert_eq!(pending.as_array().map(Vec::len), Some(1), "{pending}");
        }
        // Titles of dashboards may be the same.
        let codes = six("/api/dashboards", &json!({"title": "Beds", "widgets": []}));
        assert_eq!(codes, [201; 6], "{}", host.log());
        // Switching one plugin on, six times at once.
        let codes: Vec<u16> = std::thread::scope(|scope| {
            let one = || host.post("/api/plugins/good/enable", r#"{"scope": "org"}"#).status;
            let all: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(codes, [200; 6], "{}", host.log());
    }
}

fn server() -> Option<&'static Server> {
    Server::shared()
}

fn with_port(url: &str, port: u16) -> String {
    let (head, rest) = url.split_once("127.0.0.1:").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("{head}127.0.0.1:{port}/{path}")
}

#[test]
fn d4_a_host_works_behind_pgbouncer_in_transaction_mode() {
    let Some(server) = server() else { return };
    // Refusing what it cannot keep, and dropping it without a word.
    for settings in ["", "ignore_startup_parameters = extra_float_digits,options"] {
        let Some(bouncer) = PgBouncer::before(server, settings) else { return };
        let url = with_port(&server.database(), bouncer.port);
        let world = World::new(Some(url.clone()));
        let host = world.host();
        assert!(host.log().contains("behind a connection pooler"), "{}", host.log());
        host.enable("good");
        std::thread::scope(|scope| {
            for n in 0..8 {
                let host = &host;
                scope.spawn(move || {
                    let body = json!({"text": format!("note {n}")}).to_string();
                    for _ in 0..20 {
                        let made = host.post("/api/good/notes", &body);
                        assert_eq!(made.status, 201, "{}{}", made.text, host.log());
                        assert_eq!(host.get(made.header("location")).json()["text"], format!("note {n}"));
                        assert_eq!(host.get("/api/records").status, 200);
                    }
                });
            }
        });
        // A second host hears of changes although nobody can tell it.
        let other = world.other_host();
        assert_eq!(host.post("/api/plugins/good/disable", r#"{"scope": "org"}"#).status, 200);
        until("the other host sees it", || {
            other.get("/api/good/boom").json()["code"] == "plugin-not-enabled"
        });
        assert!(!host.log().contains("the database cannot be used"), "{}", host.log());
        // The next start finds its migrations done.
        other.stop();
        host.stop();
        world.host().stop();
        // What the pooler would drop is not done without.
        let mut command = command(&world.folder);
        command.env("DATABASE_URL", format!("{url}?options=-csearch_path%3Dother")).args([
            "serve",
            "--listen",
            "127.0.0.1:0",
        ]);
        let (status, _, stderr) = run(command);
        assert_eq!(status, Some(3), "{stderr}");
        assert!(
            stderr.contains(
                "a connection pooler stands before the server and drops `options=-csearch_path=other`"
            ),
            "{stderr}"
        );
    }
}

#[test]
fn s19_one_locked_table_does_not_stop_the_others() {
    let Some(server) = server() else { return };
    let url = server.database();
    let world = World::new(Some(url.clone()));
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("HUB_DB_LOCK_MS", "1000");
    });
    host.enable("good");
    let note = host.post("/api/good/notes", r#"{"text": "kept"}"#).header("location").to_owned();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    std::thread::scope(|scope| {
        let locked = scope.spawn(|| {
            server.sql(
                &database,
                "BEGIN; LOCK TABLE plugin_good_notes IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(9); COMMIT",
            )
        });
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        let readers: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let answer = host.get(&note);
                    (answer.status, answer.header("retry-after").to_owned(), answer.json()["code"].clone())
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        // Whoever wants something else waits for one lock's time at most.
        assert_eq!(host.get("/api/records").status, 200, "{}", host.log());
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        for reader in readers {
            assert_eq!(
                reader.join().unwrap(),
                (503, "3".to_owned(), json!("database-busy")),
                "{}",
                host.log()
            );
        }
        // Known by now: it costs the others nothing.
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(host.get("/api/records").status, 200);
            assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
        }
        locked.join().unwrap();
    });
    until("the table is read again", || host.get(&note).status == 200);
}

#[test]
fn s19_a_statement_has_an_end() {
    let Some(server) = server() else { return };
    let world = World::new(Some(server.database()));
    let url = world.url.clone().unwrap();
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("HUB_DB_STATEMENT_MS", "300");
    });
    host.enable("good");
    let database = url.rsplit_once('/').unwrap().1;
    server.sql(database, "ALTER TABLE plugin_good_notes RENAME TO plugin_good_notes_t;
        CREATE VIEW plugin_good_notes AS SELECT id, text FROM plugin_good_notes_t, pg_sleep(5) WHERE pg_sleep IS NOT NULL");
    let begun = Instant::now();
    is(&host.get("/api/good/notes/x"), 503, "database-busy");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn s19_a_server_that_takes_no_writes_is_left_for_the_one_that_does() {
    let Some(server) = server() else { return };
    let url = server.database();
    let world = World::new(Some(url.clone()));
    let host = world.host();
    host.enable("good");
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    // New sessions only read, and those that are there are ended: what a failover looks like from here.
    server.sql("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    server.sql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"),
    );
    // Nobody has to try a change first: a load balancer is told.
    until("it is ready", || host.get("/readyz").status == 503);
    let ready = host.get("/readyz");
    assert!(ready.json()["detail"].as_str().unwrap().contains("takes no changes"), "{}", ready.text);
    assert_eq!(host.get("/livez").status, 200);
    let add = || host.post("/api/good/notes", r#"{"text": "x"}"#);
    until("it is only read", || add().json()["code"] == "database-read-only");
    assert_eq!((add().status, add().header("retry-after").to_owned()), (503, "5".to_owned()));
    assert_eq!(host.get("/api/records").status, 200);
    // The new primary: sessions from before would stay with the old one.
    server.sql("postgres", &format!("ALTER DATABASE {database} RESET default_transaction_read_only"));
    until("it writes again", || add().status == 201);
    until("it is not ready again", || host.get("/readyz").status == 200);
    // A start says so, and what to do.
    server.sql("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    let stderr =
        cannot_start(&world, &["--data-dir", &world.folder.path("data-other").display().to_string()]);
    assert!(stderr.contains("let DATABASE_URL name the server that takes writes"), "{stderr}");
    assert!(host.stop().0.is_some());
}

/// A server that stops is told as one that cannot be reached, with its place: to the log, to a command, and to a probe.
#[test]
fn a_server_that_is_away_is_named_and_probes_answer_in_time() {
    let Some(server) = Server::own() else { return };
    let world = World::new(Some(server.database()));
    let host = world.host();
    host.enable("good");
    assert_eq!(host.get("/readyz").status, 200);
    server.stop();
    // What was found out is told again for half a second.
    until("it is ready", || host.get("/readyz").status == 503);
    for _ in 0..3 {
        let begun = Instant::now();
        let ready = host.get("/readyz");
        is(&ready, 503, "not-ready");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert!(
            ready.json()["detail"].as_str().unwrap().contains("the database does not answer"),
            "{}",
            ready.text
        );
        assert_eq!(host.get("/livez").status, 200);
        std::thread::sleep(Duration::from_millis(600));
    }
    is(&host.get("/api/records"), 503, "database-unavailable");
    let place = format!("the server at 127.0.0.1:{} cannot be reached: connection refused", server.port);
    assert!(host.log().contains(&place), "{}", host.log());
    assert!(!host.log().contains("stayed in use"), "{}", host.log());
    let mut list = command(&world.folder);
    world.prepare(&mut list);
    list.args(["admin", "list-users"]);
    let (status, _, said) = run(list);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&place) && said.contains("see that PostgreSQL runs at that address"), "{said}");
}

/// A pool that is used up is told as that: the server is well.
#[test]
fn a_pool_that_is_used_up_is_not_a_server_that_is_away() {
    let Some(server) = server() else { return };
    let world = World::new(Some(server.database()));
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command
            .env("HUB_DB_CONNECTIONS", "4")
            .env("HUB_DB_CONNECT_SECONDS", "1")
            .env("HUB_DB_STATEMENT_MS", "20000");
    });
    host.enable("good");
    let database = world.url.as_ref().unwrap().rsplit_once('/').unwrap().1;
    server.sql(database, "ALTER TABLE plugin_good_notes RENAME TO plugin_good_notes_t;
        CREATE VIEW plugin_good_notes AS SELECT id, text FROM plugin_good_notes_t, pg_sleep(6) WHERE pg_sleep IS NOT NULL");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| host.get("/api/good/notes/x"));
        }
        std::thread::sleep(Duration::from_millis(500));
        is(&host.get("/api/records"), 503, "database-busy");
    });
    assert!(
        host.log().contains("stayed in use") && !host.log().contains("cannot be reached"),
        "{}",
        host.log()
    );
}

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

fn cannot_start(world: &World, arguments: &[&str]) -> String {
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    let (status, _, stderr) = run(command);
    assert_eq!(status, Some(3), "{stderr}");
    assert!(!stderr.contains("restore"), "{stderr}");
    stderr
}

#[test]
fn a_start_that_fails_says_why_and_never_to_restore() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let check = |url: &str, why: &str, help: &str| {
        let begun = Instant::now();
        let stderr = cannot_start(&World::new(Some(url.to_owned())), &[]);
        assert!(stderr.contains(why) && stderr.contains(help), "{url}: {stderr}");
        assert!(!stderr.contains("s3cret") && begun.elapsed() < Duration::from_secs(15), "{stderr}");
    };
    check(
        &format!("postgres://hub:s3cret@127.0.0.1:{closed}/hub"),
        &format!("the server at 127.0.0.1:{closed} cannot be reached: connection refused"),
        "see that PostgreSQL runs at that address",
    );
    check(
        "postgres://hub:s3cret@nobody.invalid/hub",
        "the server at nobody.invalid:5432 cannot be reached: ",
        "see that PostgreSQL runs at that address",
    );
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    check(
        &format!("postgres://hub:s3cret@127.0.0.1:{}/hub", deaf.local_addr().unwrap().port()),
        "cannot be reached: it has not answered within 5 s",
        "see that PostgreSQL runs at that address",
    );
    check("sqlite:///nowhere/at/all/hub.db", "unable to open database file", "see that its folder is there");
    let world = World::new(None);
    world.folder.write("data/hub.db", &"this is no database".repeat(100));
    let stderr = cannot_start(&world, &[]);
    assert!(stderr.contains("file is not a database") && stderr.contains("means this file"), "{stderr}");
    if let Some(server) = server() {
        let url = server.database();
        check(&format!("{url}_none"), "does not exist", "createdb");
        let login = server.sql("postgres", "CREATE ROLE plain LOGIN");
        assert_eq!(login, "");
        check(&url.replace("hub@", "plain@"), "permission denied", "GRANT CREATE, USAGE ON SCHEMA public");
        check(
            &url.replace("hub@", "nosuch@"),
            "role \"nosuch\" does not exist",
            "mend the user and the password",
        );
    }
}

#[test]
fn s19_a_sqlite_file_that_another_program_holds_is_503() {
    let world = World::new(None);
    let host = world.host();
    host.enable("good");
    // Another program holds the file for longer than is waited for.
    let file = world.folder.path("data/hub.db");
    let python = format!(
        "import sqlite3,time; c=sqlite3.connect({:?}); c.isolation_level=None; c.execute('BEGIN IMMEDIATE'); print('x', flush=True); time.sleep(9)",
        file.display().to_string()
    );
    let Ok(mut holder) =
        Command::new("python3").args(["-c", &python]).stdout(std::process::Stdio::piped()).spawn()
    else {
        program::skip("a database file that another program holds: python3 is not installed");
        return;
    };
    let mut line = [0; 1];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
    let answer = host.post("/api/good/notes", r#"{"text": "x"}"#);
    is(&answer, 503, "database-busy");
    assert_eq!(answer.header("retry-after"), "3");
    assert_eq!(host.get("/api/records").status, 200, "readers read on");
    holder.wait().unwrap();
    assert_eq!(host.post("/api/good/notes", r#"{"text": "x"}"#).status, 201);
}

fn rustix_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A program of this test under `strace`, as a user without an entry and with nothing in its environment; what it opened
/// and printed. None where that cannot be done here.
fn traced(world: &World, url: &str, switch: &Path) -> Option<String> {
    for program in ["strace", "setpriv", "unshare"] {
        if !std::env::split_paths(&std::env::var_os("PATH")?).any(|folder| folder.join(program).is_file()) {
            program::skip(&format!("{program} is not installed"));
            return None;
        }
    }
    let host = command(&world.folder);
    let release = world.folder.path("release");
    let script = format!(
        "mount --bind {switch} /etc/nsswitch.conf && exec env -i PATH=$PATH INSTALL_DIR={release} DATA_DIR={data} DATABASE_URL='{url}' \
         setpriv --reuid 54321 --regid 54321 --clear-groups strace -f -e trace=openat,open,execve {program} admin create-user --email a@example.com --org Some",
        switch = switch.display(),
        release = release.display(),
        data = world.folder.path("data").display(),
        program = host.get_program().to_string_lossy(),
    );
    let mut inner = Command::new("unshare");
    inner.args(["-m", "sh", "-c", &script]);
    let (_, stdout, stderr) = run_with(inner, "correct horse battery");
    Some(stdout + &stderr)
}

#[test]
fn s18_no_name_service_of_the_machine_is_asked() {
    if !rustix_root() {
        program::skip("only root becomes a user without an entry");
        return;
    }
    let world = World::new(None);
    let data = world.folder.path("data");
    assert!(Command::new("chown").arg("54321:54321").arg(&data).status().unwrap().success());
    let switch = world.folder.path("release/nsswitch.conf");
    world.folder.write("nsswitch.conf", "passwd: sss systemd files\ngroup: sss systemd files\nhosts: mymachines resolve [!UNAVAIL=return] files dns myhostname\n");
    for (url, said) in [
        ("postgres:///hub", "DATABASE_URL names no user"),
        ("postgres://localhost:1/hub", "DATABASE_URL names no user"),
        ("postgres://hub@localhost:1/hub", "cannot be reached"),
        ("postgres://hub@nobody.invalid:1/hub", "cannot be reached"),
        (&format!("sqlite://{}/own.db", data.display()), "a@example.com"),
    ] {
        let Some(text) = traced(&world, url, &switch) else { return };
        assert!(text.contains("execve("), "{text}");
        assert!(!text.contains("libnss_"), "{url}: {text}");
        assert!(!text.contains("SIGSEGV") && text.contains(said), "{url}: {text}");
    }
}
