//! What a stranger's program, run by the host, sees and reaches: real scripts that try everything. Each test is named after the
//! promise that it attacks.

mod program;

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use program::fenced::{fenced, fenced_at_a_terminal, with_dbt, with_project};
use program::postgres::Server;
use program::runs::{build, ended, log, start, succeeded, with_scripts};
use program::world::World;
use program::{command, run};
use serde_json::{Value, json};

const SETTINGS: &[(&str, &str)] = &[
    ("MINE_KEY", "mine-secret"),
    ("OTHER_KEY", "other-secret"),
    ("HUB_SMTP_PASSWORD", "smtp-secret"),
    ("PGPASSWORD", "pg-secret"),
    ("DBT_ENV_SECRET_X", "dbt-secret"),
    ("AWS_SECRET_ACCESS_KEY", "aws-secret"),
];

/// Tries everything, and says of each try what came of it: `[name, done, what]`, a line each.
const ATTACK: &str = r##"
import ctypes, glob, json, os, signal, socket, stat, subprocess, sys, time
DATA, HOST, INSTALL, OUTSIDE, NAMESPACES = @DATA@, @HOST@, @INSTALL@, @OUTSIDE@, @NAMESPACES@
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, try_it):
    try:
        what = try_it()
        print(json.dumps([name, bool(what), repr(what)[:300]]), flush=True)
    except BaseException as error:
        print(json.dumps([name, False, f"{type(error).__name__}: {error}"]), flush=True)

def call(*arguments):
    got = libc.syscall(*arguments)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got

def read(path, size=100):
    with open(path, "rb", buffering=0) as file:
        return file.read(size)

def write(path):
    with open(path, "ab") as file:
        file.write(b"x")
    return path

def memory():
    with open(f"/proc/{HOST}/maps") as maps:
        begin = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{HOST}/mem", "rb", buffering=0) as mem:
        mem.seek(begin)
        return mem.read(16)

def environments():
    found = []
    for file in glob.glob("/proc/[0-9]*/environ"):
        try:
            text = read(file, 100_000)
        except OSError:
            continue
        found += [(file, word) for word in ("other-secret", "smtp-secret", "correct horse", "postgres://") if word.encode() in text]
    return found

def attached():
    if libc.ptrace(16, HOST, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    libc.ptrace(17, HOST, 0, 0)
    return True

def parents():
    pid, found = os.getpid(), []
    while pid > 1 and len(found) < 20:
        pid = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
        found.append(pid)
    return [pid for pid in found if pid > 0]

def others_sockets():
    found = []
    for pid in {HOST, *parents()}:
        try:
            handle = call(434, pid, 0)
        except OSError:
            continue
        for number in range(64):
            try:
                got = call(438, handle, number, 0)
            except OSError:
                continue
            if stat.S_ISSOCK(os.fstat(got).st_mode):
                found.append((pid, number))
            os.close(got)
        os.close(handle)
    return found

def inherited():
    return [(number, os.readlink(f"/proc/self/fd/{number}")) for number in os.listdir("/proc/self/fd")
            if int(number) > 2 and os.path.exists(f"/proc/self/fd/{number}") and "/proc/" not in os.readlink(f"/proc/self/fd/{number}")]

def supervisor():
    for pid in parents():
        if b"supervise" in read(f"/proc/{pid}/cmdline", 1000):
            os.kill(pid, 0)
            # Its own first process is the program's to end: then everything ends.
            if pid != os.getppid():
                return pid

def hand_over(path):
    talk = socket.socket(socket.AF_UNIX)
    talk.settimeout(3)
    talk.connect(path)
    wish = {"hand-over": {"program": f"{os.getcwd()}/wish.sh", "seconds": 5}}
    talk.sendall(json.dumps(wish).encode() + b"\n")
    return talk.recv(1000)

def hand_over_by_a_daemon():
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(0.5)
            try:
                os.write(write_end, hand_over(f"{DATA}/host.sock") or b"")
            except OSError:
                pass
        os._exit(0)
    os.close(write_end)
    return os.read(read_end, 1000)

def uncover():
    # In a namespace of its own it has all capabilities: over what was covered for it, none.
    code = f"import os\nprint(os.path.exists({DATA + '/hub.db'!r}) and open({DATA + '/hub.db'!r}, 'rb').read(16) or '')\nprint(os.listdir({DATA!r}))"
    shell = f"umount {DATA}; umount -l {DATA}; mount -o remount,rw / ; touch {OUTSIDE}/by-mount; python3 -c \"$CODE\""
    done = subprocess.run(["unshare", "-Ur", "-m", "sh", "-c", shell], env={**os.environ, "CODE": code}, capture_output=True, text=True)
    return "SQLite" in done.stdout or "hub.db" in done.stdout or None

def disks():
    found = []
    for folder, _, names in os.walk("/dev"):
        for name in names:
            path = os.path.join(folder, name)
            try:
                mode = os.stat(path).st_mode
                if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) and mode & 0o006 != 0o006:
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
                    found.append(path)
            except OSError:
                pass
    return found

