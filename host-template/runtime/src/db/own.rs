//! What this transaction itself has done. On SQLite it is the only writer, so all that changes is its own. On PostgreSQL
//! others work meanwhile, hosts and dbt: they remove rows, make tables, and put a new one in the place of an old one.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Error, Tx};

/// The tables that this transaction has made, dropped, emptied, or changed the form of: for each of these a lock is needed
/// that nobody shares, and it is held until the end, whether or not the table is still there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Own {
    /// All of them.
    #[default]
    Every,
    /// Those of these numbers.
    Of(BTreeSet<i64>),
}

const EXCLUSIVE: &str = "
    SELECT DISTINCT CAST(l.relation AS BIGINT) AS oid FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.granted AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())";

impl Own {
    /// Up to this moment.
    pub(crate) async fn read(tx: &mut Tx) -> Result<Own, Error> {
        if !tx.is_postgres() {
            return Ok(Own::Every);
        }
        let oids: Vec<(i64,)> = tx.all(EXCLUSIVE, Vec::new()).await?;
        Ok(Own::Of(oids.into_iter().map(|(oid,)| oid).collect()))
    }

    /// Whether that table, by the server's number for it, is among them.
    pub(crate) fn has(&self, oid: Option<i64>) -> bool {
        match (self, oid) {
            (Own::Of(oids), Some(oid)) => oids.contains(&oid),
            _ => true,
        }
    }
}

/// A table or view of the database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// The server's number for it; SQLite has none.
    pub(crate) oid: Option<i64>,
}

const NAMED: &str = "
    SELECT CAST(t.table_name AS TEXT) AS name, CAST(c.oid AS BIGINT) AS oid FROM information_schema.tables t
    JOIN pg_namespace n ON n.nspname = t.table_schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
    WHERE t.table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";

impl Named {
    /// All of them.
    pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Named>, Error> {
        if tx.is_postgres() {
            return tx.all(NAMED, Vec::new()).await;
        }
        Ok(tx.tables().await?.into_iter().map(|name| Named { name, oid: None }).collect())
    }
}

/// The names before and after, without what others have made, dropped, or named otherwise.
pub(crate) fn names_around(own: &Own, before: &[Named], after: &[Named]) -> (Vec<String>, Vec<String>) {
    let kept = |these: &[Named], those: &[Named]| {
        let kept = these.iter().filter(|named| own.has(named.oid) || those.contains(named));
        kept.map(|named| named.name.clone()).collect()
    };
    (kept(before, after), kept(after, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s19_tables_of_others_come_and_go() {
        let tables = |all: &[(&str, i64)]| -> Vec<Named> {
            all.iter().map(|(name, oid)| Named { name: (*name).to_owned(), oid: Some(*oid) }).collect()
        };
        let before = tables(&[("a", 1), ("b", 2), ("model", 3), ("old", 4)]);
        // `a` was given another name here; the others are dbt's.
        let after = tables(&[("c", 1), ("b", 2), ("model__backup", 3), ("model", 5), ("mine", 6)]);
        let names = |own: &Own| names_around(own, &before, &after);
        let own = Own::Of(BTreeSet::from([1, 6]));
        let want =
            (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned(), "b".to_owned(), "mine".to_owned()]);
        assert_eq!(names(&own), want);
        assert_eq!(names(&Own::Every).1.len(), 5);
    }
}
