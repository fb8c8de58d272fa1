//! PostgreSQL: opening the pool, binding values, fetching rows.

use std::str::FromStr;
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgPoolOptions, PgTypeInfo};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Encode, Executor, Postgres, SqlStr, Type};

use super::{Db, Error, Row, Value, no_nul};

/// Connections a host holds at most. Several replicas share the server's own limit, which is 100 unless raised.
const CONNECTIONS: u32 = 16;

impl Db {
    /// Opens a pool to the server that the address names.
    pub(crate) async fn open_postgres(url: &str) -> Result<Db, Error> {
        let options =
            PgConnectOptions::from_str(url)?.application_name("hub-platform").disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            // A server that is gone is told to callers soon; they may come again.
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        Ok(Db::Postgres(pool))
    }
}

/// A NULL of whatever type the server finds fitting.
struct Null;

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        // Type 0 leaves it to the server to infer the parameter's type.
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(&self, _to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn bind(sql: SqlStr, args: Vec<Value>) -> Result<Query<'static, Postgres, PgArguments>, Error> {
    no_nul(&args)?;
    Ok(args.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Null => query.bind(Null),
        Value::Bool(v) => query.bind(v),
        Value::Int(v) => query.bind(v),
        Value::Float(v) => query.bind(v),
        Value::Text(v) => query.bind(v),
        Value::Bytes(v) => query.bind(v),
    }))
}

pub(super) async fn rows<'c>(
    connection: impl Executor<'c, Database = Postgres>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    let rows = bind(sql, args)?.fetch_all(connection).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// The first row; what would follow is not fetched.
pub(super) async fn row<'c>(
    connection: impl Executor<'c, Database = Postgres>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<Option<Row>, Error> {
    Ok(bind(sql, args)?.fetch_optional(connection).await?.map(Row::Postgres))
}

pub(super) async fn execute<'c>(
    connection: impl Executor<'c, Database = Postgres>,
    sql: SqlStr,
    args: Vec<Value>,
) -> Result<u64, Error> {
    Ok(bind(sql, args)?.execute(connection).await?.rows_affected())
}
