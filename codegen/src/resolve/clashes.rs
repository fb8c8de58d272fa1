//! What two plugins cannot both have, or should not: navigation paths, tables, permissions, environment variables; and
//! what nobody has any use for: dashboards made of blocks that nobody has, permissions that nobody asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{PLATFORM_PERMISSIONS, alternatives, ident_of, nearest};
use hub_manifest::plan::Visibility;
use hub_manifest::plugin::NavItem;

use super::Context;
use crate::load::LoadedPlugin;

/// Variables that the host itself reads.
const PLATFORM_VARIABLES: &[&str] = &[
    "DATABASE_URL",
    "DATA_DIR",
    "HUB_ADMIN_EMAIL",
    "HUB_ADMIN_PASSWORD",
    "HUB_RUNS_AT_ONCE",
    "HUB_RUN_TIMEOUT",
    "INSTALL_DIR",
    "LISTEN",
    "LOG_FORMAT",
    "RUST_LOG",
];

/// A place in a manifest, and who wrote it.
type Owner<'a> = (&'a LoadedPlugin, &'a Range<usize>);

/// Finds all of them.
pub fn check(context: &mut Context<'_>) {
    let plugins = context.plugins.clone();
    navigation(context, &plugins);
    tables(context, &plugins);
    permissions(context, &plugins);
    gates(context, &plugins);
    variables(context, &plugins);
    blocks(context, &plugins);
}

/// Adds the place of what the finding clashes with.
fn beside(found: Diagnostic, (plugin, range): Owner<'_>, label: &str) -> Diagnostic {
    let span = plugin.source.as_ref().map_or(Span::START, |source| source.span(range));
    found.related(plugin.shown("plugin.yaml"), span, label)
}

/// Entries that lead to one page and that one person may see together.
fn navigation<'a>(context: &mut Context<'_>, plugins: &[&'a LoadedPlugin]) {
    let together = |a: &NavItem, b: &NavItem| {
        a.roles.is_empty() || b.roles.is_empty() || a.roles.iter().any(|role| b.roles.contains(role))
    };
    let mut seen: BTreeMap<&str, Vec<(&'a LoadedPlugin, &'a NavItem)>> = BTreeMap::new();
    let shown = plugins.iter().filter(|plugin| plugin.manifest.visibility != Some(Visibility::Internal));
    for (plugin, item) in shown.flat_map(|plugin| plugin.manifest.nav.iter().map(move |item| (*plugin, item)))
    {
        let path = item.path.value.as_str();
        let others = seen.entry(path).or_default();
        match others.iter().find(|(_, other)| together(other, item)) {
            Some((owner, other)) => {
                let message = match owner.slug() {
                    slug if slug == plugin.slug() => format!("two navigation entries lead to `{path}`"),
                    slug => format!("the navigation of plugin `{slug}` leads to `{path}` already"),
                };
                let found = Diagnostic::warning("HUB082", message)
                    .help("remove one of the two entries, or lead it to a page of its own");
                let found = beside(found, (owner, &other.path.range), "the other entry");
                context.in_manifest(plugin, &item.path.range, found);
            }
            None => others.push((plugin, item)),
        }
    }
}

/// A table whose name lies in what begins the tables of another plugin: `plugin_a_b_c` is `a-b`'s, not `a`'s.
fn tables(context: &mut Context<'_>, plugins: &[&LoadedPlugin]) {
    let with_tables = plugins.iter().filter(|plugin| plugin.manifest.migrations.is_some());
    let owners: BTreeMap<String, &LoadedPlugin> =
        with_tables.map(|plugin| (ident_of(plugin.slug()), *plugin)).collect();
    for (ident, plugin) in &owners {
        for table in &plugin.tables {
            let Some(rest) = table.name.strip_prefix("plugin_") else { continue };
            let ends = rest.match_indices('_').map(|(at, _)| &rest[..at]);
            let longer = ends.filter(|owner| owner.len() > ident.len());
            if !rest.starts_with(&format!("{ident}_")) {
                continue;
            }
            let Some(owner) = longer.filter_map(|owner| owners.get(owner)).next_back() else { continue };
            let prefix = format!("plugin_{}_", ident_of(owner.slug()));
            let message =
                format!("the name `{}` begins as the tables of plugin `{}` do", table.name, owner.slug());
            let found = Diagnostic::error("HUB083", message)
                .plugin(plugin.slug())
                .at(plugin.shown(&table.file), table.span)
                .help(format!(
                    "give the table a name that does not begin with `{prefix}`, or rename a plugin"
                ));
            let place = owner.manifest.migrations.as_ref().map(|folder| &folder.range);
            let found = match place {
                Some(range) => beside(found, (owner, range), "its tables are here"),
                None => found,
            };
            context.diagnostics.push(found);
        }
    }
}

