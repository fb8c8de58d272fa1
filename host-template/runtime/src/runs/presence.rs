//! That a host is there: it says so every few seconds in the database, under the identifier that its data folder holds. What is
//! marked with that identifier, runs under way and the homes of data, is its own, so two hosts must never have one: a data
//! folder that was copied has.
//!
//! A host that comes has to tell its own last life from another host that lives. Its own last life ran at the same *place*, the
//! same folder under the same kernel, where the lock of that folder lets one host in at a time: it is over, and nothing is waited
//! for. Anybody else who was heard a moment ago is waited for once: who is heard again lives, and the host that comes is refused.
//! It takes no identifier of its own accord: then it would be chance which of the two keeps the data of its workspaces.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::home::SILENCE;
use crate::args;
use crate::db::{AssertSqlSafe, Db, Error};

/// How often a host says that it is there.
pub(super) const TELL: Duration = Duration::from_secs(5);
/// How long somebody is listened for who may live: once, and what a busy database takes.
const LISTEN: Duration = Duration::from_secs(8);
/// How often.
const LOOK: Duration = Duration::from_millis(500);

/// One life of a host.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    /// Identifier of the host in the database: the same after a restart on the same data folder.
    pub(crate) host: String,
    /// Whether the data folder had that identifier before this start.
    known: bool,
    /// No other life has it.
    life: String,
    /// The kernel and the folder; none where the system does not tell.
    place: Option<String>,
    /// What the machine is called, for people.
    name: String,
    /// Process and folder, for people.
    about: String,
}

/// Whose life the one before this was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// This host's own, which is over for certain.
    Own,
    /// Perhaps that of a host which can only not be heard.
    Unheard,
}

/// What the database has of a host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    life: Option<String>,
    place: Option<String>,
    name: String,
    about: Option<String>,
    seen_at: String,
    /// 1 where it was heard a moment ago.
    heard: i64,
}

/// What a host that comes does about the one that the database has.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Over(Before),
    /// It may live: listen.
    Listen,
}

/// Judges by what is in the database.
fn judge(row: Option<&Row>, place: Option<&str>) -> Judged {
    match row {
        None => Judged::Over(Before::Own),
        Some(row) if place.is_some() && row.place.as_deref() == place => Judged::Over(Before::Own),
        Some(row) if row.heard == 0 => Judged::Over(Before::Unheard),
        Some(_) => Judged::Listen,
    }
}

impl Presence {
    /// The life that begins with this process.
    pub(crate) fn new(host: String, data: &Path) -> Presence {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = match name.trim() {
            "" => "?".to_owned(),
            name => name.to_owned(),
        };
        let about = format!("process {}, data folder {}", std::process::id(), data.display());
        Presence { host, known: false, life: crate::new_id(), place: place(data), name, about }
    }

    /// The same of an identifier that the data folder had before this start, or had not.
    pub(crate) fn known(self, known: bool) -> Presence {
        Presence { known, ..self }
    }

