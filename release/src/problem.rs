//! What keeps a release from being used: one sentence, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The release is not what it should be, or not allowed here.
    Refused,
    /// The machine: a disk, a permission.
    Machine,
}

/// A problem, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whose fault it is.
    pub kind: Kind,
    /// What is wrong, with the file that it is about.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Problem {
    /// A release that is not to be used.
    pub fn refused(what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem { kind: Kind::Refused, what: what.into(), help: help.into() }
    }

    /// A failure of the machine; `doing` is a verb, as in "write".
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Problem {
        let help = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space, and run the command again"
            }
            io::ErrorKind::PermissionDenied => {
                "run the command as the user that owns the folder (root, mostly)"
            }
            io::ErrorKind::ReadOnlyFilesystem => "run the command where the folder can be written",
            io::ErrorKind::NotFound if path.is_symlink() => {
                "see that what it leads to is there (a disk that is to be mounted?), or remove the link"
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "see that the path is right",
            // Of a file that is no file, or too large to be what it should be.
            io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge | io::ErrorKind::IsADirectory => {
                "name an ordinary file of the right kind"
            }
            _ => "see that the disk is sound (the system's log tells), and run the command again",
        };
        Problem {
            kind: Kind::Machine,
            what: format!("cannot {doing} {}: {}", path.display(), reason(error)),
            help: help.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.what, self.help)
    }
}

impl std::error::Error for Problem {}

/// An operating system's error without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
