//! What dbt itself tells of a project after a run: its models, what each is made of, and how each fared.
//!
//! The files are dbt's, and a project's code runs beside it: they are read as what somebody else has written, regular
//! files of a bounded size, and of what is in them only what is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};
use std::path::Path;

use hub_release::beneath::Beneath;
use serde::de::DeserializeOwned;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Where dbt writes them, below the work folder.
const TARGET: &str = "target";
/// Most nodes of a lineage.
const NODES: usize = 20_000;
/// Most bytes of a lineage as JSON, about.
pub(super) const BYTES: usize = 8 << 20;
/// Most characters of a name, and of a message.
const NAME: usize = 500;
const MESSAGE: usize = 4_000;
/// Most names in a list of one node.
const NAMES: usize = 1_000;

/// The models of a project with their edges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Lineage {
    /// By their identifiers.
    pub(crate) nodes: Vec<Node>,
}

/// A lineage as the database has it: text, of which one node at a time is looked at. As values it would take many times the
/// memory.
#[derive(Debug, Deserialize)]
pub(crate) struct Kept {
    nodes: Vec<Box<RawValue>>,
}

impl Kept {
    fn nodes(&self) -> impl Iterator<Item = serde_json::Result<Node>> {
        self.nodes.iter().map(|node| serde_json::from_str(node.get()))
    }

    /// Writes the nodes as a list. They are read for that: an earlier release knew fewer fields.
    pub(crate) fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.nodes.len()))?;
        for node in self.nodes() {
            list.serialize_element(&node.map_err(S::Error::custom)?)?;
        }
        list.end()
    }
}

/// A model, seed, snapshot, source or exposure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Node {
    /// dbt's own: `model.hub_finance.mart_finance__monthly_result`.
    pub(crate) id: String,
    /// Name of the model; with its version where it has one.
    pub(crate) name: String,
    /// `model`, `seed`, `snapshot`, `source` or `exposure`.
    pub(crate) kind: String,
    /// Identifiers of what it is made of.
    pub(crate) parents: Vec<String>,
    /// How it fared: `success`, `error`, `skipped`, and for its tests `pass`, `fail`, `warn`; none where it has not run.
    pub(crate) status: Option<String>,
    /// Seconds that it took.
    pub(crate) seconds: Option<f64>,
    /// What dbt says where something is wrong.
    pub(crate) message: Option<String>,
    /// Names of the tests on it that failed.
    #[serde(default)]
    pub(crate) failed_tests: Vec<String>,
    /// The earlier run that the outcome is of, where the last one did not touch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of_run: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    nodes: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    sources: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    exposures: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    metrics: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    semantic_models: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    saved_queries: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    unit_tests: BTreeMap<String, ManifestNode>,
}

#[derive(Deserialize)]
struct ManifestNode {
    name: String,
    #[serde(default)]
    resource_type: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    version: Option<serde_json::Value>,
    #[serde(default)]
    database: Option<String>,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    config: Option<Config>,
    #[serde(default)]
    depends_on: Option<DependsOn>,
    #[serde(default)]
    attached_node: Option<String>,
}

