//! Every mistake that `cargo xtask check` can find, each in a fixture of its own, with the exact text that it gives.
//!
//! `fixtures/<code>[-words].txt` holds the files, `snapshots/<the same>.snap` what is said of them. After a change of
//! a sentence: `INSTA_UPDATE=always cargo test -p hub-codegen --test diagnostics`, and read the difference.

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::{Fixture, as_an_ordinary_user};
use hub_manifest::codes::CODES;
use hub_manifest::diagnostic::Diagnostic;

/// Sources of the stages up to the plan, relative to this crate.
const SOURCES: &[&str] = &[
    "../manifest/src",
    "src/scan",
    "src/load/backend.rs",
    "src/load/plugin.rs",
    "src/load/projects.rs",
    "src/load/rust_source.rs",
    "src/load/websource",
    "src/resolve",
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixtures() -> Vec<(String, String)> {
    let entries = fs::read_dir(here("tests/fixtures")).expect("the fixtures");
    let mut all: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a fixture"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_mistake_is_told_as_written_down() {
    as_an_ordinary_user(|| {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let mut failed = Vec::new();
        for (name, text) in fixtures() {
            let fixture = Fixture::new(&text);
            let front = fixture.front(false);
            let found = &front.resolved.diagnostics;
            let code = &name[..6];
            assert!(
                found.iter().any(|found| found.code.id() == code),
                "{name} does not give {code}: {found:#?}"
            );
            found.iter().for_each(|found| well_formed(&name, found));
            let report = fixture.report(&front);
            let compare = || settings.bind(|| insta::assert_snapshot!(name.as_str(), report));
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).is_err() {
                failed.push(name);
            }
        }
        assert!(failed.is_empty(), "other text than written down: {failed:?}");
    });
}

/// What holds for every finding.
fn well_formed(name: &str, found: &Diagnostic) {
    let Diagnostic { message, help, file, plugin, .. } = found;
    let text = format!("{name}: {found:#?}");
    assert!(!help.is_empty(), "no way out in {text}");
    let of_shell = file.as_ref().is_some_and(|file| file.to_string_lossy().contains("host-template/"));
    assert!(file.is_some() && (plugin.is_some() || of_shell), "no place in {text}");
    assert!(!message.ends_with('.') && !help.ends_with('.'), "a full stop in {text}");
    assert!(!message.contains('\n') && !help.contains('\n'), "more than one line in {text}");
    assert!(!message.contains("index 0") && !message.contains("panic"), "a machine's words in {text}");
}

#[test]
fn every_code_has_a_fixture() {
    let mut codes = BTreeSet::new();
    for source in SOURCES {
        for file in walkdir::WalkDir::new(here(source)) {
            let file = file.expect("a source");
            // The registry and the messages between programs name codes, and give none.
            let named_only = file
                .path()
                .components()
                .any(|part| part.as_os_str() == "codes" || part.as_os_str() == "wire");
            if !file.file_type().is_file() || file.file_name() == "tests.rs" || named_only {
                continue;
            }
            let text = fs::read_to_string(file.path()).expect("a source");
            let names = text.split("codes::").skip(1).filter_map(|rest| {
                rest.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).next()
            });
            let given = names.filter_map(|name| CODES.iter().find(|code| code.entry().constant == name));
            codes.extend(given.map(|code| code.to_string()));
        }
    }
    assert!(codes.len() > 40, "the sources are not where they were: {codes:?}");
    let covered: BTreeSet<String> = fixtures().iter().map(|(name, _)| name[..6].to_string()).collect();
    let missing: Vec<_> = codes.difference(&covered).collect();
    assert!(missing.is_empty(), "add tests/fixtures/<code>.txt for {missing:?}");
    let unknown: Vec<_> = covered.difference(&codes).collect();
    assert!(unknown.is_empty(), "no source gives {unknown:?} any more");
}

#[test]
fn a_written_down_text_belongs_to_a_fixture() {
    let names: BTreeSet<String> = fixtures().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(here("tests/snapshots")).expect("the snapshots") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let stored = path.extension().is_some_and(|extension| extension == "snap");
        assert!(!stored || names.contains(&name), "{} is of no fixture", path.display());
    }
}
