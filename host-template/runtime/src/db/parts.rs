//! The files beside a SQLite file that hold some of its content.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// What of a file's content may lie beside it: its log, or the journal of another application, by which SQLite would undo half a
/// change.
pub(super) const PARTS: [&str; 2] = ["-wal", "-journal"];

/// What lies at a path, by a link too; none where nothing does. An error is neither: what cannot be looked at may be there.
pub(super) fn about(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
