//! From a manifest, which holds what its author wrote, to what the host knows of the plugin, with defaults filled in.

use crate::plan::{
    ConfigField, DashboardSeed, DatasetTemplate, DbtWorkspace, HostPlugin, KnownScript, NavItem, PublicRoute,
    SeedGroup,
};
use crate::plugin::Manifest;
use crate::source::Spanned;

/// Icon of a navigation entry that names none.
const DEFAULT_ICON: &str = "puzzle";

impl HostPlugin {
    /// What a manifest says of the plugin `slug`, as far as it could be read.
    pub fn from_manifest(manifest: &Manifest, slug: &str) -> HostPlugin {
        let text = |field: &Option<Spanned<String>>| field.as_ref().map(|field| field.value.clone());
        let slug = slug.to_string();
        HostPlugin {
            display_name: text(&manifest.display_name).unwrap_or_else(|| slug.clone()),
            version: manifest.version.as_ref().map_or_else(String::new, |version| version.value.to_string()),
            metadata: manifest.metadata.clone(),
            visibility: manifest.visibility.unwrap_or_default(),
            dependencies: manifest
                .dependencies
                .iter()
                .map(|dependency| dependency.slug.value.clone())
                .collect(),
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
                    permissions: group
                        .permissions
                        .iter()
                        .map(|permission| permission.value.clone())
                        .collect(),
                })
                .collect(),
            dbt_workspaces: manifest
                .dbt_workspaces
                .iter()
                .map(|workspace| DbtWorkspace {
                    slug: workspace.slug.value.clone(),
                    profile: workspace.profile.value.clone(),
                    project_dir: workspace.project_dir.value.clone(),
                    project: String::new(),
                    models: Vec::new(),
                    packages: Vec::new(),
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
                        env: text(&field.env),
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
}
