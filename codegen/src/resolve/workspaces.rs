//! The dbt projects of all plugins: dbt composes them as packages of one project, told apart by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{PLATFORM_WORKSPACE, ident_of};
use hub_manifest::plan::HostPlugin;
use hub_manifest::rules::files::join;

use super::Context;
use crate::load::LoadedPlugin;
use crate::load::projects::Project;

/// A project with the plugin and the folder that it lies in.
#[derive(Clone, Copy)]
struct Placed<'a> {
    plugin: &'a LoadedPlugin,
    folder: &'a str,
    project: &'a Project,
    name: &'a str,
}

impl Placed<'_> {
    fn file(&self) -> PathBuf {
        self.plugin.shown(&join(self.folder, "dbt_project.yml"))
    }

    fn span(&self) -> Span {
        let name = self.project.project.name.as_ref();
        name.map_or(Span::START, |name| self.project.source.span(&name.range))
    }
}

/// Fills in what the projects are called and which models they have, and finds the names that clash.
pub fn settle(context: &mut Context<'_>, host: &mut [HostPlugin]) {
    let mut owners: BTreeMap<&str, Placed<'_>> = BTreeMap::new();
    let mut models: BTreeMap<&str, (Placed<'_>, &str)> = BTreeMap::new();
    let plugins = context.plugins.clone();
    for (plugin, planned) in plugins.iter().copied().zip(host) {
        for workspace in &mut planned.dbt_workspaces {
            let Some(project) = plugin.projects.get(&workspace.project_dir) else { continue };
            workspace.project =
                project.project.name.as_ref().map_or_else(String::new, |name| name.value.clone());
            workspace.models = project.models.iter().map(|(name, _)| name.clone()).collect();
            workspace.models.dedup();
            workspace.packages = project.packages.iter().cloned().collect();
        }
        for (folder, project) in &plugin.projects {
            warn_of_repeats(context, plugin, project);
            let Some(name) = &project.project.name else { continue };
            let placed = Placed { plugin, folder, project, name: &name.value };
            if check_name(context, placed, &mut owners) {
                warn_of_shared_models(context, placed, &mut models);
            }
        }
    }
}

/// Whether the project's name is its own.
fn check_name<'a>(
    context: &mut Context<'_>,
    placed: Placed<'a>,
    owners: &mut BTreeMap<&'a str, Placed<'a>>,
) -> bool {
    let Placed { plugin, name, .. } = placed;
    let found = if name == PLATFORM_WORKSPACE {
        Diagnostic::error(
            codes::DUPLICATE_DBT_PROJECT,
            format!("the dbt project name `{name}` is the platform's own"),
        )
    } else if let Some(owner) = owners.get(name) {
        let message = match owner.plugin.slug() {
            slug if slug == plugin.slug() => format!("two dbt projects of the plugin are called `{name}`"),
            slug => format!("plugin `{slug}` has a dbt project called `{name}` already"),
        };
        Diagnostic::error(codes::DUPLICATE_DBT_PROJECT, message).related(
            owner.file(),
            owner.span(),
            "the other project",
        )
    } else {
        owners.insert(name, placed);
        return true;
    };
    let own = format!("hub_{}", ident_of(plugin.slug()));
    let help = match own == name {
        true => "give each project a name of its own: dbt tells packages apart by it".to_string(),
        false => format!("give it a name of its own, such as `{own}`: dbt tells packages apart by it"),
    };
    let found = found.plugin(plugin.slug()).at(placed.file(), placed.span()).help(help);
    context.diagnostics.push(found);
    false
}

/// Two files of one project that dbt would call the same.
fn warn_of_repeats(context: &mut Context<'_>, plugin: &LoadedPlugin, project: &Project) {
    if project.switched {
        return;
    }
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, file) in &project.models {
        let Some(other) = first.get(name.as_str()) else {
            first.insert(name, file);
            continue;
        };
        context.diagnostics.push(
            Diagnostic::error(
                codes::DUPLICATE_MODEL,
                format!("two models of one dbt project are called `{name}`"),
            )
            .plugin(plugin.slug())
            .at(plugin.shown(file), Span::START)
            .help("rename one of the files: dbt refuses a project with two models of one name")
            .related(plugin.shown(other), Span::START, "the other model"),
        );
    }
}

/// Another project, and the models that both have: name, file, and the other's file.
type Shared<'a> = (Placed<'a>, Vec<(&'a str, &'a str, &'a str)>);

/// Models of two projects with one name: told once for each other project, with the first of the models.
fn warn_of_shared_models<'a>(
    context: &mut Context<'_>,
    placed: Placed<'a>,
    models: &mut BTreeMap<&'a str, (Placed<'a>, &'a str)>,
) {
    let mut shared: BTreeMap<&str, Shared<'_>> = BTreeMap::new();
    for (model, file) in &placed.project.models {
        match models.get(model.as_str()) {
            Some((owner, other)) if owner.name != placed.name => {
                let of_owner = shared.entry(owner.name).or_insert_with(|| (*owner, Vec::new()));
                of_owner.1.push((model, file, other));
            }
            Some(_) => {}
            None => {
                models.insert(model, (placed, file));
            }
        }
    }
    for (owner, found) in shared.into_values() {
        let Some((model, file, other)) = found.first() else { continue };
        let more = match found.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let (own, owned) = (placed.name, owner.name);
        let message = format!("the dbt projects `{owned}` and `{own}` both have a model `{model}`{more}");
        let help = format!("rename one of the two; else other projects must write `ref('{own}', '{model}')`");
        context.diagnostics.push(
            Diagnostic::warning(codes::SHARED_MODEL_NAME, message)
                .plugin(placed.plugin.slug())
                .at(placed.plugin.shown(file), Span::START)
                .help(help)
                .related(owner.plugin.shown(other), Span::START, "the other model"),
        );
    }
}
