//! What was there before and is not there after: two counts of a database, held against each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::census::{Census, Deeds, Table};
use super::own::Own;

/// Something that was there before and is not there after, or of which that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) table: String,
    /// None where rows are gone.
    pub(crate) column: Option<String>,
    /// None where it is not known.
    pub(crate) before: Option<i64>,
    /// None where it is not known.
    pub(crate) after: Option<i64>,
    /// Whether the numbers are estimated.
    pub(crate) about: bool,
    /// Whether the numbers are those of different values: all are there still, and many have become the same.
    #[serde(default)]
    pub(crate) alike: bool,
}

impl Loss {
    /// As a migration and an operator name it: `table` or `table.column`.
    pub(crate) fn name(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        }
    }

    /// Whether it is only not known that nothing is lost.
    pub(crate) fn is_unknown(&self) -> bool {
        self.before.is_none() || self.after.is_none()
    }

    /// What a migration does, in words.
    pub(crate) fn does(&self) -> &'static str {
        if self.is_unknown() {
            "may remove data"
        } else if self.alike {
            "makes many different values the same"
        } else {
            "removes data"
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.about { "about " } else { "" };
        let what = if self.column.is_some() { "values" } else { "rows" };
        let name = self.name();
        match (self.before, self.after) {
            (Some(before), Some(after)) if self.alike => {
                write!(f, "{name}: at least {before} different values before, about {after} after")
            }
            (Some(before), Some(after)) => write!(f, "{name}: {about}{before} {what} before, {after} after"),
            _ => write!(f, "{name}: its {what} were not counted in time"),
        }
    }
}

/// What came of holding two counts against each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// By name.
    pub(crate) lost: Vec<Loss>,
    /// Tables of which an estimate says that nothing is lost.
    pub(crate) estimated: BTreeSet<String>,
    /// Columns whose values are all there still, and hold less.
    pub(crate) shorter: BTreeSet<String>,
    /// Columns that hold as many values as before, and others; or more of them, and not all those of before.
    pub(crate) changed: BTreeSet<String>,
    /// Tables that were counted, and whose values could not be read.
    pub(crate) unread: BTreeSet<String>,
}

impl Census {
    /// What is here and no longer in the later one, as far as the transaction itself has done it. A table or column that has
    /// another name then is not lost; a new one stands for one that is gone and no more.
    pub(crate) fn lost(&self, later: &Census) -> Compared {
        let mut compared = Compared::default();
        let mut gone = Vec::new();
        for (name, before) in &self.tables {
            match later.same(name, before) {
                Some(after) => before.compare(name, after, &later.own, &mut compared),
                None if later.own.has(before.oid()) => gone.push((name, before)),
                None => {}
            }
        }
        let is_new =
            |name: &str, table: &Table| self.same(name, table).is_none() && later.own.has(table.oid());
        let mut new: BTreeMap<&str, &Table> = later
            .tables
            .iter()
            .filter(|(name, table)| is_new(name, table))
            .map(|(name, table)| (name.as_str(), table))
            .collect();
        // A new table takes the place of the one of its name before anything is guessed; then the largest find theirs first.
        gone.sort_by_key(|(name, before)| (!new.contains_key(name.as_str()), Reverse(before.rows)));
        for (name, before) in gone {
            let twin = match new.contains_key(name.as_str()) {
                true => Some(name.as_str()),
                false => before.twin(&new),
            };
            match twin.and_then(|twin| new.remove(twin)) {
                Some(after) => before.compare(name, after, &later.own, &mut compared),
                None => compared.lost.extend(before.all_of(name)),
            }
        }
        compared.lost.sort();
        compared
    }
}

/// What of a table the transaction can have made less.
#[derive(Clone, Copy)]
pub(super) struct Touched {
    rows: bool,
    values: bool,
    columns: bool,
}

impl Touched {
    const ALL: Touched = Touched { rows: true, values: true, columns: true };

    pub(super) fn any(self) -> bool {
        self.rows || self.values || self.columns
    }
}

impl Table {
    /// What the transaction can have done to it between two counts. What others did is no business of a migration's.
    pub(super) fn touched(&self, after: &Table, own: &Own) -> Touched {
        let (Some(was), Some(is)) = (&self.mark, &after.mark) else { return Touched::ALL };
        // Another table has its place, or nobody else could write meanwhile: the numbers say it all.
        if was.oid != is.oid || was.alone {
            return Touched::ALL;
        }
        let columns = own.has(Some(is.oid));
        let (Some(Deeds { updated, deleted, .. }), Some(now)) = (was.deeds, is.deeds) else {
            return Touched { columns, ..Touched::ALL };
        };
        let rows = (columns && was.file != is.file) || deleted != now.deleted;
        Touched { rows, values: rows || updated != now.updated, columns }
    }

