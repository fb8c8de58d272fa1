//! `plugin.yaml` as its author writes it, as types of which the JSON Schema is made. Nothing is read into them: the parser
//! in [`crate::plugin`] keeps places and collects all mistakes.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{InnerPath, Requirement, Slug, Text, names, open, patterns};
use crate::grammar;
use crate::metadata::{Form, Metadata};

/// The manifest of a vertical plugin.
#[derive(JsonSchema)]
#[schemars(title = "plugin.yaml", transform = open, transform = name_is_free, transform = metadata)]
pub struct PluginYaml {
    /// The plugin's slug: at most 40 lowercase letters, digits and single hyphens, a leading `_` allowed. It equals the
    /// name of the plugin's folder, `-` and `_` taken as equal.
    pub name: Slug,
    /// The plugin's version, `major.minor.patch`.
    #[schemars(regex(pattern = patterns::VERSION))]
    pub version: String,
    /// The name that people see.
    pub display_name: Text,
    /// Versions of the platform's own crates that the plugin works with, such as `>=0.1.0`; the version of a release does not
    /// matter. `0.2.0-rc.1` meets `>=0.2.0`.
    pub min_platform_version: Option<Requirement>,
    /// Plugins that must be in the build, and come before this one.
    pub dependencies: Option<Dependencies>,
    /// Plugins that come before this one where they are in the build.
    pub optional_dependencies: Option<Dependencies>,
    /// The place in the plugin order, without a dependency.
    pub order: Option<Order>,
    /// Routers to mount under `/api/<slug>`: `plugins.<slug>.backend.<module>:<function>`, or
    /// `crate_name::module::function`.
    pub routers: Option<Vec<Router>>,
    /// Routes under `/api/<slug>` that answer anonymous callers. `*` stands for one segment, `**` for any number.
    pub public_routes: Option<PublicRoutes>,
    /// Folder of the plugin's one dbt project; its workspace and profile have the plugin's name.
    pub dbt_workspace: Option<InnerPath>,
    /// dbt projects with names of their own.
    pub dbt_workspaces: Option<Vec<DbtWorkspace>>,
    /// Module that default-exports the plugin's pages.
    pub frontend_entry: Option<InnerPath>,
    /// Pages and blocks of the web shell that the plugin replaces.
    pub frontend_overrides: Option<FrontendOverrides>,
    /// Entries of the navigation.
    pub nav: Option<Vec<NavItem>>,
    /// Permissions that the plugin declares, as `noun.verb`.
    pub permissions: Option<Vec<Permission>>,
    /// Groups that a new org gets.
    pub seed_groups: Option<Vec<SeedGroup>>,
    /// Recipes on the Flow page.
    pub known_scripts: Option<Vec<KnownScript>>,
    /// Templates for new datasets.
    pub dataset_templates: Option<Vec<DatasetTemplate>>,
    /// Dashboards made of blocks.
    pub dashboard_seeds: Option<Vec<DashboardSeed>>,
    /// Settings, by name.
    #[schemars(extend("propertyNames" = names(patterns::SETTING)))]
    pub config: Option<BTreeMap<String, Setting>>,
    /// Folder of SQL migrations; their tables are named `plugin_<slug>_*`.
    pub migrations: Option<InnerPath>,
    /// Who sees the plugin.
    #[schemars(extend("default" = "protected"))]
    pub visibility: Option<Visibility>,
    /// `false` leaves the plugin out of the build.
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
}

/// The name is none that the platform itself uses.
fn name_is_free(schema: &mut Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
        && let Some(name) = properties.get_mut("name")
    {
        let about = name.get("description").cloned().unwrap_or_default();
        let free = json!({ "not": { "enum": grammar::RESERVED_SLUGS } });
        *name = json!({ "description": about, "allOf": [{ "$ref": "#/definitions/Slug" }, free] });
    }
}

/// The fields that are said to people only, which [`Metadata`] declares.
fn metadata(schema: &mut Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for field in Metadata::FIELDS {
            let form = match field.form {
                Form::Line | Form::Prose => json!({ "$ref": "#/definitions/Text" }),
                Form::WebAddress => json!({ "type": "string", "pattern": patterns::WEB_ADDRESS }),
            };
            let optional = json!({ "description": field.about, "anyOf": [form, { "type": "null" }] });
            properties.insert(field.name.to_string(), optional);
        }
    }
}

/// A list of slugs, or slugs with the versions that will do.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Dependencies {
    /// Slugs, each alone or with a requirement.
    List(Vec<Dependency>),
    /// Requirements by slug.
    Map(#[schemars(extend("propertyNames" = names(patterns::SLUG)))] BTreeMap<String, Option<Requirement>>),
}

/// One plugin that another one names.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Dependency {
    /// Any version.
    Slug(Slug),
    /// With a requirement.
    Map(#[schemars(extend("propertyNames" = names(patterns::SLUG)))] BTreeMap<String, Option<Requirement>>),
}

/// The place in the plugin order.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct Order {
    /// Plugins that this one comes before.
    pub before: Option<Vec<Slug>>,
    /// Plugins that this one comes after.
    pub after: Option<Vec<Slug>>,
}

