//! SQLite: opening the file, binding values, fetching rows.

use std::path::Path;
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Executor, SqlStr, Sqlite};

use super::{Db, Error, Row, Value, no_nul};

impl Db {
    /// Opens the file, making it where it is missing.
    pub(crate) async fn open_sqlite(file: &Path) -> Result<Db, Error> {
        // A write-ahead log lets readers read while one writes; with it, `NORMAL` loses no committed transaction when
        // the process dies, and at most the last ones when the machine does.
        let options = options()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            // A file does not go away like a network peer: asking before each use would only cost.
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Db::Sqlite(pool))
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
        Ok(Db::Sqlite(pool))
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new().foreign_keys(true).busy_timeout(Duration::from_secs(5))
}

fn bind(sql: SqlStr, args: Vec<Value>) -> Result<Query<'static, Sqlite, SqliteArguments>, Error> {
    no_nul(&args)?;
    Ok(args.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Null => query.bind(None::<i64>),
        Value::Bool(v) => query.bind(v),
        Value::Int(v) => query.bind(v),
        Value::Float(v) => query.bind(v),
        Value::Text(v) => query.bind(v),
        Value::Bytes(v) => query.bind(v),
    }))
}

pub(super) async fn rows<'c>(
    connection: impl Executor<'c, Database = Sqlite>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let rows = bind(sql, args)?.fetch_all(connection).await?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

/// The first row; what would follow is not fetched.
pub(super) async fn row<'c>(
    connection: impl Executor<'c, Database = Sqlite>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<Option<Row>, Error> {
    Ok(bind(sql, args)?.fetch_optional(connection).await?.map(Row::Sqlite))
}

pub(super) async fn execute<'c>(
    connection: impl Executor<'c, Database = Sqlite>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<u64, Error> {
    Ok(bind(sql, args)?.execute(connection).await?.rows_affected())
}
