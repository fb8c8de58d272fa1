//! The web side of the plan: one chain of claims for every override key, and the plugins' pages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::plan::{Claim, FrontendEntry, WebPlan};
use hub_manifest::source::Spanned;

use super::order::depends_on;
use super::{Context, Platform};
use crate::load::{FRONTEND, LoadedPlugin};
use crate::websource::{Claimed, Module, Source, Wanted, check_export, pages_of};

/// Paths that the web shell itself answers.
const SHELL_PATHS: &[&str] = &["/", "/records", "/plugins", "/overrides"];

/// A claim with its place.
struct Placed<'a> {
    plugin: &'a LoadedPlugin,
    /// Place of the plugin in plugin order.
    position: usize,
    key: String,
    claim: Claim,
    /// The manifest that makes the claim.
    file: PathBuf,
    /// Where its paths start from, with a closing `/`.
    base: &'static str,
    /// Where in it the key stands.
    at_key: Span,
    /// Where the module is named.
    at_module: Span,
    /// Where the export is named, or else the module.
    at_export: Span,
}

/// Makes the chains and looks up everything that they name.
pub fn web_plan(context: &mut Context<'_>, platform: &Platform) -> WebPlan {
    let plugins = context.plugins.clone();
    for plugin in &plugins {
        let broken = plugin.web.iter().filter_map(|source| source.module.as_ref().err()).flatten();
        context.diagnostics.extend(broken.cloned().map(|found| found.plugin(plugin.slug())));
    }
    let asked = asked_keys(&plugins, platform);
    let mut chains: BTreeMap<String, Vec<Placed<'_>>> = BTreeMap::new();
    for (position, plugin) in plugins.iter().enumerate() {
        for placed in claims_of(plugin, position) {
            if check_claim(context, &placed, &asked) {
                chains.entry(placed.key.clone()).or_default().push(placed);
            }
        }
    }
    for chain in chains.values_mut() {
        chain.sort_by_key(|placed| Reverse((placed.claim.priority, placed.position)));
        warn_of_repeats(context, chain);
        warn_of_ties(context, chain);
    }
    WebPlan {
        keys: chains
            .into_iter()
            .map(|(key, chain)| (key, chain.into_iter().map(|placed| placed.claim).collect()))
            .collect(),
        entries: plugins.iter().filter_map(|plugin| entry(context, plugin)).collect(),
        asked: asked.into_iter().collect(),
    }
}

/// Every key that the shell or a plugin asks for.
fn asked_keys(plugins: &[&LoadedPlugin], platform: &Platform) -> BTreeSet<String> {
    let modules = plugins.iter().flat_map(|plugin| &plugin.web).chain(&platform.shell);
    let modules = modules.filter_map(|file| file.module.as_ref().ok());
    modules.flat_map(|module| module.asked.iter().map(|asked| asked.key.clone())).collect()
}

/// The claims of `overrides.json`, then those of `frontend_overrides`.
fn claims_of(plugin: &LoadedPlugin, position: usize) -> Vec<Placed<'_>> {
    let mut out = Vec::new();
    let slug = plugin.slug().to_string();
    let mut default_priority = 0;
    if let Some((source, overrides)) = &plugin.overrides {
        default_priority = overrides.priority.unwrap_or(0);
        for claim in &overrides.claims {
            out.push(Placed {
                plugin,
                position,
                key: claim.key.value.clone(),
                claim: Claim {
                    plugin: slug.clone(),
                    priority: claim.priority.unwrap_or(default_priority),
                    file: format!("{FRONTEND}/{}", claim.component.value),
                    export: claim
                        .export
                        .as_ref()
                        .map_or_else(|| "default".to_string(), |export| export.value.clone()),
                },
                file: source.file.clone(),
                base: "frontend/",
                at_key: source.span(&claim.key.range),
                at_module: source.span(&claim.component.range),
                at_export: source.span(&claim.export.as_ref().unwrap_or(&claim.component).range),
            });
        }
    }
    for (key, file) in &plugin.manifest.frontend_overrides {
        let Some(source) = &plugin.source else { continue };
        out.push(Placed {
            plugin,
            position,
            key: key.value.clone(),
            claim: Claim {
                plugin: slug.clone(),
                priority: default_priority,
                file: file.value.clone(),
                export: "default".to_string(),
            },
            file: source.file.clone(),
            base: "",
            at_key: source.span(&key.range),
            at_module: source.span(&file.range),
            at_export: source.span(&file.range),
        });
    }
    out
}

