//! All routers together: checked for what axum would panic on, then made into axum's router.
//!
//! Routes are put under their full path and merged, never nested: nesting rewrites the path of each request.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use axum::extract::MatchedPath;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter};
use hub_manifest::plan::HostPlugin;
use hub_manifest::routes::{Place, Route as Row, RouteConflict};

use crate::access::is_public;
use crate::ctx::Ctx;
use crate::gate::{Guard, Target};
use crate::problem::Problem;
use crate::registry::{Plugin, PluginRoute, Registry};
use crate::router::{Description, Endpoint, Route, Router};

/// Stands for a plugin's slug where a route is the platform's own.
pub(crate) const PLATFORM: &str = "platform";

/// One router, and whose it is.
pub(crate) struct Source {
    owner: String,
    spec: String,
    prefix: String,
    router: Router,
}

impl Source {
    /// The platform's own routes, under `/api`.
    pub(crate) fn platform(router: Router) -> Source {
        Source { owner: PLATFORM.to_owned(), spec: PLATFORM.to_owned(), prefix: "/api".to_owned(), router }
    }

    /// A plugin's routes, under `/api/<slug>`.
    pub(crate) fn plugin(slug: &str, spec: &str, router: Router) -> Source {
        Source { owner: slug.to_owned(), spec: spec.to_owned(), prefix: format!("/api/{slug}"), router }
    }
}

/// One method of one path, with its full path.
#[derive(Clone)]
pub(crate) struct Mounted {
    /// Slug, or [`PLATFORM`].
    pub(crate) owner: String,
    pub(crate) spec: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) description: Option<Description>,
    place: &'static Location<'static>,
}

impl Mounted {
    /// Slug of the plugin whose it is; none for the platform's own.
    pub(crate) fn plugin(&self) -> Option<&str> {
        (self.owner != PLATFORM).then_some(&self.owner)
    }

    /// Whether it answers callers who are not signed in.
    pub(crate) fn is_public(&self, registry: &Registry) -> bool {
        let about = |slug: &str| registry.of_build(slug).map(|(_, plugin)| &plugin.about);
        is_public(self.plugin(), self.method.as_str(), &self.path, about)
    }

    /// The route as tables show it; whether it is public is for the plan to say.
    pub(crate) fn row(&self) -> Row {
        Row {
            plugin: self.plugin().map(str::to_owned),
            router: self.plugin().map(|_| self.spec.clone()),
            method: self.method.to_string(),
            path: self.path.clone(),
            public: false,
            place: Some(place_of(self.place)),
        }
    }
}

/// The routes of one plugin of the build, as lists show them.
pub(crate) fn routes_of(about: &HostPlugin, routes: &[Mounted]) -> Vec<PluginRoute> {
    routes
        .iter()
        .filter(|route| route.plugin() == Some(about.name.as_str()))
        .map(|route| PluginRoute {
            method: route.method.to_string(),
            path: route.path.clone(),
            public: is_public(route.plugin(), route.method.as_str(), &route.path, |_| Some(about)),
        })
        .collect()
}

/// A place in a source, without the prefix that stands for the folder of the build.
pub(crate) fn place_of(location: &Location<'_>) -> Place {
    let file = location.file();
    Place {
        file: file.strip_prefix("/hub/").unwrap_or(file).to_owned(),
        line: location.line(),
        column: location.column(),
    }
}

/// Routes with their full paths, and those that cannot stand among them.
#[derive(Default)]
pub(crate) struct Settled {
    pub(crate) routes: Vec<Mounted>,
    pub(crate) conflicts: Vec<RouteConflict>,
}

/// Puts the prefixes in front and finds what cannot stand together.
pub(crate) fn settle(sources: Vec<Source>) -> Settled {
    let mut settled = Settled::default();
    let mut by_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut table = matchit::Router::new();
    for source in sources {
        let Source { owner, spec, prefix, router } = source;
        for Route { method, path, endpoint, description, place } in router.into_routes() {
            let route = Mounted {
                owner: owner.clone(),
                spec: spec.clone(),
                method,
                path: full_path(&prefix, &path),
                endpoint,
                description,
                place,
            };
            match place_in(&mut table, &by_path, &settled.routes, &path, &route) {
                Ok(()) => {
                    by_path.entry(route.path.clone()).or_default().push(settled.routes.len());
                    settled.routes.push(route);
                }
                Err(conflict) => settled.conflicts.push(*conflict),
            }
        }
    }
    settled
}

