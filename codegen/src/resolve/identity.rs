//! Which plugins take part, what they need of one another, and in which order they stand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, ident_of, nearest};
use hub_manifest::plugin::Dependency;

use super::order::{Constraints, plugin_order};
use super::{Platform, in_manifest};
use crate::load::LoadedPlugin;

/// The first plugin of each slug, and those that one of an earlier root shadows. A second one in the same root is an
/// error; in a later root what is wrong in it is of no concern.
pub fn unique<'a>(
    plugins: &[&'a LoadedPlugin],
    diagnostics: &mut Vec<Diagnostic>,
) -> (BTreeMap<&'a str, &'a LoadedPlugin>, Vec<&'a LoadedPlugin>) {
    let mut unique: BTreeMap<&str, &LoadedPlugin> = BTreeMap::new();
    let mut shadowed = Vec::new();
    for plugin in plugins {
        let Some(first) = unique.get(plugin.slug()) else {
            unique.insert(plugin.slug(), plugin);
            continue;
        };
        if first.folder.root_index != plugin.folder.root_index {
            shadowed.push(*plugin);
        } else if !is_called_as_its_folder(plugin) {
            // That folder and name differ is told, and is the only mistake.
        } else if !is_called_as_its_folder(first) {
            unique.insert(plugin.slug(), plugin);
        } else {
            let found = Diagnostic::error("HUB030", format!("two plugins are called `{}`", plugin.slug()))
                .help("rename one of them: `name` and folder");
            diagnostics.push(beside_the_first(plugin, first, found));
        }
    }
    unique.retain(|_, plugin| plugin.manifest.name.is_some());
    (unique, shadowed)
}

fn is_called_as_its_folder(plugin: &LoadedPlugin) -> bool {
    plugin.manifest.name.as_ref().is_some_and(|name| ident_of(&name.value) == ident_of(&plugin.folder.name))
}

/// A warning for each shadowed plugin.
pub fn shadows(unique: &BTreeMap<&str, &LoadedPlugin>, shadowed: &[&LoadedPlugin]) -> Vec<Diagnostic> {
    let warning = |plugin: &&LoadedPlugin| {
        let first = unique.get(plugin.slug())?;
        // The plan keeps what warnings say, so the sentence names no folder of this machine; the place beside it does.
        let message = format!("the plugin `{}` is shadowed by one in an earlier root", plugin.slug());
        let found = Diagnostic::warning("HUB031", message)
            .help("earlier `--plugins` folders win; remove one of the two to silence this");
        Some(beside_the_first(plugin, first, found))
    };
    shadowed.iter().filter_map(warning).collect()
}

/// Gives a finding the place of a plugin's name, and the name of the plugin that came before it.
fn beside_the_first(plugin: &LoadedPlugin, first: &LoadedPlugin, found: Diagnostic) -> Diagnostic {
    let range = plugin.manifest.name.as_ref().map_or(0..0, |name| name.range.clone());
    let first_name = first.manifest.name.as_ref().zip(first.source.as_ref());
    let first_span = first_name.map_or(Span::START, |(name, source)| source.span(&name.range));
    in_manifest(plugin, &range, found).related(first.shown("plugin.yaml"), first_span, "the first one")
}

/// Drops what was found in plugins that are not part of the build.
pub fn forget(diagnostics: &mut Vec<Diagnostic>, plugins: &[&LoadedPlugin]) {
    let folders: HashSet<&Path> = plugins.iter().map(|plugin| plugin.folder.shown.as_path()).collect();
    if folders.is_empty() {
        return;
    }
    let inside = |file: &PathBuf| file.ancestors().any(|folder| folders.contains(folder));
    diagnostics.retain(|found| !found.file.as_ref().is_some_and(inside));
}

