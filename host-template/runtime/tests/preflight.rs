//! A release that is tried beside the one in use: what it would do to the database, what it lacks, and that it leaves no
//! trace; and the release before, on a database that the next one has migrated.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use program::world::World;
use program::{Folder, Host, command, run};
use serde_json::{Value, json};

fn whats(report: &Value, kind: &str) -> Vec<String> {
    report[kind]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect()
}

/// The files below a folder with what is in them; those of a database at work aside.
fn files(folder: &Folder, below: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.path(below)).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    let kept = |entry: &fs::DirEntry| {
        entry.file_type().unwrap().is_file()
            && !name(entry).ends_with("-shm")
            && !name(entry).ends_with("-wal")
    };
    entries.filter(kept).map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

/// A program that answers `plugins list` with this.
fn release_in_use(folder: &Folder, plugins: &Value) -> String {
    folder.write("in-use", &format!("#!/bin/sh\n[ \"$1\" = plugins ] && cat <<'END'\n{plugins}\nEND\n"));
    let file = folder.path("release/in-use");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

on_both! {
    fn migrations_are_tried_and_nothing_stays(world: &World) {
        let (status, fresh) = world.preflight(&[]);
        assert_eq!((status, &fresh["ok"], &fresh["version"]), (Some(0), &json!(true), &json!("7.8.9")), "{fresh}");
        assert_eq!(fresh["changes"]["migrations"][0], json!({"plugin": null, "name": "0001_records.sql"}));
        assert!(files(&world.folder, "data").is_empty(), "it made files");

        let host = world.host();
        host.enable("good");
        let note = host.post("/api/good/notes", r#"{"text": "kept"}"#).header("location").to_owned();
        let none = world.preflight(&[]).1;
        assert_eq!((&none["ok"], &none["changes"]["migrations"]), (&json!(true), &json!([])), "{none}");

        world.folder.write(
            "plugins/good/migrations/0002_more.sql",
            "ALTER TABLE plugin_good_notes ADD COLUMN more TEXT; CREATE TABLE plugin_good_more (id TEXT PRIMARY KEY)",
        );
        let before = files(&world.folder, "data");
        for _ in 0..2 {
            let (status, report) = world.preflight(&[]);
            assert_eq!((status, &whats(&report, "warnings")[..]), (Some(0), &clash()[..]), "{report}");
            assert_eq!(report["changes"]["migrations"], json!([{"plugin": "good", "name": "0002_more.sql"}]));
            assert_eq!(report["changes"]["copied_bytes"].is_u64(), world.url.is_none());
        }
        assert_eq!(files(&world.folder, "data"), before, "it left something behind");
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}), "the host that works there noticed");

        world.folder.write("plugins/good/migrations/0003_less.sql", "-- hub: removes plugin_good_notes.text\nALTER TABLE plugin_good_notes DROP COLUMN text");
        let accepted = ["--accept-loss", "plugin_good_notes.text"];
        let (status, report) = world.preflight(&accepted);
        assert_eq!(status, Some(0), "{report}");
        assert!(whats(&report, "warnings").contains(&"a migration of vertical plugin `good` takes away what the release \
            before needs: the column `plugin_good_notes.text` is gone".to_owned()), "{report}");

        world.folder.write("plugins/good/migrations/0004_wrong.sql", "CREATE TABLE elsewhere (id TEXT)");
        let (status, report) = world.preflight(&accepted);
        assert_eq!((status, &report["ok"]), (Some(1), &json!(false)), "{report}");
        assert_eq!(whats(&report, "errors"), ["vertical plugin `good` would be invalid: migration 0004_wrong.sql: it makes \
            the table `elsewhere`; the tables of vertical plugin `good` are named `plugin_good_*`"]);
        assert_eq!(host.get(&note).json(), json!({"text": "kept"}));
    }

    fn the_release_before_works_on_the_database_of_the_next(world: &World) {
        let host = world.host();
        host.enable("good");
        let note = host.post("/api/good/notes", r#"{"text": "old"}"#).header("location").to_owned();
        host.stop();
        // The next release: one migration more of a plugin, and one of the platform.
        let next = "plugins/good/migrations/0002_next.sql";
        world.folder.write(
            next,
            "ALTER TABLE plugin_good_notes ADD COLUMN stars INTEGER NOT NULL DEFAULT 0;
             CREATE TABLE plugin_good_stars (id TEXT PRIMARY KEY);",
        );
        let host = world.host();
        assert!(host.log().contains("ran migrations"), "{}", host.log());
        let newer = host.post("/api/good/notes", r#"{"text": "new"}"#).header("location").to_owned();
        host.stop();
        let of_platform = "ALTER TABLE hub_records ADD COLUMN colour TEXT;
             ALTER TABLE hub_runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
             INSERT INTO hub_plugin_migrations VALUES ('(platform)', '0999_next.sql', 'x', '2030-01-01T00:00:00.000Z');";
        if !world.sql(of_platform) {
            return;
        }
        // The release before.
        fs::remove_file(world.folder.path("release").join(next)).unwrap();
        let host = world.host();
        assert!(host.log().contains("(3 ok, 1 invalid)"), "{}", host.log());
        assert_eq!([host.get(&note).json()["text"].clone(), host.get(&newer).json()["text"].clone()], ["old", "new"]);
        assert_eq!(host.post("/api/good/notes", r#"{"text": "again"}"#).status, 201);
        let records = host.get("/api/records").json();
        assert_eq!(records["items"].as_array().map(Vec::len), Some(0), "{records}");
        let made = host.post("/api/records", r#"{"title": "One more", "status": "open"}"#);
        assert_eq!(made.status, 201, "{}", made.text);
    }
}

/// What the example host says of a plugin whose routers clash, and of one that lacks a migration that fits.
fn clash() -> Vec<String> {
    let (_, report) = World::new(None).preflight(&[]);
    whats(&report, "warnings")
}

#[test]
fn what_a_plugin_lacks_is_an_error_only_where_it_did_not() {
    let world = World::new(None);
    let host = world.host();
    host.enable("needy");
    host.stop();
    let folder = &world.folder;
    folder.write("data/plugins/bad/plugin.yaml", "name: bad\nversion: one\ndisplay_name: Bad\n");
    folder.write("data/plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine\n");
    let ask = |since: Option<&str>| {
        let mut command = command(folder);
        command.args(["preflight", "--json"]);
        if let Some(since) = since {
            command.args(["--since", since]);
        }
        let (status, stdout, _) = run(command);
        let report: Value = serde_json::from_str(&stdout).unwrap();
        (status, whats(&report, "errors"), whats(&report, "warnings"))
    };
    let lacks = "vertical plugin `needy` would not be configured: setting `key` is required: set NEEDY_KEY";
    let (status, errors, warnings) = ask(None);
    assert_eq!((status, errors.len()), (Some(0), 0), "nothing is known of before: {errors:?}");
    assert!(warnings.iter().any(|text| text == lacks), "{warnings:?}");
    let bad =
        warnings.iter().find(|text| text.starts_with("vertical plugin `bad` would be invalid: ")).unwrap();

    let (status, errors, _) = ask(Some(&release_in_use(folder, &json!([]))));
    assert_eq!(status, Some(1));
    assert!(errors.contains(bad) && errors.iter().any(|text| text == lacks), "{errors:?}");

    // The same program is as wrong as itself.
    let same = command(folder);
    let program = same.get_program().to_str().unwrap().to_owned();
    folder.write(
        "same",
        &format!("#!/bin/sh\nINSTALL_DIR={} exec {program} \"$@\"\n", folder.path("release").display()),
    );
    let file = folder.path("release/same");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, errors, warnings) = ask(Some(file.to_str().unwrap()));
    assert_eq!((status, errors.len()), (Some(0), 0), "{errors:?}");
    assert!(warnings.contains(bad), "{warnings:?}");

    folder.write("data/.env", "# the service's\nNEEDY_KEY=\"x y\"\n");
    let (status, errors, warnings) = ask(Some(file.to_str().unwrap()));
    assert_eq!((status, errors.len()), (Some(0), 0), "{errors:?}");
    assert!(!warnings.iter().any(|text| text == lacks), "{warnings:?}");
}

#[test]
fn what_the_machine_lacks_is_found_beforehand() {
    let world = World::new(None);
    let folder = &world.folder;
    let errors = |arguments: &[&str]| {
        let (status, report) = world.preflight(arguments);
        (status, whats(&report, "errors"))
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(
        errors(&["--listen", &address]),
        (Some(3), vec![format!("cannot listen on {address}: another program uses that port")])
    );
    let host = Host::start(folder, |command| world.prepare(command));
    assert_eq!(errors(&["--listen", &host.address.clone()]), (Some(0), vec![]), "its own host listens there");
    assert_eq!(errors(&[]), (Some(0), vec![]));
    host.stop();

    folder.write(
        "data/.env",
        "LISTEN=nowhere\nHUB_RUNS_AT_ONCE=many\nDATABASE_URL=mysql://a:b@c/d\nHUB_TRUSTED_PROXIES=mine\nRUST_LOG=a=loud\n",
    );
    let (status, report) = world.preflight(&[]);
    let (told, warned) = (whats(&report, "errors"), whats(&report, "warnings"));
    assert_eq!(status, Some(3));
    assert!(
        warned[0].starts_with(
            "RUST_LOG is `…` (not shown, because it may contain a password), which cannot be read: "
        ),
        "{warned:?}"
    );
    let starts = [
        "HUB_RUNS_AT_ONCE is `many`, which is not a number",
        "HUB_TRUSTED_PROXIES holds `mine`, which is no network",
        "LISTEN is `nowhere`, which is no address to listen on",
        "DATABASE_URL mysql:… is of no kind that the host knows",
    ];
    assert_eq!(told.len(), starts.len(), "all at once: {told:?}");
    assert!(told.iter().zip(starts).all(|(told, start)| told.starts_with(start)), "{told:?}");

    folder.write("data/.env", "DATABASE_URL=postgres://hub@127.0.0.1:1/hub\n");
    let (status, told) = errors(&[]);
    assert!(
        status == Some(3) && told[0].starts_with("cannot use the database postgres://hub@127.0.0.1:1/hub: "),
        "{told:?}"
    );

    folder.write("data/.env", "");
    folder.write("data/hub.db", "no database at all, but text that is long enough to be taken for one");
    let (status, told) = errors(&[]);
    assert!(status == Some(3) && told[0].contains("file is not a database"), "{told:?}");
    let gone = folder.path("nothing").display().to_string();
    assert_eq!(errors(&["--data", &gone]), (Some(3), vec![format!("there is no data folder {gone}")]));

    let mut command = command(folder);
    command.args(["preflight", "--data", &gone]);
    let (status, stdout, _) = run(command);
    assert_eq!(
        (status, stdout),
        (
            Some(3),
            format!(
                "hub-platform 7.8.9\nerror: there is no data folder {gone}\n  help: name the one that the service has: \
                 --data-dir DIR or DATA_DIR=DIR\nit cannot take over as it is\n"
            )
        )
    );
}
