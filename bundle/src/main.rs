//! `hub-bundle`: links the web shell, the plugins' modules and their packages into the assets that a release ships.
//!
//! A child process of its own, so that the build tool's other commands never compile a linker. One JSON job comes in on
//! standard input, one JSON reply goes out on standard output.

mod compress;
mod finding;
mod licenses;
mod link;
mod output;
mod page;
mod places;
mod style;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_manifest::wire::bundler::{Asset, Job, Placed, Reply, Timings};

use finding::Finding;
use link::{Linked, Linker, Page, Request, Rolldown};
use places::Places;

/// The linker allocates and frees millions of small pieces on all cores.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The page's title, if the job names none.
const TITLE: &str = "Platform";

/// Something in a plugin is wrong.
const WRONG: u8 = 1;
/// The command was called in a way that means nothing.
const USAGE: u8 = 2;
/// The machine lacks something.
const MACHINE: u8 = 3;

fn main() -> ExitCode {
    // A mistake of ours or of a library ends the program at once, with a sentence and not with a trace.
    std::panic::set_hook(Box::new(|mistake| {
        eprintln!("hub-bundle: a mistake in the bundler itself: {mistake}");
        std::process::exit(i32::from(MACHINE));
    }));
    let mut text = String::new();
    let job: Job = match std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str(&text).map_err(|error| error.to_string()))
    {
        Ok(job) => job,
        Err(error) => {
            eprintln!("hub-bundle: expected one JSON job on standard input: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let (reply, code) = match run(&job) {
        Ok(reply) => (reply, 0),
        Err(Stop::Findings(diagnostics)) => (Reply { diagnostics, ..Reply::default() }, WRONG),
        Err(Stop::Machine(message)) => {
            eprintln!("hub-bundle: {message}");
            (Reply::default(), MACHINE)
        }
    };
    let answered = serde_json::to_string(&reply)
        .map_err(std::io::Error::from)
        .and_then(|line| std::io::stdout().write_all((line + "\n").as_bytes()));
    ExitCode::from(if answered.is_err() { MACHINE } else { code })
}

/// Why nothing was written.
enum Stop {
    /// Something in the sources is wrong.
    Findings(Vec<Finding>),
    /// Something on this machine is.
    Machine(String),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Stop {
        Stop::Findings(vec![finding])
    }
}

fn run(job: &Job) -> Result<Reply, Stop> {
    let start = Instant::now();
    let places = Arc::new(Places::of(job)?);
    let linked = Rolldown.link(&Request { places, mode: job.mode }).map_err(Stop::Findings)?;
    let page = Page::of(&linked.chunks);
    let html = page::render(&job.html, job.title.as_deref().unwrap_or(TITLE), &page)?;
    let modules = placed(&linked, &page);
    let diagnostics = linked.findings.clone();
    let licenses = licenses::text(&linked.packages).map_err(Stop::Machine)?;
    let packages = licenses::packages(&linked.packages, &job.repo).map_err(Stop::Machine)?;
    let mut files = files(linked);
    files.insert("licenses.txt".to_owned(), licenses.into_bytes());
    files.insert("index.html".to_owned(), html.into_bytes());
    let bundle = start.elapsed();
    if job.compress {
        compress::add_twins(&mut files, job.mode, &output::kept(&job.out));
    }
    let compress = start.elapsed() - bundle;
    output::replace(&job.out, &files)
        .map_err(|error| Stop::Machine(format!("{} cannot be written: {error}", job.out.display())))?;
    Ok(Reply {
        ok: true,
        diagnostics,
        modules,
        files: files.into_iter().map(|(path, bytes)| Asset { path, size: bytes.len() as u64 }).collect(),
        packages,
        timings: Timings { bundle_ms: millis(bundle), compress_ms: millis(compress) },
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Where each lazily imported module is.
fn placed(linked: &Linked, page: &Page) -> BTreeMap<String, Placed> {
    let home: BTreeMap<&str, &str> = linked
        .chunks
        .iter()
        .flat_map(|chunk| chunk.modules.iter().map(|module| (module.as_str(), chunk.file.as_str())))
        .collect();
    let place = |module: &String| {
        let chunk = *home.get(module.as_str())?;
        let css = page.lazy.get(chunk).map_or_else(Vec::new, |need| need.css.clone());
        Some((module.clone(), Placed { chunk: chunk.to_owned(), css }))
    };
    linked.lazy.iter().filter_map(place).collect()
}

/// All files of the output but the page itself.
fn files(linked: Linked) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for chunk in linked.chunks {
        if let Some(map) = chunk.map {
            files.insert(format!("{}.map", chunk.file), map.into_bytes());
        }
        if let Some((path, text)) = chunk.style {
            files.insert(path, text.into_bytes());
        }
        files.insert(chunk.file, chunk.code.into_bytes());
    }
    files.extend(linked.assets.into_iter().map(|asset| (asset.file, asset.bytes.to_vec())));
    files
}
