//! Graphs written in a few words, for the tests of whatever reads one.

use super::*;

/// `a 1.0.0 -> b c?dev d!`; a name with a version comes from a registry, one with `!` is a procedural macro.
pub(crate) fn graph(text: &str) -> Graph {
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.trim().split_once(" ->")).collect();
    let packages = lines.iter().map(|(package, _)| {
        let (name, version) = package.split_once(' ').unwrap_or((package, ""));
        let kind = if text.contains(&format!("{name}!")) { "proc-macro" } else { "lib" };
        let source = (!version.is_empty()).then_some("registry+https://github.com/rust-lang/crates.io-index");
        let version = if version.is_empty() { "0.1.0" } else { version };
        serde_json::json!({"id": name, "name": name, "version": version, "source": source,
            "targets": [{"kind": [kind]}], "license": source.map(|_| "MIT/Apache-2.0")})
    });
    let nodes = lines.iter().map(|(package, deps)| {
        let deps = deps.split_whitespace().map(|dep| {
            let (name, kind) = dep.split_once('?').map_or((dep, None), |(name, kind)| (name, Some(kind)));
            serde_json::json!({"pkg": name.trim_end_matches('!'), "dep_kinds": [{"kind": kind}]})
        });
        let id = package.split(' ').next().unwrap_or_default();
        serde_json::json!({"id": id, "deps": deps.collect::<Vec<_>>()})
    });
    let value = serde_json::json!({"packages": packages.collect::<Vec<_>>(),
        "resolve": {"nodes": nodes.collect::<Vec<_>>()}});
    serde_json::from_value(value).unwrap()
}

#[test]
fn what_only_tests_and_builds_need_is_not_linked() {
    let graph = graph(
        "hub-platform -> a b?build c?dev m!
         a 1.0.0 -> d
         b 1.0.0 -> e
         c 1.0.0 ->
         d 1.0.0 ->
         e 1.0.0 ->
         m 1.0.0 -> f
         f 1.0.0 ->",
    );
    let shown = |ids: Ids<'_>| ids.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(shown(graph.linked(graph.host())), "a d hub-platform");
    assert_eq!(shown(graph.needed()), "a b d e f hub-platform m");
}
