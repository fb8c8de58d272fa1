//! `plugin.yaml`: the manifest of a vertical plugin, raw and as its author wrote it.
//!
//! [`parse`] gives every sound field with its place, and ALL findings. Defaults and cross-plugin facts are not here:
//! they exist only in the [`crate::plan::Plan`].

use std::collections::HashSet;
use std::sync::LazyLock;

use semver::{Version, VersionReq};

use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::grammar::{self, RouterSpec};
use crate::metadata::Metadata;
use crate::node::{Entry, Node, Value};
use crate::plan::Visibility;
use crate::reader::{Reader, get};
use crate::source::{Source, Spanned};
use crate::{contributions, yaml};

pub use crate::contributions::{
    ConfigField, DashboardSeed, DatasetTemplate, DbtWorkspace, KnownScript, NavItem, SeedGroup,
};

/// Every field of `plugin.yaml`, in the order in which documents list them.
pub static FIELDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let metadata = Metadata::FIELDS.iter().map(|field| field.name);
    REQUIRED.iter().copied().chain(metadata).chain(OPTIONAL.iter().copied()).collect()
});

/// The fields that every manifest has.
const REQUIRED: &[&str] = &["name", "version", "display_name"];

/// The fields by which the platform does something.
const OPTIONAL: &[&str] = &[
    "min_platform_version",
    "dependencies",
    "optional_dependencies",
    "order",
    "routers",
    "public_routes",
    "dbt_workspace",
    "dbt_workspaces",
    "frontend_entry",
    "frontend_overrides",
    "nav",
    "permissions",
    "seed_groups",
    "known_scripts",
    "dataset_templates",
    "dashboard_seeds",
    "config",
    "migrations",
    "visibility",
    "enabled",
];

/// A manifest's sound fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    /// Slug.
    pub name: Option<Spanned<String>>,
    /// Semver version.
    pub version: Option<Spanned<Version>>,
    /// Name shown to people.
    pub display_name: Option<Spanned<String>>,
    /// What it says to people only.
    pub metadata: Metadata,
    /// Requirement on the platform's version.
    pub min_platform_version: Option<Spanned<VersionReq>>,
    /// Plugins that must be present.
    pub dependencies: Vec<Dependency>,
    /// Plugins that come first where they are present.
    pub optional_dependencies: Vec<Dependency>,
    /// Plugins that this one comes before.
    pub before: Vec<Spanned<String>>,
    /// Plugins that this one comes after.
    pub after: Vec<Spanned<String>>,
    /// Routers to mount.
    pub routers: Vec<Spanned<RouterSpec>>,
    /// Routes for anonymous callers: method (none for all) and absolute pattern.
    pub public_routes: Vec<Spanned<(Option<String>, String)>>,
    /// dbt projects of both forms.
    pub dbt_workspaces: Vec<DbtWorkspace>,
    /// Module of the plugin's pages.
    pub frontend_entry: Option<Spanned<String>>,
    /// `route:` and `block:` claims: key and file.
    pub frontend_overrides: Vec<(Spanned<String>, Spanned<String>)>,
    /// Navigation.
    pub nav: Vec<NavItem>,
    /// Permissions declared.
    pub permissions: Vec<Spanned<String>>,
    /// Groups to seed.
    pub seed_groups: Vec<SeedGroup>,
    /// Recipes.
    pub known_scripts: Vec<KnownScript>,
    /// Dataset templates.
    pub dataset_templates: Vec<DatasetTemplate>,
    /// Dashboards to seed.
    pub dashboard_seeds: Vec<DashboardSeed>,
    /// Settings.
    pub config: Vec<(Spanned<String>, ConfigField)>,
    /// Folder of SQL migrations.
    pub migrations: Option<Spanned<String>>,
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// `false` leaves the plugin out.
    pub enabled: Option<bool>,
}

/// A plugin that another one names.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Its slug.
    pub slug: Spanned<String>,
    /// Versions that will do; none means any.
    pub requirement: Option<VersionReq>,
}

