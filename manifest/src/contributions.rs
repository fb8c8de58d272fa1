//! What a manifest contributes to the running platform: dbt workspaces, pages, navigation, permissions, recipes,
//! templates, dashboards and settings.

use std::collections::HashSet;

use crate::codes;
use crate::grammar;
use crate::node::{Entry, Node, Value};
use crate::override_kind::OverrideKind;
use crate::plan::{Column, ConfigKind, Widget};
use crate::plugin::{Manifest, inner_path};
use crate::reader::{Reader, get};
use crate::source::Spanned;

/// A dbt project, with both forms of the manifest brought into one.
#[derive(Debug, Clone, PartialEq)]
pub struct DbtWorkspace {
    /// Name of the workspace.
    pub slug: Spanned<String>,
    /// dbt profile.
    pub profile: Spanned<String>,
    /// Folder of `dbt_project.yml`.
    pub project_dir: Spanned<String>,
}

/// An entry of the navigation.
#[derive(Debug, Clone, PartialEq)]
pub struct NavItem {
    /// Text shown.
    pub label: String,
    /// Path in the web shell.
    pub path: Spanned<String>,
    /// Icon name.
    pub icon: Option<String>,
    /// Roles that see it.
    pub roles: Vec<String>,
}

/// A group to seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedGroup {
    /// Name shown.
    pub name: Spanned<String>,
    /// Permissions granted.
    pub permissions: Vec<Spanned<String>>,
}

/// A recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownScript {
    /// Name.
    pub slug: Spanned<String>,
    /// Text shown.
    pub display_name: String,
    /// The script.
    pub script_path: Spanned<String>,
    /// Schema that it writes to.
    pub output_schema: String,
}

/// A dataset template.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetTemplate {
    /// Name.
    pub slug: Spanned<String>,
    /// Text shown.
    pub display_name: String,
    /// Columns, in order.
    pub columns: Vec<Column>,
}

/// A dashboard to seed.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardSeed {
    /// Name.
    pub slug: Spanned<String>,
    /// Text shown.
    pub title: String,
    /// Widgets, in order, each with the place of its block's key.
    pub widgets: Vec<Spanned<Widget>>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigField {
    /// Kind of value.
    pub kind: ConfigKind,
    /// Text shown.
    pub label: Option<String>,
    /// Environment variable.
    pub env: Option<Spanned<String>>,
    /// Value where nothing sets it.
    pub default: Option<serde_json::Value>,
    /// Whether the plugin needs it.
    pub required: bool,
    /// The values of an `enum`.
    pub values: Vec<String>,
}

/// Reads all of them.
pub(crate) fn read(reader: &mut Reader<'_>, entries: &[Entry], slug: &str, out: &mut Manifest) {
    dbt(reader, entries, slug, out);
    out.frontend_entry =
        get(entries, "frontend_entry").and_then(|node| inner_path(reader, node, "`frontend_entry`", slug));
    if let Some(node) = get(entries, "frontend_overrides") {
        frontend_overrides(reader, node, slug, out);
    }
    out.nav = each(reader, entries, "nav", "{label, path, icon}", nav_item);
    if let Some(node) = get(entries, "permissions") {
        out.permissions = reader.texts(
            node,
            "permissions",
            codes::MALFORMED_PERMISSION,
            "a list like `[customers.read]`",
            grammar::permission,
        );
    }
    let groups = each(reader, entries, "seed_groups", "{name, permissions}", seed_group);
    out.seed_groups = once(reader, groups, "the group", "name", |group| &group.name);
    let scripts = each(
        reader,
        entries,
        "known_scripts",
        "{slug, display_name, script_path, output_schema}",
        |reader, item| known_script(reader, item, slug),
    );
    out.known_scripts = once(reader, scripts, "the script", "slug", |script| &script.slug);
    let templates =
        each(reader, entries, "dataset_templates", "{slug, display_name, columns}", dataset_template);
    out.dataset_templates =
        once(reader, templates, "the dataset template", "slug", |template| &template.slug);
    let dashboards = each(reader, entries, "dashboard_seeds", "{slug, title, widgets}", dashboard_seed);
    out.dashboard_seeds = once(reader, dashboards, "the dashboard", "slug", |dashboard| &dashboard.slug);
    if let Some(node) = get(entries, "config") {
        config(reader, node, out);
    }
}

