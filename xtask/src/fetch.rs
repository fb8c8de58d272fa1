//! `cargo xtask fetch`: everything that `build-platform --offline` needs, brought to this machine by cargo and npm themselves.

use hub_codegen::bundle::npm;
use hub_codegen::compile::TARGET;
use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::audit::generated;
use crate::build::stopped;
use crate::cli::CheckArgs;
use crate::crates;
use crate::report::Report;

/// Runs `fetch`.
pub fn run() -> Outcome {
    let repo = Repo::find();
    let report = Report::new(&CheckArgs::default());
    eprintln!("crates of the build tools");
    if let Err(lack) = crates::fetch(&repo.root, &["--locked"]) {
        return report.machine(&lack);
    }
    eprintln!("crates of the host and the plugins");
    let staged = match generated(&repo) {
        Ok(staged) => staged,
        Err(outcome) => return outcome,
    };
    if let Err(lack) = crates::fetch(&staged, &["--target", TARGET]) {
        return report.machine(&lack);
    }
    eprintln!("npm packages");
    match npm::ensure(&repo.root, false, &mut || {}) {
        Ok(_) => report.finish("everything is here: `cargo xtask build-platform --offline` needs no network"),
        Err(failure) => stopped(report, failure),
    }
}
