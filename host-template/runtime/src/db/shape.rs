//! What a plugin's migration does to the schema of what is not the plugin's: columns, indexes, triggers, rules and rights of the
//! platform's tables, of other plugins' and of anybody else's. It changes none of that. Which tables it makes and drops is told
//! by their names ([`super::own`]).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::own::Own;
use super::{Error, Tx};

/// What is not the plugin's, as the database describes it.
#[derive(Debug)]
pub(super) struct Shape {
    prefix: String,
    /// The schema that was looked at; SQLite has none.
    schema: Option<String>,
    /// By the database's own key, which a new name does not change on PostgreSQL.
    objects: BTreeMap<String, Object>,
    /// Whether the database writes a text anew that speaks of what has another name now.
    rewrites: bool,
}

/// A table, a view or a function.
#[derive(Debug)]
struct Object {
    name: String,
    oid: Option<i64>,
    /// What there is of it, by what people call that.
    parts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Part {
    key: String,
    name: String,
    oid: Option<i64>,
    schema: Option<String>,
    part: String,
    text: Option<String>,
}

/// A trigger and an index are part of the table that they are on, whatever their own names are. SQLite keeps a table's name as the
/// trigger wrote it.
const SQLITE: &str = "
    SELECT lower(s.tbl_name) AS key, lower(s.tbl_name) AS name, NULL AS oid, NULL AS schema,
           CASE WHEN s.type IN ('table', 'view') THEN 'its definition' ELSE s.type || ' ' || s.name END AS part, s.sql AS text
    FROM sqlite_schema s WHERE s.sql IS NOT NULL AND s.tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    UNION ALL
    SELECT lower(m.name), lower(m.name), NULL, NULL, 'column ' || c.name,
           c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' ' || c.hidden || ' ' || COALESCE(c.dflt_value, '')
    FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// As it stands in the catalogue: a function that makes SQL of an expression would wait for whoever holds the table. Triggers that
/// references need are the server's own, and only whether they fire counts.
const POSTGRES: &str = "
    WITH r AS (
        SELECT c.*, c.oid AS id, CAST(n.nspname AS TEXT) AS schema
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND n.nspname = COALESCE(CAST($1 AS TEXT), CAST(current_schema() AS TEXT))
    ), p AS (
        SELECT id, 'its kind' AS part, CONCAT_WS(' ', relkind, relpersistence, reloptions) AS text FROM r
        UNION ALL SELECT id, 'its owner', CONCAT(relowner) FROM r
        UNION ALL SELECT id, 'who may do what with it', CONCAT(relacl) FROM r
        UNION ALL SELECT id, 'its row level security', CONCAT_WS(' ', relrowsecurity, relforcerowsecurity) FROM r
        UNION ALL
        SELECT r.id, 'whether its references are enforced', CONCAT(count(t.oid))
        FROM r LEFT JOIN pg_trigger t ON t.tgrelid = r.id AND t.tgisinternal AND t.tgenabled <> 'O' GROUP BY r.id
        UNION ALL
        SELECT r.id, CONCAT('column ', a.attname),
               CONCAT_WS(' ', a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated, a.attacl, d.adbin)
        FROM r JOIN pg_attribute a ON a.attrelid = r.id AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        UNION ALL
        SELECT r.id, CONCAT('trigger ', t.tgname), CONCAT_WS(' ', t.tgenabled, t.tgtype, t.tgfoid, t.tgattr, t.tgargs, t.tgqual)
        FROM r JOIN pg_trigger t ON t.tgrelid = r.id AND NOT t.tgisinternal
        UNION ALL
        SELECT r.id, CONCAT('rule ', w.rulename), CONCAT_WS(' ', w.ev_type, w.ev_enabled, w.is_instead, w.ev_qual, w.ev_action)
        FROM r JOIN pg_rewrite w ON w.ev_class = r.id
        UNION ALL
        SELECT r.id, CONCAT('policy ', y.polname),
               CONCAT_WS(' ', y.polcmd, y.polpermissive, y.polroles, y.polqual, '/', y.polwithcheck)
        FROM r JOIN pg_policy y ON y.polrelid = r.id
        UNION ALL
        SELECT r.id, CONCAT('index ', x.relname),
               CONCAT_WS(' ', i.indisunique, i.indisprimary, i.indkey, i.indclass, i.indexprs, '/', i.indpred)
        FROM r JOIN pg_index i ON i.indrelid = r.id JOIN pg_class x ON x.oid = i.indexrelid
        UNION ALL
        SELECT r.id, CONCAT('constraint ', k.conname),
               CONCAT_WS(' ', f.relname, k.contype, k.conkey, k.confkey, k.confupdtype, k.confdeltype, k.condeferrable,
                         k.condeferred, k.convalidated, k.conbin)
        FROM r JOIN pg_constraint k ON k.conrelid = r.id AND k.contype <> 't' LEFT JOIN pg_class f ON f.oid = k.confrelid
        UNION ALL
        SELECT r.id, CONCAT('table ', x.relname, ', whose rows are its rows'), ''
        FROM r JOIN pg_inherits h ON h.inhparent = r.id JOIN pg_class x ON x.oid = h.inhrelid
    )
    SELECT CONCAT('relation ', r.id) AS key, CAST(r.relname AS TEXT) AS name, CAST(r.id AS BIGINT) AS oid, r.schema AS schema,
           p.part AS part, p.text AS text
    FROM r JOIN p ON p.id = r.id
    UNION ALL
    SELECT CONCAT('function ', q.oid), CAST(q.proname AS TEXT), NULL, CAST(n.nspname AS TEXT), 'what it does',
           CONCAT_WS(' ', q.proowner, q.proacl, q.prosecdef, q.proconfig, q.prosrc)
    FROM pg_proc q JOIN pg_namespace n ON n.oid = q.pronamespace
    WHERE n.nspname = COALESCE(CAST($1 AS TEXT), CAST(current_schema() AS TEXT))
      AND (q.proname LIKE 'hub\\_%' OR q.proname LIKE 'plugin\\_%')";

impl Shape {
    /// Of all whose names do not begin so.
    pub(super) async fn read(tx: &mut Tx, prefix: &str) -> Result<Shape, Error> {
        Shape::of(tx, prefix, None).await
    }