impl ManifestNode {
    fn parents(&self) -> impl Iterator<Item = &String> {
        self.depends_on.iter().flat_map(|on| on.nodes.iter().flatten())
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    materialized: Option<String>,
    #[serde(default)]
    store_failures: Option<bool>,
}

#[derive(Deserialize)]
struct DependsOn {
    #[serde(default)]
    nodes: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Results {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    unique_id: String,
    status: String,
    #[serde(default)]
    execution_time: f64,
    #[serde(default)]
    message: Option<String>,
}

/// Reads `manifest.json` and `run_results.json` of a work folder, of so many bytes at most; none where dbt did not come so
/// far. The error says what is wrong with them.
pub(super) fn read(work: &Path, most: u64) -> Result<Option<Lineage>, String> {
    let Some(manifest) = file::<Manifest>(work, "manifest.json", most)? else { return Ok(None) };
    let results = file::<Results>(work, "run_results.json", most)?.unwrap_or_default();
    Ok(Some(joined(&manifest, &results).bounded()))
}

/// One of dbt's files; none where it is not there.
fn file<T: DeserializeOwned>(work: &Path, name: &str, most: u64) -> Result<Option<T>, String> {
    let inner = Path::new(TARGET).join(name);
    let wrong = |what: String| format!("cannot read {}: {what}", work.join(&inner).display());
    let opened = match Beneath::open(work).and_then(|folder| folder.file(&inner)) {
        Ok(opened) => opened,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(wrong(e.to_string())),
    };
    let bytes = opened.metadata().map_err(|e| wrong(e.to_string()))?.len();
    if bytes > most {
        return Err(wrong(format!(
            "it has {bytes} bytes, more than the {most} that are read (HUB_DBT_MANIFEST_BYTES)"
        )));
    }
    // What grows meanwhile is cut off, and then no JSON.
    let reader = BufReader::with_capacity(64 << 10, opened.take(most));
    serde_json::from_reader(reader).map(Some).map_err(|e| wrong(e.to_string()))
}

/// Something that the project writes into the database.
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
}

/// What a parsed project would write, and where to.
pub(super) fn relations(work: &Path, most: u64) -> Result<Vec<Relation>, String> {
    let manifest = file::<Manifest>(work, "manifest.json", most)?
        .ok_or_else(|| "dbt parsed the project and wrote no manifest.json".to_owned())?;
    let writes = |node: &ManifestNode| {
        let config = node.config.as_ref();
        match node.resource_type.as_str() {
            "model" => config.and_then(|config| config.materialized.as_deref()) != Some("ephemeral"),
            "seed" | "snapshot" => true,
            // With `--store-failures` in the project's flags a test may write without saying so here; it writes to a
            // schema that is made of the target's, as the models'.
            "test" => config.and_then(|config| config.store_failures) == Some(true),
            _ => false,
        }
    };
    let written = manifest.nodes.into_values().filter(writes);
    Ok(written
        .map(|node| Relation { name: node.name, database: node.database, schema: node.schema })
        .collect())
}

fn joined(manifest: &Manifest, results: &Results) -> Lineage {
    let outcomes: BTreeMap<&str, &Outcome> =
        results.results.iter().map(|outcome| (outcome.unique_id.as_str(), outcome)).collect();
    let shown =
        |node: &ManifestNode| matches!(node.resource_type.as_str(), "model" | "seed" | "snapshot" | "source");
    let listed = || manifest.nodes.iter().chain(&manifest.sources).filter(|(_, node)| shown(node));
    let failed = failed_tests(manifest, &outcomes);
    // What stands between a model and an exposure without being either: a metric is not drawn, what it is made of is.
    let between: BTreeMap<&String, &ManifestNode> =
        manifest.metrics.iter().chain(&manifest.semantic_models).chain(&manifest.saved_queries).collect();
    let parents = |node: &ManifestNode| -> Vec<String> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open: Vec<&String> = node.parents().collect();
        open.reverse();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match between.get(id) {
                Some(node) => open.extend(node.parents()),
                None => found.push(id.clone()),
            }
        }
        found
    };
    let nodes = listed().map(|(id, node)| {
        let outcome = outcomes.get(id.as_str());
        let wrong = outcome.filter(|outcome| !matches!(outcome.status.as_str(), "success" | "pass"));
        Node {
            id: id.clone(),
            name: name(node),
            kind: node.resource_type.clone(),
            parents: parents(node),
            status: outcome.map(|outcome| outcome.status.clone()),
            seconds: outcome.map(|outcome| outcome.execution_time),
            message: wrong.and_then(|outcome| outcome.message.clone()),
            failed_tests: failed.get(id.as_str()).cloned().unwrap_or_default(),
            of_run: None,
        }
    });
    // An exposure is not built: how it fares is how its parents do.
    let exposures = manifest.exposures.iter().map(|(id, node)| Node {
        id: id.clone(),
        name: node.label.clone().filter(|label| !label.is_empty()).unwrap_or_else(|| node.name.clone()),
        kind: "exposure".to_owned(),
        parents: parents(node),
        status: None,
        seconds: None,
        message: None,
        failed_tests: Vec::new(),
        of_run: None,
    });
    Lineage { nodes: nodes.chain(exposures).collect() }
}

