//! The command line of a run: dbt with its profile, or Python with a script; and where both keep what they make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Kind;
use super::recipe::Recipe;
use crate::drivers;

/// What is said where there is no dbt.
pub(crate) const NO_DBT: &str = "dbt is not installed: run `hub-platform drivers install dbt`";

/// Folder of an organisation's workspace: its database, and dbt's own files.
pub(crate) fn work_folder(data: &Path, org: &str, workspace: &str) -> PathBuf {
    data.join("dbt/work")
        .join(org)
        .join(workspace.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "_"))
}

/// The command; the work folder and the profile are made where they are missing.
pub(super) fn command(data: &Path, work: &Path, recipe: &Recipe) -> io::Result<Command> {
    fs::create_dir_all(work)?;
    let mut command = match recipe.kind {
        Kind::Dbt => dbt(data, work, recipe)?,
        Kind::Script => script(data, recipe),
    };
    command.current_dir(work);
    if let Some(path) = drivers::python_path(data) {
        command.env("PYTHONPATH", path);
    }
    // The host's own secrets are none of a project's business.
    for name in ["DATABASE_URL", "HUB_ADMIN_EMAIL", "HUB_ADMIN_PASSWORD"] {
        command.env_remove(name);
    }
    command.env("HUB_WAREHOUSE", work.join(WAREHOUSE)).env("PYTHONUNBUFFERED", "1");
    Ok(command)
}

const WAREHOUSE: &str = "warehouse.duckdb";

fn dbt(data: &Path, work: &Path, recipe: &Recipe) -> io::Result<Command> {
    let program =
        drivers::dbt_program(data).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, NO_DBT))?;
    if !recipe.path.join("dbt_project.yml").is_file() {
        let text = format!("{} is missing", recipe.path.join("dbt_project.yml").display());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    // What an earlier run left would be taken for this run's result.
    for left in ["run_results.json", "manifest.json"] {
        match fs::remove_file(target(work).join(left)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    let mut command = Command::new(program);
    command.args(["--no-use-colors", "build"]);
    command.arg("--project-dir").arg(&recipe.path).arg("--profiles-dir").arg(profiles(
        data,
        work,
        &recipe.target,
    )?);
    command.arg("--target-path").arg(target(work)).arg("--log-path").arg(work.join("logs"));
    command.env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false");
    Ok(command)
}

/// dbt's target folder.
pub(super) fn target(work: &Path) -> PathBuf {
    work.join("target")
}

/// The folder of `profiles.yml`: the customer's own in the data folder where it has the profile, else one that keeps the
/// data in a DuckDB file of the workspace.
fn profiles(data: &Path, work: &Path, profile: &str) -> io::Result<PathBuf> {
    let own = data.join("dbt");
    if let Ok(text) = fs::read_to_string(own.join("profiles.yml"))
        && text.lines().any(|line| line.trim_end() == format!("{profile}:"))
    {
        return Ok(own);
    }
    let path = serde_json::Value::from(work.join(WAREHOUSE).to_string_lossy().into_owned());
    let name = serde_json::Value::from(profile);
    // JSON is YAML: quoting is its business.
    let text = format!(
        "{{{name}: {{\"target\": \"hub\", \"outputs\": {{\"hub\": {{\"type\": \"duckdb\", \"path\": {path}, \
         \"threads\": 2}}}}}}}}\n"
    );
    fs::write(work.join("profiles.yml"), text)?;
    Ok(work.to_path_buf())
}

fn script(data: &Path, recipe: &Recipe) -> Command {
    let mut command = Command::new(drivers::python_program(data));
    command.arg(&recipe.path).env("HUB_OUTPUT_SCHEMA", &recipe.target);
    command
}