    /// What is to be said of a file that hosts have worked with, and never the one of this data folder, which is older than this
    /// start: somebody may have put another installation's file here. A folder that is new, or is to get another identifier, may
    /// begin with any file; and on PostgreSQL there are many hosts, and new ones.
    pub(crate) async fn newcomer(&self, db: &Db) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Last {
            id: String,
            name: String,
            about: Option<String>,
            seen_at: String,
        }
        if !self.known || db.is_postgres() {
            return Ok(None);
        }
        let sql = "SELECT id, name, about, seen_at FROM hub_hosts
            ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, seen_at DESC LIMIT 1";
        let last: Option<Last> = db.one(sql, args![&self.host]).await?;
        Ok(last.filter(|last| last.id != self.host).map(|Last { name, about, seen_at, .. }| {
            let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
            format!(
                "the host of this data folder, {}, has never worked with this database; the last one that did was another on \
                 `{name}`{about}, {seen_at}. If the file of another installation was put here by mistake, stop the host and put \
                 this one's own back",
                self.host
            )
        }))
    }

    /// Takes the identifier for this life; the inner error says who has it.
    pub(crate) async fn arrive(&self, db: &Db) -> Result<Result<Before, String>, Error> {
        loop {
            let row = self.row(db).await?;
            // A file has one host, which holds a lock on it.
            let judged = if db.is_postgres() {
                judge(row.as_ref(), self.place.as_deref())
            } else {
                Judged::Over(Before::Own)
            };
            let before = match (judged, &row) {
                (Judged::Over(before), _) => before,
                (Judged::Listen, Some(row)) => {
                    if let Some(now) = self.heard_again(db, row).await? {
                        return Ok(Err(self.sentence(&now)));
                    }
                    Before::Unheard
                }
                (Judged::Listen, None) => Before::Own,
            };
            if self.take(db, row.as_ref()).await? {
                return Ok(Ok(before));
            }
            // Somebody else came at the same moment.
        }
    }

    async fn row(&self, db: &Db) -> Result<Option<Row>, Error> {
        let sql = format!(
            "SELECT life, place, name, about, seen_at, CASE WHEN seen_at >= {} THEN 1 ELSE 0 END AS heard
             FROM hub_hosts WHERE id = $1",
            db.moment(SILENCE)
        );
        db.one(AssertSqlSafe(sql), args![&self.host]).await
    }

    /// Listens for whoever has the identifier; what is known of one that is heard.
    async fn heard_again(&self, db: &Db, before: &Row) -> Result<Option<Row>, Error> {
        tracing::info!(
            seconds = LISTEN.as_secs(),
            "a host with this one's identifier was there a moment ago, on `{}`: seeing whether it still is",
            before.name
        );
        let begun = Instant::now();
        while begun.elapsed() < LISTEN {
            tokio::time::sleep(LOOK).await;
            if let Some(now) = self.row(db).await?.filter(|now| now.seen_at != before.seen_at) {
                return Ok(Some(now));
            }
        }
        Ok(None)
    }

    /// Takes it from the life that was read, and from no other.
    async fn take(&self, db: &Db, from: Option<&Row>) -> Result<bool, Error> {
        let now = db.moment(Duration::ZERO);
        let (sql, last) = match from {
            Some(row) => (
                format!(
                    "UPDATE hub_hosts SET life = $2, place = $3, name = $4, about = $5, seen_at = {now}
                     WHERE id = $1 AND COALESCE(life, '') = $6"
                ),
                Some(row.life.clone().unwrap_or_default()),
            ),
            None => (
                format!(
                    "INSERT INTO hub_hosts (id, life, place, name, about, seen_at) VALUES ($1, $2, $3, $4, $5, {now})
                     ON CONFLICT (id) DO NOTHING"
                ),
                None,
            ),
        };
        let mut args = args![&self.host, &self.life, self.place.as_ref(), &self.name, &self.about];
        args.extend(last.map(crate::db::Value::from));
        db.execute(AssertSqlSafe(sql), args).await.map(|rows| rows > 0)
    }

    /// Says that this life is there; false where another one has the identifier. It is taken back from one that has fallen
    /// silent, and at once where this is the successor of a host that has handed over.
    pub(super) async fn tell(&self, db: &Db, succeeds: bool) -> Result<bool, Error> {
        let sql = format!(
            "INSERT INTO hub_hosts (id, life, place, name, about, seen_at) VALUES ($1, $2, $3, $4, $5, {})
             ON CONFLICT (id) DO UPDATE SET life = excluded.life, place = excluded.place, name = excluded.name,
               about = excluded.about, seen_at = excluded.seen_at
             WHERE hub_hosts.life = excluded.life OR hub_hosts.seen_at < {} OR $6",
            db.moment(Duration::ZERO),
            db.moment(SILENCE)
        );
        let args = args![&self.host, &self.life, self.place.as_ref(), &self.name, &self.about, succeeds];
        db.execute(AssertSqlSafe(sql), args).await.map(|rows| rows > 0)
    }

    fn sentence(&self, other: &Row) -> String {
        let about = other.about.as_deref().map(|about| format!(" ({about})")).unwrap_or_default();
        format!(
            "a host on `{}`{about} has the identifier of this one, {}, and says every few seconds that it is there",
            other.name, self.host
        )
    }
}

