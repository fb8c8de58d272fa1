//! What dbt itself tells of a project after a run: its models, what each is made of, and how each fared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The models of a project with their edges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Lineage {
    /// By their identifiers.
    pub(crate) nodes: Vec<Node>,
}

/// A model, seed, snapshot or source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Node {
    /// dbt's own: `model.hub_finance.mart_finance__monthly_result`.
    pub(crate) id: String,
    /// Name of the model.
    pub(crate) name: String,
    /// `model`, `seed`, `snapshot` or `source`.
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
}

#[derive(Deserialize)]
struct Manifest {
    nodes: BTreeMap<String, ManifestNode>,
    #[serde(default)]
    sources: BTreeMap<String, ManifestNode>,
}

#[derive(Deserialize)]
struct ManifestNode {
    name: String,
    resource_type: String,
    #[serde(default)]
    depends_on: DependsOn,
    #[serde(default)]
    attached_node: Option<String>,
}

#[derive(Default, Deserialize)]
struct DependsOn {
    #[serde(default)]
    nodes: Vec<String>,
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

/// Reads `manifest.json` and `run_results.json` of a target folder; none where dbt did not come so far.
pub(super) fn read(target: &Path) -> Option<Lineage> {
    let text = fs::read(target.join("manifest.json")).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    let results: Results = fs::read(target.join("run_results.json"))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    Some(joined(&manifest, &results))
}

fn joined(manifest: &Manifest, results: &Results) -> Lineage {
    let outcomes: BTreeMap<&str, &Outcome> =
        results.results.iter().map(|outcome| (outcome.unique_id.as_str(), outcome)).collect();
    let shown =
        |node: &ManifestNode| matches!(node.resource_type.as_str(), "model" | "seed" | "snapshot" | "source");
    let all = || manifest.nodes.iter().chain(&manifest.sources);
    // A test that names no node hangs on everything that it reads.
    let failed_on = |id: &str| -> Vec<String> {
        let tests = manifest.nodes.iter().filter(|(_, node)| node.resource_type == "test");
        let on = tests.filter(|(_, test)| match &test.attached_node {
            Some(node) => node == id,
            None => test.depends_on.nodes.iter().any(|node| node == id),
        });
        let failed = on.filter(|(test, _)| {
            outcomes
                .get(test.as_str())
                .is_some_and(|outcome| matches!(outcome.status.as_str(), "fail" | "error"))
        });
        failed.map(|(_, test)| test.name.clone()).collect()
    };
    let nodes = all()
        .filter(|(_, node)| shown(node))
        .map(|(id, node)| {
            let outcome = outcomes.get(id.as_str());
            let wrong = outcome.filter(|outcome| !matches!(outcome.status.as_str(), "success" | "pass"));
            Node {
                id: id.clone(),
                name: node.name.clone(),
                kind: node.resource_type.clone(),
                parents: node.depends_on.nodes.clone(),
                status: outcome.map(|outcome| outcome.status.clone()),
                seconds: outcome.map(|outcome| outcome.execution_time),
                message: wrong.and_then(|outcome| outcome.message.clone()),
                failed_tests: failed_on(id),
            }
        })
        .collect();
    Lineage { nodes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_tests_and_outcomes_are_joined() {
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "nodes": {
                "seed.p.raw": {"name": "raw", "resource_type": "seed"},
                "model.p.a": {"name": "a", "resource_type": "model", "depends_on": {"nodes": ["seed.p.raw"]}},
                "test.p.unique_a": {"name": "unique_a", "resource_type": "test", "attached_node": "model.p.a",
                                    "depends_on": {"nodes": ["model.p.a"]}},
            },
            "sources": {"source.p.s.t": {"name": "t", "resource_type": "source"}},
        }))
        .unwrap();
        let results: Results = serde_json::from_value(serde_json::json!({"results": [
            {"unique_id": "model.p.a", "status": "error", "execution_time": 0.5, "message": "no such column"},
            {"unique_id": "seed.p.raw", "status": "success", "execution_time": 0.1, "message": "INSERT 3"},
            {"unique_id": "test.p.unique_a", "status": "fail"},
        ]}))
        .unwrap();
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
}
