//! Which paths are pages: the shell's own, those of the plugins, and routes that an override claims. The page's router knows
//! them too; the host has to know for the status alone, which programs read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hub_manifest::override_kind::OverrideKind;
use hub_manifest::rules::pages::{SHELL, answers};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// Patterns with `:name` for a segment and `*` for the rest.
    patterns: Vec<String>,
    /// Plugins of whose pages only the running page knows all.
    open: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    keys: BTreeMap<String, IgnoredAny>,
    pages: Option<BTreeMap<String, OfPlugin>>,
}

#[derive(Deserialize)]
struct OfPlugin {
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    complete: bool,
}

impl Pages {
    /// Those of the release, with its plugins.
    pub(crate) fn read<'a>(install: &Path, slugs: impl Iterator<Item = &'a str>) -> Pages {
        // A release without the file, or with one that is damaged, is told of where overrides are read.
        let text = fs::read_to_string(install.join("overrides.manifest.json")).unwrap_or_default();
        Pages::of(serde_json::from_str(&text).unwrap_or_default(), slugs)
    }

    fn of<'a>(manifest: Manifest, slugs: impl Iterator<Item = &'a str>) -> Pages {
        let Manifest { keys, pages } = manifest;
        let mut patterns: Vec<String> = SHELL.iter().map(|page| page.path.clone()).collect();
        patterns
            .extend(keys.into_keys().filter_map(|key| OverrideKind::Route.name_in(&key).map(str::to_owned)));
        let mut open = BTreeSet::new();
        match pages {
            Some(pages) => {
                for (slug, OfPlugin { paths, complete }) in pages {
                    patterns.extend(paths);
                    if !complete {
                        open.insert(slug);
                    }
                }
            }
            None => open.extend(slugs.map(str::to_owned)),
        }
        Pages { patterns, open }
    }

    /// Whether a page answers this path, which is decoded and without its first `/`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let mut segments = path.split('/');
        let slug = match segments.next() {
            Some("plugins") => segments.next(),
            first => first,
        };
        slug.is_some_and(|slug| self.open.contains(slug))
            || self.patterns.iter().any(|page| answers(page, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table is what the host knows; `tests/web/pages.test.tsx` holds what is drawn to it.
    #[test]
    fn o8_the_shell_has_no_page_beside_its_table() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shell/src/App.tsx");
        let text = fs::read_to_string(&file).unwrap();
        let named: Vec<&str> =
            text.split("path=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named, ["*"], "write a row of pages.json in place of a route of App.tsx");
        assert!(text.contains("path={page.path}") && !text.contains("pathname ==="), "{}", file.display());
    }

    #[test]
    fn o8_what_is_a_page() {
        let manifest = r#"{"version": 1, "keys": {"route:/old/:id": [], "records.card": []}, "pages": {
            "crm": {"paths": ["/crm/customers", "/crm/customers/:id", "/plugins/crm/files/*"], "complete": true},
            "lab": {"paths": ["/lab/one"], "complete": false}}}"#;
        let pages = Pages::of(serde_json::from_str(manifest).unwrap(), ["crm", "lab", "bare"].into_iter());
        for page in [
            "",
            "records",
            "records/",
            "Records",
            "dashboards/7",
            "crm/customers",
            "crm/customers/7",
            "plugins/crm/files",
            "plugins/crm/files/a/b",
            "lab/one",
            "lab/whatever",
            "plugins/lab/x",
            "old/7",
        ] {
            assert!(pages.has(page), "{page}");
        }
        for none in [
            "healthz2",
            "metrics",
            "wp-login.php",
            "crm",
            "crm/nothing",
            "crm/customers/7/x",
            "dashboards/7/x",
            "bare/x",
            "plugins/none",
            "records.card",
            "old",
        ] {
            assert!(!pages.has(none), "{none}");
        }
        // A release that does not tell its pages: whatever is below a plugin may be one.
        let pages = Pages::of(Manifest::default(), ["bare"].into_iter());
        assert!(pages.has("bare/x") && pages.has("plugins/bare/x") && !pages.has("other/x"));
    }
}
