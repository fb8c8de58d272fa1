//! What a migration may do without a word of it in its text: a trigger, a rule or a function that is in the database already
//! removes something when rows are added, and changes tables that the text does not name.

use super::{Error, Tx};

/// A trigger whose text has INSERT in it may fire, and a table that says REPLACE may put rows in the place of others.
const SQLITE: &str = "
    SELECT count(*) FROM sqlite_schema
    WHERE (type = 'trigger' AND sql LIKE '%insert%') OR (type = 'table' AND sql LIKE '%replace%')";

/// What fires when rows are added; the bit and the digit stand for that. What references need is the server's own.
const TRIGGERS: &str = "
    SELECT (SELECT count(*) FROM pg_trigger t
            WHERE NOT t.tgisinternal AND (CAST(t.tgtype AS INTEGER) & 4) <> 0)
         + (SELECT count(*) FROM pg_rewrite r WHERE r.ev_type = '3')";

/// What this user has made and any expression may call; those of triggers and extensions aside. What is not volatile changes
/// nothing.
const FUNCTIONS: &str = "
    SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.provolatile = 'v'
      AND p.proowner = (SELECT u.oid FROM pg_roles u WHERE u.rolname = current_user)
      AND p.prorettype NOT IN (SELECT y.oid FROM pg_type y WHERE y.typname IN ('trigger', 'event_trigger'))
      AND NOT EXISTS (SELECT 1 FROM pg_depend d
                      WHERE d.classid = CAST('pg_proc' AS regclass) AND d.objid = p.oid AND d.deptype = 'e')";

/// Whether a text that removes nothing by its own words may do so by what there is in the database.
pub(super) async fn may_follow(tx: &mut Tx, sql: &str) -> Result<bool, Error> {
    let lower = sql.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    let adds = words.any(|word| matches!(word, "insert" | "copy"));
    let causes: &[&'static str] = match (tx.is_postgres(), adds) {
        (false, false) => &[],
        (false, true) => &[SQLITE],
        (true, false) => &[FUNCTIONS],
        (true, true) => &[FUNCTIONS, TRIGGERS],
    };
    for cause in causes {
        let count: i64 = tx.value(*cause, Vec::new()).await?;
        if count > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What says on SQLite which tables a migration may touch: its own text, and those of the triggers that are there before it. None on
/// PostgreSQL, which counts what is written to each table.
#[derive(Debug)]
pub(super) struct Texts(Option<String>);

impl Texts {
    pub(super) async fn of(tx: &mut Tx, sql: &str) -> Result<Texts, Error> {
        if tx.is_postgres() {
            return Ok(Texts(None));
        }
        let triggers = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND sql IS NOT NULL";
        let triggers: Vec<(String,)> = tx.all(triggers, Vec::new()).await?;
        let all = triggers.into_iter().map(|(text,)| text).chain([sql.to_owned()]);
        Ok(Texts(Some(all.collect::<Vec<_>>().join(" ").to_ascii_lowercase())))
    }

    /// Whether they name this table. One whose name is no word is taken for named.
    pub(super) fn may_touch(&self, table: &str) -> bool {
        let is_sign = |c: char| !c.is_alphanumeric() && c != '_';
        let table = table.to_ascii_lowercase();
        let named = |text: &String| text.split(is_sign).any(|word| word == table);
        table.contains(is_sign) || self.0.as_ref().is_none_or(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[tokio::test]
    async fn d2_a_table_is_touched_by_its_name_or_by_a_trigger_that_says_it() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let made = "CREATE TABLE a (x); CREATE TABLE b (x);
            CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE B SET x = 1; END";
        tx.script(made.to_owned()).await.unwrap();
        let texts = Texts::of(&mut tx, "UPDATE \"C\" SET x = (SELECT x FROM main.d)").await.unwrap();
        let touched: Vec<&str> =
            ["b", "c", "d", "e", "not a word"].into_iter().filter(|table| texts.may_touch(table)).collect();
        assert_eq!(touched, ["b", "c", "d", "not a word"]);
        assert!(Texts(None).may_touch("e"));
    }
}
