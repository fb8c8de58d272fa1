//! `cargo xtask bench`: builds the peers, and hands over to the benchmark program of `hub-tests`, which knows them.

use std::path::PathBuf;
use std::process::Command;

use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::cli::{Bench, BenchArgs};
use crate::like_the_host::{self, built, of_the_runtime};

/// Runs the benchmarks asked for.
pub fn run(args: &BenchArgs) -> Outcome {
    let repo = Repo::find();
    let mut command = Command::new(like_the_host::program());
    command.args(["run", "--quiet", "--locked", "--package", "hub-tests", "--bin", "hub-bench", "--"]);
    command.current_dir(&repo.root);
    if args.small {
        command.arg("--small");
    }
    command.args(args.which.iter().map(|bench| match bench {
        Bench::Bundle => "bundle",
        Bench::Check => "check",
        Bench::Host => "host",
        Bench::Release => "release",
    }));
    if args.which.contains(&Bench::Host) {
        let peers = peer(&repo).and_then(|peer| Ok((peer, many(&repo, args.small)?)));
        match peers {
            Ok((peer, many)) => command.env("HUB_BENCH_PEER", peer).env("HUB_BENCH_MANY", many),
            Err(problem) => {
                eprintln!("error: {problem}");
                return Outcome::Failed;
            }
        };
    }
    match std::env::current_exe() {
        Ok(program) => command.env("HUB_XTASK", program),
        Err(error) => {
            eprintln!("error: this program does not know where it is: {error}");
            return Outcome::Machine;
        }
    };
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

/// The hand-written peer of the host, built as the host is. It is a member of the plugins' workspace, whose lock it shares.
fn peer(repo: &Repo) -> Result<PathBuf, String> {
    let mut cargo = like_the_host::cargo(repo, "build", &repo.target);
    cargo.args(["--quiet", "--locked", "--manifest-path", "plugins/Cargo.toml", "-p", "bench-peer"]);
    build(cargo, "the peer in tests/bench/peer")?;
    Ok(built(&repo.target, "bench-peer"))
}

/// The host with 200 plugins. A small run takes the one that the host's tests build, assertions and all: it proves that the
/// benchmark runs, and measures nothing.
fn many(repo: &Repo, small: bool) -> Result<PathBuf, String> {
    let target = if small { repo.target.clone() } else { repo.target.join("bench/many") };
    let mut cargo = like_the_host::cargo(repo, "build", &target);
    cargo.args(["--quiet", "--locked", "--example", "many_host"]);
    if small {
        cargo.args(of_the_runtime())
    } else {
        cargo.args(["-p", "hub-host"])
    };
    build(cargo, "the host with 200 plugins")?;
    Ok(built(&target, "examples/many_host"))
}

fn build(mut cargo: Command, what: &str) -> Result<(), String> {
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} does not build ({status})")),
        Err(error) => Err(format!("cannot start cargo: {error}")),
    }
}