    fn compare(&self, name: &str, after: &Table, own: &Own, compared: &mut Compared) {
        let touched = self.touched(after, own);
        let less = match (self.rows, after.rows) {
            (Some(before), Some(now)) => {
                (touched.rows && now < before).then(|| rows(name, Some(before), Some(now), false))
            }
            (Some(0), _) => None,
            _ if !touched.any() => None,
            _ => {
                compared.estimated.insert(name.to_owned());
                self.estimated(name, after).filter(|_| touched.rows)
            }
        };
        if let Some(less) = less {
            compared.estimated.remove(name);
            compared.lost.push(less);
            return;
        }
        let known = compared.lost.len();
        let pairs = self.compare_columns(name, after, touched, &mut compared.lost);
        let pairs: Vec<_> =
            pairs.into_iter().filter(|(column, twin)| touched.values || column != twin).collect();
        compared.lost.extend(pairs.iter().filter_map(|(column, twin)| self.alike(name, column, after, twin)));
        let lost: BTreeSet<&str> =
            compared.lost[known..].iter().filter_map(|loss| loss.column.as_deref()).collect();
        let mut less = BTreeSet::new();
        if touched.values {
            for (column, told) in self.shorter(name, after, |column| lost.contains(column)) {
                less.insert(column);
                compared.shorter.insert(told);
            }
        }
        for (column, twin) in pairs.into_iter().filter(|(column, _)| !lost.contains(column)) {
            match self.changed(column, after, twin) {
                Some(true) if !less.contains(column) => {
                    compared.changed.insert(format!("{name}.{column}"));
                }
                None if self.is_own && after.is_own => {
                    compared.unread.insert(name.to_owned());
                }
                Some(_) | None => {}
            }
        }
    }

    /// The loss of a column in which many different values have become few, although as many are there.
    fn alike(&self, name: &str, column: &str, after: &Table, twin: &str) -> Option<Loss> {
        let (before, now) = (*self.digests.get(column)?, *after.digests.get(twin)?);
        before.has_collapsed(now).then(|| Loss {
            table: name.to_owned(),
            column: Some(column.to_owned()),
            before: Some(before.different().into()),
            after: Some(now.different().into()),
            about: true,
            alike: true,
        })
    }

    /// Whether a column holds other values than before; none where it is not known. Where there are more of them than before
    /// those that came are no change, but that some are gone is.
    fn changed(&self, column: &str, after: &Table, twin: &str) -> Option<bool> {
        let counts = (*self.columns.get(column)?, *after.columns.get(twin)?);
        // That these were not counted is told.
        let (Some(before), Some(now)) = counts else { return Some(false) };
        if before == 0 || now < before {
            return Some(false);
        }
        let (was, is) = (*self.digests.get(column)?, *after.digests.get(twin)?);
        Some(if now == before { was != is } else { was.has_lost(is) })
    }

    /// The columns that hold less than before, and with what they hold; those of which it is known anyhow aside.
    fn shorter(&self, name: &str, after: &Table, known: impl Fn(&str) -> bool) -> Vec<(&str, String)> {
        let sizes = self.sizes.iter().filter(|(column, _)| !known(column));
        let less = sizes.filter_map(|(column, before)| {
            let now = after.sizes.get(column)?.all;
            let told = || format!("{name}.{column}: {} bytes before, {now} after", before.texts);
            (now < before.texts).then(|| (column.as_str(), told()))
        });
        less.collect()
    }

    /// Whether the transaction has changed or removed rows of it, whatever their number is.
    pub(super) fn altered(&self, after: &Table, own: &Own) -> bool {
        let (Some(was), Some(is)) = (&self.mark, &after.mark) else { return false };
        let deeds = match (was.deeds, is.deeds) {
            (Some(was), Some(is)) => was.updated != is.updated || was.deleted != is.deleted,
            _ => false,
        };
        deeds || (own.has(Some(is.oid)) && was.file != is.file)
    }

