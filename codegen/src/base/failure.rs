//! Why a stage stopped: something in a plugin (exit 1), or something that the machine lacks (exit 3).

use std::fmt;
use std::io;
use std::path::Path;

use hub_manifest::diagnostic::{Diagnostic, Level};
use serde::{Deserialize, Serialize};

/// A finding together with the text in which another tool already showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong and where.
    pub diagnostic: Diagnostic,
    /// The frame as rustc drew it, with the author's paths and without the title line; may hold colour codes.
    pub rendered: Option<String>,
}

impl Finding {
    /// Whether the finding stops the build.
    pub fn is_error(&self) -> bool {
        self.diagnostic.level == Level::Error
    }
}

impl From<Diagnostic> for Finding {
    fn from(diagnostic: Diagnostic) -> Finding {
        Finding { diagnostic, rendered: None }
    }
}

/// Something that no plugin is to blame for: a missing program, a full disk, no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// One sentence that says what is missing or what failed.
    pub what: String,
    /// What to install or do; may be empty.
    pub help: String,
    /// What the failing tool printed; may be empty.
    pub details: String,
}

impl Machine {
    /// A failure with its way out.
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Machine {
        Machine { what: what.into(), help: help.into(), details: String::new() }
    }

    /// Keeps what the failing tool printed.
    pub fn details(mut self, text: impl Into<String>) -> Machine {
        self.details = text.into();
        self
    }

    /// A failed file operation: `doing` completes "cannot …".
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Machine {
        let help = match error.kind() {
            io::ErrorKind::PermissionDenied => "give the user who builds write access to this folder",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some disk space and build again"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "the file system is mounted read-only; build from a writable folder"
            }
            _ => "",
        };
        Machine::new(format!("cannot {doing} {}: {error}", path.display()), help)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.help.is_empty() {
            write!(f, "\n  = help: {}", self.help)?;
        }
        if !self.details.is_empty() {
            write!(f, "\n\n{}", self.details.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for Machine {}

/// Why a stage stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Something in a plugin (or, without a slug, in the platform's own sources) is wrong: exit 1.
    Plugin(Vec<Finding>),
    /// The machine lacks something: exit 3.
    Machine(Machine),
}

impl From<Machine> for Failure {
    fn from(machine: Machine) -> Failure {
        Failure::Machine(machine)
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Failure {
        Failure::Plugin(diagnostics.into_iter().map(Finding::from).collect())
    }
}
