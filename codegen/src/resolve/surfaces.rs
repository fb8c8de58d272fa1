//! The surfaces that the sources declare: who owns which, which key has become which, and who may claim them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::plan::Surface;

use super::{Context, Platform};
use crate::load::LoadedPlugin;
use crate::load::websource::{Declared, Source};

/// Folder of the shell's sources, as the plan names it.
const SHELL: &str = "host-template/shell/src";

/// All declared surfaces.
pub struct Surfaces<'a> {
    declared: BTreeMap<&'a str, Owned<'a>>,
    /// For each renamed key the key that it is now, at the end of all renames.
    current: BTreeMap<&'a str, &'a str>,
}

/// A surface with its owner.
#[derive(Clone, Copy)]
struct Owned<'a> {
    /// None for the shell.
    owner: Option<&'a str>,
    source: &'a Source,
    declared: &'a Declared,
}

impl<'a> Owned<'a> {
    fn renamed_to(&self) -> Option<&'a str> {
        self.declared.about.renamed_to.as_ref().map(|key| key.value.as_str())
    }

    fn at(&self, found: Diagnostic, span: Span) -> Diagnostic {
        let found = found.at(&self.source.file, span);
        match self.owner {
            Some(slug) => found.plugin(slug),
            None => found,
        }
    }
}

/// All sources with the slug of their plugin; the shell's come first, then those of the plugins in plugin order.
pub fn sources<'a>(
    plugins: &[&'a LoadedPlugin],
    platform: &'a Platform,
) -> impl Iterator<Item = (Option<&'a str>, &'a Source)> {
    let shell = platform.shell.iter().map(|source| (None, source));
    let own = plugins.iter().flat_map(|plugin| plugin.web.iter().map(|source| (Some(plugin.slug()), source)));
    shell.chain(own.collect::<Vec<_>>())
}

impl<'a> Surfaces<'a> {
    /// Gathers what the sources declare, and reports keys with two owners and renames that lead nowhere.
    pub fn of(
        context: &mut Context<'_>,
        plugins: &[&'a LoadedPlugin],
        platform: &'a Platform,
    ) -> Surfaces<'a> {
        let mut declared: BTreeMap<&str, Owned<'_>> = BTreeMap::new();
        for (owner, source) in sources(plugins, platform) {
            for surface in source.module.iter().flat_map(|module| &module.declared) {
                let owned = Owned { owner, source, declared: surface };
                match declared.get(surface.key.as_str()) {
                    Some(first) if first.owner != owner => {
                        context.diagnostics.push(two_owners(first, &owned))
                    }
                    Some(_) => {}
                    None => {
                        declared.insert(&surface.key, owned);
                    }
                }
            }
        }
        let current = renames(context, &declared);
        Surfaces { declared, current }
    }

    /// The key that a key is now.
    pub fn current<'k>(&self, key: &'k str) -> &'k str
    where
        'a: 'k,
    {
        self.current.get(key).copied().unwrap_or(key)
    }

    /// All renamed keys, each with the key that it is now.
    pub fn renamed(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.current.iter().map(|(old, new)| (*old, *new))
    }

    /// The keys that the given plugin declares, or the shell.
    pub fn owned_by(&self, owner: Option<&str>) -> impl Iterator<Item = &'a str> {
        self.declared.iter().filter(move |(_, surface)| surface.owner == owner).map(|(key, _)| *key)
    }

    /// Whether the plugin may claim the key at all; warns of keys that are on their way out.
    pub fn check_claim(
        &self,
        context: &mut Context<'_>,
        slug: &str,
        key: &str,
        file: &Path,
        at: Span,
    ) -> bool {
        let current = self.current(key);
        if let Some(surface) = self.declared.get(current)
            && surface.declared.about.sealed
            && surface.owner != Some(slug)
        {
            let owner = surface.owner.map_or("the web shell".to_owned(), |owner| format!("`{owner}`"));
            context.diagnostics.push(
                Diagnostic::error(
                    codes::SEALED_SURFACE,
                    format!("`{slug}` claims the sealed surface `{current}` of {owner}"),
                )
                .plugin(slug)
                .at(file, at)
                .help("remove the claim: the owner lets nobody else draw this surface")
                .related(&surface.source.file, surface.declared.span, "sealed here"),
            );
            return false;
        }
        if let Some(found) = self.on_its_way_out(key) {
            context.diagnostics.push(found.plugin(slug).at(file, at));
        }
        true
    }

    /// Warns where sources still ask for a key under its old name.
    pub fn check_asked(&self, context: &mut Context<'_>, plugins: &[&LoadedPlugin], platform: &Platform) {
        for (owner, source) in sources(plugins, platform) {
            for asked in source.module.iter().flat_map(|module| &module.asked) {
                if self.current.contains_key(asked.key.as_str())
                    && let Some(found) = self.on_its_way_out(&asked.key)
                {
                    let found = found.at(&source.file, asked.span);
                    context.diagnostics.push(match owner {
                        Some(slug) => found.plugin(slug),
                        None => found,
                    });
                }
            }
        }
    }

    /// A warning where the key is renamed or deprecated.
    fn on_its_way_out(&self, key: &str) -> Option<Diagnostic> {
        let surface = self.declared.get(key)?;
        let why = surface.declared.about.deprecated.as_deref().map(|text| text.trim().trim_end_matches('.'));
        let (message, help) = match (self.current.get(key), why) {
            (Some(current), _) => (
                format!("the override key `{key}` is now `{current}`"),
                format!("write `{current}`; the old key still works and will be taken away"),
            ),
            (None, None) => return None,
            (None, Some("")) => (
                format!("the surface `{key}` is deprecated"),
                "move to another surface before its owner takes this one away".to_owned(),
            ),
            (None, Some(why)) => (
                format!("the surface `{key}` is deprecated: {why}"),
                "do as its owner says before the surface is taken away".to_owned(),
            ),
        };
        let found = Diagnostic::warning(codes::OLD_SURFACE, message).help(help);
        Some(found.related(&surface.source.file, surface.declared.span, "declared here"))
    }

    /// The surfaces as the plan holds them.
    pub fn plan(&self) -> BTreeMap<String, Surface> {
        let surface = |owned: &Owned<'_>| Surface {
            owner: owned.owner.map(str::to_owned),
            file: match owned.owner {
                Some(slug) => format!("plugins/{slug}/{}", owned.source.path),
                None => format!("{SHELL}/{}", owned.source.path),
            },
            description: owned.declared.about.description.clone(),
            props: owned.declared.props.clone(),
            deprecated: owned.declared.about.deprecated.clone(),
            renamed_to: owned.renamed_to().map(str::to_owned),
            sealed: owned.declared.about.sealed,
        };
        self.declared.iter().map(|(key, owned)| ((*key).to_owned(), surface(owned))).collect()
    }
}

