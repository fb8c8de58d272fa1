//! The registry of diagnostic codes against the sources that give them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hub_manifest::codes::{CODES, Code};
use hub_manifest::diagnostic::Level;

/// Where codes are given, relative to this crate.
const SOURCES: &[&str] = &[
    "src",
    "../manifest/src",
    "../bundle/src",
    "../host-template/runtime/src",
    "../macros/src",
    "../xtask/src",
];

/// What a source says of each code that it names by its constant: the levels that the text shows.
fn used() -> BTreeMap<Code, BTreeSet<Level>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used: BTreeMap<Code, BTreeSet<Level>> = BTreeMap::new();
    for source in SOURCES {
        for file in walkdir::WalkDir::new(here.join(source)) {
            let file = file.expect("a source");
            let path = file.path();
            let rust = path.extension().is_some_and(|extension| extension == "rs");
            let other =
                path.components().any(|part| part.as_os_str() == "codes" || part.as_os_str() == "tests.rs");
            if !rust || other {
                continue;
            }
            let text = fs::read_to_string(path).expect("a source");
            let tests = ["#[cfg(test)]\nmod ", "#[cfg(test)]\npub(crate) mod "];
            let end = tests.iter().filter_map(|begin| text.find(begin)).min().unwrap_or(text.len());
            let told = &text[..end];
            for (at, _) in told.match_indices("\"HUB") {
                let id = told.get(at + 1..at + 7).unwrap_or_default();
                let is_code = id.bytes().skip(3).filter(u8::is_ascii_digit).count() == 3;
                // A code that is written as text would escape the compiler.
                assert!(!is_code, "{}: name {id} by its constant", path.display());
            }
            for (at, path) in told.match_indices("codes::") {
                let Some(code) = named(&told[at + path.len()..]) else { continue };
                let levels = used.entry(code).or_default();
                let before = told[..at].trim_end();
                levels.extend(before.ends_with("error(").then_some(Level::Error));
                levels.extend(before.ends_with("warning(").then_some(Level::Warning));
            }
        }
    }
    used
}

/// The code whose constant a text begins with.
fn named(text: &str) -> Option<Code> {
    let end = text.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    let name = &text[..end.unwrap_or(text.len())];
    CODES.iter().copied().find(|code| code.entry().constant == name)
}

#[test]
fn every_code_in_the_registry_is_in_use() {
    let used = used();
    assert!(used.len() > 60, "the sources are not where they were: {used:?}");
    let unused: Vec<_> = CODES.iter().filter(|code| !used.contains_key(code)).collect();
    assert!(unused.is_empty(), "no source gives {unused:?}: remove the entries");
}

#[test]
fn a_code_has_the_level_that_the_sources_give_it() {
    for (code, levels) in used() {
        let known = BTreeSet::from([code.entry().level]);
        if levels.len() == 1 {
            assert_eq!(
                levels, known,
                "the level of {code} in manifest/src/codes is another one in the sources"
            );
        }
    }
}

/// Where codes are expected, relative to this crate.
const TESTS: &[&str] = &[
    "src",
    "tests",
    "../bundle/tests",
    "../bundle/src",
    "../tests/tests",
    "../xtask/src",
    "../manifest/tests",
];

/// Every test's text: files of tests, what is written down for them, and the tests at the end of a source.
fn tested() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for folder in TESTS {
        for file in walkdir::WalkDir::new(here.join(folder)) {
            let file = file.expect("a file");
            let path = file.path();
            let wanted = path.extension().is_some_and(|extension| extension == "rs" || extension == "snap");
            if !wanted
                || !file.file_type().is_file()
                || path.file_name().is_some_and(|name| name == "codes.rs")
            {
                continue;
            }
            let text = fs::read_to_string(path).expect("a text");
            let whole =
                !folder.ends_with("src") || path.extension().is_some_and(|extension| extension == "snap");
            let whole = whole || path.ends_with("tests.rs");
            all.push_str(if whole {
                &text
            } else {
                text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests)
            });
        }
    }
    all
}

#[test]
fn every_code_is_hit_by_a_test() {
    let tested = tested();
    let missing: Vec<_> = CODES.iter().filter(|code| !tested.contains(code.id())).collect();
    assert!(missing.is_empty(), "no test expects {missing:?}");
}
