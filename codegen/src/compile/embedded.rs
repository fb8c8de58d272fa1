//! The list of crates that the host carries in itself, in the form of `cargo auditable`: whoever has the binary alone can
//! look its crates up in a database of advisories.

use std::collections::BTreeMap;
use std::io::{self, Write};

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::graph::{Graph, Ids, Known, Registry};

/// Which revision of the form this is: procedural macros count as needed for building only.
const FORMAT: u32 = 1;

/// The contents of the section: JSON, compressed with zlib.
pub fn data(graph: &Graph) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(&list(graph).map_err(io::Error::other)?)?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&text)?;
    zlib.finish()
}

/// All packages that the host is made with, each with the places of its dependencies in the list.
fn list(graph: &Graph) -> Result<VersionInfo, semver::Error> {
    let (needed, linked) = (graph.needed(), graph.linked(graph.host()));
    let packages = graph.packages();
    let mut order: Vec<&Known> = needed.iter().filter_map(|id| packages.get(id)).copied().collect();
    order.sort_by_key(|package| (&package.name, &package.version, &package.source));
    let places: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(at, package)| (package.id.as_str(), at)).collect();
    let below = graph.within(&needed);
    let host = graph.host().map(|host| host.id.as_str());
    let entry = |package: &&Known| {
        let id = package.id.as_str();
        Ok(Package {
            name: package.name.clone(),
            version: semver::Version::parse(&package.version)?,
            source: source(package.registry()),
            kind: if linked.contains(id) { DependencyKind::Runtime } else { DependencyKind::Build },
            dependencies: below.get(id).map(|below| sorted(below, &places)).unwrap_or_default(),
            root: host == Some(id),
        })
    };
    Ok(VersionInfo {
        packages: order.iter().map(entry).collect::<Result<_, semver::Error>>()?,
        format: FORMAT,
    })
}

fn sorted(ids: &Ids<'_>, places: &BTreeMap<&str, usize>) -> Vec<usize> {
    let mut found: Vec<usize> = ids.iter().filter_map(|id| places.get(id).copied()).collect();
    found.sort_unstable();
    found
}

fn source(registry: Registry) -> Source {
    match registry {
        Registry::Local => Source::Local,
        Registry::CratesIo => Source::CratesIo,
        Registry::Git => Source::Git,
        Registry::Other => Source::Registry,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::compile::graph::tests::graph;

    #[test]
    fn every_crate_stands_in_the_list_once_and_no_path_does() {
        let graph = graph(
            "hub-platform -> hub-host
             hub-host -> serde serde_derive! cc?build insta?dev
             serde 1.0.2 ->
             serde_derive 1.0.2 -> syn
             syn 2.0.0 ->
             cc 1.2.0 ->
             insta 1.40.0 -> serde
             unused 1.0.0 ->",
        );
        let bytes = data(&graph).unwrap();
        let mut text = String::new();
        flate2::read::ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        // Reading it checks that there is one root and no circle.
        let list: VersionInfo = text.parse().unwrap();
        let shown: Vec<String> = list
            .packages
            .iter()
            .map(|package| {
                let root = if package.root { " root" } else { "" };
                format!("{} {:?} {:?}{root}", package.name, package.kind, package.dependencies)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        cc Build []
        hub-host Runtime [0, 3, 4]
        hub-platform Runtime [1] root
        serde Runtime []
        serde_derive Build [5]
        syn Build []
        ");
        assert!(!text.contains('/'), "{text}");
        assert_eq!(data(&graph).unwrap(), bytes);
    }
}
