//! What two plugins cannot both have, or should not: navigation paths, tables, permissions, environment variables; and
//! what nobody has any use for: dashboards made of blocks that nobody has, permissions that nobody asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::ident_of;
use hub_manifest::override_kind::OverrideKind;
use hub_manifest::rules::{Taken, blocks, groups};

use super::Context;
use crate::load::LoadedPlugin;

/// A place in a manifest, and who wrote it.
type Owner<'a> = (&'a LoadedPlugin, &'a Range<usize>);

/// Finds all of them.
pub fn check(context: &mut Context<'_>) {
    let plugins = context.plugins.clone();
    together(context, &plugins);
    tables(context, &plugins);
    gates(context, &plugins);
}

/// Adds the place of what the finding clashes with.
fn beside(found: Diagnostic, (plugin, range): Owner<'_>, label: &str) -> Diagnostic {
    let span = plugin.source.as_ref().map_or(Span::START, |source| source.span(range));
    found.related(plugin.shown("plugin.yaml"), span, label)
}

/// What the running host holds customers' plugins to as well.
fn together(context: &mut Context<'_>, plugins: &[&LoadedPlugin]) {
    let declared: BTreeSet<&str> = plugins
        .iter()
        .flat_map(|plugin| &plugin.manifest.permissions)
        .map(|held| held.value.as_str())
        .collect();
    let in_manifests =
        plugins.iter().flat_map(|plugin| &plugin.manifest.frontend_overrides).map(|(key, _)| key);
    let in_files =
        plugins.iter().flat_map(|plugin| plugin.overrides.iter().flat_map(|(_, file)| &file.claims));
    let claimed = in_manifests.chain(in_files.map(|claim| &claim.key)).map(|key| key.value.as_str());
    let known: BTreeSet<&str> = claimed.filter(|key| OverrideKind::Block.name_in(key).is_some()).collect();
    let mut taken = Taken::default();
    for plugin in plugins {
        let subject = plugin.subject();
        context.diagnostics.extend(taken.take(&subject));
        context.diagnostics.extend(groups::check(&subject, &declared));
        context.diagnostics.extend(blocks::check(&subject, &known));
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
            let found = Diagnostic::error(codes::FOREIGN_TABLE_NAME, message)
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
            let found = Diagnostic::warning(
                codes::UNUSED_PERMISSION,
                format!("no handler asks for the permission `{name}`"),
            )
            .help(format!(
                "write `permission!(May = \"{name}\");` and let a handler take `Allowed<May>`; or remove it"
            ));
            context.in_manifest(plugin, &permission.range, found);
        }
    }
}
