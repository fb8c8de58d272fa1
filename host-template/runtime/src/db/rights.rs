//! What the database's user has to be allowed to do with the platform's tables, and which of it is lacking.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::columns::Absent;
use super::{AssertSqlSafe, Db, Error, Tx};

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

/// All tables of the platform, what its statements do with them, and the columns that they set in rows that are there; an operator may
/// forbid everything else. What follows from a reference needs no right. Tests hold the list to the migrations and to the sources.
const TABLES: &[(&str, &[Verb], &[&str])] = &[
    ("hub_audit_events", &[Select, Insert], &[]),
    ("hub_dashboards", &[Select, Insert, Update, Delete], &["title", "updated_at", "widgets"]),
    ("hub_group_members", &[Select, Insert, Delete], &[]),
    ("hub_group_permissions", &[Select, Insert, Delete], &[]),
    ("hub_groups", &[Select, Insert, Update, Delete], &["name"]),
    ("hub_hosts", &[Select, Insert, Update], &["about", "life", "name", "place", "seen_at"]),
    ("hub_invitations", &[Select, Insert, Update, Delete], &["mail"]),
    ("hub_members", &[Select, Insert, Update, Delete], &["role"]),
    ("hub_org_plugins", &[Select, Insert, Update], &["changed_at", "origin", "state"]),
    ("hub_orgs", &[Select, Insert, Update], &["revision"]),
    ("hub_plugin_migrations", &[Select, Insert], &[]),
    ("hub_records", &[Select, Insert, Delete], &[]),
    ("hub_run_logs", &[Select, Insert], &[]),
    (
        "hub_runs",
        &[Select, Insert, Update],
        &["cancel", "error", "finished_at", "host", "lineage", "seen_at", "started_at", "state"],
    ),
    ("hub_seeds", &[Insert], &[]),
    ("hub_sessions", &[Select, Insert, Update, Delete], &["org_id", "tenant_id"]),
    ("hub_state", &[Select, Insert, Update], &["value"]),
    ("hub_tenant_members", &[Select, Insert, Delete], &[]),
    ("hub_tenant_plugins", &[Select, Insert, Update, Delete], &["changed_at", "state"]),
    ("hub_tenants", &[Select, Insert], &[]),
    ("hub_users", &[Select, Insert, Update], &["email", "password"]),
    ("hub_warehouses", &[Select, Insert, Update, Delete], &["adapter", "host", "own_profile", "since"]),
];

/// The names of the platform's tables.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, ..)| *name)
}

/// What is lacking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Tables that are not there, or that this user does not see.
    tables: Vec<String>,
    /// Columns that are not there, as `table.column`.
    columns: Vec<String>,
    /// Rights, each with the tables that it lacks on; with the columns in brackets where others of that table have it.
    rights: BTreeMap<String, Vec<String>>,
    /// Tables of which rows may be hidden from this user, or changes of them refused.
    hidden: Vec<String>,
}

// Found as statements find them, by the search path; a schema that the user may not use is not part of that. A right on a table is
// one on each of its columns. DELETE is never of a column.
const LACKS: &str = "
    SELECT w.name AS name, CASE WHEN t.id IS NULL THEN NULL ELSE w.need END AS lacks, CASE WHEN c.part THEN c.lacking END AS columns
    FROM wanted w
    CROSS JOIN LATERAL (SELECT CAST(to_regclass(w.name) AS oid) AS id) AS t
    CROSS JOIN LATERAL (
        SELECT bool_or(r.has) AS part, string_agg(r.name, ', ' ORDER BY r.place) FILTER (WHERE NOT r.has) AS lacking
        FROM (SELECT CAST(a.attname AS TEXT) AS name, a.attnum AS place,
                     CASE w.need WHEN 'DELETE' THEN has_table_privilege(t.id, 'DELETE')
                                 ELSE has_column_privilege(t.id, a.attnum, w.need) END AS has
              FROM pg_attribute a
              WHERE a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped
                AND (w.columns = '' OR CAST(a.attname AS TEXT) = ANY (string_to_array(w.columns, ' ')))) AS r) AS c
    WHERE t.id IS NULL OR c.lacking IS NOT NULL
    ORDER BY 1, 2";

// A policy hides nothing where it is for this user and its condition is `true`; what another condition leaves is not known. Those that
// restrict have to be met besides.
const HIDES: &str = "
    SELECT DISTINCT w.name AS name
    FROM wanted w JOIN pg_class t ON t.oid = CAST(to_regclass(w.name) AS oid)
    WHERE t.relrowsecurity AND row_security_active(t.oid)
      AND (SELECT count(*) FILTER (WHERE p.opens AND p.whole) = 0 OR count(*) FILTER (WHERE NOT p.opens AND NOT p.whole) > 0
           FROM (SELECT o.polpermissive AS opens,
                        (w.need = 'INSERT' OR coalesce(pg_get_expr(o.polqual, o.polrelid), 'true') = 'true')
                          AND (w.need NOT IN ('INSERT', 'UPDATE')
                               OR coalesce(pg_get_expr(o.polwithcheck, o.polrelid), pg_get_expr(o.polqual, o.polrelid), 'true') = 'true')
                        AS whole
                 FROM pg_policy o
                 WHERE o.polrelid = t.oid
                   AND CAST(o.polcmd AS TEXT) IN ('*', CASE w.need WHEN 'SELECT' THEN 'r' WHEN 'INSERT' THEN 'a'
                                                                  WHEN 'UPDATE' THEN 'w' ELSE 'd' END)
                   AND EXISTS (SELECT 1 FROM unnest(o.polroles) AS r (id)
                               WHERE r.id = 0 OR pg_has_role(r.id, 'USAGE'))) AS p)
    ORDER BY 1";

