//! An override key: who claims it, who wins and why, and who asks for it.

use hub_manifest::override_kind::OverrideKind;
use hub_manifest::plan::{Claim, Surface};
use hub_manifest::rules::pages::{SHELL_TABLE, keys_of_shell};

use super::{Page, World};

/// What there is to say of a key; nothing where neither a claim nor a source names it.
pub fn explain(world: &World<'_>, key: &str) -> Option<String> {
    let plan = &world.front.resolved.plan;
    let chain = plan.web.keys.get(key).map(Vec::as_slice).unwrap_or_default();
    let asked = asked(world, key);
    if chain.is_empty() && asked.is_empty() && !plan.web.asked.iter().any(|known| known == key) {
        return None;
    }
    let mut out = Page::new(&format!("override key {key}"));
    if let Some(surface) = plan.web.surfaces.get(key) {
        surface_of(&mut out, surface);
    }
    match chain {
        [] => {
            out.section("chain");
            out.line("no plugin claims it: the default surface shows");
        }
        [winner, rest @ ..] => {
            out.section("chain, the winner first");
            out.line(&format!("1. {}", told(world, winner)));
            for (index, claim) in rest.iter().enumerate() {
                out.line(&format!("{}. {}", index + 2, told(world, claim)));
                out.line(&format!(
                    "   loses to {}: {}",
                    chain[index].plugin,
                    why(world, &chain[index], claim)
                ));
            }
            out.section("at run time");
            out.line(
                "The first plugin of the chain that is enabled for the caller's org and tenant wins; \
                 where none is, the default surface shows.",
            );
        }
    }
    match asked.as_slice() {
        [] if OverrideKind::split(key).is_some() => {}
        [] => {
            out.section("asked for by");
            out.line("nothing: the claim never shows");
        }
        _ => out.list("asked for by", asked),
    }
    Some(out.0)
}

/// What the surface's owner declares of it.
fn surface_of(out: &mut Page, surface: &Surface) {
    out.section("surface");
    if !surface.description.is_empty() {
        surface.description.lines().for_each(|line| out.line(line.trim()));
    }
    let owner = surface.owner.as_deref().map_or("the web shell".to_string(), |slug| format!("plugin {slug}"));
    out.line(&format!("declared by {owner}: {}", surface.file));
    if let Some(text) = &surface.deprecated {
        out.line(format!("deprecated: {text}").trim_end_matches([':', ' ']));
    }
    if let Some(to) = &surface.renamed_to {
        out.line(&format!("renamed to {to}: claims on it join that chain"));
    }
    if surface.sealed {
        out.line("sealed: nobody but its owner may override it");
    }
    out.section("props");
    surface.props.lines().for_each(|line| out.line(line));
}

fn told(world: &World<'_>, claim: &Claim) -> String {
    let export = match claim.export.as_str() {
        "default" => String::new(),
        export => format!(", export {export}"),
    };
    let file = shown(world, &claim.plugin, &claim.file);
    format!("{}, priority {}: {file}{export}", claim.plugin, claim.priority)
}

/// A plugin's file, as findings show it.
pub fn shown(world: &World<'_>, plugin: &str, file: &str) -> String {
    let root = world.front.resolved.roots.get(plugin);
    let loaded = world.front.loaded.iter().find(|loaded| Some(&loaded.folder.root) == root);
    loaded.map_or_else(|| file.to_string(), |loaded| loaded.shown(file).display().to_string())
}

/// Why one claim stands behind the one before it.
fn why(world: &World<'_>, winner: &Claim, loser: &Claim) -> String {
    if winner.priority != loser.priority {
        return format!("its priority is lower, {} against {}", loser.priority, winner.priority);
    }
    let relation = if super::slug::needs(world, &winner.plugin).contains(&loser.plugin) {
        format!("{} builds on {} and comes later in plugin order", winner.plugin, loser.plugin)
    } else if super::slug::needs(world, &loser.plugin).contains(&winner.plugin) {
        format!("{} comes later in plugin order", winner.plugin)
    } else {
        format!(
            "{} comes later in plugin order; a tie between plugins that do not know each other",
            winner.plugin
        )
    };
    format!("same priority {}, and {relation}", winner.priority)
}

/// The places that ask for a key.
fn asked(world: &World<'_>, key: &str) -> Vec<String> {
    let plugins = world
        .front
        .loaded
        .iter()
        .filter(|loaded| world.front.resolved.roots.get(loaded.slug()) == Some(&loaded.folder.root));
    let sources = plugins.flat_map(|loaded| &loaded.web).chain(world.shell);
    let places = sources.filter_map(|source| Some((source, source.module.as_ref().ok()?)));
    let mut found: Vec<String> = places
        .flat_map(|(source, module)| {
            let asks = module.asked.iter().filter(|asked| asked.key == key);
            asks.map(|asked| format!("{}:{}:{}", source.file.display(), asked.span.line, asked.span.column))
        })
        .collect();
    if keys_of_shell().any(|own| own == key) {
        found.push(SHELL_TABLE.to_string());
    }
    found.sort();
    found
}