/// Whether the claim's module exists and gives what is claimed; warns of a key that nothing asks for.
fn check_claim(context: &mut Context<'_>, placed: &Placed<'_>, asked: &BTreeSet<String>) -> bool {
    let Placed { plugin, key, claim, file, .. } = placed;
    if !key.contains(':') && !asked.contains(key) {
        let near = nearest(key, asked.iter().map(String::as_str));
        let help = match near.as_slice() {
            [] => format!("put `<Surface name=\"{key}\">` where it shall show, or remove the claim"),
            near => format!("did you mean {}?", alternatives(near)),
        };
        context.diagnostics.push(
            Diagnostic::warning("HUB077", format!("nothing asks for the override key `{key}`"))
                .plugin(plugin.slug())
                .at(file, placed.at_key)
                .help(help),
        );
    }
    if !plugin.folder.files.contains(&claim.file) {
        let found = missing_module(plugin, &claim.file, placed.base, &format!("the override of `{key}`"));
        context.diagnostics.push(found.at(file, placed.at_module));
        return false;
    }
    let Some(web) = module_of(plugin, &claim.file) else {
        if is_module(&claim.file) {
            return true;
        }
        let found = no_module(plugin, &claim.file, &format!("the override of `{key}`"));
        context.diagnostics.push(found.at(file, placed.at_module));
        return false;
    };
    let Ok(module) = &web.module else { return false };
    let claimed = Claimed {
        plugin: plugin.slug(),
        file,
        span: placed.at_export,
        key,
        export: &claim.export,
        wanted: Wanted::Component,
    };
    let load = |path: &Path| module_at(plugin, path).cloned();
    match check_export(&claimed, module, &load) {
        None => true,
        Some(found) => {
            context.diagnostics.push(found);
            false
        }
    }
}

/// A module that does not exist. `base` is the folder that the author's path starts from.
fn missing_module(plugin: &LoadedPlugin, file: &str, base: &str, what: &str) -> Diagnostic {
    let written = |path: &str| path.strip_prefix(base).unwrap_or(path).to_string();
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_string();
    let modules: Vec<&String> = plugin.folder.files.iter().filter(|path| is_module(path)).collect();
    let names: Vec<String> = modules.iter().map(|path| name_of(path)).collect();
    let near = nearest(&name_of(file), names.iter().map(String::as_str));
    let mut paths: Vec<String> = Vec::new();
    for name in near {
        paths.extend(modules.iter().filter(|path| name_of(path) == name).map(|path| written(path)));
    }
    paths.truncate(3);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let help = match paths.as_slice() {
        [] => format!("create {}, or mend the path", plugin.shown(file).display()),
        near => format!("did you mean {}?", alternatives(near)),
    };
    Diagnostic::error("HUB044", format!("{what} names {}, which does not exist", written(file)))
        .plugin(plugin.slug())
        .help(help)
}

fn no_module(plugin: &LoadedPlugin, file: &str, what: &str) -> Diagnostic {
    Diagnostic::error("HUB078", format!("{what} names {file}, which is no TypeScript or JavaScript module"))
        .plugin(plugin.slug())
        .help("name a file that ends in .tsx, .ts, .jsx or .js")
}

fn is_module(path: &str) -> bool {
    let endings = [".tsx", ".ts", ".jsx", ".js", ".mts", ".mjs", ".cts", ".cjs"];
    endings.iter().any(|ending| path.ends_with(ending))
}

/// A scanned module by its path relative to the plugin's root.
fn module_of<'a>(plugin: &'a LoadedPlugin, file: &str) -> Option<&'a Source> {
    plugin.web.iter().find(|web| web.path == file)
}

/// A scanned module by the path that findings show.
fn module_at<'a>(plugin: &'a LoadedPlugin, path: &Path) -> Option<&'a Module> {
    let inner = path.strip_prefix(&plugin.folder.shown).ok()?.to_string_lossy();
    module_of(plugin, &inner)?.module.as_ref().ok()
}

/// One plugin claims a key twice: the later claim in the chain can never win.
fn warn_of_repeats(context: &mut Context<'_>, chain: &mut Vec<Placed<'_>>) {
    let mut index = 0;
    while index < chain.len() {
        let slug = chain[index].claim.plugin.clone();
        if let Some(first) = chain[..index].iter().find(|placed| placed.claim.plugin == slug) {
            let second = &chain[index];
            let message = format!("`{slug}` claims `{}` twice: this claim can never win", second.key);
            context.diagnostics.push(
                Diagnostic::warning("HUB029", message)
                    .plugin(slug)
                    .at(&second.file, second.at_key)
                    .label("this claim loses")
                    .help("remove one of the two")
                    .related(&first.file, first.at_key, "this claim wins"),
            );
            chain.remove(index);
        } else {
            index += 1;
        }
    }
}