/// What is wanted, as a table for one of those.
fn wanted(sql: &str) -> String {
    let row = |name: &str, verb: Verb, set: &[&str]| {
        let columns = if verb == Update { set.join(" ") } else { String::new() };
        format!("('{name}', '{}', '{columns}')", verb.right())
    };
    let rows =
        TABLES.iter().flat_map(|(name, verbs, set)| verbs.iter().map(move |verb| row(name, *verb, set)));
    let rows: Vec<String> = rows.collect();
    format!("WITH wanted (name, need, columns) AS (VALUES {}) {sql}", rows.join(", "))
}

impl Lacking {
    /// The tables and columns that are lacking, as a transaction sees it.
    pub(crate) async fn parts(tx: &mut Tx) -> Result<Lacking, Error> {
        Ok(Lacking::of(Absent::find_in(tx).await?))
    }

    fn of(Absent { tables, columns }: Absent) -> Lacking {
        Lacking { tables, columns, ..Lacking::default() }
    }

    /// What is lacking in this database; on SQLite, which knows no users, tables and columns alone.
    pub(crate) async fn find(db: &Db) -> Result<Lacking, Error> {
        let mut lacking = Lacking::of(Absent::find(db).await?);
        if !db.is_postgres() {
            return Ok(lacking);
        }
        #[derive(Deserialize)]
        struct Row {
            name: String,
            /// None where the table is not there.
            lacks: Option<String>,
            /// None where it lacks on all of them.
            columns: Option<String>,
        }
        for Row { name, lacks, columns } in db.all::<Row>(AssertSqlSafe(wanted(LACKS)), Vec::new()).await? {
            match (lacks, columns) {
                (Some(right), None) => lacking.rights.entry(right).or_default().push(name),
                (Some(right), Some(columns)) => {
                    lacking.rights.entry(right).or_default().push(format!("{name} ({columns})"));
                }
                // Found above.
                (None, _) => {}
            }
        }
        lacking.hidden = names_of(db, wanted(HIDES)).await?;
        Ok(lacking)
    }

    /// Whether anything is.
    pub(crate) fn any(&self) -> bool {
        !self.tables.is_empty()
            || !self.columns.is_empty()
            || !self.rights.is_empty()
            || !self.hidden.is_empty()
    }

    /// In a sentence that names no table: for whoever asks.
    pub(crate) fn told(&self) -> String {
        if !self.tables.is_empty() {
            return "tables of the platform are not there, or the database's user does not see them"
                .to_owned();
        }
        let mut sentences = Vec::new();
        if !self.columns.is_empty() {
            sentences.push("columns of the platform's tables are not there".to_owned());
        }
        if !self.rights.is_empty() {
            let rights: Vec<&str> = self.rights.keys().map(String::as_str).collect();
            sentences.push(format!(
                "the database's user lacks rights on the platform's tables: {}",
                rights.join(", ")
            ));
        }
        if !self.hidden.is_empty() {
            sentences.push(
                "row level security may hide rows of the platform's tables from the database's user"
                    .to_owned(),
            );
        }
        sentences.join("; ")
    }

    /// With the tables: for the operator.
    pub(crate) fn detail(&self) -> String {
        let mut parts = Vec::new();
        if !self.tables.is_empty() {
            parts.push(format!("no table {}", short(&self.tables)));
        }
        if !self.columns.is_empty() {
            parts.push(format!("no column {}", short(&self.columns)));
        }
        parts.extend(self.rights.iter().map(|(right, tables)| format!("no {right} on {}", short(tables))));
        if !self.hidden.is_empty() {
            parts.push(format!("row level security on {}", short(&self.hidden)));
        }
        format!("{} ({})", self.told(), parts.join("; "))
    }

