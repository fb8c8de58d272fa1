//! dbt runs on running hosts: profiles, organisations on one warehouse, homes of data, options, lineage; on both databases.
//! dbt is a stand-in that tells what it was asked to do; the real one runs in the end-to-end tests.

mod program;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use program::world::{Person, World, is, until};
use program::{ADMIN, Host, PASSWORD, command, run_with};
use serde_json::{Value, json};

/// Says its arguments and its variables; `parse`, `seed` and `build` work, unless a file in the work folder says otherwise.
const DBT: &str = r#"#!/usr/bin/env python3
import json, os, sys
args = sys.argv[1:]
print("args", json.dumps(args))
print("sees", json.dumps({name: os.environ[name] for name in sorted(os.environ) if name.startswith(("HUB_", "DBT_", "DATABASE"))}))
profiles = args[args.index("--profiles-dir") + 1]
print("profiles", json.dumps(open(os.path.join(profiles, "profiles.yml")).read()))
target = args[args.index("--target-path") + 1]
os.makedirs(target, exist_ok=True)
command = args[1]
if os.path.exists("broken"):
    sys.exit(2)
schema = open("schema").read() if os.path.exists("schema") else os.environ["HUB_SCHEMA"]
nodes = {f"model.p.{name}": {"name": name, "resource_type": "model", "schema": schema, "config": {"materialized": "view"},
         "depends_on": {"nodes": []}} for name in ("a", "b")}
exposures = {"exposure.p.board": {"name": "board", "resource_type": "exposure", "depends_on": {"nodes": ["model.p.b"]}}}
json.dump({"nodes": nodes, "exposures": exposures}, open(os.path.join(target, "manifest.json"), "w"))
chosen = [a[9:] for a in args if a.startswith("--select=")]
if command == "build":
    results = [{"unique_id": f"model.p.{name}", "status": "success", "execution_time": 0.1} for name in ("a", "b") if not chosen or name in chosen]
    json.dump({"results": results}, open(os.path.join(target, "run_results.json"), "w"))
    open("built", "a").write(os.environ.get("HUB_SCHEMA", "") + "\n")
"#;

