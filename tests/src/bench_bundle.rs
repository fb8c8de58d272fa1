//! The bundle stage against Vite and esbuild: the same generated app, the same run, medians, ratios.
//!
//! All three make production bundles with minified scripts and styles, hidden source maps, code splitting and content
//! hashes. Compressed twins are left out on all sides.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench_bundle_app as app;

/// One figure against its target.
#[derive(Debug, Clone)]
pub struct Row {
    /// How many overrides the app has.
    pub overrides: usize,
    /// The other tool.
    pub other: &'static str,
    /// Our wall time as a share of its.
    pub wall: f64,
    /// Our CPU time as a share of its.
    pub cpu: f64,
    /// Our initial gzip bytes as a share of its.
    pub bytes: f64,
    /// The most that wall and CPU may be.
    pub target: f64,
}

impl Row {
    /// Whether all three figures are within their targets.
    pub fn holds(&self) -> bool {
        self.wall <= self.target && self.cpu <= self.target && self.bytes <= 1.0
    }
}

/// What one run of one tool took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// One of the three.
struct Tool {
    name: &'static str,
    run: Box<dyn Fn() -> io::Result<()>>,
    out: PathBuf,
}

/// Measures apps of `sizes` overrides, `rounds` rounds each, and writes the table to `report`.
///
/// `repo` is the repository (the bench's packages are installed below `tests/bench/bundle` when they are not there yet),
/// `bundler` the built `hub-bundle`.
pub fn run(
    repo: &Path,
    bundler: &Path,
    sizes: &[usize],
    rounds: usize,
    report: &mut dyn Write,
) -> io::Result<Vec<Row>> {
    let packages = repo.join("tests/bench/bundle");
    install(&packages)?;
    writeln!(
        report,
        "bundle: wall and CPU seconds (medians of {rounds}), initial gzip bytes; ratio = hub / other"
    )?;
    writeln!(
        report,
        "{:>9}  {:<8} {:>7} {:>7} {:>9}   {:>10} {:>9} {:>11}",
        "overrides", "tool", "wall s", "cpu s", "bytes", "wall ratio", "cpu ratio", "bytes ratio"
    )?;
    let mut rows = Vec::new();
    for &size in sizes {
        let folder = repo.join(format!("target/bench/bundle-{size}"));
        app::write(&folder, &packages.join("node_modules"), size)?;
        let tools = tools(&folder, bundler, &packages.join("node_modules"), size);
        let mut costs = vec![Vec::new(); tools.len()];
        // A round nobody counts, so that all three find the same files in memory.
        for round in 0..=rounds {
            for (tool, costs) in tools.iter().zip(&mut costs) {
                let _ = std::fs::remove_dir_all(&tool.out);
                let cost = measure(&tool.run)?;
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        let medians: Vec<(Cost, usize)> = tools
            .iter()
            .zip(&costs)
            .map(|(tool, costs)| Ok((median(costs), initial_bytes(&tool.out)?)))
            .collect::<io::Result<_>>()?;
        let ours = medians[0];
        for (tool, (cost, bytes)) in tools.iter().zip(&medians) {
            let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
            write!(report, "{size:>9}  {:<8} {wall:>7.2} {cpu:>7.2} {bytes:>9}", tool.name)?;
            if tool.name == "hub" {
                writeln!(report)?;
                continue;
            }
            let row = Row {
                overrides: size,
                other: tool.name,
                wall: ours.0.wall.as_secs_f64() / wall,
                cpu: ours.0.cpu.as_secs_f64() / cpu,
                bytes: ours.1 as f64 / *bytes as f64,
                target: if tool.name == "vite" { 0.6 } else { 0.9 },
            };
            let verdict = if row.holds() { "" } else { "  <- misses its target" };
            writeln!(report, "   {:>10.2} {:>9.2} {:>11.3}{verdict}", row.wall, row.cpu, row.bytes)?;
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Installs the bench's packages as its lock says, once.
pub(crate) fn install(packages: &Path) -> io::Result<()> {
    if packages.join("node_modules/vite/package.json").is_file() {
        return Ok(());
    }
    // No install scripts: esbuild's only checks its own binary, which is called directly here.
    finish(
        Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(packages),
    )
}

fn tools(folder: &Path, bundler: &Path, modules: &Path, size: usize) -> Vec<Tool> {
    let job = app::job(folder, size);
    let hub = {
        let bundler = bundler.to_owned();
        move || {
            let mut child = Command::new(&bundler).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(job.as_bytes())?;
            }
            let output = child.wait_with_output()?;
            match output.status.success() {
                true => Ok(()),
                false => {
                    Err(io::Error::other(format!("hub-bundle: {}", String::from_utf8_lossy(&output.stdout))))
                }
            }
        }
    };
    let vite = {
        let (folder, script) = (folder.to_owned(), modules.join("vite/bin/vite.js"));
        move || {
            finish(
                Command::new("node").arg(&script).args(["build", "--logLevel", "warn"]).current_dir(&folder),
            )
        }
    };
    let esbuild = {
        let (folder, program) = (folder.to_owned(), native_esbuild(modules));
        move || {
            finish(Command::new(&program).args(app::ESBUILD).current_dir(&folder))?;
            app::esbuild_page(&folder.join("out-esbuild"))
        }
    };
    vec![
        Tool { name: "hub", run: Box::new(hub), out: folder.join("out-hub") },
        Tool { name: "vite", run: Box::new(vite), out: folder.join("out-vite") },
        Tool { name: "esbuild", run: Box::new(esbuild), out: folder.join("out-esbuild") },
    ]
}

/// esbuild's own program, without the Node script around it.
pub(crate) fn native_esbuild(modules: &Path) -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    modules.join(format!("@esbuild/{}-{arch}/bin/esbuild", std::env::consts::OS))
}

/// Runs a command and makes its failure an error with what it said.
fn finish(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stderr));
    Err(io::Error::other(format!("{command:?} failed ({}): {said}", output.status)))
}

fn measure(run: &dyn Fn() -> io::Result<()>) -> io::Result<Cost> {
    let (cpu, start) = (children_cpu()?, Instant::now());
    run()?;
    Ok(Cost { wall: start.elapsed(), cpu: children_cpu()?.saturating_sub(cpu) })
}

/// User and system time of all child processes that have ended, from `/proc`.
fn children_cpu() -> io::Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    // The second field, in brackets, may hold anything; cutime and cstime are the 14th and 15th after it.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // Linux counts in hundredths of a second here, on every architecture.
    Ok(Duration::from_millis((ticks(13) + ticks(14)) * 10))
}

