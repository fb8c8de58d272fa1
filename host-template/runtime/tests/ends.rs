//! The end of a run is the end of everything that it started, however the host ends. Each test is named after the promise that it
//! attacks.

mod program;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use program::fenced::{fenced, has_namespaces, with_dbt, with_project};
use program::runs::{build, ended, run, start, state, succeeded, with_scripts, work};
use program::world::{World, until};
use program::{Host, lives};

/// Starts grandchildren in every way that leaves a parent behind: each writes its number down, and then goes on writing.
const GRANDCHILDREN: &str = r#"
import os, subprocess, sys, time
code = "import os, sys, time\nopen('alive-' + sys.argv[1], 'w').write(str(os.getpid()))\nwhile True:\n    open('beat', 'a').write('.')\n    time.sleep(0.05)\n"
again = [sys.executable, "-c", code]
subprocess.Popen([*again, "plain"])
subprocess.Popen(["setsid", *again, "setsid"])
subprocess.Popen(["nohup", *again, "nohup"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
subprocess.Popen([*again, "deaf"], preexec_fn=lambda: [__import__("signal").signal(n, 1) for n in (1, 2, 15)])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        os.open("/dev/null", os.O_RDWR); os.dup(0); os.dup(0)
        os.execv(sys.executable, [*again, "daemon"])
    os._exit(0)
os.wait()
print("begun", flush=True)
"#;

/// How many of them there are.
const ALIVE: usize = 5;

/// Waits until all of them write.
fn all_write(folder: &Path) {
    let alive = || {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("alive-"))
            .count()
    };
    until("not all of them begin", || alive() == ALIVE);
}

/// Waits until nobody writes any more; how long that took.
fn nobody_writes(folder: &Path, most: Duration) -> Duration {
    let beat = folder.join("beat");
    let size = || fs::metadata(&beat).map_or(0, |about| about.len());
    let begun = Instant::now();
    let (mut last, mut changed) = (size(), Instant::now());
    while changed.elapsed() < Duration::from_secs(1) {
        assert!(begun.elapsed() < most, "they write on after {} s", begun.elapsed().as_secs());
        std::thread::sleep(Duration::from_millis(20));
        let now = size();
        if now != last {
            (last, changed) = (now, Instant::now());
        }
    }
    changed.duration_since(begun)
}

fn forget(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("alive-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Kill, cancel, timeout and the program's own end, each with a whole tree of processes below.
fn everything_ends(world: &World, namespaces: bool) {
    let stays = format!("{GRANDCHILDREN}time.sleep(100)\n");
    with_scripts(
        world,
        "mine",
        "",
        &[("stays", &stays), ("leaves", &format!("{GRANDCHILDREN}time.sleep(1)\n"))],
    );
    let variables = [("HUB_RUN_LEASE", "10")];
    let Some(host) = fenced(world, namespaces, false, &variables) else { return };
    host.enable("mine");
    let folder = work(world, &host, "data", "scripts_of_mine");

    let id = start(&host, "mine", "leaves");
    all_write(&folder);
    succeeded(&host, &id);
    assert!(
        nobody_writes(&folder, Duration::from_secs(2)) < Duration::from_millis(100),
        "its end is the end of everything"
    );
    forget(&folder);

    let id = start(&host, "mine", "stays");
    all_write(&folder);
    assert_eq!(host.post(&format!("/api/dbt/runs/{id}/cancel"), "").status, 202);
    assert_eq!(ended(&host, &id)["state"], "cancelled");
    assert!(
        nobody_writes(&folder, Duration::from_secs(2)) < Duration::from_millis(100),
        "cancelled is cancelled"
    );
    forget(&folder);

    start(&host, "mine", "stays");
    all_write(&folder);
    host.kill();
    let took = nobody_writes(&folder, Duration::from_secs(15));
    eprintln!("after kill -9 of the host everything had ended in {} ms", took.as_millis());
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(host);
    forget(&folder);

    // A host that is frozen says nothing.
    let Some(host) = fenced(world, namespaces, false, &variables) else { return };
    let id = start(&host, "mine", "stays");
    all_write(&folder);
    host.signal("STOP");
    let took = nobody_writes(&folder, Duration::from_secs(25));
    eprintln!("after SIGSTOP of the host everything had ended in {} ms", took.as_millis());
    assert!(
        (Duration::from_secs(8)..Duration::from_secs(14)).contains(&took),
        "the lease has 10 s: {took:?}"
    );
    host.signal("CONT");
    let run = ended(&host, &id);
    assert!(matches!(run["state"].as_str(), Some("lost" | "failed")), "{run}");
    assert!(run["error"].as_str().unwrap().contains("silent"), "it says why: {run}");
    forget(&folder);

    // Whoever ends the supervisor ends the run. Without namespaces nobody is left then who knows all of it.
    if !namespaces {
        return;
    }
    if !has_namespaces() {
        program::skip("the end of a run whose supervisor is ended: there are no user namespaces");
        return;
    }
    let id = start(&host, "mine", "stays");
    all_write(&folder);
    for supervisor in supervisors(host.process()) {
        assert!(Command::new("kill").args(["-KILL", &supervisor.to_string()]).status().unwrap().success());
    }
    assert_eq!(ended(&host, &id)["state"], "failed");
    nobody_writes(&folder, Duration::from_secs(5));
}

/// The processes that the host has started by itself.
fn supervisors(host: u32) -> Vec<u32> {
    let found = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |process: &u32| {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok())
    };
    found.filter(|process| parent(process) == Some(host)).collect()
}

on_both! {
    fn s13_the_whole_tree_of_a_run_ends(world: &World) {
        everything_ends(world, true);
    }

    fn s13_the_whole_tree_of_a_run_ends_without_namespaces(world: &World) {
        everything_ends(world, false);
    }
}

/// Processes that are never there when somebody comes to end them: each starts another and ends at once. Some have a name that is no
/// text, and some let nobody look into them.
const HOPPING: &str = r#"
import ctypes, os, time
libc = ctypes.CDLL(None)
for number in range(24):
    if os.fork() == 0:
        os.setsid()
        if number % 3 == 0: libc.prctl(15, b"\xff\xfe) R 1 1", 0, 0, 0)
        if number % 3 == 1: libc.prctl(4, 0, 0, 0, 0)
        open("alive-%d" % number, "w")
        hops = 0
        while True:
            if os.fork(): os._exit(0)
            hops += 1
            if hops % 20 == 0: open("beat", "a").write(".")
print("begun", flush=True)
time.sleep(100)
"#;

#[test]
fn s13_processes_that_start_others_without_end_are_ended() {
    for namespaces in [true, false] {
        let world = World::new(None);
        with_scripts(&world, "mine", "", &[("hops", HOPPING), ("ok", "print('fine')\n")]);
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        host.enable("mine");
        let folder = work(&world, &host, "data", "scripts_of_mine");
        let id = start(&host, "mine", "hops");
        until("they do not begin", || folder.join("alive-23").exists() && folder.join("beat").exists());
        let begun = Instant::now();
        assert_eq!(host.post(&format!("/api/dbt/runs/{id}/cancel"), "").status, 202);
        assert_eq!(ended(&host, &id)["state"], "cancelled");
        // The program itself is asked first, and has its time; how long the rest takes is the machine's to say, which is busy with them.
        eprintln!("hopping processes had ended in {} ms", begun.elapsed().as_millis());
        assert!(nobody_writes(&folder, Duration::from_secs(2)) < Duration::from_millis(100));
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }
}

/// Two hosts, one database, a warehouse on a server: a host that is frozen in the middle of a build, and wakes up when another
/// one has taken over.
#[test]
fn s13_a_frozen_host_never_makes_two_runs_of_a_workspace() {
    let Some(server) = program::postgres::Server::shared() else { return };
    let world = World::new(Some(server.database()));
    // Each beat is a line with the time: from them it is seen who worked when.
    let beats = "import subprocess\n\
        code = 'import time\\nwhile True:\\n    open(\"beats\", \"a\").write(str(time.time()) + \"\\\\n\")\\n    time.sleep(0.05)\\n'\n\
        subprocess.Popen(['setsid', sys.executable, '-c', code])\n\
        print('begun', flush=True)\n\
        time.sleep(100)\n";
    let profile = "mine:\n  target: t\n  outputs:\n    t: {type: postgres, host: db.example, schema: s}\n";
    with_project(&world, &[]);
    for data in ["data", "data-other"] {
        with_dbt(&world, data, beats);
        fs::create_dir_all(world.folder.path(data).join("dbt")).unwrap();
        fs::write(world.folder.path(data).join("dbt/profiles.yml"), profile).unwrap();
        if data != "data" {
            let copied = Command::new("cp")
                .arg("-r")
                .arg(world.folder.path("data/plugins"))
                .arg(world.folder.path(data))
                .status();
            assert!(copied.unwrap().success());
        }
    }
    let with_lease = |data: &str| {
        let data = world.folder.path(data);
        Host::start_as_admin(&world.folder, |command| {
            world.prepare(command);
            command.env("DATA_DIR", data).env("HUB_RUN_LEASE", "10");
        })
    };
    let first = with_lease("data");
    first.enable("mine");
    let folders = ["data", "data-other"].map(|data| work(&world, &first, data, "mine"));
    let beating = |folder: &Path| folder.join("beats").exists();
    let id = build(&first, "mine");
    until("the build does not begin", || beating(&folders[0]));
    let second = with_lease("data-other");
    first.signal("STOP");
    let frozen = Instant::now();
    let next = build(&second, "mine");
    while !beating(&folders[1]) {
        assert!(
            frozen.elapsed() < Duration::from_secs(60),
            "nobody takes over: {} {}",
            run(&second, &id),
            run(&second, &next)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("the other host has taken over after {} s", frozen.elapsed().as_secs());
    assert_eq!(state(&second, &id), "lost");
    first.signal("CONT");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((state(&second, &id), state(&first, &next)), ("lost".to_owned(), "running".to_owned()));
    assert_eq!(second.post(&format!("/api/dbt/runs/{next}/cancel"), "").status, 202);
    assert_eq!(ended(&second, &next)["state"], "cancelled");
    let times = |folder: &Path| -> Vec<f64> {
        fs::read_to_string(folder.join("beats"))
            .unwrap()
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect()
    };
    let (one, other) = (times(&folders[0]), times(&folders[1]));
    let gap = other[0] - one[one.len() - 1];
    eprintln!("between the last word of the one and the first of the other: {gap:.1} s");
    assert!(gap > 0.0, "two runs of one workspace at the same time");
    assert!(lives(first.process()) && first.get("/api/health").status == 200);
}