    /// What mends it: all that is lacking, as a column that is back is not read without the right to.
    pub(crate) fn help(&self) -> String {
        let helps = [
            (
                !self.tables.is_empty(),
                "see that DATABASE_URL names the platform's database, that the user may use its schema (GRANT USAGE ON SCHEMA … TO \
                 …; search_path), and bring a copy of the database back where tables are lost",
            ),
            (
                !self.columns.is_empty(),
                "somebody has removed or renamed columns, for no migration does: give one that was renamed its name again (ALTER TABLE \
                 … RENAME COLUMN … TO …), and bring a copy of the database back where one was removed",
            ),
            (
                !self.rights.is_empty(),
                "let the user of DATABASE_URL own the tables, or: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … \
                 TO …",
            ),
            (
                !self.hidden.is_empty(),
                "ALTER TABLE … DISABLE ROW LEVEL SECURITY, or ALTER ROLE … BYPASSRLS, or a policy on each: CREATE POLICY … ON … TO … \
                 USING (true) WITH CHECK (true)",
            ),
        ];
        let helps: Vec<&str> = helps.into_iter().filter(|(lacks, _)| *lacks).map(|(_, help)| help).collect();
        helps.join("; and ")
    }
}

async fn names_of(db: &Db, sql: String) -> Result<Vec<String>, Error> {
    let names: Vec<(String,)> = db.all(AssertSqlSafe(sql), Vec::new()).await?;
    Ok(names.into_iter().map(|(name,)| name).collect())
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
    use crate::testing;

    #[tokio::test]
    async fn the_list_is_that_of_the_migrations() {
        let db = Db::open_memory().await.unwrap();
        let lacking = Lacking::find(&db).await.unwrap();
        assert_eq!(lacking.tables.len(), TABLES.len(), "each of them once");
        assert!(
            lacking.detail().contains("hub_audit_events, hub_dashboards, hub_group_members and 19 more"),
            "{lacking:?}"
        );
        testing::make_tables(&db).await;
        assert!(!Lacking::find(&db).await.unwrap().any());
        let mut tx = db.begin().await.unwrap();
        let mut made = tx.tables().await.unwrap();
        made.retain(|name| name.starts_with("hub_"));
        assert_eq!(made, tables().collect::<Vec<_>>());
        // A name with a mistake in it would be a column that nobody can lack.
        for (name, _, set) in TABLES {
            let sql = format!("SELECT name FROM pragma_table_info('{name}')");
            let columns: Vec<(String,)> = tx.all(AssertSqlSafe(sql), Vec::new()).await.unwrap();
            for column in *set {
                assert!(columns.iter().any(|(known,)| known == column), "{name}.{column}");
            }
        }
    }

    #[test]
    fn the_help_is_for_all_that_is_lacking() {
        let words = ["GRANT USAGE", "RENAME COLUMN", "GRANT SELECT", "ROW LEVEL SECURITY"];
        for which in 0..16_u32 {
            let some = |number: usize| match which & (1 << number) {
                0 => Vec::new(),
                _ => vec!["hub_x".to_owned()],
            };
            let rights = match some(2) {
                none if none.is_empty() => BTreeMap::new(),
                tables => BTreeMap::from([("SELECT".to_owned(), tables)]),
            };
            let lacking = Lacking { tables: some(0), columns: some(1), rights, hidden: some(3) };
            let help = lacking.help();
            for (number, word) in words.into_iter().enumerate() {
                assert_eq!(help.contains(word), which & (1 << number) != 0, "{word}: {help}");
            }
        }
    }

    /// What is done with a table, and the columns that are set in rows that are there.
    type Used = BTreeMap<String, (BTreeSet<Verb>, BTreeSet<String>)>;

    /// What the sources do with each table. A statement is looked for between two quotation marks.
    fn used(folder: &Path, found: &mut Used) {
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

    fn used_in(piece: &str, found: &mut Used) {
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
            let (known, set) = found.entry(name.to_owned()).or_default();
            known.extend(verbs);
            if verbs.contains(&Update) && (before(1) == "UPDATE" || before(2) == "INSERT") {
                set.extend(set_by(&words[i..]));
            }
        }
    }

    /// The columns that stand left of a `=` between SET and what ends it, outside of brackets.
    fn set_by(words: &[&str]) -> Vec<String> {
        let begin = words.iter().position(|word| *word == "SET").expect("an UPDATE without SET in one piece");
        let assigned = words[begin + 1..].iter().take_while(|word| !["WHERE", "RETURNING"].contains(*word));
        let text = assigned.copied().collect::<Vec<_>>().join(" ");
        let mut depth = 0;
        let parts = text.split(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        parts.map(|part| part.split_once('=').unwrap().0.trim().to_owned()).collect()
    }

    #[test]
    fn the_list_is_that_of_the_statements() {
        let mut found = BTreeMap::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: Used = TABLES
            .iter()
            .map(|(name, verbs, set)| {
                let set = set.iter().map(|column| (*column).to_owned()).collect();
                ((*name).to_owned(), (verbs.iter().copied().collect(), set))
            })
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
            "UPDATE hub_f SET hub_g = coalesce(a, b), c = c + 1 WHERE d = 2",
        ] {
            used_in(statement, &mut found);
        }
        let set = |name: &str| found[name].1.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!((set("hub_b"), set("hub_f"), set("hub_c")), (vec!["x"], vec!["c", "hub_g"], vec![]));
        let seen: Vec<(&str, Vec<Verb>)> =
            found.iter().map(|(name, (verbs, _))| (name.as_str(), verbs.iter().copied().collect())).collect();
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
