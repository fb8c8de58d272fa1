//! Runs on a running host: the queue, logs, cancelling, time limits, and hosts that die; on both databases. The scripts
//! are real Python; dbt itself runs in the end-to-end tests.

mod program;

use std::time::Duration;

use program::runs::{ended, log, run, state, work};
use program::world::{Person, World, is, until};
use program::{ADMIN, Host, PASSWORD, lives};
use serde_json::{Value, json};

const MANIFEST: &str = "name: mine
version: 1.0.0
display_name: Mine
known_scripts:
  - {slug: ok, display_name: Works, script_path: scripts/ok.py, output_schema: mine}
  - {slug: steps, display_name: Takes some time, script_path: scripts/steps.py, output_schema: mine}
  - {slug: slow, display_name: Takes long, script_path: scripts/slow.py, output_schema: mine}
  - {slug: wrong, display_name: Fails, script_path: scripts/wrong.py, output_schema: mine}
";

/// A customer plugin with three scripts.
fn with_scripts(world: &World) {
    let write = |path: &str, text: &str| world.folder.write(&format!("data/plugins/mine/{path}"), text);
    write("plugin.yaml", MANIFEST);
    write(
        "scripts/ok.py",
        "import os, sys\nprint('into', os.environ['HUB_OUTPUT_SCHEMA'])\nprint('careful', file=sys.stderr)\nassert 'DATABASE_URL' not in os.environ\n",
    );
    write(
        "scripts/slow.py",
        "import os, time\nopen('slow.pid', 'w').write(str(os.getpid()))\nprint('begun')\ntime.sleep(60)\n",
    );
    write(
        "scripts/steps.py",
        "import os, time\nopen('slow.pid', 'w').write(str(os.getpid()))\nfor step in range(30):\n    print(step, flush=True)\n    time.sleep(0.1)\nprint([file for file in os.scandir('/proc/self/fd') if os.path.exists(file) and 'socket' in os.readlink(file)], [name for name in ('HUB_HANDOVER', 'NOTIFY_SOCKET', 'LISTEN_PID') if name in os.environ])\n",
    );
    write("scripts/wrong.py", "import sys\nprint('about to fail')\nsys.exit(3)\n");
}

/// A host with that plugin, enabled.
fn with_scripts_on(world: &World) -> Host {
    with_scripts(world);
    let host = world.host();
    host.enable("mine");
    host
}

fn start(host: &Host, slug: &str) -> String {
    program::runs::start(host, "mine", slug)
}

/// The process that `slow.py` or `steps.py` runs in, by its number outside of the run's namespace.
fn slow_process(world: &World, host: &Host) -> u32 {
    let file = work(world, host, "data", "scripts_of_mine").join("slow.pid");
    until("it does not begin", || std::fs::read_to_string(&file).is_ok_and(|text| !text.is_empty()));
    std::fs::remove_file(file).unwrap();
    let scripts = world.folder.path("data/plugins/mine/scripts/s").display().to_string();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let runs = |process: &u32| {
        let words = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        words.contains(&scripts)
    };
    numbers.into_iter().find(runs).expect("it runs")
}

