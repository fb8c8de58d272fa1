//! `licenses.txt`: whose work is in the scripts, styles and fonts, and on what terms. The comments that say so are not
//! left in the scripts, where they would be sent with every page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
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

/// The packages in these folders, sorted.
pub fn packages(folders: &BTreeSet<PathBuf>, repo: &Path) -> Vec<WebPackage> {
    let inside = |folder: &Path| folder.strip_prefix(repo).map(|inner| inner.to_string_lossy().into_owned());
    let mut packages: Vec<WebPackage> = folders
        .iter()
        .filter_map(|folder| {
            let manifest = manifest(folder)?;
            let license = manifest.terms().to_owned();
            let folder = inside(folder).unwrap_or_default();
            Some(WebPackage { name: manifest.name, version: manifest.version, license, folder })
        })
        .collect();
    packages.sort();
    packages
}

/// The notices of the packages in these folders, by name and version.
pub fn text(folders: &BTreeSet<PathBuf>) -> String {
    let notices: BTreeMap<(String, String), String> =
        folders.iter().filter_map(|folder| notice(folder)).collect();
    let mut text =
        String::from("The scripts, style sheets and fonts of this site hold work of these packages.\n");
    for ((name, version), notice) in notices {
        let _ = write!(text, "\n\n---- {name} {version}\n\n{}\n", notice.trim());
    }
    text
}

impl Manifest {
    /// The terms in short: a text today, an object with a `type` in packages of old.
    fn terms(&self) -> &str {
        self.license.as_str().or_else(|| self.license["type"].as_str()).unwrap_or_default()
    }
}

fn manifest(folder: &Path) -> Option<Manifest> {
    serde_json::from_str(&std::fs::read_to_string(folder.join("package.json")).ok()?).ok()
}

fn notice(folder: &Path) -> Option<((String, String), String)> {
    let manifest = manifest(folder)?;
    let terms = match manifest.terms() {
        "" => String::new(),
        terms => format!("License: {terms}\n\n"),
    };
    let texts = license_files(folder).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let texts: Vec<String> = texts.map(|text| text.replace("\r\n", "\n").trim().to_owned()).collect();
    Some(((manifest.name, manifest.version), terms + &texts.join("\n\n")))
}

/// The files of a package that hold its terms, sorted.
fn license_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_license(path)).collect();
    files.sort();
    files
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
        let text = text(&folders);
        assert!(
            text.ends_with(
                "---- alpha 1.0.0\n\nLicense: MIT\n\nCopyright A\n\n\n---- zeta 1.0.0\n\nLicense: MIT\n"
            ),
            "{text}"
        );
        let packages = packages(&folders, root.path());
        let shown: Vec<_> = packages.iter().map(|p| (p.name.as_str(), p.folder.as_str())).collect();
        assert_eq!(shown, [("alpha", "alpha"), ("zeta", "zeta")]);
        assert!(packages.iter().all(|package| package.version == "1.0.0" && package.license == "MIT"));
    }
}
