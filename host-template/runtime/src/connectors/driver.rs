//! Places that the host talks to through a driver: Python connects, with what it has to know on its standard input.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::servers::name_servers;
use super::test::{Place, job};
use super::{Kind, Parameters, Value};
use crate::drivers::{MOST, no_python, python, python_program};
use crate::process::Job;
use crate::process::network::Network;

const SCRIPT: &str = include_str!("connect.py");

#[derive(Serialize)]
struct Question<'a> {
    kind: &'a str,
    /// What people call the kind.
    name: &'a str,
    /// Seconds that the driver itself is told, so that the last word is its own.
    timeout: u64,
    port: u16,
    parameters: &'a Parameters,
    /// Networks outside of which the driver reaches nothing; none for all.
    allow: Vec<String>,
    /// Networks that the driver does not reach.
    deny: Vec<String>,
    /// The machine's name servers, which it asks wherever they are.
    names: &'a [IpAddr],
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    message: String,
}

/// Connects: what is there, or why not. None when the time was over.
pub(super) async fn connect(
    kind: &Kind,
    place: &Place<'_>,
    mut parameters: Parameters,
    pinned: Option<(String, IpAddr)>,
    limit: Duration,
) -> (Parameters, Option<Result<String, String>>) {
    let data = place.data;
    let files = match find_paths(kind, data, &mut parameters) {
        Ok(files) => files,
        Err(why) => return (parameters, Some(Err(why))),
    };
    let (allow, deny) = place.tests.reach.lists();
    let timeout = limit.as_secs().saturating_sub(2).max(1);
    let network =
        Network { reach: place.tests.reach.clone(), names: name_servers(), required: !kind.through_python() };
    let question = Question {
        kind: kind.name,
        name: kind.display_name,
        timeout,
        port: parameters.port(kind),
        parameters: &parameters,
        allow,
        deny,
        names: &network.names,
    };
    let input = serde_json::to_string(&question).unwrap_or_default();
    let job = Job { network: Some(network), ..job(place, python_program(data), pinned, files) };
    let job = python(job, data, SCRIPT, input);
    let heard = match job.ask(MOST, limit).await {
        Ok(heard) => heard,
        // It is not Python that is missing.
        Err(e) if e.raw_os_error().is_none() => {
            return (parameters, Some(Err(format!("the test was not started: {e}"))));
        }
        Err(e) => return (parameters, Some(Err(no_python(&python_program(data), &e)))),
    };
    let answer = heard.out.lines().find_map(|line| serde_json::from_str::<Answer>(line).ok());
    let told = match answer {
        Some(Answer { ok: true, message }) => Some(Ok(message)),
        Some(Answer { ok: false, message }) => Some(Err(message)),
        None if heard.late => None,
        None => {
            let last = heard.err.lines().last().unwrap_or_default();
            Some(Err(format!("the driver ended Python: {last}")))
        }
    };
    (parameters, told)
}

/// Paths below the data folder become whole ones, which the driver gets to see. Links do not lead out of it.
fn find_paths(kind: &Kind, data: &Path, parameters: &mut Parameters) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for field in kind.fields.iter().filter(|field| field.value == Value::Path) {
        let Some(below) = parameters.text(field.name) else { continue };
        let nothing = || format!("there is no {} `{below}` in the data folder", field.name);
        let data = data.canonicalize().map_err(|_| nothing())?;
        let path = data.join(below).canonicalize().ok().filter(|path| path.starts_with(&data));
        let path = path.ok_or_else(nothing)?;
        // Chroma would make a store where there is none.
        if kind.name == "chroma" && !path.join("chroma.sqlite3").is_file() {
            return Err(format!("the folder `{below}` holds no Chroma store (no chroma.sqlite3)"));
        }
        parameters.set(field.name, path.display().to_string());
        found.push(path);
    }
    Ok(found)
}
