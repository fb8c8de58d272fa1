//! What `check` found, kept on disk between runs under a key over everything that the findings follow from.

use std::fs;
use std::path::Path;

use hub_manifest::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};

use super::Checked;
use crate::base::write::write_if_changed;

/// Runs that are remembered: with other roots, or from another folder.
const RUNS: usize = 8;

/// One run.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    key: String,
    plugins: usize,
    findings: Vec<Diagnostic>,
}

/// What the run of this key found. A cache that cannot be read counts as empty: it saves time, nothing else.
pub fn recall(cache: &Path, key: &str) -> Option<Checked> {
    let run = read(cache).into_iter().find(|run| run.key == key)?;
    Some(Checked { diagnostics: run.findings, plugins: run.plugins, replayed: true })
}

/// Remembers what the run of this key found. That it cannot be written stops nothing.
pub fn remember(cache: &Path, key: &str, checked: &Checked) {
    let mut runs = read(cache);
    runs.retain(|run| run.key != key);
    let findings = checked.diagnostics.clone();
    runs.insert(0, Run { key: key.to_string(), plugins: checked.plugins, findings });
    runs.truncate(RUNS);
    // A path that is no Unicode has no place in the file: such a run is not remembered.
    if let Ok(bytes) = serde_json::to_vec(&runs) {
        let _ = write_if_changed(cache, &bytes);
    }
}

fn read(cache: &Path) -> Vec<Run> {
    fs::read(cache).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}
