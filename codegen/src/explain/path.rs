//! A path: the API's route that answers it, or the page that shows there.

use hub_manifest::override_kind::OverrideKind;
use hub_manifest::rules::pages::answers;

use super::{Page, Routes, World, key};
use crate::pack::inventory::Route;

/// What is said where only a build can tell a plugin's routes.
pub const UNKNOWN: &str =
    "known after the next `cargo xtask build-platform`: hub.lock has none of the plugin as it is now";

/// What there is to say of `/api/…`, `GET /api/…` or the path of a page.
pub fn explain(world: &World<'_>, what: &str) -> Option<String> {
    let (method, path) = asked(what);
    if of_api(path) {
        return route(world, method.as_deref(), path);
    }
    page(world, path)
}

/// The method, where one is named, and the path.
fn asked(what: &str) -> (Option<String>, &str) {
    match what.split_once(char::is_whitespace) {
        Some((method, path)) => (Some(method.to_ascii_uppercase()), path.trim()),
        None => (None, what),
    }
}

fn of_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// The slug that a path of the API lies under.
fn slug_of(path: &str) -> &str {
    path.strip_prefix("/api/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// Whether `what` asks for a route that only a built host can tell: of a plugin whose routes are not known, or, where
/// those of the platform are not either, any.
pub fn needs_host(routes: &Routes, what: &str) -> bool {
    let (_, path) = asked(what.trim());
    let platform = routes.known.iter().any(|route| route.plugin.is_none());
    of_api(path) && (!platform || routes.unknown.contains(slug_of(path)))
}

/// A route in one line.
pub fn told(route: &Route) -> String {
    let public = if route.public { " (public)" } else { "" };
    format!("{} {}{public}", route.method, route.path)
}

fn route(world: &World<'_>, method: Option<&str>, path: &str) -> Option<String> {
    let fits = |route: &&Route| route.path == path || matches(&route.path, path);
    let mut found: Vec<&Route> = world.routes.known.iter().filter(fits).collect();
    // A literal segment is more exact than a parameter: what axum takes goes first.
    found.sort_by_key(|route| (route.path != path, route.path.matches('{').count(), route.method.clone()));
    let best = found.first().map(|route| route.path.clone());
    found.retain(|route| Some(&route.path) == best.as_ref());
    let named: Vec<&Route> =
        found.iter().filter(|route| method.is_none_or(|method| route.method == method)).copied().collect();
    let plan = &world.front.resolved.plan;
    let slug = slug_of(path);
    let Some(first) = named.first().or(found.first()) else {
        let plugin = plan.host.plugins.iter().find(|plugin| plugin.name == slug)?;
        if !world.routes.unknown.contains(slug) {
            return None;
        }
        let mut out = Page::new(&format!("route {path}"));
        out.section("plugin");
        out.line(&plugin.name);
        out.section("routes");
        out.line(UNKNOWN);
        out.list("routers", plugin.routers.iter().cloned());
        return Some(out.0);
    };
    let mut out = Page::new(&format!("route {}", first.path));
    out.section("methods");
    for route in &found {
        let who = if route.public { "answers anonymous callers" } else { "signed-in callers only" };
        out.line(&format!("{}: {who}", route.method));
    }
    if let (Some(method), true) = (method, named.is_empty()) {
        out.line(&format!("{method} is none of them: such a request is answered with 405"));
    }
    out.section("given by");
    match &first.plugin {
        None => out.line("the platform itself"),
        Some(slug) => {
            out.line(&format!("plugin {slug}"));
            if let Some(plugin) = plan.host.plugins.iter().find(|plugin| plugin.name == *slug) {
                out.list("routers of the plugin", plugin.routers.iter().cloned());
                let public = plugin.public_routes.iter().map(|public| {
                    format!("{} {}", public.method.as_deref().unwrap_or("ALL"), public.pattern)
                });
                out.list("public routes of the plugin", public);
            }
        }
    }
    Some(out.0)
}

fn page(world: &World<'_>, path: &str) -> Option<String> {
    let web = &world.front.resolved.plan.web;
    let entries = web.entries.iter().filter_map(|entry| {
        let paths = entry.paths.iter().filter(|page| *page == path || answers(page, path));
        // A page without a parameter is the more exact one.
        Some((entry, paths.min_by_key(|page| page.matches([':', '*']).count())?))
    });
    let found: Vec<_> = entries.collect();
    let route = OverrideKind::Route.key(path);
    let replaced = web.keys.get(&route);
    let nav = world.front.resolved.plan.host.plugins.iter().flat_map(|plugin| {
        let items = plugin.nav.iter().filter(|item| item.path == path);
        items.map(|item| {
            let roles =
                if item.roles.is_empty() { String::new() } else { format!(", {}", item.roles.join(", ")) };
            format!("{} of {} (icon {}{roles})", item.label, plugin.name, item.icon)
        })
    });
    let nav: Vec<String> = nav.collect();
    if found.is_empty() && replaced.is_none() && nav.is_empty() {
        return None;
    }
    let mut out = Page::new(&format!("page {path}"));
    for (entry, page) in &found {
        out.section("given by");
        out.line(&format!("plugin {}: {}", entry.plugin, key::shown(world, &entry.plugin, &entry.file)));
        if page.as_str() != path {
            out.line(&format!("as {page}"));
        }
    }
    if let Some(winner) = replaced.and_then(|chain| chain.first()) {
        out.section("replaced by");
        let module = key::shown(world, &winner.plugin, &winner.file);
        out.line(&format!("plugin {}: {module} (explain {route} tells the chain)", winner.plugin));
    }
    out.list("navigation", nav);
    Some(out.0)
}

/// Whether a path fits a route's pattern, `{id}` for one segment and `{*rest}` for all that follow.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        if part.starts_with("{*") {
            return segments.next().is_some_and(|segment| !segment.is_empty());
        }
        match segments.next() {
            Some(segment) if part == segment => {}
            Some(segment) if part.starts_with('{') && !segment.is_empty() => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_routes_that_no_lock_tells_call_for_a_host() {
        let route = |plugin: Option<&str>| Route { plugin: plugin.map(str::to_string), ..Route::default() };
        let unknown = || BTreeSet::from(["crm".to_string()]);
        let locked = Routes { known: vec![route(None), route(Some("hr"))], unknown: unknown() };
        for (what, expect) in [
            ("/api/crm", true),
            ("GET /api/crm/customers", true),
            ("  get   /api/crm/customers ", true),
            ("/api/hr/people", false),
            ("/api/health", false),
            ("/api/crm-extra/x", false),
            ("/crm/customers", false),
            ("crm", false),
            ("dashboard.view", false),
        ] {
            assert_eq!(needs_host(&locked, what), expect, "{what}");
        }
        // Without a lock not even the platform's own routes are known.
        let none = Routes { known: Vec::new(), unknown: unknown() };
        assert!(needs_host(&none, "GET /api/health") && !needs_host(&none, "crm"));
    }

    #[test]
    fn paths_fit_patterns_as_a_router_has_it() {
        for (pattern, path, expect) in [
            ("/api/crm/customers", "/api/crm/customers", true),
            ("/api/crm/customers/{id}", "/api/crm/customers/7", true),
            ("/api/crm/customers/{id}", "/api/crm/customers/", false),
            ("/api/crm/customers/{id}", "/api/crm/customers/7/x", false),
            ("/api/crm/{*rest}", "/api/crm/a/b", true),
            ("/api/crm/{*rest}", "/api/crm", false),
        ] {
            assert_eq!(matches(pattern, path), expect, "{pattern} {path}");
        }
    }
}
