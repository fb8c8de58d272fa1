//! The pages about data in a real browser: builds by a real dbt, recipes, dashboards, datasets, connectors. The steps are
//! in `tests/browser/flow.mjs`; the test command names the browser in `HUB_BROWSER` and dbt in `HUB_DBT`.

use std::fs;
use std::path::Path;
use std::process::Command;

use hub_tests::host::{ADMIN, Host, PASSWORD};
use hub_tests::release::Built;
use hub_tests::xtask::{prepared, repo, run, target};

#[test]
fn the_pages_about_data_show_what_dbt_and_plugins_do() {
    let Some(browser) = prepared("HUB_BROWSER") else { return };
    let Some(dbt) = prepared("HUB_DBT") else { return };
    let installed = Built::shared().unpack();
    let host = Host::start_with(&installed.release(), |data| {
        install(&dbt, data);
        add_plugin(data);
    });
    host.enable_all();
    let bare = Host::start(&installed.release());

    let screenshots = target().join("test/screenshots/flow");
    fs::create_dir_all(&screenshots).expect("a folder for screenshots");
    let mut command = Command::new("node");
    command.arg("flow.mjs").arg(&host.url).arg(&screenshots).arg(&bare.url);
    command.current_dir(repo().join("tests/browser")).env("CHROMIUM", browser);
    command.env("HUB_ADMIN_EMAIL", ADMIN).env("HUB_ADMIN_PASSWORD", PASSWORD);
    let ran = run(command);
    println!("{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}\n{}\n{}", ran.stdout, ran.stderr, host.log());
    assert!(ran.stdout.lines().filter(|line| line.starts_with("ok ")).count() >= 20, "{}", ran.stdout);
    assert!(screenshots.join("flow-built.png").is_file());
}

/// Puts dbt's environment where `hub-platform drivers install dbt` would.
fn install(dbt: &Path, data: &Path) {
    let environment = dbt.parent().and_then(Path::parent).expect("dbt lies in the bin of an environment");
    fs::create_dir_all(data.join("dbt")).expect("a folder for dbt");
    std::os::unix::fs::symlink(environment, data.join("dbt/venv")).expect("a link");
}

/// A plugin of the customer with a script, dataset templates, and a dashboard one block of which nobody has.
fn add_plugin(data: &Path) {
    let root = data.join("plugins/ops");
    fs::create_dir_all(root.join("scripts")).expect("a folder for the plugin");
    fs::write(root.join("plugin.yaml"), PLUGIN).expect("plugin.yaml");
    fs::write(root.join("scripts/forecast.py"), SCRIPT).expect("the script");
}

const PLUGIN: &str = r#"name: ops
version: 0.1.0
display_name: Operations
known_scripts:
  - slug: forecast
    display_name: Forecast of next month
    script_path: scripts/forecast.py
    output_schema: ops
dataset_templates:
  - slug: shipments
    display_name: Shipments
    columns:
      - {name: shipment_id, type: text}
      - {name: shipped_on, type: date}
      - {name: weight_kg, type: number}
  - slug: carriers
    display_name: Carriers
    columns: [{name: carrier, type: text}]
dashboard_seeds:
  - slug: week
    title: Week at a glance
    widgets:
      - block: RecordCard
        props:
          record:
            id: "1"
            patient: Edda Berg
            diagnosis: Arrhythmia
            status: admitted
            facility_id: "1"
            facility: North Clinic
            created_at: "2026-03-02T08:00:00Z"
      - block: Weather
"#;

const SCRIPT: &str = r#""""Prints a forecast, line by line."""

import time

for month in ("April", "May"):
    print(f"forecast of {month}: 12", flush=True)
    time.sleep(0.2)
"#;
