//! Taking a folder away so that nobody ever meets half of it.

use std::fs;
use std::io;
use std::path::Path;

use crate::problem::Problem;

/// Removes a folder: under another name first, which no release has. What a kill leaves is swept later.
pub(crate) fn whole(folder: &Path, hidden: &Path) -> Result<(), Problem> {
    match fs::rename(folder, hidden) {
        Ok(()) => all(hidden),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Problem::io("remove", folder, &error)),
    }
}

/// Removes a folder and all that is in it.
pub(crate) fn all(folder: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Problem::io("remove", folder, &error)),
    }
}
