//! What differs between two inventories, one line a change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hub_manifest::plan::Claim;
use serde::Serialize;

use super::{Inventory, Package, Plugin};

/// The packages of one kind that a plugin brings.
type PackagesOf = fn(&Plugin) -> &[Package];

/// What a change is about; printed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The platform and its vertical plugins.
    Plugins,
    /// Routes of the host.
    Routes,
    /// Override chains.
    Overrides,
    /// Pages of the web shell.
    Pages,
    /// Entries of the navigation.
    Navigation,
    /// dbt workspaces and models.
    DbtModels,
    /// Declared permissions.
    Permissions,
    /// Crates and npm packages.
    Packages,
    /// Files of a release.
    Files,
}

impl Group {
    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Plugins => "plugins",
            Group::Routes => "routes",
            Group::Overrides => "overrides",
            Group::Pages => "pages",
            Group::Navigation => "navigation",
            Group::DbtModels => "dbt models",
            Group::Permissions => "permissions",
            Group::Packages => "packages",
            Group::Files => "files",
        }
    }
}

/// In which way something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another one than before.
    Changed,
}

/// One change. As text it is one line: `+ GET /api/crm/x`, `crm 0.1.0 → 0.2.0`, `dashboard.view: healthcare → finance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about.
    pub group: Group,
    /// In which way it changed.
    pub kind: Kind,
    /// What changed.
    pub subject: String,
    /// The plugin concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The line for people.
    pub text: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Change {
    /// The change as one line of JSON, `{"type":"change",…}`.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            #[serde(flatten)]
            change: &'a Change,
        }
        serde_json::to_string(&Line { kind: "change", change: self }).unwrap_or_default()
    }
}

/// The changes under their headings; nothing where there are none.
pub fn text(changes: &[Change]) -> String {
    let mut out = String::new();
    let mut group = None;
    for change in changes {
        if group != Some(change.group) {
            group = Some(change.group);
            out.push_str(change.group.title());
            out.push('\n');
        }
        out.push_str(&format!("  {}\n", change.text));
    }
    out
}

/// Everything in which `after` is not `before`, by group.
pub fn diff(before: &Inventory, after: &Inventory) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.plugins(before, after);
    changes.routes(before, after);
    changes.overrides(before, after);
    changes.pages(before, after);
    changes.dbt(before, after);
    changes.permissions(before, after);
    changes.packages(before, after);
    changes.0.sort_by_key(|change| change.group);
    changes.0
}

