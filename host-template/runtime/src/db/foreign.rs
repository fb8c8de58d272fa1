//! What a plugin's migration does to rows of tables that are not the plugin's. It may add some; it changes and removes none,
//! whatever becomes of their number. PostgreSQL counts what a transaction does to each table ([`super::census`]). SQLite does
//! not: there triggers of this connection alone watch, for as long as the migration runs.

use serde::Deserialize;

use super::census::Census;
use super::{AssertSqlSafe, Error, Tx};

/// None on PostgreSQL.
#[derive(Debug, Default)]
pub(super) struct Watch(Option<Watched>);

/// What is watched on SQLite.
#[derive(Debug)]
struct Watched {
    /// What the table of what was seen, and the triggers that write to it, are called. No migration knows it: what is watched
    /// lives on the same connection, and could wipe what was seen of it.
    name: String,
    /// How many tables.
    tables: usize,
}

/// What was seen of one of them.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    name: String,
    /// Rows that came.
    inserted: i64,
    /// Whether any was changed or removed.
    changed: bool,
    /// Whether it is still the table that was watched.
    there: bool,
}

/// Tables that hold rows themselves: a virtual one has none, and no trigger either.
const TABLES: &str = "
    SELECT '\"' || replace(name, '\"', '\"\"') || '\"' AS quoted, quote(name) AS text FROM sqlite_master
    WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
      AND substr(name, 1, length($1)) <> $1
    ORDER BY name";

/// What fires each of a table's triggers, and what that sets.
const TRIGGERS: [(&str, &str); 3] =
    [("insert", "inserted = inserted + 1"), ("update", "changed = 1"), ("delete", "changed = 1")];

impl Watched {
    /// A row for each table. Rows that `INSERT OR REPLACE` puts others in the place of fire no trigger: they are found by counting.
    fn table(&self) -> String {
        let name = &self.name;
        format!("CREATE TEMP TABLE {name} (at INTEGER, name TEXT, inserted INTEGER, changed INTEGER);")
    }

    /// All triggers that there have to be still.
    fn seen(&self) -> String {
        let name = &self.name;
        let words: Vec<String> =
            TRIGGERS.iter().map(|(word, _)| format!("'{name}_' || w.at || '_{word}'")).collect();
        format!(
            "SELECT name, inserted, changed <> 0 AS changed,
                    (SELECT count(*) FROM sqlite_temp_master t WHERE t.type = 'trigger' AND t.name IN ({})) = {} AS there
             FROM temp.{name} w ORDER BY name",
            words.join(", "),
            words.len()
        )
    }

    fn end(&self) -> String {
        let name = &self.name;
        let of =
            |at: usize| TRIGGERS.map(|(word, _)| format!("DROP TRIGGER IF EXISTS temp.{name}_{at}_{word};"));
        (0..self.tables).flat_map(of).chain([format!("DROP TABLE temp.{name}")]).collect()
    }
}

impl Watch {
    /// Begins to watch all tables whose names do not begin so.
    pub(super) async fn begin(tx: &mut Tx, prefix: &str) -> Result<Watch, Error> {
        #[derive(Deserialize)]
        struct Table {
            quoted: String,
            text: String,
        }
        if tx.is_postgres() {
            return Ok(Watch::default());
        }
        let tables: Vec<Table> = tx.all(TABLES, crate::args![prefix]).await?;
        let name = format!("watched_{}", crate::new_id().replace('-', "_"));
        let watched = Watched { name, tables: tables.len() };
        let (mut sql, name) = (watched.table(), &watched.name);
        for (at, Table { quoted, text }) in tables.iter().enumerate() {
            sql.push_str(&format!("INSERT INTO temp.{name} VALUES ({at}, {text}, 0, 0);"));
            for (word, sets) in TRIGGERS {
                sql.push_str(&format!(
                    "CREATE TEMP TRIGGER {name}_{at}_{word} AFTER {word} ON main.{quoted}
                     BEGIN UPDATE {name} SET {sets} WHERE at = {at}; END;"
                ));
            }
        }
        tx.script(sql).await?;
        Ok(Watch(Some(watched)))
    }

    /// Ends it, and gives what was seen.
    pub(super) async fn end(self, tx: &mut Tx) -> Result<Vec<Seen>, Error> {
        let Watch(Some(watched)) = self else { return Ok(Vec::new()) };
        let seen = tx.all(AssertSqlSafe(watched.seen()), Vec::new()).await?;
        tx.script(watched.end()).await?;
        Ok(seen)
    }
}

impl Census {
    /// The tables that are not those of this prefix, and of which the transaction has changed or removed rows since; `seen` is what
    /// was seen meanwhile.
    pub(super) fn meddled(&self, later: &Census, prefix: &str, seen: &[Seen]) -> Vec<String> {
        let replaced = |one: &Seen| match (self.rows(&one.name), later.rows(&one.name)) {
            (Some(before), Some(now)) => now < before + one.inserted,
            _ => false,
        };
        let seen = seen.iter().filter(|one| one.changed || !one.there || replaced(one));
        let mut tables: Vec<String> = seen.map(|one| one.name.clone()).collect();
        let others = self.tables.iter().filter(|(name, _)| !name.starts_with(prefix));
        let counted = others.filter(|(name, before)| match later.same(name, before) {
            Some(after) => before.altered(after, &later.own),
            // Another one has its place, which the transaction has put there.
            None => later.tables.get(*name).is_some_and(|other| later.own.has(other.oid())),
        });
        tables.extend(counted.map(|(name, _)| name.clone()));
        tables
    }