fn median(costs: &[Cost]) -> Cost {
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    Cost {
        wall: middle(costs.iter().map(|cost| cost.wall).collect()),
        cpu: middle(costs.iter().map(|cost| cost.cpu).collect()),
    }
}

/// gzip bytes of everything that a browser loads before the page has started: the page itself, its style sheets, its
/// scripts and whatever these import statically.
pub fn initial_bytes(out: &Path) -> io::Result<usize> {
    let page = std::fs::read_to_string(out.join("index.html"))?;
    let mut files: BTreeSet<String> = quoted(&page).filter(|text| is_asset(text)).map(site_path).collect();
    let mut open: Vec<String> = files.iter().filter(|file| file.ends_with(".js")).cloned().collect();
    while let Some(file) = open.pop() {
        let script = std::fs::read_to_string(out.join(&file))?;
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for import in static_imports(&script) {
            let path = format!("{folder}/{}", import.trim_start_matches("./"));
            if files.insert(path.clone()) {
                open.push(path);
            }
        }
    }
    let mut total = gzip_len(page.as_bytes())?;
    for file in &files {
        total += gzip_len(&std::fs::read(out.join(file))?)?;
    }
    Ok(total)
}

/// Attribute values in a page, outside the data it carries for later.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .filter(|line| !line.contains("application/json"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

fn is_asset(text: &str) -> bool {
    text.starts_with('/') && (text.ends_with(".js") || text.ends_with(".css"))
}

fn site_path(address: &str) -> String {
    address.trim_start_matches('/').to_owned()
}

/// The files that a minified script imports before it runs.
fn static_imports(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for keyword in ["from", "import"] {
        for (at, _) in script.match_indices(keyword) {
            let rest = &script[at + keyword.len()..];
            if let Some(rest) = rest.strip_prefix("\"./").or_else(|| rest.strip_prefix(" \"./"))
                && let Some(end) = rest.find('"')
                && rest[..end].ends_with(".js")
            {
                found.push(&rest[..end]);
            }
        }
    }
    found
}

fn gzip_len(bytes: &[u8]) -> io::Result<usize> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_imports_that_run_first_count() {
        let script =
            "import{a as b}from\"./vendor-1.js\";import\"./side.js\";const c=()=>import(\"./lazy.js\")";
        assert_eq!(static_imports(script), ["vendor-1.js", "side.js"]);
    }

    #[test]
    fn the_page_and_all_it_starts_are_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("index.html", "<link href=\"/assets/a.css\">\n<script src=\"/assets/a.js\"></script>");
        write("assets/a.css", "a{}");
        write("assets/a.js", "import\"./b.js\";import(\"./c.js\")");
        write("assets/b.js", "import\"./a.js\"");
        write("assets/c.js", "1");
        let sum: usize = ["index.html", "assets/a.css", "assets/a.js", "assets/b.js"]
            .iter()
            .map(|name| gzip_len(&std::fs::read(folder.path().join(name)).unwrap()).unwrap())
            .sum();
        assert_eq!(initial_bytes(folder.path()).unwrap(), sum);
    }
}
