//! A container image of a release: an OCI image layout in one archive, without a container engine.
//!
//! The image is made of the tarball, so it holds that release to the byte, its signature with it. Nothing is below the
//! platform: one layer with the release, the launcher, a user, and the certificate authorities that browsers trust.

mod config;
mod layer;

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::base::digest::sha256_hex;
use crate::base::failure::Machine;
use crate::pack::{Packed, ROOT, Tape, place};

use layer::Layer;

/// What the image is made of.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The release.
    pub tarball: &'a Path,
    /// Its version.
    pub version: &'a str,
    /// The commit that it was built from, where that is known.
    pub revision: Option<&'a str>,
    /// Folder of the image; made if missing.
    pub out: &'a Path,
}

/// Name of an image's archive.
pub fn file_name(version: &str) -> String {
    format!("hub-platform-v{version}.oci.tar")
}

/// Tag of the image: a version's `+` is not allowed in one.
pub fn tag(version: &str) -> String {
    version.replace('+', "_")
}

/// Writes the image. It takes the place of the last one only when it is whole.
pub fn write(job: &Job<'_>) -> Result<Packed, Machine> {
    let layer = layer::write(job.tarball, job.version, job.out)
        .map_err(|error| Machine::io("make an image of", job.tarball, &error))?;
    place(job.out, &file_name(job.version), |out| archive(job, &layer, out))
}

/// The layout: blobs under the names of their digests, and the index that says where to begin.
fn archive(job: &Job<'_>, layer: &Layer, out: impl Write) -> io::Result<()> {
    let config = config::config(job.version, job.revision, &layer.diff_id);
    let config = serde_json::to_vec(&config)?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &sha256_hex(&config), config.len() as u64),
        "layers": [descriptor(LAYER, &layer.sha256, layer.size)],
        "annotations": config::labels(job.version, job.revision),
    }))?;
    let mut entry = descriptor(MANIFEST, &sha256_hex(&manifest), manifest.len() as u64);
    let tag = tag(job.version);
    entry["annotations"] = json!({
        "org.opencontainers.image.ref.name": tag,
        // By this one engines name what they load.
        "io.containerd.image.name": format!("docker.io/library/hub-platform:{tag}"),
    });
    entry["platform"] = json!({ "architecture": config::ARCHITECTURE, "os": config::OS });
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [entry],
    }))?;

    let mut tape = Tape::new(out);
    tape.bytes("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    tape.bytes("index.json", 0o644, &index)?;
    for folder in ["blobs", "blobs/sha256"] {
        tape.folder(folder, 0o755, ROOT)?;
    }
    for blob in [&manifest, &config] {
        tape.bytes(&format!("blobs/sha256/{}", sha256_hex(blob)), 0o644, blob)?;
    }
    let name = format!("blobs/sha256/{}", layer.sha256);
    tape.file(&name, 0o644, layer.size, layer.file.reopen()?)?;
    tape.finish()?.flush()
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, sha256: &str, size: u64) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{sha256}"), "size": size })
}

#[cfg(test)]
mod tests;
