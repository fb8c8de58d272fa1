//! Invitations: a membership that an organisation offers. Only who holds the link's token can take it up, once.

use serde::Deserialize;
use time::OffsetDateTime;

use super::membership::Place;
use super::{Address, Role, Token};
use crate::args;
use crate::db::{Db, Error, Tx};

/// What became of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mail {
    /// No mail server is configured: the link is passed on by hand.
    Unsent,
    /// The mail server took it.
    Sent,
    /// The mail server did not take it: the link is passed on by hand, or sent again.
    Failed,
}

impl Mail {
    fn as_str(self) -> &'static str {
        match self {
            Mail::Unsent => "unsent",
            Mail::Sent => "sent",
            Mail::Failed => "failed",
        }
    }
}

/// An invitation that nobody has taken up yet.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) email: String,
    pub(crate) name: String,
    role: Role,
    #[serde(with = "crate::db::json")]
    tenant_ids: Vec<String>,
    #[serde(with = "crate::db::json")]
    group_ids: Vec<String>,
    pub(crate) invited_by: String,
    pub(crate) inviter_email: String,
    pub(crate) inviter_name: String,
    pub(crate) org_name: String,
    pub(crate) mail: Mail,
    pub(crate) created_at: String,
    pub(crate) expires_at: String,
}

impl Invitation {
    /// What is offered.
    pub(crate) fn place(&self) -> Place {
        Place { role: self.role, tenants: self.tenant_ids.clone(), groups: self.group_ids.clone() }
    }
}

/// What is to be offered, to whom, by whom.
pub(crate) struct Offer<'a> {
    pub(crate) org: &'a str,
    pub(crate) address: &'a Address,
    pub(crate) name: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) by: &'a str,
    pub(crate) lasts: std::time::Duration,
    /// All that [`to`] gives for the address: their links end.
    pub(crate) replaces: &'a [Invitation],
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.org_id, i.email, i.name, i.role, i.tenant_ids, i.group_ids, i.invited_by,
                    u.email AS inviter_email, u.name AS inviter_name, o.name AS org_name, i.mail, i.created_at,
                    i.expires_at
             FROM hub_invitations i
             JOIN hub_users u ON u.id = i.invited_by
             JOIN hub_orgs o ON o.id = i.org_id ",
            $rest
        )
    };
}

/// All of an organisation, by address; those that have run out too, which can be sent again.
pub(crate) async fn of_org(db: &Db, org: &str) -> Result<Vec<Invitation>, Error> {
    db.all(select!("WHERE i.org_id = $1 ORDER BY i.email"), args![org]).await
}

/// One of an organisation.
pub(crate) async fn find(tx: &mut Tx, org: &str, id: &str) -> Result<Option<Invitation>, Error> {
    tx.one(select!("WHERE i.org_id = $1 AND i.id = $2"), args![org, id]).await
}

/// Those of an organisation to an address: one, or several where an earlier release took ways to write it for others.
pub(crate) async fn to(tx: &mut Tx, org: &str, address: &Address) -> Result<Vec<Invitation>, Error> {
    let sql = select!("WHERE i.org_id = $1 AND (i.email = $2 OR octet_length(i.email) <> length(i.email))");
    let found: Vec<Invitation> = tx.all(sql, args![org, address.as_str()]).await?;
    Ok(found.into_iter().filter(|invitation| address.is(&invitation.email)).collect())
}

/// The one that a token opens, while it lasts.
pub(crate) async fn opened(db: &Db, token: &Token) -> Result<Option<Invitation>, Error> {
    let sql = select!("WHERE i.token_hash = $1 AND i.expires_at > $2");
    db.one(sql, args![token.id(), crate::now()]).await
}

/// How many an organisation has.
pub(crate) async fn count(tx: &mut Tx, org: &str) -> Result<u64, Error> {
    tx.value("SELECT count(*) FROM hub_invitations WHERE org_id = $1", args![org]).await
}

/// Writes an invitation, in the place of those before. Gives the identifier.
pub(crate) async fn write(tx: &mut Tx, offer: &Offer<'_>, token: &Token) -> Result<String, Error> {
    let now = OffsetDateTime::now_utc();
    let id = crate::new_id();
    for earlier in offer.replaces {
        take(tx, &earlier.id).await?;
    }
    tx.execute(
        "INSERT INTO hub_invitations (id, org_id, email, name, role, tenant_ids, group_ids, token_hash, invited_by,
                                      mail, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        args![
            &id,
            offer.org,
            offer.address.as_str(),
            offer.name,
            offer.place.role.as_str(),
            serde_json::json!(offer.place.tenants),
            serde_json::json!(offer.place.groups),
            token.id(),
            offer.by,
            Mail::Unsent.as_str(),
            crate::at(now),
            crate::at(now + offer.lasts)
        ],
    )
    .await?;
    Ok(id)
}

/// Notes what became of the mail.
pub(crate) async fn mailed(db: &Db, id: &str, mail: Mail) -> Result<(), Error> {
    db.execute("UPDATE hub_invitations SET mail = $2 WHERE id = $1", args![id, mail.as_str()]).await.map(drop)
}

/// Takes it out, for good; whether it was there.
pub(crate) async fn take(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM hub_invitations WHERE id = $1", args![id]).await? == 1)
}
