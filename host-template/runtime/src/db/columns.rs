//! The columns of the platform's tables, and which tables and columns a database does not have.

use super::{AssertSqlSafe, Db, Error, Tx};

/// All tables of the platform with their columns, by name. A test holds the list to the migrations; names are the same on both
/// engines.
pub(super) const COLUMNS: &[(&str, &str)] = &[
    (
        "hub_audit_events",
        "actor_email actor_id details event_type from_state id org_id plugin scope tenant_id time to_state",
    ),
    ("hub_dashboards", "created_at id org_id plugin slug title updated_at widgets"),
    ("hub_group_members", "group_id user_id"),
    ("hub_group_permissions", "group_id permission"),
    ("hub_groups", "created_at id name org_id plugin"),
    ("hub_hosts", "about id life name place seen_at"),
    (
        "hub_invitations",
        "created_at email expires_at group_ids id invited_by mail name org_id role tenant_ids token_hash",
    ),
    ("hub_members", "created_at org_id role user_id"),
    ("hub_org_plugins", "changed_at org_id origin plugin state"),
    ("hub_orgs", "created_at id name revision"),
    ("hub_plugin_migrations", "applied_at checksum name plugin"),
    ("hub_records", "created_at fields id org_id source status subtitle title"),
    ("hub_run_logs", "run_id seq text"),
    (
        "hub_runs",
        "cancel created_at error finished_at host id kind lineage options org_id plugin requested_by seen_at slug started_at state tenant_id workspace",
    ),
    ("hub_seeds", "kind org_id plugin seeded_at slug"),
    ("hub_sessions", "created_at expires_at id org_id tenant_id user_id"),
    ("hub_state", "name value"),
    ("hub_tenant_members", "tenant_id user_id"),
    ("hub_tenant_plugins", "changed_at plugin state tenant_id"),
    ("hub_tenants", "created_at id name org_id"),
    ("hub_users", "created_at email id name password"),
    ("hub_warehouses", "adapter host org_id own_profile since workspace"),
];

/// What is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// Tables that are not there, or that this user does not see.
    pub(super) tables: Vec<String>,
    /// Columns of tables that are there, as `table.column`.
    pub(super) columns: Vec<String>,
}

impl Absent {
    /// In this database.
    pub(super) async fn find(db: &Db) -> Result<Absent, Error> {
        let postgres = db.is_postgres();
        let tables = db.all::<(String,)>(AssertSqlSafe(no_table(postgres)), Vec::new()).await?;
        let columns = db.all::<(String,)>(AssertSqlSafe(no_column(postgres)), Vec::new()).await?;
        Ok(Absent::of(tables, columns))
    }

    /// As a transaction sees it.
    pub(super) async fn find_in(tx: &mut Tx) -> Result<Absent, Error> {
        let postgres = tx.is_postgres();
        let tables = tx.all::<(String,)>(AssertSqlSafe(no_table(postgres)), Vec::new()).await?;
        let columns = tx.all::<(String,)>(AssertSqlSafe(no_column(postgres)), Vec::new()).await?;
        Ok(Absent::of(tables, columns))
    }

    fn of(tables: Vec<(String,)>, columns: Vec<(String,)>) -> Absent {
        let plain = |names: Vec<(String,)>| names.into_iter().map(|(name,)| name).collect();
        Absent { tables: plain(tables), columns: plain(columns) }
    }
}

/// The names of tables that are not there. Found as statements find them, by the search path.
fn no_table(postgres: bool) -> String {
    let names: Vec<String> = COLUMNS.iter().map(|(table, _)| format!("('{table}')")).collect();
    let is_absent = match postgres {
        true => "to_regclass(w.name) IS NULL",
        false => "w.name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table')",
    };
    format!(
        "WITH w (name) AS (VALUES {}) SELECT w.name AS name FROM w WHERE {is_absent} ORDER BY 1",
        names.join(", ")
    )
}

/// The names of columns that are not there, of tables that are.
fn no_column(postgres: bool) -> String {
    let names = COLUMNS.iter().flat_map(|(table, columns)| {
        columns.split(' ').map(move |column| format!("('{table}', '{column}')"))
    });
    let names: Vec<String> = names.collect();
    let is_absent = match postgres {
        true => {
            "to_regclass(w.place) IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM pg_attribute a WHERE a.attrelid = CAST(to_regclass(w.place) AS oid) AND a.attnum > 0
                  AND NOT a.attisdropped AND CAST(a.attname AS TEXT) = w.name)"
        }
        false => {
            "w.place IN (SELECT name FROM sqlite_schema WHERE type = 'table') AND (w.place, w.name) NOT IN
                 (SELECT m.name, lower(c.name) FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table')"
        }
    };
    format!(
        "WITH w (place, name) AS (VALUES {}) SELECT w.place || '.' || w.name AS name FROM w WHERE {is_absent} ORDER BY 1",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::migrate::{self, Owner};

    /// O3: what somebody has removed or renamed is told by its name.
    #[tokio::test]
    async fn o3_the_list_of_columns_is_that_of_the_migrations() {
        let db = Db::open_memory().await.unwrap();
        migrate::prepare(&db).await.unwrap();
        migrate::run(&db, Owner::Platform, &crate::api::migrations(&db)).await.unwrap();
        let sql =
            "SELECT m.name AS place, c.name AS name FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c
                   WHERE m.type = 'table' AND m.name LIKE 'hub\\_%' ESCAPE '\\' ORDER BY 1, 2";
        let made: Vec<(String, String)> = db.all(sql, Vec::new()).await.unwrap();
        let listed: Vec<(String, String)> = COLUMNS
            .iter()
            .flat_map(|(table, columns)| {
                columns.split(' ').map(move |column| ((*table).to_owned(), column.to_owned()))
            })
            .collect();
        assert_eq!(made, listed);
        assert_eq!(Absent::find(&db).await.unwrap(), Absent::default());
        for sql in [
            "ALTER TABLE hub_users RENAME COLUMN name TO nome",
            "ALTER TABLE hub_runs DROP COLUMN options",
            "DROP TABLE hub_seeds",
        ] {
            db.execute(sql, Vec::new()).await.unwrap();
        }
        let found = Absent::find(&db).await.unwrap();
        assert_eq!(
            (found.tables.join(" "), found.columns.join(" ")),
            ("hub_seeds".to_owned(), "hub_runs.options hub_users.name".to_owned(),)
        );
        let mut tx = db.begin().await.unwrap();
        assert_eq!(Absent::find_in(&mut tx).await.unwrap(), found);
    }
}
