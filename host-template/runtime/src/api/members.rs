//! `/api/members`: who is in the caller's organisation, in which role, tenants and groups.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invitations::{self, Invited, NewInvitation};
use crate::access::{Allowed, Caller};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::{Db, Error, Tx};
use crate::extract::{Json, Path};
use crate::identity::membership::{self, Granter, Place};
use crate::identity::{Role, User, store};
use crate::problem::{Problem, Result};
use crate::router::Router;
use crate::validate::Check;

crate::permission!(pub(super) Read = "members.read", pub(super) Manage = "members.manage");

pub(super) fn router() -> Router {
    Router::new().routes(crate::routes!(list, add)).routes(crate::routes!(change, remove))
}

/// A member of the organisation.
#[derive(Serialize, ToSchema)]
struct Member {
    user: User,
    role: Role,
    /// The tenants that the member works in; none means the organisation at large.
    tenants: Vec<Named>,
    groups: Vec<Named>,
    /// RFC 3339, in UTC.
    created_at: String,
}

/// Something by its identifier, and the name that people know it by.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// The members of the caller's organisation, by e-mail address.
#[utoipa::path(get, path = "/members", operation_id = "members_list", responses((status = 200, body = Vec<Member>)))]
async fn list(ctx: Ctx, caller: Allowed<Read>) -> Result<Json<Vec<Member>>> {
    Ok(Json(members(ctx.db(), &caller.org().id).await?))
}

async fn members(db: &Db, org: &str) -> Result<Vec<Member>, Error> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        email: String,
        name: String,
        role: Role,
        created_at: String,
    }
    let rows: Vec<Row> = db
        .all(
            "SELECT u.id, u.email, u.name, m.role, m.created_at FROM hub_members m
             JOIN hub_users u ON u.id = m.user_id WHERE m.org_id = $1 ORDER BY u.email",
            args![org],
        )
        .await?;
    let mut tenants = by_user(
        db,
        "SELECT m.user_id AS user_id, t.id, t.name FROM hub_tenant_members m
         JOIN hub_tenants t ON t.id = m.tenant_id WHERE t.org_id = $1 ORDER BY t.name",
        org,
    )
    .await?;
    let mut groups = by_user(
        db,
        "SELECT m.user_id AS user_id, g.id, g.name FROM hub_group_members m
         JOIN hub_groups g ON g.id = m.group_id WHERE g.org_id = $1 ORDER BY g.name",
        org,
    )
    .await?;
    let member = |row: Row| Member {
        tenants: tenants.remove(&row.id).unwrap_or_default(),
        groups: groups.remove(&row.id).unwrap_or_default(),
        user: User { id: row.id, email: row.email, name: row.name },
        role: row.role,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(member).collect())
}

async fn by_user(db: &Db, sql: &'static str, org: &str) -> Result<BTreeMap<String, Vec<Named>>, Error> {
    #[derive(Deserialize)]
    struct Row {
        user_id: String,
        id: String,
        name: String,
    }
    let mut by_user: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for Row { user_id, id, name } in db.all::<Row>(sql, args![org]).await? {
        by_user.entry(user_id).or_default().push(Named { id, name });
    }
    Ok(by_user)
}

/// Invites somebody: the same as `POST /api/invitations`. Membership begins when the owner of the address accepts.
#[utoipa::path(
    post,
    path = "/members",
    operation_id = "members_add",
    request_body = NewInvitation,
    responses((status = 202, body = Invited)),
)]
async fn add(ctx: Ctx, caller: Allowed<Manage>, Json(new): Json<NewInvitation>) -> Result<Response> {
    Ok((StatusCode::ACCEPTED, Json(invitations::invite(&ctx, &caller, new).await?)).into_response())
}

/// What somebody is to be in the organisation. A list that is left out stays as it is: without tenants somebody is in all of
/// them, and nobody gets there by saying nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceChange {
    role: Role,
    /// Identifiers of tenants; an empty list means the organisation at large.
    tenants: Option<Vec<String>>,
    /// Identifiers of groups.
    groups: Option<Vec<String>>,
}

