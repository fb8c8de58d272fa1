//! The Rust side of the plan: each plugin's crate and the routers to mount.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::plan::PluginCrate;

use super::Context;
use crate::base::parallel::in_parallel;
use crate::load::LoadedPlugin;
use crate::load::backend::read_crate;

/// The crates to link, in plugin order.
pub fn crates(context: &mut Context<'_>) -> Vec<PluginCrate> {
    let mut crates: Vec<PluginCrate> = Vec::new();
    let mut owners: BTreeMap<String, (String, PathBuf, Span)> = BTreeMap::new();
    // Parsing the sources is most of the work: done on all cores, and once for each time that a plugin is read.
    let unread = context.plugins.iter().copied().filter(|plugin| plugin.read_crate.get().is_none()).collect();
    in_parallel(unread, |plugin: &LoadedPlugin| {
        plugin.read_crate.get_or_init(|| read_crate(plugin));
    });
    for plugin in context.plugins.clone() {
        let read = plugin.read_crate.get_or_init(|| read_crate(plugin));
        context.diagnostics.extend(read.found.iter().cloned());
        let Some((found, span)) = read.krate.clone() else { continue };
        let manifest = plugin.shown("backend/Cargo.toml");
        if let Some((owner, other, place)) = owners.get(&found.lib) {
            let message = format!("plugin `{owner}` has a crate called `{}` already", found.lib);
            context.diagnostics.push(
                Diagnostic::error(codes::DUPLICATE_CRATE, message)
                    .plugin(plugin.slug())
                    .at(manifest, span)
                    .help(format!("rename the package, for example to `hub-plugin-{}`", plugin.slug()))
                    .related(other, *place, "the other crate"),
            );
            continue;
        }
        owners.insert(found.lib.clone(), (found.plugin.clone(), manifest, span));
        crates.push(found);
    }
    crates
}
