//! `/api/groups` and `/api/permissions`: what the members of the caller's organisation may do.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use hub_manifest::grammar::PLATFORM_PERMISSIONS;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::{Manage, Read};
use crate::access::{Allowed, Caller};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::ctx::Ctx;
use crate::db::{Db, Error, Tx};
use crate::extract::{Created, Json, Path};
use crate::identity::membership::Granter;
use crate::identity::store;
use crate::problem::{FieldError, Problem, Result};
use crate::router::Router;
use crate::validate::{Check, tidy};

pub(super) fn router() -> Router {
    Router::new()
        .routes(crate::routes!(list, add))
        .routes(crate::routes!(change, remove))
        .routes(crate::routes!(permissions))
}

/// A group of members, and what it lets them do.
#[derive(Serialize, ToSchema)]
struct Group {
    id: String,
    name: String,
    /// Slug of the plugin that brought it.
    plugin: Option<String>,
    /// Sorted.
    permissions: Vec<String>,
    /// How many are in it.
    members: u64,
}

/// The groups of the caller's organisation, by name.
#[utoipa::path(get, path = "/groups", operation_id = "groups_list", responses((status = 200, body = Vec<Group>)))]
async fn list(ctx: Ctx, caller: Allowed<Read>) -> Result<Json<Vec<Group>>> {
    Ok(Json(groups(ctx.db(), &caller.org().id).await?))
}

async fn groups(db: &Db, org: &str) -> Result<Vec<Group>, Error> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        name: String,
        plugin: Option<String>,
        members: u64,
    }
    let rows: Vec<Row> = db
        .all(
            "SELECT g.id, g.name, g.plugin, (SELECT count(*) FROM hub_group_members m WHERE m.group_id = g.id) AS members
             FROM hub_groups g WHERE g.org_id = $1 ORDER BY g.name",
            args![org],
        )
        .await?;
    let granted: Vec<(String, String)> = db
        .all(
            "SELECT p.group_id, p.permission FROM hub_group_permissions p
             JOIN hub_groups g ON g.id = p.group_id WHERE g.org_id = $1 ORDER BY p.permission",
            args![org],
        )
        .await?;
    let of =
        |id: &str| granted.iter().filter(|(group, _)| group == id).map(|(_, name)| name.clone()).collect();
    let group = |row: Row| Group {
        permissions: of(&row.id),
        id: row.id,
        name: row.name,
        plugin: row.plugin,
        members: row.members,
    };
    Ok(rows.into_iter().map(group).collect())
}

/// What a group consists of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GroupBody {
    /// 1 to 100 characters, unique in the organisation.
    name: String,
    /// Each one of `GET /api/permissions`, 1000 at most. One that is named twice counts once.
    permissions: Vec<String>,
}

/// Permissions that are looked at one by one, and kept in the audit log: at most.
const MOST_PERMISSIONS: usize = 1_000;
/// Characters of a name that is none which are told.
const TOLD_CHARS: usize = 100;

