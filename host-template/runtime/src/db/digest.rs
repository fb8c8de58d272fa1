//! What the columns of a table hold, as two numbers each that do not depend on the order of rows: values that were changed for
//! others of the same length are seen by them, and so is that many different ones have become few.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sqlx::Row as _;

use super::error::Kind;
use super::{AssertSqlSafe, Error, Tx};

/// Of a longer value its beginning is read: so many bytes, or characters of what PostgreSQL does not keep as bytes.
pub(super) const LONGEST: usize = 65_536;
/// After so many rows it is asked whether there is time left.
const STEP: usize = 1024;
/// So many different values are many, and one of so many is few.
const MANY: u32 = 8;

/// What a column holds: its values as texts, those that hold anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    /// The sum of their hashes.
    sum: i64,
    /// For each of them one of the bits, by its hash.
    spread: i64,
}

impl Digest {
    fn add(&mut self, value: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(value);
        let hash = hasher.finish();
        self.sum = self.sum.wrapping_add(i64::from_ne_bytes(hash.to_ne_bytes()));
        self.spread |= 1_i64 << (hash & 63);
    }

    /// How many different values there are at the least, as far as 64 bits tell.
    pub(super) fn different(self) -> u32 {
        self.spread.count_ones()
    }

    /// Whether values that were here are not there any more, as far as the bits of others do not hide it.
    pub(super) fn has_lost(self, after: Digest) -> bool {
        self.spread & !after.spread != 0
    }

    /// Whether many different values have become few.
    pub(super) fn has_collapsed(self, after: Digest) -> bool {
        self.different() >= MANY && after.different() * MANY <= self.different()
    }
}

/// Of each of these columns, with whether PostgreSQL keeps bytes in it, as the transaction sees them. None where that takes longer
/// than there is time, somebody else holds the table for more than `lock` milliseconds, or PostgreSQL cannot do it.
pub(super) async fn take(
    tx: &mut Tx,
    quoted: &str,
    columns: &[(String, bool)],
    time: Duration,
    lock: u64,
) -> Result<Option<BTreeMap<String, Digest>>, Error> {
    let digests = match tx {
        Tx::Sqlite(open) => streamed(&mut open.tx, sqlite(quoted, columns), columns.len(), time).await?,
        Tx::Postgres(_) | Tx::Pooled(_) => {
            asked(tx, postgres(quoted, columns), columns.len(), time, lock).await?
        }
    };
    Ok(digests.map(|digests| columns.iter().map(|(column, _)| column.clone()).zip(digests).collect()))
}

fn column(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQLite has no hashes: the rows are read, one after the other.
fn sqlite(quoted: &str, columns: &[(String, bool)]) -> String {
    let value = |(name, _): &(String, bool)| format!("substr(CAST({} AS BLOB), 1, {LONGEST})", column(name));
    let values: Vec<String> = columns.iter().map(value).collect();
    format!("SELECT {} FROM {quoted}", values.join(", "))
}

async fn streamed(
    connection: &mut sqlx::sqlite::SqliteConnection,
    sql: String,
    columns: usize,
    time: Duration,
) -> Result<Option<Vec<Digest>>, Error> {
    let began = Instant::now();
    let mut digests = vec![Digest::default(); columns];
    let mut rows = sqlx::query::<sqlx::Sqlite>(AssertSqlSafe(sql)).persistent(false).fetch(connection);
    let mut read = 0_usize;
    while let Some(row) = rows.next().await {
        let row = row?;
        for (at, digest) in digests.iter_mut().enumerate() {
            let value: Option<&[u8]> = row.try_get(at)?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                digest.add(value);
            }
        }
        read += 1;
        if read.is_multiple_of(STEP) && began.elapsed() > time {
            return Ok(None);
        }
    }
    Ok(Some(digests))
}

/// The server computes it. `OFFSET 0` keeps it from hashing each value twice; the sum is taken within what a number has room for.
/// Bytes are cut before they become a text: that of a long value would be too long for the server, and an empty one's is not empty.
fn postgres(quoted: &str, columns: &[(String, bool)]) -> String {
    let hash = |(at, (name, bytes)): (usize, &(String, bool))| {
        let column = column(name);
        let text = match *bytes {
            true => {
                format!("CAST(NULLIF(substring({column} FROM 1 FOR {LONGEST}), '') AS TEXT) COLLATE \"C\"")
            }
            false => format!("NULLIF(left(CAST({column} AS TEXT) COLLATE \"C\", {LONGEST}), '')"),
        };
        format!("hashtextextended({text}, 0) AS h{at}")
    };
    let numbers = |at: usize| {
        format!(
            "COALESCE(CAST(mod(sum(h{at}), 9223372036854775807) AS BIGINT), 0) AS s{at}, \
             COALESCE(bit_or(CAST(1 AS BIGINT) << CAST(h{at} & 63 AS INTEGER)), 0) AS b{at}"
        )
    };
    let hashes: Vec<String> = columns.iter().enumerate().map(hash).collect();
    let numbers: Vec<String> = (0..columns.len()).map(numbers).collect();
    format!("SELECT {} FROM (SELECT {} FROM {quoted} OFFSET 0) x", numbers.join(", "), hashes.join(", "))
}

