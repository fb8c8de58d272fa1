//! The release's `overrides.manifest.json`: for each key the chain of claims, and which of them wins here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use hub_manifest::override_kind::OverrideKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All chains, each in winning order.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Chains {
    #[serde(default)]
    keys: BTreeMap<String, Vec<Claim>>,
}

/// One plugin's claim on a key; what only the page needs is left aside.
#[derive(Debug, Clone, Deserialize)]
struct Claim {
    plugin: String,
    #[serde(default)]
    priority: i64,
    file: String,
    export: String,
}

/// The claim that wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Active {
    /// Slug of the plugin.
    pub(crate) plugin: String,
    /// Its priority.
    pub(crate) priority: i64,
    /// Its module, from the repository's root.
    pub(crate) file: String,
    /// Name of the export.
    pub(crate) export: String,
}

impl Chains {
    /// Reads the file. Without it there are no overrides; the second value says what is wrong with one that is there.
    pub(crate) fn read(install: &Path) -> (Chains, Option<String>) {
        let file = install.join("overrides.manifest.json");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return (Chains::default(), None),
            Err(e) => return (Chains::default(), Some(format!("cannot read {}: {e}", file.display()))),
        };
        match serde_json::from_str(&text) {
            Ok(chains) => (chains, None),
            Err(e) => (Chains::default(), Some(format!("cannot read {}: {e}", file.display()))),
        }
    }

    /// The keys of blocks that a plugin has, `block:…`.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str).filter(|key| OverrideKind::Block.name_in(key).is_some())
    }

    /// For each key the first claim whose plugin is on.
    pub(crate) fn active(&self, enabled: &dyn Fn(&str) -> bool) -> BTreeMap<&str, Active> {
        self.keys
            .iter()
            .filter_map(|(key, chain)| {
                let claim = chain.iter().find(|claim| enabled(&claim.plugin))?;
                let Claim { plugin, priority, file, export } = claim.clone();
                Some((key.as_str(), Active { plugin, priority, file, export }))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_of_a_plugin_that_is_on_wins() {
        let chains: Chains = serde_json::from_value(serde_json::json!({
            "version": 1,
            "keys": { "dashboard.view": [
                {"plugin": "finance", "priority": 20, "file": "a.tsx", "export": "default", "chunk": "x", "css": []},
                {"plugin": "healthcare", "priority": 10, "file": "b.tsx", "export": "View", "chunk": "y", "css": []},
            ] },
        }))
        .unwrap();
        assert_eq!(chains.active(&|_| true)["dashboard.view"].plugin, "finance");
        let other = &chains.active(&|slug| slug != "finance")["dashboard.view"];
        assert_eq!((other.file.as_str(), other.priority), ("b.tsx", 10));
        assert!(chains.active(&|_| false).is_empty());
    }
}
