//! `check` with its memories: what the cache on disk or a checker that stays alive answers is what a fresh run finds.

mod fixture;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fixture::{Fixture, as_an_ordinary_user};
use hub_codegen::pipeline::{Checked, Checker, Repo};

/// Longer than what counts as touched just now.
const SETTLED: Duration = Duration::from_millis(40);

const TWO: &str = r#"//- /plugins/crm/plugin.yaml
name: crm
version: 1.0.0
display_name: CRM
routers: [plugins.crm.backend.api:router]
//- /plugins/crm/frontend/overrides.json
{ "overrides": { "dashboard.view": "src/View.tsx" } }
//- /plugins/crm/frontend/src/View.tsx
export default function View() { return <p>View</p>; }
//- /plugins/crm/frontend/src/Same.tsx link=View.tsx
//- /plugins/crm/backend/Cargo.toml
[package]
name = "hub-plugin-crm"
//- /plugins/crm/backend/src/lib.rs
pub mod api;
//- /plugins/crm/backend/src/api.rs
pub fn router() -> Router { Router::new() }
//- /plugins/finance/plugin.yaml
name: finance
version: 1.0.0
display_name: Finance
dependencies: [crm]
"#;

fn repo(fixture: &Fixture) -> Repo {
    let folder = fixture.folder();
    Repo { target: folder.join("target"), root: folder, version: "0.1.0".to_string() }
}

fn checker(fixture: &Fixture, version: &str) -> Checker {
    Checker::new(&repo(fixture), &fixture.roots, version).expect("a version")
}

/// What a run with the cache finds.
fn once(fixture: &Fixture, version: &str) -> Checked {
    checker(fixture, version).check_once().expect("the roots can be read")
}

/// What a run finds that knows nothing.
fn anew(fixture: &Fixture) -> Checked {
    checker(fixture, "0.1.0").check_again().expect("the roots can be read")
}

fn codes(checked: &Checked) -> Vec<&'static str> {
    checked.diagnostics.iter().map(|found| found.code.id()).collect()
}

#[test]
fn every_fixture_gives_the_same_cold_warm_and_watched() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut fixtures: Vec<PathBuf> =
        fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("an entry").path()).collect();
    fixtures.sort();
    let written: Vec<(PathBuf, Fixture)> = fixtures
        .into_iter()
        .map(|path| {
            let fixture = Fixture::new(&fs::read_to_string(&path).expect("a fixture"));
            (path, fixture)
        })
        .collect();
    thread::sleep(SETTLED);
    for (path, fixture) in &written {
        let name = path.display();
        let front = fixture.front(false).resolved;
        let cold = once(fixture, "0.1.0");
        assert_eq!(cold.diagnostics, front.diagnostics, "{name}: cold");
        assert_eq!(cold.plugins, front.plugins, "{name}: cold");
        assert!(!cold.replayed, "{name}: there was nothing to replay");
        let warm = once(fixture, "0.1.0");
        assert!(warm.replayed, "{name}: nothing had changed");
        assert_eq!((&warm.diagnostics, warm.plugins), (&cold.diagnostics, cold.plugins), "{name}: warm");

        let mut watching = checker(fixture, "0.1.0");
        for round in 0..3 {
            let again = watching.check_again().expect("the roots can be read");
            assert_eq!(again.diagnostics, cold.diagnostics, "{name}: watched, round {round}");
            // Nothing that any stage reads.
            fs::write(fixture.roots[0].join(format!("note-{round}")), "x").expect("a file can be written");
        }
        let touched = once(fixture, "0.1.0");
        assert_eq!(touched.diagnostics, cold.diagnostics, "{name}: after an unrelated change");
    }
}

/// One tree that changes again and again, and a checker that watches it.
struct Changing {
    fixture: Fixture,
    watching: Checker,
    /// Watches too, and is told which paths changed.
    told: Checker,
    touched: BTreeSet<PathBuf>,
    /// What was found last.
    last: Vec<String>,
}

impl Changing {
    fn new() -> Changing {
        let fixture = Fixture::new(TWO);
        let mut told = checker(&fixture, "0.1.0");
        told.check_again().expect("the roots can be read");
        let watching = checker(&fixture, "0.1.0");
        let mut changing = Changing { watching, told, touched: BTreeSet::new(), last: Vec::new(), fixture };
        changing.expect("at first", &[]);
        changing
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.fixture.roots[0].join(inner)
    }

    fn read(&self, inner: &str) -> String {
        fs::read_to_string(self.path(inner)).expect("a file")
    }

    /// The path of something that is going to change.
    fn touch(&mut self, inner: &str) -> PathBuf {
        let path = self.path(inner);
        self.touched.insert(path.clone());
        path
    }

    fn write(&mut self, inner: &str, text: &str) {
        fs::write(self.touch(inner), text).expect("a file can be written");
    }