/// Permissions with two owners: who is granted one for the one is granted it for the other.
fn permissions<'a>(context: &mut Context<'_>, plugins: &[&'a LoadedPlugin]) {
    let mut owners: BTreeMap<&str, Owner<'a>> = BTreeMap::new();
    for (plugin, permission) in
        plugins.iter().flat_map(|plugin| plugin.manifest.permissions.iter().map(move |held| (*plugin, held)))
    {
        let name = permission.value.as_str();
        let found = if PLATFORM_PERMISSIONS.contains(&name) {
            Diagnostic::warning("HUB084", format!("the permission `{name}` is the platform's own"))
                .help("remove it: groups may grant it as it is; or declare one with a noun of the plugin")
        } else if let Some(owner) = owners.get(name) {
            let message = format!("plugin `{}` declares the permission `{name}` already", owner.0.slug());
            let found = Diagnostic::warning("HUB084", message)
                .help("use a noun of the plugin's own; or depend on the other plugin and remove this line");
            beside(found, *owner, "declared here")
        } else {
            owners.insert(name, (plugin, &permission.range));
            continue;
        };
        context.in_manifest(plugin, &permission.range, found);
    }
}

/// Permissions of a plugin with a backend that none of its handlers asks for.
fn gates(context: &mut Context<'_>, plugins: &[&LoadedPlugin]) {
    for plugin in plugins.iter().copied() {
        let Some(backend) = &plugin.backend else { continue };
        for permission in &plugin.manifest.permissions {
            let name = permission.value.as_str();
            let asked = format!("\"{name}\"");
            // A source that could not be read is told of elsewhere; it may well ask.
            if backend.sources.values().any(|text| text.as_ref().map_or(true, |text| text.contains(&asked))) {
                continue;
            }
            let found = Diagnostic::warning("HUB102", format!("no handler asks for the permission `{name}`"))
                .help(format!("write `permission!(May = \"{name}\");` and let a handler take `Allowed<May>`; or remove it"));
            context.in_manifest(plugin, &permission.range, found);
        }
    }
}

/// Environment variables that set two things at once.
fn variables<'a>(context: &mut Context<'_>, plugins: &[&'a LoadedPlugin]) {
    let mut owners: BTreeMap<&str, (Owner<'a>, &'a str)> = BTreeMap::new();
    for plugin in plugins.iter().copied() {
        for (key, field) in &plugin.manifest.config {
            let Some(env) = &field.env else { continue };
            let name = env.value.as_str();
            let found = if PLATFORM_VARIABLES.contains(&name) || name.starts_with("HUB_") {
                Diagnostic::warning(
                    "HUB024",
                    format!("the environment variable `{name}` is the platform's own"),
                )
            } else if let Some((owner, other)) = owners.get(name) {
                let slug = owner.0.slug();
                let message =
                    format!("the environment variable `{name}` sets `{other}` of plugin `{slug}` too");
                beside(Diagnostic::warning("HUB024", message), *owner, "read here too")
            } else {
                owners.insert(name, ((plugin, &env.range), &key.value));
                continue;
            };
            let own = format!("{}_{}", ident_of(plugin.slug()), key.value).to_ascii_uppercase();
            let help = format!("give the setting a variable of its own, such as `{}`", own.trim_matches('_'));
            context.in_manifest(plugin, &env.range, found.help(help));
        }
    }
}

/// Widgets whose block no plugin has.
fn blocks(context: &mut Context<'_>, plugins: &[&LoadedPlugin]) {
    let in_manifests =
        plugins.iter().flat_map(|plugin| &plugin.manifest.frontend_overrides).map(|(key, _)| key);
    let in_files =
        plugins.iter().flat_map(|plugin| plugin.overrides.iter().flat_map(|(_, file)| &file.claims));
    let all = in_manifests.chain(in_files.map(|claim| &claim.key)).map(|key| key.value.as_str());
    let known: BTreeSet<&str> = all.filter(|key| key.starts_with("block:")).collect();
    for plugin in plugins {
        for widget in plugin.manifest.dashboard_seeds.iter().flat_map(|dashboard| &dashboard.widgets) {
            let block = widget.value.block.as_str();
            if known.contains(block) {
                continue;
            }
            let near = nearest(block, known.iter().copied());
            let help = match near.as_slice() {
                [] => {
                    "add it to `frontend_overrides.blocks`, or build with the plugin that has it".to_string()
                }
                near => format!("did you mean {}?", alternatives(near)),
            };
            let found =
                Diagnostic::warning("HUB085", format!("no plugin has the block `{block}`")).help(help);
            context.in_manifest(plugin, &widget.range, found);
        }
    }
}