/// The kernel that runs, since it was started, and the folder.
fn place(data: &Path) -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let folder = std::fs::metadata(data).ok()?;
    Some(format!("{} {} {}", kernel.trim(), folder.dev(), folder.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: Option<&str>, heard: i64) -> Row {
        Row {
            life: None,
            place: place.map(str::to_owned),
            name: "north".to_owned(),
            about: None,
            seen_at: String::new(),
            heard,
        }
    }

    #[test]
    fn o5_a_host_tells_its_own_last_life_from_another_that_lives() {
        let judged = |row: Option<Row>, place| judge(row.as_ref(), place);
        assert_eq!(judged(None, Some("here")), Judged::Over(Before::Own));
        // Restarted at once.
        assert_eq!(judged(Some(row(Some("here"), 1)), Some("here")), Judged::Over(Before::Own));
        // A copy, a machine that was started anew, a release that did not say where it is.
        assert_eq!(judged(Some(row(Some("there"), 1)), Some("here")), Judged::Listen);
        assert_eq!(judged(Some(row(None, 1)), Some("here")), Judged::Listen);
        assert_eq!(judged(Some(row(None, 1)), None), Judged::Listen);
        assert_eq!(judged(Some(row(Some("there"), 0)), Some("here")), Judged::Over(Before::Unheard));
    }

    async fn database() -> Db {
        let db = Db::open_memory().await.unwrap();
        for sql in [
            "CREATE TABLE hub_hosts (id TEXT PRIMARY KEY, name TEXT NOT NULL, seen_at TEXT NOT NULL)",
            include_str!("../../migrations/0016_lives_of_hosts.sql"),
        ] {
            let mut tx = db.begin().await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            tx.commit().await.unwrap();
        }
        db
    }

    #[tokio::test]
    async fn o5_a_database_that_this_folders_host_never_had_is_told() {
        let db = database().await;
        let host = |id: &str, known| Presence::new(id.to_owned(), &std::env::temp_dir()).known(known);
        let told = async |id: &str, known| host(id, known).newcomer(&db).await.unwrap();
        assert_eq!(told("own", true).await, None, "nobody has worked with it");
        assert_eq!(host("other", false).arrive(&db).await.unwrap(), Ok(Before::Own));
        let text = told("own", true).await.unwrap();
        assert!(
            text.contains("own, has never worked with this database") && text.contains("data folder"),
            "{text}"
        );
        assert_eq!(told("own", false).await, None, "a folder that is new");
        assert_eq!(told("other", true).await, None);
        // From then on it has.
        assert_eq!(host("own", true).arrive(&db).await.unwrap(), Ok(Before::Own));
        assert_eq!(told("own", true).await, None);
    }

    #[tokio::test]
    async fn o5_an_identifier_is_one_lifes_at_a_time() {
        let db = database().await;
        let folder = std::env::temp_dir();
        let [first, second] = [(); 2].map(|()| Presence::new("h".to_owned(), &folder));
        assert_eq!(first.arrive(&db).await.unwrap(), Ok(Before::Own));
        assert!(first.tell(&db, false).await.unwrap());
        let read = first.row(&db).await.unwrap().unwrap();
        assert_eq!((read.heard, read.place.clone()), (1, first.place.clone()));
        // What was read is what it is taken from.
        assert!(!second.take(&db, None).await.unwrap());
        assert!(second.take(&db, Some(&read)).await.unwrap());
        assert!(!first.take(&db, Some(&read)).await.unwrap());
        assert!(!first.tell(&db, false).await.unwrap() && second.tell(&db, false).await.unwrap());
        // A successor does not ask.
        assert!(first.tell(&db, true).await.unwrap() && !second.tell(&db, false).await.unwrap());
        let old = "UPDATE hub_hosts SET seen_at = '2026-01-01T00:00:00.000Z'";
        db.execute(old, args![]).await.unwrap();
        assert_eq!(second.row(&db).await.unwrap().unwrap().heard, 0);
        assert!(second.tell(&db, false).await.unwrap());
        // A release that does not know of lives.
        db.execute("UPDATE hub_hosts SET life = NULL, place = NULL", args![]).await.unwrap();
        assert!(!second.tell(&db, false).await.unwrap());
        assert_eq!(second.arrive(&db).await.unwrap(), Ok(Before::Own));
    }
}
