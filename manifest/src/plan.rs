//! The plan of a build: every cross-plugin fact, settled. Everything after the resolve stage is a function of it.
//!
//! A plan holds no absolute path and nothing of the machine it was made on; paths of a plugin are relative to that
//! plugin's root, with `/`. The part under [`Plan::host`] is compiled into the host, the part under [`Plan::web`] is
//! what the bundle stage works from: a change of one never rebuilds the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::metadata::Metadata;

/// What one build makes, all of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the host knows of each plugin.
    pub host: HostPlan,
    /// The Rust crates to link and the routers to mount.
    pub crates: Vec<PluginCrate>,
    /// Override chains, pages and the keys that sources ask for.
    pub web: WebPlan,
}

/// The part of the plan that is compiled into the host, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostPlan {
    /// Version of the platform release (semver).
    pub version: String,
    /// All plugins of the build, in plugin order.
    pub plugins: Vec<HostPlugin>,
}

/// One vertical plugin, as the host knows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostPlugin {
    /// Slug.
    pub name: String,
    /// Name shown to people.
    pub display_name: String,
    /// Semver version.
    pub version: String,
    /// What its author says about it to people only.
    #[serde(flatten, serialize_with = "written")]
    pub metadata: Metadata,
    /// Who sees it.
    pub visibility: Visibility,
    /// Slugs that must be present.
    pub dependencies: Vec<String>,
    /// Router specs as the author wrote them, in mounting order.
    pub routers: Vec<String>,
    /// Routes that answer anonymous callers.
    pub public_routes: Vec<PublicRoute>,
    /// Entries of the navigation.
    pub nav: Vec<NavItem>,
    /// Permissions that the plugin declares, `noun.verb`.
    pub permissions: Vec<String>,
    /// Groups to create when the plugin is first enabled.
    pub seed_groups: Vec<SeedGroup>,
    /// dbt workspaces; `project_dir` is relative to the plugin's root.
    pub dbt_workspaces: Vec<DbtWorkspace>,
    /// Recipes on the Flow page.
    pub known_scripts: Vec<KnownScript>,
    /// Templates for new datasets.
    pub dataset_templates: Vec<DatasetTemplate>,
    /// Dashboards to create when the plugin is first enabled.
    pub dashboard_seeds: Vec<DashboardSeed>,
    /// Settings, by key.
    pub config: BTreeMap<String, ConfigField>,
    /// Folder of SQL migrations, relative to the plugin's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrations: Option<String>,
    /// Warnings that the build gave, for the list of plugins.
    pub warnings: Vec<String>,
}

/// A field that the author did not write is left out.
fn written<S: Serializer>(metadata: &Metadata, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(metadata.written())
}

/// Who sees a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Callers must be signed in and the plugin enabled for them.
    #[default]
    Protected,
    /// All routes answer anonymous callers.
    Public,
    /// No navigation; listed for admins only.
    Internal,
}

/// A route pattern that answers anonymous callers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicRoute {
    /// HTTP method in capitals; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Absolute pattern under `/api/<slug>`; `*` stands for one segment, `**` for any number of them.
    pub pattern: String,
}

/// An entry of the navigation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NavItem {
    /// Text shown.
    pub label: String,
    /// Path in the web shell.
    pub path: String,
    /// Icon name.
    pub icon: String,
    /// Roles that see it; empty means everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// A group with its permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedGroup {
    /// Name shown.
    pub name: String,
    /// Permissions, `noun.verb`.
    pub permissions: Vec<String>,
}

/// A dbt project that the platform can build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbtWorkspace {
    /// Name of the workspace, unique in the platform.
    pub slug: String,
    /// dbt profile.
    pub profile: String,
    /// Folder of `dbt_project.yml`, relative to the plugin's root.
    pub project_dir: String,
    /// Name of the dbt project, as `dbt_project.yml` gives it; empty where nobody has looked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// Names of its models, sorted; empty where nobody has looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Folders of its local dbt packages, relative to the plugin's root, sorted; they ship with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// A script that runs like a dbt run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownScript {
    /// Name, unique in the plugin.
    pub slug: String,
    /// Text shown.
    pub display_name: String,
    /// Relative to the plugin's root.
    pub script_path: String,
    /// Database schema that it writes to.
    pub output_schema: String,
}

/// Columns of a new dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetTemplate {
    /// Name, unique in the plugin.
    pub slug: String,
    /// Text shown.
    pub display_name: String,
    /// The columns, in order.
    pub columns: Vec<Column>,
}

/// One column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Column name.
    pub name: String,
    /// Type name.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A dashboard made of blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DashboardSeed {
    /// Name, unique in the plugin.
    pub slug: String,
    /// Text shown.
    pub title: String,
    /// The widgets, in order.
    pub widgets: Vec<Widget>,
}

/// One block on a dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// Override key, `block:Name`.
    pub block: String,
    /// Props handed to the block.
    #[serde(default)]
    pub props: serde_json::Map<String, serde_json::Value>,
}

/// One setting of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigField {
    /// Kind of value.
    #[serde(rename = "type")]
    pub kind: ConfigKind,
    /// Text shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Environment variable that sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Value where nothing sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// Whether the plugin needs it.
    #[serde(default)]
    pub required: bool,
    /// The values of an `enum`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// Kind of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigKind {
    /// Text.
    String,
    /// Whole number.
    Integer,
    /// Number.
    Number,
    /// True or false.
    Boolean,
    /// Text that is never shown.
    Password,
    /// One of `values`.
    Enum,
}

/// A plugin's backend crate and what is mounted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCrate {
    /// Slug of the plugin.
    pub plugin: String,
    /// Package name in its `Cargo.toml`.
    pub package: String,
    /// Crate name as Rust code writes it.
    pub lib: String,
    /// Folder of `Cargo.toml`, relative to the plugin's root.
    pub dir: String,
    /// The routers, in the order of the manifest.
    pub routers: Vec<RouterMount>,
}

/// One router function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterMount {
    /// As the author wrote it.
    pub spec: String,
    /// Modules below the crate root.
    pub modules: Vec<String>,
    /// Function that gives the router.
    pub function: String,
}

/// Everything that the bundle stage needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebPlan {
    /// For each override key its chain, in winning order.
    pub keys: BTreeMap<String, Vec<Claim>>,
    /// Page modules, in plugin order.
    pub entries: Vec<FrontendEntry>,
    /// All keys that the shell or a plugin asks for, claimed or not.
    pub asked: Vec<String>,
    /// What the sources declare of their surfaces, by key.
    #[serde(default)]
    pub surfaces: BTreeMap<String, Surface>,
}

/// A surface, as the `interface SurfaceProps` of its owner declares it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surface {
    /// Slug of the plugin that declares it; none for the web shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The module that declares it: `plugins/<slug>/…`, or `host-template/shell/src/…`.
    pub file: String,
    /// What its comment says before the first tag.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Type of its props, as TypeScript.
    pub props: String,
    /// The text of `@deprecated`, which may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// The key of `@renamedTo`: claims on this surface join the chain of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// Whether `@sealed` keeps the surface to its owner.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sealed: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// One plugin's claim on an override key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Slug of the plugin.
    pub plugin: String,
    /// Higher wins.
    pub priority: i64,
    /// Module, relative to the plugin's root.
    pub file: String,
    /// Name of the export; `default` for the default export.
    pub export: String,
}

/// A plugin's page module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendEntry {
    /// Slug of the plugin.
    pub plugin: String,
    /// Module, relative to the plugin's root.
    pub file: String,
    /// The paths of its pages, where they are written as literals.
    pub paths: Vec<String>,
}
