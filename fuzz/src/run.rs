//! The runner on stable Rust: every committed input, then mutated ones, each within the bounds.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::bounds::{MAX_BYTES, MAX_TIME, measured};
use crate::corpus;
use crate::mutate::mutated;
use crate::targets::Target;

/// After this time on the wall an input is taken to run for ever, and the process ends.
const HANGS: Duration = Duration::from_secs(60);

/// What a run came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Inputs run.
    pub inputs: u64,
    /// Time of all of them.
    pub took: Duration,
    /// Longest processor time of one input.
    pub slowest: Duration,
    /// Most bytes that one input held.
    pub largest: usize,
    /// Inputs that broke an invariant or a bound: what it was, and the file that holds the input.
    pub findings: Vec<(String, PathBuf)>,
}

/// Most findings before a run stops: they are mostly the same one.
const ENOUGH: usize = 5;

/// Runs the corpus of a target and then `runs` mutated inputs. The same seed gives the same inputs. What fails is kept
/// in `findings`.
pub fn run(target: Target, runs: u64, seed: u64, findings: &Path) -> std::io::Result<Summary> {
    let corpus = corpus::inputs(target.name)?;
    let mut rng = Rng::with_seed(seed);
    let begun = Instant::now();
    let mut summary = Summary::default();
    let watched = watch(target.name, findings);
    let total = corpus.len() as u64 + runs;
    while summary.inputs < total && summary.findings.len() < ENOUGH {
        let known = usize::try_from(summary.inputs).ok().and_then(|index| corpus.get(index));
        let input = known.map_or_else(|| mutated(&mut rng, &corpus), |(_, bytes)| bytes.clone());
        summary.inputs += 1;
        if let Err(problem) = one(target, &input, &watched, &mut summary) {
            let file = keep(findings, target.name, &input)?;
            summary.findings.push((problem, file));
        }
    }
    summary.took = begun.elapsed();
    Ok(summary)
}

fn one(target: Target, input: &[u8], watched: &Sender<Vec<u8>>, summary: &mut Summary) -> Result<(), String> {
    // A closed channel would mean that the watching thread is gone; then nothing is watched, and the bounds still hold.
    let _ = watched.send(input.to_vec());
    let mut outcome = Ok(());
    let cost = measured(|| outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    summary.slowest = summary.slowest.max(cost.time);
    summary.largest = summary.largest.max(cost.bytes);
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()));
        return Err(text.unwrap_or_else(|| "a panic".to_string()));
    }
    if cost.time > MAX_TIME {
        return Err(format!(
            "{:.2} s of processor time, and {MAX_TIME:?} is the bound",
            cost.time.as_secs_f32()
        ));
    }
    if cost.bytes > MAX_BYTES {
        return Err(format!("{} bytes held, and {MAX_BYTES} is the bound", cost.bytes));
    }
    Ok(())
}

/// Ends the process when one input runs for [`HANGS`], and keeps that input.
fn watch(target: &'static str, findings: &Path) -> Sender<Vec<u8>> {
    let (sender, receiver) = channel::<Vec<u8>>();
    let findings = findings.to_path_buf();
    thread::spawn(move || {
        let mut running: Option<Vec<u8>> = None;
        loop {
            match (receiver.recv_timeout(HANGS), running.take()) {
                (Ok(input), _) => running = Some(input),
                (Err(RecvTimeoutError::Disconnected), _) => return,
                (Err(RecvTimeoutError::Timeout), None) => {}
                (Err(RecvTimeoutError::Timeout), Some(input)) => {
                    let kept = keep(&findings, target, &input);
                    eprintln!("{target}: an input runs for more than {HANGS:?}: {kept:?}");
                    std::process::exit(1);
                }
            }
        }
    });
    sender
}

fn keep(findings: &Path, target: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    fs::create_dir_all(findings)?;
    // FNV-1a: a name that is the same for the same input.
    let name = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let file = findings.join(format!("{target}-{name:016x}"));
    fs::write(&file, input)?;
    Ok(file)
}
