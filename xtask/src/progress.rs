//! Shows on standard error what a build is at: one moving line a stage on a terminal, one line a finished stage
//! everywhere, and nothing where JSON is wanted.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hub_codegen::pipeline::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// A progress display for people.
pub struct Display {
    /// The bars, on a terminal.
    bars: Option<MultiProgress>,
    quiet: bool,
    running: Mutex<Running>,
}

/// The stages that run now: when each began, and its line.
type Running = BTreeMap<&'static str, (Instant, Option<ProgressBar>)>;

impl Display {
    /// A display; a quiet one shows nothing.
    pub fn new(quiet: bool) -> Display {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Display { bars, quiet, running: Mutex::default() }
    }
}

impl Progress for Display {
    fn begin(&self, stage: &'static str) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:9} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(stage);
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if let Ok(mut running) = self.running.lock() {
            running.insert(stage, (Instant::now(), bar));
        }
    }

    fn detail(&self, stage: &'static str, text: &str) {
        if let Ok(running) = self.running.lock()
            && let Some((_, Some(bar))) = running.get(stage)
        {
            bar.set_message(text.to_string());
        }
    }

    fn end(&self, stage: &'static str, note: &str) {
        let Ok(mut running) = self.running.lock() else { return };
        let Some((begun, bar)) = running.remove(stage) else { return };
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let took = begun.elapsed();
        if !self.quiet {
            let line = format!("{stage:>9}  {:>7}  {note}", seconds(took));
            match &self.bars {
                Some(bars) => drop(bars.println(line)),
                None => eprintln!("{line}"),
            }
        }
    }
}

/// `0.31 s`, `12.4 s`.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}
