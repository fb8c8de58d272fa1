//! What an upgrade changes, from the lists of two releases: plugins, routes, and who draws which surface.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::contents::{ReleasePlugin, Route};

/// The parts of a list that people notice.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts {
    plugins: Vec<ReleasePlugin>,
    routes: Vec<Route>,
    overrides: BTreeMap<String, Vec<Claim>>,
}

/// Of a claim, who made it. The rest of it means something to the build only, and changes with it.
#[derive(Deserialize)]
struct Claim {
    plugin: String,
}

impl Parts {
    fn read(list: &[u8]) -> Parts {
        // A release of another time may say less.
        serde_json::from_slice(list).unwrap_or_default()
    }

    fn plugins(&self) -> BTreeMap<&str, &str> {
        let there = self.plugins.iter().filter(|plugin| plugin.errors.is_empty());
        there.map(|plugin| (plugin.name.as_str(), plugin.version.as_deref().unwrap_or("?"))).collect()
    }

    fn routes(&self) -> BTreeSet<String> {
        self.routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect()
    }

    fn winners(&self) -> BTreeMap<&str, &str> {
        let first = |(key, chain)| -> Option<(&str, &str)> {
            let (key, chain): (&String, &Vec<Claim>) = (key, chain);
            Some((key, &chain.first()?.plugin))
        };
        self.overrides.iter().filter_map(first).collect()
    }
}

/// The changes from one list to another, one line each: plugins first, then routes, then surfaces.
pub fn between(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (Parts::read(before), Parts::read(after));
    let mut lines = Vec::new();
    named(&before.plugins(), &after.plugins(), &mut |name, from, to| match (from, to) {
        (Some(from), None) => lines.push(format!("plugin {name} {from} is gone")),
        (None, Some(to)) => lines.push(format!("plugin {name} {to} is new")),
        (Some(from), Some(to)) => lines.push(format!("plugin {name} {from} → {to}")),
        (None, None) => {}
    });
    let (old, new) = (before.routes(), after.routes());
    lines.extend(old.difference(&new).map(|route| format!("route {route} is gone")));
    lines.extend(new.difference(&old).map(|route| format!("route {route} is new")));
    named(&before.winners(), &after.winners(), &mut |key, from, to| match (from, to) {
        (Some(from), None) => lines.push(format!("surface {key}: no longer drawn by {from}")),
        (None, Some(to)) => lines.push(format!("surface {key}: drawn by {to}")),
        (Some(from), Some(to)) => lines.push(format!("surface {key}: drawn by {to} instead of {from}")),
        (None, None) => {}
    });
    lines
}

/// Calls with each name whose value differs.
fn named(
    before: &BTreeMap<&str, &str>,
    after: &BTreeMap<&str, &str>,
    call: &mut dyn FnMut(&str, Option<&str>, Option<&str>),
) {
    let names: BTreeSet<&&str> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (from, to) = (before.get(*name).copied(), after.get(*name).copied());
        if from != to {
            call(name, from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_notice_is_told() {
        let before = br#"{"plugins":[{"name":"crm","version":"1.0.0"},{"name":"old","version":"1.0.0"}],
            "routes":[{"method":"GET","path":"/api/crm/a"}],"overrides":{"dashboard.view":[{"plugin":"crm"}],"x":[{"plugin":"old"}]}}"#;
        let after = br#"{"plugins":[{"name":"crm","version":"1.1.0"},{"name":"bad","errors":["no"]},{"name":"new","version":"0.1.0"}],
            "routes":[{"method":"GET","path":"/api/crm/b"}],"overrides":{"dashboard.view":[{"plugin":"new"},{"plugin":"crm"}],"x":[]}}"#;
        assert_eq!(
            between(before, after),
            [
                "plugin crm 1.0.0 → 1.1.0",
                "plugin new 0.1.0 is new",
                "plugin old 1.0.0 is gone",
                "route GET /api/crm/a is gone",
                "route GET /api/crm/b is new",
                "surface dashboard.view: drawn by new instead of crm",
                "surface x: no longer drawn by old",
            ]
        );
        assert_eq!(between(before, before), [""; 0]);
        assert_eq!(between(b"", b"{}"), [""; 0]);
    }
}