    /// Whether there is less in it, where it was not counted both times: by what was written meanwhile, else by what the
    /// server believes. An estimate is held against another one only, and what has none is not known.
    fn estimated(&self, name: &str, after: &Table) -> Option<Loss> {
        let (Some(was), Some(is)) = (&self.mark, &after.mark) else {
            return Some(rows(name, self.rows, after.rows, true)).filter(Loss::is_unknown);
        };
        let nothing = |bytes: i64| (bytes == 0).then_some(0);
        let before = self.rows.or(nothing(was.bytes)).or(was.believed);
        let same = was.oid == is.oid;
        let now = match (was.deeds, is.deeds) {
            (Some(then), Some(now)) if same && was.file == is.file => {
                let less = (now.deleted - then.deleted) - (now.inserted - then.inserted);
                if less <= 0 {
                    return None;
                }
                before.map(|before| (before - less).max(0))
            }
            // All that is in it was written by the transaction.
            (_, Some(deeds)) if !same => nothing(is.bytes).or(Some(deeds.inserted - deeds.deleted)),
            _ => nothing(is.bytes).or(is.believed),
        };
        match (before, now) {
            (Some(0), _) => None,
            (Some(before), Some(now)) => (now < before).then(|| rows(name, Some(before), Some(now), true)),
            _ => Some(rows(name, before, None, true)),
        }
    }

    /// What the columns have lost; gives those that are there still, with what they are called now.
    fn compare_columns<'t>(
        &'t self,
        name: &str,
        after: &'t Table,
        touched: Touched,
        lost: &mut Vec<Loss>,
    ) -> Vec<(&'t str, &'t str)> {
        let mut new: Vec<(&str, Option<i64>)> = after
            .columns
            .iter()
            .filter(|(column, _)| !self.columns.contains_key(*column))
            .map(|(column, values)| (column.as_str(), *values))
            .collect();
        // The fullest find theirs first, of these the ones with the most different values.
        let mut columns: Vec<(&str, Option<i64>)> = self
            .columns
            .iter()
            .filter(|(_, before)| **before != Some(0))
            .map(|(column, before)| (column.as_str(), *before))
            .collect();
        columns.sort_by_key(|(column, before)| (Reverse(*before), Reverse(self.different(column))));
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        // What holds the very same is the same column, before anything is guessed.
        for &(column, before) in &columns {
            let digest = self.digests.get(column);
            if digest.is_none() || !touched.columns || after.columns.contains_key(column) {
                continue;
            }
            let same = |(twin, values): &(&str, Option<i64>)| {
                *values == before && after.digests.get(*twin) == digest
            };
            if let Some(at) = new.iter().position(same) {
                pairs.push((column, new.swap_remove(at).0));
            }
        }
        for (column, before) in columns {
            let loss = |after| Loss {
                table: name.to_owned(),
                column: Some(column.to_owned()),
                before,
                after,
                about: false,
                alike: false,
            };
            match (before, after.columns.get(column)) {
                (Some(before), Some(Some(now))) if touched.values && *now < before => {
                    lost.push(loss(Some(*now)));
                }
                (_, Some(_)) => pairs.push((column, column)),
                (_, None) if !touched.columns || pairs.iter().any(|(found, _)| *found == column) => {}
                // Each new column stands for one that is gone.
                (_, None) => match self.fitting(column, before, after, &new) {
                    Some(at) => pairs.push((column, new.swap_remove(at).0)),
                    None => lost.push(loss(Some(0))),
                },
            }
        }
        pairs
    }

    /// The place of the new column that may hold what one did that is gone: of those that hold as many values one in which they
    /// have not become the same, then the one that holds the fewest, then the one with the most different ones. One that was not
    /// counted fits as well as any.
    fn fitting(
        &self,
        column: &str,
        before: Option<i64>,
        after: &Table,
        new: &[(&str, Option<i64>)],
    ) -> Option<usize> {
        let fits = |values: Option<i64>| before.zip(values).is_none_or(|(before, values)| values >= before);
        let collapsed = |twin: &str| {
            let digests = self.digests.get(column).zip(after.digests.get(twin));
            digests.is_some_and(|(was, is)| was.has_collapsed(*is))
        };
        let fit = new.iter().enumerate().filter(|(_, (_, values))| fits(*values));
        fit.min_by_key(|(_, (twin, values))| (collapsed(twin), *values, Reverse(after.different(twin))))
            .map(|(at, _)| at)
    }

    /// How many different values a column holds at the least, as far as they were read.
    fn different(&self, column: &str) -> u32 {
        self.digests.get(column).map_or(0, |digest| digest.different())
    }

    /// Of the new tables that may hold all that this one did, the one of which that is known best and that holds least.
    fn twin<'n>(&self, new: &BTreeMap<&'n str, &Table>) -> Option<&'n str> {
        let doubt = |table: &Table| match (self.rows, table.rows) {
            (Some(before), Some(now)) => (now >= before).then_some(0),
            _ => Some(1 + u8::from(self.estimated("", table).is_some())),
        };
        let columns = |table: &Table| self.columns.keys().all(|column| table.columns.contains_key(column));
        let fits = new.iter().filter(|(_, table)| !self.columns.is_empty() && columns(table));
        let known = fits.filter_map(|(name, table)| Some((doubt(table)?, table.rows, *name)));
        known.min().map(|(_, _, name)| name)
    }

    /// The loss of the whole table; none where nothing was in it.
    fn all_of(&self, name: &str) -> Option<Loss> {
        let empty = self.mark.as_ref().and_then(|mark| if mark.bytes == 0 { Some(0) } else { mark.believed });
        let before = self.rows.or(empty);
        (before != Some(0)).then(|| rows(name, before, Some(0), self.rows.is_none()))
    }
}