/// Asks a server, behind a savepoint that takes back what others would wait for.
async fn asked(
    tx: &mut Tx,
    sql: String,
    columns: usize,
    time: Duration,
    lock: u64,
) -> Result<Option<Vec<Digest>>, Error> {
    // 0 would be without end.
    let most = time.as_millis().clamp(1, 3_600_000);
    tx.script(format!(
        "SAVEPOINT digest; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {most}"
    ))
    .await?;
    let found: Result<Option<BTreeMap<String, i64>>, Error> = tx.one(AssertSqlSafe(sql), Vec::new()).await;
    tx.script("ROLLBACK TO SAVEPOINT digest; RELEASE SAVEPOINT digest".to_owned()).await?;
    let found = match found {
        Ok(found) => found.unwrap_or_default(),
        // Only a number is missing, whatever the server says: that the values were not read is told.
        Err(error) if error.kind() == Kind::Busy || matches!(error, Error::Sql(sqlx::Error::Database(_))) => {
            tracing::info!("the values of a table could not be read around a migration: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let number = |key: String| found.get(&key).copied();
    Ok((0..columns)
        .map(|at| Some(Digest { sum: number(format!("s{at}"))?, spread: number(format!("b{at}"))? }))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    const TIME: Duration = Duration::from_secs(9);

    async fn of(tx: &mut Tx, time: Duration) -> Option<Digest> {
        let digests = take(tx, "\"t\"", &[("x".to_owned(), false)], time, 200).await.unwrap();
        digests.and_then(|digests| digests.get("x").copied())
    }

    #[tokio::test]
    async fn d2_a_digest_is_of_the_values_and_not_of_their_order_or_type() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let mut digests = Vec::new();
        for values in [
            "('a'), (NULL), ('10'), ('10')",
            "('10'), ('a'), (''), ('10')",
            "(10), (x'61'), ('10')",
            "('a'), ('10')",
            "('b'), ('10'), ('10')",
        ] {
            tx.script(format!("DROP TABLE IF EXISTS t; CREATE TABLE t (x); INSERT INTO t VALUES {values}"))
                .await
                .unwrap();
            digests.push(of(&mut tx, TIME).await.unwrap());
        }
        assert_eq!((digests[0], digests[0]), (digests[1], digests[2]));
        assert!(digests[0] != digests[3] && digests[0] != digests[4]);
        assert_eq!(digests[0].different(), 2);
    }

    #[tokio::test]
    async fn d2_a_digest_ends_with_its_time() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)";
        tx.script(format!("CREATE TABLE t (x); INSERT INTO t {rows} SELECT n FROM n")).await.unwrap();
        assert_eq!(of(&mut tx, Duration::ZERO).await, None);
        // The transaction goes on.
        assert!(of(&mut tx, TIME).await.is_some_and(|digest| digest.different() == 64));
    }

    #[test]
    fn d2_bytes_are_cut_before_they_become_a_text() {
        let sql = postgres("t", &[("x".to_owned(), false), ("b".to_owned(), true)]);
        assert!(sql.contains("left(CAST(\"x\" AS TEXT)"), "{sql}");
        assert!(sql.contains("CAST(NULLIF(substring(\"b\" FROM 1 FOR 65536), '') AS TEXT)"), "{sql}");
    }

    #[test]
    fn d2_a_value_that_is_gone_has_left_its_bit() {
        let of = |values: &[&str]| {
            let mut digest = Digest::default();
            values.iter().for_each(|value| digest.add(value.as_bytes()));
            digest
        };
        assert!(of(&["o1", "o1"]).has_lost(of(&["other", "other", "other"])));
        assert!(of(&["o1", "zz"]).has_lost(of(&["o1", "other", "o1"])));
        assert!(!of(&["o1"]).has_lost(of(&["o1", "other"])) && !of(&[]).has_lost(of(&["o1"])));
    }

    #[test]
    fn d2_only_many_that_became_few_have_collapsed() {
        let of = |values: u32| {
            let mut digest = Digest::default();
            for value in 0..values {
                digest.add(&value.to_be_bytes());
            }
            digest
        };
        assert!(of(200).has_collapsed(of(1)) && of(200).has_collapsed(of(2)));
        assert!(
            !of(200).has_collapsed(of(100)) && !of(5).has_collapsed(of(1)) && !of(1).has_collapsed(of(200))
        );
    }
}
