//! `/api/members`: who is in the caller's organisation, in which role, tenants and groups.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::check_password;
use crate::access::{Allowed, Caller};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::{Db, Error, Tx};
use crate::extract::{Created, Json, Path};
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
struct Named {
    id: String,
    name: String,
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

/// Somebody to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    email: String,
    /// Name shown, of an account that is new.
    name: Option<String>,
    /// First password of an account that is new: 10 to 200 characters.
    password: Option<String>,
    role: Role,
    /// Identifiers of tenants.
    #[serde(default)]
    tenants: Vec<String>,
    /// Identifiers of groups.
    #[serde(default)]
    groups: Vec<String>,
}

/// What somebody is in the organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    role: Role,
    /// Identifiers of tenants.
    #[serde(default)]
    tenants: Vec<String>,
    /// Identifiers of groups.
    #[serde(default)]
    groups: Vec<String>,
}

/// Adds a member. Somebody who has an account on the platform keeps it and its password.
#[utoipa::path(
    post,
    path = "/members",
    operation_id = "members_add",
    request_body = NewMember,
    responses((status = 201, body = Member)),
)]
async fn add(ctx: Ctx, caller: Allowed<Manage>, Json(new): Json<NewMember>) -> Result<Created<Member>> {
    let NewMember { email, name, password, role, tenants, groups } = new;
    let place = Place { role, tenants, groups };
    let email = store::canonical(&email);
    let name = name.as_deref().unwrap_or_default().trim();
    Check::new().email("email", &email).text("name", name, 0..=100).done()?;
    may_grant(&caller, place.role)?;
    let hub = ctx.hub();
    let org = &caller.org().id;
    let known = store::account(&hub.db, &email).await?;
    // Whether an account exists elsewhere is not told: a password that is not needed is simply not used.
    let hashed = match (&known, &password) {
        (Some(_), _) => None,
        (None, Some(password)) => {
            check_password("password", password).done()?;
            Some(hub.passwords.hash(password.clone()).await?)
        }
        (None, None) => return Err(Problem::invalid_field("password", "is required for a new account")),
    };
    let mut tx = hub.db.begin().await?;
    let user = match (known, hashed) {
        (Some(account), _) => account.user(),
        (None, hashed) => {
            let shown = if name.is_empty() { email.split('@').next().unwrap_or(&email) } else { name };
            let added = store::add_user(&mut tx, &email, shown, &hashed.unwrap_or_default()).await;
            added.map_err(|error| taken(error, &email))?
        }
    };
    let sql = "SELECT count(*) FROM hub_members WHERE org_id = $1 AND user_id = $2";
    let there: i64 = tx.value(sql, args![org, &user.id]).await?;
    if there > 0 {
        return Err(Problem::conflict(format!("{email} is a member already")).code("member-exists"));
    }
    put(&mut tx, org, &user.id, &place).await?;
    record(&mut tx, &caller, "member_added", &user, Some(&place)).await?;
    tx.announce().await?;
    tx.commit().await?;
    hub.live.refresh(&hub.db).await?;
    let body = find(&hub.db, org, &user.id).await?;
    Ok(Created { location: format!("/api/members/{}", user.id), body })
}

/// Two admins may add the same person at the same moment.
fn taken(error: Error, email: &str) -> Problem {
    if error.is_unique_violation() {
        return Problem::conflict(format!("an account {email} has been made just now: try again"));
    }
    error.into()
}

