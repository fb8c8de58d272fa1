//! Which plugins take part, what they need of one another, and in which order they stand.

use std::collections::{BTreeMap, BTreeSet};

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::plugin::Dependency;

use super::order::{Constraints, plugin_order};
use super::{Platform, in_manifest};
use crate::load::LoadedPlugin;

/// The first plugin of each slug. A second one in the same root is an error; in a later root it is shadowed.
pub fn unique<'a>(
    plugins: &[&'a LoadedPlugin],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'a str, &'a LoadedPlugin> {
    let mut unique: BTreeMap<&str, &LoadedPlugin> = BTreeMap::new();
    for plugin in plugins {
        let Some(name) = &plugin.manifest.name else { continue };
        let Some(first) = unique.get(name.value.as_str()) else {
            unique.insert(&name.value, plugin);
            continue;
        };
        let first_span = first
            .manifest
            .name
            .as_ref()
            .zip(first.source.as_ref())
            .map_or(Span::START, |(name, source)| source.span(&name.range));
        let found = if first.folder.root_index == plugin.folder.root_index {
            Diagnostic::error("HUB030", format!("two plugins are called `{}`", name.value))
                .help("rename one of them: slug and folder")
        } else {
            let kept = first.folder.shown.display();
            Diagnostic::warning("HUB031", format!("the plugin `{}` is shadowed by {kept}", name.value))
                .help("earlier `--plugins` folders win; remove one of the two to silence this")
        };
        diagnostics.push(in_manifest(plugin, &name.range, found).related(
            first.shown("plugin.yaml"),
            first_span,
            "the first one",
        ));
    }
    unique
}

/// What decides each plugin's place; reports what is missing or too old on the way.
pub fn constraints(
    plugins: &BTreeMap<&str, &LoadedPlugin>,
    platform: &Platform,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Constraints> {
    let mut out: BTreeMap<String, Constraints> =
        plugins.keys().map(|slug| ((*slug).to_string(), Constraints::default())).collect();
    for (slug, plugin) in plugins {
        let manifest = &plugin.manifest;
        if let Some(wanted) = &manifest.min_platform_version
            && !wanted.value.matches(&platform.version)
        {
            let version = &platform.version;
            let message = format!("`{slug}` needs a platform {}, and this one is {version}", wanted.value);
            let found = Diagnostic::error("HUB035", message)
                .help("build with a platform of that version, or lower `min_platform_version`");
            diagnostics.push(in_manifest(plugin, &wanted.range, found));
        }
        let optional = manifest.optional_dependencies.iter().map(|dependency| (dependency, false));
        for (dependency, required) in manifest.dependencies.iter().map(|d| (d, true)).chain(optional) {
            if let Some(found) = check_dependency(plugins, dependency, required) {
                diagnostics.push(in_manifest(plugin, &dependency.slug.range, found));
            }
            let own = out.entry((*slug).to_string()).or_default();
            own.dependencies.insert(dependency.slug.value.clone());
        }
        for after in &manifest.after {
            out.entry((*slug).to_string()).or_default().after.insert(after.value.clone());
        }
        for before in &manifest.before {
            if let Some(other) = out.get_mut(&before.value) {
                other.after.insert((*slug).to_string());
            }
        }
    }
    out
}

fn check_dependency(
    plugins: &BTreeMap<&str, &LoadedPlugin>,
    dependency: &Dependency,
    required: bool,
) -> Option<Diagnostic> {
    let slug = dependency.slug.value.as_str();
    let Some(plugin) = plugins.get(slug) else {
        let near = nearest(slug, plugins.keys().copied());
        let help = match near.as_slice() {
            [] => "add the plugin to the build, or make the dependency optional".to_string(),
            near => format!("did you mean {}?", alternatives(near)),
        };
        let missing = || Diagnostic::error("HUB032", format!("the plugin `{slug}` is not in the build"));
        return required.then(|| missing().help(help));
    };
    let (requirement, version) = (dependency.requirement.as_ref()?, plugin.manifest.version.as_ref()?);
    if requirement.matches(&version.value) {
        return None;
    }
    let message = format!("`{slug}` is {} in this build, but {requirement} is needed", version.value);
    Some(Diagnostic::error("HUB034", message).help("update the plugin, or widen the requirement"))
}

/// The plugins in plugin order; by slug alone where a cycle leaves none.
pub fn ordered<'a>(
    plugins: &BTreeMap<&'a str, &'a LoadedPlugin>,
    constraints: &BTreeMap<String, Constraints>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<&'a LoadedPlugin> {
    let order = match plugin_order(constraints) {
        Ok(order) => order,
        Err(cycle) => {
            diagnostics.extend(cycle_error(plugins, &cycle));
            plugins.keys().map(|slug| (*slug).to_string()).collect()
        }
    };
    order.iter().filter_map(|slug| plugins.get(slug.as_str()).copied()).collect()
}

/// The cycle, at the field of its first plugin that closes it.
fn cycle_error(plugins: &BTreeMap<&str, &LoadedPlugin>, cycle: &[String]) -> Option<Diagnostic> {
    let [first, second, ..] = cycle else { return None };
    let plugin = plugins.get(first.as_str())?;
    let manifest = &plugin.manifest;
    let named = manifest.dependencies.iter().chain(&manifest.optional_dependencies).map(|d| &d.slug);
    let range = named
        .chain(&manifest.after)
        .find(|slug| slug.value == *second)
        .or(manifest.name.as_ref())
        .map_or(0..0, |slug| slug.range.clone());
    let path = cycle.join(" → ");
    let mut found = Diagnostic::error("HUB033", format!("the plugins wait for one another: {path}"))
        .help("remove one of these dependencies, or one `order` entry");
    let others: BTreeSet<&String> = cycle.iter().filter(|slug| *slug != first).collect();
    for other in others {
        if let Some(plugin) = plugins.get(other.as_str())
            && let Some((name, source)) = plugin.manifest.name.as_ref().zip(plugin.source.as_ref())
        {
            found = found.related(plugin.shown("plugin.yaml"), source.span(&name.range), "part of the cycle");
        }
    }
    Some(in_manifest(plugin, &range, found))
}
