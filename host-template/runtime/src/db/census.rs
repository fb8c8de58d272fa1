//! What a database holds, counted: rows of each table, and values of each of its columns. Counted before and after a
//! migration it tells what the migration has removed, whatever its SQL looks like.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{AssertSqlSafe, Error, Tx};

/// Bytes that are read in a second at the least, as far as it is decided before whether a table can be counted in time.
const PACE: i64 = 50 << 20;

/// All tables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Census(BTreeMap<String, Table>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    rows: i64,
    /// Whether each row was counted. Where not, `rows` is what the server believes, and columns have no number.
    exact: bool,
    /// Values that are not NULL.
    columns: BTreeMap<String, i64>,
}

/// Something that was there before and is not there after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) table: String,
    /// None where rows are gone.
    pub(crate) column: Option<String>,
    pub(crate) before: i64,
    pub(crate) after: i64,
    /// Whether the numbers are the server's estimate.
    pub(crate) about: bool,
}

impl Loss {
    /// As a migration and an operator name it: `table` or `table.column`.
    pub(crate) fn name(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.about { "about " } else { "" };
        let what = if self.column.is_some() { "values" } else { "rows" };
        write!(f, "{}: {about}{} {what} before, {} after", self.name(), self.before, self.after)
    }
}

#[derive(Deserialize)]
struct Listed {
    /// As it is told.
    name: String,
    /// As it is written in SQL.
    quoted: String,
    column: Option<String>,
    bytes: Option<i64>,
    about: Option<i64>,
}

const SQLITE: &str = "
    SELECT m.name AS name, '\"' || replace(m.name, '\"', '\"\"') || '\"' AS quoted, c.name AS column,
           NULL AS bytes, NULL AS about
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON c.hidden = 0
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";

const POSTGRES: &str = "
    SELECT CASE WHEN n.nspname = current_schema() THEN CAST(t.relname AS TEXT)
                ELSE CONCAT(n.nspname, '.', t.relname) END AS name,
           CONCAT(quote_ident(n.nspname), '.', quote_ident(t.relname)) AS quoted,
           CAST(a.attname AS TEXT) AS column,
           pg_relation_size(t.oid) AS bytes,
           CASE WHEN pg_relation_size(t.oid) = 0 THEN 0 ELSE greatest(0, CAST(t.reltuples AS BIGINT)
                + pg_stat_get_xact_tuples_inserted(t.oid) - pg_stat_get_xact_tuples_deleted(t.oid)) END AS about
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_temp%' AND n.nspname NOT LIKE 'pg\\_toast%' AND has_schema_privilege(n.oid, 'USAGE')
      AND has_table_privilege(t.oid, 'SELECT')
    ORDER BY 1, a.attnum";

impl Census {
    /// Counts as the transaction sees it, within about so much time.
    pub(crate) async fn take(tx: &mut Tx, time: Duration) -> Result<Census, Error> {
        let began = Instant::now();
        let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
        let listed: Vec<Listed> = tx.all(AssertSqlSafe(sql), Vec::new()).await?;
        let mut census = Census::default();
        for columns in listed.chunk_by(|one, next| one.name == next.name) {
            let Some(first) = columns.first() else { continue };
            let left = i64::try_from(time.saturating_sub(began.elapsed()).as_secs()).unwrap_or(i64::MAX);
            let in_time = left > 0 && first.bytes.is_none_or(|bytes| bytes / PACE <= left);
            let names = columns.iter().filter_map(|listed| listed.column.clone());
            let table = if in_time {
                count(tx, &first.quoted, names.collect()).await?
            } else {
                let columns = names.map(|name| (name, 0)).collect();
                // SQLite keeps no number to believe.
                Table { rows: first.about.unwrap_or(0), exact: false, columns }
            };
            census.0.insert(first.name.clone(), table);
        }
        Ok(census)
    }

    /// Tables that were too large to be counted in time.
    pub(crate) fn uncounted(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, table)| !table.exact).map(|(name, _)| name.as_str())
    }

    /// What is here and no longer in the later one. A table or column that has another name then is not lost.
    pub(crate) fn lost(&self, later: &Census) -> Vec<Loss> {
        let mut lost = Vec::new();
        for (name, before) in &self.0 {
            let after = later.0.get(name).or_else(|| later.renamed(self, before));
            before.lost(name, after, &mut lost);
        }
        lost
    }

    /// A table that was not there before and holds all that one did.
    fn renamed(&self, earlier: &Census, gone: &Table) -> Option<&Table> {
        let new = self.0.iter().filter(|(name, _)| !earlier.0.contains_key(*name)).map(|(_, table)| table);
        let holds = |table: &&Table| {
            let all = gone.columns.keys().all(|column| table.columns.contains_key(column));
            all && table.rows >= gone.rows && table.exact == gone.exact
        };
        new.filter(|_| !gone.columns.is_empty()).find(holds)
    }
}

impl Table {
    fn lost(&self, name: &str, after: Option<&Table>, lost: &mut Vec<Loss>) {
        let none = Table { exact: self.exact, ..Table::default() };
        let later = after.unwrap_or(&none);
        let about = !self.exact || !later.exact;
        let loss = |column: Option<&String>, before, after| Loss {
            table: name.to_owned(),
            column: column.cloned(),
            before,
            after,
            about,
        };
        if later.rows < self.rows {
            lost.push(loss(None, self.rows, later.rows));
            return;
        }
        if about {
            return;
        }
        let mut new: Vec<i64> = later
            .columns
            .iter()
            .filter(|(name, _)| !self.columns.contains_key(*name))
            .map(|(_, values)| *values)
            .collect();
        for (column, before) in self.columns.iter().filter(|(_, before)| **before > 0) {
            match later.columns.get(column) {
                Some(after) if after < before => lost.push(loss(Some(column), *before, *after)),
                Some(_) => {}
                // Each new column stands for one that is gone.
                None => match new.iter().position(|values| values >= before) {
                    Some(at) => drop(new.swap_remove(at)),
                    None => lost.push(loss(Some(column), *before, 0)),
                },
            }
        }
    }
}

