//! The list of a release's files: `RELEASE.json`, by which an installation is checked.

use std::io;

pub use hub_release::Listed;
pub use hub_release::contents::ReleasePlugin;
use hub_release::manifest::seal;
use serde::Serialize;

use super::{Origin, Target};
use crate::base::digest::{FileCache, sha256_hex};
use crate::base::write::Source;
use crate::pack::inventory::{Inventory, Plugin};

/// A plugin with what the inventory says of it.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    plugin: &'a ReleasePlugin,
    #[serde(flatten)]
    parts: Option<&'a Plugin>,
}

/// The release: the inventory's parts stand beside `version`, `plugins` and `files`.
#[derive(Serialize)]
struct Release<'a> {
    version: &'a str,
    platform: &'a str,
    plugins: Vec<Entry<'a>>,
    #[serde(flatten)]
    inventory: &'a Inventory,
    #[serde(flatten)]
    origin: &'a Origin,
    files: &'a [Listed],
}

/// The text of `RELEASE.json`, sealed with its own digest.
pub(super) fn release_json(
    version: &str,
    plugins: &[ReleasePlugin],
    inventory: &Inventory,
    origin: &Origin,
    files: &[Listed],
) -> io::Result<Vec<u8>> {
    let parts = |slug: &str| inventory.plugins.iter().find(|plugin| plugin.name == slug);
    let text = serde_json::to_string_pretty(&Release {
        version,
        platform: &inventory.platform,
        plugins: plugins.iter().map(|plugin| Entry { plugin, parts: parts(&plugin.name) }).collect(),
        inventory,
        origin,
        files,
    })?;
    Ok(seal(text).into_bytes())
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