fn name(node: &ManifestNode) -> String {
    match &node.version {
        Some(serde_json::Value::Number(version)) => format!("{} v{version}", node.name),
        Some(serde_json::Value::String(version)) => format!("{} v{version}", node.name),
        _ => node.name.clone(),
    }
}

/// The tests that failed, by what they are on.
fn failed_tests<'m>(
    manifest: &'m Manifest,
    outcomes: &BTreeMap<&str, &Outcome>,
) -> BTreeMap<&'m str, Vec<String>> {
    let tests = manifest.nodes.iter().filter(|(_, node)| node.resource_type == "test");
    let mut failed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, test) in tests.chain(&manifest.unit_tests) {
        let is_bad =
            |outcome: &&Outcome| matches!(outcome.status.as_str(), "fail" | "error" | "runtime error");
        if !outcomes.get(id.as_str()).is_some_and(is_bad) {
            continue;
        }
        // One that names no node hangs on everything that it reads.
        let on: Vec<&String> = match &test.attached_node {
            Some(node) => vec![node],
            None => test.parents().collect(),
        };
        for node in on {
            failed.entry(node).or_default().push(test.name.clone());
        }
    }
    failed
}

impl Lineage {
    /// What is kept of it: dbt's file may be anything, and the database is for everybody.
    fn bounded(mut self) -> Lineage {
        self.nodes.truncate(NODES);
        let cut = |text: &mut String, most: usize| {
            if let Some((at, _)) = text.char_indices().nth(most) {
                text.truncate(at);
                text.push('…');
            }
            // PostgreSQL's text holds no NUL.
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        };
        for node in &mut self.nodes {
            node.parents.truncate(NAMES);
            node.failed_tests.truncate(NAMES);
            for text in [&mut node.id, &mut node.name, &mut node.kind].into_iter().chain(&mut node.parents) {
                cut(text, NAME);
            }
            for text in node.failed_tests.iter_mut().chain(&mut node.status) {
                cut(text, NAME);
            }
            if let Some(text) = &mut node.message {
                cut(text, MESSAGE);
            }
        }
        let mut room = BYTES;
        let fits = |node: &&Node| {
            let texts = [&node.id, &node.name, &node.kind].into_iter().chain(&node.parents);
            let texts = texts.chain(&node.failed_tests).chain(&node.status).chain(&node.message);
            // With quotes, what is escaped, and the names of the fields; and with what a text takes of memory beside itself, so
            // that millions of short ones are no more than some long ones.
            let bytes = 200 + texts.map(|text| text.len() + text.len() / 8 + 24).sum::<usize>();
            room = room.saturating_sub(bytes);
            room > 0
        };
        let count = self.nodes.iter().take_while(fits).count();
        self.nodes.truncate(count);
        self
    }

