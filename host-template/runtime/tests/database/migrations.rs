//! D2, D4: migrations that would lose something, and a pooler that stands before the server.

use std::fs;

use serde_json::{Value, json};

use crate::program::pgbouncer::PgBouncer;
use crate::program::world::{World, until};
use crate::program::{command, run};
use crate::{on_both, server, with_port};

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

fn errors(report: &Value) -> Vec<&str> {
    report["errors"].as_array().unwrap().iter().map(|error| error["what"].as_str().unwrap()).collect()
}

on_both! {
    fn d2_a_table_that_others_refer_to_is_rebuilt_and_they_keep_their_rows(world: &World) {
        let note = with_a_note(world);
        migration(world, "0002_rebuild.sql", REBUILD);
        let (status, report) = world.preflight(&[]);
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
        let (status, report) = world.preflight(&[]);
        assert_eq!(status, Some(1), "{report}");
        assert_eq!(errors(&report), [format!("vertical plugin `good` would be invalid: {refused}")]);
        // And a start does not run it, whoever starts.
        let host = world.host();
        assert!(host.log().contains(refused), "{}", host.log());
        host.stop();
        // Said by the author: the operator has the last word.
        migration(world, "0002_less.sql", "-- hub: removes plugin_good_notes\nDELETE FROM plugin_good_notes");
        let (status, report) = world.preflight(&[]);
        let told = "a migration of vertical plugin `good` removes data, as it says: plugin_good_notes: 1 rows before, 0 after";
        assert_eq!((status, errors(&report)), (Some(3), vec![told]), "{report}");
        assert_eq!(report["changes"]["removed"][0]["table"], "plugin_good_notes");
        assert_eq!(world.preflight(&["--accept-loss", "plugin_good_books"]).0, Some(3));
        let (status, report) = world.preflight(&["--accept-loss", "plugin_good_notes"]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
        let host = world.host();
        assert_eq!(host.get(&note).status, 404);
        assert!(host.log().contains("plugin_good_notes: 1 rows before, 0 after"), "{}", host.log());
    }

    fn d2_a_dry_run_writes_nothing_where_a_migration_ends_its_transaction(world: &World) {
        with_a_note(world);
        let more = "CREATE TABLE plugin_good_more (id TEXT PRIMARY KEY)";
        let said = "migration 0002_more.sql: it controls the transaction that it runs in (`COMMIT`); leave it out: ";
        migration(world, "0002_more.sql", &format!("{more}; COMMIT; BEGIN"));
        let (status, report) = world.preflight(&[]);
        assert_eq!(status, Some(1), "{report}");
        assert!(errors(&report)[0].contains(said), "{report}");
        // Nor does a start.
        let host = world.host();
        assert!(host.log().contains(said), "{}", host.log());
        host.stop();
        // It could not be made if it was there.
        migration(world, "0002_more.sql", more);
        let (status, report) = world.preflight(&[]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
    }

    fn d2_what_an_earlier_migration_left_removes_nothing_unseen(world: &World) {
        with_a_note(world);
        let more = "INSERT INTO plugin_good_books VALUES ('d', 'One more')";
        let said = "migration 0003_more.sql: it removes data (plugin_good_notes: 1 rows before, 0 after) and does not say so";
        let trigger = if world.url.is_some() {
            "CREATE FUNCTION plugin_good_f() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN DELETE FROM plugin_good_notes; RETURN NULL; END $$;
             CREATE TRIGGER plugin_good_t AFTER INSERT ON plugin_good_books FOR EACH ROW EXECUTE FUNCTION plugin_good_f()"
        } else {
            "CREATE TRIGGER plugin_good_t AFTER INSERT ON plugin_good_books BEGIN DELETE FROM plugin_good_notes; END"
        };
        let of_postgres = [
            ("CREATE RULE plugin_good_r AS ON INSERT TO plugin_good_books DO ALSO DELETE FROM plugin_good_notes", more),
            (
                "CREATE FUNCTION plugin_good_g() RETURNS text LANGUAGE sql AS 'DELETE FROM plugin_good_notes; SELECT ''d'''",
                "INSERT INTO plugin_good_books VALUES (plugin_good_g(), 'One more')",
            ),
        ];
        let others = if world.url.is_some() { &of_postgres[..] } else { &[] };
        for (left, next) in others.iter().copied().chain([(trigger, more)]) {
            migration(world, "0002_left.sql", left);
            migration(world, "0003_more.sql", next);
            let (_, report) = world.preflight(&[]);
            assert!(errors(&report).iter().any(|error| error.contains(said)), "{left}: {report}");
        }
        // As well where it has run before.
        fs::remove_file(world.folder.path("release/plugins/good/migrations/0003_more.sql")).unwrap();
        let host = world.host();
        assert!(host.log().contains("ran migrations"), "{}", host.log());
        host.stop();
        migration(world, "0003_more.sql", more);
        let (_, report) = world.preflight(&[]);
        assert!(errors(&report).iter().any(|error| error.contains(said)), "{report}");
    }

    fn d2_siblings_of_a_loss_are_seen(world: &World) {
        let note = with_a_note(world);
        let truncate = if world.url.is_some() { "TRUNCATE plugin_good_books CASCADE" } else { "DELETE FROM plugin_good_books; DELETE FROM plugin_good_notes" };
        for (sql, said) in [
            ("UPDATE plugin_good_notes SET text = NULL", "plugin_good_notes.text: 1 values before, 0 after"),
            ("UPDATE plugin_good_notes SET text = ''", "plugin_good_notes.text: 1 values before, 0 after"),
            (&*REBUILD.replace("SELECT id, title", "SELECT id, ''"), "plugin_good_books.title: 2 values before, 0 after"),
            ("ALTER TABLE plugin_good_notes DROP COLUMN text", "plugin_good_notes.text: 1 values before, 0 after"),
            ("DROP TABLE plugin_good_notes", "plugin_good_notes: 1 rows before, 0 after"),
            ("DELETE FROM plugin_good_books WHERE id = 'c'", "plugin_good_books: 2 rows before, 1 after"),
            (truncate, "plugin_good_books: 2 rows before, 0 after"),
            // The declaration is for what it names.
            ("-- hub: removes plugin_good_notes\nDELETE FROM plugin_good_books WHERE id = 'c'", "plugin_good_books: 2 rows before, 1 after"),
            // Nobody may say so for others.
            ("-- hub: removes hub_members\nDELETE FROM hub_members", "it removes what is not vertical plugin `good`'s (hub_members: 1 rows before, 0 after)"),
            // Nor leave as many rows of others' that say something else.
            ("UPDATE hub_members SET role = 'member'", "it changes or removes rows of `hub_members`, which is not vertical plugin `good`'s"),
            (
                "DELETE FROM hub_state WHERE name = 'generation'; INSERT INTO hub_state (name, value) VALUES ('generation', 7)",
                "it changes or removes rows of `hub_state`, which is not vertical plugin `good`'s",
            ),
        ] {
            migration(world, "0002_less.sql", sql);
            let (_, report) = world.preflight(&[]);
            assert!(errors(&report).iter().any(|error| error.contains(said)), "{sql}: {report}");
        }
        // Rows that refer to nothing afterwards.
        let orphan = "-- hub: removes plugin_good_books\nDELETE FROM plugin_good_books WHERE id = 'b'";
        migration(world, "0002_less.sql", orphan);
        let (_, report) = world.preflight(&[]);
        let said = if world.url.is_some() { "plugin_good_notes: 1 rows before, 0 after" } else { "it leaves 1 rows of `plugin_good_notes` that refer to nothing in `plugin_good_books`" };
        assert!(errors(&report).iter().any(|error| error.contains(said)), "{report}");
        // Values that are all there and hold less are told.
        migration(world, "0002_less.sql", &REBUILD.replace("SELECT id, title", "SELECT id, substr(title, 1, 1)"));
        let (status, report) = world.preflight(&[]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
        let told = "after a migration of vertical plugin `good` values hold less than before: plugin_good_books.title: 11 bytes before, 2 after";
        assert!(report["warnings"].to_string().contains(told), "{report}");
        // What only moves or gets another name is no loss. Of values that are others afterwards it is told.
        let told = "a migration of vertical plugin `good` changes values of ";
        for (sql, changed) in [
            ("ALTER TABLE plugin_good_books RENAME TO plugin_good_volumes", None),
            ("ALTER TABLE plugin_good_books RENAME COLUMN title TO name", None),
            ("UPDATE plugin_good_notes SET text = 'tpek'", Some("plugin_good_notes.text")),
        ] {
            migration(world, "0002_less.sql", sql);
            let (status, report) = world.preflight(&[]);
            assert_eq!((status, errors(&report)), (Some(0), vec![]), "{sql}: {report}");
            let warnings = report["warnings"].to_string();
            let want = changed.map_or_else(|| told.to_owned(), |column| format!("{told}{column}"));
            assert_eq!(warnings.contains(&want), changed.is_some(), "{sql}: {report}");
        }
        // Many that have become one are gone, unless that is said.
        let books: Vec<String> = (10..50).map(|book| format!("('b{book}', 'Title {book}')")).collect();
        let more = format!("INSERT INTO plugin_good_books (id, title) VALUES {}", books.join(", "));
        migration(world, "0002_less.sql", &more);
        let one = "UPDATE plugin_good_books SET title = 'Title 00'";
        migration(world, "0003_one.sql", one);
        let (status, report) = world.preflight(&[]);
        let said = "different values before, about 1 after) and does not say so";
        assert!(status == Some(1) && errors(&report)[0].contains(said), "{report}");
        let declared = format!("-- hub: removes plugin_good_books.title\n{one}");
        migration(world, "0003_one.sql", &declared);
        assert_eq!(world.preflight(&["--accept-loss", "plugin_good_books.title"]).0, Some(0));
        fs::remove_file(world.folder.path("release/plugins/good/migrations/0003_one.sql")).unwrap();
        fs::remove_file(world.folder.path("release/plugins/good/migrations/0002_less.sql")).unwrap();
        let host = world.host();
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}));
    }

    fn d2_bytes_are_compared_as_what_they_are(world: &World) {
        with_a_note(world);
        let (kind, long, none) = match world.url.is_some() {
            true => ("BYTEA", "convert_to(repeat('a', 50000) || 'b', 'UTF8')", "''"),
            false => ("BLOB", "CAST(replace(hex(zeroblob(25000)), '0', 'a') || 'b' AS BLOB)", "x''"),
        };
        let made = format!(
            "CREATE TABLE plugin_good_files (id TEXT PRIMARY KEY, data {kind});
             INSERT INTO plugin_good_files VALUES ('1', {long}), ('2', {none})"
        );
        migration(world, "0002_files.sql", &made);
        let other = long.replace("'b'", "'c'");
        for (sql, changed) in [
            (format!("UPDATE plugin_good_files SET data = NULL WHERE data = {none}"), false),
            (format!("UPDATE plugin_good_files SET data = {other} WHERE id = '1'"), true),
        ] {
            migration(world, "0003_files.sql", &sql);
            let (status, report) = world.preflight(&[]);
            assert_eq!((status, errors(&report)), (Some(0), vec![]), "{sql}: {report}");
            let told = report["warnings"].to_string().contains("changes values of plugin_good_files.data");
            assert_eq!(told, changed, "{sql}: {report}");
        }
        // What the server does not give as a text is not compared, and that is all.
        if world.url.is_some() {
            let odd = "CREATE TYPE plugin_good_pair AS (a INTEGER);
                CREATE FUNCTION plugin_good_said(p plugin_good_pair) RETURNS text LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'not to be read'; END $$;
                CREATE CAST (plugin_good_pair AS text) WITH FUNCTION plugin_good_said(plugin_good_pair);
                CREATE TABLE plugin_good_odd (id TEXT PRIMARY KEY, pair plugin_good_pair);
                INSERT INTO plugin_good_odd VALUES ('1', ROW(1))";
            migration(world, "0002_files.sql", odd);
            migration(world, "0003_files.sql", "UPDATE plugin_good_odd SET id = '2'");
            let (status, report) = world.preflight(&[]);
            assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
            let told = "the values of plugin_good_odd could not all be compared: a migration of vertical plugin `good`";
            assert!(report["warnings"].to_string().contains(told), "{report}");
        }
    }

    fn d2_the_schema_of_what_is_not_its_own_is_left_as_it_is(world: &World) {
        let note = with_a_note(world);
        let trigger = if world.url.is_some() {
            "CREATE FUNCTION plugin_good_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER plugin_good_t AFTER INSERT ON hub_sessions FOR EACH ROW EXECUTE FUNCTION plugin_good_f()"
        } else {
            "CREATE TRIGGER plugin_good_t AFTER INSERT ON hub_sessions BEGIN SELECT 1; END"
        };
        let of_postgres = [
            (
                "REVOKE INSERT ON hub_sessions FROM CURRENT_USER",
                "hub_sessions: who may do what with it is not what it was",
            ),
            (
                "ALTER TABLE hub_audit_events DISABLE TRIGGER ALL",
                "hub_audit_events: trigger hub_audit_events_no_change is not what it was",
            ),
            ("CREATE RULE r AS ON INSERT TO hub_audit_events DO INSTEAD NOTHING", "hub_audit_events: rule r is new"),
        ];
        let others = if world.url.is_some() { &of_postgres[..] } else { &[] };
        let of_both = [
            ("ALTER TABLE hub_users RENAME COLUMN name TO nome", "hub_users: column name is gone"),
            ("ALTER TABLE hub_users ADD COLUMN more TEXT", "hub_users: column more is new"),
            (trigger, "hub_sessions: trigger plugin_good_t is new"),
        ];
        for (sql, what) in of_both.iter().chain(others) {
            migration(world, "0002_others.sql", sql);
            let (_, report) = world.preflight(&[]);
            let said = format!("migration 0002_others.sql: it changes what is not vertical plugin `good`'s ({what})");
            assert!(errors(&report).iter().any(|error| error.contains(&said)), "{sql}: {report}");
        }
        // What it does with its own, and with a reference to others' rows, is its own business.
        let own = "CREATE INDEX plugin_good_i ON plugin_good_books (title);
            CREATE TABLE plugin_good_readers (id TEXT PRIMARY KEY REFERENCES hub_users (id))";
        migration(world, "0002_others.sql", own);
        let (status, report) = world.preflight(&[]);
        assert_eq!((status, errors(&report)), (Some(0), vec![]), "{report}");
        let host = world.host();
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}));
    }
}

#[test]
fn d4_a_pooler_without_transactions_is_told_with_its_setting() {
    let Some(server) = server() else { return };
    // The later of two lines counts.
    let Some(bouncer) = PgBouncer::before(server, "pool_mode = statement") else { return };
    let world = World::new(Some(with_port(&server.database(), bouncer.port)));
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let (status, _, stderr) = run(command);
    assert_eq!(status, Some(3), "{stderr}");
    for part in ["transaction blocks not allowed in statement pooling mode", "pool_mode = transaction"] {
        assert!(stderr.contains(part), "{stderr}");
    }
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
