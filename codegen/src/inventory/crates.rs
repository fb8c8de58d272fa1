//! The crates that each plugin brings into the host: the resolved graph of the staged workspace, read with `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use hub_manifest::plan::PluginCrate;
use serde::Deserialize;

use super::Package;
use crate::compile::TARGET;
use crate::failure::Machine;

/// Package name of the library that every host links.
const RUNTIME: &str = "hub-host";

/// The parts of `cargo metadata` that are looked at.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Known>,
    resolve: Option<Resolve>,
}

#[derive(Debug, Deserialize)]
struct Known {
    id: String,
    name: String,
    version: String,
    /// Where it comes from; none for a crate of the workspace.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    #[serde(default)]
    dep_kinds: Vec<DepKind>,
}

#[derive(Debug, Deserialize)]
struct DepKind {
    kind: Option<String>,
}

/// Asks cargo for the resolved graph of the staged workspace, as the host's platform has it.
pub fn metadata(staged: &Path, repo: &Path) -> Result<Metadata, Machine> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.args(["metadata", "--format-version", "1", "--filter-platform", TARGET, "--color", "never"]);
    let config = repo.join(".cargo/config.toml");
    if !staged.starts_with(repo) && config.is_file() {
        cargo.arg("--config").arg(config);
    }
    let failed = |what: String| Machine::new(format!("cannot ask cargo for the plugins' crates: {what}"), "");
    let output =
        cargo.current_dir(staged).stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(failed("it failed".to_string()).details(said));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
}

/// The packages that are in the host because of each plugin: reachable from its crate, and not from the runtime's. What
/// only tests need does not count.
pub fn brought_in(metadata: &Metadata, crates: &[PluginCrate]) -> BTreeMap<String, Vec<Package>> {
    let packages: BTreeMap<&str, &Known> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let edges: BTreeMap<&str, &Node> = nodes.map(|node| (node.id.as_str(), node)).collect();
    let reachable = |name: &str| {
        let own = packages.values().filter(|package| package.name == name && package.source.is_none());
        let mut open: Vec<&str> = own.map(|package| package.id.as_str()).collect();
        let mut found: BTreeSet<&str> = open.iter().copied().collect();
        while let Some(id) = open.pop() {
            for edge in edges.get(id).into_iter().flat_map(|node| &node.deps) {
                let for_tests = !edge.dep_kinds.is_empty()
                    && edge.dep_kinds.iter().all(|kind| kind.kind.as_deref() == Some("dev"));
                if !for_tests && found.insert(&edge.pkg) {
                    open.push(&edge.pkg);
                }
            }
        }
        found
    };
    let platform = reachable(RUNTIME);
    let mut out: BTreeMap<String, Vec<Package>> = BTreeMap::new();
    for found in crates {
        let mut added: Vec<Package> = reachable(&found.package)
            .difference(&platform)
            .filter_map(|id| packages.get(id))
            .filter(|package| package.source.is_some())
            .map(|package| Package { name: package.name.clone(), version: package.version.clone() })
            .collect();
        added.sort();
        out.entry(found.plugin.clone()).or_default().extend(added);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a 1.0.0 -> b c?dev`; a name with a version comes from a registry.
    fn graph(text: &str) -> Metadata {
        let lines: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.trim().split_once(" ->")).collect();
        let packages = lines.iter().map(|(package, _)| {
            let (name, version) = package.split_once(' ').unwrap_or((package, ""));
            serde_json::json!({"id": name, "name": name, "version": version,
                "source": (!version.is_empty()).then_some("registry")})
        });
        let nodes = lines.iter().map(|(package, deps)| {
            let deps = deps.split_whitespace().map(|dep| {
                let (name, kind) = dep.split_once('?').map_or((dep, None), |(name, kind)| (name, Some(kind)));
                serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]})
            });
            let id = package.split(' ').next().unwrap_or_default();
            serde_json::json!({"id": id, "deps": deps.collect::<Vec<_>>()})
        });
        let value = serde_json::json!({"packages": packages.collect::<Vec<_>>(),
            "resolve": {"nodes": nodes.collect::<Vec<_>>()}});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_plugin_brings_in_what_the_platform_does_not_have() {
        let metadata = graph(
            "hub-host -> axum serde
             axum 0.8.1 -> serde
             serde 1.0.2 ->
             hub-plugin-crm -> hub-host serde csv local insta?dev cc?build
             local -> itoa
             csv 1.3.0 -> csv-core serde
             csv-core 0.1.0 ->
             itoa 1.0.1 ->
             cc 1.2.0 ->
             insta 1.40.0 ->
             hub-plugin-demo -> hub-host",
        );
        let plugin = |slug: &str| PluginCrate {
            plugin: slug.to_string(),
            package: format!("hub-plugin-{slug}"),
            lib: String::new(),
            dir: "backend".to_string(),
            routers: Vec::new(),
        };
        let found = brought_in(&metadata, &[plugin("crm"), plugin("demo")]);
        let shown = |slug: &str| {
            let packages = found[slug].iter().map(|package| format!("{} {}", package.name, package.version));
            packages.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown("crm"), "cc 1.2.0, csv 1.3.0, csv-core 0.1.0, itoa 1.0.1");
        assert_eq!(shown("demo"), "");
    }
}