on_both! {
    fn a_script_runs_and_its_log_is_kept(world: &World) {
        with_scripts(world);
        let host = world.host();
        is(&host.post("/api/scripts/mine/ok/run", ""), 404, "script-unknown");
        host.enable("mine");
        let listed = host.get("/api/scripts").json();
        assert_eq!(listed.as_array().unwrap().iter().map(|s| s["slug"].as_str().unwrap()).collect::<Vec<_>>(), ["ok", "steps", "slow", "wrong"]);
        let id = start(&host, "ok");
        let done = ended(&host, &id);
        assert_eq!((&done["state"], &done["error"]), (&json!("succeeded"), &Value::Null), "{}", log(&host, &id));
        let text = log(&host, &id);
        // The schema is the organisation's own, as dbt makes one of it.
        let org = host.get("/api/session").json()["org"]["id"].as_str().unwrap().replace('-', "");
        let schema = format!("hub_{org}_mine");
        assert!(text.contains(&format!("into {schema}\n")) && text.contains("careful\n"), "{text}");
        assert_eq!((&listed[0]["schema"], &listed[0]["output_schema"]), (&json!(schema), &json!("mine")));
        assert!(done["started_at"].as_str() <= done["finished_at"].as_str());

        let id = start(&host, "wrong");
        let done = ended(&host, &id);
        assert_eq!((&done["state"], &done["error"]), (&json!("failed"), &json!("it ended with exit code 3")));
        let history = host.get("/api/dbt/runs?limit=1").json();
        assert_eq!(history["items"][0]["id"], json!(id));
        let next = history["next"].as_str().unwrap();
        assert_eq!(host.get(&format!("/api/dbt/runs?before={next}")).json()["items"][0]["slug"], "ok");
        let events = host.get("/api/audit/events?event_type=run_requested").json();
        assert_eq!(events["items"][0]["details"]["run"], json!(id));
        assert_eq!(host.post("/api/plugins/mine/disable", r#"{"scope": "org"}"#).status, 200);
        assert!(host.get("/api/scripts").json().as_array().unwrap().is_empty());
    }

    // D7
    fn d7_the_scripts_of_two_organisations_are_told_two_schemas(world: &World) {
        let host = with_scripts_on(world);
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        assert_eq!(dan.turn("mine", true, json!({"scope": "org"})).status, 200);
        let ours = start(&host, "ok");
        assert_eq!(ended(&host, &ours)["state"], "succeeded");
        let theirs = dan.post("/api/scripts/mine/ok/run", json!({})).json()["id"].as_str().unwrap().to_owned();
        until("it does not end", || dan.get(&format!("/api/dbt/runs/{theirs}")).json()["state"] == "succeeded");
        let told = dan.get(&format!("/api/dbt/runs/{theirs}/log?after=0")).text;
        let into = |text: &str| text.split("into ").nth(1).unwrap()[.."hub_".len() + 32 + "_mine".len()].to_owned();
        let schemas = [into(&log(&host, &ours)), into(&told)];
        assert!(schemas[0] != schemas[1], "{schemas:?}");
        assert!(schemas.iter().all(|schema| schema.starts_with("hub_") && schema.ends_with("_mine")), "{schemas:?}");
    }

    fn one_at_a_time_and_cancelled_in_every_state(world: &World) {
        let host = with_scripts_on(world);
        let slow = start(&host, "slow");
        let process = slow_process(world, &host);
        let waiting = start(&host, "ok");
        let other = start(&host, "ok");
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!([state(&host, &slow), state(&host, &waiting)], ["running", "queued"], "they share a workspace");
        let cancel = |id: &str| host.post(&format!("/api/dbt/runs/{id}/cancel"), "");
        assert_eq!(cancel(&other).json()["state"], "cancelled");
        assert_eq!(cancel(&slow).status, 202);
        assert_eq!(ended(&host, &slow)["state"], "cancelled");
        assert!(!lives(process), "its process goes on");
        assert_eq!(ended(&host, &waiting)["state"], "succeeded");
        is(&cancel(&slow), 409, "run-ended");
        assert_eq!(cancel("nothing").status, 404);
    }

    fn what_waits_for_a_plugin_that_is_switched_off_does_not_run(world: &World) {
        let host = with_scripts_on(world);
        let slow = start(&host, "slow");
        slow_process(world, &host);
        let waiting = start(&host, "ok");
        assert_eq!(host.post("/api/plugins/mine/disable", r#"{"scope": "org"}"#).status, 200);
        assert_eq!([state(&host, &slow), state(&host, &waiting)], ["running", "queued"]);
        host.post(&format!("/api/dbt/runs/{slow}/cancel"), "");
        let done = ended(&host, &waiting);
        let why = "vertical plugin `mine` was switched off while the run waited";
        assert_eq!((&done["state"], &done["error"]), (&json!("cancelled"), &json!(why)));
        assert_eq!(log(&host, &waiting), "", "it has not begun");
        host.enable("mine");
        let again = start(&host, "ok");
        assert_eq!(ended(&host, &again)["state"], "succeeded");
    }

    fn the_log_is_streamed(world: &World) {
        let host = with_scripts_on(world);
        let id = start(&host, "slow");
        let mut events = host.stream(&format!("/api/dbt/runs/{id}/events"));
        let mut seen = String::new();
        while !seen.contains("begun") {
            seen += &events.next();
        }
        assert!(seen.contains("\"state\":\"running\""), "{seen}");
        host.post(&format!("/api/dbt/runs/{id}/cancel"), "");
        while !seen.contains("event: end") {
            seen += &events.next();
        }
        assert!(seen.contains("\"state\":\"cancelled\""), "{seen}");
    }

    fn a_run_whose_host_died_is_lost_and_its_process_gone(world: &World) {
        let host = with_scripts_on(world);
        let id = start(&host, "slow");
        let process = slow_process(world, &host);
        let queued = start(&host, "ok");
        host.kill();
        until("the process outlives its host", || !lives(process));
        drop(host);
        let host = world.host();
        let lost = ended(&host, &id);
        assert_eq!((&lost["state"], &lost["error"]), (&json!("lost"), &json!("the host that ran it died")));
        assert_eq!(ended(&host, &queued)["state"], "succeeded", "what waited goes on");
    }

    fn a_host_that_is_stopped_ends_its_runs_in_good_order(world: &World) {
        let host = with_scripts_on(world);
        let id = start(&host, "slow");
        let process = slow_process(world, &host);
        let (status, log) = host.stop();
        assert_eq!(status, Some(0), "{log}");
        assert!(!lives(process), "its process goes on");
        let host = world.host();
        let run = run(&host, &id);
        assert_eq!((&run["state"], &run["error"]), (&json!("cancelled"), &json!("the host was stopped")));
    }

    fn runs_outlive_a_hand_over(world: &World) {
        let mut host = with_scripts_on(world);
        let id = start(&host, "steps");
        let process = slow_process(world, &host);
        let waiting = start(&host, "ok");
        let mut followed = host.stream(&format!("/api/dbt/runs/{id}/events"));
        followed.next();
        let (status, text) = host.hand_over(&world.folder, &[]);
        assert_eq!(status, Some(0), "{text}");
        followed.end();
        assert_eq!([state(&host, &id), state(&host, &waiting)], ["running", "queued"], "they share a workspace");
        assert!(lives(process), "its process has ended");
        let again = start(&host, "wrong");
        assert_eq!(ended(&host, &id)["state"], "succeeded");
        let text = log(&host, &id);
        assert!(text.starts_with("0\n1\n2\n") && text.contains("\n29\n"), "{text}");
        assert!(text.ends_with("[] []\n"), "it has sockets or variables of its host: {text}");
        assert_eq!(ended(&host, &waiting)["state"], "succeeded");
        assert_eq!(ended(&host, &again)["state"], "failed");
        host.first_has_ended();

        // Asked of the one, done by the other.
        let slow = start(&host, "slow");
        slow_process(world, &host);
        assert_eq!(host.hand_over(&world.folder, &[]).0, Some(0));
        host.post(&format!("/api/dbt/runs/{slow}/cancel"), "");
        assert_eq!(ended(&host, &slow)["state"], "cancelled");
        let (_, log) = host.stop();
        assert!(!log.contains("marked as lost"), "{log}");
    }

    fn s13_what_a_host_that_has_handed_over_still_runs_is_not_lost(world: &World) {
        let mut host = with_scripts_on(world);
        let id = start(&host, "steps");
        slow_process(world, &host);
        let (status, text) = host.hand_over(&world.folder, &[]);
        assert_eq!(status, Some(0), "{text}");
        // The one that took over dies; the one before it is still busy with the run.
        host.kill();
        let next = world.host();
        assert_eq!(ended(&next, &id)["state"], "succeeded", "{}", next.log());
        assert!(!next.log().contains("marked as lost"), "{}", next.log());
    }

    fn a_run_that_takes_too_long_is_ended(world: &World) {
        with_scripts(world);
        let host = world.host_with(&[("HUB_RUN_TIMEOUT", "1")]);
        host.enable("mine");
        let id = start(&host, "slow");
        let done = ended(&host, &id);
        assert_eq!((&done["state"], &done["error"]), (&json!("timed-out"), &json!("it took longer than 1 seconds")));
    }

    fn who_may_run(world: &World) {
        let host = with_scripts_on(world);
        world.create_user(&["--email", "mia@example.com", "--org", "Default"], "mia's password!\n");
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let mia = Person::new(&host, "mia@example.com", "mia's password!");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        assert_eq!(mia.get("/api/scripts").status, 200);
        is(&mia.post("/api/scripts/mine/ok/run", json!({})), 403, "permission-missing");
        is(&mia.post("/api/dbt/workspaces/honeyframe/build", json!({})), 403, "permission-missing");
        let id = start(&host, "ok");
        ended(&host, &id);
        assert_eq!(dan.get(&format!("/api/dbt/runs/{id}")).status, 404, "another organisation's");
        assert_eq!(dan.get(&format!("/api/dbt/runs/{id}/log")).status, 404);
    }

    fn without_dbt_the_answer_says_how_to_get_it(world: &World) {
        let host = Host::start(&world.folder, |command| {
            world.prepare(command);
            command.env("PATH", "/nowhere");
        });
        let admin = Person::new(&host, ADMIN, PASSWORD);
        let listed = admin.get("/api/dbt/workspaces").json();
        assert_eq!((&listed["dbt_installed"], &listed["install_with"]), (&json!(false), &json!("hub-platform drivers install dbt")));
        assert_eq!(listed["workspaces"][0]["slug"], "honeyframe");
        let refused = admin.post("/api/dbt/workspaces/honeyframe/build", json!({}));
        is(&refused, 409, "dbt-missing");
        assert!(refused.text.contains("hub-platform drivers install dbt"), "{}", refused.text);
        is(&admin.post("/api/dbt/workspaces/none/build", json!({})), 404, "workspace-unknown");
    }
}
