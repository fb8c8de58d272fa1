//! `/api/session`: who the caller is, what the platform shows them, and news of its changes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hub_manifest::plan::{NavItem, Visibility};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::auth::{Sender, entered};
use crate::access::Caller;
use crate::ctx::Ctx;
use crate::extract::Json;
use crate::gate::Watch;
use crate::identity::{Org, Role, Tenant, User, sessions, store};
use crate::overrides::Active;
use crate::problem::{Problem, Result};
use crate::registry::Registry;
use crate::router::{Router, get};

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(session))
        .routes(crate::routes!(switch))
        .route("/session/events", get(events))
}

/// Who the caller is, and what the page shows them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    user: User,
    org: Org,
    /// None where the caller sees the organisation at large.
    tenant: Option<Tenant>,
    role: Role,
    /// The caller's organisations.
    orgs: Vec<Org>,
    /// The tenants of this organisation that the caller may choose.
    tenants: Vec<Tenant>,
    permissions: Vec<String>,
    nav: Vec<NavEntry>,
    /// Slugs of the plugins that are on.
    plugins: Vec<String>,
    /// For each override key the claim that wins.
    overrides: BTreeMap<String, Active>,
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

/// The caller's session.
#[utoipa::path(get, path = "/session", operation_id = "session", responses((status = 200, body = Session)))]
async fn session(ctx: Ctx, caller: Caller) -> Result<Json<Session>> {
    let (org, user) = (&caller.org().id, &caller.user().id);
    let view = caller.view();
    Ok(Json(Session {
        user: caller.user().clone(),
        org: caller.org().clone(),
        tenant: caller.tenant().cloned(),
        role: caller.role(),
        orgs: store::orgs_of(ctx.db(), user).await?,
        tenants: store::choosable(ctx.db(), org, user, caller.role()).await?,
        permissions: caller.permissions(),
        nav: nav(&ctx.hub().live.snapshot().registry, &caller),
        plugins: view.plugins.clone(),
        overrides: view.overrides.clone(),
    }))
}

fn nav(registry: &Registry, caller: &Caller) -> Vec<NavEntry> {
    let role = caller.role().as_str();
    let shown = |item: &&NavItem| item.roles.is_empty() || item.roles.iter().any(|name| name == role);
    registry
        .plugins
        .iter()
        .enumerate()
        .filter(|(place, plugin)| {
            caller.view().has(*place) && plugin.about.visibility != Visibility::Internal
        })
        .flat_map(|(_, plugin)| {
            plugin.about.nav.iter().filter(shown).map(|item| NavEntry {
                plugin: plugin.name().to_owned(),
                label: item.label.clone(),
                path: item.path.clone(),
                icon: item.icon.clone(),
            })
        })
        .collect()
}

/// Where the caller wants to work from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Identifier of an organisation of the caller's; the present one where none is named.
    org: Option<String>,
    /// Identifier of a tenant; `null` for the organisation at large.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    tenant: Option<Option<String>>,
}

/// Tells `null` from nothing.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Moves the session to another organisation or tenant of the caller's.
#[utoipa::path(
    post,
    path = "/session/switch",
    operation_id = "session_switch",
    request_body = Place,
    responses((status = 204)),
)]
async fn switch(
    ctx: Ctx,
    caller: Caller,
    from: Sender,
    Json(place): Json<Place>,
) -> Result<axum::http::StatusCode> {
    let db = ctx.db();
    let user = &caller.user().id;
    let org = place.org.as_deref().unwrap_or(&caller.org().id);
    let role = store::role(db, org, user)
        .await?
        .ok_or_else(|| Problem::invalid_field("org", format!("you are in no organisation `{org}`")))?;
    let tenants = store::choosable(db, org, user, role).await?;
    let tenant = match place.tenant {
        Some(Some(id)) => {
            let found = tenants.iter().find(|tenant| tenant.id == id);
            Some(found.ok_or_else(|| {
                Problem::invalid_field("tenant", format!("you are in no tenant `{id}` of this organisation"))
            })?)
        }
        // A member who works in tenants always works in one of them.
        Some(None) | None if role == Role::Member => tenants.first(),
        Some(None) | None => None,
    };
    let mut tx = db.begin().await?;
    if org != caller.org().id {
        entered(&mut tx, user, &caller.user().email, org, &from).await?;
    }
    sessions::place(&mut tx, caller.session(), org, tenant.map(|tenant| tenant.id.as_str())).await?;
    ctx.hub().live.commit(tx, db).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// A stream that says `changed` whenever the page should read its session anew. It ends with the session.
async fn events(ctx: Ctx, caller: Caller) -> Result<Response> {
    let open = ctx.hub().streams.open(&caller, &ctx.hub().limits)?;
    let watch = Watch::new(&ctx, &caller, None);
    let stage = ctx.hub().stage.watch();
    let stream =
        stream::unfold((watch, stage, true, open), |(mut watch, mut stage, first, open)| async move {
            if first {
                // Something to say at once: what sits between would otherwise keep the answer back.
                let hello = Message::default().event("hello").data("1");
                return Some((Ok::<_, Infallible>(hello), (watch, stage, false, open)));
            }
            tokio::select! {
                changed = watch.changed() => changed?,
                () = stage.closing() => return None,
            }
            // Not how often: what other organisations do is none of the reader's business.
            let message = Message::default().event("changed").data("1");
            Some((Ok(message), (watch, stage, false, open)))
        });
    let alive = KeepAlive::new().interval(Duration::from_secs(20));
    Ok(Sse::new(stream).keep_alive(alive).into_response())
}
