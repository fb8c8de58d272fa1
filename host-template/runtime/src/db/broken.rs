//! Rows that refer to nothing, tables that refer to a table which is not there, and references that cannot be looked at: SQLite
//! looks at none of them while references are not enforced.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Error, Tx};

/// What refers to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    rows: BTreeMap<(String, String), i64>,
    tables: Vec<(String, String)>,
    /// Tables with a reference to what is not unique, and what SQLite says of it. Of their rows it says nothing.
    mismatched: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct BrokenRow {
    child: String,
    parent: String,
    n: i64,
}

#[derive(Deserialize)]
struct Child {
    name: String,
}

/// What SQLite says where the columns that a reference names are not unique in the other table.
const MISMATCH: &str = "foreign key mismatch";

impl Broken {
    /// Those of the whole database.
    pub(crate) async fn find(tx: &mut Tx) -> Result<Broken, Error> {
        let Tx::Sqlite(_) = tx else { return Ok(Broken::default()) };
        let sql = "SELECT m.name AS child, f.\"table\" AS parent, 1 AS n
                   FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
                   WHERE m.type = 'table' AND NOT EXISTS
                     (SELECT 1 FROM sqlite_master p WHERE p.type = 'table' AND lower(p.name) = lower(f.\"table\"))";
        let tables: Vec<BrokenRow> = tx.all(sql, Vec::new()).await?;
        let tables = tables.into_iter().map(|row| (row.child, row.parent)).collect();
        let mut broken = Broken { tables, ..Broken::default() };
        let sql =
            "SELECT \"table\" AS child, parent, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1, 2";
        match tx.all(sql, Vec::new()).await {
            Ok(rows) => broken.add(rows),
            // It ends there, and has not looked at the tables behind it.
            Err(error) if error.to_string().contains(MISMATCH) => broken.look_at_each(tx).await?,
            Err(error) => return Err(error),
        }
        Ok(broken)
    }

    /// Asks for each table by itself.
    async fn look_at_each(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let sql = "SELECT DISTINCT m.name AS name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
                   WHERE m.type = 'table'";
        let children: Vec<Child> = tx.all(sql, Vec::new()).await?;
        for Child { name } in children {
            let sql = "SELECT \"table\" AS child, parent, count(*) AS n FROM pragma_foreign_key_check($1) GROUP BY 1, 2";
            match tx.all(sql, crate::args![&name]).await {
                Ok(rows) => self.add(rows),
                Err(error) if error.to_string().contains(MISMATCH) => {
                    self.mismatched.insert(name, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn add(&mut self, rows: Vec<BrokenRow>) {
        self.rows.extend(rows.into_iter().map(|row| ((row.child, row.parent), row.n)));
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
        let mut new = self.mismatched.iter().filter(|(child, _)| !before.mismatched.contains_key(*child));
        if let Some((child, why)) = new.next() {
            return Some(format!(
                "`{child}` refers to columns that are not unique ({why}): make them the key of the table that they are in, or \
                 give them a unique index"
            ));
        }
        self.rows.iter().find_map(|((child, parent), n)| {
            // What could not be looked at before is no work of the migration's.
            if before.mismatched.contains_key(child) {
                return None;
            }
            let known = before.rows.get(&(child.clone(), parent.clone())).copied().unwrap_or(0);
            (*n > known).then(|| {
                format!("it leaves {} rows of `{child}` that refer to nothing in `{parent}`", n - known)
            })
        })
    }
}