/// One item of a list of mappings: its entries, its place, and how sentences call it.
struct Item<'n> {
    entries: &'n [Entry],
    node: &'n Node,
    name: String,
}

impl<'n> Item<'n> {
    /// The value of a field that must be there.
    fn required(&self, reader: &mut Reader<'_>, field: &str) -> Option<&'n Node> {
        let found = get(self.entries, field);
        if found.is_none() {
            let range = self.entries.first().map_or(self.node.range.clone(), |entry| entry.key_range.clone());
            reader.missing(&range, field, &self.name, &format!("{field}: …"));
        }
        found
    }

    fn text(&self, reader: &mut Reader<'_>, field: &str) -> Option<Spanned<String>> {
        let node = self.required(reader, field)?;
        reader.text(node, &format!("`{field}`"))
    }

    fn slug(&self, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let node = self.required(reader, "slug")?;
        slug_of(reader, node)
    }
}

fn slug_of(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    reader.checked(node, codes::MALFORMED_NAME, "the slug", |text| {
        grammar::inner_slug(text).map(|()| text.to_string())
    })
}

/// Every item of a list of mappings that is sound.
fn each<T>(
    reader: &mut Reader<'_>,
    entries: &[Entry],
    field: &str,
    form: &str,
    read: impl Fn(&mut Reader<'_>, &Item<'_>) -> Option<T>,
) -> Vec<T> {
    let Some(node) = get(entries, field) else { return Vec::new() };
    items(reader, node, field, form).iter().filter_map(|item| read(reader, item)).collect()
}

/// The first one of each name; tells of those that bear the name again.
fn once<T>(
    reader: &mut Reader<'_>,
    items: Vec<T>,
    what: &str,
    field: &str,
    name: impl Fn(&T) -> &Spanned<String>,
) -> Vec<T> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut out = Vec::new();
    for item in items {
        let Spanned { value, range } = name(&item);
        if seen.insert(value.clone()) {
            out.push(item);
        } else {
            let message = format!("{what} `{value}` stands twice");
            reader.error(
                codes::DUPLICATE_NAME,
                range,
                message,
                format!("give each one a `{field}` of its own"),
            );
        }
    }
    out
}

fn items<'n>(reader: &mut Reader<'_>, node: &'n Node, field: &str, form: &str) -> Vec<Item<'n>> {
    let list = reader.list(node, &format!("`{field}`"), &format!("a list of `{form}`")).unwrap_or_default();
    let mut out = Vec::new();
    for (index, node) in list.iter().enumerate() {
        let name = format!("entry {} of `{field}`", index + 1);
        if let Some(entries) = reader.map(node, &name, &format!("`{form}`")) {
            let known: Vec<&str> = form
                .trim_matches(['{', '}'])
                .split(", ")
                .chain(if field == "nav" { Some("roles") } else { None })
                .chain(if field == "widgets" { Some("props") } else { None })
                .collect();
            reader.unknown_keys(entries, &known, &name);
            out.push(Item { entries, node, name });
        }
    }
    out
}

fn dbt(reader: &mut Reader<'_>, entries: &[Entry], slug: &str, out: &mut Manifest) {
    if let Some(node) = get(entries, "dbt_workspace")
        && let Some(project_dir) = inner_path(reader, node, "`dbt_workspace`", slug)
    {
        let own = Spanned::new(slug.to_string(), project_dir.range.clone());
        out.dbt_workspaces.push(DbtWorkspace { slug: own.clone(), profile: own, project_dir });
    }
    let more = each(reader, entries, "dbt_workspaces", "{slug, profile, project_dir}", |reader, item| {
        let workspace = item.slug(reader);
        let profile = item.text(reader, "profile");
        let project_dir = item
            .required(reader, "project_dir")
            .and_then(|node| inner_path(reader, node, "`project_dir`", slug));
        Some(DbtWorkspace { slug: workspace?, profile: profile?, project_dir: project_dir? })
    });
    for workspace in more {
        match out.dbt_workspaces.iter().find(|known| known.slug.value == workspace.slug.value) {
            Some(_) => reader.error(
                codes::DUPLICATE_WORKSPACE,
                &workspace.slug.range,
                format!("the dbt workspace `{}` stands twice", workspace.slug.value),
                "give each workspace a slug of its own",
            ),
            None => out.dbt_workspaces.push(workspace),
        }
    }
}

