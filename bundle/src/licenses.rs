//! `licenses.txt`: whose work is in the scripts, styles and fonts, and on what terms. The comments that say so are not
//! left in the scripts, where they would be sent with every page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hub_manifest::wire::bundler::WebPackage;
use serde::Deserialize;

/// What a package says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    name: String,
    version: String,
    license: serde_json::Value,
}

/// The packages in these folders, sorted; else which file cannot be read, and why.
pub fn packages(folders: &BTreeSet<PathBuf>, repo: &Path) -> Result<Vec<WebPackage>, String> {
    let inside = |folder: &Path| folder.strip_prefix(repo).map(|inner| inner.to_string_lossy().into_owned());
    let mut packages = Vec::new();
    for folder in folders {
        let Some(manifest) = manifest(folder)? else { continue };
        let license = manifest.terms().to_owned();
        let folder = inside(folder).unwrap_or_default();
        packages.push(WebPackage { name: manifest.name, version: manifest.version, license, folder });
    }
    packages.sort();
    Ok(packages)
}

/// The notices of the packages in these folders, by name and version; else which file cannot be read, and why.
pub fn text(folders: &BTreeSet<PathBuf>) -> Result<String, String> {
    let mut notices: BTreeMap<(String, String), String> = BTreeMap::new();
    for folder in folders {
        notices.extend(notice(folder)?);
    }
    let mut text =
        String::from("The scripts, style sheets and fonts of this site hold work of these packages.\n");
    for ((name, version), notice) in notices {
        let _ = write!(text, "\n\n---- {name} {version}\n\n{}\n", notice.trim());
    }
    Ok(text)
}

impl Manifest {
    /// The terms in short: a text today, an object with a `type` in packages of old.
    fn terms(&self) -> &str {
        self.license.as_str().or_else(|| self.license["type"].as_str()).unwrap_or_default()
    }
}

fn unread(path: &Path, error: &dyn Display) -> String {
    format!("{} cannot be read: {error}", path.display())
}

/// None of a folder that is no package.
fn manifest(folder: &Path) -> Result<Option<Manifest>, String> {
    let file = folder.join("package.json");
    let bytes = match std::fs::read(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| unread(&file, &error))?,
    };
    let text = String::from_utf8_lossy(&bytes);
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map(Some).map_err(|error| unread(&file, &error))
}

fn notice(folder: &Path) -> Result<Option<((String, String), String)>, String> {
    let Some(manifest) = manifest(folder)? else { return Ok(None) };
    let terms = match manifest.terms() {
        "" => String::new(),
        terms => format!("License: {terms}\n\n"),
    };
    let mut texts = Vec::new();
    for file in license_files(folder)? {
        let bytes = std::fs::read(&file).map_err(|error| unread(&file, &error))?;
        // What is not UTF-8 are names and signs: the terms can be read all the same.
        texts.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned());
    }
    Ok(Some(((manifest.name, manifest.version), terms + &texts.join("\n\n"))))
}

/// The files of a package that hold its terms, sorted.
fn license_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unread(folder, &error))? {
        let path = entry.map_err(|error| unread(folder, &error))?.path();
        if is_license(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_license(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    ["license", "licence", "copying", "notice"].iter().any(|start| name.starts_with(start)) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_sorted_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let package = |name: &str, license: Option<&str>| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            let manifest = format!(r#"{{"name":"{name}","version":"1.0.0","license":"MIT"}}"#);
            std::fs::write(folder.join("package.json"), manifest).unwrap();
            if let Some(text) = license {
                std::fs::write(folder.join("LICENSE.md"), text).unwrap();
            }
            folder
        };
        let folders = BTreeSet::from([package("zeta", None), package("alpha", Some("Copyright A\r\n"))]);
        let text = text(&folders).unwrap();
        assert!(
            text.ends_with(
                "---- alpha 1.0.0\n\nLicense: MIT\n\nCopyright A\n\n\n---- zeta 1.0.0\n\nLicense: MIT\n"
            ),
            "{text}"
        );
        let packages = packages(&folders, root.path()).unwrap();
        let shown: Vec<_> = packages.iter().map(|p| (p.name.as_str(), p.folder.as_str())).collect();
        assert_eq!(shown, [("alpha", "alpha"), ("zeta", "zeta")]);
        assert!(packages.iter().all(|package| package.version == "1.0.0" && package.license == "MIT"));
    }

    #[test]
    fn a_package_whose_terms_cannot_be_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("alpha");
        std::fs::create_dir(&folder).unwrap();
        let folders = BTreeSet::from([folder.clone()]);
        assert_eq!(packages(&folders, root.path()), Ok(Vec::new()), "it is no package");
        std::fs::write(folder.join("package.json"), r#"{"name":"alpha","version":"1.0.0"}"#).unwrap();
        std::fs::write(folder.join("LICENSE"), b"\xa9 A").unwrap();
        assert!(text(&folders).unwrap().ends_with("---- alpha 1.0.0\n\n\u{fffd} A\n"));
        // A regular file that nobody can read from its beginning, not even root.
        std::os::unix::fs::symlink("/proc/self/mem", folder.join("NOTICE")).unwrap();
        let unread = |file: &str| format!("{} cannot be read: ", folder.join(file).display());
        let error = text(&folders).unwrap_err();
        assert!(error.starts_with(&unread("NOTICE")), "{error}");
        std::fs::write(folder.join("package.json"), "{").unwrap();
        let error = packages(&folders, root.path()).unwrap_err();
        assert!(error.starts_with(&unread("package.json")), "{error}");
    }
}