    /// Writes a file of the web shell.
    fn write_shell(&mut self, inner: &str, text: &str) {
        let path = self.fixture.folder().join("host-template/shell").join(inner);
        fs::write(&path, text).expect("a file can be written");
        self.touched.insert(path);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (self.touch(from), self.path(to));
        fs::rename(from, &to).expect("it can be renamed");
        self.touched.insert(to);
    }

    /// What is found after a change: the same anew, from the cache and by the watching checker, at once and later.
    fn expect(&mut self, what: &str, wanted: &[&str]) {
        let fixture = &self.fixture;
        for settle in [false, true] {
            if settle {
                thread::sleep(SETTLED);
            }
            let (cached, fresh) = (once(fixture, "0.1.0"), anew(fixture));
            assert_eq!(codes(&fresh), wanted, "{what}: {:#?}", fresh.diagnostics);
            assert_eq!(cached.diagnostics, fresh.diagnostics, "{what}: cached");
            let watched = self.watching.check_again().expect("the roots can be read");
            assert_eq!(watched.diagnostics, fresh.diagnostics, "{what}: watched");
            assert_eq!(watched.plugins, fresh.plugins, "{what}: watched");
            let told = self.told.check_touched(&std::mem::take(&mut self.touched)).expect("the roots");
            match told {
                Some(told) => assert_eq!(told.diagnostics, fresh.diagnostics, "{what}: told"),
                None => {
                    assert!(settle || what == "at first" || wanted == self.last, "{what}: told of nothing")
                }
            }
        }
        self.last = wanted.iter().map(ToString::to_string).collect();
        assert!(once(fixture, "0.1.0").replayed, "{what}: an unchanged tree is not read again");
    }
}

#[test]
fn edits_are_seen() {
    let mut tree = Changing::new();
    let view = tree.read("crm/frontend/src/View.tsx");
    tree.write("crm/frontend/src/View.tsx", &view.replace("<p>View", "<b>View"));
    tree.expect("an edit of the same length", &["HUB040", "HUB040"]);
    tree.write("crm/frontend/src/View.tsx", &view);
    tree.expect("the edit undone", &[]);

    let api = tree.read("crm/backend/src/api.rs");
    tree.write("crm/backend/src/api.rs", &api.replace("pub", "   "));
    tree.expect("a router made private", &["HUB038"]);
    tree.write("crm/backend/src/api.rs", &api);
    tree.expect("the router public again", &[]);

    let manifest = tree.read("finance/plugin.yaml");
    tree.write("finance/plugin.yaml", &manifest.replace("[crm]", "[cms]"));
    tree.expect("another dependency", &["HUB032"]);

    let app = fs::read_to_string(tree.fixture.folder().join("host-template/shell/src/App.tsx"));
    tree.write_shell("src/App.tsx", &app.expect("the shell").replace("dashboard.view", "dashboard.vie2"));
    tree.expect("another key in the shell", &["HUB077", "HUB032"]);
}

#[test]
fn an_edit_of_the_same_size_and_time_is_seen() {
    let mut tree = Changing::new();
    let path = tree.touch("crm/frontend/src/View.tsx");
    let before = fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time");
    let text = tree.read("crm/frontend/src/View.tsx");
    tree.write("crm/frontend/src/View.tsx", &text.replace("<p>", "<b>"));
    let file = fs::File::options().write(true).open(&path).expect("a file");
    file.set_modified(before).expect("a time can be set");
    tree.expect("an edit with its time set back", &["HUB040", "HUB040"]);
}

#[test]
fn added_files_are_seen() {
    let mut tree = Changing::new();
    fs::create_dir(tree.touch("sales")).expect("a folder can be made");
    tree.expect("an empty folder", &[]);
    tree.write("sales/plugin.yml", "");
    tree.expect("a misnamed manifest", &["HUB028"]);
    tree.rename("sales/plugin.yml", "sales/plugin.yaml");
    tree.expect("an empty manifest", &["HUB002"]);
    tree.write("finance/frontend", "");
    tree.expect("a file that nothing reads", &["HUB002"]);
}

#[test]
fn files_that_go_are_seen() {
    let mut tree = Changing::new();
    fs::remove_file(tree.touch("crm/backend/Cargo.toml")).expect("a file can be removed");
    tree.expect("a crate without manifest", &["HUB073"]);
    fs::remove_dir_all(tree.touch("finance")).expect("a folder can be removed");
    fs::remove_dir_all(tree.touch("crm/backend")).expect("a folder can be removed");
    tree.expect("a crate and a plugin gone", &["HUB073"]);
}

