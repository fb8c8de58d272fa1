//! What a database holds, counted: rows of each table, and values of each of its columns. Counted before and after a
//! migration it tells what the migration has removed, whatever its SQL looks like ([`super::loss`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::budget::Budget;
use super::digest::{self, Digest};
use super::error::Kind;
use super::own::Own;
use super::{AssertSqlSafe, Error, Tx};

/// Bytes that are read in a second at the least, as far as it is decided before whether a table can be counted in time.
const PACE: i64 = 50 << 20;
/// Bytes, and rows, whose values are read and hashed in a second at the most: what would take too long even so is not begun.
const QUICK: i64 = 500 << 20;
const QUICK_ROWS: i64 = 2_000_000;

/// All tables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(super) tables: BTreeMap<String, Table>,
    /// Whose form the transaction had changed by then.
    pub(super) own: Own,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// None where they were not counted.
    pub(super) rows: Option<i64>,
    /// Values that hold anything: neither NULL nor an empty text. None where they were not counted.
    pub(super) columns: BTreeMap<String, Option<i64>>,
    /// How much is in them, as far as that was measured.
    pub(super) sizes: BTreeMap<String, Size>,
    /// What is in them, as far as there was time to read it.
    pub(super) digests: BTreeMap<String, Digest>,
    /// Whether it was asked for that.
    pub(super) is_own: bool,
    /// What PostgreSQL says of it; SQLite keeps no such numbers.
    pub(super) mark: Option<Mark>,
}

/// How much a column holds, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Of its texts: a number that becomes smaller has lost nothing.
    pub(super) texts: i64,
    /// Of all its values, as texts: one that has become a number still holds what it did.
    pub(super) all: i64,
}

/// What PostgreSQL says of a table, and what the transaction has done to it by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The same whatever it is called.
    pub(super) oid: i64,
    /// Another one once it was rewritten, or emptied as a whole.
    pub(super) file: i64,
    /// Whether the transaction holds it in a way that lets nobody else write to it.
    pub(super) alone: bool,
    pub(super) bytes: i64,
    /// Rows that the server believes in; none where it has never looked.
    pub(super) believed: Option<i64>,
    /// None on a server that does not count (`track_counts`).
    pub(super) deeds: Option<Deeds>,
}

/// Rows that the transaction has written. What a savepoint took back is among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deeds {
    pub(super) inserted: i64,
    pub(super) updated: i64,
    pub(super) deleted: i64,
}

#[derive(Deserialize)]
struct Listed {
    /// As it is told.
    name: String,
    /// As it is written in SQL.
    quoted: String,
    column: Option<String>,
    // Of PostgreSQL alone.
    /// Whether the column's type has texts, or bytes, of some length.
    sized: Option<bool>,
    /// Whether it is bytes.
    is_bytes: Option<bool>,
    oid: Option<i64>,
    file: Option<i64>,
    alone: Option<bool>,
    bytes: Option<i64>,
    believed: Option<i64>,
    inserted: Option<i64>,
    updated: Option<i64>,
    deleted: Option<i64>,
}

impl Listed {
    fn mark(&self) -> Option<Mark> {
        let deeds = match (self.inserted, self.updated, self.deleted) {
            (Some(inserted), Some(updated), Some(deleted)) => Some(Deeds { inserted, updated, deleted }),
            _ => None,
        };
        let (oid, file, alone, bytes) = (self.oid?, self.file?, self.alone?, self.bytes?);
        Some(Mark { oid, file, alone, bytes, believed: self.believed, deeds })
    }
}

const SQLITE: &str = "
    SELECT m.name AS name, '\"' || replace(m.name, '\"', '\"\"') || '\"' AS quoted, c.name AS column
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON c.hidden = 0
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";