async fn count(tx: &mut Tx, quoted: &str, names: Vec<String>) -> Result<Table, Error> {
    let mut sql = "SELECT count(*) AS n".to_owned();
    for (at, name) in names.iter().enumerate() {
        sql.push_str(&format!(", count(\"{}\") AS c{at}", name.replace('"', "\"\"")));
    }
    sql.push_str(&format!(" FROM {quoted}"));
    let counted: Option<BTreeMap<String, i64>> = tx.one(AssertSqlSafe(sql), Vec::new()).await?;
    let counted = counted.unwrap_or_default();
    let number = |key: &str| counted.get(key).copied().unwrap_or(0);
    let columns = names.into_iter().enumerate().map(|(at, name)| (name, number(&format!("c{at}")))).collect();
    Ok(Table { rows: number("n"), exact: true, columns })
}

/// Rows that refer to nothing, and tables that refer to a table which is not there: SQLite looks at neither while references
/// are not enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    rows: BTreeMap<(String, String), i64>,
    tables: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct BrokenRow {
    child: String,
    parent: String,
    n: i64,
}

impl Broken {
    /// Those of the whole database.
    pub(crate) async fn find(tx: &mut Tx) -> Result<Broken, Error> {
        let Tx::Sqlite(_) = tx else { return Ok(Broken::default()) };
        let sql = "SELECT m.name AS child, f.\"table\" AS parent, 1 AS n
                   FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
                   WHERE m.type = 'table' AND NOT EXISTS
                     (SELECT 1 FROM sqlite_master p WHERE p.type = 'table' AND lower(p.name) = lower(f.\"table\"))";
        let tables: Vec<BrokenRow> = tx.all(sql, Vec::new()).await?;
        let sql =
            "SELECT \"table\" AS child, parent, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1, 2";
        let rows: Vec<BrokenRow> = tx.all(sql, Vec::new()).await?;
        Ok(Broken {
            rows: rows.into_iter().map(|row| ((row.child, row.parent), row.n)).collect(),
            tables: tables.into_iter().map(|row| (row.child, row.parent)).collect(),
        })
    }

    /// What was not so before, in a sentence. A table that is new may refer to one that is still to come.
    pub(crate) fn since(&self, before: &Broken, tables_before: &[String]) -> Option<String> {
        let dangling =
            self.tables.iter().find(|pair| !before.tables.contains(pair) && tables_before.contains(&pair.0));
        if let Some((child, parent)) = dangling {
            return Some(format!(
                "`{child}` now refers to the table `{parent}`, which is not there: to rebuild a table, make the new one, \
                 copy the rows, drop the old one, and rename the new one"
            ));
        }
        self.rows.iter().find_map(|((child, parent), n)| {
            let known = before.rows.get(&(child.clone(), parent.clone())).copied().unwrap_or(0);
            (*n > known).then(|| {
                format!("it leaves {} rows of `{child}` that refer to nothing in `{parent}`", n - known)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[tokio::test]
    async fn d2_what_is_lost_is_named() {
        let check = async |sql: &str, want: &[&str]| {
            let db = Db::open_memory().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let before = "CREATE TABLE a (id TEXT PRIMARY KEY, x TEXT, y TEXT);
                INSERT INTO a VALUES ('1', 'x', NULL), ('2', NULL, NULL);
                CREATE TABLE \"odd \"\" name\" (\"odd \"\" column\" TEXT);
                INSERT INTO \"odd \"\" name\" VALUES ('1'); CREATE TABLE empty (id TEXT);";
            tx.script(before.to_owned()).await.unwrap();
            let before = Census::take(&mut tx, Duration::from_secs(9)).await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            let after = Census::take(&mut tx, Duration::from_secs(9)).await.unwrap();
            let lost: Vec<String> = before.lost(&after).iter().map(Loss::to_string).collect();
            assert_eq!(lost, want, "{sql}");
        };
        check("INSERT INTO a VALUES ('3', NULL, NULL); DROP TABLE empty", &[]).await;
        check(
            "ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME COLUMN x TO z",
            &["a: 2 rows before, 0 after"],
        )
        .await;
        check("ALTER TABLE a RENAME TO b", &[]).await;
        check("ALTER TABLE a RENAME COLUMN x TO z", &[]).await;
        check("ALTER TABLE a DROP COLUMN y", &[]).await;
        check("ALTER TABLE a DROP COLUMN x", &["a.x: 1 values before, 0 after"]).await;
        check("UPDATE a SET x = NULL", &["a.x: 1 values before, 0 after"]).await;
        check("DELETE FROM a WHERE id = '1'", &["a: 2 rows before, 1 after"]).await;
        check("DROP TABLE a", &["a: 2 rows before, 0 after"]).await;
        check("DROP TABLE a; CREATE TABLE a (id TEXT, x TEXT, y TEXT)", &["a: 2 rows before, 0 after"]).await;
        check("DELETE FROM \"odd \"\" name\"", &["odd \" name: 1 rows before, 0 after"]).await;
    }
}
