//! `GET /api/session`: who the caller is, and what the page shows them.
//!
//! There is no sign-in yet: every caller is the one local administrator.

use std::collections::BTreeMap;

use hub_manifest::grammar::PLATFORM_PERMISSIONS;
use hub_manifest::plan::NavItem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ctx::Ctx;
use crate::extract::Json;
use crate::overrides::Active;
use crate::registry::Hub;
use crate::router::Router;

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(session))
}

/// Who the caller is, and what the page shows them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    user: User,
    org: Org,
    /// Identifier of the tenant, where one is chosen.
    tenant: Option<String>,
    /// `admin` or `member`.
    role: &'static str,
    permissions: Vec<String>,
    nav: Vec<NavEntry>,
    /// Slugs of the plugins that are on.
    plugins: Vec<String>,
    /// For each override key the claim that wins.
    overrides: BTreeMap<String, Active>,
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    id: &'static str,
    email: &'static str,
    name: &'static str,
}

/// An organisation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Org {
    id: &'static str,
    name: &'static str,
}

/// An entry of the navigation.
#[derive(Serialize, ToSchema)]
pub(crate) struct NavEntry {
    /// Slug of the plugin.
    plugin: String,
    label: String,
    path: String,
    icon: String,
}

const ROLE: &str = "admin";

/// The caller's session.
#[utoipa::path(get, path = "/session", responses((status = 200, body = Session)))]
async fn session(ctx: Ctx) -> Json<Session> {
    let hub = ctx.hub();
    Json(Session {
        user: User { id: "local-admin", email: "admin@localhost", name: "Local administrator" },
        org: Org { id: "local", name: "This installation" },
        tenant: None,
        role: ROLE,
        permissions: permissions(hub),
        nav: nav(hub),
        plugins: hub.enabled().into_iter().map(str::to_owned).collect(),
        overrides: hub.active_overrides().into_iter().map(|(key, claim)| (key.to_owned(), claim)).collect(),
    })
}

/// An administrator holds them all.
fn permissions(hub: &Hub) -> Vec<String> {
    let of_plugins =
        hub.plugins.iter().filter(|plugin| plugin.ok()).flat_map(|plugin| &plugin.about.permissions);
    let mut all: Vec<String> =
        PLATFORM_PERMISSIONS.iter().map(|&name| name.to_owned()).chain(of_plugins.cloned()).collect();
    all.sort();
    all.dedup();
    all
}

fn nav(hub: &Hub) -> Vec<NavEntry> {
    let shown = |item: &&NavItem| item.roles.is_empty() || item.roles.iter().any(|role| role == ROLE);
    hub.plugins
        .iter()
        .filter(|plugin| plugin.in_nav())
        .flat_map(|plugin| {
            plugin.about.nav.iter().filter(shown).map(|item| NavEntry {
                plugin: plugin.name().to_owned(),
                label: item.label.clone(),
                path: item.path.clone(),
                icon: item.icon.clone(),
            })
        })
        .collect()
}
