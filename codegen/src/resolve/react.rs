//! Plugins that bring a React of their own: the page holds one copy, and components of a second one fail in it.

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};

use super::{Context, Platform};
use crate::load::LoadedPlugin;
use crate::load::shared::{fits, is_copy};
use crate::scan::FRONTEND;

/// Finds all of them.
pub fn check(context: &mut Context<'_>, platform: &Platform) {
    context.diagnostics.extend(platform.shared.troubles.iter().cloned());
    for plugin in context.plugins.clone() {
        let found = dependencies(plugin, platform).chain(installed(plugin)).chain(imports(plugin));
        context.diagnostics.extend(found.map(|found| found.plugin(plugin.slug())));
    }
}

/// `dependencies` that npm cannot meet with the page's copy. Those that it can, it does.
fn dependencies<'a>(
    plugin: &'a LoadedPlugin,
    platform: &'a Platform,
) -> impl Iterator<Item = Diagnostic> + 'a {
    plugin.packages.dependencies.iter().filter_map(|dependency| {
        let (name, range) = (dependency.name, &dependency.range);
        let version = platform.shared.versions.get(name)?;
        if fits(range, version) != Some(false) {
            return None;
        }
        let message = format!("the frontend depends on `{name}` {range}, but the page has {version}");
        let found = Diagnostic::error(codes::SECOND_REACT, message).help(format!(
            "write `\"{name}\": \"^{}\"` under `peerDependencies`: all plugins share the page's copy",
            version.major
        ));
        Some(found.at(plugin.shown(&format!("{FRONTEND}/package.json")), dependency.span))
    })
}

fn installed(plugin: &LoadedPlugin) -> impl Iterator<Item = Diagnostic> + '_ {
    plugin.packages.installed.iter().map(|name| {
        Diagnostic::error(
            codes::SECOND_REACT,
            format!("the frontend has a `{name}` of its own in node_modules"),
        )
        .at(plugin.shown(&format!("{FRONTEND}/node_modules/{name}/package.json")), Span::START)
        .help(format!("remove it, or list `{name}` under `peerDependencies` in {FRONTEND}/package.json"))
    })
}

fn imports(plugin: &LoadedPlugin) -> impl Iterator<Item = Diagnostic> + '_ {
    plugin.web.iter().flat_map(|source| {
        let imports = source.module.iter().flat_map(|module| &module.imports);
        let copies = imports.filter(|import| !import.type_only && is_copy(&import.specifier));
        copies.map(|import| {
            let message = format!("`{}` is a copy of React beside the page's own", import.specifier);
            Diagnostic::error(codes::SECOND_REACT, message).at(&source.file, import.span).help(
                "import from `react` or `react-dom`: every plugin has the page's copy under these names",
            )
        })
    })
}
