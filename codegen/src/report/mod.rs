//! Findings as people and as programs read them. Nothing here prints: each function gives text.

mod human;
mod json;
mod sarif;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::Level;

use crate::base::failure::Finding;

pub use human::{human, machine, more, summary};
pub use json::{Also, Finished, Status, diagnostic_line, finished_line, machine_line, usage_line};
pub use sarif::{Trouble, sarif};

/// How text for people is laid out.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether colour codes are written: for a terminal only.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// The folder that shown paths start from.
    pub current: PathBuf,
}

impl Style {
    /// Plain text, for files and tests.
    pub fn plain(current: impl Into<PathBuf>) -> Style {
        Style { color: false, width: 140, current: current.into() }
    }
}

/// How many findings there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Plugins with at least one of them.
    pub plugins: usize,
}

impl Counts {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Counts {
        let errors = findings.iter().filter(|f| f.diagnostic.level == Level::Error).count();
        let plugins: BTreeSet<_> = findings.iter().filter_map(|f| f.diagnostic.plugin.as_deref()).collect();
        Counts { errors, warnings: findings.len() - errors, plugins: plugins.len() }
    }
}

/// A path as it is shown: relative to the current folder where it lies below it.
fn shown<'a>(path: &'a Path, current: &Path) -> &'a Path {
    let path = path.strip_prefix(current).unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path)
}

#[cfg(test)]
mod tests;