    /// Nodes that this run did not touch keep the outcome of an earlier one, with its identifier: a build of a selection
    /// says nothing of the rest.
    pub(super) fn keeping(mut self, run: &str, earlier: &Kept) -> Lineage {
        let untouched = self.nodes.iter().enumerate();
        let untouched = untouched.filter(|(_, node)| node.status.is_none() && node.failed_tests.is_empty());
        let untouched: BTreeMap<String, usize> =
            untouched.map(|(place, node)| (node.id.clone(), place)).collect();
        // One that cannot be read has no outcome to keep.
        for before in earlier.nodes().flatten().filter(|before| before.status.is_some()) {
            let place = untouched.get(&before.id);
            let Some(node) = place.and_then(|place| self.nodes.get_mut(*place)) else { continue };
            node.status = before.status;
            node.seconds = before.seconds;
            node.message = before.message;
            node.failed_tests = before.failed_tests;
            node.of_run = before.of_run.or_else(|| Some(run.to_owned()));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::scratch::Scratch;

    fn manifest(value: serde_json::Value) -> Manifest {
        serde_json::from_value(value).unwrap()
    }

    fn results(value: serde_json::Value) -> Results {
        serde_json::from_value(serde_json::json!({ "results": value })).unwrap()
    }

    #[test]
    fn models_tests_and_outcomes_are_joined() {
        let manifest = manifest(serde_json::json!({
            "nodes": {
                "seed.p.raw": {"name": "raw", "resource_type": "seed"},
                "model.p.a": {"name": "a", "resource_type": "model", "depends_on": {"nodes": ["seed.p.raw"]}},
                "test.p.unique_a": {"name": "unique_a", "resource_type": "test", "attached_node": "model.p.a",
                                    "depends_on": {"nodes": ["model.p.a"]}},
            },
            "sources": {"source.p.s.t": {"name": "t", "resource_type": "source"}},
        }));
        let results = results(serde_json::json!([
            {"unique_id": "model.p.a", "status": "error", "execution_time": 0.5, "message": "no such column"},
            {"unique_id": "seed.p.raw", "status": "success", "execution_time": 0.1, "message": "INSERT 3"},
            {"unique_id": "test.p.unique_a", "status": "fail"},
        ]));
        let lineage = joined(&manifest, &results);
        let ids: Vec<_> = lineage.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["model.p.a", "seed.p.raw", "source.p.s.t"]);
        let [model, seed, source] = &lineage.nodes[..] else { panic!() };
        assert_eq!(
            (model.status.as_deref(), model.message.as_deref()),
            (Some("error"), Some("no such column"))
        );
        assert_eq!(
            (&model.parents[..], &model.failed_tests[..]),
            (&["seed.p.raw".to_owned()][..], &["unique_a".to_owned()][..])
        );
        assert_eq!((seed.message.as_deref(), source.status.as_deref()), (None, None));
    }

    // D9
    #[test]
    fn d9_exposures_stand_in_the_lineage_and_what_else_dbt_knows_does_not_break_it() {
        let manifest = manifest(serde_json::json!({
            "metadata": {"dbt_schema_version": "v12"},
            "nodes": {
                "model.p.orders.v2": {"name": "orders", "resource_type": "model", "version": 2, "depends_on": {"macros": []}},
                "model.p.time": {"name": "time", "resource_type": "model", "depends_on": null, "version": null, "schema": null},
                "analysis.p.x": {"name": "x", "resource_type": "analysis"},
                "operation.p.h": {"name": "h", "resource_type": "operation"},
            },
            "exposures": {"exposure.p.board": {"name": "board", "label": "Board of orders", "resource_type": "exposure",
                          "depends_on": {"nodes": ["metric.p.count", "model.p.time", "metric.p.count"]}}},
            "metrics": {"metric.p.count": {"name": "count", "resource_type": "metric",
                        "depends_on": {"nodes": ["semantic_model.p.orders", "metric.p.count"]}}},
            "semantic_models": {"semantic_model.p.orders": {"name": "orders", "resource_type": "semantic_model",
                                "depends_on": {"nodes": ["model.p.orders.v2"]}}},
            "saved_queries": {"saved_query.p.q": {"name": "q", "resource_type": "saved_query"}},
            "unit_tests": {"unit_test.p.orders.adds": {"name": "adds", "resource_type": "unit_test",
                           "depends_on": {"nodes": ["model.p.orders.v2"]}, "version": null}},
            "groups": {}, "selectors": {}, "disabled": {"model.p.no": []}, "functions": {},
        }));
        let results = results(serde_json::json!([
            {"unique_id": "unit_test.p.orders.adds", "status": "fail"},
            {"unique_id": "exposure.p.board", "status": "no-op"},
            {"unique_id": "saved_query.p.q", "status": "no-op", "message": "NO-OP"},
        ]));
        let lineage = joined(&manifest, &results);
        let told: Vec<_> = lineage
            .nodes
            .iter()
            .map(|node| {
                format!(
                    "{} {} <- {} {}",
                    node.kind,
                    node.name,
                    node.parents.join(" "),
                    node.failed_tests.join(" ")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "model orders v2 <-  adds",
                "model time <-  ",
                "exposure Board of orders <- model.p.orders.v2 model.p.time "
            ]
        );
    }

    /// As the database gives it back.
    fn kept(lineage: &Lineage) -> Kept {
        serde_json::from_str(&serde_json::to_string(lineage).unwrap()).unwrap()
    }

    // S14
    #[test]
    fn s14_what_an_earlier_release_has_written_is_shown_with_all_fields() {
        let text = r#"{"nodes": [{"id": "a", "name": "a", "kind": "model", "parents": [], "status": null,
                                  "seconds": null, "message": null}]}"#;
        let earlier: Kept = serde_json::from_str(text).unwrap();
        let mut written = Vec::new();
        earlier.write(&mut serde_json::Serializer::new(&mut written)).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written[0]["failed_tests"], serde_json::json!([]));
        let broken: Kept = serde_json::from_str(r#"{"nodes": [7]}"#).unwrap();
        assert!(broken.write(&mut serde_json::Serializer::new(Vec::new())).is_err());
    }

    // S7, S14
    #[test]
    fn s7_many_short_names_are_no_more_than_some_long_ones() {
        let node = |n: usize| Node {
            id: n.to_string(),
            name: String::new(),
            kind: "model".to_owned(),
            parents: vec![String::new(); NAMES],
            status: None,
            seconds: None,
            message: None,
            failed_tests: Vec::new(),
            of_run: None,
        };
        let bounded = Lineage { nodes: (0..NODES / 10).map(node).collect() }.bounded();
        assert!(bounded.nodes.len() * NAMES * size_of::<String>() <= BYTES, "{}", bounded.nodes.len());
    }

    // D9
    #[test]
    fn d9_what_a_run_did_not_touch_keeps_its_outcome() {
        let node = |id: &str, status: Option<&str>| Node {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: "model".to_owned(),
            parents: Vec::new(),
            status: status.map(str::to_owned),
            seconds: status.map(|_| 1.0),
            message: None,
            failed_tests: Vec::new(),
            of_run: None,
        };
        let of = |nodes: &[Node]| Lineage { nodes: nodes.to_vec() };
        let first =
            of(&[node("a", Some("success")), node("b", Some("error")), node("gone", Some("success"))]);
        let second =
            of(&[node("a", None), node("b", Some("success")), node("new", None)]).keeping("1", &kept(&first));
        let third = of(&[node("a", None), node("b", None), node("new", None)]).keeping("2", &kept(&second));
        let told: Vec<_> =
            third.nodes.iter().map(|node| (node.status.as_deref(), node.of_run.as_deref())).collect();
        assert_eq!(told, [(Some("success"), Some("1")), (Some("success"), Some("2")), (None, None)]);
    }

    // D9, S7
    #[test]
    fn s7_a_pipe_or_a_large_file_in_the_place_of_dbts_own_is_an_error() {
        let work = Scratch::new("lineage");
        let folder = work.join(TARGET);
        fs::create_dir_all(&folder).unwrap();
        let read = || super::read(&work, 1 << 20);
        assert_eq!((read(), super::read(&work.join("none"), 9)), (Ok(None), Ok(None)));
        fs::write(folder.join("manifest.json"), "{}").unwrap();
        assert_eq!(read(), Ok(Some(Lineage::default())));
        let ran = std::process::Command::new("mkfifo").arg(folder.join("run_results.json")).status().unwrap();
        assert!(ran.success());
        assert!(read().unwrap_err().ends_with("it is not a regular file"));
        fs::remove_file(folder.join("run_results.json")).unwrap();
        fs::File::create(folder.join("manifest.json")).unwrap().set_len(3 << 30).unwrap();
        assert!(read().unwrap_err().contains("more than the 1048576 that are read"));
        fs::write(folder.join("manifest.json"), "{\"nodes\": ").unwrap();
        assert!(read().unwrap_err().contains("EOF"));
        let long = serde_json::json!({"nodes": {"model.p.x": {"name": "\u{0}x".repeat(9_000), "resource_type": "model"}}});
        fs::write(folder.join("manifest.json"), long.to_string()).unwrap();
        let name = &read().unwrap().unwrap().nodes[0].name;
        assert!(name.starts_with("\u{fffd}x") && name.chars().count() == NAME + 1);
        fs::rename(&folder, work.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", &folder).unwrap();
        assert!(read().is_err(), "a link is not followed");
    }
}
