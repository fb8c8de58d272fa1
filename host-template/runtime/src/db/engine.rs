//! What both engines do alike: binding values and fetching rows. The drivers' types differ, the steps do not. A statement is
//! `kept`, prepared for the next time on the same connection, except where the connection is only lent.

/// Writes `rows`, `row` and `execute` for a driver: its database, its arguments, what it binds for NULL, and the variant
/// of [`Row`](super::Row) that its rows become.
macro_rules! engine {
    ($database:ty, $arguments:ty, $null:expr, $row:path) => {
        fn bind(
            sql: sqlx::SqlStr,
            args: Vec<super::Value>,
            kept: bool,
        ) -> Result<sqlx::query::Query<'static, $database, $arguments>, super::Error> {
            use super::Value;
            super::no_nul(&args)?;
            Ok(args.into_iter().fold(sqlx::query(sql).persistent(kept), |query, value| match value {
                Value::Null => query.bind($null),
                Value::Bool(v) => query.bind(v),
                Value::Int(v) => query.bind(v),
                Value::Float(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Bytes(v) => query.bind(v),
            }))
        }

        /// All rows.
        pub(super) async fn rows<'c>(
            connection: impl sqlx::Executor<'c, Database = $database>,
            sql: sqlx::SqlStr,
            args: Vec<super::Value>,
            kept: bool,
        ) -> Result<Vec<super::Row>, super::Error> {
            let rows = bind(sql, args, kept)?.fetch_all(connection).await?;
            Ok(rows.into_iter().map($row).collect())
        }

        /// The first row; what would follow is not fetched.
        pub(super) async fn row<'c>(
            connection: impl sqlx::Executor<'c, Database = $database>,
            sql: sqlx::SqlStr,
            args: Vec<super::Value>,
            kept: bool,
        ) -> Result<Option<super::Row>, super::Error> {
            Ok(bind(sql, args, kept)?.fetch_optional(connection).await?.map($row))
        }

        /// The number of rows changed.
        pub(super) async fn execute<'c>(
            connection: impl sqlx::Executor<'c, Database = $database>,
            sql: sqlx::SqlStr,
            args: Vec<super::Value>,
            kept: bool,
        ) -> Result<u64, super::Error> {
            Ok(bind(sql, args, kept)?.execute(connection).await?.rows_affected())
        }
    };
}

pub(super) use engine;