impl PlaceChange {
    /// The place of a member after it.
    async fn of(self, tx: &mut Tx, org: &str, user: &str) -> Result<Place, Error> {
        let tenants = match self.tenants {
            Some(tenants) => tenants,
            None => store::tenant_ids_of(tx, org, user).await?,
        };
        let groups = match self.groups {
            Some(groups) => groups,
            None => store::groups_of(tx, org, user).await?.into_iter().collect(),
        };
        Ok(Place { role: self.role, tenants, groups })
    }
}

/// Changes a member's role, tenants and groups.
#[utoipa::path(
    put,
    path = "/members/{user}",
    operation_id = "members_change",
    params(("user" = String, Path)),
    request_body = PlaceChange,
    responses((status = 200, body = Member)),
)]
async fn change(
    ctx: Ctx,
    caller: Allowed<Manage>,
    Path(user): Path<String>,
    Json(change): Json<PlaceChange>,
) -> Result<Json<Member>> {
    let hub = ctx.hub();
    let org = &caller.org().id;
    let member = find(&hub.db, org, &user).await?;
    let mut tx = hub.db.begin().await?;
    let granter = Granter::caller(&mut tx, org, &caller.user().id).await?;
    let place = change.of(&mut tx, org, &user).await?;
    check_place(&place).done()?;
    granter.may_place(&mut tx, Some(&user), &place).await?;
    if !store::is_member(&mut tx, org, &user).await? {
        return Err(unknown(&user));
    }
    membership::put(&mut tx, org, &user, &place).await?;
    membership::keep_an_admin(&mut tx, org).await?;
    record(&mut tx, &caller, "member_changed", &member.user, Some(&place)).await?;
    hub.live.commit(tx, &hub.db).await?;
    Ok(Json(find(&hub.db, org, &user).await?))
}

/// Removes a member from the organisation; its sessions here end. The account stays.
#[utoipa::path(
    delete,
    path = "/members/{user}",
    operation_id = "members_remove",
    params(("user" = String, Path)),
    responses((status = 204)),
)]
async fn remove(ctx: Ctx, caller: Allowed<Manage>, Path(user): Path<String>) -> Result<StatusCode> {
    let hub = ctx.hub();
    let org = &caller.org().id;
    let member = find(&hub.db, org, &user).await?;
    let mut tx = hub.db.begin().await?;
    Granter::caller(&mut tx, org, &caller.user().id).await?.may_remove(&mut tx, &user).await?;
    membership::leave(&mut tx, org, &user).await?;
    for sql in [
        "DELETE FROM hub_sessions WHERE org_id = $1 AND user_id = $2",
        "DELETE FROM hub_members WHERE org_id = $1 AND user_id = $2",
    ] {
        tx.execute(sql, args![org, &user]).await?;
    }
    membership::keep_an_admin(&mut tx, org).await?;
    record(&mut tx, &caller, "member_removed", &member.user, None).await?;
    hub.live.commit(tx, &hub.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Entries of the lists of a place, at most.
const MOST: usize = 200;

/// What is looked at one by one must not be without end.
pub(super) fn check_place(place: &Place) -> Check {
    let message = format!("must have at most {MOST} entries");
    Check::new().that("tenants", place.tenants.len() <= MOST, message.as_str()).that(
        "groups",
        place.groups.len() <= MOST,
        message,
    )
}

async fn find(db: &Db, org: &str, user: &str) -> Result<Member> {
    let found = members(db, org).await?.into_iter().find(|member| member.user.id == user);
    found.ok_or_else(|| unknown(user))
}

fn unknown(user: &str) -> Problem {
    Problem::not_found(format!("there is no member `{}` in this organisation", user.escape_debug()))
}

async fn record(
    tx: &mut Tx,
    caller: &Caller,
    event_type: &'static str,
    user: &User,
    place: Option<&Place>,
) -> Result<(), Error> {
    let mut event = Event::new(event_type).with("email", user.email.as_str()).with("user", user.id.as_str());
    if let Some(place) = place {
        event = event
            .with("role", place.role.as_str())
            .with("tenants", place.tenants.clone())
            .with("groups", place.groups.clone());
    }
    audit::record(tx, &caller.org().id, &Actor::from(caller), event).await
}
