//! Rows that refer to nothing, and tables that refer to a table which is not there: SQLite looks at neither while references
//! are not enforced.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Error, Tx};

/// What refers to nothing.
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