/// Two plugins that know nothing of each other claim a key with the same priority.
fn warn_of_ties(context: &mut Context<'_>, chain: &[Placed<'_>]) {
    for pair in chain.windows(2) {
        let [winner, loser] = pair else { continue };
        if winner.claim.priority != loser.claim.priority {
            continue;
        }
        let (a, b) = (winner.claim.plugin.as_str(), loser.claim.plugin.as_str());
        let related = depends_on(&context.constraints, a).contains(b)
            || depends_on(&context.constraints, b).contains(a);
        if related {
            continue;
        }
        let message = format!(
            "`{a}` and `{b}` claim `{}` with the same priority {}: `{a}` wins by plugin order alone",
            winner.key, winner.claim.priority
        );
        context.diagnostics.push(
            Diagnostic::warning("HUB045", message)
                .plugin(b)
                .at(&loser.file, loser.at_key)
                .label("this claim loses")
                .help("give one of them a higher priority, or make one depend on the other")
                .related(&winner.file, winner.at_key, "this claim wins"),
        );
    }
}

/// The plugin's page module; warns of navigation that leads nowhere.
fn entry(context: &mut Context<'_>, plugin: &LoadedPlugin) -> Option<FrontendEntry> {
    let slug = plugin.slug();
    let entry = plugin.manifest.frontend_entry.as_ref();
    let module = entry.and_then(|entry| entry_module(context, plugin, entry));
    let load = |path: &Path| module_at(plugin, path).cloned();
    let pages = module.and_then(|module| pages_of(module, &load));
    let mut paths = Vec::new();
    for page in pages.iter().flat_map(|(_, pages)| &pages.listed) {
        let roots = [format!("/{slug}"), format!("/plugins/{slug}")];
        let own = roots.iter().any(|root| {
            page.path.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if own {
            paths.push(page.path.clone());
        } else if let Some((file, _)) = &pages {
            let message = format!("the page `{}` lies outside the plugin's own paths", page.path);
            context.diagnostics.push(
                Diagnostic::error("HUB075", message)
                    .plugin(slug)
                    .at(file, page.span)
                    .help(format!("write a path under `/{slug}/` or `/plugins/{slug}/`")),
            );
        }
    }
    let complete = match (entry, &pages) {
        (None, _) => true,
        (Some(_), Some((_, pages))) => pages.dynamic.is_empty(),
        (Some(_), None) => false,
    };
    if complete {
        warn_of_dead_navigation(context, plugin, &paths);
    }
    let entry = entry?;
    module?;
    Some(FrontendEntry { plugin: slug.to_string(), file: entry.value.clone(), paths })
}

fn entry_module<'a>(
    context: &mut Context<'_>,
    plugin: &'a LoadedPlugin,
    entry: &Spanned<String>,
) -> Option<&'a Module> {
    if !plugin.folder.files.contains(&entry.value) {
        let found = missing_module(plugin, &entry.value, "", "`frontend_entry`");
        context.in_manifest(plugin, &entry.range, found);
        return None;
    }
    let Some(web) = module_of(plugin, &entry.value) else {
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
    let load = |path: &Path| module_at(plugin, path).cloned();
    match check_export(&claimed, module, &load) {
        Some(found) => {
            context.diagnostics.push(found);
            None
        }
        None => Some(module),
    }
}

fn warn_of_dead_navigation(context: &mut Context<'_>, plugin: &LoadedPlugin, paths: &[String]) {
    let replaced: Vec<&str> = plugin
        .manifest
        .frontend_overrides
        .iter()
        .filter_map(|(key, _)| key.value.strip_prefix("route:"))
        .collect();
    for item in &plugin.manifest.nav {
        let path = item.path.value.as_str();
        let known = SHELL_PATHS.contains(&path)
            || replaced.contains(&path)
            || paths.iter().any(|page| page_matches(page, path));
        if !known {
            let near = nearest(path, paths.iter().map(String::as_str));
            let help = match near.as_slice() {
                [] => "add a page with this path to the module of `frontend_entry`".to_string(),
                near => format!("did you mean {}?", alternatives(near)),
            };
            let message =
                format!("the navigation entry `{}` leads to `{path}`, but no page has that path", item.label);
            let found = Diagnostic::warning("HUB070", message).help(help);
            context.in_manifest(plugin, &item.path.range, found);
        }
    }
}

/// Whether a page's path, with `:name` and a closing `*`, answers a path of the navigation.
fn page_matches(page: &str, path: &str) -> bool {
    let mut wanted = path.split('/');
    for segment in page.split('/') {
        match (segment, wanted.next()) {
            ("*", _) => return true,
            (_, None) => return false,
            (segment, Some(text)) if segment.starts_with(':') || segment == text => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::page_matches;

    #[test]
    fn pages_answer_paths() {
        for (page, path, expect) in [
            ("/crm/customers", "/crm/customers", true),
            ("/crm/customers", "/crm/accounts", false),
            ("/crm/:id", "/crm/7", true),
            ("/crm/*", "/crm/a/b", true),
            ("/crm/:id", "/crm", false),
            ("/crm", "/crm/7", false),
        ] {
            assert_eq!(page_matches(page, path), expect, "{page} {path}");
        }
    }
}
