//! The host as a program: started, asked over a real connection, stopped.

mod program;

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hub_manifest::routes::RouteTable;
use program::{Folder, Host, command, run};
use serde_json::{Value, json};

const START_LINE: &str = "plugin_host: 4 vertical plugins discovered (3 ok, 1 invalid)";

#[test]
fn it_starts_without_any_configuration_and_ends_on_sigterm() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env_remove("DATA_DIR").env("HOME", folder.path("home"));
    });
    let mut health = host.get("/api/health").json();
    let run = health.as_object_mut().unwrap().remove("run").unwrap();
    assert!(run.as_str().is_some_and(|run| !run.is_empty()), "{run}");
    assert_eq!(
        health,
        json!({"status": "ok", "version": "7.8.9", "plugins": {"total": 4, "ok": 3, "invalid": 1}})
    );
    let (status, log) = host.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains(START_LINE), "{log}");
    assert!(log.contains(" INFO data folder: "), "{log}");
    assert!(!log.contains('\u{1b}'), "colour codes in a log that no terminal shows: {log}");
}

// O3
#[test]
fn o3_a_start_tells_of_a_misspelt_name_in_its_environment() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env("HUB_BASEPATH", "/not-repeated").env("HUB_SERVICE_HOST", "10.0.0.1");
    });
    host.logs(
        "warning: the environment: `HUB_BASEPATH` is no variable of the host, which knows `HUB_BASE_PATH`: is that meant?\n",
    );
    assert!(
        !host.log().contains("/not-repeated") && !host.log().contains("HUB_SERVICE_HOST"),
        "{}",
        host.log()
    );
}

#[test]
fn a_word_or_a_number_that_a_setting_does_not_take_ends_the_start() {
    let folder = Folder::release();
    for (name, value, said) in [
        ("HUB_DEMO", "ja", "HUB_DEMO is `ja`, which is neither yes nor no"),
        ("HUB_DEV", "2", "HUB_DEV is `2`, which is neither yes nor no"),
        ("LOG_FORMAT", "xml", "set LOG_FORMAT to `text` or `json`"),
        ("HUB_FORWARDED_HEADER", "x-real-ip", "to `x-forwarded` or `forwarded`"),
        ("HUB_CONNECTOR_ALLOW", ",", "HUB_CONNECTOR_ALLOW is `,`, which names no network"),
        ("HUB_TRUSTED_PROXIES", " ", "HUB_TRUSTED_PROXIES is ` `, which names no network"),
        ("LOG_FORMAT", "json;DATABASE_URL=postgres://u:s3cret@h/db", "LOG_FORMAT is `…`"),
        ("HUB_RUNS_AT_ONCE", "+5", "HUB_RUNS_AT_ONCE is `+5`, which is not a number from 1 to 64"),
    ] {
        let mut command = command(&folder);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env(name, value);
        let (status, _, told) = run(command);
        assert_eq!(status, Some(3), "{name}: {told}");
        assert!(told.contains(said) && !told.contains("s3cret"), "{name}: {told}");
    }
}

/// The driver would take another word for no TLS at all, and ask another server. None is asked here.
#[test]
fn a_variable_of_postgresql_that_cannot_be_kept_ends_the_start() {
    let folder = Folder::release();
    for (name, value, said) in [
        (
            "PGSSLMODE",
            "verify_full",
            "PGSSLMODE is `verify_full`, which the host cannot use: write one of `disable`",
        ),
        ("PGPORT", "abc", "PGPORT is `abc`, which the host cannot use: write a number from 1 to 65535"),
        ("PGCHANNELBINDING", "require", "PGCHANNELBINDING is set, which the host cannot keep"),
    ] {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["admin", "list-users"], &["preflight"]]
        {
            let ran = |url: Option<&str>| {
                let mut command = command(&folder);
                command.args(arguments).env(name, value);
                if let Some(url) = url {
                    command.env("DATABASE_URL", url);
                }
                run(command)
            };
            let (status, out, told) = ran(Some("postgres://hub:s3cret@127.0.0.1:1/hub"));
            assert_eq!(status, Some(3), "{arguments:?}: {told}");
            assert!((out.clone() + &told).contains(said), "{arguments:?}: {out}{told}");
            assert!(!(out + &told).contains("s3cret"), "{arguments:?}: {told}");
            if arguments[0] == "preflight" {
                // A file has no use for them.
                let (_, out, told) = ran(None);
                assert!(!(out + &told).contains(name), "{told}");
            }
        }
    }
}

