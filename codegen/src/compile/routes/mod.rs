//! Between compile and pack: the real route table of the host that was built, and what is wrong with it.
//!
//! Nothing is guessed from sources: the host itself says which routes it has and where each one is written.

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use hub_manifest::plan::{Plan, PluginCrate, PublicRoute};
use hub_manifest::public::{covers, matches};
use hub_manifest::routes::{ConflictKind, Place, Route, RouteConflict, RouteTable, RouterPanic};
use hub_manifest::source::Spanned;

use super::source_of;
use crate::base::failure::Machine;
use crate::base::files::shown_path;
use crate::compile::stage::{Origin, PathMap};
use crate::load::{LoadedPlugin, in_manifest};

/// Longest text that is taken over from a panic, in characters.
const PANIC_LENGTH: usize = 200;

/// The routes of a host that was just built; places name the staged workspace. `stamp` is where the answer is kept for
/// as long as the binary stays the same.
pub fn of_host(binary: &Path, plan: &Plan, stamp: &Path) -> Result<RouteTable, Machine> {
    run::table(binary, &plan.crates, stamp)
}

/// What is wrong with a route table, told in the authors' files: errors, and warnings about public routes.
pub fn findings(
    table: &RouteTable,
    plan: &Plan,
    loaded: &[LoadedPlugin],
    paths: &PathMap,
) -> Vec<Diagnostic> {
    let reader = Reader { plan, paths };
    if !table.is_sound() {
        // With routes missing, whatever could be said of public routes would be a guess.
        let conflicts = table.conflicts.iter().map(|conflict| reader.conflict(conflict));
        return conflicts.chain(table.panics.iter().map(|panic| reader.panic(panic))).collect();
    }
    let mut found = Vec::new();
    for plugin in &plan.host.plugins {
        let Some(loaded) = loaded.iter().find(|loaded| loaded.slug() == plugin.name) else { continue };
        let routes: Vec<&Route> =
            table.routes.iter().filter(|route| route.plugin.as_deref() == Some(&plugin.name)).collect();
        found.extend(loaded.manifest.public_routes.iter().filter_map(|public| {
            let (message, help) = unfit(public, &plugin.name, &routes)?;
            Some(in_manifest(
                loaded,
                &public.range,
                Diagnostic::warning(codes::UNMATCHED_PUBLIC_ROUTE, message).help(help),
            ))
        }));
    }
    found
}

/// Why a public route is none, and what to write.
fn unfit(
    public: &Spanned<(Option<String>, String)>,
    slug: &str,
    routes: &[&Route],
) -> Option<(String, String)> {
    let (method, pattern) = &public.value;
    let wanted = PublicRoute { method: method.clone(), pattern: pattern.clone() };
    if routes.iter().any(|route| covers(&wanted, &route.method, &route.path)) {
        return None;
    }
    let mut methods: Vec<&str> = routes
        .iter()
        .filter(|route| matches(pattern, &route.path))
        .map(|route| route.method.as_str())
        .collect();
    methods.sort_unstable();
    methods.dedup();
    if let (Some(method), false) = (method, methods.is_empty()) {
        return Some((
            format!(
                "the public route `{pattern}` never answers {method}: vertical plugin `{slug}` has it for {} only",
                methods.join(", ")
            ),
            format!("write it under {}, or add a handler for {method}", alternatives(&methods)),
        ));
    }
    let message = format!("the public route `{pattern}` fits no route of vertical plugin `{slug}`");
    // A parameter is written as a star in a pattern.
    let patterns: Vec<String> = routes.iter().map(|route| pattern_of(&route.path)).collect();
    let near = nearest(pattern, patterns.iter().map(String::as_str));
    let help = match (near.as_slice(), routes) {
        ([], []) => "the plugin has no routes: remove the line, or add a router".to_string(),
        ([], _) => "`hub-platform routes` lists the routes; `*` stands for one segment, `**` for any number"
            .to_string(),
        (near, _) => format!("did you mean {}?", alternatives(near)),
    };
    Some((message, help))
}

/// The pattern that fits a route's path and no other.
fn pattern_of(path: &str) -> String {
    let star = |segment: &str| {
        if segment.starts_with("{*") {
            "**".to_string()
        } else if segment.contains('{') {
            "*".to_string()
        } else {
            segment.to_string()
        }
    };
    path.split('/').map(star).collect::<Vec<_>>().join("/")
}

struct Reader<'a> {
    plan: &'a Plan,
    paths: &'a PathMap,
}

