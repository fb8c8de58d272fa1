//! The list of a release's files: `RELEASE.json`, by which an installation is checked.

use std::io;

use serde::Serialize;

use super::Target;
use crate::digest::{FileCache, sha256_hex};
use crate::write::Source;

/// One file of a release, as `RELEASE.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Path relative to the release's folder.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits in octal, as in `0644`.
    pub mode: String,
    /// Lower-case hex.
    pub sha256: String,
}

impl Listed {
    pub(super) fn new(path: &str, size: u64, mode: u32, sha256: String) -> Listed {
        Listed { path: path.to_string(), size, mode: format!("{mode:04o}"), sha256 }
    }
}

/// One vertical plugin of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasePlugin {
    /// Slug.
    pub name: String,
    /// Version; none where the manifest gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why the plugin was left out of the build; empty when it is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

#[derive(Serialize)]
struct Release<'a> {
    version: &'a str,
    plugins: &'a [ReleasePlugin],
    files: &'a [Listed],
}

/// The text of `RELEASE.json`.
pub(super) fn release_json(
    version: &str,
    plugins: &[ReleasePlugin],
    files: &[Listed],
) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(&Release { version, plugins, files })?;
    text.push(b'\n');
    Ok(text)
}

/// Lists files without writing them; unchanged ones are not even read.
pub(super) struct Listing<'a> {
    cache: &'a mut FileCache,
    files: Vec<Listed>,
}

impl Listing<'_> {
    pub fn new(cache: &mut FileCache) -> Listing<'_> {
        Listing { cache, files: Vec::new() }
    }

    pub fn files(&self) -> &[Listed] {
        &self.files
    }
}

impl Target for Listing<'_> {
    fn folder(&mut self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, source: &Source) -> io::Result<()> {
        let (size, sha256) = match source {
            Source::Bytes(bytes) => (bytes.len() as u64, sha256_hex(bytes)),
            Source::Copy(from) => {
                let hash = self.cache.hash(from)?;
                (hash.size, hash.sha256)
            }
        };
        self.files.push(Listed::new(path, size, mode, sha256));
        Ok(())
    }
}