fn two_owners(first: &Owned<'_>, second: &Owned<'_>) -> Diagnostic {
    let key = &second.declared.key;
    let owner = first.owner.map_or("the web shell".to_owned(), |owner| format!("`{owner}`"));
    let message = format!("the surface `{key}` is declared here and by {owner}");
    let help = match second.owner {
        Some(slug) => format!("remove this declaration, or name a surface of your own, like `{slug}.{key}`"),
        None => "remove this declaration".to_owned(),
    };
    let found = Diagnostic::error(codes::DUPLICATE_SURFACE, message).help(help);
    second.at(found, second.declared.span).related(
        &first.source.file,
        first.declared.span,
        "declared first here",
    )
}

/// Follows every rename to its end. A rename that has none is reported and counts for nothing.
fn renames<'a>(
    context: &mut Context<'_>,
    declared: &BTreeMap<&'a str, Owned<'a>>,
) -> BTreeMap<&'a str, &'a str> {
    let mut ends: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (key, surface) in declared {
        let (Some(new), Some(tag)) = (surface.renamed_to(), &surface.declared.about.renamed_to) else {
            continue;
        };
        if declared.contains_key(new) {
            continue;
        }
        ends.insert(key, None);
        let near = nearest(new, declared.keys().copied().filter(|other| other != key));
        let (message, help) = match (new, near.as_slice()) {
            ("", _) => {
                let message = format!("the `@renamedTo` of the surface `{key}` names no key");
                (message, "write the new key behind it: `@renamedTo new.key`".to_owned())
            }
            (_, []) => {
                let message = format!("the surface `{key}` is renamed to `{new}`, which nobody declares");
                (message, format!("declare `{new}` in `SurfaceProps` too"))
            }
            (_, near) => {
                let message = format!("the surface `{key}` is renamed to `{new}`, which nobody declares");
                (message, format!("did you mean {}?", alternatives(near)))
            }
        };
        context
            .diagnostics
            .push(surface.at(Diagnostic::error(codes::BROKEN_RENAME, message).help(help), tag.span));
    }
    for key in declared.keys() {
        let mut path: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at = *key;
        let end = loop {
            if let Some(end) = ends.get(at) {
                break *end;
            }
            let Some(next) = declared.get(at).and_then(Owned::renamed_to) else { break Some(at) };
            if !seen.insert(at) {
                context.diagnostics.push(round(declared, &path, at));
                break None;
            }
            path.push(at);
            at = next;
        };
        // A rename to a key whose own rename is broken counts for nothing either.
        ends.extend(path.into_iter().map(|key| (key, end)));
    }
    ends.into_iter().filter_map(|(old, new)| Some((old, new?))).filter(|(old, new)| old != new).collect()
}

/// Renames that lead back to where they began.
fn round(declared: &BTreeMap<&str, Owned<'_>>, path: &[&str], again: &str) -> Diagnostic {
    let start = path.iter().position(|key| *key == again).unwrap_or(0);
    let names: Vec<String> = path[start..].iter().chain([&again]).map(|key| format!("`{key}`")).collect();
    let found = Diagnostic::error(
        codes::BROKEN_RENAME,
        format!("the renames of surfaces go round: {}", names.join(" → ")),
    )
    .help("take `@renamedTo` off the key that is to stay");
    let Some(surface) = declared.get(again) else { return found };
    let tag = surface.declared.about.renamed_to.as_ref().map_or(surface.declared.span, |tag| tag.span);
    surface.at(found, tag)
}
