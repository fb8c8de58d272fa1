//! The list of a release's files: `RELEASE.json`, by which an installation is checked.

use std::io;

pub use hub_release::Listed;
use hub_release::manifest::seal;
use serde::Serialize;

use super::{Origin, Target};
use crate::base::digest::{FileCache, sha256_hex};
use crate::base::write::Source;
use crate::pack::inventory::{Inventory, Package, Plugin};

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

/// A plugin with what the inventory says of it.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    plugin: &'a ReleasePlugin,
    #[serde(flatten)]
    parts: Option<Parts<'a>>,
}

#[derive(Serialize)]
struct Parts<'a> {
    digest: &'a str,
    dependencies: &'a [String],
    permissions: &'a [String],
    crates: &'a [Package],
    npm: &'a [Package],
}

impl<'a> From<&'a Plugin> for Parts<'a> {
    fn from(plugin: &'a Plugin) -> Parts<'a> {
        Parts {
            digest: &plugin.digest,
            dependencies: &plugin.dependencies,
            permissions: &plugin.permissions,
            crates: &plugin.crates,
            npm: &plugin.npm,
        }
    }
}

/// The release: the inventory's parts stand beside `version`, `plugins` and `files`.
#[derive(Serialize)]
struct Release<'a> {
    version: &'a str,
    platform: &'a str,
    plugins: Vec<Entry<'a>>,
    routes: &'a [crate::pack::inventory::Route],
    overrides: &'a std::collections::BTreeMap<String, Vec<hub_manifest::plan::Claim>>,
    pages: &'a [crate::pack::inventory::Page],
    nav: &'a [crate::pack::inventory::Nav],
    dbt_workspaces: &'a [crate::pack::inventory::Workspace],
    permissions: &'a [String],
    cargo_packages: &'a [crate::compile::stage::Locked],
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
    let parts = |slug: &str| inventory.plugins.iter().find(|plugin| plugin.name == slug).map(Parts::from);
    let text = serde_json::to_string_pretty(&Release {
        version,
        platform: &inventory.platform,
        plugins: plugins.iter().map(|plugin| Entry { plugin, parts: parts(&plugin.name) }).collect(),
        routes: &inventory.routes,
        overrides: &inventory.overrides,
        pages: &inventory.pages,
        nav: &inventory.nav,
        dbt_workspaces: &inventory.dbt_workspaces,
        permissions: &inventory.permissions,
        cargo_packages: &inventory.cargo_packages,
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