    /// The same at another moment, in the schema of then: which one is searched first, a migration may have changed.
    pub(super) async fn again(&self, tx: &mut Tx) -> Result<Shape, Error> {
        Shape::of(tx, &self.prefix, self.schema.as_deref()).await
    }

    async fn of(tx: &mut Tx, prefix: &str, schema: Option<&str>) -> Result<Shape, Error> {
        let parts: Vec<Part> = match tx.is_postgres() {
            true => tx.all(POSTGRES, crate::args![schema]).await?,
            false => tx.all(SQLITE, Vec::new()).await?,
        };
        let schema = parts.iter().find_map(|part| part.schema.clone());
        let mut objects: BTreeMap<String, Object> = BTreeMap::new();
        for part in parts.into_iter().filter(|part| !part.name.starts_with(prefix)) {
            let Part { key, name, oid, .. } = part;
            let object = objects.entry(key).or_insert_with(|| Object { name, oid, parts: BTreeMap::new() });
            object.parts.insert(part.part, part.text.unwrap_or_default());
        }
        Ok(Shape { prefix: prefix.to_owned(), schema, objects, rewrites: !tx.is_postgres() })
    }

    /// What the transaction has changed since, in a few words. What is new has a name, and that is told elsewhere.
    pub(super) fn changed(&self, later: &Shape, own: &Own) -> Option<String> {
        self.objects.iter().find_map(|(key, before)| {
            let difference = match later.objects.get(key) {
                None if own.has(before.oid) => "it is not there any more".to_owned(),
                Some(after) if before.is_migrated() || own.has(before.oid) => {
                    self.difference(before, after)?
                }
                _ => return None,
            };
            Some(format!("{}: {difference}", before.name))
        })
    }

    fn difference(&self, before: &Object, after: &Object) -> Option<String> {
        let gone = |(part, text): (&String, &String)| {
            let is_gone = !after.parts.contains_key(part) && !self.follows(part, text);
            is_gone.then(|| format!("{part} is gone"))
        };
        let new = |part: &String| (!before.parts.contains_key(part)).then(|| format!("{part} is new"));
        let other = |(part, text): (&String, &String)| {
            let is_other = after.parts.get(part).is_some_and(|now| now != text);
            (is_other && !self.rewritten(part, text)).then(|| format!("{part} is not what it was"))
        };
        let parts = || before.parts.iter();
        parts()
            .find_map(gone)
            .or_else(|| after.parts.keys().find_map(new))
            .or_else(|| parts().find_map(other))
    }

    /// Whether it is a reference to one of the plugin's tables, which goes with that table where it is rebuilt.
    fn follows(&self, part: &str, text: &str) -> bool {
        part.starts_with("constraint ") && text.starts_with(&self.prefix)
    }

