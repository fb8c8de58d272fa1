//! An upgrade that is cut off, or that the disk fails, at each of its system calls that change something: strace makes them
//! fail. Whatever happens, one whole release starts, and the same command run again finishes the work.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hub_tests::forge::forge;
use hub_tests::installation::Installation;
use hub_tests::release::Built;
use hub_tests::xtask::{Ran, long, prepared, run};

const OLD: &str = "0.1.0";
const NEW: &str = "0.2.0";

/// The calls that change files; those of them that the program does not use count for nothing.
const CALLS: &[&str] = &[
    "openat", "write", "mkdir", "fchmod", "chmod", "fsync", "rename", "symlink", "unlink", "unlinkat",
    "rmdir", "flock",
];

/// What only reads is not counted among calls of `openat`.
const READS: &str = "O_RDONLY";

struct Bench {
    at: Installation,
    tarball: PathBuf,
    strace: PathBuf,
}

impl Bench {
    /// An installation of the old release, and a new one that says that all is well.
    fn new() -> Option<Bench> {
        let strace = prepared("HUB_STRACE")?;
        let built = Built::shared();
        let at = Installation::new();
        hub_tests::release::unpack_into(&built.tarball, &at.root());
        let mut setup = Command::new(at.root().join("releases").join(OLD).join("bin/hub-platform"));
        // No way to restart is settled: the upgrade ends with the switch.
        setup.args(["setup", "--no-service", "--data-dir"]).arg(at.data());
        run(setup).expect(0);
        let host = b"#!/bin/sh\necho '{\"errors\":[]}'\n";
        let tarball = forge(&built.tarball, NEW, &[("bin/hub-platform", host)], &at.root());
        Some(Bench { at, tarball, strace })
    }

    fn upgrade(&self) -> Ran {
        self.at.hub(&["upgrade", self.tarball.to_str().unwrap()])
    }

    /// Runs an upgrade below strace.
    fn traced(&self, options: &[String]) -> Ran {
        let program = self.at.root().join("current/bin/hub-platform");
        let mut command = Command::new(&self.strace);
        command.args(["-qq", "-o"]).arg(self.at.file("trace")).args(options);
        command.arg(program).arg("upgrade").arg(&self.tarball);
        run(command)
    }

    /// How many calls of each kind an upgrade makes.
    fn counted(&self) -> BTreeMap<&'static str, usize> {
        self.traced(&[format!("-etrace={}", CALLS.join(","))]).expect(0);
        let trace = fs::read_to_string(self.at.file("trace")).unwrap();
        let count = |call: &str| trace.lines().filter(|line| line.starts_with(&format!("{call}("))).count();
        CALLS.iter().map(|call| (*call, count(call))).filter(|(_, count)| *count > 0).collect()
    }

    /// The numbers of the calls of one kind that change something.
    fn changing(&self, call: &str, count: usize) -> Vec<usize> {
        let trace = fs::read_to_string(self.at.file("trace")).unwrap();
        let of_call: Vec<&str> = trace.lines().filter(|line| line.starts_with(&format!("{call}("))).collect();
        assert_eq!(of_call.len(), count);
        (0..count).filter(|at| call != "openat" || !of_call[*at].contains(READS)).map(|at| at + 1).collect()
    }

    /// As it was before the upgrade.
    fn reset(&self) {
        let root = self.at.root();
        for name in self.at.releases().into_iter().filter(|name| name != OLD) {
            fs::remove_dir_all(root.join("releases").join(name)).unwrap();
        }
        let _ = fs::remove_dir_all(root.join("failed"));
        let _ = fs::remove_file(root.join("current"));
        std::os::unix::fs::symlink(format!("releases/{OLD}"), root.join("current")).unwrap();
    }

    /// That one whole release starts, and `current` leads to one. The launcher has looked at every byte of the one it names.
    fn whole(&self, what: &str) -> String {
        let chosen = self.at.chosen().unwrap_or_else(|| panic!("{what}: no release starts"));
        assert!(chosen == OLD || chosen == NEW, "{what}: {chosen}");
        let current = self.at.current();
        assert!(current == OLD || current == chosen, "{what}: current is {current}, and {chosen} starts");
        assert!(self.at.root().join("current/bin/hub-platform").is_file(), "{what}");
        chosen
    }

    /// That the same command finishes the work.
    fn converges(&self, what: &str) {
        let ran = self.upgrade();
        assert_eq!(ran.code, Some(0), "{what}: {}{}", ran.stdout, ran.stderr);
        assert_eq!((self.at.chosen().as_deref(), self.at.current().as_str()), (Some(NEW), NEW), "{what}");
        assert_eq!(self.at.releases(), [OLD, NEW], "{what}");
    }

    /// Every point of an upgrade at which something can go wrong: the call, and which one of its kind it is.
    fn points(&self) -> Vec<(&'static str, usize)> {
        let counted = self.counted();
        let points: Vec<_> = counted
            .iter()
            .flat_map(|(call, count)| self.changing(call, *count).into_iter().map(|at| (*call, at)))
            .collect();
        self.reset();
        points
    }
}

/// All points where that is wanted, else some of each kind.
fn sample(points: Vec<(&'static str, usize)>) -> Vec<(&'static str, usize)> {
    if long("power-cut", "an upgrade that is cut off at every one of its system calls, not only at some") {
        return points;
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keep = |point: &(&'static str, usize)| {
        let seen = seen.entry(point.0).or_default();
        *seen += 1;
        // The first ones, and then ever fewer.
        seen.is_power_of_two()
    };
    points.into_iter().filter(|point| keep(point)).collect()
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_release() {
    let Some(bench) = Bench::new() else { return };
    let points = bench.points();
    let (all, points) = (points.len(), sample(points));
    let mut states = BTreeMap::new();
    for (index, (call, at)) in points.iter().enumerate() {
        let what = format!("killed at {call} {at}");
        let ran =
            bench.traced(&[format!("-etrace={call}"), format!("-einject={call}:signal=KILL:when={at}")]);
        assert_eq!(ran.code, None, "{what}: {}{}", ran.stdout, ran.stderr);
        *states.entry(bench.whole(&what)).or_insert(0) += 1;
        if index % 10 == 0 {
            bench.converges(&what);
        }
        bench.reset();
    }
    eprintln!("{} of {all} points: {states:?}, 0 mixed", points.len());
    assert!(all >= 500, "an upgrade has only {all} points");
    assert!(states.len() == 2, "both releases are seen: {states:?}");
}

#[test]
fn a_disk_that_fails_leaves_the_old_release() {
    let Some(bench) = Bench::new() else { return };
    let points = bench.points();
    let (all, points) = (points.len(), sample(points));
    let mut ended = BTreeMap::new();
    for error in ["ENOSPC", "EIO"] {
        for (index, (call, at)) in points.iter().enumerate() {
            let what = format!("{error} at {call} {at}");
            let ran = bench
                .traced(&[format!("-etrace={call}"), format!("-einject={call}:error={error}:when={at}")]);
            let chosen = bench.whole(&what);
            // An error that nobody minds: a line that could not be printed, a file that was to be removed anyway.
            if ran.code == Some(0) {
                assert_eq!(chosen, NEW, "{what}: {}", ran.stderr);
            } else {
                assert!(
                    ran.stderr.contains("error: ") && ran.stderr.contains("help: "),
                    "{what}: {}",
                    ran.stderr
                );
            }
            *ended.entry((error, ran.code, chosen)).or_insert(0) += 1;
            if index % 10 == 0 {
                bench.converges(&what);
            }
            bench.reset();
        }
    }
    eprintln!("{} of {all} points, twice: {ended:?}", points.len());
}
