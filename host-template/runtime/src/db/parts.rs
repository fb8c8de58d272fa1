//! The files beside a SQLite file that hold some of its content.

/// What of a file's content may lie beside it: its log, or the journal of another application, by which SQLite would undo half a
/// change.
pub(super) const PARTS: [&str; 2] = ["-wal", "-journal"];
