//! What a run may cost the host and others: memory, room in the log, turns in the queue. Each test is named after the promise that
//! it attacks.

mod program;

use std::fs;
use std::time::{Duration, Instant};

use program::fenced::{MOST, fenced, with_dbt, with_project};
use program::runs::{build, ended, log, run, start, state, succeeded, with_scripts, work};
use program::world::{Person, World, is, until};
use program::{ADMIN, PASSWORD};
use serde_json::{Value, json};

on_both! {
    fn s7_output_without_a_newline_takes_no_memory(world: &World) {
        let endless = "import os, sys\nblock = b'x' * (1 << 20)\nout = 1\nfor number in range(1536):\n    os.write(out, block)\nos.write(2, b'\\nthe end\\n')\n";
        with_scripts(world, "mine", "", &[("endless", endless), ("ok", "print('fine')\n")]);
        let host = world.host();
        host.enable("mine");
        let id = start(&host, "mine", "endless");
        succeeded(&host, &id);
        let text = log(&host, &id);
        assert!(text.len() < 64 << 10 && text.contains("more bytes of this line are left out") && text.contains("the end"), "{}", text.len());
        let peak = host.peak();
        eprintln!("the host's peak after 1.5 GB without a newline: {peak} MB");
        assert!(peak <= MOST, "{peak} MB");
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }

    fn s7_millions_of_empty_lines_take_no_more_memory_than_their_bytes(world: &World) {
        let empty = "import os\nblock = b'\\n' * (1 << 20)\nfor number in range(9):\n    os.write(1, block)\nos.write(1, b'the end\\n')\n";
        with_scripts(world, "mine", "", &[("empty", empty)]);
        let host = world.host();
        host.enable("mine");
        let id = start(&host, "mine", "empty");
        succeeded(&host, &id);
        let text = log(&host, &id);
        assert!(text.len() > 8_000_000 && text.ends_with("\n\nthe end\n"), "{}", text.len());
        let peak = host.peak();
        eprintln!("the host's peak after 9 Mi empty lines: {peak} MB");
        assert!(peak <= MOST, "{peak} MB");
    }

    fn s14_logs_that_nobody_reads_take_no_more_than_their_share(world: &World) {
        // As JSON six times as long.
        let loud = "line = '\\x01' * 79\nfor number in range(110_000):\n    print(line)\n";
        with_scripts(world, "mine", "", &[("loud", loud)]);
        let host = world.host();
        host.enable("mine");
        let id = start(&host, "mine", "loud");
        succeeded(&host, &id);
        let path = format!("/api/dbt/runs/{id}/events");
        let unread: Vec<_> = (0..31).map(|_| host.stream(&path)).collect();
        std::thread::sleep(Duration::from_secs(3));
        let begun = Instant::now();
        assert_eq!(host.get("/api/health").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // Beside them whoever reads it gets all of it.
        let mut read = host.stream(&path);
        while !read.next().contains("event: end") {}
        drop(unread);
        let peak = host.peak();
        eprintln!("the host's peak with 31 logs of 8 MiB that nobody reads: {peak} MB");
        assert!(peak <= MOST, "{peak} MB");
    }

    fn s14_a_large_lineage_is_asked_for_by_many(world: &World) {
        let wide = "os.makedirs(target, exist_ok=True)\n\
            nodes = {'model.%d' % n: {'name': 'x' * 400, 'resource_type': 'model', 'depends_on': {'nodes': ['model.0']}} for n in range(12_000)}\n\
            json.dump({'nodes': nodes}, open(target + '/manifest.json', 'w'))\n";
        with_project(world, &[]);
        with_dbt(world, "data", wide);
        let host = world.host();
        host.enable("mine");
        let id = build(&host, "mine");
        succeeded(&host, &id);
        let path = "/api/dbt/workspaces/mine/lineage";
        let token = host.sign_in(ADMIN, PASSWORD);
        let unread: Vec<_> = (0..100).map(|_| host.stream_as(path, &token)).collect();
        std::thread::sleep(Duration::from_secs(3));
        drop(unread);
        let mut answer = host.get(path);
        until("nobody gets it any more", || {
            answer = host.get(path);
            answer.status == 200
        });
        let lineage = answer.json();
        let nodes = lineage["nodes"].as_array().unwrap();
        assert!(nodes.len() > 9_000 && nodes[1]["failed_tests"] == json!([]), "{}", nodes.len());
        let peak = host.peak();
        eprintln!("the host's peak with 100 requests for a lineage of {} MB: {peak} MB", answer.text.len() >> 20);
        assert!(peak <= MOST, "{peak} MB");
    }

    fn s7_dbts_files_are_read_as_a_strangers(world: &World) {
        let kinds = "kind = open('kind').read()\n\
            os.makedirs(target, exist_ok=True)\n\
            file = target + '/manifest.json'\n\
            if os.path.lexists(file): os.remove(file)\n\
            if kind == 'fifo': os.mkfifo(file)\n\
            elif kind == 'sparse': open(file, 'wb').truncate(3 << 30)\n\
            elif kind == 'folder': os.mkdir(file)\n\
            elif kind == 'link': os.symlink('/dev/zero', file)\n\
            elif kind == 'tiny': open(file, 'w').write('{\"nodes\": {' + ','.join('\"%d\":{\"name\":\"\"}' % n for n in range(2_500_000)) + '}}')\n\
            elif kind == 'names': open(file, 'w').write('{\"nodes\": {\"a\": {\"name\": \"a\", \"resource_type\": \"model\", \"depends_on\": {\"nodes\": [' + '\"\",' * 20_000_000 + '\"\"]}}}}')\n\
            elif kind == 'deep': open(file, 'w').write('[' * 60_000_000)\n\
            elif kind == 'tangled':\n    \
                metrics = {'m%d' % n: {'name': 'm', 'depends_on': {'nodes': ['m%d' % (n + 1)]}} for n in range(100_000)}\n    \
                exposures = {'e%d' % n: {'name': 'e', 'depends_on': {'nodes': ['m0']}} for n in range(100_000)}\n    \
                json.dump({'metrics': metrics, 'exposures': exposures}, open(file, 'w'))\n\
            else: json.dump({'nodes': {'model.a': {'name': 'a', 'resource_type': 'model'}}}, open(file, 'w'))\n\
            print('wrote', kind)\n";
        with_project(world, &[("choose", "import json, os\n")]);
        with_dbt(world, "data", kinds);
        let host = world.host_with(&[("HUB_RUNS_AT_ONCE", "1")]);
        host.enable("mine");
        let folder = work(world, &host, "data", "mine");
        fs::create_dir_all(&folder).unwrap();
        for kind in ["fifo", "sparse", "folder", "link", "tiny", "names", "deep", "tangled"] {
            fs::write(folder.join("kind"), kind).unwrap();
            let begun = Instant::now();
            let id = build(&host, "mine");
            let run = ended(&host, &id);
            assert!(log(&host, &id).contains(&format!("wrote {kind}")), "{run}");
            eprintln!("manifest.json, {kind}: {} s, the host's peak {} MB", begun.elapsed().as_secs(), host.peak());
            assert!(host.peak() <= MOST, "{kind}: {} MB", host.peak());
        }
        // The one slot is there again, and so is the lineage.
        fs::write(folder.join("kind"), "good").unwrap();
        let id = build(&host, "mine");
        succeeded(&host, &id);
        let lineage = host.get("/api/dbt/workspaces/mine/lineage").json();
        assert_eq!(lineage["nodes"][0]["id"], "model.a", "{lineage}");
    }

    fn s7_pipes_in_the_hosts_way_cost_no_slot(world: &World) {
        let plants = "import os, shutil\nshutil.rmtree('target', True)\n\
            for name in ('profiles.yml', 'project', '.tmp', 'target'):\n    \
                if os.path.lexists(name): os.remove(name)\n    \
                os.mkfifo(name)\n";
        with_project(world, &[("plants", plants), ("ok", "print('fine')\n")]);
        with_dbt(world, "data", "print('built')\n");
        let host = world.host_with(&[("HUB_RUNS_AT_ONCE", "1")]);
        host.enable("mine");
        let planted = start(&host, "mine", "plants");
        succeeded(&host, &planted);
        let built = build(&host, "mine");
        ended(&host, &built);
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }

    fn d10_a_long_log_keeps_its_head_and_its_tail(world: &World) {
        let long = "import sys\nprint('the first line')\nline = 'x' * 79\nfor number in range(1_000_000):\n    print(line)\nprint('error: the reason', file=sys.stderr)\nsys.exit(4)\n";
        with_scripts(world, "mine", "", &[("long", long)]);
        let host = world.host();
        host.enable("mine");
        let id = start(&host, "mine", "long");
        let run = ended(&host, &id);
        assert_eq!((&run["state"], &run["error"]), (&json!("failed"), &json!("it ended with exit code 4")));
        let text = log(&host, &id);
        let size = text.len() as f64 / f64::from(1 << 20);
        assert!((7.5..=8.1).contains(&size), "{size} MiB");
        assert!(text.starts_with("the first line\nxxx"), "{}", &text[..100]);
        // The two outputs are two pipes: what is still in the one may come after the last word of the other.
        assert!(text[text.len() - (256 << 10)..].contains("error: the reason\n"), "{}", &text[text.len() - 1000..]);
        let cut: Vec<&str> = text.lines().filter(|line| line.starts_with('…')).collect();
        assert!(cut.len() == 1 && cut[0].contains("are left out here: the log is too long"), "{cut:?}");
        // All that was said is there or counted.
        let left_out: u64 = cut[0].split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(text.lines().count() as u64 - 1 + left_out, 1_000_002);
        eprintln!("the host's peak after 80 MB of log: {} MB", host.peak());
        assert!(host.peak() <= MOST, "{} MB", host.peak());
    }

    fn s15_the_next_run_is_another_organisations(world: &World) {
        with_scripts(world, "mine", "", &[("short", "import time\ntime.sleep(0.05)\n")]);
        let host = world.host_with(&[("HUB_RUNS_AT_ONCE", "1")]);
        host.enable("mine");
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        assert_eq!(dan.turn("mine", true, json!({"scope": "org"})).status, 200);
        let queued: Vec<String> = (0..80).map(|_| start(&host, "mine", "short")).collect();
        let mut waited = 0;
        for _ in 0..2 {
            let begun_before = queued.iter().filter(|id| run(&host, id)["started_at"].is_string()).count();
            let answer = dan.post("/api/scripts/mine/short/run", json!({}));
            assert_eq!(answer.status, 202, "{}", answer.text);
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            let mut own = Value::Null;
            until("the other organisation waits", || {
                own = dan.get(&format!("/api/dbt/runs/{id}")).json();
                own["state"] == "succeeded"
            });
            let created = own["created_at"].as_str().unwrap().to_owned();
            let started = own["started_at"].as_str().unwrap().to_owned();
            let between = queued.iter().map(|id| run(&host, id)).filter(|run| {
                run["started_at"].as_str().is_some_and(|at| at > created.as_str() && at < started.as_str())
            }).count();
            assert!(between <= 1, "{between} runs of the first organisation have begun between");
            assert!(begun_before < queued.len(), "nobody waits any more: this shows nothing");
            waited += between;
        }
        eprintln!("runs that went before another organisation's two: {waited}");
    }

    fn s15_no_organisation_holds_all_places(world: &World) {
        let slow = [("slow", "import time\ntime.sleep(60)\n"), ("short", "print('done')\n")];
        for plugin in ["mine", "more"] {
            with_scripts(world, plugin, "", &slow);
        }
        let host = world.host_with(&[("HUB_RUNS_AT_ONCE", "2")]);
        host.enable("mine");
        host.enable("more");
        // Where there is nobody else, nothing is kept for others.
        let both = [start(&host, "mine", "slow"), start(&host, "more", "slow")];
        until("the only organisation has both places", || both.iter().all(|id| state(&host, id) == "running"));
        for id in &both {
            host.post(&format!("/api/dbt/runs/{id}/cancel"), "");
            ended(&host, id);
        }
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        assert_eq!(dan.turn("mine", true, json!({"scope": "org"})).status, 200);
        let [first, second] = [start(&host, "mine", "slow"), start(&host, "more", "slow")];
        until("it does not begin", || state(&host, &first) == "running");
        let answer = dan.post("/api/scripts/mine/short/run", json!({}));
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        until("the other organisation waits for a long build", || {
            dan.get(&format!("/api/dbt/runs/{id}")).json()["state"] == "succeeded"
        });
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert_eq!([state(&host, &first), state(&host, &second)], ["running", "queued"], "the last place is kept");
        host.post(&format!("/api/dbt/runs/{first}/cancel"), "");
        until("it does not begin after the first", || state(&host, &second) == "running");
        host.post(&format!("/api/dbt/runs/{second}/cancel"), "");
    }

    fn s15_a_cap_on_what_waits(world: &World) {
        with_scripts(world, "mine", "", &[("slow", "import time\ntime.sleep(60)\n")]);
        let host = world.host_with(&[("HUB_RUNS_AT_ONCE", "1"), ("HUB_RUNS_WAITING", "5")]);
        host.enable("mine");
        let first = start(&host, "mine", "slow");
        until("it does not begin", || state(&host, &first) == "running");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..30).map(|_| scope.spawn(|| host.post("/api/scripts/mine/slow/run", "").status)).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(202), count(429)), (5, 25), "also when all ask at once: {statuses:?}");
        let refused = host.post("/api/scripts/mine/slow/run", "");
        is(&refused, 429, "too-many-runs");
        // Another organisation has a queue of its own.
        world.create_user(&["--email", "dan@south.example", "--org", "South", "--role", "admin"], "dan's password!\n");
        let dan = Person::new(&host, "dan@south.example", "dan's password!");
        assert_eq!(dan.turn("mine", true, json!({"scope": "org"})).status, 200);
        assert_eq!(dan.post("/api/scripts/mine/slow/run", json!({})).status, 202);
    }
}

