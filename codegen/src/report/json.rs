//! One JSON object a line, for programs.

use std::path::{Path, PathBuf};

use hub_manifest::codes::{self, Code};
use hub_manifest::diagnostic::{Diagnostic, Level};
use serde::Serialize;

use super::{Counts, shown};
use crate::base::failure::Machine;

/// What to do about a command line that makes no sense.
pub(super) const USAGE_HELP: &str = "`cargo xtask <command> --help` lists what a command takes";

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    level: Level,
    code: Code,
    message: &'a str,
    plugin: Option<&'a str>,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    help: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: String,
    line: usize,
    column: usize,
    label: &'a str,
}

/// How a command went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did what it was asked to do, and found nothing.
    Ok,
    /// It did what it was asked to do, and somebody should look at what it found; with `--keep-going`, plugins may be left
    /// out.
    Warnings,
    /// It did not do what it was asked to do.
    #[default]
    Failed,
}

impl Status {
    /// The status of a command that has found so much; `done` says whether it did what it was asked to do.
    pub fn of(done: bool, counts: Counts) -> Status {
        match (done, counts.errors + counts.warnings) {
            (false, _) => Status::Failed,
            (true, 0) => Status::Ok,
            (true, _) => Status::Warnings,
        }
    }
}

/// The last line of a command.
#[derive(Debug, Clone, Default)]
pub struct Finished<'a> {
    /// How it went.
    pub status: Status,
    /// How many errors there were.
    pub errors: usize,
    /// How many warnings there were.
    pub warnings: usize,
    /// The tarball.
    pub artifact: Option<&'a Path>,
    /// Its SHA-256.
    pub sha256: Option<&'a str>,
    /// What was made of it besides.
    pub also: &'a [Also],
}

/// An image or a chart of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Also {
    /// `image` or `chart`.
    pub kind: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
}

/// A diagnostic as one line of JSON, without the line feed. Paths are relative to `current` where they lie below it.
pub fn diagnostic_line(diagnostic: &Diagnostic, current: &Path) -> String {
    let path = |path: &Path| shown(path, current).to_string_lossy().into_owned();
    let placed = diagnostic.file.is_some();
    let related = diagnostic.related.iter().map(|place| Place {
        file: path(&place.file),
        line: place.span.line,
        column: place.span.column,
        label: &place.label,
    });
    line(&Line {
        kind: "diagnostic",
        level: diagnostic.level,
        code: diagnostic.code,
        message: &diagnostic.message,
        plugin: diagnostic.plugin.as_deref(),
        file: diagnostic.file.as_deref().map(path),
        line: placed.then_some(diagnostic.span.line),
        column: placed.then_some(diagnostic.span.column),
        help: &diagnostic.help,
        label: &diagnostic.label,
        related: related.collect(),
    })
}

/// Something that the machine lacks, in the form of a diagnostic without a place.
pub fn machine_line(machine: &Machine) -> String {
    line(&without_place(codes::MACHINE, &machine.what, &machine.help))
}

/// What is wrong with the command line, in the form of a diagnostic without a place.
pub fn usage_line(message: &str) -> String {
    line(&without_place(codes::COMMAND_LINE, message, USAGE_HELP))
}

fn without_place<'a>(code: Code, message: &'a str, help: &'a str) -> Line<'a> {
    Line {
        kind: "diagnostic",
        level: Level::Error,
        code,
        message,
        plugin: None,
        file: None,
        line: None,
        column: None,
        help,
        label: "",
        related: Vec::new(),
    }
}

/// The last line of a command.
pub fn finished_line(finished: &Finished) -> String {
    #[derive(Serialize)]
    struct Last<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        status: Status,
        /// For those who ask for nothing else: never true where something was found.
        ok: bool,
        errors: usize,
        warnings: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        artifact: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<&'a str>,
        #[serde(skip_serializing_if = "<[Also]>::is_empty")]
        also: &'a [Also],
    }
    line(&Last {
        kind: "finished",
        status: finished.status,
        ok: finished.status == Status::Ok,
        errors: finished.errors,
        warnings: finished.warnings,
        artifact: finished.artifact.map(|path| path.to_string_lossy().into_owned()),
        sha256: finished.sha256,
        also: finished.also,
    })
}

/// A value of plain fields as JSON, which cannot fail.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
