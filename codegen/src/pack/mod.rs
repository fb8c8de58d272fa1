//! The last stage: one list of files becomes one tarball with its `RELEASE.json`.
//!
//! Listing the files and writing the archive are two [`Target`]s of one walk, so they cannot disagree. The bytes depend
//! on the files alone: entries are sorted, times, owners and modes fixed, and blocks are compressed each by itself, so
//! that the number of cores does not show.

pub mod chart;
pub mod compare;
mod gzip;
pub mod image;
pub mod inventory;
mod list;
mod origin;
mod place;
pub mod sign;
pub mod supply;
mod tape;
mod tarball;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hub_release::manifest::is_plain;
use serde::{Deserialize, Serialize};

use crate::base::digest::{Digest, FileCache};
use crate::base::failure::Machine;
use crate::base::write::{Source, at, write_if_changed};
use crate::pack::inventory::Inventory;

pub use list::{Listed, ReleasePlugin};
pub use origin::{Origin, Toolchain};
pub use tarball::{Entry, entries};

pub(crate) use gzip::Gzip;
pub(crate) use place::place;
pub(crate) use tape::{Owner, ROOT, Tape};
pub(crate) use tarball::Hashed;

use list::Listing;
use tarball::TarWriter;

pub use hub_release::manifest::{RELEASE_JSON, SIGNATURE};

/// Part of the fingerprint: to be raised when the same files are to give other bytes.
const FORMAT: &str = "release tarball 2";

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub source: Source,
    /// Whether it may be run.
    pub executable: bool,
}

impl File {
    /// Its permission bits.
    fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

/// The files of a release by path relative to `releases/<version>/`, with `/`.
pub type Files = BTreeMap<String, File>;

/// Gives the signature over the list of a release's files.
pub trait Sign {
    /// What tells this signer from others. Signing twice gives other bytes, so the bytes cannot.
    fn id(&self) -> String;
    /// The signature over the list of the release `version`.
    fn sign(&self, version: &str, release_json: &[u8]) -> Result<Vec<u8>, Machine>;
}

/// What is packed, and where to.
pub struct Job<'a> {
    /// Version of the release.
    pub version: &'a str,
    /// The plugins, for `RELEASE.json`.
    pub plugins: &'a [ReleasePlugin],
    /// What the release is made of, for `RELEASE.json`.
    pub inventory: &'a Inventory,
    /// What the release is made from, for `RELEASE.json`.
    pub origin: &'a Origin,
    /// All files but `RELEASE.json`.
    pub files: &'a Files,
    /// Signs the list of files; none leaves the release unsigned.
    pub sign: Option<&'a dyn Sign>,
    /// Folder of the tarball; made if missing.
    pub out: &'a Path,
    /// Where the stage notes what it did last.
    pub stamp: &'a Path,
}

/// A tarball.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Where it is.
    pub path: PathBuf,
    /// Length in bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Whether it was there already, with these bytes.
    pub fresh: bool,
}

/// Name of a release's tarball.
pub fn file_name(version: &str) -> String {
    format!("hub-platform-v{version}.tar.gz")
}

/// Packs a release. The tarball takes the place of the last one only when it is complete.
pub fn pack(job: &Job, cache: &mut FileCache) -> Result<Packed, Machine> {
    let path = job.out.join(file_name(job.version));
    let failed = |error: io::Error| Machine::io("write", &path, &error);
    let mut listing = Listing::new(cache);
    walk(job.files, &mut listing).map_err(failed)?;
    let listed = release_json(job, listing.files()).map_err(failed)?;
    let key = key(&listed, job.sign);
    if let Some(packed) = Stamp::read(job.stamp, &key, &path) {
        return Ok(packed);
    }
    let signature = job.sign.map(|sign| sign.sign(job.version, &listed)).transpose()?;
    let packed = write(job, &path, signature.as_deref()).map_err(failed)?;
    // The stamp only saves time: where it cannot be written, the release is packed again.
    let _ = Stamp::write(job.stamp, &key, &packed);
    Ok(packed)
}

/// The text of `RELEASE.json`.
fn release_json(job: &Job, files: &[Listed]) -> io::Result<Vec<u8>> {
    list::release_json(job.version, job.plugins, job.inventory, job.origin, files)
}

/// Fingerprint of a release, from the list of its files and whoever signs it.
fn key(release_json: &[u8], sign: Option<&dyn Sign>) -> String {
    let mut digest = Digest::new(FORMAT);
    digest.add(RELEASE_JSON, release_json);
    digest.add(SIGNATURE, sign.map(Sign::id).unwrap_or_default().as_bytes());
    digest.finish()
}

/// Takes the entries of an archive in their order.
trait Target {
    /// A folder; each one comes before what it holds.
    fn folder(&mut self, path: &str) -> io::Result<()>;
    /// A file.
    fn file(&mut self, path: &str, mode: u32, source: &Source) -> io::Result<()>;
}

/// Hands all files, and the folders that they lie in, to `target`.
fn walk(files: &Files, target: &mut dyn Target) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for (path, file) in files {
        check_path(path)?;
        for (slash, _) in path.match_indices('/') {
            if folders.insert(&path[..slash]) {
                target.folder(&path[..slash])?;
            }
        }
        target.file(path, file.mode(), &file.source)?;
    }
    Ok(())
}

/// Refuses a path that would not lie in the release's own folder, or that the list itself needs.
fn check_path(path: &str) -> io::Result<()> {
    if is_plain(path) && path != RELEASE_JSON && path != SIGNATURE {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{path}` cannot be the path of a file in a release"),
    ))
}

/// Writes the tarball beside its place, then moves it there.
fn write(job: &Job, path: &Path, signature: Option<&[u8]>) -> io::Result<Packed> {
    fs::create_dir_all(job.out).map_err(|e| at(job.out, e))?;
    let mut temporary = tempfile::Builder::new().prefix(".hub-platform-").tempfile_in(job.out)?;
    let (size, sha256) = {
        let mut writer = TarWriter::new(temporary.as_file_mut(), &format!("releases/{}", job.version))?;
        walk(job.files, &mut writer)?;
        let listed = release_json(job, writer.files())?;
        if let Some(signature) = signature {
            writer.file(SIGNATURE, 0o644, &Source::Bytes(signature.to_vec()))?;
        }
        writer.finish(RELEASE_JSON, listed)?
    };
    temporary.flush()?;
    temporary.as_file().set_permissions(Permissions::from_mode(0o644))?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
    Ok(Packed { path: path.to_path_buf(), size, sha256, fresh: false })
}

/// What the stage did last.
#[derive(Serialize, Deserialize)]
struct Stamp {
    key: String,
    path: PathBuf,
    size: u64,
    sha256: String,
    modified: (i64, i64),
}

impl Stamp {
    /// The tarball, if it was made from the same list and nobody touched it.
    fn read(file: &Path, key: &str, path: &Path) -> Option<Packed> {
        let stamp: Stamp = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let meta = fs::metadata(path).ok()?;
        let same = stamp.key == key
            && stamp.path == path
            && stamp.size == meta.len()
            && stamp.modified == (meta.mtime(), meta.mtime_nsec());
        same.then_some(Packed { path: stamp.path, size: stamp.size, sha256: stamp.sha256, fresh: true })
    }

    fn write(file: &Path, key: &str, packed: &Packed) -> io::Result<()> {
        let meta = fs::metadata(&packed.path)?;
        let stamp = Stamp {
            key: key.to_string(),
            path: packed.path.clone(),
            size: packed.size,
            sha256: packed.sha256.clone(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        };
        write_if_changed(file, &serde_json::to_vec(&stamp)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
