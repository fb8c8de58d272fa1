//! What the database's user has to be allowed to do with the platform's tables, and which of it is lacking.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AssertSqlSafe, Db, Error};

/// What the host does with rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Select,
    Insert,
    Update,
    Delete,
}

use Verb::{Delete, Insert, Select, Update};

impl Verb {
    /// The right, as SQL has it.
    fn right(self) -> &'static str {
        match self {
            Select => "SELECT",
            Insert => "INSERT",
            Update => "UPDATE",
            Delete => "DELETE",
        }
    }
}

/// All tables of the platform, and what its statements do with them; an operator may forbid everything else. What follows from a
/// reference needs no right. Tests hold the list to the migrations and to the sources.
const TABLES: &[(&str, &[Verb])] = &[
    ("hub_audit_events", &[Select, Insert]),
    ("hub_dashboards", &[Select, Insert, Update, Delete]),
    ("hub_group_members", &[Select, Insert, Delete]),
    ("hub_group_permissions", &[Select, Insert, Delete]),
    ("hub_groups", &[Select, Insert, Update, Delete]),
    ("hub_hosts", &[Select, Insert, Update]),
    ("hub_invitations", &[Select, Insert, Update, Delete]),
    ("hub_members", &[Select, Insert, Update, Delete]),
    ("hub_org_plugins", &[Select, Insert, Update]),
    ("hub_orgs", &[Select, Insert, Update]),
    ("hub_plugin_migrations", &[Select, Insert]),
    ("hub_records", &[Select, Insert, Delete]),
    ("hub_run_logs", &[Select, Insert]),
    ("hub_runs", &[Select, Insert, Update]),
    ("hub_seeds", &[Insert]),
    ("hub_sessions", &[Select, Insert, Update, Delete]),
    ("hub_state", &[Select, Insert, Update]),
    ("hub_tenant_members", &[Select, Insert, Delete]),
    ("hub_tenant_plugins", &[Select, Insert, Update, Delete]),
    ("hub_tenants", &[Select, Insert]),
    ("hub_users", &[Select, Insert, Update]),
    ("hub_warehouses", &[Select, Insert, Update, Delete]),
];

/// What is lacking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Tables that are not there, or that this user does not see.
    tables: Vec<String>,
    /// Rights, each with the tables that it lacks on.
    rights: BTreeMap<String, Vec<String>>,
}

impl Lacking {
    /// What is lacking in this database; on SQLite, which knows no users, tables alone.
    pub(crate) async fn find(db: &Db) -> Result<Lacking, Error> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
            /// None where the table is not there.
            lacks: Option<String>,
        }
        let wanted = |row: &dyn Fn(&str, &str) -> String| {
            let rows = TABLES.iter().flat_map(|(name, of)| of.iter().map(|verb| row(name, verb.right())));
            rows.collect::<Vec<_>>().join(", ")
        };
        let sql = match db.is_postgres() {
            // Found as statements find them, by the search path; a schema that the user may not use is not part of that. All but
            // DELETE can be granted for columns, of which an operator may choose those that the statements name.
            true => format!(
                "SELECT w.name AS name, CASE WHEN to_regclass(w.name) IS NULL THEN NULL ELSE w.need END AS lacks
                 FROM (VALUES {}) AS w (name, need)
                 WHERE NOT coalesce(CASE WHEN w.need = 'DELETE' THEN has_table_privilege(to_regclass(w.name), w.need)
                                         ELSE has_any_column_privilege(to_regclass(w.name), w.need) END, false)",
                wanted(&|name, right| format!("('{name}', '{right}')"))
            ),
            false => format!(
                "WITH w (name) AS (VALUES {}) SELECT DISTINCT w.name AS name, NULL AS lacks FROM w
                 WHERE w.name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table')",
                wanted(&|name, _| format!("('{name}')"))
            ),
        };
        let mut lacking = Lacking::default();
        for Row { name, lacks } in db.all::<Row>(AssertSqlSafe(sql), Vec::new()).await? {
            match lacks {
                Some(right) => lacking.rights.entry(right).or_default().push(name),
                None if lacking.tables.contains(&name) => {}
                None => lacking.tables.push(name),
            }
        }
        Ok(lacking)
    }

    /// Whether anything is.
    pub(crate) fn any(&self) -> bool {
        !self.tables.is_empty() || !self.rights.is_empty()
    }

    /// In a sentence that names no table: for whoever asks.
    pub(crate) fn told(&self) -> String {
        match self.tables.is_empty() {
            true => {
                let rights: Vec<&str> = self.rights.keys().map(String::as_str).collect();
                format!("the database's user lacks rights on the platform's tables: {}", rights.join(", "))
            }
            false => {
                "tables of the platform are not there, or the database's user does not see them".to_owned()
            }
        }
    }

    /// With the tables: for the operator.
    pub(crate) fn detail(&self) -> String {
        let mut parts = Vec::new();
        if !self.tables.is_empty() {
            parts.push(format!("no table {}", short(&self.tables)));
        }
        parts.extend(self.rights.iter().map(|(right, tables)| format!("no {right} on {}", short(tables))));
        format!("{} ({})", self.told(), parts.join("; "))
    }

    /// What mends it.
    pub(crate) fn help(&self) -> &'static str {
        match self.tables.is_empty() {
            true => {
                "let the user of DATABASE_URL own the tables, or: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … \
                 TO …"
            }
            false => {
                "see that DATABASE_URL names the platform's database, that the user may use its schema (GRANT USAGE ON SCHEMA … TO \
                 …; search_path), and bring a copy of the database back where tables are lost"
            }
        }
    }
}

