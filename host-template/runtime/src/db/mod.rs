//! The database as plugins see it: SQL text with `$1`, values in, structs out, whatever the engine behind.
//!
//! An engine is a variant of [`Db`]; nothing of its driver shows in a plugin's code, so that a plugin written today
//! runs unchanged on an engine added later. Rows are read through serde: a struct that derives `Deserialize` is
//! filled by column name.

mod broken;
pub(crate) mod budget;
mod census;
mod columns;
pub(crate) mod copy;
mod digest;
mod effects;
mod engine;
mod error;
mod file;
mod foreign;
mod listen;
mod log;
mod look;
pub(crate) mod loss;
pub mod migrate;
mod own;
mod parameters;
mod parts;
mod patience;
mod postgres;
pub(crate) mod rights;
mod row;
pub(crate) mod schema;
mod shape;
mod sqlite;
pub(crate) mod standing;

use std::sync::OnceLock;
use std::time::Duration;

pub use error::Error;
use hub_manifest::limits::{Limit, Limits};
use serde::de::DeserializeOwned;
pub use sqlx::{AssertSqlSafe, SqlSafeStr};

pub(crate) use listen::Listener;
pub(crate) use postgres::unguarded;
use row::Row;
use sqlx::SqlStr;

/// A pool of connections to the host's database. Cloning it is cheap.
#[derive(Clone)]
#[non_exhaustive]
pub enum Db {
    /// One file on this machine.
    Sqlite(sqlite::Open),
    /// A server, which several hosts may share.
    Postgres(sqlx::PgPool),
    /// The same behind a pooler that lends a connection for one transaction: nothing of a session lasts, and each
    /// statement is a transaction.
    Pooled(sqlx::PgPool),
}

/// A transaction; what was done is undone unless [`Tx::commit`] is reached.
#[non_exhaustive]
pub enum Tx {
    /// On SQLite, begun as a writer, unless it only reads.
    Sqlite(sqlite::Transaction),
    /// On PostgreSQL, at the server's usual isolation, read committed, unless it only reads.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    /// The same on a connection that a pooler lends: no statement is kept for the next one.
    Pooled(sqlx::Transaction<'static, sqlx::Postgres>),
}

/// Why a database takes no changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwritable {
    /// In words that hold no place of this machine: for whoever asks.
    pub(crate) told: String,
    /// With what there is to mend: for the operator.
    pub(crate) log: String,
}

impl Unwritable {
    fn plain(why: &str) -> Unwritable {
        Unwritable { told: why.to_owned(), log: why.to_owned() }
    }
}

/// The lock that a host holds on PostgreSQL while it runs migrations; any number that nobody else takes.
const MIGRATOR: i64 = 0x0068_7562_6d69_6772;

/// The channel on which hosts hear on PostgreSQL that something has changed.
pub(crate) const CHANNEL: &str = "hub_changed";

/// A value bound to `$1`, `$2` …; [`args!`](crate::args) makes them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text; times are kept as RFC 3339 in UTC, identifiers as text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The same on both engines, so that what one keeps the other does too.
fn no_nul(args: &[Value]) -> Result<(), Error> {
    let nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    if args.iter().any(nul) { Err(Error::Nul) } else { Ok(()) }
}

/// Values for `$1`, `$2` …: `args![id, title, beds]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::db::Value::from($value)),*]
    };
}

macro_rules! value_from {
    ($($from:ty => |$it:ident| $to:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from($it: $from) -> Value {
                $to
            }
        })*
    };
}

