//! What stops a command: one sentence that says what and where, one that says how to mend it, an exit code.

use std::fmt;

/// Why a command cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    what: String,
    how: String,
    exit: u8,
}

impl Fault {
    /// The machine lacks something, or something of it is in the way: exit code 3.
    pub(crate) fn machine(what: impl Into<String>, how: impl Into<String>) -> Fault {
        Fault { what: what.into(), how: how.into(), exit: 3 }
    }

    /// Something in a plugin is wrong: exit code 1.
    pub(crate) fn plugin(what: impl Into<String>, how: impl Into<String>) -> Fault {
        Fault { what: what.into(), how: how.into(), exit: 1 }
    }

    /// A release is not what it should be, or not allowed here: exit code 1.
    pub(crate) fn refused(what: impl Into<String>, how: impl Into<String>) -> Fault {
        Fault { what: what.into(), how: how.into(), exit: 1 }
    }

    /// What was asked for cannot be meant: exit code 2.
    pub(crate) fn usage(what: impl Into<String>, how: impl Into<String>) -> Fault {
        Fault { what: what.into(), how: how.into(), exit: 2 }
    }

    /// The first of its sentences, for whoever knows better what to do.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The second of them.
    pub(crate) fn how(&self) -> &str {
        &self.how
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  help: {}", self.what, self.how)
    }
}

impl std::error::Error for Fault {}
