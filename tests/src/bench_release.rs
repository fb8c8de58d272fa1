//! Releases against what people would do by hand: packing beside `tar | pigz`, an upgrade beside `tar xzf`, and what callers
//! notice of a restart.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::forge::forge;
use crate::installation::Installation;
use crate::release::{Built, unpack_into};
use crate::xtask::{run, xtask};

/// Size of the release whose upgrade is measured, in bytes.
const LARGE: usize = 60 * 1024 * 1024;
/// How long callers ask while something happens to the host.
const LOAD: u32 = 4;

/// Runs all of it; gives how many figures are within their targets, and how many there are. Callers are disturbed `restarts`
/// times in each way.
pub fn measure(rounds: usize, restarts: usize, out: &mut dyn Write) -> io::Result<(usize, usize)> {
    let built = Built::shared();
    let mut held = Vec::new();
    held.push(pack(built, rounds, out)?);
    let size = std::fs::metadata(&built.tarball)?.len() as f64 / 1_048_576.0;
    writeln!(out, "tarball of this repository's plugins: {size:.1} MiB (target 15)")?;
    held.push(size <= 15.0);
    held.push(upgrade(built, rounds, out)?);
    held.extend(lost(built, restarts, out)?);
    Ok((held.iter().filter(|held| **held).count(), held.len()))
}

/// The pack stage of a build, beside the two programs, on the same files. The stage hashes every file and the tarball on
/// top of that, and waits for the disk.
fn pack(built: &Built, rounds: usize, out: &mut dyn Write) -> io::Result<bool> {
    let installed = built.unpack();
    let bytes = size_of(&installed.folder().join("releases"))?;
    let folder = tempfile::tempdir()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut command = xtask(["build-platform", "--locked", "--out"]);
        // A new folder each time: an unchanged release would not be packed again.
        command.arg(folder.path().join(round.to_string()));
        let ran = run(command).expect(0);
        ours.push(
            stage(&ran.stderr, "pack")
                .ok_or_else(|| io::Error::other("the build tells no time of its pack stage"))?,
        );
        let to = folder.path().join("peer.tar.gz");
        let line = format!("tar cf - releases | pigz -6 > '{}' && sync '{0}'", to.display());
        let begun = Instant::now();
        let done = Command::new("sh").args(["-c", &line]).current_dir(installed.folder()).status()?;
        if !done.success() {
            return Err(io::Error::other("tar or pigz failed"));
        }
        theirs.push(begun.elapsed().as_secs_f64());
    }
    let (ours, theirs, mib) = (median(ours), median(theirs), bytes as f64 / 1_048_576.0);
    let ratio = theirs / ours;
    writeln!(
        out,
        "pack {mib:.1} MiB: {:.0} MiB/s; tar | pigz -6: {:.0} MiB/s; ratio {ratio:.2} (target at least 0.9)",
        mib / ours,
        mib / theirs
    )?;
    Ok(ratio >= 0.9)
}

/// Seconds that a build's report gives to a stage.
fn stage(report: &str, name: &str) -> Option<f64> {
    let line = report.lines().rev().find(|line| line.trim_start().starts_with(&format!("{name} ")))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// An upgrade to a release of 60 MiB, all but the restart, beside unpacking it with tar.
fn upgrade(built: &Built, rounds: usize, out: &mut dyn Write) -> io::Result<bool> {
    let at = Installation::new();
    unpack_into(&built.tarball, &at.root());
    let release =
        std::fs::read_dir(at.root().join("releases"))?.next().ok_or(io::ErrorKind::NotFound)??.path();
    let mut setup = Command::new(release.join("bin/hub-platform"));
    setup.args(["setup", "--no-service", "--data-dir"]).arg(at.data());
    run(setup).expect(0);
    let large = large(built, &release, &at.file(""))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // There is none in the first round.
        let _ = std::fs::remove_dir_all(at.root().join("releases/9.0.0"));
        let old = release.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = std::fs::remove_file(at.root().join("current"));
        std::os::unix::fs::symlink(format!("releases/{old}"), at.root().join("current"))?;
        let begun = Instant::now();
        at.hub(&["upgrade", &large.display().to_string()]).expect(0);
        ours.push(begun.elapsed().as_secs_f64());
        let to = tempfile::tempdir()?;
        let begun = Instant::now();
        unpack_into(&large, to.path());
        theirs.push(begun.elapsed().as_secs_f64());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    writeln!(
        out,
        "upgrade to a release of {} MiB without the restart: {ours:.2} s (target 2); tar xzf alone: {theirs:.2} s; ratio {:.1}",
        LARGE / 1_048_576,
        ours / theirs
    )?;
    Ok(ours <= 2.0)
}

/// A release of 60 MiB: its list of terms, which nothing reads, becomes as large as is needed, of what does not compress.
fn large(built: &Built, release: &Path, to: &Path) -> io::Result<PathBuf> {
    let fill = LARGE.saturating_sub(size_of(release)? as usize);
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    });
    let bytes: Vec<u8> = noise.take(fill).collect();
    Ok(forge(&built.tarball, "9.0.0", &[("THIRD-PARTY-LICENSES", &bytes)], to))
}

/// Requests lost by callers: in a plain stop and start, in an upgrade, in an upgrade that hands over.
fn lost(built: &Built, restarts: usize, out: &mut dyn Write) -> io::Result<Vec<bool>> {
    let mut at = Installation::new();
    unpack_into(&built.tarball, &at.root());
    let version =
        std::fs::read_dir(at.root().join("releases"))?.next().ok_or(io::ErrorKind::NotFound)??.file_name();
    at.setup(&version.to_string_lossy(), &[]).expect(0);
    at.start();
    let (mut plain, mut restarted, mut graceful) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..restarts {
        let mut shell = Command::new("sh");
        shell.args(["-c", &at.restart()]);
        plain.push(load(&at, move || run(shell).expect(0))? as f64);
        let upgrade = at.command(&["upgrade"]);
        restarted.push(load(&at, move || run(upgrade).expect(0))? as f64);
    }
    // Last, as the loop that restarts the service does not know the successor.
    for _ in 0..restarts {
        let upgrade = at.command(&["upgrade", "--graceful"]);
        graceful.push(load(&at, move || run(upgrade).expect(0))? as f64);
    }
    let (plain, restarted, graceful) =
        (median(plain), median(restarted), graceful.into_iter().fold(0.0, f64::max));
    writeln!(
        out,
        "requests lost under wrk with 32 connections: stop and start {plain}; upgrade {restarted}; upgrade --graceful {graceful} (target 0)"
    )?;
    Ok(vec![restarted <= plain, graceful == 0.0])
}

/// Lets `wrk` ask for some seconds, does something meanwhile, and counts what went wrong for the callers.
fn load<T>(at: &Installation, meanwhile: impl FnOnce() -> T) -> io::Result<u64> {
    let mut command = Command::new("wrk");
    command.args(["-t2", "-c32", &format!("-d{LOAD}s")]).arg(format!("{}/api/health", at.url()));
    let wrk = command.stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    meanwhile();
    let output = wrk.wait_with_output()?;
    Ok(errors(&String::from_utf8_lossy(&output.stdout)))
}

/// The errors that a report of `wrk` tells: of sockets, and answers that were no success.
pub fn errors(report: &str) -> u64 {
    let of_line = |line: &str| -> u64 {
        let numbers = line.split([' ', ',', ':']).filter_map(|word| word.parse::<u64>().ok());
        if line.contains("Socket errors") || line.contains("Non-2xx") { numbers.sum() } else { 0 }
    };
    report.lines().map(of_line).sum()
}

fn size_of(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
