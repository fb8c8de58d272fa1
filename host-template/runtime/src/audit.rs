//! The audit log: an event is written in the transaction of the change that it tells of, or not at all.

use serde_json::{Map, Value};

use crate::access::Caller;
use crate::args;
use crate::db::{Error, Tx};

/// Who did something.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    id: String,
    email: String,
}

impl Actor {
    /// The platform itself: its start, or a command of its operator.
    pub(crate) fn platform() -> Actor {
        Actor { id: String::new(), email: "platform".to_owned() }
    }

    /// A person of whom no session is known yet.
    pub(crate) fn person(id: &str, email: &str) -> Actor {
        Actor { id: id.to_owned(), email: email.to_owned() }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Actor {
        Actor::person(&caller.user().id, &caller.user().email)
    }
}

/// One thing that was done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event<'a> {
    /// Such as `plugin_state_change`.
    pub(crate) event_type: &'static str,
    pub(crate) plugin: Option<&'a str>,
    /// `org` or `tenant`.
    pub(crate) scope: Option<&'static str>,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
    /// Whatever else there is to say.
    pub(crate) details: Map<String, Value>,
}

impl<'a> Event<'a> {
    /// An event with nothing but its type.
    pub(crate) fn new(event_type: &'static str) -> Event<'a> {
        Event { event_type, ..Event::default() }
    }

    /// Adds a detail.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Event<'a> {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Writes the event.
pub(crate) async fn record(tx: &mut Tx, org: &str, actor: &Actor, event: Event<'_>) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hub_audit_events (id, time, org_id, event_type, actor_id, actor_email, plugin, scope, tenant_id,
                                       from_state, to_state, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        args![
            crate::new_id(),
            crate::now(),
            org,
            event.event_type,
            &actor.id,
            &actor.email,
            event.plugin,
            event.scope,
            event.tenant,
            event.from,
            event.to,
            &event.details
        ],
    )
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::testing;

    #[tokio::test]
    async fn sqlite_refuses_to_change_what_has_been_written() {
        let db = Db::open_memory().await.unwrap();
        testing::make_tables(&db).await;
        let mut tx = db.begin().await.unwrap();
        record(&mut tx, "org", &Actor::platform(), Event::new("sign_in")).await.unwrap();
        tx.commit().await.unwrap();
        for sql in [
            "UPDATE hub_audit_events SET actor_email = 'somebody else'",
            "DELETE FROM hub_audit_events",
            "INSERT OR REPLACE INTO hub_audit_events SELECT * FROM hub_audit_events",
            "REPLACE INTO hub_audit_events SELECT * FROM hub_audit_events",
            "INSERT INTO hub_audit_events SELECT * FROM hub_audit_events WHERE TRUE
             ON CONFLICT (id) DO UPDATE SET actor_email = 'somebody else'",
        ] {
            let error = db.execute(sql, args![]).await.expect_err(sql);
            assert_eq!(error.to_string(), "the audit log is append-only", "{sql}");
        }
        let kept: i64 = db
            .value("SELECT count(*) FROM hub_audit_events WHERE actor_email = 'platform'", args![])
            .await
            .unwrap();
        assert_eq!(kept, 1);
    }
}