impl GroupBody {
    /// The body with each permission once, where there is such a one. A permission of a plugin that is off stays in a group that
    /// has it already: it counts again once the plugin is on.
    fn checked(mut self, there: &BTreeSet<String>, kept: &[String]) -> Result<GroupBody> {
        Check::new()
            .name("name", &self.name, 1..=100)
            .that(
                "permissions",
                self.permissions.len() <= MOST_PERMISSIONS,
                format!("must have at most {MOST_PERMISSIONS} entries"),
            )
            .done()?;
        let wrong: Vec<FieldError> = self
            .permissions
            .iter()
            .enumerate()
            .filter(|(_, name)| !there.contains(*name) && !kept.contains(name))
            .map(|(at, name)| FieldError {
                field: format!("permissions[{at}]"),
                message: format!("there is no permission `{}` here", shortened(name).escape_debug()),
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let mut seen = BTreeSet::new();
        self.permissions.retain(|name| seen.insert(name.clone()));
        Ok(self)
    }

    /// What it gives beyond what is kept.
    fn added<'g>(&'g self, kept: &'g [String]) -> impl Iterator<Item = &'g String> {
        self.permissions.iter().filter(|name| !kept.contains(name))
    }
}

/// The beginning of a name.
fn shortened(name: &str) -> &str {
    name.char_indices().nth(TOLD_CHARS).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// Adds a group.
#[utoipa::path(
    post,
    path = "/groups",
    operation_id = "groups_add",
    request_body = GroupBody,
    responses((status = 201, body = Group)),
)]
async fn add(ctx: Ctx, caller: Allowed<Manage>, Json(body): Json<GroupBody>) -> Result<Created<Group>> {
    let body = body.checked(&caller.view().permissions, &[])?;
    let id = crate::new_id();
    let mut tx = ctx.db().begin().await?;
    Granter::caller(&mut tx, &caller.org().id, &caller.user().id).await?.may_define(body.added(&[]))?;
    let name = free_name(&mut tx, &caller.org().id, None, &body.name).await?;
    tx.execute(
        "INSERT INTO hub_groups (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)",
        args![&id, &caller.org().id, name, crate::now()],
    )
    .await?;
    grant(&mut tx, &id, &body.permissions).await?;
    commit(&ctx, &caller, tx, "group_added", &id, &body).await?;
    let body = find(ctx.db(), &caller.org().id, &id).await?;
    Ok(Created { location: format!("/api/groups/{id}"), body })
}

/// Changes a group's name and permissions.
#[utoipa::path(
    put,
    path = "/groups/{id}",
    operation_id = "groups_change",
    params(("id" = String, Path)),
    request_body = GroupBody,
    responses((status = 200, body = Group)),
)]
async fn change(
    ctx: Ctx,
    caller: Allowed<Manage>,
    Path(id): Path<String>,
    Json(body): Json<GroupBody>,
) -> Result<Json<Group>> {
    let group = find(ctx.db(), &caller.org().id, &id).await?;
    let body = body.checked(&caller.view().permissions, &group.permissions)?;
    let org = &caller.org().id;
    let mut tx = ctx.db().begin().await?;
    let granter = Granter::caller(&mut tx, org, &caller.user().id).await?;
    // What it gives at this moment: another may have taken something out since.
    let kept = store::given_by(&mut tx, org, &id).await?.ok_or_else(|| none(&id))?;
    granter.may_define(body.added(&kept))?;
    let name = free_name(&mut tx, org, Some(&group), &body.name).await?;
    tx.execute("UPDATE hub_groups SET name = $2 WHERE id = $1", args![&id, name]).await?;
    tx.execute("DELETE FROM hub_group_permissions WHERE group_id = $1", args![&id]).await?;
    grant(&mut tx, &id, &body.permissions).await?;
    commit(&ctx, &caller, tx, "group_changed", &id, &body).await?;
    Ok(Json(find(ctx.db(), &caller.org().id, &id).await?))
}