def terminal():
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        # The seventh field is the number of the terminal that it has.
        return int(read("/proc/self/stat", 4096).rsplit(b")", 1)[1].split()[4])

def same_session():
    return os.getsid(0) == os.getsid(HOST)

def switches():
    found = []
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", "/sys/kernel/uevent_helper", "/proc/sys/user/max_user_namespaces"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            found.append(path)
        except OSError:
            pass
    return found

def mounts():
    # Without namespaces they are the machine's.
    found = []
    for line in open("/proc/self/mountinfo") if NAMESPACES else ():
        point, options = line.split()[4:6]
        if not point.startswith("/dev/") and not {"nosuid", "nodev"} <= set(options.split(",")):
            found.append((point, options))
    return found

def memory_for_files():
    if NAMESPACES:
        folders = [folder for folder in ("/tmp", "/var/tmp", "/dev/shm") if os.path.isdir(folder)]
        about = {os.stat(folder).st_dev: os.statvfs(folder) for folder in folders}
        most = sum(one.f_blocks * one.f_frsize for one in about.values())
        return most if most > 1 << 30 else None

def capabilities():
    line = next(line for line in open("/proc/self/status") if line.startswith("CapEff"))
    return int(line.split()[1], 16)

open("wish.sh", "w").write(f"#!/bin/sh\ntouch {OUTSIDE}/by-wish\n")
os.chmod("wish.sh", 0o755)
print(json.dumps(["environment", True, dict(os.environ)]), flush=True)
print(json.dumps(["namespace", True, os.readlink("/proc/self/ns/pid")]), flush=True)
attempt("the host's environment", lambda: read(f"/proc/{HOST}/environ"))
attempt("anybody's environment", environments)
attempt("the host's memory", memory)
attempt("the host's files", lambda: [os.readlink(f"/proc/{HOST}/fd/{number}") for number in os.listdir(f"/proc/{HOST}/fd")])
attempt("the data through the host", lambda: os.listdir(f"/proc/{HOST}/root{DATA}"))
attempt("the data through the host's folder", lambda: os.listdir(f"/proc/{HOST}/cwd"))
attempt("ptrace", attached)
attempt("the host's sockets", others_sockets)
attempt("inherited files", inherited)
attempt("a signal for the host", lambda: os.kill(HOST, 0) is None)
attempt("the end of the host", lambda: os.kill(HOST, signal.SIGTERM) is None)
attempt("a signal for the supervisor", supervisor)
for name in ("hub.db", "hub.db-wal", "host-id", ".env", "lock", "dbt/profiles.yml", "plugins/other/plugin.yaml", "plugins/other/scripts/idle.py", "dbt/work/another/secret"):
    attempt(f"read {name}", lambda: read(f"{DATA}/{name}"))
    attempt(f"read {name} by a relative path", lambda: read(f"../../../../{name}"))
    os.path.lexists("leads") and os.remove("leads")
    os.symlink(f"{DATA}/{name}", "leads")
    attempt(f"read {name} by a link", lambda: read("leads"))
for path in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-"):
    if os.path.exists(path):
        attempt(f"read {path}", lambda: read(path))
attempt("other work folders", lambda: [name for name in os.listdir(f"{DATA}/dbt/work") if name == "another"])
attempt("other plugins", lambda: [name for name in os.listdir(f"{DATA}/plugins") if name != "mine"])
for path in (f"{DATA}/written", f"{DATA}/plugins/mine/written", f"{DATA}/plugins/mine/scripts/attack.py", f"{DATA}/dbt/work/written", f"{INSTALL}/written", f"{OUTSIDE}/written", "/etc/hub-written", "/usr/hub-written"):
    if not path.startswith(DATA) or os.path.exists(os.path.dirname(path)):
        attempt(f"write {path}", lambda: write(path) if not path.startswith(DATA + "/dbt/work") else None)
