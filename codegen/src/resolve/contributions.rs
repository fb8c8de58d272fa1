//! What each plugin contributes to the running host, with defaults filled in and its files looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{PLATFORM_PERMISSIONS, PLATFORM_WORKSPACE, alternatives, ident_of, nearest};
use hub_manifest::plan::HostPlugin;
use hub_manifest::source::Spanned;

use super::Context;
use crate::load::LoadedPlugin;
use crate::migrations::names;
use crate::projects::join;

/// Every plugin, in plugin order.
pub fn host_plugins(context: &mut Context<'_>) -> Vec<HostPlugin> {
    let plugins = context.plugins.clone();
    let mut workspaces: BTreeMap<String, (&LoadedPlugin, Range<usize>)> = BTreeMap::new();
    let known: BTreeSet<String> = plugins
        .iter()
        .flat_map(|plugin| plugin.manifest.permissions.iter().map(|permission| permission.value.clone()))
        .chain(PLATFORM_PERMISSIONS.iter().map(|permission| (*permission).to_string()))
        .collect();
    plugins
        .iter()
        .map(|plugin| {
            check_files(context, plugin);
            check_groups(context, plugin, &known);
            check_workspaces(context, plugin, &mut workspaces);
            HostPlugin::from_manifest(&plugin.manifest, plugin.slug())
        })
        .collect()
}

/// Everything that the manifest names must be there.
fn check_files(context: &mut Context<'_>, plugin: &LoadedPlugin) {
    let manifest = &plugin.manifest;
    let files = &plugin.folder.files;
    let shown = |inner: &str| plugin.shown(inner).display().to_string();
    let mut wanted: Vec<(&Spanned<String>, String, String, bool)> = Vec::new();
    for workspace in &manifest.dbt_workspaces {
        let project = join(&workspace.project_dir.value, "dbt_project.yml");
        wanted.push((
            &workspace.project_dir,
            format!("the dbt workspace has no {project}"),
            format!("create {}", shown(&project)),
            files.contains(&project),
        ));
    }
    for script in &manifest.known_scripts {
        let path = &script.script_path.value;
        let message = format!("the script {path} does not exist");
        wanted.push((&script.script_path, message, format!("create {}", shown(path)), files.contains(path)));
    }
    if let Some(folder) = &manifest.migrations {
        let found = !names(plugin, &folder.value).is_empty();
        let message = format!("there is no SQL migration in {}", folder.value);
        wanted.push((folder, message, format!("put *.sql files into {}", shown(&folder.value)), found));
    }
    for (place, message, create, found) in wanted {
        if !found {
            let help = match similar(files, &place.value) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{create}, or mend the path"),
            };
            context.in_manifest(plugin, &place.range, Diagnostic::error("HUB049", message).help(help));
        }
    }
}

/// A file with the same name elsewhere in the plugin.
fn similar(files: &BTreeSet<String>, path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    files.iter().find(|file| file.rsplit('/').next() == Some(name)).cloned()
}

fn check_groups(context: &mut Context<'_>, plugin: &LoadedPlugin, known: &BTreeSet<String>) {
    for group in &plugin.manifest.seed_groups {
        for permission in group.permissions.iter().filter(|permission| !known.contains(&permission.value)) {
            let near = nearest(&permission.value, known.iter().map(String::as_str));
            let help = match near.as_slice() {
                [] => format!("add `{}` to `permissions`", permission.value),
                near => format!("did you mean {}? otherwise add it to `permissions`", alternatives(near)),
            };
            let message = format!(
                "the group `{}` grants `{}`, which nobody declares",
                group.name.value, permission.value
            );
            context.in_manifest(plugin, &permission.range, Diagnostic::error("HUB076", message).help(help));
        }
    }
}

fn check_workspaces<'a>(
    context: &mut Context<'_>,
    plugin: &'a LoadedPlugin,
    workspaces: &mut BTreeMap<String, (&'a LoadedPlugin, Range<usize>)>,
) {
    for workspace in &plugin.manifest.dbt_workspaces {
        let slug = &workspace.slug.value;
        let help = "give the workspace a slug of its own";
        if ident_of(slug) == PLATFORM_WORKSPACE {
            let message = format!("the dbt workspace `{slug}` is the platform's own");
            let found = Diagnostic::error("HUB048", message).help(help);
            context.in_manifest(plugin, &workspace.slug.range, found);
        } else if let Some((owner, range)) = workspaces.get(slug) {
            let message = format!("plugin `{}` has a dbt workspace `{slug}` already", owner.slug());
            let span = owner.source.as_ref().map_or(Span::START, |source| source.span(range));
            let found = Diagnostic::error("HUB048", message).help(help).related(
                owner.shown("plugin.yaml"),
                span,
                "the other workspace",
            );
            context.in_manifest(plugin, &workspace.slug.range, found);
        } else {
            workspaces.insert(slug.clone(), (plugin, workspace.slug.range.clone()));
        }
    }
}
