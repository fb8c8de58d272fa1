//! The benchmarks behind `cargo xtask bench`: `hub-bench [--small] [bundle] [check] [host] [release]`. Ratios against peers in the same run.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use hub_tests::bench_host::Effort;
use hub_tests::release::Built;
use hub_tests::xtask::{repo, target};
use hub_tests::{bench_bundle, bench_check, bench_host, bench_release};

/// How much is done.
struct Size {
    /// Rounds of each measurement; medians are reported.
    rounds: usize,
    /// Overrides of the apps that are bundled.
    overrides: &'static [usize],
    /// Plugins of the trees that are checked.
    plugins: &'static [usize],
    /// The tree that other tools build too.
    with_peers: usize,
    host: Effort,
    /// How often a host is restarted under load, in each of three ways.
    restarts: usize,
}

/// What is measured against the targets. Larger trees come last: what they push out of memory slows nothing after them.
const FULL: Size = Size {
    rounds: 5,
    overrides: &[10, 100, 1000],
    plugins: &[10, 100, 1000, 10_000],
    with_peers: bench_check::TARGET_SIZE,
    host: Effort { rounds: 5, seconds: 5, starts: 20 },
    restarts: 3,
};
/// What proves that all of it still runs.
const SMALL: Size = Size {
    rounds: 1,
    overrides: &[10],
    plugins: &[10],
    with_peers: 10,
    host: Effort { rounds: 1, seconds: 1, starts: 1 },
    restarts: 1,
};

fn main() -> ExitCode {
    let mut out = io::stdout();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let small = arguments.iter().any(|argument| argument == "--small");
    let size = if small { &SMALL } else { &FULL };
    for which in arguments.iter().filter(|argument| *argument != "--small") {
        let needs: &[&str] = match which.as_str() {
            "host" => &["wrk"],
            "release" => &["wrk", "pigz"],
            _ => &[],
        };
        if let Some(how) = needs.iter().copied().find_map(missing) {
            eprintln!("error: {how}");
            return ExitCode::from(3);
        }
        let done = match which.as_str() {
            "bundle" => bundle(size, &mut out),
            "check" => check(size, &mut out),
            "host" => host(size, &mut out),
            "release" => release(size, &mut out),
            _ => Err(io::Error::other("there is no such benchmark")),
        };
        if let Err(error) = done {
            eprintln!("error: {which}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn bundle(size: &Size, out: &mut dyn Write) -> io::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "-p", "hub-bundle"]).current_dir(repo());
    if !cargo.status()?.success() {
        return Err(io::Error::other("the bundler does not build"));
    }
    let bundler = target().join("debug/hub-bundle");
    let rows = bench_bundle::run(&repo(), &bundler, size.overrides, size.rounds, out)?;
    let held = rows.iter().filter(|row| row.holds()).count();
    writeln!(out, "{held} of {} comparisons within their targets", rows.len())
}

fn check(size: &Size, out: &mut dyn Write) -> io::Result<()> {
    let program = std::env::var_os("HUB_XTASK").map_or_else(|| target().join("debug/xtask"), Into::into);
    let figures = bench_check::run(&repo(), &program, size.plugins, size.with_peers, size.rounds, out)?;
    let held = figures.iter().filter(|figure| figure.holds()).count();
    writeln!(out, "{held} of {} figures within their targets", figures.len())
}

fn host(size: &Size, out: &mut dyn Write) -> io::Result<()> {
    let installed = Built::shared().unpack();
    bench_host::run(&installed.release(), &built("HUB_BENCH_PEER")?, size.host, out)?;
    let (host, python, app) = (built("HUB_BENCH_MANY")?, fastapi()?, repo().join("tests/bench/fastapi.py"));
    bench_host::many(&host, &python, &app, size.host, out)
}

/// A program that `cargo xtask bench` has built.
fn built(variable: &str) -> io::Result<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from);
    program.ok_or_else(|| io::Error::other(format!("{variable} is not set: run `cargo xtask bench`")))
}

fn release(size: &Size, out: &mut dyn Write) -> io::Result<()> {
    let (held, all) = bench_release::measure(size.rounds, size.restarts, out)?;
    writeln!(out, "{held} of {all} figures within their targets")
}

/// A Python with FastAPI, made where it is missing.
fn fastapi() -> io::Result<PathBuf> {
    let folder = target().join("bench/fastapi");
    let python = folder.join("bin/python");
    let requirements = repo().join("tests/bench/fastapi.txt");
    let stamp = folder.join("requirements.stamp");
    let text = std::fs::read_to_string(&requirements)?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
        return Ok(python);
    }
    let done = |status: std::process::ExitStatus| {
        if status.success() { Ok(()) } else { Err(io::Error::other("FastAPI cannot be installed")) }
    };
    done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status()?)?;
    done(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements).status()?)?;
    std::fs::write(&stamp, text)?;
    Ok(python)
}

/// Why a program cannot be used here, if so.
fn missing(program: &str) -> Option<String> {
    let found =
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    (!found).then(|| format!("{program} is not installed (Debian: `apt-get install {program}`)"))
}
