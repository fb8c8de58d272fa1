//! The crates that each plugin brings into the host, from the resolved graph of the staged workspace.

use std::collections::BTreeMap;

use hub_manifest::plan::PluginCrate;

use super::Package;
use crate::compile::graph::{Graph, Ids};

/// Package name of the library that every host links.
const RUNTIME: &str = "hub-host";

/// The packages that are in the host because of each plugin: reachable from its crate, and not from the runtime's. What
/// only tests need does not count.
pub fn brought_in(graph: &Graph, crates: &[PluginCrate]) -> BTreeMap<String, Vec<Package>> {
    let packages = graph.packages();
    let reachable = |name: &str| -> Ids<'_> {
        let own = packages.values().find(|package| package.name == name && package.source.is_none());
        own.map(|package| graph.needed_by(package)).unwrap_or_default()
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
    use crate::compile::graph::tests::graph;

    #[test]
    fn a_plugin_brings_in_what_the_platform_does_not_have() {
        let graph = graph(
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
        let found = brought_in(&graph, &[plugin("crm"), plugin("demo")]);
        let shown = |slug: &str| {
            let packages = found[slug].iter().map(|package| format!("{} {}", package.name, package.version));
            packages.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown("crm"), "cc 1.2.0, csv 1.3.0, csv-core 0.1.0, itoa 1.0.1");
        assert_eq!(shown("demo"), "");
    }
}
