//! How fast `cargo xtask check --watch` answers: from the moment a file is written to the last line of the answer.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What one watching program took.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// Median of the seconds between an edit and its answer.
    pub edit: f64,
    /// Most memory that the program held, in MB.
    pub memory: f64,
}

/// Starts `command`, which watches, and edits `file` again and again.
pub fn measure(mut command: Command, file: &Path, rounds: usize) -> io::Result<Watched> {
    command.args(["--watch", "--message-format", "json"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let result = edits(&mut lines, file, rounds).and_then(|edit| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        let kilobytes = peak.and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
        Ok(Watched { edit, memory: kilobytes / 1024.0 })
    });
    child.kill()?;
    child.wait()?;
    result
}

fn edits(
    lines: &mut impl Iterator<Item = io::Result<String>>,
    file: &Path,
    rounds: usize,
) -> io::Result<f64> {
    let before = fs::read_to_string(file)?;
    answer(lines)?;
    let mut seconds = Vec::new();
    for round in 0..=rounds {
        let start = Instant::now();
        // In one step, as editors do it, so that one edit is one answer.
        let new = file.with_file_name(".new");
        fs::write(&new, format!("{before}// edit {round}\n"))?;
        fs::rename(&new, file)?;
        answer(lines)?;
        // The first one finds less in memory than all others.
        if round > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    fs::write(file, before)?;
    seconds.sort_by(f64::total_cmp);
    Ok(seconds.get(seconds.len() / 2).copied().unwrap_or_default())
}

/// Reads on to the end of an answer.
fn answer(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
    for line in lines {
        let line = line?;
        if line.contains("\"type\":\"finished\"") {
            return match line.contains("\"ok\":true") {
                true => Ok(()),
                false => Err(io::Error::other(format!("the tree is not sound: {line}"))),
            };
        }
    }
    Err(io::Error::other("check --watch ended by itself"))
}
