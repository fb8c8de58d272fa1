//! SQLite: opening the file, binding values, fetching rows.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, SqlitePool};

use super::engine::engine;
use super::file::{OpenFile, Strayed, only_reads};
use super::log::{self, log_of};
use super::{Db, Error, Row};
use crate::settings::reason;

/// How long a statement that only reads waits for a connection where no other one may be opened.
const FREE: Duration = Duration::from_secs(2);

/// A pool of connections to one file, or to a database in memory.
#[derive(Debug, Clone)]
pub struct Open {
    pub(super) pool: SqlitePool,
    /// The file, where a host works with it for long.
    file: Option<Arc<OpenFile>>,
}

/// A transaction of it.
pub struct Transaction {
    pub(super) tx: sqlx::Transaction<'static, Sqlite>,
    open: Open,
}

impl Db {
    /// Opens the file, making it where it is missing.
    pub(crate) async fn open_sqlite(file: &Path) -> Result<Db, Error> {
        log::check(file)?;
        // A write-ahead log lets readers read while one writes; with it, `NORMAL` loses no committed transaction when
        // the process dies, and at most the last ones when the machine does.
        let options = options()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let known: Arc<OnceLock<Arc<OpenFile>>> = Arc::default();
        let first = known.clone();
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            // A connection to a file does not age. Where the last one were closed meanwhile, the next would make another log than
            // the one that was noted.
            .idle_timeout(None)
            .max_lifetime(None)
            // A file does not go away like a network peer: asking before each use would only cost.
            .test_before_acquire(false)
            // One that was opened while somebody put another file there leads to that one.
            .after_connect(move |_, _| {
                let strayed = known.get().is_some_and(|file| file.strayed().is_some());
                Box::pin(async move {
                    match strayed {
                        true => {
                            Err(sqlx::Error::Configuration("another file was opened by this name".into()))
                        }
                        false => Ok(()),
                    }
                })
            })
            .connect_with(options.clone().create_if_missing(true))
            .await?;
        // The first look into the file makes its log.
        sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").execute(&pool).await?;
        if let Err(error) = log::note(file) {
            tracing::warn!(
                error = reason(&error),
                "which log belongs to {} cannot be noted: one that a kill leaves is not told from another file's",
                file.display()
            );
        }
        let file = Arc::new(OpenFile::of(file).map_err(sqlx::Error::Io)?);
        first.get_or_init(|| file.clone());
        // Where the file is gone, a later connection makes no other one in its place.
        pool.set_connect_options(options);
        Ok(Db::Sqlite(Open { pool, file: Some(file) }))
    }

    /// Sees that no log lies where a file is to be made: SQLite would remove it.
    pub(crate) fn leaves_no_log(file: &Path) -> Result<(), Error> {
        log::check(file)
    }

    /// Opens a copy that is thrown away: nothing of it has to outlast a crash.
    pub(crate) async fn open_copy(file: &Path) -> Result<Db, Error> {
        let options = options().filename(file);
        one(options.journal_mode(SqliteJournalMode::Memory).synchronous(SqliteSynchronous::Off)).await
    }

    /// A database of its own that lives in memory and goes with the pool.
    pub(crate) async fn open_memory() -> Result<Db, Error> {
        let pool = SqlitePoolOptions::new()
            // Every further connection would have another, empty database.
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options().in_memory(true))
            .await?;
        Ok(Db::Sqlite(Open { pool, file: None }))
    }
}

/// A pool of one connection, which is opened once.
pub(super) async fn one(options: SqliteConnectOptions) -> Result<Db, Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    Ok(Db::Sqlite(Open { pool, file: None }))
}

impl Open {
    /// A connection for one statement. What may change something is refused where the file's name leads elsewhere; what only
    /// reads is answered by a connection that is open, for another one would lead there too.
    pub(super) async fn connection(&self, sql: &str) -> Result<PoolConnection<Sqlite>, Error> {
        if !only_reads(sql) {
            self.has_its_name()?;
            return Ok(self.pool.acquire().await?);
        }
        // The usual case asks the system for nothing.
        if let Some(connection) = self.pool.try_acquire() {
            return Ok(connection);
        }
        match self.has_its_name() {
            Ok(()) => Ok(self.pool.acquire().await?),
            Err(error) => self.open_already().await.ok_or(error),
        }
    }

