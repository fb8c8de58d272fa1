//! Which plugins take part, what they need of one another, and in which order they stand.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::ident_of;
use hub_manifest::rules::dependencies::{self, Absent, Present, Whose};
use hub_manifest::rules::order::{Constraints, plugin_order};
use hub_manifest::rules::{self, Subject, called_twice};

use super::Platform;
use crate::load::{LoadedPlugin, in_manifest};

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
            diagnostics.push(beside_the_first(plugin, first, called_twice(plugin.slug())));
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
        let found = Diagnostic::warning(codes::SHADOWED_PLUGIN, message)
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
    let mut present = Present::new(Whose::Build);
    for plugin in loaded {
        let there = plugins.get(plugin.slug()).is_some_and(|there| std::ptr::eq(*there, plugin));
        match plugin.manifest.enabled {
            _ if there => {
                let version = plugin.manifest.version.as_ref().map(|version| version.value.clone());
                present.add(plugin.slug(), version);
            }
            Some(false) => {
                present.add_absent(plugin.slug(), Absent::SwitchedOff(plugin.shown("plugin.yaml")));
            }
            // It is there, and what is wrong with its name is told.
            _ => present.add_absent(plugin.slug(), Absent::Told),
        }
    }
    for plugin in plugins.values() {
        let subject = plugin.subject();
        diagnostics.extend(rules::platform::check(&subject, &platform.version));
        diagnostics.extend(dependencies::check(&subject, &present));
    }
    dependencies::constraints(&subjects(plugins))
}

fn subjects<'a>(plugins: &BTreeMap<&'a str, &'a LoadedPlugin>) -> BTreeMap<&'a str, Subject<'a>> {
    plugins.iter().map(|(slug, plugin)| (*slug, plugin.subject())).collect()
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
            diagnostics.extend(dependencies::cycle(&subjects(plugins), &cycle));
            plugins.keys().map(|slug| (*slug).to_string()).collect()
        }
    };
    order.iter().filter_map(|slug| plugins.get(slug.as_str()).copied()).collect()
}