/// What decides each plugin's place; reports what is missing or too old on the way.
pub fn constraints(
    plugins: &BTreeMap<&str, &LoadedPlugin>,
    loaded: &[LoadedPlugin],
    platform: &Platform,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Constraints> {
    let mut by_ident: HashMap<String, &LoadedPlugin> = HashMap::new();
    for plugin in loaded {
        by_ident.entry(ident_of(plugin.slug())).or_insert(plugin);
    }
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
            if let Some(found) = check_dependency(plugins, &by_ident, dependency, required) {
                diagnostics.push(in_manifest(plugin, &dependency.slug.range, found));
            }
            let own = out.entry((*slug).to_string()).or_default();
            own.dependencies.insert(dependency.slug.value.clone());
        }
        for (slugs, field) in [(&manifest.before, "order.before"), (&manifest.after, "order.after")] {
            for named in slugs.iter().filter(|named| !by_ident.contains_key(&ident_of(&named.value))) {
                let found = warn_of_likely_slip(plugins, &named.value, field);
                diagnostics.extend(found.map(|found| in_manifest(plugin, &named.range, found)));
            }
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
    by_ident: &HashMap<String, &LoadedPlugin>,
    dependency: &Dependency,
    required: bool,
) -> Option<Diagnostic> {
    let slug = dependency.slug.value.as_str();
    let Some(plugin) = plugins.get(slug) else {
        let same = by_ident.get(&ident_of(slug));
        if !required {
            return same.is_none().then(|| warn_of_likely_slip(plugins, slug, "optional_dependencies"))?;
        }
        let (message, help) = match same {
            Some(plugin) if plugin.manifest.enabled == Some(false) => (
                format!("the plugin `{slug}` is needed, but its manifest leaves it out of the build"),
                format!(
                    "remove `enabled: false` from {}, or the dependency",
                    plugin.shown("plugin.yaml").display()
                ),
            ),
            // It is there, and what is wrong with its name is told.
            Some(plugin) if plugin.manifest.name.is_none() => return None,
            _ => {
                let near = nearest(slug, plugins.keys().copied());
                let help = match near.as_slice() {
                    [] => "add the plugin to the build, or name it in `optional_dependencies`".to_string(),
                    near => format!("did you mean {}?", alternatives(near)),
                };
                (format!("the plugin `{slug}` is needed, but it is not in the build"), help)
            }
        };
        return Some(Diagnostic::error("HUB032", message).help(help));
    };
    let (requirement, version) = (dependency.requirement.as_ref()?, plugin.manifest.version.as_ref()?);
    if requirement.matches(&version.value) {
        return None;
    }
    let message = format!("`{slug}` is {} in this build, but {requirement} is needed", version.value);
    Some(Diagnostic::error("HUB034", message).help("update the plugin, or widen the requirement"))
}

/// A plugin that need not be there is named, and is not; where one is called nearly so, the name is most likely wrong.
fn warn_of_likely_slip(
    plugins: &BTreeMap<&str, &LoadedPlugin>,
    slug: &str,
    field: &str,
) -> Option<Diagnostic> {
    let near = nearest(slug, plugins.keys().copied());
    if near.is_empty() {
        return None;
    }
    let message = format!("`{field}` names the plugin `{slug}`, which is not in the build");
    Some(Diagnostic::warning("HUB086", message).help(format!("did you mean {}?", alternatives(&near))))
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

/// The cycle, with every place that makes one plugin of it wait for the next.
fn cycle_error(plugins: &BTreeMap<&str, &LoadedPlugin>, cycle: &[String]) -> Option<Diagnostic> {
    let path = cycle.join(" → ");
    let message = format!("the plugins wait for one another: {path}");
    let mut waits = cycle.windows(2).filter_map(|pair| {
        let (waiting, other) = (plugins.get(pair[0].as_str())?, plugins.get(pair[1].as_str())?);
        let (plugin, range) = closing_field(waiting, other)?;
        Some((plugin, range, format!("`{}` waits for `{}`", pair[0], pair[1])))
    });
    let (plugin, range, label) = waits.next()?;
    let found = Diagnostic::error("HUB033", message)
        .label(label)
        .help("remove one of these dependencies, or one `order` entry");
    Some(waits.fold(in_manifest(plugin, &range, found), |found, (plugin, range, label)| {
        let span = plugin.source.as_ref().map_or(Span::START, |source| source.span(&range));
        found.related(plugin.shown("plugin.yaml"), span, label)
    }))
}

/// The field that makes `waiting` come after `other`, and the plugin whose manifest holds it.
fn closing_field<'a>(
    waiting: &'a LoadedPlugin,
    other: &'a LoadedPlugin,
) -> Option<(&'a LoadedPlugin, Range<usize>)> {
    let manifest = &waiting.manifest;
    let named = manifest.dependencies.iter().chain(&manifest.optional_dependencies).map(|d| &d.slug);
    let own = named.chain(&manifest.after).find(|slug| slug.value == other.slug());
    let others = || other.manifest.before.iter().find(|slug| slug.value == waiting.slug());
    own.map(|slug| (waiting, slug))
        .or_else(|| others().map(|slug| (other, slug)))
        .map(|(plugin, slug)| (plugin, slug.range.clone()))
}
