//! What the database keeps of users, organisations and tenants: one function a question.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Address, Org, Role, Tenant, User, near};
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

/// The account of this address. The same is asked of the database for an address without one. An address of an earlier
/// release that is kept in a form of its own is found as it was written then; [`alike`] finds it in any case.
pub(crate) async fn account(db: &Db, address: &Address) -> Result<Option<Account>, Error> {
    let sql = "SELECT id, email, name, password FROM hub_users WHERE email IN ($1, $2, $3)";
    let [first, second, third] = address.forms();
    Ok(meant(address, db.all(sql, args![first, second, third]).await?).into_iter().next())
}

/// What has only ASCII is in the one form. All others are read, so this is for what happens seldom, or is counted before.
const ALIKE: &str = "SELECT id, email, name, password FROM hub_users
                     WHERE email IN ($1, $2, $3) OR octet_length(email) <> length(email)";

/// The account of this address, in whatever form an earlier release has kept it. Keeps no writer waiting; whoever makes or
/// changes an account asks [`alike_in`] its own transaction.
pub(crate) async fn alike(db: &Db, address: &Address) -> Result<Option<Account>, Error> {
    let [first, second, third] = address.forms();
    Ok(meant(address, db.all(ALIKE, args![first, second, third]).await?).into_iter().next())
}

/// The same within a transaction.
pub(crate) async fn alike_in(tx: &mut Tx, address: &Address) -> Result<Option<Account>, Error> {
    Ok(all_alike(tx, address).await?.into_iter().next())
}

/// All accounts of this address, that which is meant first: earlier releases took ways to write an address for others.
pub(crate) async fn all_alike(tx: &mut Tx, address: &Address) -> Result<Vec<Account>, Error> {
    let [first, second, third] = address.forms();
    Ok(meant(address, tx.all(ALIKE, args![first, second, third]).await?))
}

/// The accounts of this address among others, that which is meant first, always in the same order.
fn meant(address: &Address, found: Vec<Account>) -> Vec<Account> {
    let place = |account: &Account| address.forms().iter().position(|form| *form == account.email);
    let mut same: Vec<Account> =
        found.into_iter().filter(|account| place(account).is_some() || address.is(&account.email)).collect();
    same.sort_by_cached_key(|account| (place(account).unwrap_or(usize::MAX), account.email.clone()));
    same
}

/// Gives an account another address, which has to be nobody's.
pub(crate) async fn set_email(tx: &mut Tx, user: &str, address: &Address) -> Result<(), Error> {
    let sql = "UPDATE hub_users SET email = $2 WHERE id = $1";
    tx.execute(sql, args![user, address.as_str()]).await.map(drop)
}

