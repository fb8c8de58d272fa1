//! The layout as another program reads it, and that nothing but the release decides its bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::*;
use crate::base::digest::sha256_hex;

/// A tarball with this launcher, as the pack stage writes one.
fn tarball(folder: &Path, launcher: Option<&str>) -> std::path::PathBuf {
    let packed = place(folder, "release.tar.gz", |out| {
        let mut tape = Tape::new(crate::pack::Gzip::new(out, 1)?);
        for path in ["releases/1.2.3", "releases/1.2.3/bin"] {
            tape.folder(path, 0o755, ROOT)?;
        }
        if let Some(text) = launcher {
            tape.bytes("releases/1.2.3/bin/hub-launch", 0o755, text.as_bytes())?;
        }
        tape.bytes("releases/1.2.3/bin/hub-platform", 0o755, b"host")?;
        tape.bytes("releases/1.2.3/RELEASE.json", 0o644, b"{}")?;
        tape.finish()?.finish()?.flush()
    });
    packed.expect("a tarball").path
}

fn made(launcher: Option<&str>, revision: Option<&str>) -> Result<BTreeMap<String, Vec<u8>>, Machine> {
    let folder = tempfile::tempdir().expect("a folder");
    let tarball = tarball(folder.path(), launcher);
    let out = folder.path().join("out");
    let packed = write(&Job { tarball: &tarball, version: "1.2.3", revision, out: &out })?;
    let bytes = fs::read(&packed.path).expect("the image");
    assert_eq!(packed.path, out.join("hub-platform-v1.2.3.oci.tar"));
    assert_eq!((packed.size, packed.sha256), (bytes.len() as u64, sha256_hex(&bytes)));
    assert_eq!(fs::read_dir(&out).expect("out").count(), 1, "nothing is left beside it");
    Ok(files(bytes.as_slice()))
}

fn files(archive: impl Read) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("an entry");
        let (path, mut bytes) = (entry.path().expect("a path").to_string_lossy().into_owned(), Vec::new());
        entry.read_to_end(&mut bytes).expect("bytes");
        (path, bytes)
    });
    entries.collect()
}

#[test]
fn every_blob_bears_the_name_of_its_digest_and_leads_to_the_next() {
    let files = made(Some("launcher"), Some("abc")).expect("an image");
    let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
    let blob = |descriptor: &Value| -> &Vec<u8> {
        let name = descriptor["digest"].as_str().expect("a digest").replace(':', "/");
        let bytes = files.get(&format!("blobs/{name}")).expect("a blob");
        assert_eq!(descriptor["size"], bytes.len());
        assert_eq!(name, format!("sha256/{}", sha256_hex(bytes)));
        bytes
    };
    assert_eq!(json(&files["oci-layout"])["imageLayoutVersion"], "1.0.0");
    let manifest = json(blob(&json(&files["index.json"])["manifests"][0]));
    let config = json(blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
    let mut layer = Vec::new();
    GzDecoder::new(blob(&manifest["layers"][0]).as_slice()).read_to_end(&mut layer).expect("gzip");
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256_hex(&layer)));

    let inside = self::files(layer.as_slice());
    assert_eq!(inside["opt/honeyframe/releases/1.2.3/bin/hub-platform"], b"host");
    assert_eq!(inside["opt/honeyframe/releases/1.2.3/bin/hub-launch"], b"launcher");
    assert_eq!(inside["opt/honeyframe/bin/hub-launch"], b"launcher");
    assert!(inside.contains_key("opt/honeyframe/current"));
    let authorities = String::from_utf8_lossy(&inside["etc/ssl/certs/ca-certificates.crt"]);
    assert!(authorities.matches("-----BEGIN CERTIFICATE-----").count() > 100);
    let mut lines = authorities.lines().filter(|line| !line.starts_with('#'));
    assert!(lines.all(|line| line.len() <= 64), "PEM has lines of 64 characters");
}

#[test]
fn the_same_release_gives_the_same_bytes() {
    assert_eq!(made(Some("launcher"), None), made(Some("launcher"), None));
    assert_ne!(made(Some("launcher"), None), made(Some("another"), None));
}

#[test]
fn a_release_without_a_launcher_is_named() {
    let refused = made(None, None).expect_err("no launcher");
    assert!(refused.what.ends_with("release.tar.gz: it has no releases/1.2.3/bin/hub-launch"), "{refused}");
}