impl Reader<'_> {
    fn conflict(&self, conflict: &RouteConflict) -> Diagnostic {
        let current = std::env::current_dir().unwrap_or_default();
        let shown = |place: Place| match self.paths.origin(Path::new(&place.file)) {
            Some(origin) => Place { file: shown_path(&origin.file, &current).display().to_string(), ..place },
            None => place,
        };
        let told = conflict.clone().at(&shown);
        let culprit = conflict.culprit();
        let mut found = Diagnostic::error(codes::ROUTE_NOT_MOUNTED, told.message).help(help(conflict));
        if let Some(plugin) = &culprit.plugin {
            found = found.plugin(plugin);
        }
        if let Some((file, span)) = self.place(culprit) {
            found = found.at(file, span);
        }
        if conflict.second.is_some() {
            found = found.label(format!("{} {}", culprit.method, culprit.path));
            if let Some((file, span)) = self.place(&conflict.first) {
                found =
                    found.related(file, span, format!("{} {}", conflict.first.method, conflict.first.path));
            }
        }
        found
    }

    fn panic(&self, panic: &RouterPanic) -> Diagnostic {
        let RouterPanic { plugin, router, message, place } = panic;
        let what = match place {
            Some(_) => {
                let line: String =
                    message.lines().next().unwrap_or_default().chars().take(PANIC_LENGTH).collect();
                format!("panics: {line}")
            }
            None => message.clone(),
        };
        let found = Diagnostic::error(
            codes::ROUTER_FAILS,
            format!("the router `{router}` of vertical plugin `{plugin}` {what}"),
        )
        .plugin(plugin)
        .help("a router function only lists routes: move whatever else it does into a handler");
        let own =
            place.as_ref().and_then(|place| self.source(place)).filter(|(origin, _)| origin.plugin.is_some());
        let place = own.map(|(origin, span)| (origin.file, span)).or_else(|| self.function(plugin, router));
        match place {
            Some((file, span)) => found.at(file, span),
            None => found,
        }
    }

    /// Where a route is written; for one that a library wrote, where its router is.
    fn place(&self, route: &Route) -> Option<(PathBuf, Span)> {
        let written = route.place.as_ref().and_then(|place| self.source(place));
        written
            .map(|(origin, span)| (origin.file, span))
            .or_else(|| self.function(route.plugin.as_deref()?, route.router.as_deref()?))
    }

    /// The router function of a spec.
    fn function(&self, plugin: &str, spec: &str) -> Option<(PathBuf, Span)> {
        let of_spec = |found: &&PluginCrate| found.plugin == plugin;
        let found = self.plan.crates.iter().find(of_spec)?;
        let router = found.routers.iter().find(|router| router.spec == spec)?;
        Some(source_of(self.paths, found, router))
    }

    /// A place of the host in the file that people edit.
    fn source(&self, place: &Place) -> Option<(Origin, Span)> {
        let origin = self.paths.origin(Path::new(&place.file))?;
        let text = fs::read_to_string(&origin.file).unwrap_or_default();
        Some((origin, span(&text, place.line, place.column)))
    }
}

/// The call at a line and column: `route("/a", get(a))`, as far as it is on that line.
fn span(text: &str, line: u32, column: u32) -> Span {
    let start: usize = text.split_inclusive('\n').take((line as usize).saturating_sub(1)).map(str::len).sum();
    let rest = &text[start..];
    let written = rest.lines().next().unwrap_or_default();
    let inner: usize = written.chars().take((column as usize).saturating_sub(1)).map(char::len_utf8).sum();
    Span::at(text, start + inner, call_length(&written[inner..]))
}

/// Bytes from the start of a call to its closing bracket, else to the end of the line.
fn call_length(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth <= 1 => return if depth == 1 { at + 1 } else { at },
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text.trim_end().len()
}

/// What to write instead.
fn help(conflict: &RouteConflict) -> String {
    let second = conflict.culprit();
    match conflict.kind {
        ConflictKind::Twice => "give one of the two another path or another method, or remove it".to_string(),
        ConflictKind::Overlap if pattern_of(&conflict.first.path) == pattern_of(&second.path) => {
            let own =
                conflict.first.path.strip_prefix(&prefix(&conflict.first)).unwrap_or(&conflict.first.path);
            match conflict.first.method == second.method {
                true => {
                    "both answer the same requests: give one of the two another path or method, or remove it"
                        .to_string()
                }
                false => format!("name the parameters alike: write `{own}` in both places"),
            }
        }
        ConflictKind::Overlap => {
            "some requests would fit both: put a fixed segment before the parameter of one of the two"
                .to_string()
        }
        ConflictKind::Malformed => {
            "a path is like `/records`, `/records/{id}`, or `/files/{*rest}` for everything below".to_string()
        }
    }
}

/// What stands before the path that the author wrote.
fn prefix(route: &Route) -> String {
    route.plugin.as_ref().map_or_else(|| "/api".to_string(), |slug| format!("/api/{slug}"))
}

#[cfg(test)]
mod tests;