// The types are bytea, text, char and varchar, and what is made of them. A table that has partitions holds nothing itself: they
// are listed. In none of the modes of `alone` can another transaction
// write.
const POSTGRES: &str = "
    SELECT CASE WHEN n.nspname = current_schema() THEN CAST(t.relname AS TEXT)
                ELSE CONCAT(n.nspname, '.', t.relname) END AS name,
           CONCAT(quote_ident(n.nspname), '.', quote_ident(t.relname)) AS quoted,
           CAST(a.attname AS TEXT) AS column,
           COALESCE(NULLIF(y.typbasetype, 0), y.oid) IN (17, 25, 1042, 1043) AS sized,
           COALESCE(NULLIF(y.typbasetype, 0), y.oid) = 17 AS is_bytes,
           CAST(t.oid AS BIGINT) AS oid,
           COALESCE(CAST(pg_relation_filenode(t.oid) AS BIGINT), 0) AS file,
           COALESCE(pg_relation_size(t.oid), 0) AS bytes,
           l.relation IS NOT NULL AS alone,
           CASE WHEN t.reltuples >= 0 THEN CAST(t.reltuples AS BIGINT) END AS believed,
           CASE WHEN s.counts THEN pg_stat_get_xact_tuples_inserted(t.oid) END AS inserted,
           CASE WHEN s.counts THEN pg_stat_get_xact_tuples_updated(t.oid) END AS updated,
           CASE WHEN s.counts THEN pg_stat_get_xact_tuples_deleted(t.oid) END AS deleted
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    CROSS JOIN (SELECT current_setting('track_counts') = 'on' AS counts) s
    LEFT JOIN (SELECT DISTINCT relation FROM pg_locks
               WHERE locktype = 'relation' AND pid = pg_backend_pid() AND granted
                 AND database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                 AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) l
      ON l.relation = t.oid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_type y ON y.oid = a.atttypid
    WHERE t.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%' AND has_schema_privilege(n.oid, 'USAGE')
      AND has_table_privilege(t.oid, 'SELECT')
    ORDER BY 1, a.attnum";

/// For so many milliseconds a table that somebody else holds is waited for: shorter than PostgreSQL takes to look for two
/// that wait for each other, so that nobody else's work is ended for the sake of a number.
const LOCK: u64 = 200;

impl Census {
    /// Counts as the transaction sees it, within about the time that there is. With an earlier one, what the transaction has not
    /// touched since has the numbers of then, and what there is nothing to be held against is not looked at again. The values
    /// themselves are read of tables whose names begin with `prefix`, in what is left of the time: what is counted goes first.
    pub(crate) async fn take(
        tx: &mut Tx,
        budget: &mut Budget,
        earlier: Option<&Census>,
        prefix: &str,
    ) -> Result<Census, Error> {
        let (began, time) = (Instant::now(), budget.counting());
        let mut to_read: Vec<ToRead> = Vec::new();
        let mut census = Census { tables: BTreeMap::new(), own: Own::read(tx).await? };
        let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
        let listed: Vec<Listed> = tx.all(AssertSqlSafe(sql), Vec::new()).await?;
        for columns in listed.chunk_by(|one, next| one.name == next.name) {
            let Some(first) = columns.first() else { continue };
            let sized = |listed: &Listed| listed.sized.unwrap_or(!tx.is_postgres());
            let names: Vec<(String, bool)> =
                columns.iter().filter_map(|listed| Some((listed.column.clone()?, sized(listed)))).collect();
            let mut table = Table {
                rows: None,
                columns: names.iter().map(|(name, _)| (name.clone(), None)).collect(),
                sizes: BTreeMap::new(),
                digests: BTreeMap::new(),
                is_own: first.name.starts_with(prefix),
                mark: first.mark(),
            };
            let in_time = time.checked_sub(began.elapsed()).is_some_and(|left| table.fits(left));
            let known = earlier.map(|earlier| earlier.same(&first.name, &table));
            match known {
                Some(Some(known)) if !known.touched(&table, &census.own).any() => {
                    (table.rows, table.columns) = (known.rows, known.columns.clone());
                    (table.sizes, table.digests) = (known.sizes.clone(), known.digests.clone());
                }
                // Somebody else has made it since.
                Some(None) if !census.own.has(table.oid()) => {}
                // It took too long before. On PostgreSQL it can be that somebody held it.
                Some(Some(known)) if known.rows.is_none() && !tx.is_postgres() => {}
                _ if in_time => {
                    if let Some(numbers) = count_aside(tx, &first.quoted, &names).await? {
                        (table.rows, table.columns) = (Some(numbers.rows), numbers.columns);
                        table.sizes = numbers.sizes;
                        let in_vain = known.flatten().is_some_and(|known| known.digests.is_empty());
                        let read = !in_vain && !budget.has_forgone(&first.name);
                        if read && table.is_own && !names.is_empty() && names.len() <= MEASURED {
                            to_read.push(ToRead::of(columns, first, numbers.rows, &table.sizes));
                        }
                    }
                }
                _ => {}
            }
            census.tables.insert(first.name.clone(), table);
        }
        // A large one takes no time from the others.
        to_read.sort_by_key(|one| (one.takes, one.rows));
        let (reading, share) = (Instant::now(), budget.share(time.saturating_sub(began.elapsed())));
        for one in to_read {
            let Some(table) = census.tables.get_mut(&one.name) else { continue };
            let left = share.checked_sub(reading.elapsed());
            let digests = match left.filter(|left| !left.is_zero() && table.fits(*left) && one.takes <= *left)
            {
                Some(left) => digest::take(tx, &one.quoted, &one.columns, left, LOCK).await?,
                None => None,
            };
            match digests {
                Some(digests) => table.digests = digests,
                None => budget.forgo(one.name),
            }
        }
        budget.spend(reading.elapsed());
        Ok(census)
    }

