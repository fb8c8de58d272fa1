//! What the tables look like, and whether a change of them leaves the release before able to work.
//!
//! A release may run on a database that the next one has migrated: after a rollback, while one host hands over to another,
//! and on a cluster that is upgraded host by host. So a migration may add what an older release does not have to know, and
//! takes nothing away. What a migration did is observed, not read from its SQL: tables before and after are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Error, Tx};

/// Tables and views by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema(BTreeMap<String, Table>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    columns: BTreeMap<String, Column>,
    /// Rules that hold a row back, by how they read, with the columns that they look at.
    rules: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    required: bool,
    default: bool,
}

#[derive(Deserialize)]
struct ColumnRow {
    place: String,
    name: String,
    kind: String,
    required: bool,
    has_default: bool,
}

#[derive(Deserialize)]
struct RuleRow {
    place: String,
    rule: String,
    /// Names with a comma behind each.
    columns: Option<String>,
}

const SQLITE_COLUMNS: &str = "
    SELECT m.name AS place, c.name AS name, lower(c.type) AS kind, c.\"notnull\" <> 0 AND c.pk = 0 AS required,
           c.dflt_value IS NOT NULL OR c.hidden > 1 AS has_default
    FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
    WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

const SQLITE_RULES: &str = "
    SELECT m.name AS place, 'unique (' || (SELECT group_concat(name) FROM pragma_index_info(i.name)) || ')' AS rule,
           (SELECT group_concat(name) FROM pragma_index_info(i.name)) AS columns
    FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" <> 0
    UNION ALL
    SELECT m.name, 'reference to ' || f.\"table\", f.\"from\"
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";

const POSTGRES_COLUMNS: &str = "
    SELECT CAST(table_name AS TEXT) AS place, CAST(column_name AS TEXT) AS name,
           CONCAT(udt_name, '(' || character_maximum_length || ')') AS kind, is_nullable = 'NO' AS required,
           column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS' AS has_default
    FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
      AND table_schema NOT LIKE 'pg\\_temp%' AND table_schema NOT LIKE 'pg\\_toast%'";

const POSTGRES_RULES: &str = "
    SELECT CAST(t.relname AS TEXT) AS place, pg_get_constraintdef(c.oid) AS rule,
           (SELECT string_agg(a.attname, ',') FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (c.conkey)) AS columns
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_temp%'
      AND n.nspname NOT LIKE 'pg\\_toast%' AND c.contype IN ('c', 'f', 'u', 'x')
    UNION ALL
    SELECT CAST(t.relname AS TEXT), CONCAT('unique index ', i.relname),
           (SELECT string_agg(a.attname, ',') FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey))
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_temp%'
      AND n.nspname NOT LIKE 'pg\\_toast%' AND x.indisunique
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)";

impl Schema {
    /// As the transaction sees it.
    pub(crate) async fn read(tx: &mut Tx) -> Result<Schema, Error> {
        let (columns, rules) = match tx {
            Tx::Sqlite(_) => (SQLITE_COLUMNS, SQLITE_RULES),
            Tx::Postgres(_) | Tx::Pooled(_) => (POSTGRES_COLUMNS, POSTGRES_RULES),
        };
        let mut schema = Schema::default();
        for row in tx.all::<ColumnRow>(columns, Vec::new()).await? {
            let column = Column { kind: row.kind, required: row.required, default: row.has_default };
            schema.0.entry(row.place).or_default().columns.insert(row.name, column);
        }
        for row in tx.all::<RuleRow>(rules, Vec::new()).await? {
            let columns = row.columns.unwrap_or_default();
            let columns = columns.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            schema.0.entry(row.place).or_default().rules.insert(row.rule, columns);
        }
        if let Tx::Sqlite(_) = tx {
            schema.read_checks(tx).await?;
        }
        Ok(schema)
    }

    /// SQLite tells of no CHECK but in a table's own SQL.
    async fn read_checks(&mut self, tx: &mut Tx) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
            sql: String,
        }
        let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL";
        for row in tx.all::<Row>(sql, Vec::new()).await? {
            let Some(table) = self.0.get_mut(&row.name) else { continue };
            for check in checks(&row.sql) {
                let names = words(&check);
                let columns = table.columns.keys().filter(|name| names.contains(&name.to_lowercase()));
                let columns = columns.cloned().collect();
                table.rules.insert(format!("check {check}"), columns);
            }
        }
        Ok(())
    }

    /// What a release that knows this schema can no longer do with the later one: a sentence each.
    pub(crate) fn taken_away(&self, later: &Schema) -> Vec<String> {
        let mut taken = Vec::new();
        for (name, before) in &self.0 {
            match later.0.get(name) {
                None => taken.push(format!("the table `{name}` is gone")),
                Some(after) => taken.extend(before.taken_away(name, after)),
            }
        }
        taken
    }
}

