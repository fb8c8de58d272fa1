//! What the commands on releases say while they work: one line a step, and a bar where a step takes long.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Says that a step is done: what it was, in one word, and what came of it.
pub(super) fn done(step: &str, text: &str) {
    // A reader that has seen enough is no error.
    let _ = writeln!(io::stdout(), "{step:>10}  {text}");
}

/// Says something that somebody should know, on standard error.
pub(super) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// A bar over a number of bytes; shown on a terminal only.
pub(super) fn bar(step: &str, bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    let template = "{prefix:>10}  {wide_bar} {bytes}/{total_bytes}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(step.to_owned());
    bar
}

/// A length in bytes for people.
pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

/// A time for people.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
