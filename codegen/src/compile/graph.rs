//! Cargo's resolved graph of the staged workspace: which crates the host is linked from, and which build it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::write::write_if_changed;
use crate::compile::stage::{HOST_PACKAGE, LAUNCHER_PACKAGE};

/// The parts of `cargo metadata` that are looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Graph {
    packages: Vec<Known>,
    resolve: Option<Resolve>,
}

/// A package of the graph.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Cargo's own name for it.
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where it comes from; none for a crate of the workspace.
    pub source: Option<String>,
    /// Its terms, as its author worded them.
    pub license: Option<String>,
    /// Its `Cargo.toml` on this machine.
    pub manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

/// What kind of place a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// The workspace itself.
    Local,
    /// The public registry, under whatever mirror.
    CratesIo,
    /// A repository.
    Git,
    /// Another registry.
    Other,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Target {
    kind: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Edge {
    pkg: String,
    #[serde(default)]
    dep_kinds: Vec<DepKind>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct DepKind {
    kind: Option<String>,
}

impl Known {
    /// What kind of place it comes from.
    pub fn registry(&self) -> Registry {
        const CRATES_IO: [&str; 2] =
            ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];
        match self.source.as_deref() {
            None => Registry::Local,
            Some(source) if CRATES_IO.contains(&source) => Registry::CratesIo,
            Some(source) if source.starts_with("git+") => Registry::Git,
            Some(_) => Registry::Other,
        }
    }

    /// The folder of its sources.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// Whether it runs in the compiler and leaves nothing of itself in the host.
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

impl Edge {
    /// Whether some dependency of this edge is of a kind; an edge of unknown kind is an ordinary one.
    fn is(&self, kind: Option<&str>) -> bool {
        self.dep_kinds.iter().any(|found| found.kind.as_deref() == kind)
            || (kind.is_none() && self.dep_kinds.is_empty())
    }
}

/// A set of packages out of the graph.
pub type Ids<'a> = BTreeSet<&'a str>;

impl Graph {
    /// All packages, by cargo's name for them.
    pub fn packages(&self) -> BTreeMap<&str, &Known> {
        self.packages.iter().map(|package| (package.id.as_str(), package)).collect()
    }

    /// The generated host.
    pub fn host(&self) -> Option<&Known> {
        self.packages.iter().find(|package| package.name == HOST_PACKAGE && package.source.is_none())
    }

    /// The launcher.
    pub fn launcher(&self) -> Option<&Known> {
        self.packages.iter().find(|package| package.name == LAUNCHER_PACKAGE && package.source.is_none())
    }

    /// The packages of which something is in a program: reachable by ordinary dependencies, procedural macros left out.
    pub fn linked(&self, program: Option<&Known>) -> Ids<'_> {
        let packages = self.packages();
        let is_macro = |id: &str| packages.get(id).is_some_and(|package| package.is_macro());
        self.reachable(program, |edge| edge.is(None) && !is_macro(&edge.pkg))
    }

    /// The packages of which something is in a program of the release.
    pub fn shipped(&self) -> Ids<'_> {
        self.linked(self.host()).union(&self.linked(self.launcher())).copied().collect()
    }

    /// The packages that are needed to make the host, those in it among them.
    pub fn needed(&self) -> Ids<'_> {
        self.reachable(self.host(), |edge| edge.is(None) || edge.is(Some("build")))
    }

    /// The packages reachable from `package`, itself among them, over edges that tests do not alone need.
    pub fn needed_by(&self, package: &Known) -> Ids<'_> {
        self.reachable(Some(package), |edge| edge.is(None) || edge.is(Some("build")))
    }

    /// The direct dependencies of each package within a set.
    pub fn within<'a>(&'a self, ids: &Ids<'a>) -> BTreeMap<&'a str, Ids<'a>> {
        let nodes = self.nodes();
        let below = |id: &str| -> Ids<'a> {
            let edges = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let wanted = edges.filter(|edge| edge.is(None) || edge.is(Some("build")));
            wanted.map(|edge| edge.pkg.as_str()).filter(|id| ids.contains(id)).collect()
        };
        ids.iter().map(|id| (*id, below(id))).collect()
    }

    /// The same graph, with each package's sources in a folder named after it.
    #[cfg(test)]
    pub(crate) fn at(mut self, folder: &Path) -> Graph {
        for package in &mut self.packages {
            package.manifest_path = folder.join(&package.name).join("Cargo.toml");
        }
        self
    }

    fn nodes(&self) -> BTreeMap<&str, &Node> {
        let nodes = self.resolve.iter().flat_map(|resolve| &resolve.nodes);
        nodes.map(|node| (node.id.as_str(), node)).collect()
    }

    fn reachable(&self, from: Option<&Known>, follow: impl Fn(&Edge) -> bool) -> Ids<'_> {
        let nodes = self.nodes();
        let start = from.and_then(|package| nodes.get(package.id.as_str()));
        let mut open: Vec<&Node> = start.copied().into_iter().collect();
        let mut found: Ids = open.iter().map(|node| node.id.as_str()).collect();
        while let Some(node) = open.pop() {
            for edge in node.deps.iter().filter(|edge| follow(edge)) {
                if found.insert(&edge.pkg) {
                    open.extend(nodes.get(edge.pkg.as_str()));
                }
            }
        }
        found
    }
}

/// A graph kept on disk, with what it was made from.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    graph: Graph,
}

/// Part of the fingerprint: to be raised when more of cargo's answer is kept.
const FORMAT: &str = "crate graph 1";

/// Fingerprint of what cargo makes a graph from: manifests and lock, and the folder that it keeps sources in.
pub fn key(manifests: &str, lock: &[u8]) -> String {
    let mut digest = Digest::new(FORMAT);
    digest.add("manifests", manifests.as_bytes());
    digest.add("lock", lock);
    for name in ["CARGO_HOME", "HOME", "RUSTUP_TOOLCHAIN"] {
        digest.add(name, std::env::var_os(name).unwrap_or_default().as_encoded_bytes());
    }
    digest.finish()
}

/// The graph of the last run, if it had the same key and its sources are still there.
pub fn read(file: &Path, key: &str) -> Option<Graph> {
    let stored: Stored = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let there = stored.graph.packages.iter().all(|package| package.manifest_path.is_file());
    (stored.key == key && there).then_some(stored.graph)
}

/// Notes a graph. It only saves time: where it cannot be written, cargo is asked again.
pub fn keep(file: &Path, key: String, graph: Graph) -> Graph {
    let stored = Stored { key, graph };
    if let Ok(text) = serde_json::to_vec(&stored) {
        let _ = write_if_changed(file, &text);
    }
    stored.graph
}

#[cfg(test)]
pub(crate) mod tests;
