//! The guide for plugin authors, followed to the letter: its commands and code blocks make a plugin that `check`
//! has nothing against.

use std::fs;
use std::path::PathBuf;

use hub_tests::xtask::{Ran, prepared, repo, run, xtask};

/// The fenced blocks of a language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_string).collect()
}

/// The guide's plugin root, as its commands and edits find it.
struct Followed {
    guide: String,
    root: tempfile::TempDir,
}

impl Followed {
    /// Runs the guide's first command.
    fn begin() -> Followed {
        let guide = fs::read_to_string(repo().join("docs/plugin-author.md")).expect("the guide");
        let followed = Followed { guide, root: tempfile::tempdir().expect("a temporary folder") };
        let commands = blocks(&followed.guide, "sh");
        // `dev` never ends; its parts are what the tests of a release go through.
        let known = ["new-plugin patient-flow", "check", "dev", "check --dbt"];
        let known = known.map(|command| format!("cargo xtask {command}\n"));
        assert_eq!(commands, known, "a command that this test does not run");
        followed.run("new-plugin patient-flow").expect(0);
        followed
    }

    /// Runs one of the guide's commands over a folder of its own.
    fn run(&self, command: &str) -> Ran {
        let mut xtask = xtask(command.split(' '));
        xtask.arg("--plugins").arg(self.root.path());
        run(xtask)
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.root.path().join("patient-flow").join(inner)
    }

    fn write(&self, inner: &str, text: &str) {
        fs::write(self.path(inner), text).expect("a file");
    }

    /// Replaces a text that must be there.
    fn edit(&self, inner: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(inner)).expect("a file");
        assert!(text.contains(from), "{inner} has no {from}");
        self.write(inner, &text.replace(from, to));
    }
}

#[test]
fn the_guide_for_plugin_authors_gives_a_sound_plugin() {
    let followed = Followed::begin();
    let sound = |command: &str| {
        let ran = followed.run(command).expect(0);
        assert!(ran.stderr.contains("1 vertical plugin checked"), "{}", ran.stderr);
    };
    sound("check --deny-warnings");
    let of = |language: &str| blocks(&followed.guide, language);
    let (yaml, rust, tsx) = (of("yaml"), of("rust"), of("tsx"));
    followed.write("frontend/src/AboutPage.tsx", &tsx[0]);
    followed.write("frontend/src/pages.tsx", &tsx[1]);
    followed.write("frontend/src/Dashboard.tsx", &tsx[2]);
    followed.write("frontend/overrides.json", &of("json")[0]);
    followed.write("frontend/src/surfaces.ts", &of("ts")[0]);
    followed.write("backend/src/greeting.rs", &rust[0]);
    followed.write("backend/src/lib.rs", &rust[1]);
    followed.edit("plugin.yaml", "routers:\n  - plugins.patient_flow.backend.items:router\n", &yaml[0]);
    sound("check --deny-warnings");
    // The test command has installed dbt's parser by now; without it this would download it.
    if prepared("HUB_DBT").is_some() {
        sound("check --dbt --deny-warnings");
    }
}

#[test]
fn the_guide_shows_messages_as_they_are() {
    let followed = Followed::begin();
    followed.edit("plugin.yaml", "migrations: ", "migration: ");
    followed.edit("plugin.yaml", "items:router", "items:routes");
    followed.edit("frontend/overrides.json", "\"records.card\"", "\"record.card\"");
    let said = followed.run("check").expect(1).stderr;
    let said = said.replace(&format!("{}/", followed.root.path().display()), "plugins/");
    let shown = blocks(&followed.guide, "text");
    assert_eq!(shown.len(), 3);
    for message in shown {
        assert!(said.contains(&message), "the guide shows\n{message}\nand this is said:\n{said}");
    }
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
