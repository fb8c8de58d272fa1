//! What the database keeps of users, organisations and tenants: one function a question.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Org, Role, Tenant, User};
use crate::access::{Holding, Reach};
use crate::args;
use crate::db::{Db, Error, Tx};

/// A user with the hash of its password.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password: String,
}

impl Account {
    /// Without the hash.
    pub(crate) fn user(self) -> User {
        User { id: self.id, email: self.email, name: self.name }
    }
}

/// E-mail addresses are compared without regard to case.
pub(crate) fn canonical(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The user of this address.
pub(crate) async fn account(db: &Db, email: &str) -> Result<Option<Account>, Error> {
    db.one("SELECT id, email, name, password FROM hub_users WHERE email = $1", args![email]).await
}

/// Whether there is anybody at all.
pub(crate) async fn has_users(tx: &mut Tx) -> Result<bool, Error> {
    let count: i64 = tx.value("SELECT count(*) FROM hub_users", args![]).await?;
    Ok(count > 0)
}

/// The organisation that the user joined first.
pub(crate) async fn first_org(db: &Db, user: &str) -> Result<Option<Org>, Error> {
    db.one(
        "SELECT o.id, o.name FROM hub_members m JOIN hub_orgs o ON o.id = m.org_id
         WHERE m.user_id = $1 ORDER BY m.created_at, o.id LIMIT 1",
        args![user],
    )
    .await
}

/// The user's organisations, by name.
pub(crate) async fn orgs_of(db: &Db, user: &str) -> Result<Vec<Org>, Error> {
    db.all(
        "SELECT o.id, o.name FROM hub_members m JOIN hub_orgs o ON o.id = m.org_id
         WHERE m.user_id = $1 ORDER BY o.name",
        args![user],
    )
    .await
}

/// An organisation's tenants, by name.
pub(crate) async fn tenants(db: &Db, org: &str) -> Result<Vec<Tenant>, Error> {
    db.all("SELECT id, name FROM hub_tenants WHERE org_id = $1 ORDER BY name", args![org]).await
}

/// The names of an organisation's tenants.
pub(crate) async fn tenant_names(tx: &mut Tx, org: &str) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = tx.all("SELECT name FROM hub_tenants WHERE org_id = $1", args![org]).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// The tenants of an organisation that a member works in, by name.
pub(crate) async fn tenants_of(db: &Db, org: &str, user: &str) -> Result<Vec<Tenant>, Error> {
    db.all(
        "SELECT t.id, t.name FROM hub_tenant_members m JOIN hub_tenants t ON t.id = m.tenant_id
         WHERE t.org_id = $1 AND m.user_id = $2 ORDER BY t.name",
        args![org, user],
    )
    .await
}

/// The same, as identifiers.
pub(crate) async fn tenant_ids_of(tx: &mut Tx, org: &str, user: &str) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = tx
        .all(
            "SELECT t.id FROM hub_tenant_members m JOIN hub_tenants t ON t.id = m.tenant_id
             WHERE t.org_id = $1 AND m.user_id = $2",
            args![org, user],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The tenants that somebody may choose: an admin any of the organisation's, a member its own.
pub(crate) async fn choosable(db: &Db, org: &str, user: &str, role: Role) -> Result<Vec<Tenant>, Error> {
    match role {
        Role::Admin => tenants(db, org).await,
        Role::Member => tenants_of(db, org, user).await,
    }
}

/// What the user is in an organisation.
pub(crate) async fn role(db: &Db, org: &str, user: &str) -> Result<Option<Role>, Error> {
    #[derive(Deserialize)]
    struct Member {
        role: Role,
    }
    let sql = "SELECT role FROM hub_members WHERE org_id = $1 AND user_id = $2";
    let member: Option<Member> = db.one(sql, args![org, user]).await?;
    Ok(member.map(|member| member.role))
}

/// The permissions that the user's groups give, whatever is enabled.
pub(crate) async fn granted(db: &Db, org: &str, user: &str) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = db
        .all(
            "SELECT DISTINCT p.permission FROM hub_group_members m
             JOIN hub_groups g ON g.id = m.group_id
             JOIN hub_group_permissions p ON p.group_id = g.id
             WHERE g.org_id = $1 AND m.user_id = $2 ORDER BY p.permission",
            args![org, user],
        )
        .await?;
    Ok(rows.into_iter().map(|(permission,)| permission).collect())
}

/// What somebody holds in an organisation; none where it is no member.
pub(crate) async fn holding(tx: &mut Tx, org: &str, user: &str) -> Result<Option<Holding>, Error> {
    #[derive(Deserialize)]
    struct Member {
        role: Role,
    }
    let sql = "SELECT role FROM hub_members WHERE org_id = $1 AND user_id = $2";
    let Some(Member { role }) = tx.one(sql, args![org, user]).await? else { return Ok(None) };
    let tenants = tenant_ids_of(tx, org, user).await?;
    let permissions: Vec<(String,)> = tx
        .all(
            "SELECT DISTINCT p.permission FROM hub_group_members m
             JOIN hub_groups g ON g.id = m.group_id
             JOIN hub_group_permissions p ON p.group_id = g.id
             WHERE g.org_id = $1 AND m.user_id = $2",
            args![org, user],
        )
        .await?;
    let names = |rows: Vec<(String,)>| rows.into_iter().map(|(name,)| name);
    Ok(Some(Holding { role, permissions: names(permissions).collect(), reach: Reach::of(role, tenants) }))
}

/// Whether somebody is a member.
pub(crate) async fn is_member(tx: &mut Tx, org: &str, user: &str) -> Result<bool, Error> {
    let sql = "SELECT count(*) FROM hub_members WHERE org_id = $1 AND user_id = $2";
    let count: i64 = tx.value(sql, args![org, user]).await?;
    Ok(count > 0)
}

/// Holds the organisation's row until the end: who may do what there is decided and changed by one at a time.
pub(crate) async fn hold_org(tx: &mut Tx, org: &str) -> Result<(), Error> {
    tx.execute("UPDATE hub_orgs SET revision = revision + 1 WHERE id = $1", args![org]).await.map(drop)
}

/// The groups of an organisation that somebody is in, by identifier.
pub(crate) async fn groups_of(tx: &mut Tx, org: &str, user: &str) -> Result<BTreeSet<String>, Error> {
    let rows: Vec<(String,)> = tx
        .all(
            "SELECT g.id FROM hub_group_members m JOIN hub_groups g ON g.id = m.group_id
             WHERE g.org_id = $1 AND m.user_id = $2",
            args![org, user],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What a group of the organisation gives; none where there is no such group.
pub(crate) async fn given_by(tx: &mut Tx, org: &str, group: &str) -> Result<Option<Vec<String>>, Error> {
    let sql = "SELECT count(*) FROM hub_groups WHERE org_id = $1 AND id = $2";
    let there: i64 = tx.value(sql, args![org, group]).await?;
    if there == 0 {
        return Ok(None);
    }
    let sql = "SELECT permission FROM hub_group_permissions WHERE group_id = $1";
    let rows: Vec<(String,)> = tx.all(sql, args![group]).await?;
    Ok(Some(rows.into_iter().map(|(name,)| name).collect()))
}

/// The organisation of this name, made where it is missing.
pub(crate) async fn ensure_org(tx: &mut Tx, name: &str) -> Result<(Org, bool), Error> {
    if let Some(org) = tx.one("SELECT id, name FROM hub_orgs WHERE name = $1", args![name]).await? {
        return Ok((org, false));
    }
    let org = Org { id: crate::new_id(), name: name.to_owned() };
    tx.execute(
        "INSERT INTO hub_orgs (id, name, created_at) VALUES ($1, $2, $3)",
        args![&org.id, &org.name, crate::now()],
    )
    .await?;
    Ok((org, true))
}

/// The tenant of this name in the organisation, made where it is missing.
pub(crate) async fn ensure_tenant(tx: &mut Tx, org: &str, name: &str) -> Result<(Tenant, bool), Error> {
    let sql = "SELECT id, name FROM hub_tenants WHERE org_id = $1 AND name = $2";
    if let Some(tenant) = tx.one(sql, args![org, name]).await? {
        return Ok((tenant, false));
    }
    let tenant = Tenant { id: crate::new_id(), name: name.to_owned() };
    tx.execute(
        "INSERT INTO hub_tenants (id, org_id, name, created_at) VALUES ($1, $2, $3, $4)",
        args![&tenant.id, org, &tenant.name, crate::now()],
    )
    .await?;
    Ok((tenant, true))
}

/// Adds a user; the e-mail address has to be canonical and new.
pub(crate) async fn add_user(tx: &mut Tx, email: &str, name: &str, password: &str) -> Result<User, Error> {
    let user = User { id: crate::new_id(), email: email.to_owned(), name: name.to_owned() };
    tx.execute(
        "INSERT INTO hub_users (id, email, name, password, created_at) VALUES ($1, $2, $3, $4, $5)",
        args![&user.id, &user.email, &user.name, password, crate::now()],
    )
    .await?;
    Ok(user)
}

/// Makes the user a member, or changes what it is.
pub(crate) async fn set_role(tx: &mut Tx, org: &str, user: &str, role: Role) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hub_members (user_id, org_id, role, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, org_id) DO UPDATE SET role = excluded.role",
        args![user, org, role.as_str(), crate::now()],
    )
    .await
    .map(drop)
}

/// Lets the user work in a tenant.
pub(crate) async fn join_tenant(tx: &mut Tx, tenant: &str, user: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hub_tenant_members (user_id, tenant_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        args![user, tenant],
    )
    .await
    .map(drop)
}
