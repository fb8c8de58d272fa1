//! `cargo xtask check --dbt`: what dbt itself finds in a project, as findings with a place. Nothing is written into the
//! plugin. Runs where the test command has prepared dbt, since the first run downloads the parser.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hub_tests::xtask::{prepared, run, xtask};
use tempfile::TempDir;

const STAGING: &str = "dbt/models/staging/stg_patient_flow__items.sql";
const MART: &str = "dbt/models/marts/mart_patient_flow__monthly_items.sql";

/// A new plugin: the folder of plugins that it is alone in, and its own.
fn new_plugin() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut make = xtask(["new-plugin", "patient-flow", "--plugins"]);
    make.arg(root.path());
    run(make).expect(0);
    let plugin = root.path().join("patient-flow");
    (root, plugin)
}

/// Breaks a new plugin in one way; gives the findings as `code file:line: message (help)`.
fn findings(break_it: impl Fn(&Path)) -> Vec<String> {
    let (root, plugin) = new_plugin();
    break_it(&plugin);

    let mut check = xtask(["check", "--dbt", "--message-format", "json", "--plugins"]);
    check.arg(root.path());
    let messages = run(check).expect(1).messages();
    assert!(!plugin.join("dbt/target").exists() && !plugin.join("dbt/logs").exists());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let found = messages.iter().filter(|message| message["type"] == "diagnostic");
    found
        .map(|found| {
            let file = text(&found["file"]);
            let file = file.split("patient-flow/").nth(1).unwrap_or_default().to_string();
            let (code, message, help) = (text(&found["code"]), text(&found["message"]), text(&found["help"]));
            format!("{code} {file}:{}: {message} ({help})", found["line"])
        })
        .collect()
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    fs::write(path, text.replace(from, to)).expect("a file");
}

#[test]
fn what_dbt_finds_has_a_place_and_a_way_out() {
    if prepared("HUB_DBT").is_none() {
        return;
    }
    let found = findings(|plugin| replace(&plugin.join(MART), "flow__items'", "flow__item'"));
    let wanted = format!(
        "HUB098 {MART}:5: `ref('stg_patient_flow__item')` leads to no model or seed \
         (did you mean `stg_patient_flow__items` or `patient_flow_items`?)"
    );
    assert_eq!(found, [wanted]);

    let found = findings(|plugin| replace(&plugin.join(STAGING), "ref(", "source('raw', "));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("HUB098 {STAGING}:7: the source `raw.")), "{found:?}");

    let found = findings(|plugin| {
        let copy = plugin.join("dbt/models/stg_patient_flow__items.sql");
        fs::copy(plugin.join(STAGING), copy).expect("a copy");
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("two models of one dbt project are called `stg_patient_flow__items`"),
        "{found:?}"
    );

    let found = findings(|plugin| {
        let seeds = plugin.join("dbt/seeds");
        fs::create_dir(seeds.join("more")).expect("a folder");
        let name = "patient_flow_items.csv";
        fs::copy(seeds.join(name), seeds.join("more").join(name)).expect("a copy");
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("HUB099 dbt/seeds/"), "{found:?}");

    let found =
        findings(|plugin| fs::write(plugin.join("dbt/models/more.yml"), "models: [\n").expect("a file"));
    assert!(found[0].starts_with("HUB097 dbt/models/more.yml:"), "{found:?}");
}

/// When each folder and file below one was changed last, and a file's bytes.
fn state(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).expect("a time");
    let mut found = BTreeMap::from([(folder.to_path_buf(), (changed(folder), Vec::new()))]);
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(state(&path));
        } else {
            found.insert(path.clone(), (changed(&path), fs::read(&path).expect("a file")));
        }
    }
    found
}

#[test]
fn d5_a_project_that_may_not_be_written_to_is_checked_and_stays_as_it_is() {
    if prepared("HUB_DBT").is_none() {
        return;
    }
    let (root, plugin) = new_plugin();
    let before = state(&plugin);
    // Who runs this may be root, whom no mode keeps out: so the state is compared, too.
    for path in before.keys().rev() {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
    }
    let mut check = xtask(["check", "--dbt", "--plugins"]);
    check.arg(root.path());
    let ran = run(check);
    let after = state(&plugin);
    // A folder may be changed again before what is in it.
    before.keys().filter(|path| path.is_dir()).for_each(|path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("rights");
    });
    ran.expect(0);
    assert!(after == before, "something in the plugin was changed");
}