fn frontend_overrides(reader: &mut Reader<'_>, node: &Node, slug: &str, out: &mut Manifest) {
    let form = "`{routes: {path: file}, blocks: {Name: file}}`";
    let Some(entries) = reader.map(node, "`frontend_overrides`", form) else { return };
    reader.unknown_keys(entries, &OverrideKind::ALL.map(OverrideKind::field), "`frontend_overrides`");
    for kind in OverrideKind::ALL {
        let Some(node) = get(entries, kind.field()) else { continue };
        let what = format!("`frontend_overrides.{}`", kind.field());
        for entry in reader.map(node, &what, "a mapping to files").unwrap_or_default() {
            if let Err(help) = kind.check(&entry.key) {
                let message = format!("`{}` in {what} is malformed", entry.key);
                reader.error(codes::MALFORMED_OVERRIDE_KEY, &entry.key_range, message, help);
                continue;
            }
            let Some(file) = inner_path(reader, &entry.value, &format!("`{}`", entry.key), slug) else {
                continue;
            };
            let key = Spanned::new(kind.key(&entry.key), entry.key_range.clone());
            out.frontend_overrides.push((key, file));
        }
    }
}

fn nav_item(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<NavItem> {
    let label = item.text(reader, "label");
    let path = item.required(reader, "path").and_then(|node| {
        reader.checked(node, codes::MALFORMED_PATH, "the path", |text| {
            grammar::shell_path(text).map(|()| text.to_string())
        })
    });
    let icon = get(item.entries, "icon").and_then(|node| reader.text(node, "`icon`"));
    let roles = get(item.entries, "roles")
        .map(|node| reader.texts(node, "roles", codes::MALFORMED_NAME, "a list of roles", |_| Ok(())))
        .unwrap_or_default();
    Some(NavItem {
        label: label?.value,
        path: path?,
        icon: icon.map(|icon| icon.value),
        roles: roles.into_iter().map(|role| role.value).collect(),
    })
}

fn seed_group(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<SeedGroup> {
    let name = item.text(reader, "name");
    let permissions = item.required(reader, "permissions").map(|node| {
        reader.texts(
            node,
            "permissions",
            codes::MALFORMED_PERMISSION,
            "a list of permissions",
            grammar::permission,
        )
    });
    Some(SeedGroup { name: name?, permissions: permissions? })
}

fn known_script(reader: &mut Reader<'_>, item: &Item<'_>, plugin: &str) -> Option<KnownScript> {
    let slug = item.slug(reader);
    let display_name = item.text(reader, "display_name");
    let script_path = item
        .required(reader, "script_path")
        .and_then(|node| inner_path(reader, node, "`script_path`", plugin));
    let output_schema = item.text(reader, "output_schema");
    Some(KnownScript {
        slug: slug?,
        display_name: display_name?.value,
        script_path: script_path?,
        output_schema: output_schema?.value,
    })
}

fn dataset_template(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<DatasetTemplate> {
    let slug = item.slug(reader);
    let display_name = item.text(reader, "display_name");
    let columns = item.required(reader, "columns").map(|node| {
        let columns = items(reader, node, "columns", "{name, type}");
        let mut read = Vec::new();
        for column in &columns {
            let (name, kind) = (column.text(reader, "name"), column.text(reader, "type"));
            if let (Some(name), Some(kind)) = (name, kind) {
                read.push((name, kind.value));
            }
        }
        let read = once(reader, read, "the column", "name", |(name, _)| name);
        read.into_iter().map(|(name, kind)| Column { name: name.value, kind }).collect()
    });
    Some(DatasetTemplate { slug: slug?, display_name: display_name?.value, columns: columns? })
}

fn dashboard_seed(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<DashboardSeed> {
    let slug = item.slug(reader);
    let title = item.text(reader, "title");
    let widgets = item.required(reader, "widgets").map(|node| {
        let widgets = items(reader, node, "widgets", "{block}");
        widgets.iter().filter_map(|widget| self::widget(reader, widget)).collect()
    });
    Some(DashboardSeed { slug: slug?, title: title?.value, widgets: widgets? })
}

fn widget(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Spanned<Widget>> {
    let block = item.required(reader, "block")?;
    let block = reader.checked(block, codes::MALFORMED_OVERRIDE_KEY, "the block", |text| {
        let name = OverrideKind::Block.name_in(text).unwrap_or(text);
        OverrideKind::Block.check(name).map(|()| OverrideKind::Block.key(name))
    });
    let props = match get(item.entries, "props") {
        None => serde_json::Map::new(),
        Some(node) => match node.to_json() {
            serde_json::Value::Object(map) => map,
            _ => {
                reader.wrong_type(node, "`props`", "a mapping", "`{name: value}`");
                return None;
            }
        },
    };
    block.map(|block| block.map(|block| Widget { block, props }))
}

fn config(reader: &mut Reader<'_>, node: &Node, out: &mut Manifest) {
    let Some(entries) = reader.map(node, "`config`", "`{key: {type: string}}`") else { return };
    for entry in entries {
        let name = format!("the setting `{}`", entry.key);
        if !grammar::rust_ident(&entry.key) || entry.key.contains(|c: char| c.is_ascii_uppercase()) {
            let help = "use lowercase letters, digits and `_`, a letter first";
            reader.error(
                codes::MALFORMED_NAME,
                &entry.key_range,
                format!("the name of {name} is malformed"),
                help,
            );
            continue;
        }
        let Some(fields) = reader.map(&entry.value, &name, "`{type: string}`") else { continue };
        let known = ["type", "label", "env", "default", "required", "values"];
        reader.unknown_keys(fields, &known, &name);
        let item = Item { entries: fields, node: &entry.value, name };
        if let Some(field) = config_field(reader, &item) {
            out.config.push((Spanned::new(entry.key.clone(), entry.key_range.clone()), field));
        }
    }
}

fn config_field(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<ConfigField> {
    const KINDS: &[(&str, ConfigKind)] = &[
        ("string", ConfigKind::String),
        ("integer", ConfigKind::Integer),
        ("number", ConfigKind::Number),
        ("boolean", ConfigKind::Boolean),
        ("password", ConfigKind::Password),
        ("enum", ConfigKind::Enum),
    ];
    let kind = item.required(reader, "type").and_then(|node| reader.word(node, "`type`", KINDS));
    let text = |reader: &mut Reader<'_>, field: &str| {
        get(item.entries, field)
            .and_then(|node| reader.text(node, &format!("`{field}`")))
            .map(|text| text.value)
    };
    let label = text(reader, "label");
    let env = get(item.entries, "env").and_then(|node| {
        reader.checked(node, codes::MALFORMED_NAME, "the environment variable", |text| {
            let sound = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                && !text.starts_with(|c: char| c.is_ascii_digit());
            if sound {
                Ok(text.to_string())
            } else {
                Err("use capitals, digits and `_`, like `CRM_API_KEY`".to_string())
            }
        })
    });
    let required = get(item.entries, "required").and_then(|node| reader.boolean(node, "`required`"));
    let values: Vec<String> = get(item.entries, "values")
        .map(|node| reader.texts(node, "values", codes::MALFORMED_NAME, "a list of texts", |_| Ok(())))
        .unwrap_or_default()
        .into_iter()
        .map(|value| value.value)
        .collect();
    let kind = kind?;
    if kind == ConfigKind::Enum && values.is_empty() {
        let range = item.entries.first().map_or(item.node.range.clone(), |entry| entry.key_range.clone());
        reader.missing(&range, "values", &item.name, "values: [one, two]");
        return None;
    }
    let default = match get(item.entries, "default") {
        None => None,
        Some(node) if fits(kind, &node.value, &values) => Some(node.to_json()),
        Some(node) => {
            let message =
                format!("the default of {} does not fit its type", item.name.trim_start_matches("the "));
            reader.error(
                codes::WRONG_TYPE,
                &node.range,
                message,
                "write a value of that type, or remove `default`",
            );
            None
        }
    };
    Some(ConfigField { kind, label, env, default, required: required.unwrap_or(false), values })
}

fn fits(kind: ConfigKind, value: &Value, values: &[String]) -> bool {
    match (kind, value) {
        (ConfigKind::String | ConfigKind::Password, Value::String(_)) => true,
        (ConfigKind::Integer, Value::Integer(_)) => true,
        (ConfigKind::Number, Value::Integer(_) | Value::Number(_)) => true,
        (ConfigKind::Boolean, Value::Bool(_)) => true,
        (ConfigKind::Enum, Value::String(text)) => values.contains(text),
        _ => false,
    }
}
