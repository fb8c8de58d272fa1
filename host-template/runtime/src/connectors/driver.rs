//! Places that the host talks to through a driver: Python connects, with what it has to know on its standard input.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub_release::beneath::Beneath;
use serde::{Deserialize, Serialize};

use super::servers::name_servers;
use super::test::{Place, job};
use super::{Kind, Parameters, Value};
use crate::drivers::{MOST, no_python, python, python_program};
use crate::process::Job;
use crate::process::network::Network;
use crate::runs::dbt;

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
    let files = match find_paths(kind, place, &mut parameters) {
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
    let job =
        Job { network: Some(network), read_unlinked: files, ..job(place, python_program(data), pinned) };
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

/// Where files of an organisation's connectors lie, in the data folder: those that the operator has put there for it, and what its
/// own runs have made. Everything else of the data folder is the host's, or another organisation's.
fn own_folders(org: &str) -> [PathBuf; 2] {
    [Path::new("connectors").join(org), dbt::work_of(org)]
}

/// Paths below the data folder become whole ones, which the driver gets to see. They lie in a folder of the organisation's; of one that
/// does not, nobody learns whether it is there. No link is followed: runs write there.
fn find_paths(kind: &Kind, place: &Place<'_>, parameters: &mut Parameters) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for field in kind.fields.iter().filter(|field| field.value == Value::Path) {
        let Some(below) = parameters.text(field.name) else { continue };
        let folders = own_folders(place.org);
        if !folders.iter().any(|folder| Path::new(below).starts_with(folder)) {
            let [own, made] = folders.map(|folder| folder.display().to_string());
            return Err(format!(
                "a {name} of a connector lies in `{own}/` of the data folder, or in `{made}/` where runs make it; `{below}` does not",
                name = field.name
            ));
        }
        let unlinked =
            || format!("there is no {} `{below}` in the data folder, or it is behind a link", field.name);
        let data = place.data.canonicalize().map_err(|_| unlinked())?;
        let opened = Beneath::open(&data).and_then(|data| match kind.name {
            "chroma" => data.folder(below).map(Some),
            _ => data.file(below).map(|_| None),
        });
        // Chroma would make a store where there is none.
        if let Some(store) = opened.map_err(|_| unlinked())?
            && store.file("chroma.sqlite3").is_err()
        {
            return Err(format!("the folder `{below}` holds no Chroma store (no chroma.sqlite3)"));
        }
        let path: PathBuf = data.join(below).components().collect();
        parameters.set(field.name, path.display().to_string());
        found.push(path);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hub_manifest::limits::Limits;
    use serde_json::json;

    use super::*;
    use crate::connectors::Tests;
    use crate::reach::Reach;
    use crate::scratch::Scratch;

    #[test]
    fn s5_s16_files_are_those_of_the_organisation() {
        let data = Scratch::new("connectors");
        for file in [
            ".env",
            "vectors/a",
            "connectors/north/a",
            "connectors/south/a",
            "dbt/work/north/w/a",
            "dbt/work/south/w/a",
        ] {
            let file = data.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        std::os::unix::fs::symlink(data.join(".env"), data.join("dbt/work/north/w/link")).unwrap();
        std::os::unix::fs::symlink(data.join("dbt/work/south"), data.join("connectors/north/out")).unwrap();
        let limits = Limits::default();
        let tests = Tests::new(Reach::default(), &limits);
        let place = Place { data: &data, org: "north", limits: &limits, tests: &tests };
        let check = |kind: &str, field: &str, path: &str| {
            let kind = Kind::find(kind).unwrap();
            let mut parameters: Parameters = serde_json::from_value(json!({ field: path })).unwrap();
            find_paths(kind, &place, &mut parameters)
        };
        for good in ["connectors/north/a", "connectors/north/./a", "dbt/work/north/w/a"] {
            let file = data.canonicalize().unwrap().join(good.replace("./", ""));
            assert_eq!(check("faiss", "file", good), Ok(vec![file]));
        }
        // Whether it is there or not, nobody learns.
        for others in [
            ".env",
            "vectors/a",
            "connectors/south/a",
            "connectors/south/no",
            "dbt/work/south/w/a",
            "connectors/northern",
        ] {
            let why = check("faiss", "file", others).unwrap_err();
            assert!(
                why.contains("a file of a connector lies in `connectors/north/` of the data folder")
                    && why.ends_with("does not"),
                "{why}"
            );
        }
        for linked in ["dbt/work/north/w/link", "connectors/north/out/w/a", "connectors/north/no"] {
            let why = check("faiss", "file", linked).unwrap_err();
            assert!(why.contains("there is no file"), "{linked}: {why}");
        }
        assert!(check("chroma", "folder", "dbt/work/north/w").unwrap_err().contains("no Chroma store"));
        fs::write(data.join("dbt/work/north/w/chroma.sqlite3"), "").unwrap();
        assert!(check("chroma", "folder", "dbt/work/north/w").is_ok());
    }
}
