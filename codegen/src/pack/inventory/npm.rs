//! The npm packages that each plugin brings into the web assets, from `package-lock.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::Package;
use crate::base::write::at;
use crate::scan::FRONTEND;

/// The workspaces that are the platform's own.
const PLATFORM: [&str; 2] = ["host-template/shell", "host-template/plugin-host"];

/// The repository's `package-lock.json`, as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
pub struct Lock {
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

/// An installed package, or a workspace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Locked {
    version: String,
    /// The folder that a link leads to.
    resolved: Option<String>,
    link: bool,
    /// What the archive is checked against: `sha512-` and Base64.
    integrity: Option<String>,
    dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    peer_dependencies: BTreeMap<String, String>,
}

impl Locked {
    fn wanted(&self) -> impl Iterator<Item = &String> {
        [&self.dependencies, &self.optional_dependencies, &self.peer_dependencies]
            .into_iter()
            .flat_map(BTreeMap::keys)
    }
}

impl Lock {
    /// Reads the lock of a checkout; one without a lock has no packages. What is wrong with it npm itself reports.
    pub fn read(repo: &Path) -> io::Result<Lock> {
        let path = repo.join("package-lock.json");
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(at(&path, error)),
        }
    }

    /// The packages that a plugin's frontend needs and the web shell does not.
    pub fn brought_in_by(&self, repo: &Path, plugin: &Path) -> io::Result<Vec<Package>> {
        let folder = plugin.join(FRONTEND);
        let manifest = folder.join("package.json");
        let text = match fs::read(&manifest) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(at(&manifest, error)),
        };
        // A plugin from elsewhere is no workspace: its imports are looked up from the checkout's root.
        let home = repo.canonicalize().unwrap_or_else(|_| repo.to_path_buf());
        let workspace = folder.strip_prefix(home).map(|inner| inner.to_string_lossy().replace('\\', "/"));
        let workspace = workspace.ok().filter(|inner| self.packages.contains_key(inner)).unwrap_or_default();
        let root: Locked = serde_json::from_slice(&text).unwrap_or_default();
        let own = self.closure(&workspace, &root);
        let mut platform = BTreeSet::new();
        for folder in PLATFORM {
            platform
                .extend(self.packages.get(folder).into_iter().flat_map(|root| self.closure(folder, root)));
        }
        let packages: BTreeSet<Package> = own
            .difference(&platform)
            .filter_map(|place| Some((place, self.packages.get(*place)?)))
            .filter_map(|(place, found)| {
                let name = place.rsplit_once("node_modules/")?.1.to_string();
                Some(Package { name, version: found.version.clone() })
            })
            .collect();
        Ok(packages.into_iter().collect())
    }

    /// What the archive of the package at a place is checked against, as in `sha512-AbC=`.
    pub fn integrity(&self, place: &str) -> Option<&str> {
        self.packages.get(place)?.integrity.as_deref()
    }

    /// Places of what the package at a place asks for itself.
    pub fn needs(&self, place: &str) -> Vec<&str> {
        let wanted = self.packages.get(place).into_iter().flat_map(Locked::wanted);
        wanted.filter_map(|name| self.place(place, name)).collect()
    }

    /// Places of everything that `root`, which lies in `folder`, needs at any distance.
    fn closure<'a>(&'a self, folder: &str, root: &Locked) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = root.wanted().filter_map(|name| self.place(folder, name)).collect();
        while let Some(place) = open.pop() {
            if found.insert(place)
                && let Some(package) = self.packages.get(place)
            {
                open.extend(package.wanted().filter_map(|name| self.place(place, name)));
            }
        }
        found
    }

    /// Where Node finds a package that something in `folder` imports.
    fn place(&self, folder: &str, name: &str) -> Option<&str> {
        let mut folder = folder;
        loop {
            let slash = if folder.is_empty() { "" } else { "/" };
            let place = format!("{folder}{slash}node_modules/{name}");
            if let Some((place, found)) = self.packages.get_key_value(&place) {
                let linked = found.resolved.as_ref().filter(|_| found.link);
                let target = linked.and_then(|target| self.packages.get_key_value(target.as_str()));
                return Some(target.map_or(place, |(target, _)| target));
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{"packages": {
        "": {"workspaces": ["host-template/shell", "plugins/*/frontend"]},
        "host-template/shell": {"version": "0.1.0", "dependencies": {"react": "19.0.0", "@platform/plugin-host": "0.1.0"}},
        "host-template/plugin-host": {"version": "0.1.0", "dependencies": {"router": "8.0.0"}},
        "node_modules/@platform/plugin-host": {"resolved": "host-template/plugin-host", "link": true},
        "node_modules/react": {"version": "19.0.0"},
        "node_modules/router": {"version": "8.0.0"},
        "node_modules/@x/charts": {"version": "3.0.0", "dependencies": {"d3": "1", "router": "7"}, "peerDependencies": {"react": "*", "absent": "*"}},
        "node_modules/@x/charts/node_modules/router": {"version": "7.0.0"},
        "node_modules/d3": {"version": "1.0.0", "dependencies": {"@x/charts": "3"}},
        "node_modules/unused": {"version": "9.9.9"},
        "plugins/finance/frontend": {"version": "0.1.0", "dependencies": {"@x/charts": "3.0.0"}}
    }}"#;

    #[test]
    fn a_plugin_brings_in_what_the_shell_does_not_have() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().canonicalize().unwrap();
        fs::write(repo.join("package-lock.json"), LOCK).unwrap();
        let plugin = |path: &str, manifest: &str| {
            let folder = repo.join(path).join(FRONTEND);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("package.json"), manifest).unwrap();
            repo.join(path)
        };
        let lock = Lock::read(&repo).unwrap();
        let shown = |root: &Path| {
            let packages = lock.brought_in_by(&repo, root).unwrap();
            let packages = packages.iter().map(|package| format!("{} {}", package.name, package.version));
            packages.collect::<Vec<_>>().join(", ")
        };
        let charts = r#"{"name": "x", "dependencies": {"@x/charts": "3.0.0", "react": "19"}}"#;
        let expect = "@x/charts 3.0.0, d3 1.0.0, router 7.0.0";
        assert_eq!(shown(&plugin("plugins/finance", charts)), expect);
        assert_eq!(shown(&plugin("elsewhere/sales", charts)), expect);
        assert_eq!(shown(&plugin("plugins/plain", r#"{"dependencies": {"react": "19", "gone": "1"}}"#)), "");
        assert_eq!(shown(&repo.join("plugins/none")), "");
        assert_eq!(shown(&plugin("plugins/broken", "{")), "");
    }
}
