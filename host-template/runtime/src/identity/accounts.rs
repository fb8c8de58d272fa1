//! What the operator does with accounts from the command line: list them, set a password, end sessions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Role, User, password, sessions, store};
use crate::args;
use crate::audit::{self, Actor, Event};
use crate::db::{Db, Error, Tx};
use crate::fault::Fault;

/// An account, and what it is where.
#[derive(Serialize)]
pub(crate) struct Listed {
    #[serde(flatten)]
    pub(crate) user: User,
    pub(crate) orgs: Vec<Place>,
    /// Sessions that are open.
    pub(crate) sessions: u64,
    pub(crate) created_at: String,
}

/// An organisation of an account.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place {
    id: String,
    name: String,
    role: Role,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.role.as_str(), self.name)
    }
}

/// Whose sessions have ended, and how many there were.
pub(crate) struct Ended {
    pub(crate) user: User,
    pub(crate) sessions: u64,
}

fn fault(error: Error) -> Fault {
    Fault::machine(
        format!("the database cannot do it: {error}"),
        error.help("see that the database can be written to, and try again"),
    )
}

/// All accounts, by address.
pub(crate) async fn list(db: &Db) -> Result<Vec<Listed>, Fault> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        email: String,
        name: String,
        created_at: String,
        sessions: u64,
    }
    let rows: Vec<Row> = db
        .all(
            "SELECT u.id, u.email, u.name, u.created_at,
                    (SELECT count(*) FROM hub_sessions s WHERE s.user_id = u.id AND s.expires_at > $1) AS sessions
             FROM hub_users u ORDER BY u.email",
            args![crate::now()],
        )
        .await
        .map_err(fault)?;
    let mut all = Vec::new();
    for Row { id, email, name, created_at, sessions } in rows {
        let sql = "SELECT o.id, o.name, m.role FROM hub_members m JOIN hub_orgs o ON o.id = m.org_id
                   WHERE m.user_id = $1 ORDER BY o.name";
        let orgs = db.all(sql, args![&id]).await.map_err(fault)?;
        all.push(Listed { user: User { id, email, name }, orgs, sessions, created_at });
    }
    Ok(all)
}

/// Gives an account another password, which comes in clear; all its sessions and the marks of its devices end.
pub(crate) async fn reset_password(db: &Db, email: &str, password: &str) -> Result<Ended, Fault> {
    let user = known(db, email).await?;
    let hashed = password::hash(password)
        .map_err(|e| Fault::machine(format!("cannot hash the password: {e}"), "try another password"))?;
    let work = async {
        let mut tx = db.begin().await?;
        tx.execute("UPDATE hub_users SET password = $2 WHERE id = $1", args![&user.id, hashed]).await?;
        let ended = end(&mut tx, &user, "password_reset").await?;
        tx.announce().await?;
        tx.commit().await?;
        Ok(ended)
    };
    let sessions = work.await.map_err(fault)?;
    Ok(Ended { user, sessions })
}

/// Ends all sessions of an account.
pub(crate) async fn end_sessions(db: &Db, email: &str) -> Result<Ended, Fault> {
    let user = known(db, email).await?;
    let work = async {
        let mut tx = db.begin().await?;
        let ended = end(&mut tx, &user, "sessions_ended").await?;
        tx.announce().await?;
        tx.commit().await?;
        Ok(ended)
    };
    let sessions = work.await.map_err(fault)?;
    Ok(Ended { user, sessions })
}

/// Ends all sessions of everybody; gives how many there were.
pub(crate) async fn end_all_sessions(db: &Db) -> Result<u64, Fault> {
    let work = async {
        let mut tx = db.begin().await?;
        let ended = tx.execute("DELETE FROM hub_sessions", args![]).await?;
        let orgs: Vec<(String,)> = tx.all("SELECT id FROM hub_orgs", args![]).await?;
        for (org,) in orgs {
            audit::record(&mut tx, &org, &Actor::platform(), Event::new("sessions_ended")).await?;
        }
        tx.announce().await?;
        tx.commit().await?;
        Ok(ended)
    };
    work.await.map_err(fault)
}

async fn known(db: &Db, email: &str) -> Result<User, Fault> {
    let found = store::account(db, email).await.map_err(fault)?;
    found.map(store::Account::user).ok_or_else(|| {
        Fault::usage(
            format!("there is no account `{}`", email.escape_debug()),
            "see `hub-platform admin list-users`",
        )
    })
}

/// Ends the sessions, and tells every organisation of the account why; gives how many there were.
pub(super) async fn end(tx: &mut Tx, user: &User, event_type: &'static str) -> Result<u64, Error> {
    let ended = sessions::end_all(tx, &user.id).await?;
    let orgs: Vec<(String,)> =
        tx.all("SELECT org_id FROM hub_members WHERE user_id = $1", args![&user.id]).await?;
    for (org,) in orgs {
        let event = Event::new(event_type).with("email", user.email.as_str());
        audit::record(tx, &org, &Actor::platform(), event).await?;
    }
    Ok(ended)
}
