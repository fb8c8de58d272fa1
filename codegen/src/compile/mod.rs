//! The compile stage: cargo on the staged workspace, its errors told in terms of the author's files.

pub mod embedded;
pub mod graph;
mod messages;
mod resolve;
pub mod routes;
pub mod stage;
mod stamp;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::Diagnostic;
use hub_manifest::plan::Plan;

use crate::base::cargo::{self, Call, Outcome, Progress};
use crate::base::failure::{Failure, Finding, Machine};
use crate::base::text::plain;
use crate::base::write::write_if_changed;
use crate::generate;
use graph::Graph;
use stage::{HOST_PACKAGE, LAUNCHER_PACKAGE, Staged};

pub(crate) use messages::source_of;
pub use stamp::Stamp;

/// The platform that the host is built for, named even where it is the build machine's own: without `--target`,
/// static linking would reach build scripts and procedural macros too.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How the host is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For customers.
    Release,
    /// For an author's next try.
    Dev,
}

impl Profile {
    /// The name that cargo and the folders below `target/platform` know it by.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Dev => "dev",
        }
    }
}

/// One run of the compile stage.
pub struct Job<'a> {
    /// The repository, absolute.
    pub repo: &'a Path,
    /// What is compiled.
    pub staged: &'a Staged,
    /// The plan, to tell whose router the generated host stumbled over.
    pub plan: &'a Plan,
    /// How it is compiled.
    pub profile: Profile,
    /// Cargo's target folder, absolute.
    pub target_dir: &'a Path,
    /// Where the stage notes what it did last, to do nothing the next time.
    pub stamp: &'a Path,
    /// Packages locked beside those of the repository's `Cargo.lock`.
    pub packages: &'a [stage::Locked],
    /// Whether packages must be locked already.
    pub locked: bool,
    /// Whether cargo must not use the network.
    pub offline: bool,
}

/// What the stage gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The host.
    pub binary: PathBuf,
    /// The program that starts one of several releases.
    pub launcher: PathBuf,
    /// Warnings in plugins.
    pub findings: Vec<Finding>,
    /// Whether nothing had to be done, not even cargo asked.
    pub fresh: bool,
}

/// The host of the last run, where nothing changed since.
pub fn fresh(job: &Job) -> Option<Compiled> {
    if job.staged.opaque {
        return None;
    }
    let stamp = Stamp::read(job.stamp, &stamp::key(job))?;
    Some(Compiled { binary: stamp.binary, launcher: stamp.launcher, findings: stamp.findings, fresh: true })
}

/// The crates that the host is made of.
pub fn graph(job: &Job) -> Result<Graph, Failure> {
    resolve::graph(job)
}

/// Compiles the host, which carries the list of its crates.
pub fn compile(job: &Job, graph: &Graph, progress: &mut dyn FnMut(Progress)) -> Result<Compiled, Failure> {
    if let Some(compiled) = fresh(job) {
        return Ok(compiled);
    }
    let key = stamp::key(job);
    if job.locked {
        resolve::check_locked(job)?;
    }
    let list = job.staged.root.join(stage::DEPENDENCIES);
    let written = embedded::data(graph)
        .and_then(|data| write_if_changed(&list, generate::dependencies(&data).as_bytes()));
    written.map_err(|error| Machine::io("write", &list, &error))?;
    let outcome = cargo::run(&call(job), progress)?;
    let messages = messages::Reader { staged: job.staged, plan: job.plan };
    let findings: Vec<Finding> = messages.findings(&outcome.messages);
    if !outcome.success {
        return Err(failure(job, &outcome, findings));
    }
    let program = |package: &str| {
        outcome.executables.iter().rev().find(|(name, _)| name == package).map(|(_, path)| path.clone())
    };
    let (Some(binary), Some(launcher)) = (program(HOST_PACKAGE), program(LAUNCHER_PACKAGE)) else {
        return Err(Machine::new("cargo built no host", "").details(outcome.stderr).into());
    };
    // The stamp only saves time: where it cannot be written, cargo is asked again.
    let _ = Stamp::write(job.stamp, &key, [&binary, &launcher], &findings);
    Ok(Compiled { binary, launcher, findings, fresh: false })
}