/// `/` is the prefix itself.
fn full_path(prefix: &str, path: &str) -> String {
    if path == "/" { prefix.to_owned() } else { format!("{prefix}{path}") }
}

/// Takes the route into the table, or says why it cannot stand there.
fn place_in(
    table: &mut matchit::Router<()>,
    by_path: &BTreeMap<String, Vec<usize>>,
    settled: &[Mounted],
    written: &str,
    route: &Mounted,
) -> Result<(), Box<RouteConflict>> {
    let as_written = || Row { path: written.to_owned(), ..route.row() };
    if let Some(mistake) = mistake_in(written) {
        return Err(Box::new(RouteConflict::malformed(as_written(), mistake)));
    }
    if let Some(same_path) = by_path.get(&route.path) {
        return match same_path.iter().map(|&i| &settled[i]).find(|other| other.method == route.method) {
            Some(other) => Err(Box::new(RouteConflict::twice(other.row(), route.row()))),
            None => Ok(()),
        };
    }
    table.insert(route.path.as_str(), ()).map_err(|error| {
        Box::new(match error {
            matchit::InsertError::Conflict { with } => {
                let other = by_path.get(&with).and_then(|routes| routes.first()).map(|&i| settled[i].row());
                match other {
                    Some(other) => RouteConflict::overlap(other, route.row()),
                    None => RouteConflict::malformed(as_written(), format!("overlaps {with}")),
                }
            }
            other => {
                RouteConflict::malformed(as_written(), format!("is not sound: {}", lower(&other.to_string())))
            }
        })
    })
}

/// A sentence of a library's as the end of one of ours.
fn lower(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// What axum refuses in a path before it even looks at the other routes.
fn mistake_in(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        return Some("does not begin with `/`");
    }
    if path.contains(['?', '#']) {
        return Some("has a `?` or `#`: a query is no part of a route");
    }
    path.split('/').find_map(|segment| match segment.as_bytes().first() {
        Some(b':') => Some("has a segment that begins with `:`: write `{name}`"),
        Some(b'*') => Some("has a segment that begins with `*`: write `{*name}`"),
        _ => None,
    })
}

/// axum's router, each handler behind its gate.
pub(crate) fn build(routes: &[Mounted], ctx_of: &dyn Fn(&str) -> Ctx, registry: &Registry) -> axum::Router {
    let owners: BTreeMap<&str, Owner> = routes
        .iter()
        .map(|route| route.owner.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|owner| (owner, Owner::of(owner, ctx_of, registry)))
        .collect();
    let mut paths: BTreeMap<&str, (&str, MethodRouter<Ctx>)> = BTreeMap::new();
    for route in routes {
        let Some(owner) = owners.get(route.owner.as_str()) else { continue };
        // `settle` lets no other method through than those that a `Router` can hold.
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
        let entry = paths
            .entry(&route.path)
            .or_insert_with(|| (&route.owner, MethodRouter::new().fallback(wrong_method)));
        let methods = std::mem::take(&mut entry.1);
        entry.1 = methods.on(filter, owner.guard(route));
    }
    paths
        .into_iter()
        .filter_map(|(path, (owner, methods))| {
            Some((path, methods.with_state(owners.get(owner)?.ctx.clone())))
        })
        .fold(axum::Router::new(), |router, (path, methods)| router.route(path, methods))
}

/// Whose a route is, as far as its gate has to know.
struct Owner<'a> {
    ctx: Ctx,
    registry: &'a Registry,
    /// The plugin with its place in the registry; none for the platform, whatever plugins are called.
    plugin: Option<(usize, &'a Plugin)>,
}

