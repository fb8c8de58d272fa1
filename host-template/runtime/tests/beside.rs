//! What others do on the same PostgreSQL while a host migrates: they remove rows and tables of their own.

mod program;

use std::fs;

use program::postgres::Server;
use program::world::{World, until};
use program::{command, run};
use serde_json::{Value, json};

/// A table of a plugin's, made anew.
const REBUILD: &str = "CREATE TABLE plugin_good_notes_new (id TEXT PRIMARY KEY, text TEXT);
    INSERT INTO plugin_good_notes_new SELECT id, text FROM plugin_good_notes; DROP TABLE plugin_good_notes;
    ALTER TABLE plugin_good_notes_new RENAME TO plugin_good_notes";

fn preflight(world: &World) -> Value {
    let mut command = command(&world.folder);
    world.prepare(&mut command);
    command.args(["preflight", "--json"]);
    let (_, stdout, stderr) = run(command);
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no JSON: {stdout}{stderr}"))
}

/// The errors of a report, one after the other.
fn errors(report: &Value) -> String {
    let errors = report["errors"].as_array().unwrap();
    errors.iter().map(|error| error["what"].as_str().unwrap()).collect()
}

/// Waits until a statement of that text is under way on the server, sleeping.
fn sleeps(server: &Server, text: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%{text}%'
         AND pid <> pg_backend_pid()"
    );
    until("nothing sleeps there", || server.sql("postgres", &sql) == "1");
}

#[test]
fn s19_what_others_remove_meanwhile_is_no_loss_of_a_migrations() {
    let Some(server) = Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let database = world.url.clone().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let host = world.host();
    host.enable("good");
    let note = host.post("/api/good/notes", r#"{"text": "kept"}"#).header("location").to_owned();
    host.stop();
    let migration =
        |name: &str, sql: &str| world.folder.write(&format!("plugins/good/migrations/{name}"), sql);
    server.sql(
        &database,
        "CREATE SCHEMA dbt; CREATE TABLE dbt.model AS SELECT generate_series(1, 9) AS n;
         CREATE TABLE dbt.gone AS SELECT 1 AS n; CREATE TABLE dbt.held AS SELECT 1 AS n;
         CREATE TABLE dbt.less AS SELECT generate_series(1, 9) AS n, 'x' AS text",
    );
    // Signing in, and dbt: rows go, a table goes, and a new one takes the place of an old one, which is dropped.
    let rows = "DELETE FROM hub_sessions; UPDATE dbt.model SET n = NULL";
    let tables = "DROP TABLE dbt.gone; TRUNCATE dbt.less;
        CREATE TABLE dbt.model__tmp AS SELECT 1 AS n; ALTER TABLE dbt.model RENAME TO model__backup;
        ALTER TABLE dbt.model__tmp RENAME TO model; DROP TABLE dbt.model__backup;
        ALTER TABLE dbt.less DROP COLUMN text; CREATE TABLE customers (id TEXT)";
    let undo = "DROP TABLE dbt.model, dbt.less, customers; CREATE TABLE dbt.model AS SELECT generate_series(1, 9) AS n;
        CREATE TABLE dbt.gone AS SELECT 1 AS n; CREATE TABLE dbt.less AS SELECT generate_series(1, 9) AS n, 'x' AS text;
        INSERT INTO hub_sessions (id, user_id, org_id, created_at, expires_at)
        SELECT 's' || n, user_id, org_id, '2026-01-01', '2036-01-01' FROM hub_members, generate_series(1, 3) n";
    for (sql, said) in [
        ("UPDATE plugin_good_notes SET text = 'changed'", None),
        ("ALTER TABLE plugin_good_notes ADD COLUMN stars INTEGER", None),
        (REBUILD, None),
        // What it removes itself is seen as before.
        ("DELETE FROM plugin_good_notes", Some("(plugin_good_notes: 1 rows before, 0 after)")),
        ("TRUNCATE plugin_good_notes", Some("(plugin_good_notes: 1 rows before, 0 after)")),
        (
            "UPDATE plugin_good_notes SET text = NULL",
            Some("(plugin_good_notes.text: 1 values before, 0 after)"),
        ),
        ("DELETE FROM dbt.held", Some("not vertical plugin `good`'s (dbt.held: 1 rows before, 0 after)")),
        ("DROP TABLE dbt.held", Some("it drops the table `held`, which is not vertical plugin `good`'s")),
        (
            "ALTER TABLE dbt.held DROP COLUMN n",
            Some("not vertical plugin `good`'s (dbt.held.n: 1 values before, 0 after)"),
        ),
        ("CREATE TABLE elsewhere (id TEXT)", Some("it makes the table `elsewhere`")),
        // Made, filled and emptied within the one transaction.
        ("CREATE TABLE plugin_good_new (id TEXT); INSERT INTO plugin_good_new VALUES ('x')", None),
        ("TRUNCATE plugin_good_new", Some("(plugin_good_new: 1 rows before, 0 after)")),
    ] {
        let name = if sql == "TRUNCATE plugin_good_new" { "0003_next.sql" } else { "0002_next.sql" };
        migration(name, &format!("{sql}; SELECT pg_sleep(2)"));
        let report = std::thread::scope(|scope| {
            let report = scope.spawn(|| preflight(&world));
            sleeps(server, "pg_sleep(2)");
            server.sql(&database, rows);
            server.sql(&database, tables);
            report.join().unwrap()
        });
        let told = errors(&report);
        assert!(said.map_or(told.is_empty(), |said| told.contains(said)), "{sql}: {report}");
        server.sql(&database, undo);
    }
    for name in ["0002_next.sql", "0003_next.sql"] {
        fs::remove_file(world.folder.path(&format!("release/plugins/good/migrations/{name}"))).unwrap();
    }
    // One that somebody else holds is not waited for.
    migration("0002_next.sql", "UPDATE plugin_good_notes SET text = 'changed'");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| {
            server.sql(
                &database,
                "BEGIN; LOCK TABLE dbt.held IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT",
            )
        });
        sleeps(server, "LOCK TABLE dbt.held");
        let report = preflight(&world);
        assert_eq!(errors(&report), "", "{report}");
        held.join().unwrap();
    });
    let host = world.host();
    assert_eq!(host.get(&note).json(), json!({"text": "changed"}), "{}", host.log());
}
