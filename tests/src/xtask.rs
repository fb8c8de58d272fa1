//! Runs the real `cargo xtask` of this checkout.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

/// Root of this checkout.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_path_buf()
}

/// Cargo's target folder of this checkout.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(folder).expect("a current folder"),
        None => repo().join("target"),
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// The objects of a run with `--message-format json`; panics where a line is none.
    pub fn messages(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not JSON ({error}): {line}\n{}", self.stderr))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Panics with everything that was printed unless the exit code is the one wanted.
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A `cargo xtask` command, run in the checkout, without colours.
pub fn xtask<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    // The test command hands its own path down, so that the build under test is the one that runs the tests.
    let mut command = match std::env::var_os("HUB_XTASK") {
        Some(program) => Command::new(program),
        None => {
            let mut cargo = Command::new(env!("CARGO"));
            // A test may start it in another folder.
            cargo.args(["run", "--quiet", "--package", "xtask", "--manifest-path"]);
            cargo.arg(repo().join("Cargo.toml")).arg("--");
            cargo
        }
    };
    command.current_dir(repo()).args(arguments).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")).into()
}

/// A program that the test command prepared and named in the environment. Without it the caller skips its test, and says
/// so: `cargo xtask test` sets everything up, and with `--require-all` refuses to start where it cannot.
pub fn prepared(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    if named.is_none() {
        skip(&format!("{variable} is not set; `cargo xtask test` prepares what this test needs"));
    }
    named
}

/// Says that the calling test, or a part of it, is skipped. `cargo xtask test` repeats it in its closing lines, and fails with
/// `--require-all`.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    tell("lack", thread.name().unwrap_or("a test"), why);
}

/// Whether a test that takes minutes is wanted. Where it is not, the caller skips it, and it is said. `name` is one of those
/// that `cargo xtask test --long=NAME` takes.
///
/// `HUB_LONG_UNTIL` (seconds since 1970, then names) leaves out those of these names for which it is too late: a run that has a
/// limit is not to be cut off by them.
pub fn long(name: &str, what: &str) -> bool {
    let named = std::env::var("HUB_LONG").unwrap_or_default();
    let wanted = named.split(',').any(|wanted| wanted == name || wanted == "all");
    let until = std::env::var("HUB_LONG_UNTIL").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    if !wanted {
        tell("long", name, what);
    } else if is_too_late(&until, name, now) {
        tell("long", name, &format!("{what} (no time is left)"));
        return false;
    }
    wanted
}

fn is_too_late(until: &str, name: &str, now: u64) -> bool {
    let mut words = until.split_whitespace();
    let Some(last) = words.next() else { return false };
    let last: u64 = last.parse().expect("HUB_LONG_UNTIL begins with seconds");
    words.any(|word| word == name) && now > last
}

/// Adds a line to the file that the test command reads in the end: what a test prints that passes, nobody sees.
fn tell(kind: &str, name: &str, why: &str) {
    eprintln!("skipped: {name}: {why}");
    if let Some(file) = std::env::var_os("HUB_SKIPPED") {
        let opened = File::options().append(true).create(true).open(&file);
        let told = opened.and_then(|mut file| file.write_all(format!("{kind}\t{name}\t{why}\n").as_bytes()));
        told.unwrap_or_else(|error| panic!("cannot tell what was skipped: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_can_be_too_late() {
        for (until, late) in
            [("", false), ("9 other", false), ("10 one", false), ("9 one other", true), ("9", false)]
        {
            assert_eq!(is_too_late(until, "one", 10), late, "{until}");
        }
    }
}