value_from! {
    bool => |v| Value::Bool(v),
    i32 => |v| Value::Int(v.into()),
    u32 => |v| Value::Int(v.into()),
    i64 => |v| Value::Int(v),
    u64 => |v| Value::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    f64 => |v| Value::Float(v),
    &str => |v| Value::Text(v.to_owned()),
    &String => |v| Value::Text(v.clone()),
    String => |v| Value::Text(v),
    Vec<u8> => |v| Value::Bytes(v),
    serde_json::Value => |v| Value::Text(v.to_string()),
    &serde_json::Map<String, serde_json::Value> => |v| Value::Text(serde_json::to_string(v).unwrap_or_default()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! queries {
    ($ty:ty, $me:ident, $($receiver:tt)+) => {
        impl $ty {
            /// All rows, each read into a `T`.
            pub async fn all<T: DeserializeOwned>(
                $($receiver)+,
                sql: impl SqlSafeStr,
                args: Vec<Value>,
            ) -> Result<Vec<T>, Error> {
                let rows = $me.rows(sql.into_sql_str(), args).await?;
                rows.iter().map(Row::read).collect()
            }

            /// The first row, where there is one.
            pub async fn one<T: DeserializeOwned>(
                $($receiver)+,
                sql: impl SqlSafeStr,
                args: Vec<Value>,
            ) -> Result<Option<T>, Error> {
                let row = $me.row(sql.into_sql_str(), args).await?;
                row.as_ref().map(Row::read).transpose()
            }

            /// The first column of the first row; an error where there is no row.
            pub async fn value<T: DeserializeOwned>(
                $($receiver)+,
                sql: impl SqlSafeStr,
                args: Vec<Value>,
            ) -> Result<T, Error> {
                match $me.row(sql.into_sql_str(), args).await? {
                    Some(row) => row.read_first(),
                    None => Err(Error::Sql(sqlx::Error::RowNotFound)),
                }
            }
        }
    };
}

queries!(Db, self, &self);
queries!(Tx, self, &mut self);

/// What holds statements back, in milliseconds; and for how long rows are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    statement: u64,
    lock: u64,
    migration: u64,
    migration_lock: u64,
    pub(crate) census: Duration,
}

static PATIENCE: OnceLock<Patience> = OnceLock::new();

impl Patience {
    fn of(limits: &Limits) -> Patience {
        let millis = |limit| u64::try_from(limits.time(limit).as_millis()).unwrap_or(u64::MAX);
        Patience {
            statement: millis(Limit::DatabaseStatement),
            lock: millis(Limit::DatabaseLock),
            migration: millis(Limit::MigrationSeconds),
            migration_lock: millis(Limit::MigrationLock),
            census: limits.time(Limit::CensusSeconds),
        }
    }

    /// A process works with one database, by the limits with which it opened it first.
    pub(crate) fn set(limits: &Limits) {
        PATIENCE.get_or_init(|| Patience::of(limits));
    }

    pub(crate) fn get() -> Patience {
        *PATIENCE.get_or_init(|| Patience::of(&Limits::default()))
    }
}

/// How a transaction begins on PostgreSQL, and how one does that only reads: all of it sees what the first statement saw.
const BEGIN: &str = "BEGIN";
const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How a transaction begins on a connection that a pooler lends: its limits go with it.
fn begin_lent(begin: &str) -> String {
    let Patience { statement, lock, .. } = Patience::get();
    format!("{begin}; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {lock}")
}

/// A database as migrations need it: on SQLite nothing follows from a reference there. Otherwise dropping a table, which is
/// how one is rebuilt, would delete the rows that refer to it.
pub(crate) struct Unreferenced {
    pub(crate) db: Db,
    /// Whether it is the one connection that others use afterwards.
    shared: bool,
}

impl Unreferenced {
    /// As it was before.
    pub(crate) async fn end(self) -> Result<(), Error> {
        match (&self.db, self.shared) {
            (_, true) => self.db.execute("PRAGMA foreign_keys = ON", Vec::new()).await.map(drop),
            (Db::Sqlite(open), false) => {
                open.pool.close().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// One statement outside of a transaction, whatever the engine.
macro_rules! alone {
    ($db:expr, $sql:expr, $args:expr, $does:ident) => {
        match $db {
            Db::Sqlite(open) => {
                let mut connection = open.connection($sql.as_str()).await?;
                let done = sqlite::$does(&mut *connection, $sql.clone(), $args, true).await;
                open.told($sql.as_str(), done)
            }
            Db::Postgres(pool) => {
                let mut connection = postgres::told(&pool.connect_options(), pool.acquire().await).await?;
                patience::ask($sql.as_str())?;
                let done = postgres::$does(&mut *connection, $sql.clone(), $args, true).await;
                patience::tell($sql.as_str(), done)
            }
            Db::Pooled(pool) => {
                let mut tx = postgres::lent(pool, BEGIN).await?;
                patience::ask($sql.as_str())?;
                let done = postgres::$does(&mut *tx, $sql.clone(), $args, false).await;
                let done = patience::tell($sql.as_str(), done)?;
                tx.commit().await?;
                Ok(done)
            }
        }
    };
}

/// One statement of a transaction.
macro_rules! within {
    ($tx:expr, $sql:expr, $args:expr, $does:ident) => {
        match $tx {
            Tx::Sqlite(open) => sqlite::$does(&mut *open.tx, $sql, $args, true).await,
            Tx::Postgres(tx) => {
                patience::ask($sql.as_str())?;
                let done = postgres::$does(&mut **tx, $sql.clone(), $args, true).await;
                patience::tell($sql.as_str(), done)
            }
            Tx::Pooled(tx) => {
                patience::ask($sql.as_str())?;
                let done = postgres::$does(&mut **tx, $sql.clone(), $args, false).await;
                patience::tell($sql.as_str(), done)
            }
        }
    };
}

impl Db {
    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        let sql = sql.into_sql_str();
        alone!(self, sql, args, execute)
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, Error> {
        match self {
            Db::Sqlite(open) => Ok(Tx::Sqlite(open.begin().await?)),
            Db::Postgres(pool) => {
                Ok(Tx::Postgres(postgres::told(&pool.connect_options(), pool.begin().await).await?))
            }
            Db::Pooled(pool) => Ok(Tx::Pooled(postgres::lent(pool, BEGIN).await?)),
        }
    }

    /// Begins a transaction that only reads: all its statements see one state, and on SQLite no writer waits for it.
    pub(crate) async fn begin_to_read(&self) -> Result<Tx, Error> {
        match self {
            Db::Sqlite(open) => Ok(Tx::Sqlite(open.begin_to_read().await?)),
            Db::Postgres(pool) => {
                let begun = pool.begin_with(BEGIN_TO_READ).await;
                Ok(Tx::Postgres(postgres::told(&pool.connect_options(), begun).await?))
            }
            Db::Pooled(pool) => Ok(Tx::Pooled(postgres::lent(pool, BEGIN_TO_READ).await?)),
        }
    }

    async fn rows(&self, sql: SqlStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        alone!(self, sql, args, rows)
    }

    async fn row(&self, sql: SqlStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        alone!(self, sql, args, row)
    }

    /// A connection for migrations. [`Unreferenced::end`] has to be reached.
    pub(crate) async fn for_migrations(&self) -> Result<Unreferenced, Error> {
        let Db::Sqlite(open) = self else { return Ok(Unreferenced { db: self.clone(), shared: false }) };
        // The setting has no effect within a transaction, and must not stay on a connection of the pool.
        if open.pool.options().get_max_connections() == 1 {
            self.execute("PRAGMA foreign_keys = OFF", Vec::new()).await?;
            return Ok(Unreferenced { db: self.clone(), shared: true });
        }
        Ok(Unreferenced { db: open.unreferenced().await?, shared: false })
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        !matches!(self, Db::Sqlite(_))
    }

    /// SQL for a moment so long ago by the database's own clock, as times are kept: those of several hosts are not the same.
    pub(crate) fn moment(&self, ago: Duration) -> String {
        let seconds = ago.as_secs();
        match self {
            Db::Sqlite(_) => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{seconds} seconds')"),
            Db::Postgres(_) | Db::Pooled(_) => format!(
                "to_char((now() - INTERVAL '{seconds} seconds') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
            ),
        }
    }

    /// Asks the database whether it answers and takes changes; gives why it takes none. Nothing is written, and no lock is waited
    /// for.
    pub(crate) async fn unwritable(&self) -> Result<Option<Unwritable>, Error> {
        if let Db::Sqlite(open) = self {
            // Looked at first: a file that is gone gives no new connection.
            if let Some(why) = open.unwritable() {
                return Ok(Some(Unwritable::plain(why)));
            }
        }
        // Before a table is read: without the right to do so that would be no more than an error.
        let lacking = rights::Lacking::find(self).await?;
        if lacking.any() {
            let log = format!("{}: {}", lacking.detail(), lacking.help());
            return Ok(Some(Unwritable { told: lacking.told(), log }));
        }
        if let Db::Sqlite(_) = self {
            let _: i64 = self.value("SELECT count(*) FROM hub_orgs WHERE id = ''", Vec::new()).await?;
            return Ok(None);
        }
        let sql =
            "SELECT CAST(CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
                                    THEN 1 ELSE 0 END AS BIGINT)
                   FROM (SELECT count(*) FROM hub_orgs WHERE id = '') AS asked";
        let read_only: i64 = self.value(sql, Vec::new()).await?;
        if read_only == 0 {
            return Ok(None);
        }
        // Connections of now lead to this server: the next ones may reach one that takes changes.
        postgres::now_read_only();
        Ok(Some(Unwritable::plain(
            "the database takes no changes: its server is a standby, or set to read-only",
        )))
    }

    /// How many connections are open, and how many of them nobody uses.
    pub(crate) fn connections(&self) -> (usize, usize) {
        match self {
            Db::Sqlite(open) => (open.pool.size() as usize, open.pool.num_idle()),
            Db::Postgres(pool) | Db::Pooled(pool) => (pool.size() as usize, pool.num_idle()),
        }
    }

    /// Waits for the connections to be given back, then closes them. On SQLite the last one puts what the log holds into the file;
    /// whoever does not wait for that loses nothing, for the log stays.
    pub(crate) async fn close(&self) {
        match self {
            Db::Sqlite(open) => open.close().await,
            Db::Postgres(pool) | Db::Pooled(pool) => pool.close().await,
        }
    }

    /// What has to be known of a database that nobody has waited for to be closed: on a server nothing.
    pub(crate) fn unclosed(&self) -> Option<String> {
        match self {
            Db::Sqlite(open) => open.unclosed(),
            Db::Postgres(_) | Db::Pooled(_) => None,
        }
    }
}

impl Tx {
    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        let sql = sql.into_sql_str();
        within!(self, sql, args, execute)
    }

    /// Makes all of it last.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Tx::Sqlite(open) => open.commit().await,
            Tx::Postgres(tx) | Tx::Pooled(tx) => Ok(tx.commit().await?),
        }
    }

    /// Undoes all of it.
    pub(crate) async fn rollback(self) -> Result<(), Error> {
        match self {
            Tx::Sqlite(open) => Ok(open.tx.rollback().await?),
            Tx::Postgres(tx) | Tx::Pooled(tx) => Ok(tx.rollback().await?),
        }
    }

    /// Runs several statements, separated by `;`.
    pub(crate) async fn script(&mut self, sql: String) -> Result<(), Error> {
        match self {
            Tx::Sqlite(open) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *open.tx).await?;
            }
            Tx::Postgres(tx) | Tx::Pooled(tx) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Waits until no other host on the same database runs migrations; holds them off until the end.
    pub(crate) async fn one_migrator(&mut self) -> Result<(), Error> {
        // On SQLite the transaction has begun as the file's only writer.
        if self.is_postgres() {
            let Patience { migration, migration_lock, .. } = Patience::get();
            self.script(format!(
                "SET LOCAL statement_timeout = {migration}; SET LOCAL lock_timeout = {migration};
                 SELECT pg_advisory_xact_lock({MIGRATOR}); SET LOCAL lock_timeout = {migration_lock}"
            ))
            .await?;
        }
        Ok(())
    }

    /// Tells all hosts on the same database that what they keep in memory has changed, once this is committed.
    pub(crate) async fn announce(&mut self) -> Result<(), Error> {
        self.execute("UPDATE hub_state SET value = value + 1 WHERE name = 'generation'", Vec::new()).await?;
        if self.is_postgres() {
            self.execute("SELECT pg_notify($1, '')", vec![Value::from(CHANNEL)]).await?;
        }
        Ok(())
    }

    /// Has all hosts on the same database look for their customers' plugins anew, once this is committed.
    pub(crate) async fn announce_plugins(&mut self) -> Result<(), Error> {
        self.execute(
            "INSERT INTO hub_state (name, value) VALUES ('plugins', 1)
             ON CONFLICT (name) DO UPDATE SET value = hub_state.value + 1",
            Vec::new(),
        )
        .await?;
        self.announce().await
    }

    /// The names of all tables.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Table {
            name: String,
        }
        let sql = match self {
            Tx::Sqlite(_) => hub_manifest::migrations::SQLITE_TABLES,
            Tx::Postgres(_) | Tx::Pooled(_) => hub_manifest::migrations::POSTGRES_TABLES,
        };
        let tables = self.all::<Table>(sql, Vec::new()).await?;
        Ok(tables.into_iter().map(|table| table.name).collect())
    }

    async fn rows(&mut self, sql: SqlStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        within!(self, sql, args, rows)
    }

    async fn row(&mut self, sql: SqlStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        within!(self, sql, args, row)
    }

    /// Whether it is PostgreSQL's.
    pub(crate) fn is_postgres(&self) -> bool {
        !matches!(self, Tx::Sqlite(_))
    }
}

/// JSON kept in a text column, for `#[serde(with = "hub::db::json")]` on a field that is read from a row.
pub mod json {
    use serde::de::{DeserializeOwned, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Reads the column's text as JSON.
    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: DeserializeOwned,
    {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }

    /// Writes the value as it is: the answer carries JSON, not text that holds JSON.
    pub fn serialize<S: Serializer, T: Serialize>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}