#[test]
fn the_log_can_be_json() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env("LOG_FORMAT", "json").env("RUST_LOG", "info,nonsense=loud");
    });
    assert_eq!(host.get("/api/health").status, 200);
    let (_, log) = host.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["message"] == START_LINE), "{log}");
    let request = lines.iter().find(|line| line["route"] == "/api/health").expect("the request's line");
    assert_eq!((&request["method"], &request["status"]), (&json!("GET"), &json!(200)));
    assert!(request["span"]["id"].is_string(), "{request}");
    assert!(log.contains("RUST_LOG cannot be read"), "{log}");
}

#[test]
fn each_plugin_stands_for_itself() {
    let folder = Folder::release();
    folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine\n");
    folder.write("data/plugins/bad/plugin.yaml", "name: [\n");
    let host = Host::start_as_admin(&folder, |_| {});

    let plugins = host.get("/api/plugins").json();
    let of = |name: &str| plugins.as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone();
    let clash = of("clash");
    assert_eq!((&clash["state"], clash["errors"].as_array().map(Vec::len)), (&json!("invalid"), Some(2)));
    let states = ["good", "needy", "broken", "mine", "bad"].map(|name| of(name)["state"].clone());
    assert_eq!(states, ["ok", "not-configured", "ok", "ok", "invalid"]);
    // Its tables would be made when somebody enables it for the first time.
    let broken = host.post("/api/plugins/broken/enable", r#"{"scope": "org"}"#);
    assert_eq!((broken.status, &broken.json()["code"]), (409, &json!("migration-failed")));
    assert_eq!(
        broken.json()["detail"],
        "vertical plugin `broken` cannot be enabled: migration 0001_wrong.sql: it makes the table `users`; the tables of \
         vertical plugin `broken` are named `plugin_broken_*`"
    );
    let clash = host.post("/api/plugins/clash/enable", r#"{"scope": "org"}"#);
    assert_eq!((clash.status, &clash.json()["code"]), (409, &json!("plugin-invalid")));
    assert_eq!(host.get("/api/clash/a").json()["code"], "plugin-not-enabled");
    assert_eq!(of("mine")["source"], "data");
    let routes = of("good")["routes"].clone();
    assert!(
        routes
            .as_array()
            .unwrap()
            .contains(&json!({"method": "GET", "path": "/api/good/notes/{id}", "public": true}))
    );

    host.enable("needy");
    let needy = host.get("/api/needy/key");
    assert_eq!((needy.status, &needy.json()["code"]), (503, &json!("plugin-not-configured")));
    assert!(needy.text.contains("setting `key` is required: set NEEDY_KEY"), "{}", needy.text);
    host.stop();

    let host = Host::start_as_admin(&folder, |command| {
        command.env("NEEDY_KEY", "s3cret");
    });
    assert_eq!(host.get("/api/needy/key").json(), "s3cret");
    let (_, log) = host.stop();
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    host.enable("good");
    let made = host.post("/api/good/notes", r#"{"text": "kept"}"#);
    assert_eq!(made.status, 201, "{}", made.text);
    let place = made.header("location").to_owned();
    let wrong = host.post("/api/good/notes", r#"{"text": 7}"#);
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["field"]), (422, &json!("text")));
    let large = host.post("/api/good/notes", &format!(r#"{{"text": "{}"}}"#, "x".repeat(3 << 20)));
    assert_eq!(large.status, 413);
    host.stop();
    let host = Host::start_as_admin(&folder, |_| {});
    assert_eq!(host.get(&place).json(), json!({"text": "kept"}));
}

#[test]
fn a_handler_that_panics_answers_500_and_the_host_lives_on() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |command| {
        command.env("RUST_BACKTRACE", "1");
    });
    host.enable("good");
    let boom = host.get("/api/good/boom");
    assert_eq!(boom.status, 500);
    assert_eq!(boom.header("content-type"), "application/problem+json");
    assert_eq!(boom.json()["instance"], "/api/good/boom");
    assert_eq!(host.get("/api/health").status, 200);
    let (_, log) = host.stop();
    assert!(log.contains("a handler's own fault") && log.contains("tiny_host.rs:"), "{log}");
    assert!(!log.contains("stack backtrace"), "{log}");
    let id = boom.json()["request_id"].as_str().unwrap().to_owned();
    assert_eq!(
        log.matches(&id).count(),
        2,
        "the panic's line and the request's line name the request: {log}"
    );
}

#[test]
fn the_api_never_answers_with_the_page() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    for path in ["/api", "/api/", "/api/nothing", "/api/good/nothing", "/api/_dev/events"] {
        let answer = host.ask("GET", path, &[("accept", "text/html")], "");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
        assert_eq!(answer.json()["instance"], path);
    }
    let answer = host.ask("DELETE", "/api/health", &[], "");
    assert_eq!((answer.status, answer.header("allow")), (405, "GET,HEAD"));
    let document = host.get("/api/openapi.json").json();
    assert_eq!(document["paths"]["/api/good/notes"]["post"]["operationId"], "good_add");
    assert!(document["paths"]["/api/good/notes/{id}"]["get"].is_object());
    assert!(host.get("/api/docs").text.contains("docs/docs.js"));
}

#[test]
fn the_page_and_its_files() {
    let folder = Folder::release();
    let host = Host::start(&folder, |_| {});
    let page = host.get("/");
    assert_eq!((page.status, page.header("cache-control")), (200, "no-cache"));
    assert!(page.header("content-security-policy").contains("script-src 'self';"));
    assert!(!page.text.contains("_dev"), "{}", page.text);
    let again = host.ask("GET", "/", &[("if-none-match", page.header("etag"))], "");
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let deep = host.ask("GET", "/good/customers/acme.com", &[("accept", "text/html,*/*;q=0.8")], "");
    assert_eq!((deep.status, &deep.text), (200, &page.text));

    let script = host.ask("GET", "/assets/app-1a2b.js", &[("accept-encoding", "gzip, br;q=0.9")], "");
    assert_eq!((script.header("content-encoding"), script.text.as_str()), ("gzip", "as gzip"));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(script.header("vary"), "accept-encoding");
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let plain = host.get("/assets/app-1a2b.js");
    assert_eq!((plain.header("content-encoding"), plain.text.as_str()), ("", "let app = 1;"));
    let head = host.ask("HEAD", "/assets/app-1a2b.js", &[], "");
    assert_eq!((head.status, head.header("content-length"), head.text.as_str()), (200, "12", ""));

    let etag = plain.header("etag").to_owned();
    let part = |headers: &[(&str, &str)]| {
        let answer = host.ask("GET", "/assets/app-1a2b.js", headers, "");
        (answer.status, answer.header("content-range").to_owned(), answer.text)
    };
    assert_eq!(part(&[("range", "bytes=4-6")]), (206, "bytes 4-6/12".to_owned(), "app".to_owned()));
    assert_eq!(part(&[("range", "bytes=4-"), ("if-range", &etag)]).0, 206);
    assert_eq!(part(&[("range", "bytes=4-"), ("if-range", "\"another\"")]).2, "let app = 1;");
    assert_eq!(part(&[("range", "bytes=12-")]), (416, "bytes */12".to_owned(), String::new()));
    assert_eq!(part(&[("range", "bytes=4-6"), ("if-none-match", &etag)]).0, 304);
    let compressed = part(&[("range", "bytes=-2"), ("accept-encoding", "gzip")]);
    assert_eq!(
        compressed,
        (206, "bytes 5-6/7".to_owned(), "ip".to_owned()),
        "of what is sent, which is compressed"
    );
    let head = host.ask("HEAD", "/assets/app-1a2b.js", &[("range", "bytes=4-6")], "");
    assert_eq!((head.status, head.header("accept-ranges")), (200, "bytes"));

    for path in
        ["/assets/gone-1.js", "/favicon.ico", "/../data/hub.db", "/assets/%2e%2e/%2e%2e/data/hub.db", "/%00"]
    {
        assert_eq!(host.get(path).status, 404, "{path}");
    }
    let put = host.ask("PUT", "/", &[], "");
    assert_eq!((put.status, put.header("allow")), (405, "GET,HEAD"));
}

#[test]
fn while_the_page_is_worked_on_it_is_read_afresh() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.arg("--dev");
    });
    assert!(host.get("/").text.contains("<script src=\"/api/_dev/reload.js\"></script></body>"));
    let mut events = host.stream("/api/_dev/events");
    assert!(events.next().contains("event: hello"));
    folder.write("web/assets/new-1.js", "let fresh;");
    folder.write("web/index.html", "<body>another</body>");
    assert!(events.next().contains("event: reload"));
    assert_eq!(host.get("/assets/new-1.js").text, "let fresh;");
    assert!(host.get("/").text.starts_with("<body>another<script"));
    drop(events);
    let (status, log) = host.stop();
    assert_eq!(status, Some(0), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    host.enable("good");
    let slow = host.stream("/api/good/slow");
    host.logs("slow begins");
    host.signal("TERM");
    host.logs("finishing what is under way");
    let begun = Instant::now();
    let (status, log) = host.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{log}");
    assert!(log.contains("SIGTERM again"), "{log}");
    drop(slow);
}

