//! An archive of anything but a release: owners, modes and links are said entry by entry, times are those of a release.

use std::io::{self, Read, Write};

use tar::{Builder, EntryType};

use super::tarball::header;

/// User and group of an entry.
pub type Owner = (u64, u64);

/// The user of files that belong to the system.
pub const ROOT: Owner = (0, 0);

/// Writes an archive.
pub(crate) struct Tape<W: Write> {
    builder: Builder<W>,
}

impl<W: Write> Tape<W> {
    /// Begins an archive.
    pub fn new(inner: W) -> Tape<W> {
        let mut builder = Builder::new(inner);
        builder.sparse(false);
        Tape { builder }
    }

    /// A folder.
    pub fn folder(&mut self, path: &str, mode: u32, owner: Owner) -> io::Result<()> {
        let mut header = header(EntryType::Directory, mode, 0);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        self.builder.append_data(&mut header, format!("{path}/"), io::empty())
    }

    /// A file that belongs to root.
    pub fn file(&mut self, path: &str, mode: u32, size: u64, data: impl Read) -> io::Result<()> {
        self.builder.append_data(&mut header(EntryType::Regular, mode, size), path, data)
    }

    /// The same of bytes at hand.
    pub fn bytes(&mut self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.file(path, mode, bytes.len() as u64, bytes)
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.builder.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, target)
    }

    /// Ends the archive.
    pub fn finish(self) -> io::Result<W> {
        self.builder.into_inner()
    }
}
