//! Runs cargo as a child: progress as it goes, messages as values, and what went wrong in plain words.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use cargo_metadata::{CompilerMessage, Message};

use crate::base::failure::Machine;

/// How far a long stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: usize,
    /// Units in all; 0 while unknown.
    pub total: usize,
    /// What is being worked on.
    pub what: String,
}

/// One call of cargo.
#[derive(Debug, Default)]
pub struct Call {
    /// Folder to run in.
    pub folder: PathBuf,
    /// Arguments, without those on messages and colours.
    pub args: Vec<OsString>,
    /// Variables to set on top of a cleaned environment.
    pub env: Vec<(&'static str, OsString)>,
    /// Variables to remove.
    pub unset: Vec<&'static str>,
}

/// What a call of cargo left.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether cargo was content.
    pub success: bool,
    /// Executables built or found fresh, by target name.
    pub executables: Vec<(String, PathBuf)>,
    /// What rustc said.
    pub messages: Vec<CompilerMessage>,
    /// What cargo itself said, without progress.
    pub stderr: String,
}

/// Name of the folder that cargo builds in, when nobody asks for another.
const TARGET: &str = "target";

/// The folder that cargo builds in: `CARGO_TARGET_DIR`, else `target` in the repository. Absolute.
pub fn target_dir(repo: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| repo.join(dir)),
        None => repo.join(TARGET),
    }
}

/// Variables that cargo sets for the programs it runs. Handed on, they would differ between `cargo xtask` and xtask
/// started by itself, and each change of one makes build scripts run again.
fn is_inherited(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_"];
    const NAMES: [&str; 11] = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_MANIFEST_LINKS",
        "CARGO_MAKEFLAGS",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "MAKEFLAGS",
        "MFLAGS",
        "OUT_DIR",
        "RUST_RECURSION_COUNT",
        "LD_LIBRARY_PATH",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

enum Event {
    Message(Box<Message>),
    Progress(Progress),
    Said(String),
    Failed(io::Error),
}

/// Runs cargo and calls `progress` whenever its progress bar moves.
pub fn run(call: &Call, progress: &mut dyn FnMut(Progress)) -> Result<Outcome, Machine> {
    run_with(call, &["--message-format=json-diagnostic-rendered-ansi"], progress)
}

/// Runs a command of cargo that knows no messages, for what it changes and what it complains about.
pub fn run_plain(call: &Call) -> Result<Outcome, Machine> {
    run_with(call, &[], &mut |_| {})
}

/// Runs a command of cargo that answers on its standard output.
pub fn answer(call: &Call) -> Result<(Outcome, Vec<u8>), Machine> {
    let output = command(call).stdin(Stdio::null()).output();
    let output = output.map_err(|error| not_started(&call.folder, &error))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((Outcome { success: output.status.success(), stderr, ..Outcome::default() }, output.stdout))
}

/// Cargo with its arguments, in an environment that is the same whoever started the build.
fn command(call: &Call) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&program);
    command.current_dir(&call.folder).args(&call.args).arg("--color=never");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_inherited)) {
        command.env_remove(name);
    }
    for name in &call.unset {
        command.env_remove(name);
    }
    command.envs(call.env.iter().map(|(name, value)| (name, value)));
    command
}

fn run_with(call: &Call, extra: &[&str], progress: &mut dyn FnMut(Progress)) -> Result<Outcome, Machine> {
    let mut command = command(call);
    command.args(extra);
    // Cargo draws its bar for people only, unless told to; the width must be given when there is no terminal.
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "160");
    command.env_remove("CARGO_TERM_QUIET").env_remove("CARGO_TERM_VERBOSE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(&call.folder, &error))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Machine::new("cannot read what cargo prints", ""));
    };

    let (sender, events) = mpsc::channel();
    let mut outcome = Outcome::default();
    let failed = thread::scope(|scope| {
        let to_messages = sender.clone();
        scope.spawn(move || read_messages(stdout, &to_messages));
        scope.spawn(move || read_stderr(stderr, &sender));
        let mut failed = None;
        for event in events {
            match event {
                Event::Message(message) => outcome.take(*message),
                Event::Progress(now) => progress(now),
                Event::Said(line) => {
                    outcome.stderr.push_str(&line);
                    outcome.stderr.push('\n');
                }
                Event::Failed(error) => failed = Some(error),
            }
        }
        failed
    });
    let status = child.wait().map_err(|error| Machine::new(format!("cannot wait for cargo: {error}"), ""))?;
    if let Some(error) = failed {
        return Err(
            Machine::new(format!("cannot read what cargo prints: {error}"), "").details(outcome.stderr)
        );
    }
    outcome.success = status.success();
    if status.code().is_none() {
        let what = format!("cargo was stopped ({status})");
        let help = "if the machine ran out of memory, build with fewer jobs: CARGO_BUILD_JOBS=1";
        return Err(Machine::new(what, help).details(outcome.stderr));
    }
    Ok(outcome)
}

