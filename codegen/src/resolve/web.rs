//! The web side of the plan: one chain of claims for every override key, and the plugins' pages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::override_kind::OverrideKind;
use hub_manifest::plan::{Claim, WebPlan};
use hub_manifest::rules::pages::keys_of_shell;

use super::pages::{entry, warn_of_dead_navigation};
use super::surfaces::{Surfaces, sources};
use super::{Context, Platform};
use crate::load::LoadedPlugin;
use crate::load::websource::{Claimed, Module, Source, Wanted, check_export};
use crate::scan::FRONTEND;

/// A claim with its place.
struct Placed<'a> {
    plugin: &'a LoadedPlugin,
    /// Place of the plugin in plugin order.
    position: usize,
    /// The key as the author wrote it.
    written: String,
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

/// What claims are held against.
struct Known<'a> {
    surfaces: Surfaces<'a>,
    /// Keys that are asked for, and those that may be.
    asked: BTreeSet<&'a str>,
    /// The modules of the plugin whose claims are looked at, by their path in it.
    modules: Modules<'a>,
    /// Names near to keys that nothing asks for.
    near: BTreeMap<String, Vec<&'a str>>,
}

/// A plugin's modules by their path in the plugin.
pub(super) type Modules<'a> = HashMap<&'a str, &'a Source>;

/// Keys that nothing asks for, of which the nearest known ones are looked up: nobody reads more, and each costs a look
/// at all known keys.
const MOST_SUGGESTIONS: usize = 500;

/// Makes the chains and looks up everything that they name.
pub fn web_plan(context: &mut Context<'_>, platform: &Platform) -> WebPlan {
    let plugins = context.plugins.clone();
    for (slug, source) in sources(&plugins, platform) {
        let broken = source.module.as_ref().err().into_iter().flatten().cloned();
        context.diagnostics.extend(broken.map(|found| match slug {
            Some(slug) => found.plugin(slug),
            None => found,
        }));
    }
    let surfaces = Surfaces::of(context, &plugins, platform);
    surfaces.check_asked(context, &plugins, platform);
    let asked = asked_keys(&plugins, platform);
    let mut known = Known {
        asked: answered(&asked, &surfaces, &plugins, platform),
        surfaces,
        modules: Modules::new(),
        near: BTreeMap::new(),
    };
    let mut chains: BTreeMap<String, Vec<Placed<'_>>> = BTreeMap::new();
    let mut entries = Vec::new();
    let mut pages = Vec::new();
    for (position, plugin) in plugins.iter().enumerate() {
        known.modules = plugin.web.iter().map(|source| (source.path.as_str(), source)).collect();
        for placed in claims_of(plugin, position) {
            if check_claim(context, &placed, &mut known) {
                let key = known.surfaces.current(&placed.written).to_owned();
                chains.entry(key).or_default().push(placed);
            }
        }
        let (entry, found) = entry(context, &plugins, plugin, &known.modules);
        entries.extend(entry);
        pages.push(found);
    }
    for plugin in &plugins {
        warn_of_dead_navigation(context, plugin, &pages);
    }
    let order: HashMap<&str, usize> =
        plugins.iter().enumerate().map(|(position, plugin)| (plugin.slug(), position)).collect();
    for (key, chain) in &mut chains {
        chain.sort_by_key(|placed| Reverse((placed.claim.priority, placed.position)));
        warn_of_repeats(context, key, chain);
        warn_of_ties(context, key, chain, &order);
    }
    let claims = |chain: Vec<Placed<'_>>| chain.into_iter().map(|placed| placed.claim).collect();
    let mut keys: BTreeMap<String, Vec<Claim>> =
        chains.into_iter().map(|(key, chain)| (key, claims(chain))).collect();
    for (old, new) in known.surfaces.renamed() {
        if let Some(chain) = keys.get(new).cloned() {
            keys.insert(old.to_owned(), chain);
        }
    }
    // The shell asks for its pages' keys in a loop over their table.
    let asked: BTreeSet<String> = asked.into_iter().map(str::to_owned).chain(keys_of_shell()).collect();
    WebPlan { keys, entries, asked: asked.into_iter().collect(), surfaces: known.surfaces.plan() }
}

