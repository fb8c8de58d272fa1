//! Writing the archive, and reading it back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::Target;
use super::gzip::Gzip;
use super::list::Listed;
use crate::base::digest::hex;
use crate::base::write::{Source, at};

/// Modification time of every entry: 1 January 2000, which no tool takes for a broken clock.
const MTIME: u64 = 946_684_800;

/// Writes a gzipped archive and lists what really went into it.
pub(super) struct TarWriter<W: Write> {
    builder: Builder<Gzip<Hashed<W>>>,
    top: String,
    files: Vec<Listed>,
}

impl<W: Write> TarWriter<W> {
    /// Begins an archive in which everything lies below the folder `top`.
    pub fn new(inner: W, top: &str) -> io::Result<TarWriter<W>> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let hashed = Hashed::new(inner);
        let mut builder = Builder::new(Gzip::new(hashed, workers)?);
        // Sparse entries are an extension that not every reader knows.
        builder.sparse(false);
        let mut writer = TarWriter { builder, top: String::new(), files: Vec::new() };
        // The folders above belong to the installation (one may be a link): unpacking must not touch them.
        writer.folder(top)?;
        writer.top = format!("{top}/");
        Ok(writer)
    }

    /// The files written so far.
    pub fn files(&self) -> &[Listed] {
        &self.files
    }

    /// Adds the last file and ends the archive; returns its length and SHA-256.
    pub fn finish(mut self, name: &str, bytes: Vec<u8>) -> io::Result<(u64, String)> {
        self.file(name, 0o644, &Source::Bytes(bytes))?;
        let mut hashed = self.builder.into_inner()?.finish()?;
        hashed.flush()?;
        Ok(hashed.sum())
    }

    fn append(&mut self, path: &str, mode: u32, size: u64, data: impl Read) -> io::Result<String> {
        let mut header = header(EntryType::Regular, mode, size);
        let mut counted = Counted { inner: data, hasher: Sha256::new(), size: 0 };
        self.builder.append_data(&mut header, format!("{}{path}", self.top), &mut counted)?;
        if counted.size != size {
            return Err(io::Error::other("the file changed while it was packed; build again"));
        }
        Ok(hex(&counted.hasher.finalize()))
    }
}

impl<W: Write> Target for TarWriter<W> {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        let mut header = header(EntryType::Directory, 0o755, 0);
        self.builder.append_data(&mut header, format!("{}{path}/", self.top), io::empty())
    }

    fn file(&mut self, path: &str, mode: u32, source: &Source) -> io::Result<()> {
        let (size, sha256) = match source {
            Source::Bytes(bytes) => {
                (bytes.len() as u64, self.append(path, mode, bytes.len() as u64, bytes.as_slice())?)
            }
            Source::Copy(from) => {
                let file = File::open(from).map_err(|e| at(from, e))?;
                let size = file.metadata().map_err(|e| at(from, e))?.len();
                (size, self.append(path, mode, size, file).map_err(|e| at(from, e))?)
            }
        };
        self.files.push(Listed::new(path, size, mode, sha256));
        Ok(())
    }
}

/// A header that says nothing of the machine: no owner, one time for all.
pub(super) fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Counts and hashes what is written.
pub(crate) struct Hashed<W: Write> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Hashed<W> {
    pub fn new(inner: W) -> Hashed<W> {
        Hashed { inner, hasher: Sha256::new(), size: 0 }
    }

    /// Length and SHA-256 of what went through.
    pub fn sum(self) -> (u64, String) {
        (self.size, hex(&self.hasher.finalize()))
    }

    /// What it writes into, with length and SHA-256 of what went through.
    pub fn into_parts(self) -> (W, u64, String) {
        (self.inner, self.size, hex(&self.hasher.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Counts and hashes what is read.
struct Counted<R: Read> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.size += read as u64;
        Ok(read)
    }
}

/// One entry of a tarball, as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path in the archive; a folder's ends in `/`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Owner and group.
    pub owner: (u64, u64),
    /// Lower-case hex of the contents.
    pub sha256: String,
}

/// The entries of a tarball in their order.
pub fn entries(tarball: &Path) -> io::Result<Vec<Entry>> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(tarball).map_err(|e| at(tarball, e))?));
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut contents = Counted { inner: &mut entry, hasher: Sha256::new(), size: 0 };
        io::copy(&mut contents, &mut io::sink())?;
        let (size, sha256) = (contents.size, hex(&contents.hasher.finalize()));
        let header = entry.header();
        found.push(Entry {
            path: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            size,
            mode: header.mode()?,
            mtime: header.mtime()?,
            owner: (header.uid()?, header.gid()?),
            sha256,
        });
    }
    Ok(found)
}
