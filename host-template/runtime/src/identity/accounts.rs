//! What the operator does with accounts from the command line: list them, set a password, end sessions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::first::TRIES;
use super::{Address, Role, User, password, sessions, store};
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

/// How an account keeps its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In the one form.
    Canonical,
    /// In the one form from now on; until now as an earlier release wrote it.
    Mended { was: String },
    /// As an earlier release wrote it, since another account has the same address: only so its owner signs in.
    Twin,
}

impl Kept {
    /// The event of a new password, with the address before where that is another one now.
    pub(super) fn password_reset(&self) -> Event<'static> {
        let event = Event::new("password_reset");
        match self {
            Kept::Mended { was } => event.with("was", was.as_str()),
            Kept::Canonical | Kept::Twin => event,
        }
    }
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
pub(crate) async fn reset_password(db: &Db, email: &Address, password: &str) -> Result<(Ended, Kept), Fault> {
    let hashed = password::hash(password)
        .map_err(|e| Fault::machine(format!("cannot hash the password: {e}"), "try another password"))?;
    let mut tries = 1;
    loop {
        match reset(db, email, &hashed).await {
            Ok(done) => return done.ok_or_else(|| unknown(email)),
            // Somebody else has got the address meanwhile: the next try finds that one.
            Err(error) if error.is_in_the_way() && tries < TRIES => tries += 1,
            Err(error) => return Err(fault(error)),
        }
    }
}

/// One try, in a transaction of its own; none where there is no such account.
async fn reset(db: &Db, email: &Address, hashed: &str) -> Result<Option<(Ended, Kept)>, Error> {
    let mut tx = db.begin().await?;
    let Some((user, kept)) = mended(&mut tx, email).await? else { return Ok(None) };
    tx.execute("UPDATE hub_users SET password = $2 WHERE id = $1", args![&user.id, hashed]).await?;
    let sessions = end(&mut tx, &user, kept.password_reset()).await?;
    tx.announce().await?;
    tx.commit().await?;
    Ok(Some((Ended { user, sessions }, kept)))
}

/// The account of this address, which keeps it in the one form from now on: then its owner signs in however the address is
/// written. Where several accounts have the address, nobody knows whose that form is, and each stays as it is.
pub(super) async fn mended(tx: &mut Tx, address: &Address) -> Result<Option<(User, Kept)>, Error> {
    let mut found = store::all_alike(tx, address).await?.into_iter().map(store::Account::user);
    let Some(mut user) = found.next() else { return Ok(None) };
    if user.email == address.as_str() {
        return Ok(Some((user, Kept::Canonical)));
    }
    if found.next().is_some() {
        return Ok(Some((user, Kept::Twin)));
    }
    store::set_email(tx, &user.id, address).await?;
    let was = std::mem::replace(&mut user.email, address.as_str().to_owned());
    Ok(Some((user, Kept::Mended { was })))
}

/// Ends all sessions of an account.
pub(crate) async fn end_sessions(db: &Db, email: &Address) -> Result<Ended, Fault> {
    let user = known(db, email).await?;
    let work = async {
        let mut tx = db.begin().await?;
        let ended = end(&mut tx, &user, Event::new("sessions_ended")).await?;
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

async fn known(db: &Db, email: &Address) -> Result<User, Fault> {
    // Without a transaction: on SQLite that would wait for whoever writes, only to read.
    let found = store::alike(db, email).await.map_err(fault)?;
    found.map(store::Account::user).ok_or_else(|| unknown(email))
}

fn unknown(email: &Address) -> Fault {
    Fault::usage(
        format!("there is no account `{}`", email.as_str().escape_debug()),
        "see `hub-platform admin list-users`",
    )
}

/// Ends the sessions, and tells every organisation of the account why; gives how many there were.
pub(super) async fn end(tx: &mut Tx, user: &User, event: Event<'static>) -> Result<u64, Error> {
    let ended = sessions::end_all(tx, &user.id).await?;
    let orgs: Vec<(String,)> =
        tx.all("SELECT org_id FROM hub_members WHERE user_id = $1", args![&user.id]).await?;
    let event = event.with("email", user.email.as_str());
    for (org,) in orgs {
        audit::record(tx, &org, &Actor::platform(), event.clone()).await?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::testing;

    // S20
    #[tokio::test]
    async fn s20_an_address_of_an_earlier_release_gets_the_one_form_where_it_is_one_accounts() {
        let db = Db::open_memory().await.unwrap();
        testing::make_tables(&db).await;
        let mut tx = db.begin().await.unwrap();
        for kept in [
            "ann@example.com",
            "\u{ff45}ve@example.com",
            "dee@ex\u{e4}mple.de",
            "flo@example.com",
            "\u{ff46}lo@example.com",
            // Two accounts, neither of them in the one form.
            "\u{ff47}il@example.com",
            "g\u{ff49}l@example.com",
        ] {
            let sql =
                "INSERT INTO hub_users (id, email, name, password, created_at) VALUES ($1, $1, $1, $1, $1)";
            tx.execute(sql, args![kept]).await.unwrap();
        }
        let was = |text: &str| Kept::Mended { was: text.to_owned() };
        for (written, email, kept) in [
            ("Ann@Example.com", "ann@example.com", Kept::Canonical),
            ("eve@example.com", "eve@example.com", was("\u{ff45}ve@example.com")),
            ("\u{ff45}ve@example.com", "eve@example.com", Kept::Canonical),
            ("dee@ex\u{e4}mple.de", "dee@xn--exmple-cua.de", was("dee@ex\u{e4}mple.de")),
            ("flo@example.com", "flo@example.com", Kept::Canonical),
            ("\u{ff46}lo@example.com", "\u{ff46}lo@example.com", Kept::Twin),
            ("g\u{ff49}l@example.com", "g\u{ff49}l@example.com", Kept::Twin),
            ("gil@example.com", "g\u{ff49}l@example.com", Kept::Twin),
        ] {
            let (user, found) = mended(&mut tx, &Address::of(written)).await.unwrap().unwrap();
            assert_eq!((user.email.as_str(), found), (email, kept), "{written}");
            let sql = "SELECT email FROM hub_users WHERE id = $1";
            let written: String = tx.value(sql, args![&user.id]).await.unwrap();
            assert_eq!(written, user.email);
        }
        assert_eq!(mended(&mut tx, &Address::of("nobody@example.com")).await.unwrap(), None);
    }

    // O4
    #[tokio::test]
    async fn o4_an_account_is_looked_for_while_somebody_else_writes() {
        let folder = Scratch::new("accounts");
        let db = Db::open_sqlite(&folder.join("hub.db")).await.unwrap();
        testing::make_tables(&db).await;
        let writer = db.begin().await.unwrap();
        let error = known(&db, &Address::of("nobody@example.com")).await.unwrap_err().to_string();
        assert!(error.contains("there is no account `nobody@example.com`"), "{error}");
        drop(writer);
        db.close().await;
    }
}
