//! A plugin's Rust crate: its sources, its names, and the routers that it has.

use std::ops::Range;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{RouterCrate, RouterSpec, ident_of};
use hub_manifest::plan::{PluginCrate, RouterMount};
use hub_manifest::source::Spanned;
use toml_edit::Document;

use super::plugin::{LoadedPlugin, MAX_RUST_BYTES, in_manifest, text};
use super::rust_source::{RouterProblem, Sources, check_router};
use crate::scan::BACKEND;

/// A plugin's Rust crate.
#[derive(Debug)]
pub struct Backend {
    /// Text of `Cargo.toml`, or why there is none and where in it the reason lies.
    pub cargo_toml: Result<String, (String, Span)>,
    /// `*.rs`, relative to the plugin's folder.
    pub sources: Sources,
}

/// Reads the crate; none where there is no `Cargo.toml`.
pub(super) fn backend(plugin: &LoadedPlugin) -> Option<Backend> {
    let folder = &plugin.folder;
    let prefix = format!("{BACKEND}/");
    let manifest = format!("{BACKEND}/Cargo.toml");
    if !folder.files.contains(&manifest) {
        return None;
    }
    let mut sources = Sources::new();
    for file in folder.files.iter().filter(|file| file.ends_with(".rs")) {
        if file.starts_with(&prefix) {
            sources.insert(file.clone(), text(plugin, file, MAX_RUST_BYTES).map_err(|(reason, _)| reason));
        }
    }
    Some(Backend { cargo_toml: text(plugin, &manifest, MAX_RUST_BYTES), sources })
}

/// What a plugin's own files say of its crate.
#[derive(Debug)]
pub struct ReadCrate {
    /// The crate, and where its `Cargo.toml` gives the library's name.
    pub(crate) krate: Option<(PluginCrate, Span)>,
    /// What is wrong with it.
    pub(crate) found: Vec<Diagnostic>,
}

/// Looks for the crate's names and routers: most of the work is parsing its sources.
pub(crate) fn read_crate(plugin: &LoadedPlugin) -> ReadCrate {
    let mut found = Vec::new();
    ReadCrate { krate: plugin_crate(&mut found, plugin), found }
}

/// The plugin's crate, and where its `Cargo.toml` gives the library's name.
fn plugin_crate(diagnostics: &mut Vec<Diagnostic>, plugin: &LoadedPlugin) -> Option<(PluginCrate, Span)> {
    let first = plugin.manifest.routers.first()?;
    let Some(backend) = &plugin.backend else {
        let found = Diagnostic::error(
            codes::ROUTER_WITHOUT_CRATE,
            "the plugin mounts a router, but has no backend/Cargo.toml",
        )
        .help("add the crate: run `cargo init --lib backend` in the plugin's folder; or remove `routers`");
        diagnostics.push(in_manifest(plugin, &first.range, found));
        return None;
    };
    let read = backend.cargo_toml.as_ref().map_err(Clone::clone);
    let names = read
        .and_then(|text| crate_names(text).map_err(|(offset, message)| (message, Span::at(text, offset, 0))));
    let names = match names {
        Ok(names) => names,
        Err((message, span)) => {
            diagnostics.push(
                Diagnostic::error(
                    codes::CARGO_TOML,
                    format!("backend/Cargo.toml is not a package manifest: {message}"),
                )
                .plugin(plugin.slug())
                .at(plugin.shown("backend/Cargo.toml"), span)
                .help("mend the file; `cargo check` inside `backend/` must work by itself"),
            );
            return None;
        }
    };
    let span = backend
        .cargo_toml
        .as_deref()
        .map_or(Span::START, |text| Span::at(text, names.place.start, names.place.len()));
    let mut routers = Vec::new();
    for spec in &plugin.manifest.routers {
        match check_spec(plugin, backend, &names, spec) {
            Ok(mount) => routers.push(mount),
            Err(found) => diagnostics.push(*found),
        }
    }
    let found = PluginCrate {
        plugin: plugin.slug().to_string(),
        package: names.package,
        lib: names.lib,
        dir: BACKEND.to_string(),
        routers,
    };
    Some((found, span))
}

fn check_spec(
    plugin: &LoadedPlugin,
    backend: &Backend,
    names: &CrateNames,
    spec: &Spanned<RouterSpec>,
) -> Result<RouterMount, Box<Diagnostic>> {
    let RouterSpec { text, krate, modules, function } = &spec.value;
    let wrong_crate = |message: String, help: String| {
        Err(Box::new(in_manifest(
            plugin,
            &spec.range,
            Diagnostic::error(codes::MALFORMED_ROUTER, message).help(help),
        )))
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
    // A file that cannot be read is a finding of its own; here only the excerpt is lacking.
    let text = backend.sources.get(&file).and_then(|text| text.as_deref().ok()).unwrap_or_default();
    let (yaml, yaml_span) = (plugin.shown("plugin.yaml"), in_yaml.span);
    in_yaml.at(plugin.shown(&file), Span::at(text, range.start, range.len())).related(
        yaml,
        yaml_span,
        "mounted here",
    )
}

/// What a plugin's `Cargo.toml` says of its library.
#[derive(Debug, PartialEq, Eq)]
struct CrateNames {
    package: String,
    /// Where `Cargo.toml` gives the library's name.
    place: Range<usize>,
    lib: String,
    root_file: String,
}

fn crate_names(text: &str) -> Result<CrateNames, (usize, String)> {
    let document = Document::parse(text).map_err(|error| {
        (error.span().map_or(0, |span| span.start), error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let at = |table: &str, key: &str| {
        let item = document.get(table)?.get(key)?;
        Some((item.as_str()?.to_string(), item.span().unwrap_or(0..0)))
    };
    let table = document.get("package").and_then(|package| package.span()).map_or(0, |span| span.start);
    let (package, place) =
        at("package", "name").ok_or((table, "it has no `name` under `[package]`".to_string()))?;
    let (lib, place) = at("lib", "name").unwrap_or_else(|| (package.replace('-', "_"), place));
    let root_file = at("lib", "path").map_or_else(|| "src/lib.rs".to_string(), |(path, _)| path);
    let root_file = format!("{BACKEND}/{}", root_file.trim_start_matches("./"));
    Ok(CrateNames { package, place, lib, root_file })
}