/// Each process of it takes less than one may, and all together take more: a thing that no limit of the system's holds.
#[test]
fn s7_all_processes_of_a_run_together_have_a_limit() {
    let many = "import os, time\n\
        for number in range(12):\n    \
            if os.fork() == 0:\n        \
                own = bytearray(os.urandom(1 << 20) * 30)\n        \
                time.sleep(60)\n        \
                os._exit(0)\n\
        time.sleep(60)\n";
    let limits = [("HUB_RUN_MEMORY", "268435456"), ("HUB_RUN_MEMORY_TOTAL", "268435456")];
    for namespaces in [true, false] {
        let world = World::new(None);
        with_scripts(&world, "mine", "", &[("many", many), ("ok", "print('fine')\n")]);
        let Some(host) = fenced(&world, namespaces, false, &limits) else { return };
        host.enable("mine");
        let begun = Instant::now();
        let id = start(&host, "mine", "many");
        let run = ended(&host, &id);
        assert_eq!(run["state"], "failed", "{run} {}", log(&host, &id));
        let error = run["error"].as_str().unwrap();
        assert!(error.contains("268435456 (256 MiB) of memory (HUB_RUN_MEMORY_TOTAL)"), "{error}");
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }
}

/// Where the system does not count a run's processes by themselves, as root's anywhere, the supervisor does.
#[test]
fn s13_a_run_with_too_many_processes_ends() {
    too_many_processes(false);
    if rustix::process::geteuid().is_root() {
        too_many_processes(true);
    }
}

fn too_many_processes(namespaces: bool) {
    let world = World::new(None);
    let many = "import os, time\nfor number in range(100):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)\ntime.sleep(60)\n";
    with_scripts(&world, "mine", "", &[("many", many), ("ok", "print('fine')\n")]);
    let Some(host) = fenced(&world, namespaces, false, &[("HUB_RUN_PROCESSES", "40")]) else { return };
    host.enable("mine");
    let id = start(&host, "mine", "many");
    let run = ended(&host, &id);
    let why = "it had more than 40 processes and threads (HUB_RUN_PROCESSES)";
    assert_eq!((&run["state"], &run["error"]), (&json!("failed"), &json!(why)), "{}", log(&host, &id));
    let fine = start(&host, "mine", "ok");
    succeeded(&host, &fine);
}
