//! The guide for plugin authors, followed to the letter: its code blocks make a plugin that `check` has nothing against.

use std::fs;

use hub_tests::xtask::{repo, run, xtask};

/// The fenced blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_string).collect()
}

#[test]
fn the_guide_for_plugin_authors_gives_a_sound_plugin() {
    let guide = fs::read_to_string(repo().join("docs/plugin-author.md")).expect("the guide");
    let (yaml, rust, tsx) = (blocks(&guide, "yaml"), blocks(&guide, "rust"), blocks(&guide, "tsx"));
    let root = tempfile::tempdir().expect("a temporary folder");
    let plugin = root.path().join("hello");
    let write = |path: &str, text: &str| {
        let path = plugin.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    // The manifest grows from section to section: name, router, pages, dbt.
    write("plugin.yaml", &yaml.concat());
    write("backend/Cargo.toml", &blocks(&guide, "toml")[0]);
    write("backend/src/lib.rs", &rust[0]);
    write("backend/src/greeting.rs", &rust[1]);
    write("frontend/overrides.json", &blocks(&guide, "json")[0]);
    write("frontend/src/Dashboard.tsx", &tsx[0]);
    write("frontend/src/pages.tsx", &tsx[1]);
    write("frontend/src/Greetings.tsx", "export function Greetings() { return null; }\n");
    // The guide names this file without showing it.
    write("frontend/src/Cards.tsx", "export function RecordCard() { return null; }\n");
    write("frontend/src/surfaces.ts", &blocks(&guide, "ts")[0]);
    write("dbt/dbt_project.yml", "name: hub_hello\n");

    let mut command = xtask(["check", "--deny-warnings", "--plugins"]);
    command.arg(root.path());
    let ran = run(command).expect(0);
    assert!(ran.stderr.contains("1 vertical plugin checked"), "{}", ran.stderr);
}

#[test]
fn every_link_in_the_readme_leads_somewhere() {
    let readme = fs::read_to_string(repo().join("README.md")).expect("README.md");
    let links: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 6, "{links:?}");
    for link in links {
        assert!(repo().join(link).is_file(), "README.md names {link}, which does not exist");
    }
}
