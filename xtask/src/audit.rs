//! `cargo xtask audit`: the crates of the repository and of the generated host against `deny.toml`, with cargo-deny. Building
//! a platform needs no plugin of cargo's; this command brings its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub_codegen::base::failure::Machine;
use hub_codegen::pack::inventory::lock::{HubLock, NAME};
use hub_codegen::pipeline::{Repo, workspace};

use crate::Outcome;
use crate::build::stopped;
use crate::check::plan;
use crate::cli::{AuditArgs, CheckArgs};
use crate::crates;
use crate::report::Report;

/// The one version of cargo-deny that `deny.toml` is written for.
const VERSION: &str = "0.20.2";
/// What is told without a database.
const OWN: [&str; 3] = ["licenses", "bans", "sources"];

/// Runs `audit`.
pub fn run(args: &AuditArgs) -> Outcome {
    let repo = Repo::find();
    let report = Report::new(&CheckArgs::default());
    let deny = match cargo_deny(&repo) {
        Ok(deny) => deny,
        Err(lack) => return report.machine(&lack),
    };
    let generated = match generated(&repo) {
        Ok(folder) => folder,
        Err(outcome) => return outcome,
    };
    if !args.offline {
        eprintln!("crates of the repository and of the generated host");
        for folder in [&repo.root, &generated] {
            if let Err(lack) = crates::fetch(folder, &["--locked"]) {
                return report.machine(&lack);
            }
        }
    }
    let audit = Audit { repo: &repo, deny: &deny, offline: args.offline };
    let mut worst = Outcome::Done;
    for which in [&OWN[..], &["advisories"][..]] {
        if which != OWN && (args.no_advisories || worst != Outcome::Done) {
            break;
        }
        for (name, folder) in [("the repository", &repo.root), ("the generated host", &generated)] {
            eprintln!("{name}: {}", which.join(", "));
            match audit.check(folder, which) {
                Ok(()) => {}
                Err(Found::Forbidden) => worst = Outcome::Failed,
                Err(Found::Lack(lack)) => return report.machine(&lack),
            }
        }
    }
    worst
}

/// Why a check was not passed.
enum Found {
    /// Something is used that may not be; cargo-deny has said what.
    Forbidden,
    /// The machine lacks something.
    Lack(Machine),
}

struct Audit<'a> {
    repo: &'a Repo,
    deny: &'a Path,
    offline: bool,
}

impl Audit<'_> {
    fn check(&self, folder: &Path, which: &[&str]) -> Result<(), Found> {
        let advisories = which.contains(&"advisories");
        let mut deny = Command::new(self.deny);
        deny.arg("--config").arg(self.repo.root.join("deny.toml")).args([
            "--color",
            "never",
            "--log-level",
            "error",
        ]);
        // Everything but the database of advisories is on this machine: the crates of both locks were fetched.
        deny.args((self.offline || !advisories).then_some("--offline"));
        deny.args(["check", "--hide-inclusion-graph", "--allow", "duplicate"]).args(which);
        deny.args(self.offline.then_some("--disable-fetch").filter(|_| advisories));
        let failed = |error| Found::Lack(Machine::io("run", self.deny, &error));
        let output = deny.current_dir(folder).stdin(Stdio::null()).output().map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if advisories && !output.status.success() && no_database(&said) {
            let help =
                "run it where the database can be reached; with --offline the last one fetched is taken";
            let lack = Machine::new("the database of known holes cannot be fetched", help);
            return Err(Found::Lack(lack.details(said.trim())));
        }
        eprint!("{said}");
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        if output.status.success() { Ok(()) } else { Err(Found::Forbidden) }
    }
}

fn no_database(said: &str) -> bool {
    ["failed to fetch advisory database", "failed to load advisory database", "unable to load advisory"]
        .iter()
        .any(|part| said.contains(part))
}

/// cargo-deny, compiled once below the target folder.
fn cargo_deny(repo: &Repo) -> Result<PathBuf, Machine> {
    let root = repo.target.join("test/cargo-deny").join(VERSION);
    let program = root.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("compiling cargo-deny {VERSION}");
    let build = repo.target.join("test/cargo-deny/build");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "install",
        "cargo-deny",
        "--locked",
        "--debug",
        "--quiet",
        "--version",
        &format!("={VERSION}"),
    ]);
    cargo.arg("--root").arg(&root).arg("--target-dir").arg(&build);
    // Away from the checkout, whose settings are for its own crates.
    cargo.current_dir(std::env::temp_dir()).env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS").stdin(Stdio::null());
    let help =
        "it is compiled from the registry of crates: check the network and the registry settings of cargo";
    let failed = |what: String| Machine::new(format!("cargo-deny cannot be had: {what}"), help);
    let output = cargo.output().map_err(|error| failed(error.to_string()))?;
    // What it was compiled from is of no more use.
    let _ = fs::remove_dir_all(&build);
    if output.status.success() && program.is_file() {
        return Ok(program);
    }
    Err(failed(output.status.to_string()).details(String::from_utf8_lossy(&output.stderr).trim()))
}

/// The workspace that the host is compiled from, with the packages that `hub.lock` names.
pub fn generated(repo: &Repo) -> Result<PathBuf, Outcome> {
    let check = CheckArgs::default();
    let mut report = Report::new(&check);
    let front = plan(repo, &check, &repo.version, false, &mut report)?;
    if report.stops(false) {
        return Err(report.finish(""));
    }
    let lock = HubLock::open(Some(repo.root.join(NAME)), false);
    lock.and_then(|lock| workspace(repo, &front, lock.packages())).map_err(|failure| stopped(report, failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_database_is_told_from_a_hole() {
        assert!(no_database("2026-01-01 [ERROR] failed to fetch advisory database https://x with cli"));
        assert!(!no_database("error[vulnerability]: a hole in `x`\n  = ID: RUSTSEC-2026-0001"));
    }
}