impl Outcome {
    fn take(&mut self, message: Message) {
        match message {
            Message::CompilerMessage(message) => self.messages.push(message),
            Message::CompilerArtifact(artifact) => {
                if let Some(path) = artifact.executable {
                    self.executables.push((artifact.target.name, path.into_std_path_buf()));
                }
            }
            _ => {}
        }
    }
}

/// Why cargo could not be started.
fn not_started(folder: &Path, error: &io::Error) -> Machine {
    if error.kind() == io::ErrorKind::NotFound && folder.is_dir() {
        return Machine::new(
            "cargo is not installed (or not on the PATH)",
            "install Rust with rustup, from https://rustup.rs; it brings the version that rust-toolchain.toml names",
        );
    }
    Machine::io("run cargo in", folder, error)
}

fn read_messages(stdout: impl Read, events: &mpsc::Sender<Event>) {
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let event = match message {
            Ok(Message::TextLine(line)) => Event::Said(line),
            Ok(message) => Event::Message(Box::new(message)),
            Err(error) => Event::Failed(error),
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// Splits cargo's standard error at line feeds and at the carriage returns that its progress bar ends in.
fn read_stderr(stderr: impl Read, events: &mpsc::Sender<Event>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut last = None;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let _ = events.send(Event::Failed(error));
                return;
            }
        };
        let ended = buffer.is_empty();
        let end = buffer.iter().position(|b| matches!(b, b'\n' | b'\r'));
        line.extend_from_slice(&buffer[..end.unwrap_or(buffer.len())]);
        let used = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(used);
        if end.is_none() && !ended {
            continue;
        }
        let text = String::from_utf8_lossy(&line).replace("\u{1b}[K", "");
        line.clear();
        let event = match progress_of(&text) {
            Some(progress) if last.as_ref() == Some(&progress) => None,
            Some(progress) => {
                last = Some(progress.clone());
                Some(Event::Progress(progress))
            }
            None if text.trim().is_empty() => None,
            None => Some(Event::Said(text.trim_end().to_string())),
        };
        if event.is_some_and(|event| events.send(event).is_err()) || ended {
            return;
        }
    }
}

/// Reads one state of cargo's progress bar: `Building [===>   ] 12/345: serde, axum`.
fn progress_of(line: &str) -> Option<Progress> {
    let rest = line.trim_start().strip_prefix("Building [")?;
    let (count, what) = rest.split_once("] ")?.1.split_once(": ").unwrap_or((rest.split_once("] ")?.1, ""));
    let (done, total) = count.trim().split_once('/')?;
    Some(Progress { done: done.parse().ok()?, total: total.parse().ok()?, what: what.trim().to_string() })
}

/// Lines in which cargo only tells what it does.
fn is_status(line: &str) -> bool {
    const VERBS: [&str; 14] = [
        "Compiling",
        "Checking",
        "Finished",
        "Fresh",
        "Updating",
        "Downloading",
        "Downloaded",
        "Locking",
        "Adding",
        "Blocking",
        "Dirty",
        "Running",
        "Building",
        "Removing",
    ];
    line.starts_with(' ') && VERBS.iter().any(|verb| line.trim_start().starts_with(verb))
}

/// What cargo complained about, without its reports on what it does.
pub fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !is_status(line)).collect();
    lines.join("\n").trim().to_string()
}

