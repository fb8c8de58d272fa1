//! Memberships: role, tenants and groups of somebody in an organisation, and the one way to change them.

use std::collections::BTreeSet;

use super::{Role, first, store};
use crate::access::{Deed, Holding, Reach, decide};
use crate::args;
use crate::db::{Error, Tx};
use crate::problem::{Problem, Result};

/// What somebody is in the organisation.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) role: Role,
    /// Identifiers of tenants; none means the organisation at large.
    pub(crate) tenants: Vec<String>,
    /// Identifiers of groups.
    pub(crate) groups: Vec<String>,
}

/// Somebody who gives, held against what it holds at this moment of the transaction.
pub(crate) struct Granter<'a> {
    org: &'a str,
    user: &'a str,
    holding: Holding,
}

impl<'a> Granter<'a> {
    /// Holds the organisation and reads what the granter holds. None where it is no member any more.
    pub(crate) async fn read(tx: &mut Tx, org: &'a str, user: &'a str) -> Result<Option<Granter<'a>>, Error> {
        store::hold_org(tx, org).await?;
        Granter::seen(tx, org, user).await
    }

    /// The same without holding anything, for what is only looked at.
    pub(crate) async fn seen(tx: &mut Tx, org: &'a str, user: &'a str) -> Result<Option<Granter<'a>>, Error> {
        let holding = store::holding(tx, org, user).await?;
        Ok(holding.map(|holding| Granter { org, user, holding }))
    }

    /// The same for the caller of a route.
    pub(crate) async fn caller(tx: &mut Tx, org: &'a str, user: &'a str) -> Result<Granter<'a>> {
        Granter::read(tx, org, user).await?.ok_or_else(crate::access::not_signed_in)
    }

    /// Goes on where the place may be given to somebody who is here already, or is not.
    pub(crate) async fn may_place(&self, tx: &mut Tx, other: Option<&str>, place: &Place) -> Result<()> {
        let now = match other {
            Some(user) => store::holding(tx, self.org, user).await?,
            None => None,
        };
        let kept = match other {
            Some(user) => store::groups_of(tx, self.org, user).await?,
            None => BTreeSet::new(),
        };
        self.may_place_from(tx, now.as_ref(), &kept, other, place).await
    }

    /// The same for somebody who would be in the place `now` and in these groups.
    pub(crate) async fn may_place_from(
        &self,
        tx: &mut Tx,
        now: Option<&Holding>,
        kept: &BTreeSet<String>,
        other: Option<&str>,
        place: &Place,
    ) -> Result<()> {
        let reach = Reach::of(place.role, place.tenants.iter().cloned());
        // A group gives its permissions in every tenant: where the place grows, those that are kept are given there.
        let grows = now.is_some_and(|now| !now.reach.covers(&reach));
        let given = given(tx, self.org, place, if grows { const { &BTreeSet::new() } } else { kept }).await?;
        let deed = Deed::Place { now, role: place.role, given: &given, reach: &reach };
        Ok(decide(&self.holding, &deed, other == Some(self.user))?)
    }

    /// Goes on where a member may be removed.
    pub(crate) async fn may_remove(&self, tx: &mut Tx, other: &str) -> Result<()> {
        let Some(now) = store::holding(tx, self.org, other).await? else { return Ok(()) };
        Ok(decide(&self.holding, &Deed::Remove { now: &now }, false)?)
    }

    /// Goes on where a place that somebody was offered may be taken back.
    pub(crate) fn may_take_back(&self, place: &Place) -> Result<()> {
        let reach = Reach::of(place.role, place.tenants.iter().cloned());
        let now = Holding { role: place.role, permissions: BTreeSet::new(), reach };
        Ok(decide(&self.holding, &Deed::Remove { now: &now }, false)?)
    }

    /// Goes on where a group may give these permissions, besides those that it gives already.
    pub(crate) fn may_define<'p>(&self, added: impl IntoIterator<Item = &'p String>) -> Result<()> {
        let given = added.into_iter().cloned().collect();
        Ok(decide(&self.holding, &Deed::Group { given: &given }, false)?)
    }
}

/// What the groups of a place give that are not kept. Names what is not the organisation's own, or named twice.
async fn given(tx: &mut Tx, org: &str, place: &Place, kept: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let unknown = |field: &str, id: &str| {
        let message =
            format!("`{}` is not one of this organisation's {field}, or is named twice", id.escape_debug());
        Problem::invalid_field(field, message)
    };
    let mut seen = BTreeSet::new();
    for id in &place.tenants {
        let sql = "SELECT count(*) FROM hub_tenants WHERE org_id = $1 AND id = $2";
        let there: i64 = tx.value(sql, args![org, id]).await?;
        if there == 0 || !seen.insert(id) {
            return Err(unknown("tenants", id));
        }
    }
    let mut all = BTreeSet::new();
    for id in &place.groups {
        let gives = store::given_by(tx, org, id).await?.filter(|_| seen.insert(id));
        let gives = gives.ok_or_else(|| unknown("groups", id))?;
        if !kept.contains(id) {
            all.extend(gives);
        }
    }
    Ok(all)
}

/// Writes role, tenants and groups; what is not named is taken away.
pub(crate) async fn put(tx: &mut Tx, org: &str, user: &str, place: &Place) -> Result<(), Error> {
    store::set_role(tx, org, user, place.role).await?;
    leave(tx, org, user).await?;
    let into_tenant = "INSERT INTO hub_tenant_members (user_id, tenant_id)
        SELECT $1, id FROM hub_tenants WHERE org_id = $2 AND id = $3 ON CONFLICT DO NOTHING";
    let into_group = "INSERT INTO hub_group_members (user_id, group_id)
        SELECT $1, id FROM hub_groups WHERE org_id = $2 AND id = $3 ON CONFLICT DO NOTHING";
    for (sql, ids) in [(into_tenant, &place.tenants), (into_group, &place.groups)] {
        for id in ids {
            tx.execute(sql, args![user, org, id]).await?;
        }
    }
    Ok(())
}

/// Takes somebody out of all tenants and groups of the organisation.
pub(crate) async fn leave(tx: &mut Tx, org: &str, user: &str) -> Result<(), Error> {
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

/// An organisation without an admin could never be managed again. The organisation is held by whoever asks, so that two
/// admins cannot remove each other at the same moment.
pub(crate) async fn keep_an_admin(tx: &mut Tx, org: &str) -> Result<()> {
    if has_an_admin(tx, org).await? {
        return Ok(());
    }
    Err(Problem::conflict("the organisation needs at least one admin").code("last-admin"))
}

/// Whether anybody can manage the organisation.
pub(super) async fn has_an_admin(tx: &mut Tx, org: &str) -> Result<bool, Error> {
    let sql = "SELECT count(*) FROM hub_members WHERE org_id = $1 AND role = 'admin'";
    let admins: i64 = tx.value(sql, args![org]).await?;
    Ok(admins > 0)
}

/// The group that every member begins in, unless somebody says otherwise; none where it was removed. One that a plugin has
/// brought under that name is not meant: it gives what the plugin's author likes.
pub(crate) async fn first_groups(tx: &mut Tx, org: &str) -> Result<Vec<String>, Error> {
    let sql = "SELECT id FROM hub_groups WHERE org_id = $1 AND name = $2 AND plugin IS NULL";
    let rows: Vec<(String,)> = tx.all(sql, args![org, first::MEMBERS]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
