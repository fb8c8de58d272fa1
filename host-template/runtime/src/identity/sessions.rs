//! Sessions: made at sign-in, read once, and kept in memory until something changes.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Deserialize;
use time::OffsetDateTime;

use super::store;
use super::{Org, Role, Tenant, Token, User};
use crate::access::Caller;
use crate::args;
use crate::db::{Db, Error, Tx};
use crate::host::Hub;
use crate::live::Snapshot;

/// Days that a session lasts.
pub(crate) const SESSION_DAYS: i64 = 14;

/// Sessions that are kept in memory.
const KEPT: usize = 20_000;

/// How long one is believed without asking again, should the news of a change have been lost.
const BELIEVED: Duration = Duration::from_secs(60);

/// The sessions that this host has seen of late.
#[derive(Default)]
pub(crate) struct Sessions(RwLock<HashMap<Token, Kept>>);

struct Kept {
    caller: Caller,
    read: Instant,
}

impl Sessions {
    /// The caller, where it is known and nothing has changed since it was read.
    pub(crate) fn known(&self, token: &Token, epoch: u64) -> Option<Caller> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(token)?;
        (found.caller.epoch() == epoch && found.read.elapsed() < BELIEVED).then(|| found.caller.clone())
    }

    /// The caller as it is now, read where that is not known.
    pub(crate) async fn current(&self, hub: &Hub, token: &Token) -> Result<Option<Caller>, Error> {
        match self.known(token, hub.live.epoch()) {
            Some(caller) => Ok(Some(caller)),
            None => self.read(hub, token).await,
        }
    }

    /// Reads who the caller is; none where the session has ended or never was.
    pub(crate) async fn read(&self, hub: &Hub, token: &Token) -> Result<Option<Caller>, Error> {
        let snapshot = hub.live.snapshot();
        let Some(caller) = load(&hub.db, token, &snapshot).await? else {
            self.forget(token);
            return Ok(None);
        };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(token.clone(), Kept { caller: caller.clone(), read: Instant::now() });
        Ok(Some(caller))
    }

    /// Forgets one that has ended.
    pub(crate) fn forget(&self, token: &Token) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }
}

#[derive(Deserialize)]
struct Row {
    user_id: String,
    email: String,
    user_name: String,
    org_id: String,
    org_name: String,
    tenant_id: Option<String>,
    tenant_name: Option<String>,
    role: Role,
}

async fn load(db: &Db, token: &Token, snapshot: &Arc<Snapshot>) -> Result<Option<Caller>, Error> {
    let row: Option<Row> = db
        .one(
            "SELECT u.id AS user_id, u.email, u.name AS user_name, o.id AS org_id, o.name AS org_name,
                    t.id AS tenant_id, t.name AS tenant_name, m.role
             FROM hub_sessions s
             JOIN hub_users u ON u.id = s.user_id
             JOIN hub_orgs o ON o.id = s.org_id
             JOIN hub_members m ON m.user_id = s.user_id AND m.org_id = s.org_id
             LEFT JOIN hub_tenants t ON t.id = s.tenant_id AND t.org_id = s.org_id
             WHERE s.id = $1 AND s.expires_at > $2",
            args![token.id(), crate::now()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let asked = row.tenant_id.zip(row.tenant_name).map(|(id, name)| Tenant { id, name });
    let (granted, tenant) = match row.role {
        Role::Admin => (Vec::new(), asked),
        Role::Member => {
            let own = store::tenants_of(db, &row.org_id, &row.user_id).await?;
            (store::granted(db, &row.org_id, &row.user_id).await?, placed(asked, own))
        }
    };
    let user = User { id: row.user_id, email: row.email, name: row.user_name };
    let org = Org { id: row.org_id, name: row.org_name };
    Ok(Some(Caller::new(user, org, tenant, row.role, granted, token, snapshot)))
}

/// Where a member works that asked for a place once: in its own tenants and nowhere else, whatever was so when the session
/// began. A member of none works in the organisation at large.
pub(crate) fn placed(asked: Option<Tenant>, own: Vec<Tenant>) -> Option<Tenant> {
    match asked {
        Some(asked) if own.contains(&asked) => Some(asked),
        _ => own.into_iter().next(),
    }
}

/// Begins a session in an organisation; those that have run out are cleared away on the occasion.
pub(crate) async fn begin(
    tx: &mut Tx,
    user: &str,
    org: &str,
    tenant: Option<&str>,
) -> Result<Token, crate::Problem> {
    let token = Token::random().map_err(crate::Problem::internal)?;
    let now = OffsetDateTime::now_utc();
    tx.execute("DELETE FROM hub_sessions WHERE expires_at <= $1", args![crate::at(now)]).await?;
    tx.execute(
        "INSERT INTO hub_sessions (id, user_id, org_id, tenant_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![
            token.id(),
            user,
            org,
            tenant,
            crate::at(now),
            crate::at(now + time::Duration::days(SESSION_DAYS))
        ],
    )
    .await?;
    Ok(token)
}

/// Moves a session to another organisation or tenant.
pub(crate) async fn place(tx: &mut Tx, id: &str, org: &str, tenant: Option<&str>) -> Result<(), Error> {
    tx.execute("UPDATE hub_sessions SET org_id = $2, tenant_id = $3 WHERE id = $1", args![id, org, tenant])
        .await
        .map(drop)
}

/// Ends all sessions of somebody; gives how many there were.
pub(crate) async fn end_all(tx: &mut Tx, user: &str) -> Result<u64, Error> {
    tx.execute("DELETE FROM hub_sessions WHERE user_id = $1", args![user]).await
}

/// Ends a session.
pub(crate) async fn end(tx: &mut Tx, id: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM hub_sessions WHERE id = $1", args![id]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    // S8
    #[test]
    fn s8_a_session_works_where_its_member_may_work_now() {
        let tenant = |name: &str| Tenant { id: name.to_owned(), name: name.to_owned() };
        let placed = |asked: Option<&str>, own: &[&str]| {
            let placed = placed(asked.map(tenant), own.iter().map(|name| tenant(name)).collect());
            placed.map(|tenant| tenant.name)
        };
        assert_eq!(placed(None, &[]), None);
        assert_eq!(placed(Some("a"), &["a", "b"]).as_deref(), Some("a"));
        assert_eq!(placed(None, &["a", "b"]).as_deref(), Some("a"), "limited to tenants afterwards");
        assert_eq!(placed(Some("c"), &["a", "b"]).as_deref(), Some("a"), "taken out of one");
        assert_eq!(placed(Some("c"), &[]), None, "in the organisation at large afterwards");
    }
}
