//! Asks a freshly built host for its routes: it runs `routes --json` with nothing of this machine's environment.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use hub_manifest::plan::PluginCrate;
use hub_manifest::routes::{RouteTable, RouterPanic};
use serde::{Deserialize, Serialize};

use crate::base::failure::Machine;
use crate::base::write::write_if_changed;

/// How long router functions may take, all together; listing routes takes them no measurable time.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the host may print; more is cut off.
const MOST_BYTES: u64 = 64 << 20;

/// A table with the binary that it was read from.
#[derive(Serialize, Deserialize)]
struct Stored {
    binary: PathBuf,
    /// Size, inode and modification time: what changes with every link.
    identity: (u64, u64, i64, i64),
    table: RouteTable,
}

/// The routes of a host, read anew only where the binary is another one than that of `stamp`.
pub(super) fn table(binary: &Path, crates: &[PluginCrate], stamp: &Path) -> Result<RouteTable, Machine> {
    let meta = fs::metadata(binary).map_err(|error| Machine::io("look at", binary, &error))?;
    let identity = (meta.len(), meta.ino(), meta.mtime(), meta.mtime_nsec());
    let stored = fs::read(stamp).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
    if let Some(stored) = stored
        && stored.binary == binary
        && stored.identity == identity
    {
        return Ok(stored.table);
    }
    let table = ask(binary, crates, PATIENCE)?;
    let stored = Stored { binary: binary.to_path_buf(), identity, table };
    // The stamp only saves time: where it cannot be written, the host is asked again.
    let _ = serde_json::to_vec(&stored).map(|text| write_if_changed(stamp, &text));
    Ok(stored.table)
}

/// How a run of the host ended.
struct Ran {
    /// None where it had to be ended.
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

/// Runs the host. A router function that never comes back or ends the process is part of the answer.
fn ask(binary: &Path, crates: &[PluginCrate], patience: Duration) -> Result<RouteTable, Machine> {
    let ran = run(binary, patience).map_err(|error| Machine::io("run", binary, &error))?;
    let said = ran.stdout.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let sound_end = ran.status.is_some_and(|status| matches!(status.code(), Some(0 | 1)));
    if sound_end && let Ok(table) = serde_json::from_str(said) {
        return Ok(table);
    }
    let how = match ran.status {
        None => format!("does not come back within {} s", patience.as_secs()),
        Some(status) => format!("ends the whole process ({status})"),
    };
    if let Some((plugin, router)) = last_called(&ran.stderr, crates) {
        let panic = RouterPanic { plugin, router, message: how, place: None };
        return Ok(RouteTable { panics: vec![panic], ..RouteTable::default() });
    }
    Err(Machine::new(
        format!("the host that was built does not print its routes: `{} routes` {how}", binary.display()),
        "run that command; if it works by itself, build again",
    )
    .details(tail(&ran.stderr)))
}

/// The router that was called last, unless all of them came back: the host names each one before it calls it, and says
/// so when it is through.
fn last_called(stderr: &str, crates: &[PluginCrate]) -> Option<(String, String)> {
    let routers =
        || crates.iter().flat_map(|found| found.routers.iter().map(|router| (&found.plugin, &router.spec)));
    for line in stderr.lines().rev() {
        if line == THROUGH {
            return None;
        }
        if let Some((plugin, spec)) = routers().find(|(plugin, spec)| line == format!("{plugin} {spec}")) {
            return Some((plugin.clone(), spec.clone()));
        }
    }
    None
}

/// What the host says on standard error when all router functions came back.
const THROUGH: &str = "all routers were called";

fn run(binary: &Path, patience: Duration) -> io::Result<Ran> {
    let mut child = Command::new(binary)
        .args(["routes", "--json", "--trace"].map(OsStr::new))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take().map(read), child.stderr.take().map(read));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    // A process that a router function left behind may hold the pipes open: nobody waits for that one.
    let text = |pipe: Option<Receiver<Vec<u8>>>| {
        let bytes = pipe.and_then(|pipe| pipe.recv_timeout(Duration::from_secs(2)).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ran { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Reads a pipe to its end on a thread of its own.
fn read(pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut pipe = pipe.take(MOST_BYTES);
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// The end of a text, for a report.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hub_manifest::plan::RouterMount;

    use super::*;

    const SPEC: &str = "plugins.crm.backend.a:router";

    fn crates() -> Vec<PluginCrate> {
        let router =
            RouterMount { spec: SPEC.to_string(), modules: Vec::new(), function: "router".to_string() };
        vec![PluginCrate {
            plugin: "crm".to_string(),
            package: "p".to_string(),
            lib: "p".to_string(),
            dir: "backend".to_string(),
            routers: vec![router],
        }]
    }

    /// A host that does what a script says.
    fn host(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("host");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn asked(script: &str) -> Result<RouteTable, Machine> {
        let folder = tempfile::tempdir().unwrap();
        let host = host(folder.path(), script);
        ask(&host, &crates(), Duration::from_millis(400))
    }

    #[test]
    fn the_last_line_is_the_table_whatever_routers_print() {
        let table = "{\"routes\":[],\"conflicts\":[],\"panics\":[]}";
        assert_eq!(asked(&format!("printf 'hello'; echo; echo '{table}'")), Ok(RouteTable::default()));
        assert_eq!(asked(&format!("echo '{table}'; exit 1")), Ok(RouteTable::default()));
    }

    #[test]
    fn nothing_of_this_machine_reaches_the_routers() {
        assert_eq!(
            asked(
                "[ -z \"$HOME$CARGO_MANIFEST_DIR\" ] && [ \"$*\" = 'routes --json --trace' ] && \
                   echo '{\"routes\":[],\"conflicts\":[],\"panics\":[]}'"
            ),
            Ok(RouteTable::default())
        );
    }

    #[test]
    fn a_router_that_does_not_come_back_or_ends_the_process_is_named() {
        let panics = |script: &str| {
            let found = asked(&format!("echo 'crm {SPEC}' >&2; {script}")).unwrap().panics.pop().unwrap();
            assert_eq!((found.plugin.as_str(), found.router.as_str()), ("crm", SPEC));
            found.message
        };
        assert_eq!(panics("exec sleep 30"), "does not come back within 0 s");
        assert_eq!(panics("exit 7"), "ends the whole process (exit status: 7)");
        assert_eq!(panics("exit 0"), "ends the whole process (exit status: 0)");
        assert_eq!(panics("kill -KILL $$"), "ends the whole process (signal: 9 (SIGKILL))");
    }

    #[test]
    fn nonsense_is_the_machines_failure() {
        for script in
            ["echo nonsense", "exit 3", &format!("echo 'crm {SPEC}' >&2; echo '{THROUGH}' >&2; exit 9")]
        {
            let machine = asked(script).unwrap_err();
            assert!(
                machine.what.starts_with("the host that was built does not print its routes: "),
                "{machine}"
            );
        }
    }

    #[test]
    fn a_host_is_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script =
            format!("echo x >> {}; echo '{{\"routes\":[],\"conflicts\":[],\"panics\":[]}}'", log.display());
        let binary = host(folder.path(), &script);
        let stamp = folder.path().join("routes.json");
        let runs = || fs::read_to_string(&log).unwrap().lines().count();
        for _ in 0..3 {
            assert_eq!(table(&binary, &crates(), &stamp), Ok(RouteTable::default()));
        }
        assert_eq!(runs(), 1);
        host(folder.path(), &format!("{script}; true"));
        assert_eq!(table(&binary, &crates(), &stamp), Ok(RouteTable::default()));
        assert_eq!(runs(), 2);
    }
}