/// Reads one `plugin.yaml`. `folder` is the name of the folder that it lies in.
pub fn parse(source: &Source, folder: &str) -> (Manifest, Vec<Diagnostic>) {
    let mut reader = Reader { source, plugin: folder, diagnostics: Vec::new() };
    let mut manifest = Manifest::default();
    let root = yaml::parse(source, &mut reader.diagnostics);
    if let Some(root) = root {
        match &root.value {
            Value::Map(entries) => read(&mut reader, entries, folder, &mut manifest),
            _ => {
                let message =
                    format!("plugin.yaml must be a mapping of fields, but this is {}", root.value.kind());
                reader.error(
                    codes::NOT_A_MAPPING,
                    &root.range,
                    message,
                    "begin with `name: …`, one field a line",
                );
            }
        }
    }
    let mut diagnostics = reader.finished();
    let plugin = manifest.name.as_ref().map_or(folder, |name| name.value.as_str());
    for diagnostic in &mut diagnostics {
        diagnostic.plugin = Some(plugin.to_string());
    }
    (manifest, diagnostics)
}

fn read(reader: &mut Reader<'_>, entries: &[Entry], folder: &str, out: &mut Manifest) {
    reader.unknown_keys(entries, &FIELDS, "plugin.yaml");
    identity(reader, entries, folder, out);
    let slug = out.name.as_ref().map_or_else(|| folder.to_string(), |name| name.value.clone());

    out.metadata = Metadata::read(reader, entries);
    out.min_platform_version = get(entries, "min_platform_version")
        .and_then(|node| reader.checked(node, codes::MALFORMED_REQUIREMENT, "the requirement", requirement));
    if let Some(node) = get(entries, "dependencies") {
        out.dependencies = dependencies(reader, node, "dependencies", &slug);
    }
    if let Some(node) = get(entries, "optional_dependencies") {
        out.optional_dependencies = dependencies(reader, node, "optional_dependencies", &slug);
    }
    let required: HashSet<&str> =
        out.dependencies.iter().map(|required| required.slug.value.as_str()).collect();
    for both in out.optional_dependencies.iter().filter(|optional| required.contains(&*optional.slug.value)) {
        let message = format!("`{}` stands in `dependencies` too", both.slug.value);
        reader.warning(
            codes::DUPLICATE_ENTRY,
            &both.slug.range,
            message,
            "remove it here: it is required anyway",
        );
    }
    order(reader, entries, out);
    if let Some(node) = get(entries, "routers") {
        routers(reader, node, out);
    }
    if let Some(node) = get(entries, "public_routes") {
        public_routes(reader, node, &slug, out);
    }
    out.visibility = get(entries, "visibility").and_then(|node| {
        let words = [
            ("protected", Visibility::Protected),
            ("public", Visibility::Public),
            ("internal", Visibility::Internal),
        ];
        reader.word(node, "`visibility`", &words)
    });
    out.enabled = get(entries, "enabled").and_then(|node| reader.boolean(node, "`enabled`"));
    out.migrations =
        get(entries, "migrations").and_then(|node| inner_path(reader, node, "`migrations`", &slug));
    contributions::read(reader, entries, &slug, out);
}