fn rows(name: &str, before: Option<i64>, after: Option<i64>, about: bool) -> Loss {
    Loss { table: name.to_owned(), column: None, before, after, about, alike: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::db::Db;
    use crate::db::budget::Budget;
    use crate::db::census::Mark;

    const TIME: Duration = Duration::from_secs(9);

    async fn lost(before: &str, sql: &str, times: [Duration; 2]) -> (Vec<String>, BTreeSet<String>) {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.script(before.to_owned()).await.unwrap();
        let before = Census::take(&mut tx, &mut Budget::of(times[0]), None, "").await.unwrap();
        tx.script(sql.to_owned()).await.unwrap();
        let after = Census::take(&mut tx, &mut Budget::of(times[1]), Some(&before), "").await.unwrap();
        let Compared { lost, estimated, .. } = before.lost(&after);
        (lost.iter().map(Loss::to_string).collect(), estimated)
    }

    #[tokio::test]
    async fn d2_what_is_lost_is_named() {
        let check = async |sql: &str, want: &[&str]| {
            let before = "CREATE TABLE a (id TEXT PRIMARY KEY, x TEXT, y TEXT);
                INSERT INTO a VALUES ('1', 'x', NULL), ('2', NULL, NULL);
                CREATE TABLE \"odd \"\" name\" (\"odd \"\" column\" TEXT);
                INSERT INTO \"odd \"\" name\" VALUES ('1'); CREATE TABLE empty (id TEXT);";
            assert_eq!(lost(before, sql, [TIME; 2]).await.0, want, "{sql}");
        };
        check("INSERT INTO a VALUES ('3', NULL, NULL); DROP TABLE empty", &[]).await;
        check(
            "ALTER TABLE a RENAME TO b; ALTER TABLE b RENAME COLUMN x TO z",
            &["a: 2 rows before, 0 after"],
        )
        .await;
        check("ALTER TABLE a RENAME TO b", &[]).await;
        check("ALTER TABLE a RENAME COLUMN x TO z", &[]).await;
        check("ALTER TABLE a DROP COLUMN y", &[]).await;
        check("ALTER TABLE a DROP COLUMN x", &["a.x: 1 values before, 0 after"]).await;
        check("UPDATE a SET x = NULL", &["a.x: 1 values before, 0 after"]).await;
        check("UPDATE a SET x = ''", &["a.x: 1 values before, 0 after"]).await;
        check("UPDATE a SET y = ''; ALTER TABLE a DROP COLUMN y", &[]).await;
        check(
            "CREATE TABLE n (id TEXT PRIMARY KEY, x TEXT, y TEXT); INSERT INTO n SELECT id, '', y FROM a;
             DROP TABLE a; ALTER TABLE n RENAME TO a",
            &["a.x: 1 values before, 0 after"],
        )
        .await;
        check("DELETE FROM a WHERE id = '1'", &["a: 2 rows before, 1 after"]).await;
        check("DROP TABLE a", &["a: 2 rows before, 0 after"]).await;
        check("DROP TABLE a; CREATE TABLE a (id TEXT, x TEXT, y TEXT)", &["a: 2 rows before, 0 after"]).await;
        check("DELETE FROM \"odd \"\" name\"", &["odd \" name: 1 rows before, 0 after"]).await;
    }
    #[tokio::test]
    async fn d2_a_new_table_or_column_stands_for_one_that_is_gone() {
        let check = async |sql: &str, want: &[&str]| {
            let before = "CREATE TABLE a (id TEXT); INSERT INTO a VALUES (1), (2), (3), (4), (5);
                CREATE TABLE b (id TEXT); INSERT INTO b SELECT id FROM a; CREATE TABLE c (id TEXT); INSERT INTO c VALUES (1);
                CREATE TABLE d (x TEXT, y TEXT); INSERT INTO d VALUES (1, 1), (2, NULL);";
            assert_eq!(lost(before, sql, [TIME; 2]).await.0, want, "{sql}");
        };
        let gone = "DROP TABLE a; DROP TABLE b;";
        check(
            &format!("ALTER TABLE a RENAME TO n; {gone}").replace("DROP TABLE a;", ""),
            &["b: 5 rows before, 0 after"],
        )
        .await;
        check(&format!("CREATE TABLE n AS SELECT id FROM a; {gone}"), &["b: 5 rows before, 0 after"]).await;
        check(
            &format!("CREATE TABLE n AS SELECT id FROM a; CREATE TABLE m AS SELECT id FROM b; {gone}"),
            &[],
        )
        .await;
        // The one of its own name, and the one that just fits, whatever the names are.
        check("ALTER TABLE a RENAME TO z; ALTER TABLE c RENAME TO a", &["a: 5 rows before, 1 after"]).await;
        check("ALTER TABLE c RENAME TO m; ALTER TABLE a RENAME TO n; ALTER TABLE b RENAME TO o", &[]).await;
        check("ALTER TABLE c RENAME TO o; ALTER TABLE a RENAME TO n; ALTER TABLE b RENAME TO m", &[]).await;
        check("ALTER TABLE d RENAME COLUMN x TO n; ALTER TABLE d RENAME COLUMN y TO m", &[]).await;
        check("ALTER TABLE d RENAME COLUMN x TO m; ALTER TABLE d RENAME COLUMN y TO n", &[]).await;
        check(
            "ALTER TABLE d RENAME COLUMN y TO n; ALTER TABLE d DROP COLUMN x",
            &["d.x: 2 values before, 0 after"],
        )
        .await;
        check(
            "ALTER TABLE d RENAME COLUMN x TO n; ALTER TABLE d DROP COLUMN y",
            &["d.y: 1 values before, 0 after"],
        )
        .await;
    }

    #[tokio::test]
    async fn d2_values_that_hold_less_are_told() {
        let check = async |sql: &str, want: &[&str]| {
            let db = Db::open_memory().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let before = "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT, y TEXT, n INTEGER, b BLOB);
                INSERT INTO a VALUES (1, 'long text', '10', 10, x'0102'), (2, NULL, '', NULL, NULL);";
            tx.script(before.to_owned()).await.unwrap();
            let before = Census::take(&mut tx, &mut Budget::of(TIME), None, "").await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            let after = Census::take(&mut tx, &mut Budget::of(TIME), Some(&before), "").await.unwrap();
            let compared = before.lost(&after);
            assert_eq!(compared.shorter.into_iter().collect::<Vec<_>>(), want, "{sql}");
        };
        let rebuilt = |columns: &str, values: &str| {
            format!(
                "CREATE TABLE m (id INTEGER PRIMARY KEY, {columns}); INSERT INTO m SELECT id, {values} FROM a; DROP TABLE a;
                 ALTER TABLE m RENAME TO a"
            )
        };
        let columns = "x TEXT, y TEXT, n INTEGER, b BLOB";
        check(&rebuilt(columns, "x, y, n, b"), &[]).await;
        check("UPDATE a SET n = 9, x = 'longer than it was'", &[]).await;
        check(&rebuilt("x TEXT, y INTEGER, n TEXT, b BLOB", "x, nullif(y, ''), n, b"), &[]).await;
        check("UPDATE a SET x = 'short' WHERE id = 1", &["a.x: 9 bytes before, 5 after"]).await;
        check(&rebuilt(columns, "CAST(x AS INTEGER), y, n, b"), &["a.x: 9 bytes before, 1 after"]).await;
        // One for the other.
        check(&rebuilt(columns, "y, x, n, b"), &["a.x: 9 bytes before, 2 after"]).await;
        check("UPDATE a SET b = x'01' WHERE id = 1", &["a.b: 2 bytes before, 1 after"]).await;
        // What is gone is told as that.
        check("UPDATE a SET x = ''", &[]).await;
    }

    #[tokio::test]
    async fn d2_values_that_are_others_of_the_same_length_are_told_and_many_that_became_few_are_lost() {
        const FEW: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT, y TEXT, s TEXT);
            INSERT INTO a VALUES (1, 'ab', 'cd', 'new'), (2, 'ef', 'gh', 'old'), (3, '', NULL, 'new');";
        const MANY: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT, n INTEGER, r INTEGER, at TEXT);
            WITH RECURSIVE n (n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 99)
            INSERT INTO a SELECT n, 'x' || n, n, n, 'at ' || n FROM n;";
        let check = async |before: &str, sql: &str, lost: &[&str], changed: &[&str]| {
            let db = Db::open_memory().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            tx.script(before.to_owned()).await.unwrap();
            let before = Census::take(&mut tx, &mut Budget::of(TIME), None, "").await.unwrap();
            tx.script(sql.to_owned()).await.unwrap();
            let after = Census::take(&mut tx, &mut Budget::of(TIME), Some(&before), "").await.unwrap();
            let compared = before.lost(&after);
            let names: Vec<String> = compared.lost.iter().map(Loss::name).collect();
            assert!(compared.lost.iter().all(|loss| loss.alike), "{sql}");
            assert_eq!(
                (names, compared.unread.len()),
                (lost.iter().map(ToString::to_string).collect(), 0),
                "{sql}"
            );
            assert_eq!(compared.changed.into_iter().collect::<Vec<_>>(), changed, "{sql}");
        };
        check(FEW, "UPDATE a SET x = x, y = y; INSERT INTO a VALUES (4, 'zz', 'zz', 'zz')", &[], &[]).await;
        check(FEW, "UPDATE a SET x = 'xx' WHERE x <> ''", &[], &["a.x"]).await;
        check(FEW, "UPDATE a SET x = y, y = x WHERE id < 3", &[], &["a.x", "a.y"]).await;
        check(FEW, "UPDATE a SET s = 'ran' WHERE s = 'new'", &[], &["a.s"]).await;
        // What was empty is filled, and what was not is as it was; or is not.
        check(FEW, "UPDATE a SET y = 'zz' WHERE y IS NULL", &[], &[]).await;
        check(FEW, "UPDATE a SET y = 'zz'", &[], &["a.y"]).await;
        check(FEW, "UPDATE a SET y = 'zz' WHERE id > 1", &[], &["a.y"]).await;
        let orgs = "CREATE TABLE a (id INTEGER PRIMARY KEY, org_id TEXT); INSERT INTO a (org_id)
            VALUES ('o1'), ('o1'), ('o1'), ('o1'), (NULL), (NULL), (NULL);";
        check(orgs, "UPDATE a SET org_id = 'other'", &[], &["a.org_id"]).await;
        check(orgs, "UPDATE a SET org_id = 'other' WHERE org_id IS NULL", &[], &[]).await;
        // A column that only has another name, and one that another one was put in the place of.
        check(FEW, "ALTER TABLE a RENAME COLUMN x TO z; ALTER TABLE a RENAME COLUMN y TO k", &[], &[]).await;
        let other = "ALTER TABLE a ADD COLUMN z TEXT DEFAULT 'zz'; ALTER TABLE a DROP COLUMN";
        check(FEW, &format!("{other} y"), &[], &["a.y"]).await;
        check(FEW, &format!("{other} s"), &[], &["a.s"]).await;
        // In the order of the rows, and in their type, nothing is changed.
        let rebuilt = "CREATE TABLE m (id INTEGER PRIMARY KEY, x TEXT, n TEXT, r INTEGER, at TEXT);
            INSERT INTO m SELECT 109 - id, x, n, r, at FROM a ORDER BY id DESC; DROP TABLE a; ALTER TABLE m RENAME TO a";
        check(MANY, rebuilt, &[], &[]).await;
        check(MANY, "UPDATE a SET x = upper(x)", &[], &["a.x"]).await;
        check(MANY, "UPDATE a SET x = 'xxx'", &["a.x"], &[]).await;
        check(MANY, "UPDATE a SET n = 10, r = r + 1", &["a.n"], &["a.r"]).await;
        check(MANY, &rebuilt.replace("SELECT 109 - id, x", "SELECT id, 'xxx'"), &["a.x"], &[]).await;
        // Beside rows that came, and under another name.
        check(MANY, "UPDATE a SET x = 'xxx'; INSERT INTO a VALUES (1, 'new', 1, 1, 'now')", &["a.x"], &[])
            .await;
        check(MANY, &format!("{other} x"), &["a.x"], &[]).await;
        // One that was put in the place of another with its values mended, whatever came beside it.
        let mended =
            "ALTER TABLE a ADD COLUMN active INTEGER DEFAULT 2; ALTER TABLE a ADD COLUMN full_name TEXT;
            UPDATE a SET full_name = upper(x); ALTER TABLE a DROP COLUMN x;";
        check(MANY, mended, &[], &["a.x"]).await;
        let flagged = format!("{MANY} ALTER TABLE a ADD COLUMN flag INTEGER DEFAULT 1;");
        check(&flagged, &format!("{mended} ALTER TABLE a DROP COLUMN flag"), &[], &["a.flag", "a.x"]).await;
    }

    #[tokio::test]
    async fn d2_values_that_were_not_read_are_told() {
        let db = Db::open_memory().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let tables = "CREATE TABLE a (id TEXT); INSERT INTO a VALUES ('1'); CREATE TABLE b (id TEXT);";
        tx.script(tables.to_owned()).await.unwrap();
        let before = Census::take(&mut tx, &mut Budget::of(TIME), None, "").await.unwrap();
        let mut after = before.clone();
        after.tables.values_mut().for_each(|table| table.digests.clear());
        let compared = before.lost(&after);
        assert_eq!(compared.unread.into_iter().collect::<Vec<_>>(), ["a"]);
        assert!(compared.lost.is_empty() && compared.changed.is_empty());
        // Others' tables are watched instead.
        let own = Census::take(&mut tx, &mut Budget::of(TIME), None, "b").await.unwrap();
        assert!(own.tables["a"].digests.is_empty() && !own.tables["b"].digests.is_empty());
    }

    #[tokio::test]
    async fn d2_what_was_not_counted_is_not_known() {
        let none = Duration::ZERO;
        let before = "CREATE TABLE a (id TEXT); INSERT INTO a VALUES ('1'); CREATE TABLE empty (id TEXT)";
        let unknown = vec!["a: its rows were not counted in time".to_owned()];
        let both = vec![unknown[0].clone(), "empty: its rows were not counted in time".to_owned()];
        for (sql, times, want) in [
            ("SELECT 1", [TIME, none], &unknown),
            ("SELECT 1", [none, TIME], &both),
            ("DELETE FROM a", [none, none], &both),
            ("ALTER TABLE a RENAME TO b", [TIME, none], &unknown),
            ("DROP TABLE a", [none, TIME], &both),
            ("DELETE FROM a", [TIME, TIME], &vec!["a: 1 rows before, 0 after".to_owned()]),
        ] {
            assert_eq!(lost(before, sql, times).await, (want.clone(), BTreeSet::new()), "{sql} {times:?}");
        }
    }

    /// A table of PostgreSQL's with about a hundred rows.
    fn table(oid: i64, rows: Option<i64>, deeds: (i64, i64, i64)) -> Table {
        let (inserted, updated, deleted) = deeds;
        let deeds = Some(Deeds { inserted, updated, deleted });
        let mark = Mark { oid, file: oid, alone: false, bytes: 1 << 40, believed: Some(100), deeds };
        let columns = BTreeMap::from([("id".to_owned(), rows)]);
        Table { rows, columns, mark: Some(mark), ..Table::default() }
    }

    fn compared(before: Table, after: Option<(&str, Table)>, own: &[i64]) -> (Vec<String>, bool) {
        let census = |tables: Vec<(&str, Table)>, own: &[i64]| Census {
            tables: tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect(),
            own: Own::Of(own.iter().copied().collect()),
        };
        let Compared { lost, estimated, .. } =
            census(vec![("t", before)], &[]).lost(&census(after.into_iter().collect(), own));
        (lost.iter().map(Loss::to_string).collect(), !estimated.is_empty())
    }

    #[test]
    fn s19_an_estimate_is_held_against_an_estimate() {
        let nothing = (0, 0, 0);
        let check =
            |before: Table, after: Option<(&str, Table)>, own: &[i64], want: &[&str], estimated: bool| {
                let want = want.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
                assert_eq!(compared(before, after, own), (want, estimated));
            };
        let counted = || table(1, Some(98), (7, 0, 7));
        let large = || table(1, None, (7, 0, 7));
        // Nothing was done to it here, whatever became of it.
        check(counted(), Some(("t", table(1, Some(3), (7, 0, 7)))), &[], &[], false);
        check(counted(), Some(("t", large())), &[], &[], false);
        check(counted(), None, &[], &[], false);
        check(counted(), Some(("t", table(2, Some(3), nothing))), &[], &[], false);
        // Counted in time before, and not after: what was written tells, not what the server believes.
        check(counted(), Some(("t", table(1, None, (7, 5, 7)))), &[], &[], true);
        check(counted(), Some(("t", table(1, None, (9, 5, 9)))), &[], &[], true);
        check(
            counted(),
            Some(("t", table(1, None, (7, 0, 8)))),
            &[],
            &["t: about 98 rows before, 97 after"],
            false,
        );
        check(
            large(),
            Some(("t", table(1, None, (7, 0, 8)))),
            &[],
            &["t: about 100 rows before, 99 after"],
            false,
        );
        check(large(), None, &[1], &["t: about 100 rows before, 0 after"], false);
        // Made anew: what was copied is known.
        check(counted(), Some(("t", table(2, None, (98, 0, 0)))), &[1, 2], &[], true);
        check(counted(), Some(("n", table(2, None, (98, 0, 0)))), &[1, 2], &[], true);
        check(
            counted(),
            Some(("t", table(2, None, (97, 0, 0)))),
            &[1, 2],
            &["t: about 98 rows before, 97 after"],
            false,
        );
        // Rewritten, or emptied and filled again: nobody knows.
        let mut rewritten = table(1, None, (0, 0, 0));
        rewritten.mark.as_mut().unwrap().file = 9;
        rewritten.mark.as_mut().unwrap().believed = None;
        check(
            counted(),
            Some(("t", rewritten.clone())),
            &[1],
            &["t: its rows were not counted in time"],
            false,
        );
        rewritten.mark.as_mut().unwrap().bytes = 0;
        check(counted(), Some(("t", rewritten)), &[1], &["t: about 98 rows before, 0 after"], false);
    }

    #[test]
    fn d2_rows_of_others_that_are_changed_are_seen_by_the_servers_counters() {
        let altered = |after: Table, own: &[i64]| {
            let own = Own::Of(own.iter().copied().collect());
            table(1, Some(9), (3, 3, 3)).altered(&after, &own)
        };
        // Rows came; somebody else emptied it and filled it again.
        assert!(!altered(table(1, Some(10), (4, 3, 3)), &[]));
        let mut anew = table(1, Some(9), (3, 3, 3));
        anew.mark.as_mut().unwrap().file = 9;
        assert!(!altered(anew.clone(), &[]));
        // The transaction did.
        assert!(altered(anew, &[1]));
        assert!(altered(table(1, Some(9), (3, 4, 3)), &[]));
        assert!(altered(table(1, Some(9), (4, 3, 4)), &[]));
    }

    #[test]
    fn s19_the_loss_is_the_transactions_own() {
        let counted = |rows, deeds| table(1, Some(rows), deeds);
        let check = |before: Table, after: Table, own: &[i64], lost: bool| {
            assert_eq!(!compared(before, Some(("t", after)), own).0.is_empty(), lost);
        };
        check(counted(9, (0, 0, 0)), counted(8, (0, 0, 0)), &[], false);
        check(counted(9, (0, 0, 0)), counted(8, (0, 0, 0)), &[1], false);
        check(counted(9, (0, 0, 0)), counted(8, (0, 0, 1)), &[], true);
        check(counted(9, (0, 0, 0)), counted(8, (0, 1, 0)), &[], true);
        // Emptied as a whole; within the transaction that made it, its numbers begin anew.
        let mut emptied = counted(0, (0, 0, 0));
        emptied.mark.as_mut().unwrap().file = 9;
        check(counted(9, (0, 0, 0)), emptied.clone(), &[1], true);
        check(counted(9, (0, 0, 0)), emptied, &[], false);
        let mut own = counted(9, (9, 0, 0));
        own.mark.as_mut().unwrap().alone = true;
        check(own, counted(0, (9, 0, 0)), &[1], true);
        // A server that does not count what is written.
        let mut without = counted(8, (0, 0, 0));
        without.mark.as_mut().unwrap().deeds = None;
        check(counted(9, (0, 0, 0)), without, &[], true);
    }
}