    fn rows(&self, name: &str) -> Option<i64> {
        self.tables.get(name).and_then(|table| table.rows)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::db::Db;
    use crate::db::budget::Budget;

    // D2
    #[tokio::test]
    async fn d2_rows_of_others_are_left_as_they_are() {
        let db = Db::open_memory().await.unwrap();
        let check = async |sql: &str, want: &[&str]| {
            let mut tx = db.begin().await.unwrap();
            let before = "CREATE TABLE plugin_a_t (id TEXT PRIMARY KEY, x TEXT); INSERT INTO plugin_a_t VALUES ('1', 'x');
                CREATE TABLE \"it's \"\"b\"\"\" (id TEXT PRIMARY KEY, x TEXT); INSERT INTO \"it's \"\"b\"\"\" VALUES ('1', 'x'), ('2', 'y');
                CREATE TABLE c (id TEXT PRIMARY KEY, x TEXT) WITHOUT ROWID; INSERT INTO c VALUES ('1', 'x');
                CREATE VIRTUAL TABLE f USING fts5(x);";
            tx.script(before.to_owned()).await.unwrap();
            let time = Duration::from_secs(9);
            let before = Census::take(&mut tx, &mut Budget::of(time), None, "").await.unwrap();
            let watch = Watch::begin(&mut tx, "plugin_a_").await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            let seen = watch.end(&mut tx).await.unwrap();
            let after = Census::take(&mut tx, &mut Budget::of(time), Some(&before), "").await.unwrap();
            assert_eq!(before.meddled(&after, "plugin_a_", &seen), want, "{sql}");
            tx.rollback().await.unwrap();
        };
        let b = "it's \"b\"";
        check("UPDATE plugin_a_t SET x = 'other'; DELETE FROM plugin_a_t", &[]).await;
        check("UPDATE plugin_a_t SET x = (SELECT count(*) FROM c)", &[]).await;
        check(
            "ALTER TABLE plugin_a_t RENAME TO plugin_a_u; ALTER TABLE plugin_a_u RENAME COLUMN x TO y",
            &[],
        )
        .await;
        check("INSERT INTO c VALUES ('2', 'y'); INSERT OR IGNORE INTO c VALUES ('1', 'z')", &[]).await;
        check("UPDATE c SET x = 'other'", &["c"]).await;
        check(
            "DELETE FROM \"it's \"\"b\"\"\" WHERE id = '1'; INSERT INTO \"it's \"\"b\"\"\" VALUES ('1', 'z')",
            &[b],
        )
        .await;
        check("DELETE FROM c; INSERT INTO c VALUES ('1', 'z')", &["c"]).await;
        check("INSERT OR REPLACE INTO \"it's \"\"b\"\"\" VALUES ('1', 'z')", &[b]).await;
        check("INSERT INTO c VALUES ('1', 'z') ON CONFLICT (id) DO UPDATE SET x = excluded.x", &["c"]).await;
        check(
            "DROP TABLE c; CREATE TABLE c (id TEXT PRIMARY KEY, x TEXT); INSERT INTO c VALUES ('1', 'z')",
            &["c"],
        )
        .await;
        // By a trigger of its own.
        check(
            "CREATE TRIGGER plugin_a_x AFTER UPDATE ON plugin_a_t BEGIN UPDATE c SET x = 'z'; END;
             UPDATE plugin_a_t SET x = 'y'",
            &["c"],
        )
        .await;
    }
    /// D2: a migration runs on the connection whose temporary tables hold what was seen of it.
    #[tokio::test]
    async fn d2_what_is_watched_cannot_wipe_what_was_seen() {
        let db = Db::open_memory().await.unwrap();
        let begin = async || {
            let mut tx = db.begin().await.unwrap();
            let sql = "CREATE TABLE c (id TEXT PRIMARY KEY, x TEXT); INSERT INTO c VALUES ('1', 'x')";
            tx.script(sql.to_owned()).await.unwrap();
            let watch = Watch::begin(&mut tx, "plugin_a_").await.unwrap();
            (tx, watch)
        };
        // By a name that can be known, there is nothing to be wiped.
        let (mut tx, _watch) = begin().await;
        let wiped = tx.script("UPDATE watched_tables SET changed = 0".to_owned()).await;
        assert!(wiped.unwrap_err().to_string().contains("no such table"));
        tx.rollback().await.unwrap();
        // A trigger that is gone has seen nothing, whichever it is.
        for word in ["insert", "update", "delete"] {
            let (mut tx, watch) = begin().await;
            let sql = "SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND name LIKE $1";
            let trigger: String = tx.value(sql, crate::args![format!("%_{word}")]).await.unwrap();
            tx.script(format!("DROP TRIGGER temp.{trigger}")).await.unwrap();
            let seen = watch.end(&mut tx).await.unwrap();
            assert!(!seen[0].there, "{word}: {seen:?}");
            let left: i64 = tx.value("SELECT count(*) FROM sqlite_temp_master", Vec::new()).await.unwrap();
            assert_eq!(left, 0, "{word}");
            tx.rollback().await.unwrap();
        }
        let (mut tx, watch) = begin().await;
        let seen = watch.end(&mut tx).await.unwrap();
        assert!(seen[0].there && !seen[0].changed, "{seen:?}");
    }
}