/// The three required fields.
fn identity(reader: &mut Reader<'_>, entries: &[Entry], folder: &str, out: &mut Manifest) {
    let top = Span::START.offset..0;
    match get(entries, "name") {
        None => reader.missing(&top, "name", "plugin.yaml", &format!("name: {}", folder.replace(' ', "-"))),
        Some(node) => {
            out.name = reader.checked(node, codes::MALFORMED_NAME, "the slug", |text| {
                grammar::slug(text).map(|()| text.to_string())
            });
        }
    }
    if let Some(name) = out.name.clone() {
        if grammar::RESERVED_SLUGS.contains(&name.value.as_str()) {
            reader.error(
                codes::RESERVED_SLUG,
                &name.range,
                format!("the slug `{}` is reserved: the platform's own routes and pages use it", name.value),
                format!("choose another one, like `{}-plugin`, and rename the folder with it", name.value),
            );
            out.name = None;
        } else if grammar::ident_of(&name.value) != grammar::ident_of(folder) {
            reader.error(
                codes::NAME_NOT_OF_FOLDER,
                &name.range,
                format!("the plugin is called `{}`, but its folder is `{folder}`", name.value),
                format!("rename the folder to `{}`, or write `name: {folder}`", name.value),
            );
        }
    }
    match get(entries, "version") {
        None => reader.missing(&top, "version", "plugin.yaml", "version: 0.1.0"),
        Some(node) if matches!(node.value, Value::Integer(_) | Value::Number(_)) => {
            reader.wrong_type(node, "the version", "text", "a semantic version like `1.0.0`");
        }
        Some(node) => {
            out.version = reader.checked(node, codes::MALFORMED_VERSION, "the version", |text| {
                Version::parse(text)
                    .map_err(|error| format!("write a semantic version like `1.0.0` ({error})"))
            });
        }
    }
    match get(entries, "display_name") {
        None => reader.missing(&top, "display_name", "plugin.yaml", "display_name: The name that people see"),
        Some(node) => out.display_name = reader.text(node, "`display_name`"),
    }
}

fn requirement(text: &str) -> Result<VersionReq, String> {
    VersionReq::parse(text).map_err(|error| format!("write a requirement like `>=0.1.0` or `^1.2` ({error})"))
}

/// `[slug, …]`, `{slug: "^1.2"}`, or a list that mixes both.
fn dependencies(reader: &mut Reader<'_>, node: &Node, field: &str, own: &str) -> Vec<Dependency> {
    let mut out: Vec<Dependency> = Vec::new();
    let mut pairs: Vec<(Spanned<String>, Option<&Node>)> = Vec::new();
    match &node.value {
        Value::Map(_) => {
            let entries = reader.map(node, &format!("`{field}`"), "`{healthcare: \"^1.2\"}`");
            pairs.extend(
                entries
                    .unwrap_or_default()
                    .iter()
                    .map(|e| (Spanned::new(e.key.clone(), e.key_range.clone()), Some(&e.value))),
            );
        }
        Value::List(_) => {
            let items = reader.list(node, &format!("`{field}`"), "`[healthcare]`");
            for item in items.unwrap_or_default() {
                match &item.value {
                    Value::Map(entries) => pairs.extend(
                        entries
                            .iter()
                            .map(|e| (Spanned::new(e.key.clone(), e.key_range.clone()), Some(&e.value))),
                    ),
                    _ => pairs.extend(
                        reader.text(item, &format!("the entry of `{field}`")).map(|slug| (slug, None)),
                    ),
                }
            }
        }
        _ => reader.wrong_type(
            node,
            &format!("`{field}`"),
            "a list of slugs, or a mapping of slugs to versions",
            "`[healthcare]` or `{healthcare: \"^1.2\"}`",
        ),
    }
    let mut known = HashSet::new();
    for (slug, wanted) in pairs {
        if let Err(help) = grammar::slug(&slug.value) {
            reader.error(
                codes::MALFORMED_NAME,
                &slug.range,
                format!("the slug `{}` is malformed", slug.value),
                help,
            );
            continue;
        }
        if slug.value == own {
            reader.error(
                codes::DEPENDS_ON_ITSELF,
                &slug.range,
                "a plugin cannot depend on itself",
                format!("remove `{own}` here"),
            );
            continue;
        }
        if known.contains(&slug.value) {
            let message = format!("`{}` stands twice in `{field}`", slug.value);
            reader.warning(codes::DUPLICATE_ENTRY, &slug.range, message, "remove one of the two");
            continue;
        }
        let requirement = match wanted.filter(|node| node.value != Value::Null) {
            None => None,
            Some(node) => {
                match reader.checked(node, codes::MALFORMED_REQUIREMENT, "the requirement", requirement) {
                    Some(requirement) => Some(requirement.value),
                    None => continue,
                }
            }
        };
        known.insert(slug.value.clone());
        out.push(Dependency { slug, requirement });
    }
    out
}

