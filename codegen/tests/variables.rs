//! The table of environment variables against the sources: each name stands in it, and sources take it from there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hub_manifest::environment::{BUILD, HANDOVER, HOST, RUN};

/// Where variables are read and given, relative to this crate.
const SOURCES: &[&str] = &[
    "src",
    "../host-template/runtime/src",
    "../launcher/src",
    "../manifest/src",
    "../release/src",
    "../xtask/src",
];

/// The files that write a name out, and why they may.
const WRITTEN_OUT: &[(&str, &str)] = &[
    // Links hub-release and nothing else.
    ("../launcher/src/main.rs", "INSTALL_DIR"),
    // An option of dbt, behind `DBT_`.
    ("../host-template/runtime/src/runs/variables.rs", "LOG_FORMAT"),
];

#[test]
fn a_source_names_a_variable_by_its_constant() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: BTreeSet<&str> =
        [HOST, RUN, HANDOVER, BUILD].into_iter().flatten().map(|about| about.name).collect();
    let mut found: BTreeSet<(String, &str)> = BTreeSet::new();
    for source in SOURCES {
        for file in walkdir::WalkDir::new(here.join(source)) {
            let file = file.expect("a source");
            let path = file.path();
            let tests = path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs");
            if tests || path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(path).expect("a source");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let inner = path.strip_prefix(here).expect("a path below this crate").display().to_string();
            let named = text.split('"').filter_map(|piece| names.get(piece));
            found.extend(named.map(|name| (inner.clone(), *name)));
        }
    }
    let allowed: BTreeSet<(String, &str)> =
        WRITTEN_OUT.iter().map(|(file, name)| ((*file).to_owned(), *name)).collect();
    assert_eq!(found, allowed, "name the variable by its constant in hub_manifest::environment");
}