    /// A connection that is open already, once one is free; none where that takes too long.
    async fn open_already(&self) -> Option<PoolConnection<Sqlite>> {
        let begun = Instant::now();
        loop {
            if let Some(connection) = self.pool.try_acquire() {
                return Some(connection);
            }
            if begun.elapsed() >= FREE {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What came of a statement: a change that went into a file without its name was none.
    pub(super) fn told<T>(&self, sql: &str, done: Result<T, Error>) -> Result<T, Error> {
        let done = done?;
        if !only_reads(sql) {
            self.has_kept_its_name()?;
        }
        Ok(done)
    }

    /// Begins as a writer.
    pub(super) async fn begin(&self) -> Result<Transaction, Error> {
        self.has_its_name()?;
        Ok(Transaction { tx: self.pool.begin_with("BEGIN IMMEDIATE").await?, open: self.clone() })
    }

    /// Begins as a reader, who waits for no writer and lets none wait.
    pub(super) async fn begin_to_read(&self) -> Result<Transaction, Error> {
        let tx = match self.pool.try_begin().await? {
            Some(tx) => tx,
            // Another connection is opened by the file's name.
            None => {
                self.has_its_name()?;
                self.pool.begin().await?
            }
        };
        Ok(Transaction { tx, open: self.clone() })
    }

    /// One more connection to the same file, on which references are not looked at.
    pub(super) async fn unreferenced(&self) -> Result<Db, Error> {
        self.has_its_name()?;
        let options = (*self.pool.connect_options()).clone().foreign_keys(false);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(Db::Sqlite(Open { pool, file: self.file.clone() }))
    }

    /// Why the file takes no changes, in words that hold no place of this machine.
    pub(super) fn unwritable(&self) -> Option<&'static str> {
        match self.strayed() {
            Some((_, Strayed::Gone)) => Some(GONE),
            Some((_, Strayed::Replaced)) => Some("another file was put in the place of the database's"),
            None => unwritable(self.pool.connect_options().get_filename()),
        }
    }

    /// Waits for the connections to be given back, then closes them.
    pub(super) async fn close(&self) {
        if let Some(file) = &self.file
            && file.strayed().is_some()
        {
            self.settle(file).await;
        }
        // Whoever closes the file last moves the log into it. Of two that close it at once SQLite may take neither for the last one.
        let last = match &self.file {
            Some(_) => self.open_already().await.map(PoolConnection::detach),
            None => None,
        };
        self.pool.close().await;
        if let Some(last) = last
            && let Err(error) = last.close().await
        {
            tracing::warn!(error = Error::from(error).to_string(), "the database was not closed in order");
        }
    }

    /// Where changes lie that are not in the file, after it was not closed.
    pub(super) fn unclosed(&self) -> Option<String> {
        let file = self.pool.connect_options().get_filename().to_path_buf();
        let log = log_of(&file.canonicalize().unwrap_or(file));
        let holds = std::fs::metadata(&log).is_ok_and(|about| about.len() > 0);
        holds.then(|| {
            format!(
                "changes may be in its log {} alone until a host has been started again; until then whoever copies or moves the \
                 file takes the log along",
                log.display()
            )
        })
    }

    fn has_its_name(&self) -> Result<(), Error> {
        match self.strayed() {
            Some((file, strayed)) => Err(file.error(strayed)),
            None => Ok(()),
        }
    }

    /// The same after a change.
    fn has_kept_its_name(&self) -> Result<(), Error> {
        let strayed = self.file.as_ref().filter(|file| file.strayed().is_some());
        if let Some(file) = strayed {
            file.unsettle();
            return self.has_its_name();
        }
        Ok(())
    }

    /// Where the file's name leads instead; sees to what the file has lost with it.
    fn strayed(&self) -> Option<(&OpenFile, Strayed)> {
        let file = self.file.as_ref()?;
        let strayed = file.strayed()?;
        if file.is_unsettled() {
            // Nobody's answer waits for it: it may have to wait for others who read.
            let (open, file) = (self.clone(), file.clone());
            tokio::spawn(async move { open.settle(&file).await });
        }
        Some((&**file, strayed))
    }

    /// Puts what the write-ahead log holds into a file that has lost its name. SQLite does not, not even when it closes the
    /// file, and leaves the log under the old name: it would be applied to whichever file lies there at the next start.
    async fn settle(&self, file: &OpenFile) {
        let Some(settling) = file.settle().await else { return };
        let done = match self.open_already().await {
            // A new one would lead elsewhere.
            None => Err("no connection that is open becomes free".to_owned()),
            Some(mut connection) => {
                let asked = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
                match asked.fetch_one(&mut *connection).await {
                    Ok((0, ..)) => Ok(()),
                    Ok(_) => Err("another connection reads or writes".to_owned()),
                    Err(error) => Err(Error::from(error).to_string()),
                }
            }
        };
        settling.end(done);
    }
}

impl Transaction {
    /// Makes all of it last, in the file that others find by its name.
    pub(super) async fn commit(self) -> Result<(), Error> {
        self.open.has_its_name()?;
        self.tx.commit().await?;
        self.open.has_kept_its_name()
    }
}

const GONE: &str = "the database's file is gone";

/// Why a file takes no changes, where that can be seen from outside: connections that are open read on for a while.
pub(super) fn unwritable(file: &Path) -> Option<&'static str> {
    if file == Path::new(MEMORY) {
        return None;
    }
    let cannot = Some("the database's file, or its folder, cannot be written");
    // Of a link neither folder nor rights count. What it leads to has a folder.
    let whole = match file.canonicalize() {
        Ok(whole) => whole,
        Err(e) if e.kind() == ErrorKind::NotFound => return Some(GONE),
        Err(_) => return cannot,
    };
    let folder = whole.parent().unwrap_or(&whole);
    match access(&whole, Access::WRITE_OK).and_then(|()| access(folder, Access::WRITE_OK | Access::EXEC_OK)) {
        Ok(()) => None,
        Err(Errno::NOENT) => Some(GONE),
        Err(_) => cannot,
    }
}

/// What the driver calls a database without a file.
const MEMORY: &str = ":memory:";

pub(super) fn options() -> SqliteConnectOptions {
    // With recursive triggers, `INSERT OR REPLACE` fires the triggers of what it deletes: the audit log's are not passed by.
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("recursive_triggers", "ON")
}

engine!(Sqlite, SqliteArguments, None::<i64>, Row::Sqlite);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_that_is_gone_takes_no_changes() {
        assert_eq!(unwritable(options().in_memory(true).get_filename()), None);
        let folder = Scratch::new("unwritable");
        let file = folder.join("hub.db");
        let told = || unwritable(&file);
        assert_eq!(told(), Some("the database's file is gone"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(told(), None);
        // Root writes to whatever lies on a disk that is written to.
        if !rustix::process::geteuid().is_root() {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
            assert_eq!(told(), Some("the database's file, or its folder, cannot be written"));
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(told(), Some("the database's file is gone"));
    }

    /// A statement and a transaction, before and after the file is moved; what is read is read on.
    #[tokio::test]
    async fn nothing_is_written_into_a_file_that_has_lost_its_name() {
        let folder = Scratch::new("strayed");
        let (file, aside) = (folder.join("hub.db"), folder.join("aside.db"));
        let db = Db::open_sqlite(&file).await.unwrap();
        db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
        let begun = {
            let mut tx = db.begin().await.unwrap();
            tx.execute("INSERT INTO t VALUES (1)", Vec::new()).await.unwrap();
            tx
        };
        std::fs::rename(&file, &aside).unwrap();
        let is_strayed = |error: &Error| matches!(error, Error::Strayed(_));
        assert!(begun.commit().await.is_err_and(|e| is_strayed(&e)), "what was begun before");
        let count = async || db.value::<i64>("SELECT count(*) FROM t", Vec::new()).await;
        let refused = async || {
            assert!(db.execute("INSERT INTO t VALUES (2)", Vec::new()).await.is_err_and(|e| is_strayed(&e)));
            let returned = db.value::<i64>("INSERT INTO t VALUES (3) RETURNING id", Vec::new()).await;
            assert!(returned.is_err_and(|e| is_strayed(&e)));
            assert!(db.begin().await.err().is_some_and(|e| is_strayed(&e)));
            assert_eq!(count().await.unwrap(), 0);
        };
        refused().await;
        assert!(!file.exists(), "no other file is made in its place");
        let Db::Sqlite(open) = &db else { unreachable!() };
        assert_eq!(open.unwritable(), Some(GONE));
        std::fs::copy(&aside, &file).unwrap();
        refused().await;
        assert!(open.unwritable().is_some_and(|why| why.contains("another file")));
        std::fs::rename(&aside, &file).unwrap();
        db.execute("INSERT INTO t VALUES (4)", Vec::new()).await.unwrap();
        assert_eq!((count().await.unwrap(), open.unwritable()), (1, None));
        db.close().await;
    }

    #[tokio::test]
    async fn the_log_that_was_noted_is_there_as_long_as_the_host() {
        let folder = Scratch::new("ages");
        let db = Db::open_sqlite(&folder.join("hub.db")).await.unwrap();
        let Db::Sqlite(open) = &db else { unreachable!() };
        let options = open.pool.options();
        assert_eq!((options.get_idle_timeout(), options.get_max_lifetime()), (None, None));
        db.close().await;
    }

    /// However many have been at work.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_file_that_is_closed_has_no_log() {
        let folder = Scratch::new("closed");
        let file = folder.join("hub.db");
        for _ in 0..20 {
            let db = Db::open_sqlite(&file).await.unwrap();
            db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER)", Vec::new()).await.unwrap();
            let at_once = (0..8).map(|id| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.execute("INSERT INTO t VALUES ($1)", crate::args![id]).await.unwrap();
                })
            });
            for done in at_once.collect::<Vec<_>>() {
                done.await.unwrap();
            }
            db.close().await;
            assert!(!log_of(&file).exists());
        }
    }

    async fn rows(file: &Path) -> i64 {
        let db = Db::open_unchanged(file).await.unwrap();
        let rows = db.value("SELECT count(*) FROM t", Vec::new()).await.unwrap();
        db.close().await;
        rows
    }

    /// Otherwise the log, which keeps its name, would be applied to the next file of that name.
    #[tokio::test]
    async fn what_was_written_before_is_in_the_file_that_has_lost_its_name() {
        let folder = Scratch::new("settled");
        let (file, aside, other) = (folder.join("hub.db"), folder.join("aside.db"), folder.join("other.db"));
        let log = folder.join("hub.db-wal");
        let length = || std::fs::metadata(&log).map_or(0, |about| about.len());
        for noticed in [true, false] {
            std::fs::create_dir_all(&folder).unwrap();
            let db = Db::open_sqlite(&other).await.unwrap();
            db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
            db.execute("INSERT INTO t VALUES (7), (8), (9)", Vec::new()).await.unwrap();
            db.close().await;
            let db = Db::open_sqlite(&file).await.unwrap();
            db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
            db.execute("INSERT INTO t VALUES (1)", Vec::new()).await.unwrap();
            assert!(length() > 0, "it is in the log alone");
            std::fs::rename(&file, &aside).unwrap();
            std::fs::rename(&other, &file).unwrap();
            if noticed {
                // While it runs, and without anybody who waits for it.
                assert!(db.begin().await.is_err());
                for _ in 0..1000 {
                    if length() == 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert_eq!(length(), 0);
            }
            db.close().await;
            assert_eq!(length(), 0, "noticed before it was closed: {noticed}");
            assert_eq!((rows(&aside).await, rows(&file).await), (1, 3), "{noticed}");
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }

    /// What counts is the folder that the file lies in, for SQLite makes its log there.
    #[tokio::test]
    async fn a_link_is_judged_by_what_it_leads_to() {
        let folder = Scratch::new("linked");
        let (real, links) = (folder.join("real"), folder.join("links"));
        for folder in [&real, &links] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let (file, link) = (real.join("data.db"), links.join("hub.db"));
        std::os::unix::fs::symlink("../real/data.db", &link).unwrap();
        assert_eq!(unwritable(&link), Some(GONE));
        let db = Db::open_sqlite(&file).await.unwrap();
        db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
        db.close().await;
        assert_eq!(unwritable(&link), None);
        // Root writes everywhere.
        if !rustix::process::geteuid().is_root() {
            let mode = |folder: &Path, mode| {
                std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            };
            mode(&links, 0o555);
            assert_eq!(unwritable(&link), None, "nothing is made beside the link");
            mode(&links, 0o755);
            mode(&real, 0o555);
            assert!(unwritable(&link).is_some());
            let db = Db::open_to_read(&link).await.unwrap();
            assert_eq!(db.value::<i64>("SELECT count(*) FROM t", Vec::new()).await.unwrap(), 0);
            db.close().await;
            mode(&real, 0o755);
        }
    }

    /// Nobody has to wait for a database to be closed; whoever copies the file has to know of its log then.
    #[tokio::test]
    async fn a_database_that_was_not_closed_names_its_log() {
        let folder = Scratch::new("unclosed");
        let file = folder.join("hub.db");
        let db = Db::open_sqlite(&file).await.unwrap();
        db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
        let told = db.unclosed().unwrap();
        assert!(told.contains(&log_of(&file.canonicalize().unwrap()).display().to_string()), "{told}");
        db.close().await;
        assert_eq!(db.unclosed(), None);
    }
}
