//! Shows on standard error what a build is at: one moving line a stage on a terminal, one line a finished stage
//! elsewhere, and nothing but the stage's end where JSON is wanted.

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<&'static str, (Instant, Option<ProgressBar>)>,
    finished: Vec<(&'static str, Duration, String)>,
}

impl Display {
    /// A display; a quiet one shows nothing but keeps the times.
    pub fn new(quiet: bool) -> Display {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Display { bars, quiet, state: Mutex::default() }
    }

    /// The finished stages with their times, in the order they ended.
    pub fn times(&self) -> Vec<(&'static str, Duration, String)> {
        self.state.lock().map(|state| state.finished.clone()).unwrap_or_default()
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
        if let Ok(mut state) = self.state.lock() {
            state.running.insert(stage, (Instant::now(), bar));
        }
    }

    fn detail(&self, stage: &'static str, text: &str) {
        if let Ok(state) = self.state.lock()
            && let Some((_, Some(bar))) = state.running.get(stage)
        {
            bar.set_message(text.to_string());
        }
    }

    fn end(&self, stage: &'static str, note: &str) {
        let Ok(mut state) = self.state.lock() else { return };
        let Some((begun, bar)) = state.running.remove(stage) else { return };
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
        state.finished.push((stage, took, note.to_string()));
    }
}

/// `0.31 s`, `12.4 s`.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") }
}
