//! Which routes answer callers who are not signed in. Decided here alone: for the gate, for the tables of routes, and for
//! the API's description.

use hub_manifest::plan::HostPlugin;
use hub_manifest::public;

/// The platform's own routes below `/api` that are for everybody.
const OF_PLATFORM: [&str; 8] = [
    // Anybody may try to sign in.
    "/auth/login",
    "/docs",
    "/docs/docs.css",
    "/docs/docs.js",
    "/health",
    // Who holds a link needs no session.
    "/invitations/accept",
    "/invitations/look",
    "/openapi.json",
];

/// Below it is what reloads the page while it is worked on; a host that is in use has no such routes.
const DEV: &str = "/_dev/";

/// Whether a route answers anybody. `plugin` is the slug of whose it is, none for the platform's own; `about` finds what
/// the build knows of that plugin.
pub(crate) fn is_public<'a>(
    plugin: Option<&str>,
    method: &str,
    path: &str,
    about: impl FnOnce(&str) -> Option<&'a HostPlugin>,
) -> bool {
    match plugin {
        None => path.strip_prefix("/api").is_some_and(answers_anybody),
        // A plugin that the build does not know has opened nothing.
        Some(slug) => about(slug).is_some_and(|about| public::is_public(about, method, path)),
    }
}

fn answers_anybody(below: &str) -> bool {
    OF_PLATFORM.contains(&below) || below.starts_with(DEV)
}

#[cfg(test)]
mod tests {
    use hub_manifest::plan::Visibility;

    use super::*;

    #[test]
    fn a_route_is_public_where_its_owner_says_so() {
        let open = HostPlugin { visibility: Visibility::Public, ..HostPlugin::default() };
        let closed = HostPlugin::default();
        let of = |plugin, about: Option<&HostPlugin>| is_public(plugin, "GET", "/api/crm/x", |_| about);
        assert!(of(Some("crm"), Some(&open)));
        assert!(!of(Some("crm"), Some(&closed)) && !of(Some("crm"), None));
        assert!(!of(None, Some(&open)), "what a plugin says holds for none of the platform's routes");
        let platform = |path| is_public(None, "GET", path, |_| Some(&open));
        assert!(platform("/api/health") && !platform("/api/session") && !platform("/health"));
    }
}
