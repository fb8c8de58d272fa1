//! The route table of a built host, as `hub-platform routes --json` prints it, and what keeps routes from being mounted.
//!
//! The host makes it from its router functions, the build reads it: nothing is guessed from sources.

use std::fmt;

use serde::{Deserialize, Serialize};

/// All routes of a host, and what is wrong with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// The routes that can stand together, by path and method; the platform's own first.
    pub routes: Vec<Route>,
    /// Routes that cannot be mounted.
    pub conflicts: Vec<RouteConflict>,
    /// Router functions that panic instead of giving a router.
    pub panics: Vec<RouterPanic>,
}

impl RouteTable {
    /// Whether a host can be started with these routes.
    pub fn is_sound(&self) -> bool {
        self.conflicts.is_empty() && self.panics.is_empty()
    }
}

/// One method of one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Slug of the vertical plugin; none for the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Spec of the router, as the plugin's manifest has it; none for the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// HTTP method in capitals.
    pub method: String,
    /// Whole path with its parameters, `/api/…`.
    pub path: String,
    /// Whether it answers anonymous callers.
    pub public: bool,
    /// Where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file; the host names it as the staged workspace does: `plugins/<slug>/backend/src/x.rs`.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

/// A route that cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteConflict {
    /// What is the matter.
    pub kind: ConflictKind,
    /// One sentence about it.
    pub message: String,
    /// What is wrong with a malformed path, as the end of a sentence that begins with the path; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The route that was there before; where there is no `second`, the route that is wrong in itself.
    pub first: Route,
    /// The route that cannot stand beside the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Route>,
}

/// Why a route cannot be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictKind {
    /// Two routes have one method and one path.
    Twice,
    /// Two patterns fit the same paths and neither is the more exact one.
    Overlap,
    /// The path is none; it stands in the route as it was written.
    Malformed,
}

impl RouteConflict {
    /// Two routes of one method and one path.
    pub fn twice(first: Route, second: Route) -> RouteConflict {
        RouteConflict::new(ConflictKind::Twice, String::new(), first, Some(second))
    }

    /// Two patterns that overlap.
    pub fn overlap(first: Route, second: Route) -> RouteConflict {
        RouteConflict::new(ConflictKind::Overlap, String::new(), first, Some(second))
    }

    /// A path that is none.
    pub fn malformed(route: Route, why: impl Into<String>) -> RouteConflict {
        RouteConflict::new(ConflictKind::Malformed, why.into(), route, None)
    }

    fn new(kind: ConflictKind, why: String, first: Route, second: Option<Route>) -> RouteConflict {
        let message = sentence(kind, &why, &first, second.as_ref());
        RouteConflict { kind, message, why, first, second }
    }

    /// The route that has to be mended: the later one of two.
    pub fn culprit(&self) -> &Route {
        self.second.as_ref().unwrap_or(&self.first)
    }

    /// The same conflict with each place led elsewhere, in the sentence too.
    pub fn at(self, place: &dyn Fn(Place) -> Place) -> RouteConflict {
        let lead = |route: Route| Route { place: route.place.map(place), ..route };
        RouteConflict::new(self.kind, self.why, lead(self.first), self.second.map(lead))
    }
}

/// The only place that says a conflict in words.
fn sentence(kind: ConflictKind, why: &str, first: &Route, second: Option<&Route>) -> String {
    let culprit = second.unwrap_or(first);
    match kind {
        ConflictKind::Twice => format!(
            "{} {} is declared twice: by {} and by {}",
            culprit.method,
            culprit.path,
            first.origin(),
            culprit.origin()
        ),
        ConflictKind::Overlap => format!(
            "path {} of {} overlaps {} of {}",
            culprit.path,
            culprit.origin(),
            first.path,
            first.origin()
        ),
        ConflictKind::Malformed => format!("path `{}` of {} {why}", culprit.path, culprit.origin()),
    }
}

impl Route {
    /// Whose route it is and where it is written.
    pub fn origin(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            match &self.plugin {
                Some(plugin) => write!(f, "vertical plugin `{plugin}`")?,
                None => write!(f, "the platform itself")?,
            }
            match &self.place {
                Some(Place { file, line, .. }) => write!(f, " ({file}:{line})"),
                None => Ok(()),
            }
        })
    }
}

/// A router function that panics instead of giving a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterPanic {
    /// Slug of the vertical plugin.
    pub plugin: String,
    /// Spec of the router, as the plugin's manifest has it.
    pub router: String,
    /// What it said.
    pub message: String,
    /// Where it panicked, which may be in a library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl fmt::Display for RouterPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "router {} of vertical plugin `{}` panics: {}", self.router, self.plugin, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(file: &str, path: &str) -> Route {
        Route {
            plugin: Some("crm".to_owned()),
            router: Some("plugins.crm.backend.a:router".to_owned()),
            method: "GET".to_owned(),
            path: path.to_owned(),
            public: false,
            place: Some(Place { file: file.to_owned(), line: 3, column: 10 }),
        }
    }

    #[test]
    fn conflicts_in_words() {
        let twice = RouteConflict::twice(route("a.rs", "/api/crm/x"), route("b.rs", "/api/crm/x"));
        assert_eq!(
            twice.message,
            "GET /api/crm/x is declared twice: by vertical plugin `crm` (a.rs:3) and by vertical plugin `crm` \
             (b.rs:3)"
        );
        let led = twice.clone().at(&|place| Place { file: format!("authors/{}", place.file), ..place });
        assert_eq!(led.message, twice.message.replace("(", "(authors/"));
        let platform = Route { plugin: None, router: None, ..route("c.rs", "/api/crm/{id}") };
        let overlap = RouteConflict::overlap(platform, route("a.rs", "/api/crm/{name}"));
        assert_eq!(
            overlap.message,
            "path /api/crm/{name} of vertical plugin `crm` (a.rs:3) overlaps /api/crm/{id} of the platform itself \
             (c.rs:3)"
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let malformed = RouteConflict::malformed(route("a.rs", "a"), "is none");
        let panic = RouterPanic {
            plugin: "crm".to_owned(),
            router: "plugins.crm.backend.a:router".to_owned(),
            message: "oh".to_owned(),
            place: None,
        };
        let table = RouteTable {
            routes: vec![route("a.rs", "/api/crm/x")],
            conflicts: vec![malformed],
            panics: vec![panic],
        };
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<RouteTable>(&text).unwrap(), table);
        assert!(!table.is_sound() && RouteTable::default().is_sound());
    }
}
