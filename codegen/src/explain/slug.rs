//! A plugin: what it brings, whom it needs and who needs it, and why it stands where it stands.

use std::collections::BTreeSet;

use super::{Page, World, path};
use crate::load::LoadedPlugin;

/// What there is to say of a plugin; nothing where the build has none of that name.
pub fn explain(world: &World<'_>, slug: &str) -> Option<String> {
    let plan = &world.front.resolved.plan;
    let position = plan.host.plugins.iter().position(|plugin| plugin.name == slug)?;
    let plugin = &plan.host.plugins[position];
    let mut out = Page::new(&format!("plugin {slug} {}: {}", plugin.version, plugin.display_name));
    if let Some(description) = &plugin.metadata.description {
        out.line(description);
    }
    out.section("place in plugin order");
    let order: Vec<&str> = plan.host.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    out.line(&format!("{} of {}: {}", position + 1, order.len(), order.join(", ")));
    reasons(world, slug).iter().for_each(|reason| out.line(reason));

    let loaded = loaded(world, slug);
    let dependencies = loaded.into_iter().flat_map(|loaded| {
        let manifest = &loaded.manifest;
        let required = manifest.dependencies.iter().map(|dependency| (dependency, ""));
        let optional = manifest.optional_dependencies.iter().map(|dependency| (dependency, ", optional"));
        required.chain(optional).map(|(dependency, optional)| {
            let wanted = dependency.requirement.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
            let there = order.contains(&dependency.slug.value.as_str());
            let missing = if there { "" } else { ", not in this build" };
            format!("{}{wanted}{optional}{missing}", dependency.slug.value)
        })
    });
    out.list("depends on", dependencies);
    let dependants = order.iter().filter(|other| needs(world, other).contains(slug));
    out.list("needed by", dependants.map(|other| (*other).to_string()));

    out.list("routers", plugin.routers.iter().cloned());
    if world.routes.unknown.contains(slug) {
        out.section("routes");
        out.line(path::UNKNOWN);
    }
    let own = world.routes.known.iter().filter(|route| route.plugin.as_deref() == Some(slug));
    out.list("routes", own.map(path::told));
    let claims = plan.web.keys.iter().flat_map(|(key, chain)| {
        let place = chain.iter().position(|claim| claim.plugin == slug)?;
        let how = match place {
            0 => "wins".to_string(),
            _ => format!("behind {}", chain[0].plugin),
        };
        Some(format!("{key}: {how}, priority {}, {}", chain[place].priority, chain[place].file))
    });
    out.list("overrides", claims);
    let pages = plan.web.entries.iter().filter(|entry| entry.plugin == slug);
    out.list("pages", pages.flat_map(|entry| entry.paths.iter().cloned()));
    out.list("navigation", plugin.nav.iter().map(|item| format!("{} → {}", item.label, item.path)));
    out.list(
        "dbt workspaces",
        plugin
            .dbt_workspaces
            .iter()
            .map(|w| format!("{} in {}, profile {}", w.slug, w.project_dir, w.profile)),
    );
    out.list("permissions", plugin.permissions.iter().cloned());
    let groups = plugin.seed_groups.iter();
    out.list("seed groups", groups.map(|group| format!("{}: {}", group.name, group.permissions.join(", "))));
    out.list("scripts", plugin.known_scripts.iter().map(|s| format!("{}: {}", s.slug, s.script_path)));
    out.list("dataset templates", plugin.dataset_templates.iter().map(|template| template.slug.clone()));
    out.list("dashboard seeds", plugin.dashboard_seeds.iter().map(|seed| seed.slug.clone()));
    out.list("settings", plugin.config.keys().cloned());
    out.list("migrations", plugin.migrations.iter().cloned());
    Some(out.0)
}

/// The plugin of that name that is in the build.
fn loaded<'a>(world: &World<'a>, slug: &str) -> Option<&'a LoadedPlugin> {
    let root = world.front.resolved.roots.get(slug)?;
    world.front.loaded.iter().find(|loaded| loaded.folder.root == *root)
}

/// The slugs that a plugin names as dependencies, required and optional ones, at any distance.
pub fn needs(world: &World<'_>, slug: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![slug.to_string()];
    while let Some(slug) = open.pop() {
        let manifest = loaded(world, &slug).map(|loaded| &loaded.manifest);
        let named = manifest.into_iter().flat_map(|m| m.dependencies.iter().chain(&m.optional_dependencies));
        for dependency in named {
            if found.insert(dependency.slug.value.clone()) {
                open.push(dependency.slug.value.clone());
            }
        }
    }
    found
}

/// Why the plugin stands where it stands.
fn reasons(world: &World<'_>, slug: &str) -> Vec<String> {
    let plugins = &world.front.resolved.plan.host.plugins;
    let mut out = Vec::new();
    for other in plugins.iter().map(|plugin| plugin.name.as_str()).filter(|other| *other != slug) {
        for (first, second, mine) in [(other, slug, true), (slug, other, false)] {
            let (Some(a), Some(b)) = (loaded(world, first), loaded(world, second)) else { continue };
            let direct = b.manifest.dependencies.iter().chain(&b.manifest.optional_dependencies);
            let side = if mine { format!("after {other}") } else { format!("before {other}") };
            if direct.map(|d| d.slug.value.as_str()).any(|named| named == first) {
                out.push(format!("{side}: {second} depends on {first}"));
            } else if b.manifest.after.iter().any(|named| named.value == first) {
                out.push(format!("{side}: `order.after` of {second}"));
            } else if a.manifest.before.iter().any(|named| named.value == second) {
                out.push(format!("{side}: `order.before` of {first}"));
            }
        }
    }
    out.push(
        if out.is_empty() { "by its slug: nothing else decides" } else { "else by its slug" }.to_string(),
    );
    out
}