/// Recognises what no plugin is to blame for in anything that cargo, rustc or a linker printed.
pub fn machine_lack(text: &str) -> Option<Machine> {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let machine = if has(&["No space left on device", "Disk quota exceeded", "os error 28)"]) {
        Machine::new(
            "the disk is full",
            "free some space: the build needs about 5 GB in target/ and CARGO_HOME",
        )
    } else if has(&[
        "linker `",
        "failed to find tool \"cc\"",
        "failed to find tool \"c++\"",
        "failed to find tool \"gcc\"",
    ]) && has(&[
        "not found",
        "failed to find tool",
        "is `cc` not installed",
        "is `gcc` not installed",
    ]) {
        Machine::new(
            "there is no C compiler and linker (cc)",
            "install one: `apt install build-essential`, `dnf install gcc glibc-static` or `zypper install gcc glibc-devel-static`",
        )
    } else if has(&[
        "cannot find -lc:",
        "cannot find -lc\n",
        "cannot find -lm:",
        "unable to find library -lc",
    ]) {
        Machine::new(
            "the C library for static linking (libc.a) is not installed",
            "install it: `apt install libc6-dev`, `dnf install glibc-static` or `zypper install glibc-devel-static`",
        )
    } else if has(&["may not be installed", "can't find crate for `core`", "can't find crate for `std`"])
        && has(&["target"])
    {
        Machine::new(
            "Rust's standard library for x86_64-unknown-linux-gnu is not installed",
            "run `rustup target add x86_64-unknown-linux-gnu`",
        )
    } else if has(&["is not installed\n", "is not installed for the toolchain", "toolchain '"])
        && has(&["rustup"])
    {
        Machine::new(
            "the Rust toolchain of rust-toolchain.toml is not installed",
            "run `rustup toolchain install`",
        )
    } else if has(&[
        "you're using offline mode (--offline)",
        "attempting to make an HTTP request, but --offline was specified",
        "--offline was specified",
    ]) {
        Machine::new(
            "a package is neither on this machine nor may it be downloaded (offline)",
            "run `cargo xtask fetch` where there is a network, then build again",
        )
    } else if has(&[
        "failed to download",
        "failed to fetch",
        "network failure",
        "spurious network error",
        "Could not resolve host",
        "Couldn't connect to server",
        "Timeout was reached",
        "failed to query replaced source",
        "download of config.json failed",
        "SSL certificate",
    ]) {
        Machine::new(
            "cargo cannot download packages",
            "check the network, the proxy (HTTPS_PROXY) and the registry settings of cargo; then build again",
        )
    } else if has(&[
        "signal: 9, SIGKILL",
        "LLVM ERROR: out of memory",
        "cannot allocate memory",
        "memory allocation of",
    ]) {
        Machine::new(
            "the compiler ran out of memory",
            "build with fewer jobs: CARGO_BUILD_JOBS=1, or add memory or swap",
        )
    } else if has(&["Permission denied (os error 13)", "Read-only file system"]) {
        Machine::new(
            "cargo may not write where it has to",
            "give the user who builds write access to the folder named below",
        )
    } else {
        return None;
    };
    Some(machine.details(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_bar_is_read() {
        let progress = |line: &str| progress_of(line).map(|p| (p.done, p.total, p.what));
        assert_eq!(
            progress("    Building [====>      ] 12/345: serde, axum(build)"),
            Some((12, 345, "serde, axum(build)".to_string()))
        );
        assert_eq!(progress("    Building [====>      ] 12/345"), Some((12, 345, String::new())));
        assert_eq!(progress("   Compiling serde v1.0.0"), None);
        assert_eq!(progress("    Building ["), None);
    }

    #[test]
    fn standard_error_is_split_at_both_kinds_of_line_end() {
        let text = "   Compiling a v1\n    Building [>  ] 0/2: a\r    Building [>  ] 0/2: a\r    Building [=> ] 1/2: b\r\u{1b}[Kerror: no\nlast";
        let (sender, events) = mpsc::channel();
        read_stderr(text.as_bytes(), &sender);
        drop(sender);
        let seen: Vec<String> = events
            .iter()
            .map(|event| match event {
                Event::Progress(p) => format!("{}/{} {}", p.done, p.total, p.what),
                Event::Said(line) => line,
                Event::Message(_) | Event::Failed(_) => "?".to_string(),
            })
            .collect();
        assert_eq!(seen, ["   Compiling a v1", "0/2 a", "1/2 b", "error: no", "last"]);
    }

    #[test]
    fn what_the_machine_lacks_is_told_from_what_is_wrong() {
        let what = |text: &str| machine_lack(text).map(|m| m.what);
        for (text, part) in [
            (
                "error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)",
                "no C compiler",
            ),
            (
                "error occurred in cc-rs: failed to find tool \"cc\": No such file or directory",
                "no C compiler",
            ),
            ("/usr/bin/ld: cannot find -lc: No such file or directory", "libc.a"),
            (
                "error[E0463]: can't find crate for `core`\n = note: the `x86_64-unknown-linux-gnu` target may not be installed",
                "standard library",
            ),
            (
                "error: failed to download from `https://registry.example/config.json`\nCaused by: [6] Could not resolve host",
                "cannot download",
            ),
            ("error: failed to write x: No space left on device (os error 28)", "disk is full"),
            (
                "error: toolchain '1.95.0-x86_64-unknown-linux-gnu' is not installed\nhelp: run `rustup toolchain install`",
                "toolchain",
            ),
        ] {
            assert!(what(text).is_some_and(|w| w.contains(part)), "{text}: {:?}", what(text));
        }
        assert_eq!(what("error[E0308]: mismatched types"), None);
        assert_eq!(what("error: no matching package named `serdee` found"), None);
        assert_eq!(what("error: rust-lld: error: undefined symbol: foo"), None);
    }

    #[test]
    fn a_complaint_is_what_is_left_without_the_reports() {
        assert_eq!(
            complaint("   Compiling a v1\n    Updating index\nerror: no\n  |\n  x\n"),
            "error: no\n  |\n  x"
        );
    }
}