    /// The same table as that of another census, whatever it was called there.
    pub(super) fn same(&self, name: &str, other: &Table) -> Option<&Table> {
        match other.oid() {
            None => self.tables.get(name),
            oid => self.tables.values().find(|table| table.oid() == oid),
        }
    }
}

impl Table {
    pub(super) fn oid(&self) -> Option<i64> {
        self.mark.as_ref().map(|mark| mark.oid)
    }

    /// Whether it can be read in so much time, as far as that is known before.
    fn fits(&self, left: Duration) -> bool {
        let bytes = self.mark.as_ref().map_or(0, |mark| mark.bytes);
        u64::try_from(bytes / PACE).unwrap_or(0) <= left.as_secs()
    }
}

/// A table whose values are to be read.
struct ToRead {
    name: String,
    quoted: String,
    /// With whether they are bytes.
    columns: Vec<(String, bool)>,
    rows: i64,
    /// At the least.
    takes: Duration,
}

impl ToRead {
    fn of(columns: &[Listed], first: &Listed, rows: i64, sizes: &BTreeMap<String, Size>) -> ToRead {
        let longest = rows.saturating_mul(i64::try_from(digest::LONGEST).unwrap_or(i64::MAX));
        let bytes = sizes.values().fold(0_i64, |sum, size| sum.saturating_add(size.all.min(longest)));
        let millis = bytes.saturating_mul(1000) / QUICK + rows.saturating_mul(1000) / QUICK_ROWS;
        let named = |listed: &Listed| Some((listed.column.clone()?, listed.is_bytes.unwrap_or(false)));
        ToRead {
            name: first.name.clone(),
            quoted: first.quoted.clone(),
            columns: columns.iter().filter_map(named).collect(),
            rows,
            takes: Duration::from_millis(u64::try_from(millis).unwrap_or(0)),
        }
    }
}

/// What was counted of a table.
struct Numbers {
    rows: i64,
    columns: BTreeMap<String, Option<i64>>,
    sizes: BTreeMap<String, Size>,
}

/// Of more columns than these only values are counted: a statement has room for so many results.
const MEASURED: usize = 500;

