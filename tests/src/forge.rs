//! Releases that no build makes: another one's files with some of them changed, and a list that fits.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use hub_release::hash;
use hub_release::manifest::{RELEASE_JSON, SIGNATURE, seal};
use serde_json::Value;

use crate::release::unpack_into;

/// Writes the tarball of release `version`, made of another one's with these files put in the place of its own, or
/// added. It is not signed.
pub fn forge(tarball: &Path, version: &str, changed: &[(&str, &[u8])], to: &Path) -> PathBuf {
    let folder = tempfile::tempdir().expect("a temporary folder");
    unpack_into(tarball, folder.path());
    let releases = folder.path().join("releases");
    let old =
        fs::read_dir(&releases).expect("releases/").next().expect("a release").expect("an entry").path();
    let list: Value =
        serde_json::from_slice(&fs::read(old.join(RELEASE_JSON)).expect("a list")).expect("JSON");
    let mut list = list;
    list["version"] = version.into();
    list.as_object_mut().expect("an object").remove("digest");
    for (path, bytes) in changed {
        fs::write(old.join(path), bytes).expect("a file in a folder of the release");
        let files = list["files"].as_array_mut().expect("files");
        if !files.iter().any(|file| file["path"] == *path) {
            files.push(serde_json::json!({"path": path, "mode": "0644"}));
            files.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        }
        let listed = files.iter_mut().find(|file| file["path"] == *path).expect("it is listed");
        listed["size"] = bytes.len().into();
        listed["sha256"] = hash::of_bytes(bytes).into();
    }
    let text = serde_json::to_string_pretty(&list).expect("JSON") + "\n";
    fs::write(old.join(RELEASE_JSON), seal(text)).expect("a list");
    let _ = fs::remove_file(old.join(SIGNATURE));
    let path = to.join(format!("hub-platform-v{version}.tar.gz"));
    let mut builder =
        tar::Builder::new(GzEncoder::new(File::create(&path).expect("a file"), Compression::fast()));
    // The list goes last, as in every release.
    let mut names: Vec<String> = list["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| file["path"].as_str().expect("a path").to_owned())
        .collect();
    names.push(RELEASE_JSON.to_owned());
    for name in names {
        builder
            .append_path_with_name(old.join(&name), format!("releases/{version}/{name}"))
            .expect("an entry");
    }
    builder.into_inner().and_then(GzEncoder::finish).expect("a tarball");
    path
}