/// The call of cargo.
fn call(job: &Job) -> Call {
    let mut args: Vec<OsString> = [
        "build",
        "--package",
        HOST_PACKAGE,
        "--package",
        LAUNCHER_PACKAGE,
        "--profile",
        job.profile.name(),
        "--target",
        TARGET,
    ]
    .map(Into::into)
    .into();
    args.extend(["--target-dir".into(), job.target_dir.into()]);
    args.extend(common_args(job));
    Call {
        folder: job.staged.root.clone(),
        args,
        env: vec![("CARGO_ENCODED_RUSTFLAGS", rustflags(&job.staged.root, job.target_dir))],
        // The profiles of the staged workspace are the only ones: the machine's settings may not change the bytes.
        unset: vec!["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_INCREMENTAL", "CARGO_BUILD_TARGET"],
    }
}

/// Arguments of every call of cargo in the staged workspace.
fn common_args(job: &Job) -> Vec<OsString> {
    let mut args = Vec::new();
    let config = job.repo.join(".cargo/config.toml");
    if !job.staged.root.starts_with(job.repo) && config.is_file() {
        // Outside of the repository cargo would not find its settings (a mirror of the registry, say).
        args.extend(["--config".into(), config.into()]);
    }
    if job.locked {
        args.push("--locked".into());
    }
    if job.offline {
        args.push("--offline".into());
    }
    args
}

/// Flags of every crate of the host: static linking, and no path of this machine in the binary. Of several prefixes
/// that fit, rustc takes the last. The value of `CARGO_ENCODED_RUSTFLAGS`: whoever compiles with it, `--target` and the
/// same profile shares the host's dependencies.
pub fn rustflags(staged: &Path, target_dir: &Path) -> OsString {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .and_then(|home| std::path::absolute(home).ok());
    let mut folders: Vec<(PathBuf, &str)> = home.map(|home| (home, "/cargo")).into_iter().collect();
    folders.extend([(target_dir.to_path_buf(), "/target"), (staged.to_path_buf(), "/hub")]);
    // A folder in another one comes after it, cargo's own below the target folder too.
    folders.sort_by_key(|(folder, _)| folder.components().count());
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    for (from, to) in folders {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

/// Tells why cargo failed: errors in plugins, something that the machine lacks, or cargo's own complaint.
fn failure(job: &Job, outcome: &Outcome, findings: Vec<Finding>) -> Failure {
    let mut said: String = cargo::complaint(&outcome.stderr);
    for message in &outcome.messages {
        // Only what has no place in a source can be the machine's fault: a linker, a missing standard library.
        if message.message.spans.is_empty() {
            said.push('\n');
            said.push_str(&plain(message.message.rendered.as_deref().unwrap_or_default()));
        }
    }
    if let Some(machine) = cargo::machine_lack(&said) {
        return machine.into();
    }
    if findings.iter().any(Finding::is_error) {
        return Failure::Plugin(findings);
    }
    if let Some(diagnostic) = resolve::complaint(job, &said) {
        return vec![diagnostic].into();
    }
    Machine::new("cargo could not build the host", "").details(said).into()
}

/// Reads a file, or nothing where there is none.
fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The packages in the staged lock that the repository's does not have.
fn unlocked(job: &Job) -> Vec<stage::Locked> {
    let locked = stage::with_packages(&text_of(&job.repo.join("Cargo.lock")), job.packages);
    stage::additions(&locked, &text_of(&job.staged.root.join("Cargo.lock")))
}

/// Sets a diagnostic's plugin where there is one.
fn of_plugin(diagnostic: Diagnostic, plugin: Option<String>) -> Diagnostic {
    Diagnostic { plugin, ..diagnostic }
}

#[cfg(test)]
mod tests;