/// A few names, and how many more there are.
pub(crate) fn short(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::db::migrate::{self, Owner};

    #[tokio::test]
    async fn the_list_is_that_of_the_migrations() {
        let db = Db::open_memory().await.unwrap();
        let lacking = Lacking::find(&db).await.unwrap();
        assert_eq!(lacking.tables.len(), TABLES.len(), "each of them once");
        assert!(
            lacking.detail().contains("hub_audit_events, hub_dashboards, hub_group_members and 19 more"),
            "{lacking:?}"
        );
        migrate::prepare(&db).await.unwrap();
        migrate::run(&db, Owner::Platform, &crate::api::migrations(&db)).await.unwrap();
        assert!(!Lacking::find(&db).await.unwrap().any());
        let mut tx = db.begin().await.unwrap();
        let mut made = tx.tables().await.unwrap();
        made.retain(|name| name.starts_with("hub_"));
        let listed: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        assert_eq!(made, listed);
    }

    /// What the sources do with each table. A statement is looked for between two quotation marks.
    fn used(folder: &Path, found: &mut BTreeMap<String, BTreeSet<Verb>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                used(&path, found);
            } else if name.ends_with(".rs") && !matches!(name, "tests.rs" | "testing.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                text.split('"').for_each(|piece| used_in(piece, found));
            }
        }
    }

    fn used_in(piece: &str, found: &mut BTreeMap<String, BTreeSet<Verb>>) {
        let words: Vec<&str> = piece.split_whitespace().collect();
        let locks = ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE"];
        let spaced = words.join(" ");
        for (i, word) in words.iter().enumerate() {
            let name =
                word.split(|c: char| !c.is_ascii_lowercase() && c != '_').find(|part| !part.is_empty());
            let Some(name) = name.filter(|name| name.starts_with("hub_")) else { continue };
            let before =
                |back: usize| i.checked_sub(back).map_or("", |place| words[place].trim_start_matches('('));
            let verbs: &[Verb] = match (before(2), before(1)) {
                ("INSERT", "INTO") if spaced.contains("DO UPDATE SET") => &[Insert, Select, Update],
                // A conflict that names its columns reads them.
                ("INSERT", "INTO") if spaced.contains("ON CONFLICT (") => &[Insert, Select],
                ("INSERT", "INTO") => &[Insert],
                // A condition reads.
                ("DELETE", "FROM") => &[Delete, Select],
                (_, "UPDATE") => &[Update, Select],
                (_, "FROM" | "JOIN") if locks.iter().any(|lock| spaced.contains(lock)) => &[Select, Update],
                (_, "FROM" | "JOIN") => &[Select],
                _ => continue,
            };
            found.entry(name.to_owned()).or_default().extend(verbs);
        }
    }

    #[test]
    fn the_list_is_that_of_the_statements() {
        let mut found = BTreeMap::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: BTreeMap<String, BTreeSet<Verb>> = TABLES
            .iter()
            .map(|(name, verbs)| ((*name).to_owned(), verbs.iter().copied().collect()))
            .collect();
        assert_eq!(found, listed, "left: what the sources use; right: what the list says");
    }

    #[test]
    fn what_a_statement_uses_is_seen() {
        let mut found = BTreeMap::new();
        for statement in [
            "INSERT INTO hub_a (x) VALUES ($1) ON CONFLICT DO NOTHING",
            "INSERT INTO hub_b (x)\n  VALUES ($1) ON CONFLICT (x) DO UPDATE SET x = 1",
            "SELECT x FROM hub_c, t WHERE x IN (SELECT y FROM hub_d) FOR NO KEY UPDATE",
            "DELETE FROM hub_e",
            "UPDATE hub_f SET hub_g = 1",
        ] {
            used_in(statement, &mut found);
        }
        let seen: Vec<(&str, Vec<Verb>)> =
            found.iter().map(|(name, verbs)| (name.as_str(), verbs.iter().copied().collect())).collect();
        assert_eq!(
            seen,
            [
                ("hub_a", vec![Insert]),
                ("hub_b", vec![Select, Insert, Update]),
                ("hub_c", vec![Select, Update]),
                ("hub_d", vec![Select, Update]),
                ("hub_e", vec![Select, Delete]),
                ("hub_f", vec![Select, Update]),
            ]
        );
    }
}
