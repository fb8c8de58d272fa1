//! Runs of scripts: how one is asked for, watched, and read.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Host;
use super::world::World;

/// Longest wait for the end of a run.
const PATIENCE: Duration = Duration::from_secs(90);

/// Puts a customer plugin into the data folder whose scripts are these: slugs with their Python.
pub fn with_scripts(world: &World, plugin: &str, more: &str, scripts: &[(&str, &str)]) {
    let listed: String = scripts
        .iter()
        .map(|(slug, _)| {
            format!("  - {{slug: {slug}, display_name: {slug}, script_path: scripts/{slug}.py, output_schema: out}}\n")
        })
        .collect();
    let known = if scripts.is_empty() { String::new() } else { format!("known_scripts:\n{listed}") };
    let manifest = format!("name: {plugin}\nversion: 1.0.0\ndisplay_name: {plugin}\n{more}{known}");
    world.folder.write(&format!("data/plugins/{plugin}/plugin.yaml"), &manifest);
    for (slug, text) in scripts {
        world.folder.write(&format!("data/plugins/{plugin}/scripts/{slug}.py"), text);
    }
}

/// Asks for a run of a script; gives its identifier.
pub fn start(host: &Host, plugin: &str, slug: &str) -> String {
    let answer = host.post(&format!("/api/scripts/{plugin}/{slug}/run"), "");
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["state"], "queued");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Asks for a build of a dbt workspace; gives the run's identifier.
pub fn build(host: &Host, workspace: &str) -> String {
    let answer = host.post(&format!("/api/dbt/workspaces/{workspace}/build"), "{}");
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

pub fn run(host: &Host, id: &str) -> Value {
    host.get(&format!("/api/dbt/runs/{id}")).json()
}

pub fn state(host: &Host, id: &str) -> String {
    run(host, id)["state"].as_str().unwrap().to_owned()
}

/// The run once nothing follows any more.
pub fn ended(host: &Host, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let run = run(host, id);
        if !matches!(run["state"].as_str(), Some("queued" | "running")) {
            return run;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end: {run}\n{}", log(host, id));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// It ended well.
pub fn succeeded(host: &Host, id: &str) {
    let run = ended(host, id);
    assert_eq!(run["state"], json!("succeeded"), "{run}\n{}", log(host, id));
}

/// All of its log.
pub fn log(host: &Host, id: &str) -> String {
    let mut text = String::new();
    let mut after = 0;
    loop {
        let chunks = host.get(&format!("/api/dbt/runs/{id}/log?after={after}")).json();
        let chunks = chunks.as_array().unwrap();
        let Some(last) = chunks.last() else { return text };
        after = last["seq"].as_u64().unwrap();
        text.extend(chunks.iter().map(|chunk| chunk["text"].as_str().unwrap()));
    }
}

/// The work folder of a workspace of the organisation that asks, below a data folder of the world's.
pub fn work(world: &World, host: &Host, data: &str, workspace: &str) -> PathBuf {
    let org = host.get("/api/session").json()["org"]["id"].as_str().unwrap().to_owned();
    world.folder.path(&format!("{data}/dbt/work/{org}/{workspace}"))
}
