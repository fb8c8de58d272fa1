//! Puts an artifact in its place only when it is whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Packed;
use super::tarball::Hashed;
use crate::base::failure::Machine;
use crate::base::write::at;

/// Writes `name` in the folder `out` beside its place, then moves it there.
pub(crate) fn place(
    out: &Path,
    name: &str,
    write: impl FnOnce(&mut Hashed<&mut File>) -> io::Result<()>,
) -> Result<Packed, Machine> {
    let path = out.join(name);
    let written = || {
        fs::create_dir_all(out).map_err(|e| at(out, e))?;
        let mut temporary = tempfile::Builder::new().prefix(".hub-platform-").tempfile_in(out)?;
        let mut hashed = Hashed::new(temporary.as_file_mut());
        write(&mut hashed)?;
        hashed.flush()?;
        let (size, sha256) = hashed.sum();
        temporary.as_file().set_permissions(Permissions::from_mode(0o644))?;
        temporary.as_file().sync_all()?;
        temporary.persist(&path).map_err(|e| e.error)?;
        Ok((size, sha256))
    };
    match written() {
        Ok((size, sha256)) => Ok(Packed { path, size, sha256, fresh: false }),
        Err(error) => Err(Machine::io("write", &path, &error)),
    }
}