attempt("a file of the data folder by another name", lambda: os.link(f"{DATA}/hub.db", "linked") is None)
attempt("hand-over", lambda: hand_over(f"{DATA}/host.sock"))
attempt("hand-over by a relative path", lambda: hand_over("../../../../host.sock"))
attempt("hand-over by a daemon", hand_over_by_a_daemon)
attempt("uncover the data", uncover)
attempt("the terminal that the host was started at", terminal)
attempt("the session of the host", same_session)
attempt("disks", disks)
attempt("switches of the machine", switches)
attempt("mounts with devices or other users", mounts)
attempt("more memory for files than a quarter of its own", memory_for_files)
attempt("capabilities", capabilities)
print(json.dumps(["end", True, ""]), flush=True)
"##;

/// Lets the script try everything, and holds what came of it against what may.
fn tries_in_vain(world: &World, namespaces: bool, nobody: bool) {
    let config = "config:\n  key: {type: password, env: MINE_KEY}\n  a: {type: password, env: DATABASE_URL}\n  \
                  b: {type: password, env: HUB_SMTP_PASSWORD}\n  c: {type: password, env: HUB_ADMIN_PASSWORD}\n  \
                  d: {type: password, env: AWS_SECRET_ACCESS_KEY}\n  e: {type: password, env: DBT_ENV_SECRET_X}\n";
    with_scripts(world, "mine", config, &[("attack", "")]);
    let other = "config:\n  key: {type: password, env: OTHER_KEY}\n";
    with_scripts(world, "other", other, &[("idle", "SECRET = 'of another plugin'\n")]);
    world.folder.write("data/dbt/work/another/secret", "of another organisation");
    world.folder.write("data/dbt/profiles.yml", "theirs: {outputs: {}}\n");
    world.folder.write("data/.env", "HUB_MORE=1\n");
    let outside = world.folder.path("outside");
    fs::create_dir_all(&outside).unwrap();
    let Some(host) = fenced_at_a_terminal(world, namespaces, nobody, SETTINGS) else { return };
    let stat = fs::read_to_string(format!("/proc/{}/stat", host.process())).unwrap();
    let terminal = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(4));
    assert_ne!(terminal, Some("0"), "the host was to have a terminal: {stat}");
    host.enable("mine");
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let script = ATTACK
        .replace("@DATA@", &quoted(&world.folder.path("data")))
        .replace("@NAMESPACES@", if namespaces { "True" } else { "False" })
        .replace("@HOST@", &host.process().to_string())
        .replace("@INSTALL@", &quoted(&world.folder.path("release")))
        .replace("@OUTSIDE@", &quoted(&outside));
    world.folder.write("data/plugins/mine/scripts/attack.py", &script);
    let id = start(&host, "mine", "attack");
    succeeded(&host, &id);
    let text = log(&host, &id);
    let told: Vec<(String, bool, Value)> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{text}")))
        .collect();
    assert_eq!(told.last().unwrap().0, "end", "{text}");
    let of = |wanted: &str| told.iter().find(|(name, ..)| name == wanted).unwrap().2.clone();

    let mut names: Vec<String> = of("environment").as_object().unwrap().keys().cloned().collect();
    names.retain(|name| !matches!(name.as_str(), "LC_CTYPE" | "LANG" | "LC_ALL" | "TZ" | "LD_LIBRARY_PATH"));
    names.retain(|name| {
        !name.to_lowercase().ends_with("_proxy")
            && !name.starts_with("SSL_CERT")
            && name != "REQUESTS_CA_BUNDLE"
    });
    let want = [
        "HOME",
        "HUB_ORG",
        "HUB_OUTPUT_SCHEMA",
        "HUB_SCHEMA",
        "HUB_TENANT",
        "HUB_WAREHOUSE",
        "MINE_KEY",
        "PATH",
        "PYTHONUNBUFFERED",
        "TMPDIR",
    ];
    assert_eq!(names, want, "it gets its own settings, and nothing of the host");
    let own = fs::read_link("/proc/self/ns/pid").unwrap();
    if !namespaces {
        assert_eq!(of("namespace"), json!(own.to_str().unwrap()), "it was to be without namespaces");
    }

    let done: Vec<String> = told
        .iter()
        .filter(|(name, done, _)| *done && !matches!(name.as_str(), "environment" | "namespace" | "end"))
        .map(|(name, _, what)| format!("{name}: {what}"))
        .collect();
    assert!(done.is_empty(), "it has done what it must not:\n{}", done.join("\n"));
    let mut left: Vec<_> = fs::read_dir(&outside).unwrap().flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert!(left.is_empty(), "{left:?}");
    assert!(!world.folder.path("data/written").exists() && !Path::new("/etc/hub-written").exists());
    assert_eq!(host.get("/api/health").status, 200);
    let (status, log) = host.stop();
    assert_eq!(status, Some(0), "{log}");
}

