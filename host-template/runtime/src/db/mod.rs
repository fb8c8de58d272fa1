//! The database as plugins see it: SQL text with `$1`, values in, structs out, whatever the engine behind.
//!
//! An engine is a variant of [`Db`]; nothing of its driver shows in a plugin's code, so that a plugin written today
//! runs unchanged on an engine added later. Rows are read through serde: a struct that derives `Deserialize` is
//! filled by column name.

mod engine;
mod listen;
pub mod migrate;
mod postgres;
mod row;
pub(crate) mod schema;
mod sqlite;

use std::fmt;

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
pub use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::problem::Problem;
pub(crate) use listen::Listener;
use row::Row;
use sqlx::SqlStr;

/// A pool of connections to the host's database. Cloning it is cheap.
#[derive(Clone)]
#[non_exhaustive]
pub enum Db {
    /// One file on this machine.
    Sqlite(sqlx::SqlitePool),
    /// A server, which several hosts may share.
    Postgres(sqlx::PgPool),
}

/// A transaction; what was done is undone unless [`Tx::commit`] is reached.
#[non_exhaustive]
pub enum Tx {
    /// On SQLite, begun as a writer.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    /// On PostgreSQL, at the server's usual isolation: read committed.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
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

/// What the database could not do.
#[derive(Debug)]
pub enum Error {
    /// The driver's word.
    Sql(sqlx::Error),
    /// A row does not fit the struct it is read into.
    Row(String),
    /// A text holds the character NUL, which PostgreSQL does not keep.
    Nul,
}

impl Error {
    /// Whether a row of the same unique value is there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Error::Sql(sqlx::Error::Database(e)) if e.is_unique_violation())
    }
}

impl Error {
    /// Whether the database cannot be had at all just now; the same statement may work later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Error::Row(_) | Error::Nul => false,
            Error::Sql(sqlx::Error::Database(e)) => {
                // The server says that it shuts down, starts up, or has no connection left; the file is locked or full.
                let code = e.code().unwrap_or_default();
                matches!(
                    code.as_ref(),
                    "57P01" | "57P02" | "57P03" | "53300" | "08006" | "08003" | "08001" | "5" | "10" | "13"
                )
            }
            Error::Sql(e) => matches!(
                e,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
                    | sqlx::Error::Protocol(_)
            ),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Sql(sqlx::Error::Database(e)) => f.write_str(e.message()),
            Error::Sql(e) => e.fmt(f),
            Error::Row(text) => f.write_str(text),
            Error::Nul => f.write_str("a text holds the character NUL"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        Error::Sql(error)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        if let Error::Nul = error {
            return Problem::invalid_field("text", "must not hold the character NUL");
        }
        if error.is_unavailable() {
            tracing::error!(%error, "the database cannot be reached");
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                .code("database-unavailable")
                .retry_after(5)
                .detail("The platform cannot reach its database just now. Try again in a moment.");
        }
        Problem::internal(format_args!("database: {error}"))
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

impl Db {
    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        match self {
            Db::Sqlite(pool) => sqlite::execute(pool, sql.into_sql_str(), args).await,
            Db::Postgres(pool) => postgres::execute(pool, sql.into_sql_str(), args).await,
        }
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, Error> {
        match self {
            Db::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Db::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    async fn rows(&self, sql: SqlStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Db::Sqlite(pool) => sqlite::rows(pool, sql, args).await,
            Db::Postgres(pool) => postgres::rows(pool, sql, args).await,
        }
    }

    async fn row(&self, sql: SqlStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        match self {
            Db::Sqlite(pool) => sqlite::row(pool, sql, args).await,
            Db::Postgres(pool) => postgres::row(pool, sql, args).await,
        }
    }

    /// Waits for the connections to be given back, then closes them.
    pub(crate) async fn close(&self) {
        match self {
            Db::Sqlite(pool) => pool.close().await,
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Runs a statement; gives the number of rows that it changed.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, args: Vec<Value>) -> Result<u64, Error> {
        match self {
            Tx::Sqlite(tx) => sqlite::execute(&mut **tx, sql.into_sql_str(), args).await,
            Tx::Postgres(tx) => postgres::execute(&mut **tx, sql.into_sql_str(), args).await,
        }
    }

    /// Makes all of it last.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Tx::Sqlite(tx) => Ok(tx.commit().await?),
            Tx::Postgres(tx) => Ok(tx.commit().await?),
        }
    }

    /// Undoes all of it.
    pub(crate) async fn rollback(self) -> Result<(), Error> {
        match self {
            Tx::Sqlite(tx) => Ok(tx.rollback().await?),
            Tx::Postgres(tx) => Ok(tx.rollback().await?),
        }
    }

    /// Runs several statements, separated by `;`.
    pub(crate) async fn script(&mut self, sql: String) -> Result<(), Error> {
        match self {
            Tx::Sqlite(tx) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
            Tx::Postgres(tx) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Waits until no other host on the same database runs migrations; holds them off until the end.
    pub(crate) async fn one_migrator(&mut self) -> Result<(), Error> {
        match self {
            // The transaction has begun as the file's only writer.
            Tx::Sqlite(_) => {}
            Tx::Postgres(_) => {
                self.execute("SELECT pg_advisory_xact_lock($1)", vec![Value::Int(MIGRATOR)]).await?;
            }
        }
        Ok(())
    }

    /// Tells all hosts on the same database that what they keep in memory has changed, once this is committed.
    pub(crate) async fn announce(&mut self) -> Result<(), Error> {
        self.execute("UPDATE hub_state SET value = value + 1 WHERE name = 'generation'", Vec::new()).await?;
        if let Tx::Postgres(_) = self {
            self.execute("SELECT pg_notify($1, '')", vec![Value::from(CHANNEL)]).await?;
        }
        Ok(())
    }

    /// The names of all tables.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Table {
            name: String,
        }
        let sql = match self {
            Tx::Sqlite(_) => hub_manifest::migrations::SQLITE_TABLES,
            Tx::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
                 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
            }
        };
        let tables = self.all::<Table>(sql, Vec::new()).await?;
        Ok(tables.into_iter().map(|table| table.name).collect())
    }

    async fn rows(&mut self, sql: SqlStr, args: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self {
            Tx::Sqlite(tx) => sqlite::rows(&mut **tx, sql, args).await,
            Tx::Postgres(tx) => postgres::rows(&mut **tx, sql, args).await,
        }
    }

    async fn row(&mut self, sql: SqlStr, args: Vec<Value>) -> Result<Option<Row>, Error> {
        match self {
            Tx::Sqlite(tx) => sqlite::row(&mut **tx, sql, args).await,
            Tx::Postgres(tx) => postgres::row(&mut **tx, sql, args).await,
        }
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
