//! Which drivers Python really can import. It is asked once, and again when another set is installed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::aliases::plain;
use super::{MOST, python, python_path, python_program};
use crate::process::Job;
use crate::runs::fences;
use crate::settings::reason;

const SCRIPT: &str = include_str!("importable.py");

/// How long all imports together may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long an answer counts that may be another one the next time.
const SHORT: Duration = Duration::from_secs(30);

/// The module of each package that connectors use. Of others, what pip has noted of their files tells it.
const MODULES: &[(&str, &str)] = &[
    ("chromadb", "chromadb"),
    ("faiss-cpu", "faiss"),
    ("google-analytics-data", "google.analytics.data_v1beta"),
    ("google-cloud-bigquery", "google.cloud.bigquery"),
    ("oracledb", "oracledb"),
    ("oss2", "oss2"),
    ("pymongo", "pymongo"),
    ("pymssql", "pymssql"),
    ("pymysql", "pymysql"),
    ("snowflake-connector-python", "snowflake.connector"),
    ("torch", "torch"),
];

/// What came of importing a package's module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Import {
    /// It is there and works.
    Works,
    /// There is no such module.
    Missing,
    /// It is there but does not work, or could not be asked; why.
    Fails(String),
}

/// The answers, kept for as long as they hold.
#[derive(Default)]
pub(crate) struct Importable(Mutex<Option<Known>>);

struct Known {
    key: Key,
    until: Option<Instant>,
    found: Arc<BTreeMap<String, Import>>,
}

/// What the answers depend on.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    packages: Vec<String>,
    python: PathBuf,
    drivers: Option<PathBuf>,
    changed: Option<SystemTime>,
}

impl Key {
    fn now(data: &Path, packages: Vec<String>) -> Key {
        let python = python_program(data);
        let drivers = python_path(data);
        let changed = drivers.as_ref().and_then(|folder| folder.metadata().ok()?.modified().ok());
        Key { packages, python: python.canonicalize().unwrap_or(python), drivers, changed }
    }
}

impl Importable {
    /// Tries all of these packages; gives the answers by plain name. Several callers wait for one attempt.
    pub(crate) async fn all(&self, data: &Path, packages: &[&str]) -> Arc<BTreeMap<String, Import>> {
        let mut packages: Vec<String> = packages.iter().map(|package| plain(package)).collect();
        packages.sort();
        packages.dedup();
        let mut known = self.0.lock().await;
        let place = data.to_owned();
        let names = packages.clone();
        let Ok(key) = tokio::task::spawn_blocking(move || Key::now(&place, names)).await else {
            return Arc::default();
        };
        if let Some(known) = &*known
            && known.key == key
            && known.until.is_none_or(|until| Instant::now() < until)
        {
            return known.found.clone();
        }
        let (found, lasts) = attempt(data, packages).await;
        let found = Arc::new(found);
        *known = Some(Known { key, until: (!lasts).then(|| Instant::now() + SHORT), found: found.clone() });
        found
    }
}

#[derive(Deserialize)]
struct Line {
    package: String,
    state: String,
    text: String,
}

/// Imports in one process; where a module takes it down, another goes on with those after it. Also tells whether the
/// answers are the same as long as nothing is installed.
async fn attempt(data: &Path, packages: Vec<String>) -> (BTreeMap<String, Import>, bool) {
    let mut found = BTreeMap::new();
    let mut left: Vec<String> = packages;
    let begun = Instant::now();
    while !left.is_empty() {
        let input: Vec<(&str, Option<&str>)> =
            left.iter().map(|name| (name.as_str(), module(name))).collect();
        let input = serde_json::to_string(&input).unwrap_or_default();
        let heard = match tried(data, input).ask(MOST, LIMIT.saturating_sub(begun.elapsed())).await {
            Ok(heard) => heard,
            Err(e) => {
                let why = no_python(&python_program(data), &e);
                found.extend(left.into_iter().map(|name| (name, Import::Fails(why.clone()))));
                return (found, false);
            }
        };
        for line in heard.out.lines() {
            let Ok(Line { package, state, text }) = serde_json::from_str(line) else { continue };
            let import = match state.as_str() {
                "works" => Import::Works,
                "missing" => Import::Missing,
                _ => Import::Fails(format!("the driver cannot be imported: {}", one_line(&text))),
            };
            left.retain(|name| *name != package);
            found.insert(package, import);
        }
        if heard.late {
            let why = format!("importing the drivers took longer than {} seconds", LIMIT.as_secs());
            found.extend(left.into_iter().map(|name| (name, Import::Fails(why.clone()))));
            return (found, false);
        }
        if !left.is_empty() {
            let last = heard.err.lines().last().map(one_line).unwrap_or_default();
            found.insert(left.remove(0), Import::Fails(format!("importing the driver ends Python: {last}")));
        }
    }
    (found, true)
}

/// The process that imports them. Some take gigabytes of addresses, little of which they use.
fn tried(data: &Path, input: String) -> Job {
    let job = Job {
        read: fences::programs(data),
        hide: fences::hidden(data),
        sockets: fences::sockets(data),
        memory: 8 << 30,
        ..Job::new(python_program(data))
    };
    python(job, data, SCRIPT, input)
}

fn module(package: &str) -> Option<&'static str> {
    MODULES.iter().find(|(name, _)| *name == package).map(|(_, module)| *module)
}

/// What is said where Python does not run.
pub(crate) fn no_python(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "Python is not installed (Debian: apt install python3)".to_owned(),
        _ => format!("cannot run {}: {}", program.display(), reason(error)),
    }
}

/// A message on one line, of bearable length.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
