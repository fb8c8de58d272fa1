//! Reading a tarball's `RELEASE.json` without unpacking it, and comparing two of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::{Change, Inventory, diff};
use hub_release::manifest::{Listed, RELEASE_JSON};

/// Largest `RELEASE.json` that is read, in bytes.
const MAX_LIST: u64 = 64 * 1024 * 1024;
/// Most bytes that a tarball may unpack to while its list is looked for.
const MAX_UNPACKED: u64 = 16 * 1024 * 1024 * 1024;

/// What a release says of itself.
#[derive(Debug, Default, Deserialize)]
pub struct Release {
    /// Version of the release.
    pub version: String,
    /// What it was made of; empty in releases of before there were inventories.
    #[serde(flatten)]
    pub inventory: Inventory,
    files: Vec<Listed>,
}

/// Reads the list of a tarball. The text of an error names the file and what is wrong with it.
pub fn read(tarball: &Path) -> Result<Release, String> {
    let shown = tarball.display();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file {shown}"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    let no_release = |what: &str| format!("{shown} is no release of the platform: {what}");
    let file = File::open(tarball).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(no_release("it is a folder; name the tarball that `build-platform` wrote"));
    }
    let mut archive = tar::Archive::new(GzDecoder::new(file).take(MAX_UNPACKED));
    let entries = archive.entries().map_err(|_| no_release("it is no gzipped tarball"))?;
    for entry in entries {
        let entry = entry.map_err(|_| no_release("it is no gzipped tarball, or it is cut off"))?;
        let path = entry.path_bytes().into_owned();
        let path = String::from_utf8_lossy(&path);
        let mut parts = path.split('/');
        let is_list = matches!(
            (parts.next(), parts.next(), parts.next(), parts.next()),
            (Some("releases"), Some(_), Some(RELEASE_JSON), None)
        );
        if !is_list {
            continue;
        }
        if entry.size() > MAX_LIST {
            return Err(no_release(&format!("its {RELEASE_JSON} has {} bytes", entry.size())));
        }
        let mut text = Vec::new();
        entry.take(MAX_LIST).read_to_end(&mut text).map_err(|_| no_release("it is cut off"))?;
        let mut release: Release = serde_json::from_slice(&text)
            .map_err(|error| no_release(&format!("its {RELEASE_JSON} cannot be understood: {error}")))?;
        release.inventory.plugins.retain(|plugin| plugin.errors.is_empty());
        return Ok(release);
    }
    Err(no_release(&format!("it holds no {RELEASE_JSON}")))
}

/// What differs between two releases.
pub fn compare(before: &Release, after: &Release) -> Vec<Change> {
    let files = |release: &Release| -> BTreeMap<String, String> {
        release.files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect()
    };
    let mut changes = diff::diff(&before.inventory, &after.inventory);
    changes.extend(diff::files(&files(before), &files(after)));
    changes
}

/// The comparison for people: changes by group, long lists of files cut short.
pub fn text(before: &Release, after: &Release, changes: &[Change]) -> String {
    /// How many files are told.
    const FILES: usize = 20;
    let (told, files): (Vec<_>, Vec<_>) =
        changes.iter().cloned().partition(|change| change.group != diff::Group::Files);
    let versions = if before.version == after.version {
        format!("both releases are {}", before.version)
    } else {
        format!("{} → {}", before.version, after.version)
    };
    if changes.is_empty() {
        return format!("{versions}; they hold the same\n");
    }
    let mut out = format!("{versions}\n\n{}", diff::text(&told));
    out.push_str(&diff::text(&files[..files.len().min(FILES)]));
    if files.len() > FILES {
        let more = files.len() - FILES;
        out.push_str(&format!("  … and {more} more files; --message-format json names them all\n"));
    }
    out
}
