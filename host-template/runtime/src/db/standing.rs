//! What a database is to the platform, found out before anything is written to it.

use super::migrate::Owner;
use super::{AssertSqlSafe, Db, Error, rights};
use crate::args;

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A host has worked with it.
    Begun,
    /// It holds nothing.
    Empty,
    /// A server's, with these tables of others, which the platform's own can lie beside.
    Beside(Vec<String>),
    /// A file with these tables, and none of the platform's: a file is one application's.
    Foreign(Vec<String>),
    /// What would be the platform's own tables is there already, and nothing says that a host has made it.
    Taken(Vec<String>),
}

/// What mends a database that is not there, or that no host has begun.
pub(crate) const WHICH: &str = "see that DATABASE_URL (.env in the data folder) and the data folder are those of this installation, \
    and bring the database back from a copy where it is lost; where no host has ever been started, start it: the first start \
    makes its tables";

/// What mends one in which no host can begin.
const OWN: &str = "see that DATABASE_URL (.env in the data folder) and the data folder are those of this installation, and bring \
    the database back from a copy where it is lost; a new installation needs a file of its own, or on PostgreSQL a database or a \
    schema (search_path) in which its names are free";

impl Standing {
    /// In a sentence; none of one that is as it should be.
    pub(crate) fn told(&self, shown: &str) -> Option<String> {
        match self {
            Standing::Begun => None,
            Standing::Empty => {
                Some(format!("the database {shown} is empty: no host has ever worked with it"))
            }
            Standing::Beside(tables) | Standing::Foreign(tables) => Some(format!(
                "the database {shown} is not the platform's: it has other tables ({}), and none of the platform's",
                rights::short(tables)
            )),
            Standing::Taken(names) => Some(format!(
                "the database {shown} has what is called like the platform's tables ({}), and nothing in it says that a host has \
                 made them",
                rights::short(names)
            )),
        }
    }

    /// Whether a host can make its tables there.
    pub(crate) fn may_begin(&self) -> bool {
        match self {
            Standing::Begun | Standing::Empty | Standing::Beside(_) => true,
            Standing::Foreign(_) | Standing::Taken(_) => false,
        }
    }

    /// What mends it.
    pub(crate) fn help(&self) -> &'static str {
        if self.may_begin() { WHICH } else { OWN }
    }

    /// What it is. Nothing is changed.
    pub(crate) async fn find(db: &Db) -> Result<Standing, Error> {
        if is_begun(db).await? {
            return Ok(Standing::Begun);
        }
        let sql = if db.is_postgres() { POSTGRES_ALL } else { hub_manifest::migrations::SQLITE_TABLES };
        let others: Vec<(String,)> = db.all(sql, args![]).await?;
        let others = others.into_iter().map(|(name,)| name);
        // A start of an earlier release that ended between the two left that table alone.
        let others: Vec<String> =
            others.filter(|name| name != REMEMBERS && !name.starts_with("sqlite_")).collect();
        let taken = taken(db, &others).await?;
        if others.is_empty() && taken.is_empty() {
            return Ok(Standing::Empty);
        }
        // Another host may have made them since it was asked.
        if is_begun(db).await? {
            return Ok(Standing::Begun);
        }
        Ok(match (taken.is_empty(), db.is_postgres()) {
            (false, _) => Standing::Taken(taken),
            (true, true) => Standing::Beside(others),
            (true, false) => Standing::Foreign(others),
        })
    }
}

/// The table that remembers which migrations ran.
const REMEMBERS: &str = "hub_plugin_migrations";

/// All tables and views of people's own, whoever may read them; what an extension brings is nobody's.
const POSTGRES_ALL: &str = "SELECT CAST(c.relname AS TEXT) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1";

/// Whether migrations of the platform's have run there.
async fn is_begun(db: &Db) -> Result<bool, Error> {
    let sql = match db.is_postgres() {
        // As names are looked up, so that a table of another schema is none.
        true => {
            "SELECT CAST(count(*) AS BIGINT) FROM (SELECT to_regclass('hub_plugin_migrations') AS t) AS f WHERE t IS NOT NULL"
        }
        false => "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'hub_plugin_migrations'",
    };
    if db.value::<i64>(sql, args![]).await? == 0 {
        return Ok(false);
    }
    let sql = "SELECT count(*) FROM hub_plugin_migrations WHERE plugin = $1";
    Ok(db.value::<i64>(sql, args![Owner::Platform.key()]).await? > 0)
}

/// Names of the platform's tables that lead to something already, as statements would find them.
async fn taken(db: &Db, others: &[String]) -> Result<Vec<String>, Error> {
    let own = rights::tables().filter(|name| *name != REMEMBERS);
    if !db.is_postgres() {
        return Ok(own.filter(|name| others.iter().any(|other| other == name)).map(str::to_owned).collect());
    }
    let names: Vec<String> = own.map(|name| format!("('{name}')")).collect();
    let sql = format!(
        "SELECT w.name AS name FROM (VALUES {}) AS w (name) WHERE to_regclass(w.name) IS NOT NULL ORDER BY 1",
        names.join(", ")
    );
    let taken: Vec<(String,)> = db.all(AssertSqlSafe(sql), args![]).await?;
    Ok(taken.into_iter().map(|(name,)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_judged_by_what_is_in_it() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let remembers = "CREATE TABLE hub_plugin_migrations (plugin TEXT, name TEXT)";
        let ran = "INSERT INTO hub_plugin_migrations VALUES ('(platform)', '0001_records.sql')";
        for (statements, want) in [
            (&[][..], Standing::Empty),
            // Left by a start that ended too soon.
            (&[remembers], Standing::Empty),
            (&[remembers, ran], Standing::Begun),
            (&["CREATE TABLE invoices (id TEXT)"], Standing::Foreign(names(&["invoices"]))),
            (&["CREATE VIEW v AS SELECT 1", remembers], Standing::Foreign(names(&["v"]))),
            (&["CREATE TABLE invoices (id TEXT)", remembers, ran], Standing::Begun),
            (
                &["CREATE TABLE invoices (id TEXT)", "CREATE TABLE hub_users (id TEXT)"],
                Standing::Taken(names(&["hub_users"])),
            ),
        ] {
            let db = Db::open_memory().await.unwrap();
            for sql in statements {
                db.execute(*sql, args![]).await.unwrap();
            }
            let standing = Standing::find(&db).await.unwrap();
            assert_eq!(standing, want, "{statements:?}");
            let may_begin = matches!(want, Standing::Empty | Standing::Begun);
            assert_eq!(standing.may_begin(), may_begin, "{statements:?}");
            assert_eq!(standing.told("hub.db").is_none(), want == Standing::Begun);
        }
    }
}