/// The account with this identifier.
pub(crate) async fn account_of(db: &Db, user: &str) -> Result<Option<Account>, Error> {
    db.one("SELECT id, email, name, password FROM hub_users WHERE id = $1", args![user]).await
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

/// What a user is in an organisation.
const ROLE: &str = "SELECT role FROM hub_members WHERE org_id = $1 AND user_id = $2";
/// What the user's groups there give.
const GRANTED: &str = "SELECT DISTINCT p.permission FROM hub_group_members m
     JOIN hub_groups g ON g.id = m.group_id
     JOIN hub_group_permissions p ON p.group_id = g.id
     WHERE g.org_id = $1 AND m.user_id = $2 ORDER BY p.permission";

/// What the user is in an organisation.
pub(crate) async fn role(db: &Db, org: &str, user: &str) -> Result<Option<Role>, Error> {
    let role: Option<(Role,)> = db.one(ROLE, args![org, user]).await?;
    Ok(role.map(|(role,)| role))
}

/// The permissions that the user's groups give, whatever is enabled.
pub(crate) async fn granted(db: &Db, org: &str, user: &str) -> Result<Vec<String>, Error> {
    let rows: Vec<(String,)> = db.all(GRANTED, args![org, user]).await?;
    Ok(rows.into_iter().map(|(permission,)| permission).collect())
}

/// What somebody holds in an organisation; none where it is no member.
pub(crate) async fn holding(tx: &mut Tx, org: &str, user: &str) -> Result<Option<Holding>, Error> {
    let Some((role,)) = tx.one::<(Role,)>(ROLE, args![org, user]).await? else { return Ok(None) };
    let tenants = tenant_ids_of(tx, org, user).await?;
    let permissions: Vec<(String,)> = tx.all(GRANTED, args![org, user]).await?;
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

/// The name of the organisation's group that has this name, or one that people take for it; `but` is left out.
pub(crate) async fn group_like(
    tx: &mut Tx,
    org: &str,
    but: Option<&str>,
    name: &str,
) -> Result<Option<String>, Error> {
    let sql = "SELECT name FROM hub_groups WHERE org_id = $1 AND id <> $2";
    let others: Vec<(String,)> = tx.all(sql, args![org, but.unwrap_or_default()]).await?;
    let others = || others.iter().map(|(other,)| other.as_str());
    let found = others().find(|other| *other == name).or_else(|| near::twin(name, others()));
    Ok(found.map(str::to_owned))
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

/// Adds a user; the address has to be new, as [`alike_in`] tells.
pub(crate) async fn add_user(
    tx: &mut Tx,
    address: &Address,
    name: &str,
    password: &str,
) -> Result<User, Error> {
    let user = User { id: crate::new_id(), email: address.as_str().to_owned(), name: name.to_owned() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// S20: an earlier release kept what was written, in lower case. Who signs in as then is let in, and nobody gets a twin.
    #[tokio::test]
    async fn s20_accounts_of_earlier_releases_are_found_and_get_no_twins() {
        let db = Db::open_memory().await.unwrap();
        testing::make_tables(&db).await;
        let mut tx = db.begin().await.unwrap();
        for kept in [
            "ann@example.com",
            "dee@ex\u{e4}mple.de",
            "\u{ff45}ve@example.com",
            "re\u{301}my@exa\u{308}mple.de",
            // Two accounts that are one address: each is its owner's as before.
            "flo@ex\u{e4}mple.de",
            "flo@xn--exmple-cua.de",
        ] {
            let sql =
                "INSERT INTO hub_users (id, email, name, password, created_at) VALUES ($1, $1, $1, $1, $1)";
            tx.execute(sql, args![kept]).await.unwrap();
        }
        tx.commit().await.unwrap();
        for (written, at_sign_in, when_made) in [
            ("Ann@Example.com", Some("ann@example.com"), Some("ann@example.com")),
            ("\u{ff21}nn@example.com", Some("ann@example.com"), Some("ann@example.com")),
            ("Dee@EX\u{c4}mple.de", Some("dee@ex\u{e4}mple.de"), Some("dee@ex\u{e4}mple.de")),
            ("dee@xn--exmple-cua.de", Some("dee@ex\u{e4}mple.de"), Some("dee@ex\u{e4}mple.de")),
            ("\u{ff25}ve@example.com", Some("\u{ff45}ve@example.com"), Some("\u{ff45}ve@example.com")),
            ("eve@example.com", None, Some("\u{ff45}ve@example.com")),
            (
                "re\u{301}my@exa\u{308}mple.de",
                Some("re\u{301}my@exa\u{308}mple.de"),
                Some("re\u{301}my@exa\u{308}mple.de"),
            ),
            ("r\u{e9}my@xn--exmple-cua.de", None, Some("re\u{301}my@exa\u{308}mple.de")),
            ("flo@ex\u{e4}mple.de", Some("flo@ex\u{e4}mple.de"), Some("flo@ex\u{e4}mple.de")),
            ("flo@xn--exmple-cua.de", Some("flo@xn--exmple-cua.de"), Some("flo@xn--exmple-cua.de")),
            ("nobody@example.com", None, None),
        ] {
            let address = Address::of(written);
            let found = account(&db, &address).await.unwrap().map(|account| account.email);
            assert_eq!(found.as_deref(), at_sign_in, "{written}");
            let found = alike(&db, &address).await.unwrap().map(|account| account.email);
            assert_eq!(found.as_deref(), when_made, "{written}");
            let mut tx = db.begin().await.unwrap();
            let found = alike_in(&mut tx, &address).await.unwrap().map(|account| account.email);
            assert_eq!(found.as_deref(), when_made, "{written}");
        }
    }
}
