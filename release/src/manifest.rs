//! `RELEASE.json`: every file of a release with size, mode and SHA-256, and the digest that seals the list itself.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::bounds::{MAX_DEPTH, MAX_FILES, MAX_NAME, MAX_RELEASE};
use crate::hash;
use crate::problem::Problem;

/// Name of the list, the last entry of a tarball.
pub const RELEASE_JSON: &str = "RELEASE.json";
/// Name of the signature over the list, the entry before it where a release is signed.
pub const SIGNATURE: &str = "RELEASE.json.minisig";
/// The host's program in a release.
pub const HOST: &str = "bin/hub-platform";
/// The launcher's program in a release.
pub const LAUNCHER: &str = "bin/hub-launch";

/// Begins the last line but one, which holds the digest of everything before it.
const SEAL: &str = ",\n  \"digest\": \"sha256:";
/// What follows the digest.
const END: &str = "\"\n}\n";

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Path relative to the release's folder, with `/`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits in octal, as in `0644`.
    pub mode: String,
    /// Lower-case hex.
    pub sha256: String,
}

impl Listed {
    /// One file.
    pub fn new(path: &str, size: u64, mode: u32, sha256: String) -> Listed {
        Listed { path: path.to_string(), size, mode: format!("{mode:04o}"), sha256 }
    }

    /// The permission bits.
    pub fn mode_bits(&self) -> u32 {
        if self.mode == "0755" { 0o755 } else { 0o644 }
    }
}

/// What `RELEASE.json` says, as far as installing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Version of the release.
    pub version: Version,
    /// Every file but the list and its signature, by path.
    pub files: BTreeMap<String, Listed>,
    /// The list's own bytes.
    pub text: Vec<u8>,
}

/// What is needed of a list to start or install its release. All else may have another form in a release of another time,
/// and must not be read here: the launcher would pass that release over.
#[derive(Deserialize)]
struct Raw {
    version: String,
    files: Vec<Listed>,
}

/// Adds the digest to a list that ends in `}` and a line feed.
pub fn seal(mut text: String) -> String {
    text.truncate(text.trim_end().strip_suffix('}').unwrap_or(&text).trim_end().len());
    let digest = hash::of_bytes(text.as_bytes());
    format!("{text}{SEAL}{digest}{END}")
}

impl Manifest {
    /// Reads a list; everything about it is checked but the files themselves. The error is one sentence without a help.
    pub fn parse(text: &[u8]) -> Result<Manifest, String> {
        let body = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_string())?;
        check_seal(body)?;
        let raw: Raw = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let version = Version::parse(&raw.version)
            .map_err(|_| format!("`{}` is no version", raw.version.escape_debug()))?;
        if raw.files.len() > MAX_FILES {
            return Err(format!("it lists more than {MAX_FILES} files"));
        }
        let mut files = BTreeMap::new();
        let mut sum = 0u64;
        for file in raw.files {
            check(&file)?;
            sum = sum.saturating_add(file.size);
            if let Some(twice) = files.insert(file.path.clone(), file) {
                return Err(format!("it lists `{}` twice", twice.path));
            }
        }
        if sum > MAX_RELEASE {
            return Err(format!("its files have {sum} bytes together, which no release has"));
        }
        for path in files.keys() {
            let mut above = path.match_indices('/').map(|(slash, _)| &path[..slash]);
            if let Some(file) = above.find(|above| files.contains_key(*above)) {
                return Err(format!("`{file}` is a file, and `{path}` would lie in it"));
            }
        }
        Ok(Manifest { version, files, text: text.to_vec() })
    }

    /// The bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.size).sum::<u64>() + self.text.len() as u64
    }
}

/// The refusal of a list at `place`.
pub(crate) fn no_list(place: &str, why: &str) -> Problem {
    Problem::refused(
        format!("{place}: {RELEASE_JSON} cannot be trusted: {why}"),
        "take the tarball again from where it was built; compare its SHA-256 with the one that the build printed",
    )
}

fn check_seal(text: &str) -> Result<(), String> {
    let unsealed = || "its digest is missing or not at its end".to_string();
    let body = text.strip_suffix(END).ok_or_else(unsealed)?;
    let (body, digest) = body.rsplit_once(SEAL).ok_or_else(unsealed)?;
    if digest == hash::of_bytes(body.as_bytes()) {
        return Ok(());
    }
    Err("it was changed after it was written (its digest does not fit)".to_string())
}

/// Whether a path stays below the folder that it is relative to, and means the same everywhere.
pub fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains('\\')
        && !path.contains(char::is_control)
}

fn check(file: &Listed) -> Result<(), String> {
    let shown = file.path.escape_debug();
    if !is_plain(&file.path) || file.path == RELEASE_JSON || file.path == SIGNATURE {
        return Err(format!("`{shown}` cannot be the path of a file in a release"));
    }
    if file.path.len() > MAX_NAME || file.path.matches('/').count() > MAX_DEPTH {
        let begin: String = file.path.chars().take(60).collect();
        return Err(format!("`{}…` is too long a path, or too deep", begin.escape_debug()));
    }
    if file.mode != "0644" && file.mode != "0755" {
        return Err(format!("`{shown}` has the mode `{}`", file.mode.escape_debug()));
    }
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if file.sha256.len() != 64 || !file.sha256.bytes().all(is_hex) {
        return Err(format!("`{shown}` has no SHA-256"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(files: &[(&str, &str)]) -> String {
        let files: Vec<_> = files
            .iter()
            .map(|(path, mode)| serde_json::json!({"path": path, "size": 1, "mode": mode, "sha256": "0".repeat(64)}))
            .collect();
        let value = serde_json::json!({"version": "1.2.3", "plugins": [], "files": files});
        seal(format!("{value:#}\n"))
    }

    #[test]
    fn a_sealed_list_is_json_and_is_read_back() {
        let text = list(&[("bin/x", "0755"), ("web/a.js", "0644")]);
        assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["digest"].is_string());
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.version, Version::new(1, 2, 3));
        assert_eq!(manifest.files["bin/x"].mode_bits(), 0o755);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let text = list(&[("bin/x", "0755")]).into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(Manifest::parse(&changed).is_err(), "byte {at}, bit {bit}");
            }
            assert!(Manifest::parse(&text[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn lists_that_lead_elsewhere_are_refused() {
        let why = |files: &[(&str, &str)]| Manifest::parse(list(files).as_bytes()).unwrap_err();
        for path in ["/etc/passwd", "../x", "a/../b", "a//b", "", ".", "a\\b", "a\nb", "RELEASE.json"] {
            assert!(why(&[(path, "0644")]).ends_with("cannot be the path of a file in a release"), "{path}");
        }
        assert_eq!(why(&[("a", "4755")]), "`a` has the mode `4755`");
        assert_eq!(why(&[("a", "0644"), ("a", "0644")]), "it lists `a` twice");
        assert_eq!(why(&[("a", "0644"), ("a/b", "0644")]), "`a` is a file, and `a/b` would lie in it");
        assert!(why(&[("a", "0644"), ("a-b", "0644"), ("a/b", "0644")]).contains("would lie in it"));
    }
}
