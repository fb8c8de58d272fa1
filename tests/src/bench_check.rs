//! `cargo xtask check` over generated trees: cold, unchanged and watching, time and memory, beside what a bundler and
//! cargo take for the same modules and crates in the same run.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::bench_check_tree as tree;
use crate::bench_check_watch as watch;

/// Number of plugins that the targets speak of.
pub const TARGET_SIZE: usize = 1000;
/// Number of plugins of the tree that growth is measured with.
const LARGE: usize = 10_000;

/// One figure that has a target.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What came out.
    pub value: f64,
    /// The most that it may be.
    pub most: f64,
}

impl Figure {
    /// Whether the target is met.
    pub fn holds(&self) -> bool {
        self.value <= self.most
    }
}

/// What one run of one program took.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: f64,
    cpu: f64,
    /// Peak of the resident memory, in MB.
    memory: f64,
}

/// Measures trees of `sizes` plugins, `rounds` rounds each, and writes the table to `report`. The one of `with_peers` plugins
/// is built with other tools too. `repo` is the repository, `xtask` the built program.
pub fn run(
    repo: &Path,
    xtask: &Path,
    sizes: &[usize],
    with_peers: usize,
    rounds: usize,
    report: &mut dyn Write,
) -> io::Result<Vec<Figure>> {
    let packages = repo.join("tests/bench/bundle");
    crate::bench_bundle::install(&packages)?;
    let modules = packages.join("node_modules");
    writeln!(report, "check: wall and CPU seconds, peak memory in MB (medians of {rounds})")?;
    writeln!(
        report,
        "{:>7}  {:<23} {:>7} {:>8} {:>8} {:>12}",
        "plugins", "tool", "wall s", "cpu s", "MB", "hub cold / it"
    )?;
    let mut figures = Vec::new();
    let mut cold_at = Vec::new();
    for &size in sizes {
        let folder = repo.join(format!("target/bench/check-{size}"));
        let peers = size == with_peers;
        tree::write(&folder, size, peers.then_some(&modules))?;
        let target = folder.join("target");
        let check = |cold: bool| {
            if cold {
                let _ = fs::remove_dir_all(&target);
            }
            let mut command = Command::new(xtask);
            command.args(["check", "--deny-warnings", "--plugins"]).arg(folder.join("plugins"));
            command.env("CARGO_TARGET_DIR", &target).current_dir(repo);
            command
        };
        let mut tools: Vec<(&str, Box<dyn Fn() -> Command + '_>)> = vec![
            ("hub check, cold", Box::new(|| check(true))),
            ("hub check, unchanged", Box::new(|| check(false))),
        ];
        if peers {
            tools.extend(others(&folder, &modules));
        }
        let mut costs = vec![Vec::new(); tools.len()];
        // A round nobody counts, so that all find the same files in memory.
        for round in 0..=rounds {
            for ((_, command), costs) in tools.iter().zip(&mut costs) {
                let cost = measure(command())?;
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        let medians: Vec<Cost> = costs.iter().map(|costs| median(costs)).collect();
        let cold = medians[0];
        for ((name, _), cost) in tools.iter().zip(&medians) {
            let ratio = match name.starts_with("hub") {
                true => String::new(),
                false => format!("{:.2}", cold.wall / cost.wall),
            };
            let Cost { wall, cpu, memory } = cost;
            writeln!(report, "{size:>7}  {name:<23} {wall:>7.3} {cpu:>8.2} {memory:>8.1} {ratio:>12}")?;
        }
        cold_at.push((size, cold.wall));
        let edited = folder.join("plugins").join(tree::slug(size / 2)).join("frontend/src/Panel.tsx");
        let watched = watch::measure(check(false), &edited, 4 * rounds)?;
        let (name, none) = ("hub check --watch, edit", "");
        let watch::Watched { edit, memory } = watched;
        writeln!(report, "{size:>7}  {name:<23} {edit:>7.3} {none:>8} {memory:>8.1}")?;
        if size == TARGET_SIZE {
            let figure = |what: &str, value, most| Figure { what: what.to_string(), value, most };
            figures.push(figure("seconds at 1000 plugins, cache cold", cold.wall, 0.5));
            figures.push(figure("seconds at 1000 plugins, nothing changed", medians[1].wall, 0.1));
            figures.push(figure("seconds at 1000 plugins, from an edit to its answer", watched.edit, 0.1));
            let memory = cold.memory.max(medians[1].memory).max(watched.memory);
            figures.push(figure("MB at 1000 plugins", memory, 200.0));
        }
    }
    let at = |size| cold_at.iter().find(|(known, _)| *known == size).map(|(_, wall)| *wall);
    if let (Some(large), Some(small)) = (at(LARGE), at(TARGET_SIZE)) {
        let what = "time at 10 000 plugins to time at 1000, cache cold".to_string();
        figures.push(Figure { what, value: large / small, most: 11.0 });
    }
    for figure in &figures {
        let verdict = if figure.holds() { "" } else { "  <- misses its target" };
        writeln!(report, "{}: {:.3} (at most {}){verdict}", figure.what, figure.value, figure.most)?;
    }
    Ok(figures)
}

/// What a user would reach for instead, over the same modules and crates.
fn others<'a>(folder: &'a Path, modules: &'a Path) -> Vec<(&'static str, Box<dyn Fn() -> Command + 'a>)> {
    let here = move |program: PathBuf, arguments: &'static [&'static str]| {
        move || {
            let mut command = Command::new(&program);
            command.args(arguments).current_dir(folder).env_remove("CARGO_TARGET_DIR");
            command
        }
    };
    let esbuild = here(crate::bench_bundle::native_esbuild(modules), ESBUILD);
    let vite = {
        let script = modules.join("vite/bin/vite.js");
        move || {
            let mut command = Command::new("node");
            command.arg(&script).args(["build", "--logLevel", "warn"]).current_dir(folder);
            command
        }
    };
    let cargo = || PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    vec![
        ("esbuild", Box::new(esbuild)),
        ("vite", Box::new(vite)),
        ("cargo metadata, no deps", Box::new(here(cargo(), METADATA_NO_DEPS))),
        ("cargo metadata", Box::new(here(cargo(), METADATA))),
    ]
}