/// Changes a member's role, tenants and groups.
#[utoipa::path(
    put,
    path = "/members/{user}",
    operation_id = "members_change",
    params(("user" = String, Path)),
    request_body = Place,
    responses((status = 200, body = Member)),
)]
async fn change(
    ctx: Ctx,
    caller: Allowed<Manage>,
    Path(user): Path<String>,
    Json(place): Json<Place>,
) -> Result<Json<Member>> {
    let hub = ctx.hub();
    let org = &caller.org().id;
    let member = find(&hub.db, org, &user).await?;
    may_grant(&caller, place.role)?;
    may_touch(&caller, &member)?;
    let mut tx = hub.db.begin().await?;
    put(&mut tx, org, &user, &place).await?;
    keep_an_admin(&mut tx, org).await?;
    record(&mut tx, &caller, "member_changed", &member.user, Some(&place)).await?;
    tx.announce().await?;
    tx.commit().await?;
    hub.live.refresh(&hub.db).await?;
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
    may_touch(&caller, &member)?;
    let mut tx = hub.db.begin().await?;
    leave(&mut tx, org, &user).await?;
    for sql in [
        "DELETE FROM hub_sessions WHERE org_id = $1 AND user_id = $2",
        "DELETE FROM hub_members WHERE org_id = $1 AND user_id = $2",
    ] {
        tx.execute(sql, args![org, &user]).await?;
    }
    keep_an_admin(&mut tx, org).await?;
    record(&mut tx, &caller, "member_removed", &member.user, None).await?;
    tx.announce().await?;
    tx.commit().await?;
    hub.live.refresh(&hub.db).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(db: &Db, org: &str, user: &str) -> Result<Member> {
    let found = members(db, org).await?.into_iter().find(|member| member.user.id == user);
    found.ok_or_else(|| Problem::not_found(format!("there is no member `{user}` in this organisation")))
}

/// Nobody makes an admin without being one.
fn may_grant(caller: &Caller, role: Role) -> Result<()> {
    if role == Role::Member || caller.is_admin() {
        return Ok(());
    }
    Err(admins_only("only an admin makes an admin"))
}

/// Nor does a member with `members.manage` unmake one.
fn may_touch(caller: &Caller, member: &Member) -> Result<()> {
    if member.role == Role::Member || caller.is_admin() {
        return Ok(());
    }
    Err(admins_only("only an admin changes or removes an admin"))
}

fn admins_only(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN).code("admins-only").detail(detail)
}

/// An organisation without an admin could never be managed again. The row of the organisation is held, so that two
/// admins cannot remove each other at the same moment.
async fn keep_an_admin(tx: &mut Tx, org: &str) -> Result<()> {
    tx.execute("UPDATE hub_orgs SET revision = revision + 1 WHERE id = $1", args![org]).await?;
    let sql = "SELECT count(*) FROM hub_members WHERE org_id = $1 AND role = 'admin'";
    let admins: i64 = tx.value(sql, args![org]).await?;
    if admins > 0 {
        return Ok(());
    }
    Err(Problem::conflict("the organisation needs at least one admin").code("last-admin"))
}

/// Writes role, tenants and groups; what is not named is taken away.
async fn put(tx: &mut Tx, org: &str, user: &str, place: &Place) -> Result<()> {
    store::set_role(tx, org, user, place.role).await?;
    leave(tx, org, user).await?;
    let into_tenant = "INSERT INTO hub_tenant_members (user_id, tenant_id)
        SELECT $1, id FROM hub_tenants WHERE org_id = $2 AND id = $3 ON CONFLICT DO NOTHING";
    let into_group = "INSERT INTO hub_group_members (user_id, group_id)
        SELECT $1, id FROM hub_groups WHERE org_id = $2 AND id = $3 ON CONFLICT DO NOTHING";
    for (field, sql, ids) in [("tenants", into_tenant, &place.tenants), ("groups", into_group, &place.groups)]
    {
        for id in ids {
            if tx.execute(sql, args![user, org, id]).await? != 1 {
                let message = format!("`{id}` is not one of this organisation's {field}, or is named twice");
                return Err(Problem::invalid_field(field, message));
            }
        }
    }
    Ok(())
}

/// Takes somebody out of all tenants and groups of the organisation.
async fn leave(tx: &mut Tx, org: &str, user: &str) -> Result<(), Error> {
    for sql in [
        "DELETE FROM hub_tenant_members WHERE user_id = $2
         AND tenant_id IN (SELECT id FROM hub_tenants WHERE org_id = $1)",
        "DELETE FROM hub_group_members WHERE user_id = $2
         AND group_id IN (SELECT id FROM hub_groups WHERE org_id = $1)",
    ] {
        tx.execute(sql, args![org, user]).await?;
    }
    Ok(())
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
