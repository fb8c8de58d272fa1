//! The benchmarks behind `cargo xtask bench`: `hub-bench [bundle] [check] [host] [release]`. Ratios against peers in the same run.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use hub_tests::release::Built;
use hub_tests::xtask::{repo, target};
use hub_tests::{bench_bundle, bench_check, bench_host, bench_release};

/// Rounds of each measurement; medians are reported.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let mut out = io::stdout();
    for which in std::env::args().skip(1) {
        let done = match which.as_str() {
            "bundle" => bundle(&mut out),
            "check" => check(&mut out),
            "host" => match missing("wrk") {
                Some(how) => {
                    eprintln!("error: {how}");
                    return ExitCode::from(3);
                }
                None => host(&mut out),
            },
            "release" => match ["wrk", "pigz"].into_iter().find_map(missing) {
                Some(how) => {
                    eprintln!("error: {how}");
                    return ExitCode::from(3);
                }
                None => release(&mut out),
            },
            _ => Err(io::Error::other(format!("there is no benchmark `{which}`"))),
        };
        if let Err(error) = done {
            eprintln!("error: {which}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn bundle(out: &mut dyn Write) -> io::Result<()> {
    let status =
        Command::new("cargo").args(["build", "--quiet", "-p", "hub-bundle"]).current_dir(repo()).status()?;
    if !status.success() {
        return Err(io::Error::other("the bundler does not build"));
    }
    let rows = bench_bundle::run(&repo(), &target().join("debug/hub-bundle"), &[10, 100, 1000], ROUNDS, out)?;
    let held = rows.iter().filter(|row| row.holds()).count();
    writeln!(out, "{held} of {} comparisons within their targets", rows.len())
}

fn check(out: &mut dyn Write) -> io::Result<()> {
    let program = std::env::var_os("HUB_XTASK").map_or_else(|| target().join("debug/xtask"), Into::into);
    // Larger trees come last: what they push out of memory slows nothing that is measured after them.
    let figures = bench_check::run(&repo(), &program, &[10, 100, 1000, 10_000], ROUNDS, out)?;
    let held = figures.iter().filter(|figure| figure.holds()).count();
    writeln!(out, "{held} of {} figures within their targets", figures.len())
}

fn host(out: &mut dyn Write) -> io::Result<()> {
    let installed = Built::shared().unpack();
    let peer = bench_host::build_peer(&repo(), &target())?;
    bench_host::run(&installed.release(), &peer, ROUNDS, out)?;
    let (host, python) = (bench_host::build_many(&repo(), &target())?, fastapi()?);
    bench_host::many(&host, &python, &repo().join("tests/bench/fastapi.py"), out)
}

fn release(out: &mut dyn Write) -> io::Result<()> {
    let (held, all) = bench_release::measure(ROUNDS, out)?;
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
