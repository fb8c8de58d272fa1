//! What each plugin contributes to the running host, with defaults filled in and its files looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{PLATFORM_PERMISSIONS, PLATFORM_WORKSPACE, alternatives, ident_of, nearest};
use hub_manifest::plan::{
    ConfigField, DashboardSeed, DatasetTemplate, DbtWorkspace, HostPlugin, KnownScript, NavItem, PublicRoute,
    SeedGroup,
};
use hub_manifest::source::Spanned;

use super::Context;
use crate::load::LoadedPlugin;

/// Icon of a navigation entry that names none.
const DEFAULT_ICON: &str = "puzzle";

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
            host_plugin(plugin)
        })
        .collect()
}

fn host_plugin(plugin: &LoadedPlugin) -> HostPlugin {
    let manifest = &plugin.manifest;
    let text = |field: &Option<Spanned<String>>| field.as_ref().map(|field| field.value.clone());
    let slug = plugin.slug().to_string();
    HostPlugin {
        display_name: text(&manifest.display_name).unwrap_or_else(|| slug.clone()),
        version: manifest.version.as_ref().map_or_else(String::new, |version| version.value.to_string()),
        description: text(&manifest.description),
        author: text(&manifest.author),
        license: text(&manifest.license),
        homepage: text(&manifest.homepage),
        visibility: manifest.visibility.unwrap_or_default(),
        dependencies: manifest.dependencies.iter().map(|dependency| dependency.slug.value.clone()).collect(),
        routers: manifest.routers.iter().map(|router| router.value.text.clone()).collect(),
        public_routes: manifest
            .public_routes
            .iter()
            .map(|route| PublicRoute { method: route.value.0.clone(), pattern: route.value.1.clone() })
            .collect(),
        nav: manifest
            .nav
            .iter()
            .map(|item| NavItem {
                label: item.label.clone(),
                path: item.path.value.clone(),
                icon: item.icon.clone().unwrap_or_else(|| DEFAULT_ICON.to_string()),
                roles: item.roles.clone(),
            })
            .collect(),
        permissions: manifest.permissions.iter().map(|permission| permission.value.clone()).collect(),
        seed_groups: manifest
            .seed_groups
            .iter()
            .map(|group| SeedGroup {
                name: group.name.value.clone(),
                permissions: group.permissions.iter().map(|permission| permission.value.clone()).collect(),
            })
            .collect(),
        dbt_workspaces: manifest
            .dbt_workspaces
            .iter()
            .map(|workspace| DbtWorkspace {
                slug: workspace.slug.value.clone(),
                profile: workspace.profile.value.clone(),
                project_dir: workspace.project_dir.value.clone(),
            })
            .collect(),
        known_scripts: manifest
            .known_scripts
            .iter()
            .map(|script| KnownScript {
                slug: script.slug.value.clone(),
                display_name: script.display_name.clone(),
                script_path: script.script_path.value.clone(),
                output_schema: script.output_schema.clone(),
            })
            .collect(),
        dataset_templates: manifest
            .dataset_templates
            .iter()
            .map(|template| DatasetTemplate {
                slug: template.slug.value.clone(),
                display_name: template.display_name.clone(),
                columns: template.columns.clone(),
            })
            .collect(),
        dashboard_seeds: manifest
            .dashboard_seeds
            .iter()
            .map(|seed| DashboardSeed {
                slug: seed.slug.value.clone(),
                title: seed.title.clone(),
                widgets: seed.widgets.iter().map(|widget| widget.value.clone()).collect(),
            })
            .collect(),
        config: manifest
            .config
            .iter()
            .map(|(key, field)| {
                let field = ConfigField {
                    kind: field.kind,
                    label: field.label.clone(),
                    env: field.env.clone(),
                    default: field.default.clone(),
                    required: field.required,
                    values: field.values.clone(),
                };
                (key.value.clone(), field)
            })
            .collect(),
        migrations: text(&manifest.migrations),
        warnings: Vec::new(),
        name: slug,
    }
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
        let prefix = join(&folder.value, "");
        let found = files.iter().any(|file| file.starts_with(&prefix) && file.ends_with(".sql"));
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

fn join(folder: &str, file: &str) -> String {
    if folder == "." { file.to_string() } else { format!("{folder}/{file}") }
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