/// Counts, and holds nothing afterwards that others would wait for. None where somebody else holds the table, or has taken it
/// away since it was listed.
async fn count_aside(tx: &mut Tx, quoted: &str, names: &[(String, bool)]) -> Result<Option<Numbers>, Error> {
    if !tx.is_postgres() {
        return count(tx, quoted, names).await.map(Some);
    }
    tx.script(format!("SAVEPOINT census; SET LOCAL lock_timeout = {LOCK}")).await?;
    let counted = count(tx, quoted, names).await;
    tx.script("ROLLBACK TO SAVEPOINT census; RELEASE SAVEPOINT census".to_owned()).await?;
    match counted {
        Ok(numbers) => Ok(Some(numbers)),
        Err(error) if error.kind() == Kind::Busy || error.is_undefined() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts the values of these columns; of those that have a length it is looked at, which reads no long value.
async fn count(tx: &mut Tx, quoted: &str, names: &[(String, bool)]) -> Result<Numbers, Error> {
    let postgres = tx.is_postgres();
    let mut sql = "SELECT count(*) AS n".to_owned();
    for (at, (name, sized)) in names.iter().enumerate() {
        let column = format!("\"{}\"", name.replace('"', "\"\""));
        if !sized {
            sql.push_str(&format!(", count({column}) AS c{at}"));
            continue;
        }
        sql.push_str(&format!(", count(NULLIF(octet_length({column}), 0)) AS c{at}"));
        if names.len() > MEASURED {
            continue;
        }
        let all = format!("octet_length({column})");
        let texts = match postgres {
            true => all.clone(),
            false => format!("CASE WHEN typeof({column}) IN ('text', 'blob') THEN {all} END"),
        };
        sql.push_str(&format!(", COALESCE(sum({texts}), 0) AS t{at}, COALESCE(sum({all}), 0) AS a{at}"));
    }
    sql.push_str(&format!(" FROM {quoted}"));
    let counted: Option<BTreeMap<String, i64>> = tx.one(AssertSqlSafe(sql), Vec::new()).await?;
    let counted = counted.unwrap_or_default();
    let number = |key: &str| counted.get(key).copied();
    let size = |at: usize| Some(Size { texts: number(&format!("t{at}"))?, all: number(&format!("a{at}"))? });
    let each = || names.iter().enumerate().map(|(at, (name, _))| (at, name.clone()));
    Ok(Numbers {
        rows: number("n").unwrap_or(0),
        columns: each().map(|(at, name)| (name, number(&format!("c{at}")))).collect(),
        sizes: each().filter_map(|(at, name)| Some((name, size(at)?))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    const TIME: Duration = Duration::from_secs(9);

    fn in_no_time() -> Budget {
        let mut budget = Budget::of(TIME);
        budget.spend(TIME);
        budget
    }

    #[tokio::test]
    async fn d2_values_that_did_not_fit_are_not_read_again_in_the_run() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.script("CREATE TABLE a (x TEXT); INSERT INTO a VALUES ('x')".to_owned()).await.unwrap();
        let mut budget = in_no_time();
        let before = Census::take(&mut tx, &mut budget, None, "").await.unwrap();
        assert!(before.tables["a"].rows == Some(1) && before.tables["a"].digests.is_empty());
        // Whatever time there is for the next migration.
        budget.begin(1);
        let later = Census::take(&mut tx, &mut budget, None, "").await.unwrap();
        assert!(later.tables["a"].digests.is_empty());
        // In another run it is read, unless there is nothing to hold it against.
        for (earlier, read) in [(None, true), (Some(&before), false)] {
            let census = Census::take(&mut tx, &mut Budget::of(TIME), earlier, "").await.unwrap();
            assert_eq!(!census.tables["a"].digests.is_empty(), read);
        }
    }

    #[tokio::test]
    async fn d2_what_was_not_counted_before_is_not_counted_after() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.script("CREATE TABLE a (x TEXT)".to_owned()).await.unwrap();
        let before = Census::take(&mut tx, &mut Budget::of(Duration::ZERO), None, "").await.unwrap();
        tx.script("CREATE TABLE b (x TEXT)".to_owned()).await.unwrap();
        let after = Census::take(&mut tx, &mut Budget::of(TIME), Some(&before), "").await.unwrap();
        assert_eq!((after.tables["a"].rows, after.tables["b"].rows), (None, Some(0)));
    }

    #[test]
    fn d2_what_takes_too_long_in_any_case_is_known_before() {
        let column = Listed {
            name: "a".to_owned(),
            quoted: "\"a\"".to_owned(),
            column: Some("x".to_owned()),
            sized: None,
            is_bytes: None,
            oid: None,
            file: None,
            alone: None,
            bytes: None,
            believed: None,
            inserted: None,
            updated: None,
            deleted: None,
        };
        let takes = |rows: i64, all: i64| {
            let sizes = BTreeMap::from([("x".to_owned(), Size { texts: all, all })]);
            ToRead::of(std::slice::from_ref(&column), &column, rows, &sizes).takes
        };
        assert_eq!(takes(10_000_000, 0), Duration::from_secs(5));
        assert_eq!(takes(1_000_000, 10 * QUICK), Duration::from_millis(10_500));
        // Of a long value its beginning is read.
        assert_eq!(takes(1, 10 * QUICK), Duration::ZERO);
        assert!(takes(i64::MAX, i64::MAX) > Duration::from_secs(1 << 30));
    }
}
