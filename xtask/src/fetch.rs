//! `cargo xtask fetch`: everything that `build-platform --offline` needs, brought to this machine by cargo and npm themselves.

use std::path::Path;

use hub_codegen::cargo::{self, Call};
use hub_codegen::compile::TARGET;
use hub_codegen::failure::Machine;
use hub_codegen::npm;
use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::audit::generated;
use crate::build::stopped;
use crate::cli::CheckArgs;
use crate::report::Report;

/// Runs `fetch`.
pub fn run() -> Outcome {
    let repo = Repo::find();
    let report = Report::new(&CheckArgs::default());
    eprintln!("crates of the build tools");
    if let Err(lack) = crates(&repo.root, &["--locked"]) {
        return report.machine(&lack);
    }
    eprintln!("crates of the host and the plugins");
    let staged = match generated(&repo) {
        Ok(staged) => staged,
        Err(outcome) => return outcome,
    };
    if let Err(lack) = crates(&staged, &["--target", TARGET]) {
        return report.machine(&lack);
    }
    eprintln!("npm packages");
    match npm::ensure(&repo.root, false, &mut || {}) {
        Ok(_) => report.finish("everything is here: `cargo xtask build-platform --offline` needs no network"),
        Err(failure) => stopped(report, failure),
    }
}

/// Downloads the crates that a workspace's lock names.
fn crates(folder: &Path, further: &[&str]) -> Result<(), Machine> {
    let args = ["fetch"].iter().chain(further).map(Into::into).collect();
    let outcome = cargo::run_plain(&Call { folder: folder.to_path_buf(), args, ..Call::default() })?;
    if outcome.success {
        return Ok(());
    }
    let said = cargo::complaint(&outcome.stderr);
    let lack = cargo::machine_lack(&said);
    Err(lack.unwrap_or_else(|| Machine::new("cargo cannot fetch the crates", "").details(said)))
}
