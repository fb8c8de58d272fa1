//! `cargo xtask`: argument parsing and reporting. The work is in `hub-codegen`.

mod audit;
mod bench;
mod build;
mod check;
mod check_watch;
mod cli;
mod crates;
mod dev;
mod diff;
mod docs;
mod explain;
mod fetch;
mod fuzz;
mod interrupt;
mod keygen;
mod like_the_host;
mod new_plugin;
mod progress;
mod report;
mod test;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Parsers of thousands of files allocate and free small pieces on all cores.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is done.
    Done,
    /// Something in a plugin is wrong, or a test failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The machine lacks something.
    Machine,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::Machine => 3,
        })
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::refused(&error).into(),
    };
    let outcome = match cli.command {
        Command::BuildPlatform(args) => build::run(&args),
        Command::Fetch => fetch::run(),
        Command::Check(args) => check::run(&args),
        Command::NewPlugin(args) => new_plugin::run(&args),
        Command::Dev(args) => dev::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Golden(args) => check::golden(&args),
        Command::Docs(args) => docs::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    outcome.into()
}
