//! What `check` found, kept on disk between runs under a key over everything that the findings follow from.

use std::fs;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Level, Related, Span};
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
    findings: Vec<Finding>,
}

/// A finding as it is written down: its code is looked up again when it is read.
#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    level: Level,
    code: String,
    message: String,
    plugin: Option<String>,
    file: Option<PathBuf>,
    span: Span,
    label: String,
    help: String,
    related: Vec<Related>,
}

/// What the run of this key found. A cache that cannot be read counts as empty: it saves time, nothing else.
pub fn recall(cache: &Path, key: &str) -> Option<Checked> {
    let run = read(cache).into_iter().find(|run| run.key == key)?;
    let diagnostics = run.findings.into_iter().map(known).collect::<Option<Vec<_>>>()?;
    Some(Checked { diagnostics, plugins: run.plugins, replayed: true })
}

/// Remembers what the run of this key found. That it cannot be written stops nothing.
pub fn remember(cache: &Path, key: &str, checked: &Checked) {
    let mut runs = read(cache);
    runs.retain(|run| run.key != key);
    let findings = checked.diagnostics.iter().cloned().map(written).collect();
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

fn written(found: Diagnostic) -> Finding {
    let Diagnostic { level, code, message, plugin, file, span, label, help, related } = found;
    Finding { level, code: code.to_string(), message, plugin, file, span, label, help, related }
}

fn known(found: Finding) -> Option<Diagnostic> {
    let Finding { level, code, message, plugin, file, span, label, help, related } = found;
    let code = codes::find(&code)?;
    Some(Diagnostic { level, code, message, plugin, file, span, label, help, related })
}