/// Puts dbt, and a plugin with a workspace, into a data folder.
fn prepared(data: &Path) {
    let write = |path: &str, text: &str| {
        let file = data.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("plugins/mine/plugin.yaml", "name: mine\nversion: 1.0.0\ndisplay_name: Mine\ndbt_workspace: dbt\n");
    write("plugins/mine/dbt/dbt_project.yml", "name: hub_mine\n");
    write("dbt/venv/bin/dbt", DBT);
    fs::set_permissions(data.join("dbt/venv/bin/dbt"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The names of all files in the work folders.
fn files_of_work(data: &Path) -> Vec<String> {
    let below =
        |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let workspaces = below(&data.join("dbt/work")).into_iter().flat_map(|org| below(&org));
    workspaces
        .flat_map(|work| below(&work))
        .map(|file| file.file_name().unwrap().display().to_string())
        .collect()
}

fn host(world: &World) -> Host {
    prepared(&world.folder.path("data"));
    let host = Host::start_as_admin(&world.folder, |command| {
        world.prepare(command);
        command.env("DBT_PASSWORD", "plain").env("DBT_ENV_SECRET_PASS", "secret");
        command
            .env("DBT_OF_OTHERS", "theirs")
            .env("DBT_ENV_SECRET_OF_OTHERS", "theirs")
            .env("DBT_WARN_ERROR", "false");
    });
    host.enable("mine");
    host
}

fn build(person: &Person<'_>, body: Value) -> Value {
    let answer = person.post("/api/dbt/workspaces/mine/build", body);
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    ended(person, &id)
}

fn ended(person: &Person<'_>, id: &str) -> Value {
    let path = format!("/api/dbt/runs/{id}");
    let mut run = Value::Null;
    until("it does not end", || {
        run = person.get(&path).json();
        !matches!(run["state"].as_str(), Some("queued" | "running"))
    });
    run
}

fn log(person: &Person<'_>, run: &Value) -> String {
    let chunks = person.get(&format!("/api/dbt/runs/{}/log", run["id"].as_str().unwrap())).json();
    chunks.as_array().unwrap().iter().map(|chunk| chunk["text"].as_str().unwrap()).collect()
}

/// The lines of the log that begin so, as JSON.
fn told(log: &str, word: &str) -> Vec<Value> {
    log.lines()
        .filter_map(|line| line.strip_prefix(word))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect()
}

fn admin(host: &Host) -> Person<'_> {
    Person::new(host, ADMIN, PASSWORD)
}

fn south<'h>(world: &World, host: &'h Host) -> Person<'h> {
    world.create_user(
        &["--email", "dan@south.example", "--org", "South", "--role", "admin"],
        "dan's password!\n",
    );
    let dan = Person::new(host, "dan@south.example", "dan's password!");
    assert_eq!(dan.turn("mine", true, json!({"scope": "org"})).status, 200);
    dan
}

on_both! {
    // D9
    fn d9_a_build_with_options_is_kept_and_shown(world: &World) {
        let host = host(world);
        let admin = admin(&host);
        let asked = json!({"select": "a", "exclude": "c", "vars": {"day": "2026-01-01"}, "full_refresh": true, "seed_first": true});
        let run = build(&admin, asked.clone());
        let text = log(&admin, &run);
        assert_eq!((&run["state"], &run["options"]), (&json!("succeeded"), &asked), "{text}");
        let args: Vec<Vec<String>> = told(&text, "args ").into_iter().map(|args| serde_json::from_value(args).unwrap()).collect();
        assert_eq!(args.iter().map(|args| args[1].as_str()).collect::<Vec<_>>(), ["seed", "build"]);
        assert_eq!(args[0][args[0].len() - 2..], [r#"--vars={"day":"2026-01-01"}"#, "--full-refresh"]);
        assert_eq!(args[1][args[1].len() - 4..], [r#"--vars={"day":"2026-01-01"}"#, "--select=a", "--exclude=c", "--full-refresh"]);
        let profile = args[1].iter().position(|arg| arg == "--profile").map(|at| args[1][at + 1].as_str());
        assert_eq!(profile, Some("mine"), "dbt_project.yml names none");

        for (body, field) in [
            (json!({"select": "--profiles-dir=/"}), "select"), (json!({"target": "-x"}), "target"),
            (json!({"vars": [1]}), "vars"), (json!({"threads": 4}), "threads"),
        ] {
            let refused = admin.post("/api/dbt/workspaces/mine/build", body);
            assert_eq!((refused.status, refused.json()["errors"][0]["field"].as_str()), (422, Some(field)), "{}", refused.text);
        }
        for plain in ["", "null", "{}"] {
            let headers = if plain.is_empty() { vec![] } else { vec![("content-type", "application/json")] };
            let bearer = format!("Bearer {}", admin.token);
            let headers: Vec<_> = headers.into_iter().chain([("authorization", bearer.as_str())]).collect();
            let answer = host.ask("POST", "/api/dbt/workspaces/mine/build", &headers, plain);
            assert_eq!((answer.status, &answer.json()["options"]), (202, &Value::Null), "{}", answer.text);
            ended(&admin, answer.json()["id"].as_str().unwrap());
        }
        let wrong = build(&admin, json!({"target": "prod"}));
        assert!(wrong["error"].as_str().unwrap().contains("there is no target `prod`"), "{wrong}");
    }

    // D9
    fn d9_the_last_good_build_is_told_from_the_last_try(world: &World) {
        let host = host(world);
        let admin = admin(&host);
        let lineage = || admin.get("/api/dbt/workspaces/mine/lineage").json();
        assert_eq!((&lineage()["last_good"], &lineage()["last_try"]), (&Value::Null, &Value::Null));
        let good = build(&admin, json!({}));
        let selected = build(&admin, json!({"select": "b"}));
        let now = lineage();
        let a = &now["nodes"][0];
        assert_eq!((&a["name"], &a["status"], &a["of_run"]), (&json!("a"), &json!("success"), &good["id"]), "{now}");
        assert_eq!((&now["nodes"][1]["status"], &now["nodes"][1]["of_run"]), (&json!("success"), &Value::Null));
        assert_eq!((&now["nodes"][2]["kind"], &now["nodes"][2]["parents"]), (&json!("exposure"), &json!(["model.p.b"])));
        let org = host.get("/api/session").json()["org"]["id"].as_str().unwrap().to_owned();
        world.folder.write(&format!("data/dbt/work/{org}/mine/broken"), "");
        let bad = build(&admin, json!({}));
        assert_eq!(bad["state"], "failed");
        let after = lineage();
        assert_eq!((&after["run"], &after["nodes"]), (&selected["id"], &now["nodes"]), "a failed parse takes no lineage away");
        assert_eq!((&after["last_good"]["id"], &after["last_try"]["id"]), (&selected["id"], &bad["id"]));
    }

    // D6
    fn d6_the_log_names_profile_target_adapter_and_file(world: &World) {
        let host = host(world);
        let admin = admin(&host);
        let first = |run: &Value| log(&admin, run).lines().next().unwrap_or_default().to_owned();
        assert_eq!(first(&build(&admin, json!({}))), "profile `mine`, target `hub`, adapter duckdb; profiles.yml of the platform (a DuckDB file of the workspace)");
        let file = world.folder.path("data/dbt/profiles.yml");
        world.folder.write("data/plugins/mine/dbt/models/m.sql", "select '{{ env_var('DBT_PASSWORD') }}', '{{ env_var('DBT_ENV_SECRET_OF_OTHERS') }}', '{{ env_var('DBT_OF_OTHERS', '') }}'");
        world.folder.write("data/dbt/profiles.yml", "\u{feff}theirs: {outputs: {t: {type: x, pass: others-login, user: \"{{ env_var('DBT_OF_OTHERS') }}\"}}}\n\"mine\": # ours\n  target: \"{{ env_var('DBT_T', 'prod') }}\"\n  outputs:\n    prod: {type: postgres, host: db, schema: \"{{ env_var('HUB_SCHEMA') }}\", pass: \"{{ env_var('DBT_ENV_SECRET_PASS') }}\"}\n    dev: {type: duckdb}\n");
        let run = build(&admin, json!({}));
        let text = log(&admin, &run);
        assert_eq!(first(&run), format!("profile `mine`, target `prod`, adapter postgres; profiles.yml of {}", file.canonicalize().unwrap().display()), "{run}");
        let seen = &told(&text, "sees ")[0];
        assert_eq!((&seen["DBT_PASSWORD"], &seen["DBT_ENV_SECRET_PASS"], &seen["DATABASE_URL"]), (&json!("plain"), &json!("secret"), &Value::Null));
        // S5: what it does not ask for stays with the host, and so does what it asks for and another profile reads.
        assert!(text.contains("the project does not get DBT_OF_OTHERS: another profile"), "{text}");
        assert_eq!((&seen["DBT_OF_OTHERS"], &seen["DBT_ENV_SECRET_OF_OTHERS"], &seen["DBT_WARN_ERROR"]), (&Value::Null, &Value::Null, &json!("false")));
        let profiles = told(&text, "profiles ")[0].as_str().unwrap().to_owned();
        assert!(profiles.contains("DBT_ENV_SECRET_PASS") && !profiles.contains("others-login") && !profiles.contains("duckdb"), "{profiles}");
        assert!(files_of_work(&world.folder.path("data")).iter().all(|name| name != "profiles.yml"), "a login stays in a work folder");
        assert!(first(&build(&admin, json!({"target": "dev"}))).contains("target `dev`, adapter duckdb"));
        world.folder.write("data/dbt/profiles.yml", "mine:\n  outputs: [\n");
        let wrong = build(&admin, json!({}));
        assert!(wrong["error"].as_str().unwrap().contains("profiles.yml:2:12: profiles.yml is not YAML: the bracket `[` is not closed"), "{wrong}");
        world.folder.write("data/dbt/profiles.yml", "mime: {outputs: {}}\n");
        let wrong = build(&admin, json!({}));
        assert!(wrong["error"].as_str().unwrap().contains("which this host does not have"), "never silently into DuckDB: {wrong}");
    }

    // D7
    fn d7_organisations_are_kept_apart_on_one_server(world: &World) {
        let host = host(world);
        let admin = admin(&host);
        let profile = |schema: &str| {
            let text = format!("mine:\n  target: t\n  outputs:\n    t: {{type: postgres, host: db, schema: \"{schema}\"}}\n");
            world.folder.write("data/dbt/profiles.yml", &text);
        };
        profile("analytics");
        assert_eq!(build(&admin, json!({}))["state"], "succeeded", "one organisation may do as it likes");
        let dan = south(world, &host);
        for person in [&admin, &dan] {
            let refused = build(person, json!({}));
            let error = refused["error"].as_str().unwrap();
            assert!(
                error.starts_with("another organisation would have its data in the same place as this one: the target `t` of the profile `mine`")
                    && error.contains("profiles.yml:4:8) is one place for all organisations")
                    && error.ends_with("write `schema: \"analytics_{{ env_var('HUB_SCHEMA') }}\"` there"),
                "{error}"
            );
            assert!(!log(person, &refused).contains("args "), "dbt is not even started");
        }
        profile("analytics_{{ env_var('HUB_SCHEMA') }}");
        let schemas: Vec<String> = [&admin, &dan]
            .iter()
            .map(|person| {
                let run = build(person, json!({}));
                let text = log(person, &run);
                assert_eq!(run["state"], "succeeded", "{run} {text}");
                let args = told(&text, "args ");
                assert_eq!(args.iter().map(|args| args[1].as_str().unwrap()).collect::<Vec<_>>(), ["parse", "build"]);
                let seen = &told(&text, "sees ")[0];
                assert_eq!(seen["HUB_ORG"], person.session()["org"]["id"]);
                assert_eq!(seen["HUB_TENANT"], "");
                seen["HUB_SCHEMA"].as_str().unwrap().to_owned()
            })
            .collect();
        assert!(schemas[0] != schemas[1] && schemas.iter().all(|schema| schema.len() == 36 && schema.starts_with("hub_")), "{schemas:?}");

        // The project's own macro gives every organisation one schema.
        let org = dan.session()["org"]["id"].as_str().unwrap().to_owned();
        world.folder.write(&format!("data/dbt/work/{org}/mine/schema"), "marts");
        let refused = build(&dan, json!({}));
        let error = refused["error"].as_str().unwrap();
        assert!(error.starts_with("`a` would be written to the schema `marts`") && error.contains("generate_schema_name"), "{error}");
        let built = fs::read_to_string(world.folder.path(&format!("data/dbt/work/{org}/mine/built"))).unwrap();
        assert_eq!(built.lines().count(), 1, "nothing was built");
    }

    // D7
    fn d7_a_tenants_run_knows_its_tenant(world: &World) {
        let host = host(world);
        let admin = admin(&host);
        let made = admin.post("/api/tenants", json!({"name": "Ward"}));
        assert_eq!(made.status, 201, "{}", made.text);
        let tenant = made.json()["id"].clone();
        assert_eq!(admin.post("/api/session/switch", json!({"tenant": tenant})).status, 204);
        let run = build(&admin, json!({}));
        let seen = &told(&log(&admin, &run), "sees ")[0];
        assert_eq!((&seen["HUB_TENANT"], &run["tenant_id"]), (&tenant, &tenant), "{run}");
    }
}

/// A second host on the same database, with a data folder of its own.
fn second(world: &World) -> Host {
    let data = world.folder.path("data-2");
    fs::create_dir_all(&data).unwrap();
    prepared(&data);
    Host::start(&world.folder, |command| {
        world.prepare(command);
        command.env("DATA_DIR", &data);
    })
}

fn built(world: &World, data: &str) -> usize {
    let found = fs::read_dir(world.folder.path(&format!("{data}/dbt/work"))).into_iter().flatten().flatten();
    found
        .map(|org| fs::read_to_string(org.path().join("mine/built")).unwrap_or_default().lines().count())
        .sum()
}

// D8
#[test]
fn d8_a_workspace_has_one_home_of_two_hosts() {
    let Some(server) = program::postgres::Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let first = host(&world);
    let other = second(&world);
    let admin = admin(&first);
    for _ in 0..6 {
        assert_eq!(build(&admin, json!({}))["state"], "succeeded");
    }
    let builds = [built(&world, "data"), built(&world, "data-2")];
    assert!(builds == [6, 0] || builds == [0, 6], "one truth: {builds:?}");
    let id = |data: &str| fs::read_to_string(world.folder.path(&format!("{data}/host-id"))).unwrap();
    let (home, away) = if builds[0] == 6 { ("data", "data-2") } else { ("data-2", "data") };

    let warehouses = |data: &str, arguments: &[&str]| {
        let mut command = command(&world.folder);
        world.prepare(&mut command);
        command.env("DATA_DIR", world.folder.path(data)).arg("warehouses").args(arguments);
        run_with(command, "")
    };
    let listed = || -> Value { serde_json::from_str(&warehouses("data", &["list", "--json"]).1).unwrap() };
    assert_eq!((&listed()[0]["host"], &listed()[0]["org"]), (&json!(id(home)), &json!("Default")));

    // The home is gone for good: a run waits and says so, until an operator moves the data.
    let (gone, left) = if home == "data" { (first, other) } else { (other, first) };
    gone.kill();
    drop(gone);
    let admin = Person::new(&left, ADMIN, PASSWORD);
    let db = world.url.clone().unwrap();
    let name = db.rsplit('/').next().unwrap_or_default().split('?').next().unwrap_or_default();
    server.sql(
        name,
        &format!("UPDATE hub_hosts SET seen_at = '2026-01-01T00:00:00.000Z' WHERE id = '{}'", id(home)),
    );
    let queued = admin.post("/api/dbt/workspaces/mine/build", json!({})).json();
    let path = format!("/api/dbt/runs/{}", queued["id"].as_str().unwrap());
    let waits = admin.get(&path).json();
    let sentence = waits["waiting"].as_str().unwrap_or_default();
    assert!(
        sentence.contains("was last seen at 2026-01-01T00:00:00.000Z")
            && sentence.contains("warehouses move --org 'Default' --workspace mine"),
        "{waits}"
    );
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(admin.get(&path).json()["state"], "queued");
    assert_eq!(admin.get("/api/dbt/runs").json()["items"][0]["waiting"], waits["waiting"]);
    let (status, _, error) = warehouses(away, &["move", "--org", "Nobody", "--workspace", "mine"]);
    assert_eq!(status, Some(2), "{error}");
    let (status, said, error) = warehouses(away, &["move", "--org", "Default", "--workspace", "mine"]);
    assert_eq!(
        (status, said.as_str()),
        (Some(0), "workspace mine of Default: this host has the data now, and takes the runs\n"),
        "{error}"
    );
    assert_eq!(ended(&admin, queued["id"].as_str().unwrap())["state"], "succeeded");
    assert_eq!((listed()[0]["host"].as_str(), built(&world, away)), (Some(id(away).as_str()), 1));
    let events = admin.get("/api/audit/events?event_type=warehouse_moved").json();
    assert_eq!(events["items"][0]["details"]["workspace"], "mine");
    is(&admin.post("/api/dbt/workspaces/none/build", json!({})), 404, "workspace-unknown");
}

// D8
#[test]
fn d8_a_server_has_the_data_for_all_hosts_and_a_second_truth_is_refused() {
    let Some(server) = program::postgres::Server::shared() else { return };
    let world = World::new(Some(server.database()));
    let profile = "mine:\n  target: t\n  outputs:\n    t: {type: postgres, host: db.example, schema: s}\n";
    world.folder.write("data/dbt/profiles.yml", profile);
    let first = host(&world);
    let admin_of_first = admin(&first);
    assert_eq!(build(&admin_of_first, json!({}))["state"], "succeeded");
    let other = second(&world);
    let states: Vec<String> =
        (0..6).map(|_| build(&admin_of_first, json!({}))["state"].as_str().unwrap().to_owned()).collect();
    let second_tried = states.iter().filter(|state| *state == "failed").count();
    assert_eq!(
        built(&world, "data-2"),
        0,
        "the second host has no such profile and begins no DuckDB of its own"
    );
    assert_eq!(built(&world, "data"), 7 - second_tried);
    fs::write(world.folder.path("data-2/dbt/profiles.yml"), profile).unwrap();
    for _ in 0..6 {
        assert_eq!(build(&admin_of_first, json!({}))["state"], "succeeded");
    }
    drop(other);
}