/// Removes a group; its members lose what it gave them.
#[utoipa::path(
    delete,
    path = "/groups/{id}",
    operation_id = "groups_remove",
    params(("id" = String, Path)),
    responses((status = 204)),
)]
async fn remove(ctx: Ctx, caller: Allowed<Manage>, Path(id): Path<String>) -> Result<StatusCode> {
    let Group { name, permissions, .. } = find(ctx.db(), &caller.org().id, &id).await?;
    let mut tx = ctx.db().begin().await?;
    Granter::caller(&mut tx, &caller.org().id, &caller.user().id).await?.may_define([])?;
    // Another may have removed it since, and has recorded that.
    store::given_by(&mut tx, &caller.org().id, &id).await?.ok_or_else(|| none(&id))?;
    for sql in [
        "DELETE FROM hub_group_permissions WHERE group_id = $1",
        "DELETE FROM hub_group_members WHERE group_id = $1",
        "DELETE FROM hub_groups WHERE id = $1",
    ] {
        tx.execute(sql, args![&id]).await?;
    }
    commit(&ctx, &caller, tx, "group_removed", &id, &GroupBody { name, permissions }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(db: &Db, org: &str, id: &str) -> Result<Group> {
    let found = groups(db, org).await?.into_iter().find(|group| group.id == id);
    found.ok_or_else(|| none(id))
}

fn none(id: &str) -> Problem {
    Problem::not_found(format!("there is no group `{id}` in this organisation"))
}

/// A group's name as it is kept, where no other group of the organisation has it or one that people take for it. The
/// organisation is held, so that of two who ask at once the second finds it taken. A group keeps the name that it has, whatever
/// others are called.
async fn free_name(tx: &mut Tx, org: &str, group: Option<&Group>, name: &str) -> Result<String> {
    if let Some(group) = group.filter(|group| group.name == name) {
        return Ok(group.name.clone());
    }
    let name = tidy(name);
    match store::group_like(tx, org, group.map(|group| group.id.as_str()), &name).await? {
        Some(other) => Err(Problem::name_taken("group", &other)),
        None => Ok(name),
    }
}

async fn grant(tx: &mut Tx, group: &str, permissions: &[String]) -> Result<(), Error> {
    let sql =
        "INSERT INTO hub_group_permissions (group_id, permission) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    for permission in permissions {
        tx.execute(sql, args![group, permission]).await?;
    }
    Ok(())
}

/// Records the change and makes it last; every host hears of it.
async fn commit(
    ctx: &Ctx,
    caller: &Caller,
    mut tx: Tx,
    event_type: &'static str,
    id: &str,
    body: &GroupBody,
) -> Result<()> {
    let event = Event::new(event_type)
        .with("group", id)
        .with("name", tidy(&body.name))
        .with("permissions", body.permissions.clone());
    audit::record(&mut tx, &caller.org().id, &Actor::from(caller), event).await?;
    Ok(ctx.hub().live.commit(tx, ctx.db()).await?)
}

/// A permission that a group can give.
#[derive(Serialize, ToSchema)]
struct PermissionView {
    /// `noun.verb`
    name: String,
    /// Slug of the plugin that declares it; none for the platform's own.
    plugin: Option<String>,
}

/// Every permission that there is for the caller's organisation: the platform's, and those of the plugins that are on.
#[utoipa::path(
    get,
    path = "/permissions",
    operation_id = "permissions_list",
    responses((status = 200, body = Vec<PermissionView>)),
)]
async fn permissions(ctx: Ctx, caller: Allowed<Read>) -> Json<Vec<PermissionView>> {
    let snapshot = ctx.hub().live.snapshot();
    let own = PLATFORM_PERMISSIONS.iter().map(|&name| PermissionView { name: name.to_owned(), plugin: None });
    let of_plugins =
        snapshot.registry.plugins.iter().enumerate().filter(|(place, _)| caller.view().has(*place)).flat_map(
            |(_, plugin)| {
                plugin
                    .about
                    .permissions
                    .iter()
                    .map(|name| PermissionView { name: name.clone(), plugin: Some(plugin.name().to_owned()) })
            },
        );
    Json(own.chain(of_plugins).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // S14, S20
    #[test]
    fn s14_the_permissions_of_a_group_are_counted_once_and_have_an_end() {
        let there = BTreeSet::from(["records.read".to_owned(), "records.write".to_owned()]);
        let checked = |names: Vec<&str>| {
            let permissions = names.into_iter().map(str::to_owned).collect();
            let body = GroupBody { name: "All".to_owned(), permissions };
            body.checked(&there, &["gone.read".to_owned()]).map(|body| body.permissions)
        };
        let names = ["records.write", "gone.read", "records.write", "records.read", "gone.read"];
        assert_eq!(checked(names.to_vec()).unwrap(), ["records.write", "gone.read", "records.read"]);
        assert_eq!(checked(vec!["records.read"; 1_000]).unwrap(), ["records.read"]);
        let told = |names| checked(names).unwrap_err().body().errors.clone();
        let errors = told(vec!["records.read"; 130_000]);
        assert_eq!((errors.len(), errors[0].field.as_str()), (1, "permissions"));
        assert_eq!(errors[0].message, "must have at most 1000 entries");
        let long = "ü".repeat(1_000_000);
        let errors = told(vec![&long]);
        assert_eq!(errors[0].message, format!("there is no permission `{}` here", "ü".repeat(100)));
    }
}