/// The files in which two releases differ, from path to fingerprint.
pub fn files(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Changes::default();
    for (path, old, new) in paired(before, after) {
        match (old, new) {
            (Some(old), Some(new)) => {
                changes.changed(Group::Files, path, None, old, new, format!("{path}: contents changed"));
            }
            _ => changes.come_or_gone(Group::Files, path, None, new.is_some(), path),
        }
    }
    changes.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn come_or_gone(&mut self, group: Group, subject: &str, plugin: Option<&str>, added: bool, shown: &str) {
        let (kind, sign) = if added { (Kind::Added, '+') } else { (Kind::Removed, '-') };
        self.0.push(Change {
            group,
            kind,
            subject: subject.to_string(),
            plugin: plugin.map(str::to_string),
            before: None,
            after: None,
            text: format!("{sign} {shown}"),
        });
    }

    fn changed(
        &mut self,
        group: Group,
        subject: &str,
        plugin: Option<&str>,
        before: &str,
        after: &str,
        text: String,
    ) {
        self.0.push(Change {
            group,
            kind: Kind::Changed,
            subject: subject.to_string(),
            plugin: plugin.map(str::to_string),
            before: Some(before.to_string()),
            after: Some(after.to_string()),
            text,
        });
    }

    fn plugins(&mut self, before: &Inventory, after: &Inventory) {
        let group = Group::Plugins;
        let (old, new) = (&before.platform, &after.platform);
        if old != new && !old.is_empty() && !new.is_empty() {
            self.changed(group, "platform", None, old, new, format!("platform {old} → {new}"));
        }
        for (slug, old, new) in paired(&by_slug(before), &by_slug(after)) {
            match (old, new) {
                (Some(old), Some(new)) => self.plugin(old, new),
                (old, new) => {
                    let version = new.or(old).map(|plugin| plugin.version.as_str()).unwrap_or_default();
                    let shown = format!("{slug} {version}");
                    self.come_or_gone(group, slug, Some(slug), new.is_some(), shown.trim_end());
                }
            }
        }
        let both = |one: &Inventory, other: &BTreeMap<String, &Plugin>| -> Vec<String> {
            let names = one.plugins.iter().map(|plugin| plugin.name.clone());
            names.filter(|slug| other.contains_key(slug)).collect()
        };
        let (old, new) = (both(before, &by_slug(after)), both(after, &by_slug(before)));
        if old != new {
            let (old, new) = (old.join(", "), new.join(", "));
            self.changed(group, "order", None, &old, &new, format!("plugin order: {old} → {new}"));
        }
    }

    fn plugin(&mut self, old: &Plugin, new: &Plugin) {
        let (group, slug) = (Group::Plugins, new.name.as_str());
        if old.version != new.version {
            let text = format!("{slug} {} → {}", old.version, new.version);
            self.changed(group, slug, Some(slug), &old.version, &new.version, text);
        } else if old.digest != new.digest {
            let text = format!("{slug}: contents changed");
            self.changed(group, slug, Some(slug), &old.digest, &new.digest, text);
        }
        let (before, after) = (listed(&old.dependencies), listed(&new.dependencies));
        if before != after {
            let text = format!("{slug} depends on {before} → {after}");
            self.changed(group, "dependencies", Some(slug), &before, &after, text);
        }
    }

    fn routes(&mut self, before: &Inventory, after: &Inventory) {
        let routes = |inventory: &Inventory| -> BTreeMap<(String, String), (Option<String>, bool)> {
            let routes = inventory.routes.iter();
            routes.map(|r| ((r.path.clone(), r.method.clone()), (r.plugin.clone(), r.public))).collect()
        };
        let who = |public: bool| if public { "public" } else { "protected" };
        for ((path, method), old, new) in paired(&routes(before), &routes(after)) {
            let subject = format!("{method} {path}");
            match (old, new) {
                (Some((a, old)), Some((b, new))) => {
                    let plugin = b.as_deref();
                    if a != b {
                        let name = |plugin: &Option<String>| plugin.clone().unwrap_or("platform".to_string());
                        let (a, b) = (name(a), name(b));
                        let text = format!("{subject}: {a} → {b}");
                        self.changed(Group::Routes, &subject, plugin, &a, &b, text);
                    }
                    if old != new {
                        let (old, new) = (who(*old), who(*new));
                        let text = format!("{subject}: {old} → {new}");
                        self.changed(Group::Routes, &subject, plugin, old, new, text);
                    }
                }
                (old, new) => {
                    let Some((plugin, public)) = new.or(old) else { continue };
                    let shown = if *public { format!("{subject} (public)") } else { subject.clone() };
                    self.come_or_gone(Group::Routes, &subject, plugin.as_deref(), new.is_some(), &shown);
                }
            }
        }
    }

    fn overrides(&mut self, before: &Inventory, after: &Inventory) {
        for (key, old, new) in paired(&before.overrides, &after.overrides) {
            match (old, new) {
                (Some(old), Some(new)) => self.chain(key, old, new),
                (old, new) => {
                    let Some(winner) = new.or(old).and_then(|chain| chain.first()) else { continue };
                    let (plugin, shown) = (winner.plugin.as_str(), format!("{key}: {}", winner.plugin));
                    self.come_or_gone(Group::Overrides, key, Some(plugin), new.is_some(), &shown);
                }
            }
        }
    }

    fn chain(&mut self, key: &str, old: &[Claim], new: &[Claim]) {
        let group = Group::Overrides;
        let names = |chain: &[Claim]| -> Vec<String> { chain.iter().map(|c| c.plugin.clone()).collect() };
        let (was, is) = (names(old), names(new));
        let winner = is.first().map(String::as_str);
        if was.first() != is.first() {
            let (was, is) = (listed(&was[..was.len().min(1)]), listed(&is[..is.len().min(1)]));
            self.changed(group, key, winner, &was, &is, format!("{key}: {was} → {is}"));
        } else if was != is {
            let (was, is) = (was.join(" > "), is.join(" > "));
            self.changed(group, key, winner, &was, &is, format!("{key}: {was} → {is}"));
        }
        for new in new {
            let Some(old) = old.iter().find(|old| old.plugin == new.plugin) else { continue };
            let module = |claim: &Claim| match claim.export.as_str() {
                "default" => claim.file.clone(),
                export => format!("{} ({export})", claim.file),
            };
            let mut parts = Vec::new();
            if old.priority != new.priority {
                parts.push((format!("priority {}", old.priority), new.priority.to_string()));
            }
            if module(old) != module(new) {
                parts.push((module(old), module(new)));
            }
            for (was, is) in parts {
                let text = format!("{key} of {}: {was} → {is}", new.plugin);
                self.changed(group, key, Some(&new.plugin), &was, &is, text);
            }
        }
    }

    fn pages(&mut self, before: &Inventory, after: &Inventory) {
        let pages = |inventory: &Inventory| -> BTreeMap<String, String> {
            inventory.pages.iter().map(|page| (page.path.clone(), page.plugin.clone())).collect()
        };
        for (path, old, new) in paired(&pages(before), &pages(after)) {
            match (old, new) {
                (Some(old), Some(new)) => {
                    self.changed(Group::Pages, path, Some(new), old, new, format!("{path}: {old} → {new}"));
                }
                (old, new) => {
                    let plugin = new.or(old).map(String::as_str);
                    self.come_or_gone(Group::Pages, path, plugin, new.is_some(), path);
                }
            }
        }
        let nav = |inventory: &Inventory| -> BTreeMap<(String, String), String> {
            let nav = inventory.nav.iter();
            nav.map(|nav| ((nav.plugin.clone(), nav.path.clone()), nav.label.clone())).collect()
        };
        for ((plugin, path), old, new) in paired(&nav(before), &nav(after)) {
            match (old, new) {
                (Some(old), Some(new)) => {
                    let text = format!("{path}: {old} → {new}");
                    self.changed(Group::Navigation, path, Some(plugin), old, new, text);
                }
                (old, new) => {
                    let label = new.or(old).map(String::as_str).unwrap_or_default();
                    let shown = format!("{label} ({path})");
                    self.come_or_gone(Group::Navigation, path, Some(plugin), new.is_some(), &shown);
                }
            }
        }
    }

    fn dbt(&mut self, before: &Inventory, after: &Inventory) {
        let group = Group::DbtModels;
        let workspaces = |inventory: &Inventory| -> BTreeMap<String, (String, String)> {
            let workspaces = inventory.dbt_workspaces.iter();
            workspaces.map(|w| (w.slug.clone(), (w.plugin.clone(), w.project_dir.clone()))).collect()
        };
        for (slug, old, new) in paired(&workspaces(before), &workspaces(after)) {
            match (old, new) {
                (Some(old), Some(new)) => {
                    let place = |(plugin, folder): &(String, String)| format!("{plugin}/{folder}");
                    let (old, new) = (place(old), place(new));
                    let text = format!("workspace {slug}: {old} → {new}");
                    self.changed(group, slug, None, &old, &new, text);
                }
                (old, new) => {
                    let plugin = new.or(old).map(|(plugin, _)| plugin.as_str());
                    self.come_or_gone(group, slug, plugin, new.is_some(), &format!("workspace {slug}"));
                }
            }
        }
        let models = |inventory: &Inventory| -> BTreeMap<(String, String), ()> {
            let workspaces = inventory.dbt_workspaces.iter();
            workspaces.flat_map(|w| w.models.iter().map(|m| ((m.clone(), w.slug.clone()), ()))).collect()
        };
        for ((model, workspace), _, new) in paired(&models(before), &models(after)) {
            let shown = format!("{model} ({workspace})");
            self.come_or_gone(group, model, Some(workspace), new.is_some(), &shown);
        }
    }

    fn permissions(&mut self, before: &Inventory, after: &Inventory) {
        let permissions = |inventory: &Inventory| -> BTreeMap<(String, String), ()> {
            let plugins = inventory.plugins.iter();
            plugins
                .flat_map(|p| p.permissions.iter().map(|name| ((name.clone(), p.name.clone()), ())))
                .collect()
        };
        for ((name, plugin), _, new) in paired(&permissions(before), &permissions(after)) {
            let shown = format!("{name} ({plugin})");
            self.come_or_gone(Group::Permissions, name, Some(plugin), new.is_some(), &shown);
        }
    }

    fn packages(&mut self, before: &Inventory, after: &Inventory) {
        type Versions = BTreeMap<(String, String), BTreeSet<String>>;
        let versions = |inventory: &Inventory, of: PackagesOf| -> Versions {
            let mut out = Versions::new();
            for plugin in &inventory.plugins {
                for package in of(plugin) {
                    let key = (package.name.clone(), plugin.name.clone());
                    out.entry(key).or_default().insert(package.version.clone());
                }
            }
            out
        };
        let kinds: [(&str, PackagesOf); 2] = [("", |plugin| &plugin.crates), ("npm ", |plugin| &plugin.npm)];
        for (kind, of) in kinds {
            for ((name, plugin), old, new) in paired(&versions(before, of), &versions(after, of)) {
                self.package(&format!("{kind}{name}"), Some(plugin), old, new);
            }
        }
        let locked = |inventory: &Inventory| -> BTreeMap<String, BTreeSet<String>> {
            let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for package in &inventory.cargo_packages {
                out.entry(package.name.clone()).or_default().insert(package.version.clone());
            }
            out
        };
        for (name, old, new) in paired(&locked(before), &locked(after)) {
            self.package(&format!("locked {name}"), None, old, new);
        }
    }

    fn package(
        &mut self,
        name: &str,
        plugin: Option<&str>,
        old: Option<&BTreeSet<String>>,
        new: Option<&BTreeSet<String>>,
    ) {
        let shown = |versions: &BTreeSet<String>| {
            versions.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
        };
        let whose = plugin.map(|plugin| format!(" ({plugin})")).unwrap_or_default();
        match (old.map(shown), new.map(shown)) {
            (Some(old), Some(new)) => {
                let text = format!("{name} {old} → {new}{whose}");
                self.changed(Group::Packages, name, plugin, &old, &new, text);
            }
            (old, new) => {
                let added = new.is_some();
                let version = new.or(old).unwrap_or_default();
                self.come_or_gone(Group::Packages, name, plugin, added, &format!("{name} {version}{whose}"));
            }
        }
    }
}

fn by_slug(inventory: &Inventory) -> BTreeMap<String, &Plugin> {
    inventory.plugins.iter().map(|plugin| (plugin.name.clone(), plugin)).collect()
}

/// The keys whose values differ, with both values.
fn paired<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
) -> Vec<(&'a K, Option<&'a V>, Option<&'a V>)> {
    let keys: BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    let both = keys.into_iter().map(|key| (key, before.get(key), after.get(key)));
    both.filter(|(_, old, new)| old != new).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_string() } else { names.join(", ") }
}