/// Every key that the shell or a plugin asks for.
fn asked_keys<'a>(plugins: &[&'a LoadedPlugin], platform: &'a Platform) -> BTreeSet<&'a str> {
    let modules = sources(plugins, platform).filter_map(|(_, source)| source.module.as_ref().ok());
    modules.flat_map(|module| module.asked.iter().map(|asked| asked.key.as_str())).collect()
}

/// The keys that somebody answers to: those asked for, under their old and new names, and where an owner's sources ask
/// for keys that only the running program knows, all that the owner declares.
fn answered<'a>(
    asked: &BTreeSet<&'a str>,
    surfaces: &Surfaces<'a>,
    plugins: &[&'a LoadedPlugin],
    platform: &'a Platform,
) -> BTreeSet<&'a str> {
    let mut known = asked.clone();
    let dynamic: BTreeSet<Option<&str>> = sources(plugins, platform)
        .filter(|(_, source)| source.module.as_ref().is_ok_and(|module| !module.dynamic_keys.is_empty()))
        .map(|(owner, _)| owner)
        .collect();
    known.extend(dynamic.into_iter().flat_map(|owner| surfaces.owned_by(owner)));
    for (old, new) in surfaces.renamed() {
        if known.contains(old) {
            known.insert(new);
        }
    }
    for (old, new) in surfaces.renamed() {
        if known.contains(new) {
            known.insert(old);
        }
    }
    known
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
                written: claim.key.value.clone(),
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
            written: key.value.clone(),
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

/// Where a plugin claims a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPlace {
    /// The key as the author wrote it.
    pub key: String,
    /// The module, relative to the plugin's root.
    pub file: String,
    /// Name of the export.
    pub export: String,
    /// The manifest that makes the claim.
    pub manifest: PathBuf,
    /// Where in it the key stands.
    pub span: Span,
}

/// The places of all claims of a plugin, those that did not make it into the plan included.
pub fn claim_places(plugin: &LoadedPlugin) -> Vec<ClaimPlace> {
    let place = |placed: Placed<'_>| ClaimPlace {
        key: placed.written,
        file: placed.claim.file,
        export: placed.claim.export,
        manifest: placed.file,
        span: placed.at_key,
    };
    claims_of(plugin, 0).into_iter().map(place).collect()
}

/// Whether the claim may stand: its key is open to the plugin, its module exists and gives what is claimed; warns of a key
/// that nothing asks for.
fn check_claim<'a>(context: &mut Context<'_>, placed: &Placed<'a>, known: &mut Known<'a>) -> bool {
    let Placed { plugin, written: key, claim, file, .. } = placed;
    if !known.surfaces.check_claim(context, plugin.slug(), key, file, placed.at_key) {
        return false;
    }
    if OverrideKind::split(key).is_none() && !known.asked.contains(key.as_str()) {
        let near = suggestions(known, key);
        let help = match near.as_slice() {
            [] => format!("put `<Surface name=\"{key}\">` where it shall show, or remove the claim"),
            near => format!("did you mean {}?", alternatives(near)),
        };
        context.diagnostics.push(
            Diagnostic::warning(
                codes::UNUSED_OVERRIDE_KEY,
                format!("nothing asks for the override key `{key}`"),
            )
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
    let Some(web) = known.modules.get(claim.file.as_str()) else {
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
    let load = |path: &Path| module_at(plugin, &known.modules, path).cloned();
    match check_export(&claimed, module, &load) {
        None => true,
        Some(found) => {
            context.diagnostics.push(found);
            false
        }
    }
}

/// A module that does not exist. `base` is the folder that the author's path starts from.
pub(super) fn missing_module(plugin: &LoadedPlugin, file: &str, base: &str, what: &str) -> Diagnostic {
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
    Diagnostic::error(codes::MISSING_MODULE, format!("{what} names {}, which does not exist", written(file)))
        .plugin(plugin.slug())
        .help(help)
}

pub(super) fn no_module(plugin: &LoadedPlugin, file: &str, what: &str) -> Diagnostic {
    Diagnostic::error(
        codes::NOT_A_MODULE,
        format!("{what} names {file}, which is no TypeScript or JavaScript module"),
    )
    .plugin(plugin.slug())
    .help("name a file that ends in .tsx, .ts, .jsx or .js")
}

pub(super) fn is_module(path: &str) -> bool {
    let endings = [".tsx", ".ts", ".jsx", ".js", ".mts", ".mjs", ".cts", ".cjs"];
    endings.iter().any(|ending| path.ends_with(ending))
}

/// A scanned module by the path that findings show.
pub(super) fn module_at<'a>(plugin: &LoadedPlugin, modules: &Modules<'a>, path: &Path) -> Option<&'a Module> {
    let inner = path.strip_prefix(&plugin.folder.shown).ok()?.to_string_lossy();
    modules.get(&*inner)?.module.as_ref().ok()
}

/// The known keys that look like a key that nothing asks for.
fn suggestions<'a>(known: &mut Known<'a>, key: &str) -> Vec<&'a str> {
    if let Some(near) = known.near.get(key) {
        return near.clone();
    }
    if known.near.len() >= MOST_SUGGESTIONS {
        return Vec::new();
    }
    let near = nearest(key, known.asked.iter().copied());
    known.near.insert(key.to_owned(), near.clone());
    near
}