#[test]
fn new_names_are_seen() {
    let mut tree = Changing::new();
    tree.rename("crm/frontend/src/View.tsx", "crm/frontend/src/Other.tsx");
    tree.expect("a file renamed", &["HUB044", "HUB007"]);
    tree.rename("crm/frontend/src/Other.tsx", "crm/frontend/src/View.tsx");
    tree.expect("the file renamed back", &[]);
    tree.rename("crm", "../away");
    tree.expect("a plugin gone", &["HUB032"]);
    tree.rename("../away", "crm");
    tree.expect("the plugin back", &[]);
    tree.rename("crm/frontend/src/Same.tsx", "crm/frontend/src/Link.tsx");
    tree.expect("a link renamed", &[]);
}

#[test]
fn packages_are_seen() {
    let mut tree = Changing::new();
    tree.write_shell("package.json", "{ \"dependencies\": { \"react\": \"19.0.0\" } }");
    tree.write("crm/frontend/package.json", "{ \"dependencies\": { \"react\": \"^18.0.0\" } }");
    tree.expect("another React", &["HUB087"]);
    tree.write_shell("package.json", "{ \"dependencies\": { \"react\": \"18.0.0\" } }");
    tree.expect("the same React", &[]);
    tree.write_shell("package.json", "{}");
    tree.expect("no React in the shell", &[]);
    let own = "crm/frontend/node_modules/react-dom";
    fs::create_dir_all(tree.touch(own)).expect("folders can be made");
    tree.write(&format!("{own}/package.json"), "{}");
    tree.expect("a package in node_modules", &["HUB087"]);
}

#[test]
fn rights_that_change_are_seen() {
    let fixture = Fixture::new(TWO);
    let view = fixture.roots[0].join("crm/frontend/src/View.tsx");
    let allow =
        |mode| fs::set_permissions(&view, fs::Permissions::from_mode(mode)).expect("rights can be set");
    as_an_ordinary_user(|| {
        thread::sleep(SETTLED);
        assert_eq!(codes(&once(&fixture, "0.1.0")), [""; 0]);
        let mut watching = checker(&fixture, "0.1.0");
        watching.check_again().expect("the roots can be read");
        allow(0o000);
        assert!(codes(&once(&fixture, "0.1.0")).contains(&"HUB047"), "a file that may not be read");
        assert_eq!(
            watching.check_again().expect("the roots can be read").diagnostics,
            anew(&fixture).diagnostics
        );
        thread::sleep(SETTLED);
        assert!(codes(&once(&fixture, "0.1.0")).contains(&"HUB047"), "it still may not");
        allow(0o644);
        assert_eq!(codes(&once(&fixture, "0.1.0")), [""; 0], "it may again");
        assert_eq!(codes(&watching.check_again().expect("the roots can be read")), [""; 0]);
    });
}

#[test]
fn a_file_touched_just_now_is_not_trusted() {
    let fixture = Fixture::new(TWO);
    let view = fixture.roots[0].join("crm/frontend/src/View.tsx");
    let text = fs::read_to_string(&view).expect("a file");
    let mut watching = checker(&fixture, "0.1.0");
    // As fast as it goes: many of these fall into one tick of the clock that files are stamped with.
    for round in 0..100 {
        let broken = round % 2 == 0;
        fs::write(&view, if broken { text.replace("<p>", "<b>") } else { text.clone() }).expect("a file");
        let wanted: &[&str] = if broken { &["HUB040", "HUB040"] } else { &[] };
        assert_eq!(codes(&once(&fixture, "0.1.0")), wanted, "cached, round {round}");
        assert_eq!(codes(&watching.check_again().expect("the roots")), wanted, "watched, round {round}");
    }
}

#[test]
fn what_is_remembered_belongs_to_one_question() {
    let fixture = Fixture::new(TWO);
    thread::sleep(SETTLED);
    assert!(!once(&fixture, "0.1.0").replayed);
    assert!(once(&fixture, "0.1.0").replayed);
    assert!(!once(&fixture, "0.2.0").replayed, "another version of the platform");
    assert!(once(&fixture, "0.1.0").replayed, "both are remembered");

    let roots = vec![fixture.roots[0].clone(), fixture.roots[0].clone()];
    let mut twice = Checker::new(&repo(&fixture), &roots, "0.1.0").expect("a version");
    assert!(!twice.check_once().expect("the roots can be read").replayed, "other roots");

    let mut more = fixture.roots.clone();
    more.push(fixture.folder().join("host-template"));
    let mut more = Checker::new(&repo(&fixture), &more, "0.1.0").expect("a version");
    assert!(!more.check_once().expect("the roots can be read").replayed, "one root more");

    let cache = twice.cache();
    for spoilt in ["", "[", "{}", "[{\"key\":1}]", "\u{0}\u{1}", "null"] {
        fs::write(&cache, spoilt).expect("a file can be written");
        assert!(!once(&fixture, "0.1.0").replayed, "a cache that holds {spoilt:?}");
        assert!(once(&fixture, "0.1.0").replayed, "the cache is whole again");
    }
}
