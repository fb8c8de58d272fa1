//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer where the machine has a nightly toolchain, else under the
//! runner on stable Rust. Says which.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hub_codegen::compile::TARGET;
use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::cli::FuzzArgs;

/// The targets, each a folder in `fuzz/corpus` and a program in `fuzz/libfuzzer`.
const TARGETS: &[&str] = &["manifest", "overrides", "router", "public_route"];

/// What makes LLVM count which branches an input takes: what `-Zsanitizer` would add, and no sanitizer.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Bounds on one input, the same as the runner on stable Rust has: seconds, and megabytes of the whole process.
const BOUNDS: &[&str] = &["-timeout=1", "-rss_limit_mb=256", "-malloc_limit_mb=256"];

/// Runs all targets, or the ones named; what is found lies in `target/fuzz/findings`.
pub fn run(args: &FuzzArgs) -> Outcome {
    let repo = Repo::find();
    let targets: Vec<&str> = if args.targets.is_empty() {
        TARGETS.to_vec()
    } else {
        args.targets.iter().map(String::as_str).collect()
    };
    let findings = repo.target.join("fuzz/findings");
    if let Err(error) = std::fs::create_dir_all(&findings) {
        eprintln!("error: cannot make {}: {error}", findings.display());
        return Outcome::Machine;
    }
    if args.stable || !has_nightly() {
        let why =
            if args.stable { "as asked" } else { "there is no nightly toolchain with libFuzzer's needs" };
        eprintln!("fuzzing with the runner on stable Rust: {why}");
        return stable(&repo, args, &targets, &findings);
    }
    eprintln!("fuzzing with libFuzzer");
    libfuzzer(&repo, args, &targets, &findings)
}

/// libFuzzer is C++ that is built on the spot, and the coverage pass is a nightly compiler's.
fn has_nightly() -> bool {
    let answers = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    answers("rustup", &["run", "nightly", "cargo", "--version"]) && answers("c++", &["--version"])
}

fn stable(repo: &Repo, args: &FuzzArgs, targets: &[&str], findings: &Path) -> Outcome {
    let mut command = Command::new("cargo");
    command.current_dir(&repo.root).args(["run", "--quiet", "--package", "hub-fuzz", "--"]);
    command.args(["--runs", &args.runs.to_string(), "--seed", &args.seed.to_string(), "--findings"]);
    outcome(command.arg(findings).args(targets))
}

fn libfuzzer(repo: &Repo, args: &FuzzArgs, targets: &[&str], findings: &Path) -> Outcome {
    let folder = repo.target.join("fuzz");
    let mut build = Command::new("rustup");
    build.args(["run", "nightly", "cargo", "build", "--quiet", "--locked", "--release", "--target", TARGET]);
    build.arg("--target-dir").arg(&folder).current_dir(repo.root.join("fuzz/libfuzzer"));
    build.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    // What cargo and rustup hand down of the toolchain that runs this program.
    for variable in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "RUSTC", "RUSTDOC", "CARGO"] {
        build.env_remove(variable);
    }
    if outcome(&mut build) != Outcome::Done {
        return Outcome::Machine;
    }
    let mut sound = true;
    for target in targets {
        // What is new goes to the first folder: the committed corpus changes by hand only.
        let (grown, committed) = (folder.join("corpus").join(target), corpus(repo, target));
        if let Err(error) = std::fs::create_dir_all(&grown) {
            eprintln!("error: cannot make {}: {error}", grown.display());
            return Outcome::Machine;
        }
        let mut run = Command::new(folder.join(TARGET).join("release").join(target));
        run.args([&grown, &committed]).args(BOUNDS).args(["-max_len=16384", "-print_final_stats=1"]);
        run.arg(format!("-runs={}", args.runs)).arg(format!("-seed={}", args.seed));
        run.arg(format!("-artifact_prefix={}/{target}-", findings.display()));
        eprintln!("\n== {target}");
        sound &= outcome(&mut run) == Outcome::Done;
    }
    if sound { Outcome::Done } else { Outcome::Failed }
}

fn corpus(repo: &Repo, target: &str) -> PathBuf {
    repo.root.join("fuzz/corpus").join(target)
}

fn outcome(command: &mut Command) -> Outcome {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Outcome::Done,
        Ok(_) => Outcome::Failed,
        Err(error) => {
            eprintln!("error: cannot start {:?}: {error}", command.get_program());
            Outcome::Machine
        }
    }
}
