//! Files and folders as every stage reads them, and as findings show them.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub(crate) use hub_release::reason;
use walkdir::WalkDir;

/// A path relative to the current folder where it lies below it.
pub fn shown_path(path: &Path, current: &Path) -> PathBuf {
    path.strip_prefix(current).unwrap_or(path).to_path_buf()
}

/// A file's bytes, or how many there are where they are more than `most`.
pub(crate) fn read_bounded(file: &Path, most: u64) -> io::Result<Result<Vec<u8>, u64>> {
    let open = fs::File::open(file)?;
    let bytes = open.metadata()?.len();
    if bytes > most {
        return Ok(Err(bytes));
    }
    let mut read = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default() + 1);
    // The limit holds for a file that grows meanwhile, too; and no one asks the file for its length again.
    open.take(most).read_to_end(&mut read)?;
    Ok(Ok(read))
}

/// All files below a folder, relative, with `/`, sorted by the names of folders and files.
pub(crate) fn files_below(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_file()
            && let Ok(inner) = entry.path().strip_prefix(folder)
        {
            files.push(inner.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(files)
}