const ESBUILD: &[&str] = &[
    "main.tsx",
    "--bundle",
    "--splitting",
    "--format=esm",
    "--minify",
    "--jsx=automatic",
    "--outdir=out-esbuild",
    "--external:@platform/plugin-host",
    "--define:process.env.NODE_ENV=\"production\"",
    "--log-level=error",
];
const METADATA: &[&str] = &["metadata", "--format-version", "1", "--offline", "--quiet"];
const METADATA_NO_DEPS: &[&str] = &["metadata", "--format-version", "1", "--offline", "--quiet", "--no-deps"];

/// Runs a program to its end. What it prints goes to files, so that no pipe holds it up.
fn measure(mut command: Command) -> io::Result<Cost> {
    let mut said = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
    let start = Instant::now();
    let child = command.spawn()?;
    let (status, usage) = wait(child.id())?;
    let wall = start.elapsed().as_secs_f64();
    if !status.success() {
        let mut text = String::new();
        io::Seek::rewind(&mut said)?;
        io::Read::read_to_string(&mut said, &mut text)?;
        let start: String = text.chars().take(2000).collect();
        return Err(io::Error::other(format!("{command:?} failed ({status}): {start}")));
    }
    let seconds = |time: libc::timeval| {
        Duration::new(time.tv_sec.unsigned_abs(), 0).as_secs_f64() + time.tv_usec as f64 / 1e6
    };
    Ok(Cost {
        wall,
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        memory: usage.ru_maxrss as f64 / 1024.0,
    })
}

/// Waits for a child process and asks what it used; the standard library does not.
fn wait(pid: u32) -> io::Result<(ExitStatus, libc::rusage)> {
    let mut status = 0;
    // SAFETY: `rusage` is a plain structure of numbers, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the types that the call fills in.
        let ended = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut usage) };
        match ended {
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ => return Ok((ExitStatus::from_raw(status), usage)),
        }
    }
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |of: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Cost { wall: middle(|cost| cost.wall), cpu: middle(|cost| cost.cpu), memory: middle(|cost| cost.memory) }
}
