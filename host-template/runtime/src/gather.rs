//! Calls every router function and keeps what it gives, and what is wrong with it: the real routes of this host.
//!
//! An author's code runs here. Whatever it does wrong is that plugin's error and never the host's end.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use hub_manifest::plan::HostPlan;
use hub_manifest::routes::{Place, Route, RouteConflict, RouteTable, RouterPanic};

use crate::access::is_public;
use crate::logs::panic_text;
use crate::mount::{Mounted, Settled, Source, place_of, settle};
use crate::platform::Mount;
use crate::router::Router;

/// All routes that can stand together, and what cannot.
pub(crate) struct Gathered {
    pub(crate) routes: Vec<Mounted>,
    conflicts: Vec<RouteConflict>,
    panics: Vec<RouterPanic>,
}

/// Calls the router functions; `begin` hears of each one before it is called. The platform's own routes come first.
pub(crate) fn gather(platform: Router, routers: &[Mount], begin: &dyn Fn(&Mount)) -> Gathered {
    let mut sources = vec![Source::platform(platform)];
    let mut panics = Vec::new();
    for mount in routers {
        begin(mount);
        match guarded(mount.router) {
            Ok(router) => sources.push(Source::plugin(mount.plugin, mount.spec, router)),
            Err((message, place)) => panics.push(RouterPanic {
                plugin: mount.plugin.to_owned(),
                router: mount.spec.to_owned(),
                message,
                place,
            }),
        }
    }
    let Settled { routes, conflicts } = settle(sources);
    Gathered { routes, conflicts, panics }
}

/// What a function gives, or what it panics with and where.
fn guarded(router: fn() -> Router) -> Result<Router, (String, Option<Place>)> {
    thread_local! {
        static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
    }
    // The place is known to the hook alone, and the usual hook would print what is told in better words.
    let usual = take_hook();
    set_hook(Box::new(|info| PLACE.set(info.location().map(place_of))));
    let result = catch_unwind(AssertUnwindSafe(router));
    set_hook(usual);
    result.map_err(|payload| (panic_text(payload.as_ref()).to_owned(), PLACE.take()))
}

impl Gathered {
    /// What is wrong with the routers of a plugin, one sentence each.
    pub(crate) fn errors_of(&self, plugin: &str) -> Vec<String> {
        let conflicts = self
            .conflicts
            .iter()
            .filter(|conflict| conflict.culprit().plugin.as_deref() == Some(plugin))
            .map(|conflict| conflict.message.clone());
        let panics = self.panics.iter().filter(|panic| panic.plugin == plugin).map(ToString::to_string);
        conflicts.chain(panics).collect()
    }

    /// The table that `routes` prints.
    pub(crate) fn table(&self, plan: &HostPlan) -> RouteTable {
        let about = |slug: &str| plan.plugins.iter().find(|plugin| plugin.name == slug);
        let marked = |route: Route| {
            let public = is_public(route.plugin.as_deref(), &route.method, &route.path, about);
            Route { public, ..route }
        };
        let mut routes: Vec<Route> = self.routes.iter().map(|route| marked(route.row())).collect();
        routes.sort_by(|a, b| {
            // A false comes first: the platform's own have no plugin.
            let key = |route: &Route| (route.plugin.is_some(), route.path.clone(), route.method.clone());
            key(a).cmp(&key(b))
        });
        let conflicts = self.conflicts.iter().cloned().map(|conflict| RouteConflict {
            first: marked(conflict.first),
            second: conflict.second.map(marked),
            ..conflict
        });
        RouteTable { routes, conflicts: conflicts.collect(), panics: self.panics.clone() }
    }
}

#[cfg(test)]
mod tests {
    use hub_manifest::plan::{HostPlugin, PublicRoute};

    use super::*;
    use crate::api;
    use crate::router::get;

    async fn handler() {}

    fn good() -> Router {
        Router::new().route("/a", get(handler).post(handler))
    }

    fn clashing() -> Router {
        Router::new().route("/b", get(handler)).route("/a", get(handler))
    }

    fn panicking() -> Router {
        let missing: Option<u8> = None;
        Router::new().route(&format!("/{}", missing.expect("no number")), get(handler))
    }

    fn mount(plugin: &'static str, spec: &'static str, router: fn() -> Router) -> Mount {
        Mount { plugin, spec, router }
    }

    #[test]
    fn one_plugins_mistakes_are_no_other_plugins() {
        let routers =
            [mount("x", "x.good", good), mount("x", "x.clashing", clashing), mount("y", "y.bad", panicking)];
        let begun = std::cell::RefCell::new(Vec::new());
        let gathered = gather(api::router(false), &routers, &|mount| begun.borrow_mut().push(mount.spec));
        assert_eq!(*begun.borrow(), ["x.good", "x.clashing", "y.bad"]);
        let errors = gathered.errors_of("x");
        assert!(
            errors.len() == 1 && errors[0].starts_with("GET /api/x/a is declared twice: by "),
            "{errors:?}"
        );
        assert_eq!(gathered.errors_of("y"), ["router y.bad of vertical plugin `y` panics: no number"]);
        assert!(gathered.errors_of("z").is_empty());

        let public = PublicRoute { method: Some("POST".to_owned()), pattern: "/api/x/*".to_owned() };
        let plugin =
            HostPlugin { name: "x".to_owned(), public_routes: vec![public], ..HostPlugin::default() };
        let table = gathered.table(&HostPlan { version: "1.0.0".to_owned(), plugins: vec![plugin] });
        let rows: Vec<_> = table
            .routes
            .iter()
            .filter(|route| route.plugin.is_some())
            .map(|route| (route.method.as_str(), route.path.as_str(), route.public))
            .collect();
        assert_eq!(
            rows,
            [("GET", "/api/x/a", false), ("POST", "/api/x/a", true), ("GET", "/api/x/b", false)]
        );
        assert_eq!((table.conflicts.len(), table.panics.len()), (1, 1));
        let place = table.panics[0].place.clone().unwrap();
        assert!(place.file.ends_with("gather.rs") && place.line > 100, "{place:?}");
    }

    #[test]
    fn the_platforms_own_routes_are_sound() {
        for dev in [false, true] {
            let table = gather(api::router(dev), &[], &|_| {}).table(&HostPlan::default());
            assert!(table.is_sound(), "{table:?}");
            let public = table
                .routes
                .iter()
                .filter(|route| route.public && !route.path.starts_with("/api/_dev/"))
                .map(|route| route.path.as_str());
            let want = [
                "/api/auth/login",
                "/api/docs",
                "/api/docs/docs.css",
                "/api/docs/docs.js",
                "/api/health",
                "/api/invitations/accept",
                "/api/invitations/look",
                "/api/openapi.json",
            ];
            assert_eq!(public.collect::<Vec<_>>(), want);
        }
    }
}