impl<'a> Owner<'a> {
    fn of(owner: &str, ctx_of: &dyn Fn(&str) -> Ctx, registry: &'a Registry) -> Owner<'a> {
        let plugin = if owner == PLATFORM { None } else { registry.of_build(owner) };
        Owner { ctx: ctx_of(owner), registry, plugin }
    }

    fn guard(&self, route: &Mounted) -> Guard {
        let works = self.plugin.is_none_or(|(_, plugin)| plugin.works());
        let target = if works { Target::Endpoint(route.endpoint) } else { Target::Unavailable };
        let public = route.is_public(self.registry);
        Guard { target, public, plugin: self.plugin.map(|(place, _)| place) }
    }
}

/// The `Allow` header is axum's.
async fn wrong_method(method: Method, path: MatchedPath) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED).detail(format!("{} does not answer {method}", path.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::get;

    async fn handler() {}

    fn check(first: &[&str], second: &[&str], want: &[&str]) {
        let router = |paths: &[&str]| paths.iter().fold(Router::new(), |r, path| r.route(path, get(handler)));
        let settled = settle(vec![
            Source::platform(Router::new().route("/health", get(handler))),
            Source::plugin("crm", "plugins.crm.backend.a:router", router(first)),
            Source::plugin("crm", "plugins.crm.backend.b:router", router(second)),
        ]);
        let place = format!("{}:", file!());
        let got: Vec<String> = settled
            .conflicts
            .iter()
            // Without the lines, which move with this file.
            .map(|conflict| {
                let text = conflict.message.replace(&place, "@");
                text.split('@').map(|s| s.trim_start_matches(char::is_numeric)).collect()
            })
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn what_axum_would_panic_on_is_a_sentence() {
        let a = "vertical plugin `crm` ()";
        let b = a;
        check(&["/a", "/a/{id}", "/"], &["/a/b", "/c/{*rest}"], &[]);
        check(&["/a"], &["/a"], &[&format!("GET /api/crm/a is declared twice: by {a} and by {b}")]);
        check(
            &["/a/{id}"],
            &["/a/{name}", "/x"],
            &[&format!("path /api/crm/a/{{name}} of {b} overlaps /api/crm/a/{{id}} of {a}")],
        );
        check(
            &["a", "/:id", "/{a}{b}", "/{*a}/b", "/a?b"],
            &[],
            &[
                &format!("path `a` of {a} does not begin with `/`"),
                &format!("path `/:id` of {a} has a segment that begins with `:`: write `{{name}}`"),
                &format!(
                    "path `/{{a}}{{b}}` of {a} is not sound: only one parameter is allowed per path segment"
                ),
                &format!(
                    "path `/{{*a}}/b` of {a} is not sound: catch-all parameters are only allowed at the end of a \
                     route"
                ),
                &format!("path `/a?b` of {a} has a `?` or `#`: a query is no part of a route"),
            ],
        );
        check(
            &["/{*rest}"],
            &["/{*other}", "/{*rest}"],
            &[
                &format!("path /api/crm/{{*other}} of {b} overlaps /api/crm/{{*rest}} of {a}"),
                &format!("GET /api/crm/{{*rest}} is declared twice: by {a} and by {b}"),
            ],
        );
    }

    #[test]
    fn a_conflict_names_both_routers_and_places() {
        let (first, second) = (line!() + 1, line!() + 2);
        let a = Router::new().route("/a", get(handler));
        let b = Router::new().route("/a", get(handler));
        let settled = settle(vec![Source::plugin("x", "x.a", a), Source::plugin("x", "x.b", b)]);
        let [conflict] = &settled.conflicts[..] else { panic!("{:?}", settled.conflicts) };
        let seen = |row: &Row| (row.router.clone(), row.place.clone().map(|place| place.line));
        assert_eq!(seen(&conflict.first), (Some("x.a".to_owned()), Some(first)));
        assert_eq!(conflict.second.as_ref().map(seen), Some((Some("x.b".to_owned()), Some(second))));
        assert_eq!(settled.routes.len(), 1);
    }

    /// The check is only worth something while it agrees with axum.
    #[test]
    fn whatever_passes_the_check_is_fine_with_axum() {
        let pieces =
            ["", "/", "/a", "/{id}", "/{id}/b", "/a/{x}", "/{*rest}", "/a/{*rest}", "/{id}/", "//", "/a-{n}"];
        for first in pieces {
            for second in pieces {
                let router = |path: &str| Router::new().route(path, get(handler));
                let settled = settle(vec![
                    Source::plugin("x", "a", router(first)),
                    Source::plugin("x", "b", router(second)),
                ]);
                let axum_likes = std::panic::catch_unwind(|| {
                    let path = |p: &str| full_path("/api/x", p);
                    axum::Router::<()>::new()
                        .route(&path(first), axum::routing::get(handler))
                        .route(&path(second), axum::routing::get(handler))
                });
                assert!(
                    !settled.conflicts.is_empty() || axum_likes.is_ok(),
                    "`{first}` and `{second}` pass the check, and axum panics"
                );
            }
        }
    }
}