impl Table {
    fn taken_away(&self, table: &str, later: &Table) -> Vec<String> {
        let mut taken = Vec::new();
        for (name, before) in &self.columns {
            let shown = format!("the column `{table}.{name}`");
            match later.columns.get(name) {
                None => taken.push(format!("{shown} is gone")),
                Some(after) if after.kind != before.kind => {
                    taken.push(format!("{shown} was `{}` and is `{}`", before.kind, after.kind));
                }
                Some(after) if after.required && !before.required => {
                    taken.push(format!("{shown} may no longer be NULL"));
                }
                Some(after) if after.required && before.default && !after.default => {
                    taken.push(format!("{shown} has lost its default"));
                }
                Some(_) => {}
            }
        }
        let new = later.columns.iter().filter(|(name, _)| !self.columns.contains_key(*name));
        for (name, _) in new.filter(|(_, column)| column.required && !column.default) {
            taken.push(format!("the new column `{table}.{name}` may not be NULL and has no default"));
        }
        for (rule, columns) in later.rules.iter().filter(|(rule, _)| !self.rules.contains_key(*rule)) {
            // A rule on what the older release leaves NULL never holds its rows back.
            let left_null = |name: &String| {
                !self.columns.contains_key(name)
                    && later.columns.get(name).is_some_and(|column| !column.default)
            };
            if !columns.iter().any(left_null) {
                taken.push(format!("`{table}` has a new rule: {rule}"));
            }
        }
        taken
    }
}

/// The conditions of all CHECKs in a table's SQL.
fn checks(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = sql.to_ascii_lowercase();
    for (at, word) in lower.match_indices("check") {
        let begins = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let rest = &sql[at + word.len()..];
        if begins && rest.trim_start().starts_with('(') {
            let mut depth = 0;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                c == ')' && depth == 0
            });
            let condition = rest[..end.map_or(rest.len(), |end| end + 1)].split_whitespace();
            found.push(condition.collect::<Vec<_>>().join(" "));
        }
    }
    found
}

fn words(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    const BEFORE: &str = "
        CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, state TEXT NOT NULL DEFAULT 'new');
        CREATE TABLE notes (id TEXT PRIMARY KEY, person INTEGER);
        CREATE VIEW names AS SELECT name FROM people;";

    async fn check(sql: &str, want: &[&str]) {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.script(BEFORE.to_owned()).await.unwrap();
        let before = Schema::read(&mut tx).await.unwrap();
        assert_eq!(before.0.len(), 3);
        tx.script(sql.to_owned()).await.unwrap();
        let after = Schema::read(&mut tx).await.unwrap();
        assert_eq!(before.taken_away(&after), want, "{sql}");
    }

    #[tokio::test]
    async fn what_is_added_takes_nothing_away() {
        for sql in [
            "CREATE TABLE more (id TEXT PRIMARY KEY, x TEXT NOT NULL UNIQUE CHECK (x <> ''))",
            "ALTER TABLE people ADD COLUMN mail TEXT",
            "ALTER TABLE people ADD COLUMN org TEXT REFERENCES notes (id)",
            "ALTER TABLE people ADD COLUMN rank INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX people_name ON people (name); INSERT INTO notes (id) VALUES ('x')",
            "ALTER TABLE people ADD COLUMN mail TEXT; CREATE UNIQUE INDEX people_mail ON people (mail)",
            "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END; CREATE VIEW v AS SELECT 1",
            "DROP VIEW names; CREATE VIEW names AS SELECT name, age FROM people",
        ] {
            check(sql, &[]).await;
        }
    }

    #[tokio::test]
    async fn what_an_older_release_needs_has_to_stay() {
        check("DROP TABLE notes", &["the table `notes` is gone"]).await;
        check("DROP VIEW names", &["the table `names` is gone"]).await;
        check("ALTER TABLE notes RENAME TO remarks", &["the table `notes` is gone"]).await;
        check("ALTER TABLE notes DROP COLUMN person", &["the column `notes.person` is gone"]).await;
        check("ALTER TABLE notes RENAME COLUMN person TO who", &["the column `notes.person` is gone"]).await;
        let rebuilt =
            |columns: &str| format!("DROP TABLE notes; CREATE TABLE notes (id TEXT PRIMARY KEY, {columns})");
        check(&rebuilt("person TEXT"), &["the column `notes.person` was `integer` and is `text`"]).await;
        check(&rebuilt("person INTEGER NOT NULL"), &["the column `notes.person` may no longer be NULL"])
            .await;
        check(
            &rebuilt("person INTEGER, org TEXT NOT NULL"),
            &["the new column `notes.org` may not be NULL and has no default"],
        )
        .await;
        check(
            &rebuilt("person INTEGER CHECK (person  > 0)"),
            &["`notes` has a new rule: check (person > 0)"],
        )
        .await;
        check(
            &rebuilt("person INTEGER REFERENCES people (id)"),
            &["`notes` has a new rule: reference to people"],
        )
        .await;
        check(
            "CREATE UNIQUE INDEX people_name ON people (name)",
            &["`people` has a new rule: unique (name)"],
        )
        .await;
        check(
            "DROP VIEW names; DROP TABLE people; CREATE VIEW names AS SELECT 'x' AS name;
             CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, state TEXT NOT NULL)",
            &[
                "the column `names.name` was `text` and is ``",
                "the column `people.state` has lost its default",
            ],
        )
        .await;
    }
}