/// One plugin claims a key twice: the later claim in the chain can never win.
fn warn_of_repeats(context: &mut Context<'_>, key: &str, chain: &mut Vec<Placed<'_>>) {
    let mut first_of: HashMap<usize, usize> = HashMap::new();
    let mut kept: Vec<Placed<'_>> = Vec::with_capacity(chain.len());
    for placed in chain.drain(..) {
        let Some(first) = first_of.get(&placed.position).and_then(|first| kept.get(*first)) else {
            first_of.insert(placed.position, kept.len());
            kept.push(placed);
            continue;
        };
        let slug = placed.plugin.slug();
        context.diagnostics.push(
            Diagnostic::warning(
                codes::DUPLICATE_CLAIM,
                format!("`{slug}` claims `{key}` twice: this claim can never win"),
            )
            .plugin(slug)
            .at(&placed.file, placed.at_key)
            .label("this claim loses")
            .help("remove one of the two")
            .related(&first.file, first.at_key, "this claim wins"),
        );
    }
    *chain = kept;
}

/// Two plugins that know nothing of each other claim a key with the same priority.
fn warn_of_ties(context: &mut Context<'_>, key: &str, chain: &[Placed<'_>], order: &HashMap<&str, usize>) {
    for pair in chain.windows(2) {
        let [winner, loser] = pair else { continue };
        if winner.claim.priority != loser.claim.priority || builds_on(context, winner, loser, order) {
            continue;
        }
        let (a, b) = (winner.claim.plugin.as_str(), loser.claim.plugin.as_str());
        let message = format!(
            "`{a}` and `{b}` claim `{key}` with the same priority {}: `{a}` wins by plugin order alone",
            winner.claim.priority
        );
        context.diagnostics.push(
            Diagnostic::warning(codes::EQUAL_PRIORITY, message)
                .plugin(b)
                .at(&loser.file, loser.at_key)
                .label("this claim loses")
                .help("give one of them a higher priority, or make one depend on the other")
                .related(&winner.file, winner.at_key, "this claim wins"),
        );
    }
}

/// Whether the winner's plugin depends on the loser's, at any distance. The loser comes earlier in plugin order, so only
/// plugins between the two can be on the way: over a whole chain each plugin is looked at once.
fn builds_on(
    context: &Context<'_>,
    winner: &Placed<'_>,
    loser: &Placed<'_>,
    order: &HashMap<&str, usize>,
) -> bool {
    let mut open = vec![winner.position];
    let mut seen = BTreeSet::from([winner.position]);
    while let Some(position) = open.pop() {
        let plugin = context.plugins.get(position).map(|plugin| plugin.slug());
        let constraints = plugin.and_then(|slug| context.constraints.get(slug));
        for dependency in constraints.into_iter().flat_map(|constraints| &constraints.dependencies) {
            let Some(position) = order.get(dependency.as_str()).copied() else { continue };
            if position == loser.position {
                return true;
            }
            if position > loser.position && seen.insert(position) {
                open.push(position);
            }
        }
    }
    false
}
