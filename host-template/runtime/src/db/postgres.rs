//! PostgreSQL: opening the pool, binding values, fetching rows.

use std::str::FromStr;
use std::time::Duration;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgPoolOptions, PgTypeInfo};
use sqlx::{ConnectOptions, Encode, Postgres, Type};

use super::engine::engine;
use super::{Db, Error, Row};

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

engine!(Postgres, PgArguments, Null, Row::Postgres);
