//! `cargo xtask bench`: hands over to the benchmark program of `hub-tests`, which knows the peers.

use std::process::Command;

use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::cli::{Bench, BenchArgs};

/// Runs the benchmarks asked for.
pub fn run(args: &BenchArgs) -> Outcome {
    let repo = Repo::find();
    let which = args.which.iter().map(|bench| match bench {
        Bench::Bundle => "bundle",
        Bench::Check => "check",
        Bench::Host => "host",
        Bench::Release => "release",
    });
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "hub-tests", "--bin", "hub-bench", "--"]).args(which);
    command.current_dir(&repo.root);
    command.env("HUB_XTASK", std::env::current_exe().unwrap_or_default());
    match command.status() {
        Ok(status) => match status.code() {
            Some(0) => Outcome::Done,
            Some(3) => Outcome::Machine,
            _ => Outcome::Failed,
        },
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            Outcome::Machine
        }
    }
}
