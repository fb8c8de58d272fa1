//! S19, O8: servers that are away, busy or only read, statements that wait, and starts that fail.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::postgres::Server;
use crate::program::world::{World, is, until};
use crate::program::{command, run};
use crate::{cannot_start, on_both, server};

on_both! {
    // O3
    fn o3_a_start_says_which_data_folder_and_which_database_it_took(world: &World) {
        let host = world.host();
        let data = world.folder.path("data").display().to_string();
        let database = world.url.clone().unwrap_or_else(|| format!("{data}/hub.db"));
        host.logs(&format!("data folder: {data} (DATA_DIR)"));
        host.logs(&format!("database: {database}"));
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

#[test]
fn s19_one_locked_table_does_not_stop_the_others() {
    let Some(server) = server() else { return };
    let url = server.database();
    let world = World::new(Some(url.clone()));
    let host = world.host_with(&[("HUB_DB_LOCK_MS", "1000")]);
    host.enable("good");
    let note = host.post("/api/good/notes", r#"{"text": "kept"}"#).header("location").to_owned();
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    // Held until this test lets go, however long anything takes.
    let holder = server.lock(&database, "plugin_good_notes");
    let waiting = || server.waiting_for_locks(&database);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let answer = host.get(&note);
                    (answer.status, answer.header("retry-after").to_owned(), answer.json()["code"].clone())
                })
            })
            .collect();
        until("somebody waits for the lock", || waiting() > 0);
        // Whoever wants something else gets it while the table is locked.
        assert_eq!(host.get("/api/records").status, 200, "{}", host.log());
        for reader in readers {
            assert_eq!(
                reader.join().unwrap(),
                (503, "3".to_owned(), json!("database-busy")),
                "{}",
                host.log()
            );
        }
        // Known by now: of as many again one tries, and the others take no connection.
        let again: Vec<_> = (0..40).map(|_| scope.spawn(|| host.get(&note).status)).collect();
        while !again.iter().all(|reader| reader.is_finished()) {
            assert!(waiting() <= 1, "they all wait: {}", host.log());
            assert_eq!(host.get("/api/records").status, 200);
        }
        assert!(again.into_iter().all(|reader| reader.join().unwrap() == 503));
    });
    holder.release();
    until("the table is read again", || host.get(&note).status == 200);
}

#[test]
fn s19_a_statement_has_an_end() {
    let Some(server) = server() else { return };
    let world = World::new(Some(server.database()));
    let url = world.url.clone().unwrap();
    let host = world.host_with(&[("HUB_DB_STATEMENT_MS", "300")]);
    host.enable("good");
    let database = url.rsplit_once('/').unwrap().1;
    // Of itself it would take an hour: that there is an answer shows that it has been ended.
    server.sql(database, "ALTER TABLE plugin_good_notes RENAME TO plugin_good_notes_t;
        CREATE VIEW plugin_good_notes AS SELECT id, text FROM plugin_good_notes_t, pg_sleep(3600) WHERE pg_sleep IS NOT NULL");
    is(&host.get("/api/good/notes/x"), 503, "database-busy");
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
    // What was found out is told again for half a second: it is asked until it has been found out three times.
    until("it is ready", || host.get("/readyz").status == 503);
    until("it is not looked at again", || {
        let begun = Instant::now();
        let ready = host.get("/readyz");
        is(&ready, 503, "not-ready");
        // The database has 2 s to answer, and the host opens its connections for longer than that.
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert!(
            ready.json()["detail"].as_str().unwrap().contains("the database does not answer"),
            "{}",
            ready.text
        );
        assert_eq!(host.get("/livez").status, 200);
        host.log().matches("not ready: ").count() >= 3
    });
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
    let host = world.host_with(&[
        ("HUB_DB_CONNECTIONS", "4"),
        ("HUB_DB_CONNECT_SECONDS", "1"),
        ("HUB_DB_LOCK_MS", "60000"),
        ("HUB_DB_STATEMENT_MS", "60000"),
    ]);
    host.enable("good");
    let database = world.url.as_ref().unwrap().rsplit_once('/').unwrap().1;
    let holder = server.lock(database, "plugin_good_notes");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| host.get("/api/good/notes/x"));
        }
        // Of the four, one hears of other hosts' changes.
        until("all others wait", || server.waiting_for_locks(database) >= 3);
        until("none is left", || host.get("/api/records").status == 503);
        is(&host.get("/api/records"), 503, "database-busy");
        holder.release();
    });
    assert!(
        host.log().contains("stayed in use") && !host.log().contains("cannot be reached"),
        "{}",
        host.log()
    );
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

/// What the host makes nothing of in its address is said, and by one start once.
#[test]
fn a_parameter_that_is_ignored_is_told_once() {
    let Some(server) = server() else { return };
    let world = World::new(Some(format!("{}?connect_timeout=9&currentTool=s3cret", server.database())));
    let (_, log) = world.host().stop();
    let told = "the host makes nothing of these parameters of DATABASE_URL: connect_timeout, currentTool";
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}