#[test]
fn what_the_machine_lacks_is_one_clear_message() {
    let folder = Folder::release();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let next = address.port() + 1;
    let fails = |listen: &str, env: &[(&str, String)], want: &str| {
        let mut command = command(&folder);
        command.args(["serve", "--listen", listen]).envs(env.iter().cloned()).env("RUST_BACKTRACE", "1");
        let (status, _, stderr) = run(command);
        let told: Vec<&str> = stderr.lines().skip_while(|line| !line.starts_with("error: ")).collect();
        assert_eq!((status, told.join("\n").as_str()), (Some(3), want), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    };
    fails(
        &address.to_string(),
        &[],
        &format!(
            "error: cannot listen on {address}: another program uses that port\n  help: stop that program (a host \
             that runs already?), or choose another port: serve --listen 127.0.0.1:{next}"
        ),
    );
    fails(
        "127.0.0.1:0",
        &[("DATA_DIR", "/proc/hub-data".to_owned())],
        "error: cannot write to the data folder /proc/hub-data: no such file or directory\n  help: make it writable \
         for the user that runs the host, or set DATA_DIR to another folder",
    );
    let text = folder.path("release/web/index.html").display().to_string();
    fails(
        "127.0.0.1:0",
        &[("DATABASE_URL", format!("sqlite://{text}"))],
        &format!(
            "error: cannot use the database {text}: file is not a database\n  help: see that DATABASE_URL or DATA_DIR \
             means this file, and that it is a SQLite database (PRAGMA integrity_check)"
        ),
    );
    let empty = folder.path("data").display().to_string();
    fails(
        "127.0.0.1:0",
        &[("INSTALL_DIR", empty.clone())],
        &format!(
            "error: there is no page to serve: {empty}/web/index.html is missing\n  help: run the host from an \
             unpacked release, or set INSTALL_DIR to one (…/releases/<version>)"
        ),
    );
}

#[test]
fn the_same_release_again_finds_nothing_to_migrate() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    host.enable("good");
    let (_, log) = host.stop();
    assert!(log.contains("ran migrations"), "{log}");
    let size = fs::metadata(folder.path("data/hub.db")).unwrap().len();
    assert!(size > 0);
    let host = Host::start(&folder, |_| {});
    let (_, log) = host.stop();
    assert!(!log.contains("ran migrations"), "{log}");
}

