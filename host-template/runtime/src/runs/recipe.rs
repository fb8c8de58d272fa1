//! What a run consists of: which workspaces and scripts there are for an organisation, and where each one is.

use std::path::PathBuf;

use super::Kind;
use crate::access::Caller;
use crate::host::Hub;
use crate::registry::Registry;

/// The platform's own workspace, which is always registered.
pub(crate) const PLATFORM_WORKSPACE: &str = hub_manifest::grammar::PLATFORM_WORKSPACE;

/// A dbt workspace or a script that somebody may run.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) kind: Kind,
    pub(crate) slug: String,
    pub(crate) display_name: String,
    /// None for the platform's own workspace.
    pub(crate) plugin: Option<String>,
    /// What no two runs of an organisation use at the same time.
    pub(crate) workspace: String,
    /// Folder of the dbt project, or the script.
    pub(crate) path: PathBuf,
    /// Folder of the plugin, which holds all that belongs to it.
    pub(crate) root: PathBuf,
    /// dbt profile, or the database schema that the script writes to.
    pub(crate) target: String,
    /// Names of the models, as far as the build knows them.
    pub(crate) models: Vec<String>,
}

/// Everything that the caller's organisation or tenant can run.
pub(crate) fn recipes(hub: &Hub, caller: &Caller) -> Vec<Recipe> {
    let snapshot = hub.live.snapshot();
    all(hub, &snapshot.registry, &|place| caller.view().has(place))
}

/// The same for a run that was asked for earlier: for the organisation at large, or for any tenant of it.
pub(crate) fn find_for_run(hub: &Hub, plugin: Option<&str>, kind: Kind, slug: &str) -> Option<Recipe> {
    let snapshot = hub.live.snapshot();
    all(hub, &snapshot.registry, &|place| snapshot.registry.plugins[place].ok())
        .into_iter()
        .find(|recipe| recipe.kind == kind && recipe.slug == slug && recipe.plugin.as_deref() == plugin)
}

fn all(hub: &Hub, registry: &Registry, on: &dyn Fn(usize) -> bool) -> Vec<Recipe> {
    let own = Recipe {
        kind: Kind::Dbt,
        slug: PLATFORM_WORKSPACE.to_owned(),
        display_name: PLATFORM_WORKSPACE.to_owned(),
        plugin: None,
        workspace: PLATFORM_WORKSPACE.to_owned(),
        path: hub.install.join("dbt").join(PLATFORM_WORKSPACE),
        root: hub.install.join("dbt").join(PLATFORM_WORKSPACE),
        target: PLATFORM_WORKSPACE.to_owned(),
        models: Vec::new(),
    };
    let mut recipes = vec![own];
    for (_, plugin) in registry.plugins.iter().enumerate().filter(|(place, _)| on(*place)) {
        let about = &plugin.about;
        recipes.extend(about.dbt_workspaces.iter().map(|workspace| Recipe {
            kind: Kind::Dbt,
            slug: workspace.slug.clone(),
            display_name: workspace.slug.clone(),
            plugin: Some(about.name.clone()),
            workspace: workspace.slug.clone(),
            path: plugin.root.join(&workspace.project_dir),
            root: plugin.root.clone(),
            target: workspace.profile.clone(),
            models: workspace.models.clone(),
        }));
        // A script writes where its plugin's models are: it waits for them, and they for it.
        let shared = about.dbt_workspaces.first().map(|workspace| workspace.slug.clone());
        recipes.extend(about.known_scripts.iter().map(|script| Recipe {
            kind: Kind::Script,
            slug: script.slug.clone(),
            display_name: script.display_name.clone(),
            plugin: Some(about.name.clone()),
            workspace: shared.clone().unwrap_or_else(|| format!("scripts of {}", about.name)),
            path: plugin.root.join(&script.script_path),
            root: plugin.root.clone(),
            target: script.output_schema.clone(),
            models: Vec::new(),
        }));
    }
    recipes
}