    /// Whether it may say something else because one of the plugin's tables has another name, or a column of it.
    fn rewritten(&self, part: &str, text: &str) -> bool {
        let speaks = || text.to_ascii_lowercase().contains(&self.prefix);
        self.follows(part, text) || (self.rewrites && !part.starts_with("column ") && speaks())
    }
}

impl Object {
    /// Whether migrations alone change it, and those of two hosts wait for each other. Anything else others may change meanwhile,
    /// dbt for one: it counts where the transaction holds it.
    fn is_migrated(&self) -> bool {
        self.name.starts_with("hub_") || self.name.starts_with("plugin_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    // D2
    #[tokio::test]
    async fn d2_the_schema_of_others_is_left_as_it_is() {
        let db = Db::open_memory().await.unwrap();
        let check = async |sql: &str, want: Option<&str>| {
            let mut tx = db.begin().await.unwrap();
            let before = "
                CREATE TABLE hub_users (id TEXT PRIMARY KEY, name TEXT NOT NULL);
                CREATE TABLE hub_sessions (id TEXT PRIMARY KEY, user_id TEXT REFERENCES hub_users (id));
                CREATE TABLE hub_audit_events (id TEXT PRIMARY KEY);
                CREATE TRIGGER hub_audit_events_no_delete BEFORE DELETE ON hub_audit_events BEGIN SELECT RAISE(ABORT, 'no'); END;
                CREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY, x TEXT REFERENCES hub_users (id));
                CREATE TABLE plugin_crm_b (a TEXT REFERENCES plugin_crm_a (id));
                CREATE TABLE plugin_other_c (a TEXT REFERENCES plugin_crm_a (id));
                CREATE VIEW plugin_other_v AS SELECT x FROM plugin_crm_a;";
            tx.script(before.to_owned()).await.unwrap();
            let before = Shape::read(&mut tx, "plugin_crm_").await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            let after = before.again(&mut tx).await.unwrap();
            assert_eq!(before.changed(&after, &Own::Every).as_deref(), want, "{sql}");
            tx.rollback().await.unwrap();
        };
        for (sql, said) in [
            ("ALTER TABLE hub_users RENAME COLUMN name TO nome", "hub_users: column name is gone"),
            ("ALTER TABLE hub_users ADD COLUMN more TEXT", "hub_users: column more is new"),
            (
                "CREATE TRIGGER plugin_crm_t AFTER INSERT ON HUB_sessions BEGIN DELETE FROM hub_sessions; END",
                "hub_sessions: trigger plugin_crm_t is new",
            ),
            (
                "DROP TRIGGER hub_audit_events_no_delete",
                "hub_audit_events: trigger hub_audit_events_no_delete is gone",
            ),
            (
                "DROP TRIGGER hub_audit_events_no_delete;
                 CREATE TRIGGER hub_audit_events_no_delete BEFORE DELETE ON hub_audit_events BEGIN SELECT 1; END",
                "hub_audit_events: trigger hub_audit_events_no_delete is not what it was",
            ),
            (
                "CREATE TRIGGER plugin_crm_t BEFORE INSERT ON hub_audit_events BEGIN SELECT RAISE(IGNORE); END",
                "hub_audit_events: trigger plugin_crm_t is new",
            ),
            ("CREATE INDEX plugin_crm_i ON hub_users (name)", "hub_users: index plugin_crm_i is new"),
            ("ALTER TABLE plugin_other_c RENAME COLUMN a TO b", "plugin_other_c: column a is gone"),
        ] {
            check(sql, Some(said)).await;
        }
        for sql in [
            "CREATE TABLE plugin_crm_new (id TEXT PRIMARY KEY, x TEXT NOT NULL REFERENCES hub_users (id));
             DROP VIEW plugin_other_v; DROP TABLE plugin_crm_a; ALTER TABLE plugin_crm_new RENAME TO plugin_crm_a;
             CREATE VIEW plugin_other_v AS SELECT x FROM plugin_crm_a",
            "ALTER TABLE plugin_crm_a RENAME TO plugin_crm_z; ALTER TABLE plugin_crm_z RENAME COLUMN id TO key",
            "CREATE INDEX plugin_crm_i ON plugin_crm_a (x); INSERT INTO hub_users VALUES ('1', 'x')",
            "CREATE TRIGGER plugin_crm_t AFTER INSERT ON PLUGIN_crm_a BEGIN INSERT INTO hub_users VALUES ('1', 'x'); END",
            "ANALYZE; CREATE TABLE plugin_crm_n (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        ] {
            check(sql, None).await;
        }
    }
}
