//! The Rust side of the plan: each plugin's crate and the routers to mount.

use std::collections::BTreeMap;

use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{RouterCrate, RouterSpec, ident_of};
use hub_manifest::plan::{PluginCrate, RouterMount};
use hub_manifest::source::Spanned;
use toml_edit::Document;

use super::{Context, in_manifest};
use crate::load::{BACKEND, Backend, LoadedPlugin};
use crate::rust_source::{RouterProblem, check_router};

/// What a plugin's `Cargo.toml` says of its library.
#[derive(Debug, PartialEq, Eq)]
struct CrateNames {
    package: String,
    lib: String,
    root_file: String,
}

/// The crates to link, in plugin order.
pub fn crates(context: &mut Context<'_>) -> Vec<PluginCrate> {
    let mut crates: Vec<PluginCrate> = Vec::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for plugin in context.plugins.clone() {
        let Some(found) = plugin_crate(context, plugin) else { continue };
        if let Some(owner) = owners.get(&found.lib) {
            let message = format!("the crate `{}` is called like that of plugin `{owner}`", found.package);
            context.diagnostics.push(
                Diagnostic::error("HUB053", message)
                    .plugin(plugin.slug())
                    .at(plugin.shown("backend/Cargo.toml"), Span::START)
                    .help(format!("rename the package, for example to `hub-plugin-{}`", plugin.slug())),
            );
            continue;
        }
        owners.insert(found.lib.clone(), found.plugin.clone());
        crates.push(found);
    }
    crates
}

fn plugin_crate(context: &mut Context<'_>, plugin: &LoadedPlugin) -> Option<PluginCrate> {
    let first = plugin.manifest.routers.first()?;
    let Some(backend) = &plugin.backend else {
        let found = Diagnostic::error("HUB073", "the plugin mounts a router, but has no backend/Cargo.toml")
            .help("add the crate (`cargo init --lib backend`), or remove `routers`");
        context.in_manifest(plugin, &first.range, found);
        return None;
    };
    let names = match crate_names(&backend.cargo_toml) {
        Ok(names) => names,
        Err((offset, message)) => {
            context.diagnostics.push(
                Diagnostic::error(
                    "HUB052",
                    format!("backend/Cargo.toml is not a package manifest: {message}"),
                )
                .plugin(plugin.slug())
                .at(plugin.shown("backend/Cargo.toml"), Span::at(&backend.cargo_toml, offset, 0))
                .help("mend the file; `cargo check` inside `backend/` must work by itself"),
            );
            return None;
        }
    };
    let mut routers = Vec::new();
    for spec in &plugin.manifest.routers {
        match check_spec(plugin, backend, &names, spec) {
            Ok(mount) => routers.push(mount),
            Err(found) => context.diagnostics.push(*found),
        }
    }
    Some(PluginCrate {
        plugin: plugin.slug().to_string(),
        package: names.package,
        lib: names.lib,
        dir: BACKEND.to_string(),
        routers,
    })
}

fn check_spec(
    plugin: &LoadedPlugin,
    backend: &Backend,
    names: &CrateNames,
    spec: &Spanned<RouterSpec>,
) -> Result<RouterMount, Box<Diagnostic>> {
    let RouterSpec { text, krate, modules, function } = &spec.value;
    let wrong_crate = |message: String, help: String| {
        Err(Box::new(in_manifest(plugin, &spec.range, Diagnostic::error("HUB020", message).help(help))))
    };
    match krate {
        RouterCrate::Backend(ident) if *ident != ident_of(plugin.slug()) => {
            let own = ident_of(plugin.slug());
            return wrong_crate(
                format!(
                    "the router `{text}` belongs to plugin `{ident}`: a plugin mounts its own routers only"
                ),
                format!("write `plugins.{own}.backend.…`, or move the line to that plugin's manifest"),
            );
        }
        RouterCrate::Named(name) if *name != names.lib => {
            return wrong_crate(
                format!(
                    "the router `{text}` names the crate `{name}`, but backend/Cargo.toml makes `{}`",
                    names.lib
                ),
                format!("write `{}::…`", names.lib),
            );
        }
        _ => {}
    }
    match check_router(&backend.sources, &names.root_file, modules, function) {
        Ok(()) => {
            Ok(RouterMount { spec: text.clone(), modules: modules.clone(), function: function.clone() })
        }
        Err(problem) => Err(Box::new(router_error(plugin, backend, spec, problem))),
    }
}

/// Points at the Rust source where there is something to see, and at the manifest as the second place.
fn router_error(
    plugin: &LoadedPlugin,
    backend: &Backend,
    spec: &Spanned<RouterSpec>,
    problem: RouterProblem,
) -> Diagnostic {
    let in_yaml =
        in_manifest(plugin, &spec.range, Diagnostic::error(problem.code, problem.message).help(problem.help));
    let Some((file, range)) = problem.place else { return in_yaml };
    let Some(text) = backend.sources.get(&file) else { return in_yaml };
    let (yaml, yaml_span) = (plugin.shown("plugin.yaml"), in_yaml.span);
    in_yaml.at(plugin.shown(&format!("{BACKEND}/{file}")), Span::at(text, range.start, range.len())).related(
        yaml,
        yaml_span,
        "mounted here",
    )
}

fn crate_names(text: &str) -> Result<CrateNames, (usize, String)> {
    let document = Document::parse(text).map_err(|error| {
        (error.span().map_or(0, |span| span.start), error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let text_at = |table: &str, key: &str| {
        let value = document.get(table)?.get(key)?.as_str()?;
        Some(value.to_string())
    };
    let package = text_at("package", "name").ok_or((0, "it has no `name` under `[package]`".to_string()))?;
    let lib = text_at("lib", "name").unwrap_or_else(|| package.replace('-', "_"));
    let root_file = text_at("lib", "path").unwrap_or_else(|| "src/lib.rs".to_string());
    Ok(CrateNames { package, lib, root_file })
}