/// A router.
#[derive(JsonSchema)]
pub struct Router(#[schemars(regex(pattern = patterns::ROUTER))] pub String);

/// A permission.
#[derive(JsonSchema)]
pub struct Permission(#[schemars(regex(pattern = patterns::PERMISSION))] pub String);

/// A pattern of routes, relative to `/api/<slug>` or absolute under it.
#[derive(JsonSchema)]
pub struct PublicRoute(#[schemars(regex(pattern = patterns::PUBLIC_ROUTE))] pub String);

/// Patterns for every method, or by method.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum PublicRoutes {
    /// For every method.
    List(Vec<PublicRoute>),
    /// By method; `ALL` stands for every one.
    Map(
        #[schemars(extend("propertyNames" = names(&patterns::methods())))] BTreeMap<String, Vec<PublicRoute>>,
    ),
}

/// A slug of something in the plugin.
#[derive(JsonSchema)]
pub struct InnerSlug(#[schemars(regex(pattern = patterns::INNER_SLUG))] pub String);

/// A dbt project.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct DbtWorkspace {
    /// Name of the workspace; no other one in the build has it.
    pub slug: InnerSlug,
    /// dbt profile.
    pub profile: Text,
    /// Folder of `dbt_project.yml`.
    pub project_dir: InnerPath,
}

/// Pages and blocks that the plugin replaces.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct FrontendOverrides {
    /// Modules by the path of the page.
    #[schemars(extend("propertyNames" = names(patterns::SHELL_PATH)))]
    pub routes: Option<BTreeMap<String, InnerPath>>,
    /// Modules by the name of the block.
    #[schemars(extend("propertyNames" = names(patterns::BLOCK)))]
    pub blocks: Option<BTreeMap<String, InnerPath>>,
}

/// An entry of the navigation.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct NavItem {
    /// Text shown.
    pub label: Text,
    /// Path of the page.
    #[schemars(regex(pattern = patterns::SHELL_PATH))]
    pub path: String,
    /// Name of an icon.
    pub icon: Option<Text>,
    /// Roles that see it; without, all do.
    pub roles: Option<Vec<Text>>,
}

/// A group of users.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct SeedGroup {
    /// Name shown.
    pub name: Text,
    /// Permissions granted, each declared by this plugin or the platform, and none that only people grant
    /// (`members.manage`, `members.read`, `audit.read`, `connectors.test`).
    pub permissions: Vec<Permission>,
}

/// A recipe, run like a dbt run.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct KnownScript {
    /// Name of the recipe.
    pub slug: InnerSlug,
    /// Text shown.
    pub display_name: Text,
    /// The script.
    pub script_path: InnerPath,
    /// Schema that it writes to.
    pub output_schema: Text,
}

/// A template for a dataset.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct DatasetTemplate {
    /// Name of the template.
    pub slug: InnerSlug,
    /// Text shown.
    pub display_name: Text,
    /// Columns, in order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct Column {
    /// Name of the column.
    pub name: Text,
    /// SQL type.
    #[schemars(rename = "type")]
    pub kind: Text,
}

/// A dashboard.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct DashboardSeed {
    /// Name of the dashboard.
    pub slug: InnerSlug,
    /// Text shown.
    pub title: Text,
    /// Widgets, in order.
    pub widgets: Vec<Widget>,
}

/// A block on a dashboard.
#[derive(JsonSchema)]
#[schemars(transform = open)]
pub struct Widget {
    /// Name of the block, with or without `block:`.
    #[schemars(regex(pattern = patterns::WIDGET))]
    pub block: String,
    /// What the block is given.
    pub props: Option<Map<String, Value>>,
}

/// A setting of the plugin.
#[derive(JsonSchema)]
#[schemars(transform = open, transform = default_fits)]
pub struct Setting {
    /// Kind of value.
    #[schemars(rename = "type")]
    pub kind: Kind,
    /// Text shown.
    pub label: Option<Text>,
    /// Environment variable that sets it.
    #[schemars(regex(pattern = patterns::VARIABLE))]
    pub env: Option<String>,
    /// Value where nothing sets it.
    pub default: Option<Value>,
    /// Whether the plugin's API waits for it.
    #[schemars(extend("default" = false))]
    pub required: Option<bool>,
    /// The values of an `enum`.
    pub values: Option<Vec<Text>>,
}

/// A default is of its setting's type, and an enum has values.
fn default_fits(schema: &mut Schema) {
    let rule = |kinds: &[&str], then: Value| {
        json!({
            "if": { "properties": { "type": { "enum": kinds } }, "required": ["type"] },
            "then": then,
        })
    };
    let default = |kind: &str| json!({ "properties": { "default": { "type": [kind, "null"] } } });
    let mut of_enum = default("string");
    of_enum["required"] = json!(["values"]);
    of_enum["properties"]["values"] = json!({ "type": "array", "minItems": 1 });
    let rules = json!([
        rule(&["string", "password"], default("string")),
        rule(&["integer"], default("integer")),
        rule(&["number"], default("number")),
        rule(&["boolean"], default("boolean")),
        rule(&["enum"], of_enum),
    ]);
    schema.insert("allOf".to_string(), rules);
}

/// Kind of a setting.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Password,
    Enum,
}

/// Who sees the plugin: `protected` signed-in users, `public` everybody, `internal` admins.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Visibility {
    Protected,
    Public,
    Internal,
}