on_both! {
    fn s5_a_run_sees_no_secret_of_another_plugin_and_reaches_nothing(world: &World) {
        tries_in_vain(world, true, false);
    }

    fn s5_the_same_without_namespaces(world: &World) {
        tries_in_vain(world, false, false);
    }

    fn s5_the_same_for_a_host_that_is_nobody(world: &World) {
        tries_in_vain(world, true, true);
    }

    fn s5_the_same_for_nobody_without_namespaces(world: &World) {
        tries_in_vain(world, false, true);
    }
}

/// A folder of the plugin that is a link leads nowhere, whoever put it there.
#[test]
fn s5_a_linked_folder_does_not_lead_out_of_the_plugin() {
    for namespaces in [true, false] {
        let world = World::new(None);
        with_scripts(&world, "mine", "dbt_workspace: dbt\n", &[("ok", "print('fine')\n")]);
        world
            .folder
            .write("data/elsewhere/run.py", "print('ran', open('../../../../hub.db', 'rb').read(6))\n");
        world.folder.write("data/elsewhere/dbt_project.yml", "name: x\n");
        let plugin = world.folder.path("data/plugins/mine");
        fs::write(plugin.join("plugin.yaml"), "name: mine\nversion: 1.0.0\ndisplay_name: Mine\ndbt_workspace: dbt\nknown_scripts:\n  - {slug: ok, display_name: Ok, script_path: scripts/ok.py, output_schema: o}\n  - {slug: out, display_name: Out, script_path: out/run.py, output_schema: o}\n  - {slug: file, display_name: File, script_path: scripts/file.py, output_schema: o}\n").unwrap();
        std::os::unix::fs::symlink("../..", plugin.join("dbt")).unwrap();
        std::os::unix::fs::symlink("../../elsewhere", plugin.join("out")).unwrap();
        std::os::unix::fs::symlink("../../../elsewhere/run.py", plugin.join("scripts/file.py")).unwrap();
        world.folder.write("data/dbt_project.yml", "name: x\n");
        with_dbt(&world, "data", "import os\nprint('ran', os.listdir('../../../..'))\n");
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        host.enable("mine");
        let runs = [start(&host, "mine", "out"), start(&host, "mine", "file"), build(&host, "mine")];
        for id in &runs {
            let run = ended(&host, id);
            let text = log(&host, id);
            assert_eq!(run["state"], "failed", "{run} {text}");
            assert!(!text.contains("ran"), "{text}");
            let error = run["error"].as_str().unwrap();
            assert!(error.contains("link"), "it says why: {error}");
        }
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }
}

/// The host writes into the work folder before a run: what a run has left there must not lead its hand elsewhere.
#[test]
fn s5_what_a_run_leaves_does_not_lead_the_hosts_hand() {
    for namespaces in [true, false] {
        let world = World::new(None);
        let plants = "import os, shutil\n\
            data = os.path.abspath('../../../..')\n\
            for name in ('target', 'profiles.yml', '.tmp', 'project', 'logs'):\n    \
                if os.path.islink(name) or os.path.isfile(name): os.remove(name)\n    \
                elif os.path.isdir(name): shutil.rmtree(name)\n\
            os.symlink(data + '/victims', 'target')\n\
            os.symlink(data + '/victims', '.tmp')\n\
            os.symlink(data + '/victims', 'project')\n\
            os.symlink(data + '/victims', 'logs')\n\
            os.symlink(data + '/victims/manifest.json', 'profiles.yml')\n";
        with_project(&world, &[("plants", plants), ("ok", "print('fine')\n")]);
        with_dbt(&world, "data", "print('built')\n");
        let victims = ["manifest.json", "run_results.json", "profiles.yml"];
        for victim in victims {
            world.folder.write(&format!("data/victims/{victim}"), "untouched");
        }
        let folder = world.folder.path("data/victims");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        host.enable("mine");
        let planted = start(&host, "mine", "plants");
        succeeded(&host, &planted);
        let built = build(&host, "mine");
        let run = ended(&host, &built);
        for victim in victims {
            let text = fs::read_to_string(folder.join(victim));
            assert!(text.as_ref().is_ok_and(|text| text == "untouched"), "{victim}: {text:?}, {run}");
        }
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), victims.len());
        let fine = start(&host, "mine", "ok");
        succeeded(&host, &fine);
    }
}

