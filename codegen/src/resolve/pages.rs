//! The pages of plugins: whose path each one is, and navigation that leads to none.

use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::override_kind::OverrideKind;
use hub_manifest::plan::FrontendEntry;
use hub_manifest::rules::pages::{self, SHELL, answers, owner_of};
use hub_manifest::source::Spanned;

use super::Context;
use super::web::{Modules, is_module, missing_module, module_at, no_module};
use crate::load::LoadedPlugin;
use crate::load::websource::{Claimed, Module, Wanted, check_export, pages_of};

/// The pages of a plugin.
pub struct PagesOf<'a> {
    slug: &'a str,
    paths: Vec<String>,
    /// Whether there are no others: only the running program may know some.
    complete: bool,
}

/// The plugin's page module, and the pages that it lists; reports pages that are not the plugin's to have.
pub fn entry<'a>(
    context: &mut Context<'_>,
    plugins: &[&LoadedPlugin],
    plugin: &'a LoadedPlugin,
    modules: &Modules<'_>,
) -> (Option<FrontendEntry>, PagesOf<'a>) {
    let slug = plugin.slug();
    let entry = plugin.manifest.frontend_entry.as_ref();
    let module = entry.and_then(|entry| entry_module(context, plugin, modules, entry));
    let load = |path: &Path| module_at(plugin, modules, path).cloned();
    let pages = module.and_then(|module| pages_of(module, &load));
    let mut paths = Vec::new();
    for page in pages.iter().flat_map(|(_, pages)| &pages.listed) {
        if !page.component
            && let Some((file, _)) = &pages
        {
            context.diagnostics.push(
                Diagnostic::error(codes::WRONG_EXPORT, format!("the page `{}` has no component", page.path))
                    .plugin(slug)
                    .at(file, page.span)
                    .help("name what it shows: `{ path, component: MyPage }`"),
            );
        }
        let owner = owner_of(&page.path);
        if owner == Some(slug) {
            paths.push(page.path.clone());
        } else if let Some((file, _)) = &pages {
            let path = &page.path;
            let other = plugins.iter().map(|other| other.slug()).find(|other| owner == Some(*other));
            let (message, way) = match other {
                Some(other) => (
                    format!("the page `{path}` lies under the paths of plugin `{other}`"),
                    format!("; claim `{}` to replace a page of `{other}`", OverrideKind::Route.key(path)),
                ),
                None => (format!("the page `{path}` lies outside the plugin's own paths"), String::new()),
            };
            context.diagnostics.push(
                Diagnostic::error(codes::FOREIGN_PAGE, message)
                    .plugin(slug)
                    .at(file, page.span)
                    .help(format!("write a path under `/{slug}/` or `/plugins/{slug}/`{way}")),
            );
        }
    }
    let complete = match (entry, &pages) {
        (None, _) => true,
        (Some(_), Some((_, pages))) => pages.dynamic.is_empty(),
        (Some(_), None) => false,
    };
    let found = entry.filter(|_| module.is_some()).map(|entry| FrontendEntry {
        plugin: slug.to_string(),
        file: entry.value.clone(),
        paths: paths.clone(),
    });
    (found, PagesOf { slug, paths, complete })
}

fn entry_module<'a>(
    context: &mut Context<'_>,
    plugin: &LoadedPlugin,
    modules: &Modules<'a>,
    entry: &Spanned<String>,
) -> Option<&'a Module> {
    if !plugin.folder.files.contains(&entry.value) {
        let found = missing_module(plugin, &entry.value, "", "`frontend_entry`");
        context.in_manifest(plugin, &entry.range, found);
        return None;
    }
    let Some(web) = modules.get(entry.value.as_str()) else {
        if !is_module(&entry.value) {
            let found = no_module(plugin, &entry.value, "`frontend_entry`");
            context.in_manifest(plugin, &entry.range, found);
        }
        return None;
    };
    let module = web.module.as_ref().ok()?;
    let manifest = plugin.shown("plugin.yaml");
    let claimed = Claimed {
        plugin: plugin.slug(),
        file: &manifest,
        span: plugin.source.as_ref().map_or(Span::START, |source| source.span(&entry.range)),
        key: "frontend_entry",
        export: "default",
        wanted: Wanted::Pages,
    };
    let load = |path: &Path| module_at(plugin, modules, path).cloned();
    match check_export(&claimed, module, &load) {
        Some(found) => {
            context.diagnostics.push(found);
            None
        }
        None => Some(module),
    }
}

/// Warns of navigation that leads nowhere: to no page of the shell, of the plugin itself or of another one.
pub fn warn_of_dead_navigation(context: &mut Context<'_>, plugin: &LoadedPlugin, all: &[PagesOf<'_>]) {
    let of = |slug: &str| all.iter().find(|pages| pages.slug == slug);
    let own = of(plugin.slug());
    if own.is_some_and(|own| !own.complete) {
        return;
    }
    let paths = own.map(|own| own.paths.as_slice()).unwrap_or_default();
    let overrides = plugin.manifest.frontend_overrides.iter();
    let replaced: Vec<&str> =
        overrides.filter_map(|(key, _)| OverrideKind::Route.name_in(&key.value)).collect();
    let serves = |path: &str| {
        let own = SHELL.iter().map(|page| page.path.as_str());
        own.chain(replaced.iter().copied()).any(|page| answers(page, path))
            || owner_of(path)
                .and_then(of)
                .is_some_and(|owner| !owner.complete || owner.paths.iter().any(|page| answers(page, path)))
    };
    context.diagnostics.extend(pages::check(&plugin.subject(), &serves, Some(paths)));
}