fn order(reader: &mut Reader<'_>, entries: &[Entry], out: &mut Manifest) {
    let Some(node) = get(entries, "order") else { return };
    let Some(entries) = reader.map(node, "`order`", "`{before: [slug], after: [slug]}`") else { return };
    reader.unknown_keys(entries, &["before", "after"], "`order`");
    let mut slugs = |field: &str| {
        get(entries, field)
            .map(|node| {
                reader.texts(
                    node,
                    &format!("order.{field}"),
                    codes::MALFORMED_NAME,
                    "a list of slugs",
                    grammar::slug,
                )
            })
            .unwrap_or_default()
    };
    out.before = slugs("before");
    out.after = slugs("after");
}

fn routers(reader: &mut Reader<'_>, node: &Node, out: &mut Manifest) {
    let items = reader.list(node, "`routers`", "`- plugins.<slug>.backend.<module>:<function>`, one a line");
    let mut known = HashSet::new();
    for item in items.unwrap_or_default() {
        let Some(spec) = reader.checked(item, codes::MALFORMED_ROUTER, "the router", grammar::router_spec)
        else {
            continue;
        };
        if !known.insert(spec.value.text.clone()) {
            let message = format!("the router `{}` stands twice", spec.value.text);
            reader.error(
                codes::DUPLICATE_ROUTER,
                &spec.range,
                message,
                "a router can be mounted once: remove one of the two",
            );
        } else {
            out.routers.push(spec);
        }
    }
}

/// A list, or per method `{ALL: [], GET: []}`.
fn public_routes(reader: &mut Reader<'_>, node: &Node, slug: &str, out: &mut Manifest) {
    let mut read = |reader: &mut Reader<'_>, method: Option<String>, list: &Node| {
        for item in reader.list(list, "`public_routes`", "a list of paths, like `[ping]`").unwrap_or_default()
        {
            let pattern = reader.checked(item, codes::MALFORMED_PUBLIC_ROUTE, "the public route", |text| {
                grammar::public_route(slug, text)
            });
            out.public_routes.extend(pattern.map(|pattern| pattern.map(|pattern| (method.clone(), pattern))));
        }
    };
    let Value::Map(_) = &node.value else {
        if matches!(node.value, Value::List(_)) {
            read(reader, None, node);
        } else {
            let wanted = "a list of paths, or a mapping of methods to lists";
            reader.wrong_type(node, "`public_routes`", wanted, "`[ping]` or `{GET: [ping]}`");
        }
        return;
    };
    for entry in reader.map(node, "`public_routes`", "`{GET: [ping]}`").unwrap_or_default() {
        let method = entry.key.to_ascii_uppercase();
        if method == "ALL" {
            read(reader, None, &entry.value);
        } else if grammar::METHODS.contains(&method.as_str()) {
            read(reader, Some(method), &entry.value);
        } else {
            let help = format!("write `ALL` or {}", grammar::alternatives(grammar::METHODS));
            reader.error(
                codes::MALFORMED_PUBLIC_ROUTE,
                &entry.key_range,
                format!("`{}` is not an HTTP method", entry.key),
                help,
            );
        }
    }
}

/// A file or folder of the plugin. One that begins with `plugins/<slug>/` starts at the plugin's root, as every other
/// does: the prefix is taken off.
pub(crate) fn inner_path(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    slug: &str,
) -> Option<Spanned<String>> {
    reader.checked(node, codes::MALFORMED_PATH, &format!("the path of {what}"), |text| {
        let own = [slug.to_string(), grammar::ident_of(slug)];
        let rooted = own.iter().find_map(|slug| text.strip_prefix(&format!("plugins/{slug}/")));
        grammar::inner_path(rooted.unwrap_or(text))
    })
}
