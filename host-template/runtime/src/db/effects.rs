//! What a migration may do without a word of it in its text: a trigger, a rule or a function that is in the database already
//! removes something when rows are added.

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
