//! Every dbt workspace of the release, built by a real dbt on DuckDB. The test command makes the environment and names
//! its dbt in `HUB_DBT`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hub_tests::release::Built;
use hub_tests::xtask::{prepared, run};
use serde_json::Value;

#[test]
fn every_workspace_builds() {
    let Some(dbt) = prepared("HUB_DBT") else { return };
    let installed = Built::shared().unpack();
    let release = installed.release();
    let listed: Value =
        serde_json::from_slice(&fs::read(release.join("dbt/workspaces.json")).expect("the list"))
            .expect("JSON");
    let work = tempfile::tempdir().expect("a temporary folder");
    for workspace in listed["workspaces"].as_array().expect("workspaces") {
        let slug = workspace["slug"].as_str().expect("a slug");
        let project = release.join(workspace["project_dir"].as_str().expect("a folder"));
        let profile = workspace["profile"].as_str().expect("a profile");
        build(&dbt, &work.path().join(slug), &project, profile);
    }
}

fn build(dbt: &Path, work: &Path, project: &Path, profile: &str) {
    fs::create_dir_all(work).expect("a folder");
    let database: PathBuf = work.join("warehouse.duckdb");
    let profiles = format!(
        "{profile}:\n  target: test\n  outputs:\n    test:\n      type: duckdb\n      path: {}\n      threads: 1\n",
        database.display()
    );
    fs::write(work.join("profiles.yml"), profiles).expect("profiles.yml");
    let mut command = Command::new(dbt);
    command.arg("build").arg("--project-dir").arg(project).arg("--profiles-dir").arg(work);
    command.arg("--target-path").arg(work.join("target")).arg("--log-path").arg(work.join("logs"));
    command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false").current_dir(work);
    let ran = run(command).expect(0);
    assert!(ran.stdout.contains("ERROR=0"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Nothing to do"), "{} has no models:\n{}", project.display(), ran.stdout);
}