/// The files that the host signs in to PostgreSQL with are readable for its user, whom a run is too.
#[test]
fn s5_a_run_does_not_read_what_the_host_signs_in_with() {
    for namespaces in [true, false] {
        let world = World::new(None);
        let logins = world.folder.path("logins");
        fs::create_dir_all(&logins).unwrap();
        let (pass, key) = (logins.join("pass"), logins.join("client.key"));
        fs::write(&pass, "db:5432:*:hub:pass-secret\n").unwrap();
        fs::write(&key, "key-secret\n").unwrap();
        let text = |path: &Path| path.display().to_string();
        let script = format!(
            "for path in ({:?}, {:?}):\n    try:\n        print('read', open(path).read())\n    \
             except OSError as error:\n        print('refused', error)\nprint('end')\n",
            text(&pass),
            text(&key)
        );
        with_scripts(&world, "mine", "", &[("reads", &script)]);
        let variables = [("PGPASSFILE", text(&pass)), ("PGSSLKEY", text(&key))];
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Some(host) = fenced(&world, namespaces, false, &variables) else { return };
        host.enable("mine");
        let id = start(&host, "mine", "reads");
        succeeded(&host, &id);
        let said = log(&host, &id);
        assert!(said.contains("end") && !said.contains("secret"), "{said}");
    }
}

/// A folder that a run would see, other than one of temporary files: it goes with the value.
struct Visible(PathBuf);

impl Visible {
    fn new(name: &str) -> Visible {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        // What a killed test left whose process had the same number.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Visible(folder.canonicalize().unwrap())
    }
}

