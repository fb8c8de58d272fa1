//! Manifests are untrusted: whatever they hold, reading one is bounded in size, depth, number and time, and nothing
//! that cannot be seen gets as far as a terminal or a page.

use std::path::Path;

use hub_manifest::grammar::nearest;
use hub_manifest::source::Source;
use hub_manifest::visible::hidden_character;
use hub_manifest::{dbt_project, plugin};

/// `HUB010 HUB010`: the codes that a manifest gives, with the three required fields in front.
fn codes(lines: &str) -> String {
    let text = format!("name: crm\nversion: 1.0.0\ndisplay_name: CRM\n{lines}");
    let source = Source::decode(Path::new("plugin.yaml"), text.as_bytes()).expect("a text within bounds");
    let (_, found) = plugin::parse(&source, "crm");
    found.iter().map(|found| found.code.id()).collect::<Vec<_>>().join(" ")
}

#[test]
fn texts_and_keys_end_somewhere() {
    assert_eq!(codes(&format!("author: {}", "x".repeat(1000))), "");
    assert_eq!(codes(&format!("author: {}", "x".repeat(1001))), "HUB006");
    assert_eq!(codes(&format!("description: {}", "x ".repeat(9000))), "");
    assert_eq!(codes(&format!("description: {}", "x ".repeat(11_000))), "HUB006");
    assert_eq!(codes(&format!("{}: 1", "x".repeat(1001))), "HUB006");
}

#[test]
fn what_cannot_be_seen_is_refused() {
    for text in ["\\e[31mred", "a\\u202Eb", "a\\u2066b", "a\\u200Bb", "a\\0b", "a\\x7Fb", "a\\nb"] {
        assert_eq!(codes(&format!("author: \"{text}\"")), "HUB008", "{text}");
        assert_eq!(codes(&format!("nav: [{{label: \"{text}\", path: /crm}}]")), "HUB008", "{text}");
        assert_eq!(codes(&format!("\"{text}\": 1")), "HUB008", "{text}");
    }
    assert_eq!(codes("description: |\n  two\n  lines\n\n  and more\n"), "");
    assert_eq!(codes("author: >\n  one\n  line\n"), "");
    for text in ["Überraschung", "医療", "👩‍⚕️", "עברית", "می‌خواهم"] {
        assert_eq!(hidden_character(text), None, "{text}");
    }
}

#[test]
fn paths_stay_inside_the_plugin() {
    for path in ["../x", "a/../../x", "/etc/passwd", "~/x", "c:/x", "a\\\\b", "a\\0b", "a\\tb"] {
        let found = codes(&format!("migrations: \"{path}\""));
        assert!(["HUB018", "HUB008"].contains(&found.as_str()), "{path}: {found}");
    }
}

#[test]
fn near_names_are_found_among_many_and_long_ones() {
    let many: Vec<String> =
        (0..10_000).map(|n| format!("plugin-number-{n:05}-{}", "x".repeat(n % 20))).collect();
    let candidates = || many.iter().map(String::as_str).chain(["finance"]);
    assert_eq!(nearest("finence", candidates()), ["finance"]);
    assert!(nearest(&"x".repeat(100_000), candidates()).is_empty());
    let long = "finance".repeat(100_000);
    assert!(nearest("finance", [long.as_str()]).is_empty());
    assert_eq!(nearest("médical", ["medical"]), ["medical"]);
}

#[test]
fn a_dbt_project_gives_its_name_and_the_folders_of_its_models() {
    let check = |text: &str, name: Option<&str>, paths: &[&str], codes: &str| {
        let source = Source::decode(Path::new("dbt/dbt_project.yml"), text.as_bytes()).expect("a text");
        let (project, found) = dbt_project::parse(&source, "crm");
        let found = found.iter().map(|found| found.code.id()).collect::<Vec<_>>().join(" ");
        assert_eq!(
            (found.as_str(), project.name.as_ref().map(|name| name.value.as_str())),
            (codes, name),
            "{text}"
        );
        assert_eq!(project.model_paths, paths, "{text}");
    };
    check("name: hub_crm\n", Some("hub_crm"), &["models"], "");
    check("name: a\nmodel-paths: [./one, two/three]\n", Some("a"), &["one", "two/three"], "");
    check("name: a\nmodel-paths: [../other]\n", Some("a"), &[], "HUB018");
    check("name: my-crm\n", None, &["models"], "HUB012");
    check("version: 1\n", None, &["models"], "HUB010");
    check("- a\n", None, &[], "HUB004");
    check("name: [a\n", None, &[], "HUB003");
}