#[test]
fn the_command_line() {
    let folder = Folder::release();
    let ask = |arguments: &[&str]| {
        let mut command = command(&folder);
        command.args(arguments);
        run(command)
    };
    let (status, stdout, _) = ask(&["--version"]);
    assert_eq!((status, stdout.as_str()), (Some(0), "hub-platform 7.8.9\n"));
    assert_eq!(ask(&[]).0, Some(2));
    assert_eq!(ask(&["sevre"]).0, Some(2));
    assert_eq!(ask(&["serve", "--listen", "nowhere"]).0, Some(2));

    let (status, stdout, _) = ask(&["routes", "--json"]);
    let table: RouteTable = serde_json::from_str(&stdout).unwrap();
    assert!(status == Some(1) && !table.is_sound());
    let of = |path: &str| table.routes.iter().find(|route| route.path == path).unwrap();
    let note = of("/api/good/notes/{id}");
    assert_eq!((note.method.as_str(), note.plugin.as_deref(), note.public), ("GET", Some("good"), true));
    assert_eq!(note.router.as_deref(), Some("plugins.good.backend:router"));
    let place = note.place.as_ref().unwrap();
    assert!(place.file.ends_with("tiny_host.rs") && place.line > 1 && place.column > 1, "{place:?}");
    assert!(!of("/api/good/boom").public && of("/api/health").public);
    assert_eq!(table.routes[0].plugin, None);
    assert_eq!((table.conflicts.len(), table.panics.len()), (1, 1));

    let (status, stdout, stderr) = ask(&["routes"]);
    assert_eq!(status, Some(1));
    let row = stdout.lines().find(|line| line.contains("/api/good/notes/{id}")).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(row[..4], ["GET", "/api/good/notes/{id}", "good", "public"]);
    assert!(row[4].contains("tiny_host.rs:"), "{row:?}");
    assert!(
        stderr.starts_with("error: GET /api/clash/a is declared twice: by vertical plugin `clash` ("),
        "{stderr}"
    );
    assert!(stderr.contains("router plugins.clash.backend:bad of vertical plugin `clash` panics: not today"));

    let (status, stdout, _) = ask(&["plugins", "list"]);
    assert_eq!(status, Some(0));
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "VERSION", "SOURCE", "STATE", "ROUTES", "TITLE"]);
    assert_eq!(rows[2], ["needy", "1.0.0", "install", "not-configured", "1", "Needy"]);
}