impl Drop for Visible {
    fn drop(&mut self) {
        // What the test has said stands, whatever is left of its folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A script that connects to a socket of this machine, to a port of it, and to itself, and says what came of each.
fn connects(socket: &Path, port: u16) -> String {
    format!(
        "import socket\n\
         def tried(name, connect):\n    \
             try:\n        connect()\n        print(name, 'reached')\n    \
             except OSError as error:\n        print(name, 'refused', error)\n\
         tried('socket', lambda: socket.socket(socket.AF_UNIX).connect({:?}))\n\
         tried('network', lambda: socket.create_connection(('127.0.0.1', {port}), 5))\n\
         tried('pair', lambda: (lambda one, other: one.send(b'x'))(*socket.socketpair()))\n",
        socket.display().to_string()
    )
}

/// Whoever reaches an engine of containers is root, and a run has the host's user and groups.
#[test]
fn s5_a_run_reaches_no_engine_of_containers() {
    // Named by a variable; and by nothing but that somebody listens there, which is not hidden without namespaces.
    for (namespaces, named) in [(true, true), (false, true)] {
        let world = World::new(None);
        let folder = Visible::new("engine");
        let socket = folder.0.join("s");
        let engine = UnixListener::bind(&socket).unwrap();
        let network = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = connects(&socket, network.local_addr().unwrap().port());
        with_scripts(&world, "mine", "", &[("connects", &script)]);
        let name = format!("unix://{}", socket.display());
        let variables = [("DOCKER_HOST", name.as_str())];
        let variables = if named { &variables[..] } else { &[] };
        let Some(host) = fenced(&world, namespaces, false, variables) else { return };
        host.enable("mine");
        let id = start(&host, "mine", "connects");
        succeeded(&host, &id);
        let said = log(&host, &id);
        for part in ["socket refused", "network reached", "pair reached"] {
            assert!(said.contains(part), "{part}, namespaces: {namespaces}: {said}");
        }
        drop(engine);
    }
}

/// A screen's socket is in no folder too, where nothing hides it: the kernel does, or the run makes no such sockets.
#[test]
fn s5_a_run_reaches_no_screen_by_a_socket_in_no_folder() {
    for namespaces in [true, false] {
        let world = World::new(None);
        let name = format!("/hub-{}-{namespaces}/.X11-unix/X0", std::process::id());
        let screen = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let network = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = format!("\0{name}");
        let script = connects(Path::new(&socket), network.local_addr().unwrap().port());
        with_scripts(&world, "mine", "", &[("connects", &script)]);
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        host.enable("mine");
        let id = start(&host, "mine", "connects");
        succeeded(&host, &id);
        let said = log(&host, &id);
        for part in ["socket refused", "network reached", "pair reached"] {
            assert!(said.contains(part), "{part}, namespaces: {namespaces}: {said}");
        }
        drop(screen);
    }
}

/// A server takes the host's user for enough, who comes by its socket; a run is that user.
#[test]
fn s5_a_run_does_not_reach_the_hosts_database_by_its_socket() {
    let Some(server) = Server::shared() else { return };
    for namespaces in [true, false] {
        let (address, socket) = server.by_socket(&server.database());
        let world = World::new(Some(address));
        with_scripts(&world, "mine", "", &[("connects", &connects(&socket, server.port))]);
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        // The tests' own server asks nobody for anything, by no way. That is tried where it is asked for, and by no start.
        let unguarded =
            format!("the database's server at 127.0.0.1:{} lets `hub` in without a password", server.port);
        let install = world.folder.path("opt").display().to_string();
        let mut doctor = command(&world.folder);
        world.prepare(&mut doctor);
        doctor.args(["doctor", "--install-dir", &install]);
        let (_, out, told) = run(doctor);
        assert!((out + &told).contains(&unguarded), "namespaces: {namespaces}: {told}");
        assert!(!host.log().contains("without a password"), "{}", host.log());
        host.enable("mine");
        let id = start(&host, "mine", "connects");
        succeeded(&host, &id);
        let said = log(&host, &id);
        for part in ["socket refused", "network reached", "pair reached"] {
            assert!(said.contains(part), "{part}, namespaces: {namespaces}: {said}");
        }
    }
}

/// A data folder that is spread over several disks is one all the same; and its own part of it a run goes on to have.
#[test]
fn s5_a_run_does_not_see_what_links_of_the_data_folder_lead_to() {
    for namespaces in [true, false] {
        let world = World::new(None);
        let disk = Visible::new("disk");
        let secrets = ["work/another/space/secret", "connectors/another/ca.pem", "profiles.yml", "notes"];
        for name in secrets {
            let file = disk.0.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "theirs: {outputs: {}} # secret").unwrap();
        }
        fs::create_dir_all(world.folder.path("data/dbt")).unwrap();
        for (target, name) in [
            ("work", "dbt/work"),
            ("connectors", "connectors"),
            ("profiles.yml", "dbt/profiles.yml"),
            ("notes", "notes"),
        ] {
            symlink(disk.0.join(target), world.folder.path("data").join(name)).unwrap();
        }
        let paths = secrets.map(|name| disk.0.join(name).display().to_string());
        let script = format!(
            "import os\n\
             open('own', 'a').write('mine ')\n\
             print('own', open('own').read())\n\
             for path in {paths:?}:\n    \
                 try:\n        print('read', open(path).read())\n    \
                 except OSError as error:\n        print('refused', error)\n\
             print('end')\n"
        );
        with_scripts(&world, "mine", "", &[("reads", &script)]);
        let Some(host) = fenced(&world, namespaces, false, &[]) else { return };
        host.enable("mine");
        for own in ["own mine", "own mine mine"] {
            let id = start(&host, "mine", "reads");
            succeeded(&host, &id);
            let said = log(&host, &id);
            assert!(said.contains(own) && said.contains("end"), "namespaces: {namespaces}: {said}");
            assert!(!said.contains("# secret"), "namespaces: {namespaces}: {said}");
        }
    }
}

/// Nobody can find another name of a file: then it is told that there is one.
#[test]
fn s5_a_database_with_another_name_is_told() {
    let world = World::new(None);
    let (status, log) = world.host().stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(!log.contains("has more than one name"), "{log}");
    fs::hard_link(world.folder.path("data/hub.db"), world.folder.path("other.db")).unwrap();
    world.host().logs("hub.db has more than one name");
}
