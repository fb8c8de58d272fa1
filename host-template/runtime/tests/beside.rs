//! What others do on the same PostgreSQL while a host migrates or runs something: they remove rows and tables of their own,
//! their clock is another one, and the network between falls silent.

mod program;

use std::fs;
use std::time::Duration;

use program::postgres::Server;
use program::proxy::Proxy;
use program::world::{World, until};
use program::{Host, command, lives, run, runs};
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

fn with_port(url: &str, port: u16) -> String {
    let (head, rest) = url.split_once("127.0.0.1:").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("{head}127.0.0.1:{port}/{path}")
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

/// A script that takes a minute, of this name.
fn with_a_slow_script(world: &World, slug: &str) {
    runs::with_scripts(
        world,
        "mine",
        "",
        &[(slug, "import time\nprint('begun', flush=True)\ntime.sleep(60)\n")],
    );
}

/// A process that has this text among its arguments.
fn process_of(text: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.find(|process| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    })
}

#[test]
fn s19_a_run_ends_with_its_lease_when_the_network_falls_silent() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    let proxy = Proxy::to(server.port);
    let world = World::new(Some(with_port(&url, proxy.port)));
    with_a_slow_script(&world, "beside_silence");
    let host = world.host_with(&[("HUB_RUN_LEASE", "10")]);
    host.enable("mine");
    let id = runs::start(&host, "mine", "beside_silence");
    until("it does not run", || runs::log(&host, &id).contains("begun"));
    let process = process_of("beside_silence.py").expect("the script's process");
    // The network dies between the question whether the run goes on and the answer to it.
    let took = std::thread::scope(|scope| {
        let held = scope.spawn(|| {
            server.sql(&database, "BEGIN; SELECT id FROM hub_runs FOR UPDATE; SELECT pg_sleep(2); COMMIT")
        });
        let asks = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'
             AND query LIKE 'UPDATE hub_runs SET seen_at%'"
        );
        until("it does not ask", || server.sql("postgres", &asks) == "1");
        proxy.fall_silent();
        held.join().unwrap();
        until("it runs on", || !lives(process))
    });
    assert!(took < Duration::from_secs(15), "{took:?}");
    proxy.mend();
}

#[test]
fn s19_the_clock_by_which_a_run_is_lost_is_the_databases() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    // The server's clock is years behind that of the host.
    server.sql(
        &database,
        &format!(
            "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS
               $$ SELECT clock_timestamp() - INTERVAL '20 years' $$;
             ALTER DATABASE {database} SET search_path = public, pg_catalog"
        ),
    );
    let world = World::new(Some(url));
    with_a_slow_script(&world, "long_ago");
    let host = world.host();
    host.enable("mine");
    let id = runs::start(&host, "mine", "long_ago");
    let seen = || server.sql(&database, &format!("SELECT seen_at FROM hub_runs WHERE id = '{id}'"));
    until("it is not taken", || !seen().is_empty());
    let first = seen();
    until("it does not say that it is there", || seen() > first);
    let of_server = "SELECT to_char(public.now() AT TIME ZONE 'UTC', 'YYYY')";
    assert_eq!(
        (&seen()[..4], seen().len()),
        (&server.sql(&database, of_server)[..], "2006-01-01T00:00:00.000Z".len())
    );
    assert_eq!(server.sql(&database, "SELECT DISTINCT left(seen_at, 4) FROM hub_hosts"), seen()[..4]);
    // And it is not lost, although that is long ago by the host's clock.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(runs::state(&host, &id), "running", "{}", host.log());
}

#[test]
fn o5_a_copied_data_folder_makes_no_second_host_of_one_identifier() {
    let Some(server) = Server::shared() else { return };
    let world = World::new(Some(server.database()));
    with_a_slow_script(&world, "of_the_first");
    let host = world.host();
    host.enable("mine");
    let id = runs::start(&host, "mine", "of_the_first");
    until("it does not run", || runs::state(&host, &id) == "running");
    fs::create_dir_all(world.folder.path("data-copy")).unwrap();
    fs::copy(world.folder.path("data/host-id"), world.folder.path("data-copy/host-id")).unwrap();
    let copy = |command: &mut std::process::Command| {
        world.prepare(command);
        command.env("DATA_DIR", world.folder.path("data-copy"));
    };
    let mut second = command(&world.folder);
    second.args(["serve", "--listen", "127.0.0.1:0"]);
    copy(&mut second);
    let (status, _, said) = run(second);
    let about = format!(
        "(process {}, data folder {}) has the identifier of this one",
        host.process(),
        world.folder.path("data").display()
    );
    assert!(
        status == Some(3) && said.contains(&about) && said.contains("remove host-id from the copy"),
        "{said}"
    );
    assert_eq!(runs::state(&host, &id), "running", "{said}");
    // One that died is started again without waiting for anything.
    host.kill();
    drop(host);
    let host = world.host();
    assert!(!host.log().contains("seeing whether it still is"), "{}", host.log());
    assert_eq!(runs::ended(&host, &id)["state"], "lost");
    host.kill();
    drop(host);
    // Nobody lives: the folder may have been moved.
    let moved = Host::start(&world.folder, copy);
    assert!(moved.log().contains("seeing whether it still is"), "{}", moved.log());
    moved.stop();
    // As the sentence says.
    let host = world.host();
    fs::remove_file(world.folder.path("data-copy/host-id")).unwrap();
    Host::start(&world.folder, copy).stop();
    host.stop();
}