/// Starts one more host on a data folder; gives its exit code and what it says.
fn one_more(folder: &Folder, data: &str, url: &str) -> (Option<i32>, String) {
    let mut second = command(folder);
    second.args(["serve", "--listen", "127.0.0.1:0"]);
    second.env("DATA_DIR", folder.path(data)).env("DATABASE_URL", url);
    let (status, _, said) = run(second);
    (status, said)
}

#[test]
fn o5_one_sqlite_file_has_one_host_by_whatever_name() {
    let folder = Folder::release();
    let at = |name: &str| format!("sqlite://{}", folder.path(name).display());
    let file = at("shared/hub.db");
    for made in ["shared", "other"] {
        fs::create_dir_all(folder.path(made)).unwrap();
    }
    let prepare = |command: &mut std::process::Command| {
        command.env("DATABASE_URL", &file);
    };
    let mut host = Host::start_as_admin(&folder, prepare);
    std::os::unix::fs::symlink(folder.path("shared"), folder.path("linked")).unwrap();
    std::os::unix::fs::symlink(folder.path("shared/hub.db"), folder.path("other/link.db")).unwrap();
    fs::hard_link(folder.path("shared/hub.db"), folder.path("other/hard.db")).unwrap();
    let refused = |host: &Host| {
        for name in ["shared/hub.db", "shared/../shared/hub.db", "linked/hub.db", "other/link.db"] {
            let (status, said) = one_more(&folder, "data-other", &at(name));
            let data = folder.path("data").display().to_string();
            let who = format!("process {}, which serves from the data folder {data}", host.process());
            assert!(status == Some(3) && said.contains(&who), "{name}: {said}");
        }
        let (status, said) = one_more(&folder, "data-other", &at("other/hard.db"));
        assert!(status == Some(3) && said.contains("another process"), "{said}");
    };
    refused(&host);
    // A successor works with the same file, and nobody else comes in between or afterwards.
    let (status, said) = host.hand_over(&folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    refused(&host);
    assert_eq!(host.get("/api/plugins").status, 200);
    // Killed, and started again at once.
    host.kill();
    drop(host);
    let host = Host::start_as_admin(&folder, prepare);
    host.stop();
    // Another folder may have it then.
    let host = Host::start_as_admin(&folder, |command| {
        command.env("DATABASE_URL", &file).env("DATA_DIR", folder.path("data-other"));
    });
    host.stop();
}

/// What cannot be looked at is told: at the start, at every look, and by the commands that list and judge.
#[test]
fn a_folder_of_plugins_that_cannot_be_read_is_told() {
    let folder = Folder::release();
    let plugins = folder.path("data/plugins");
    fs::write(&plugins, "").unwrap();
    let is_file = format!(
        "no vertical plugin of the customer's is found: {} cannot be read: not a directory",
        plugins.display()
    );
    let host = Host::start(&folder, |_| {});
    assert!(host.log().contains(&is_file), "{}", host.log());
    let ask = |arguments: &[&str]| {
        let mut command = command(&folder);
        command.args(arguments);
        let (status, out, said) = run(command);
        (status, out + &said)
    };
    let install = folder.path("opt").display().to_string();
    let told = |what: &str| {
        for arguments in [&["plugins", "list"][..], &["plugins", "list", "--json"]] {
            let (status, said) = ask(arguments);
            assert!(status == Some(0) && said.contains(what), "{arguments:?}: {said}");
        }
        let (status, said) = ask(&["doctor", "--install-dir", &install]);
        assert!(status == Some(1) && said.contains(what), "{said}");
    };
    told(&is_file);
    // A reload looks again, and finds a link that leads nowhere.
    fs::remove_file(&plugins).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", &plugins).unwrap();
    let link = format!("{}, a link to /nowhere/at/all, cannot be read: no such file", plugins.display());
    host.signal("HUP");
    host.logs(&link);
    told(&link);
    // One entry of it.
    fs::remove_file(&plugins).unwrap();
    fs::create_dir(&plugins).unwrap();
    std::os::unix::fs::symlink("../gone", plugins.join("mine")).unwrap();
    let entry = format!(
        "a vertical plugin of the customer's may be missing: {}, a link to ../gone, cannot be read: no such file",
        plugins.join("mine").display()
    );
    host.signal("HUP");
    host.logs(&entry);
    told(&entry);
    fs::remove_file(plugins.join("mine")).unwrap();
    let (status, said) = ask(&["plugins", "list"]);
    assert!(status == Some(0) && !said.contains("warning"), "{said}");
}
