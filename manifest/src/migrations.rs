//! What the host takes as migrations of a plugin: how files are named, in which order they run, and which tables they may
//! make and drop. The build holds plugins to the same rules.

use std::fmt;

/// Lists the names of a SQLite database's tables.
pub const SQLITE_TABLES: &str =
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name";

/// Lists the names of a PostgreSQL database's tables.
pub const POSTGRES_TABLES: &str = "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";

/// Largest migration that the host runs and the build takes, in bytes. Most have a few hundred.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Why the order of a plugin's migrations is not clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unordered {
    /// A file without a number.
    NoNumber(String),
    /// Two files with the same number.
    SameNumber(String, String),
}

impl Unordered {
    /// The file that is to be renamed.
    pub fn file(&self) -> &str {
        match self {
            Unordered::NoNumber(name) | Unordered::SameNumber(_, name) => name,
        }
    }
}

impl fmt::Display for Unordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unordered::NoNumber(name) => write!(f, "the migration {name} has no number"),
            Unordered::SameNumber(first, second) => {
                write!(f, "the migrations {first} and {second} have the same number")
            }
        }
    }
}

/// A database that the host works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// A file of the machine.
    Sqlite,
    /// A server.
    Postgres,
}

impl Engine {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }
}

/// The one engine that a migration is for: `0001_x.sqlite.sql` and `0001_x.postgres.sql` stand beside each other, or beside
/// `0001_x.sql`, which runs first and on both.
pub fn engine(name: &str) -> Option<Engine> {
    let stem = name.strip_suffix(".sql")?;
    match stem.rsplit_once('.')?.1 {
        "sqlite" => Some(Engine::Sqlite),
        "postgres" => Some(Engine::Postgres),
        _ => None,
    }
}

/// Whether a migration runs on that engine.
pub fn runs_on(name: &str, on: Engine) -> bool {
    engine(name).is_none_or(|engine| engine == on)
}

/// A name without its engine.
fn stem(name: &str) -> &str {
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    stem.strip_suffix(".sqlite").or_else(|| stem.strip_suffix(".postgres")).unwrap_or(stem)
}

/// The number that a file's name begins with, up to the first `_`.
pub fn number(name: &str) -> Option<u64> {
    name.split_once('_')?.0.parse().ok()
}

/// Of the files of a folder the migrations (`*.sql`) in the order in which they run, and what keeps it from being clear.
pub fn in_order(files: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<Unordered>) {
    let mut unordered = Vec::new();
    let mut numbered = Vec::new();
    let mut names: Vec<String> = files.into_iter().filter(|name| name.ends_with(".sql")).collect();
    names.sort();
    for name in names {
        match number(&name) {
            Some(number) => numbered.push((number, engine(&name), name)),
            None => unordered.push(Unordered::NoNumber(name)),
        }
    }
    numbered.sort();
    // Those of one name for different engines are one step.
    let clash = |pair: &&[(u64, Option<Engine>, String)]| {
        let [(number, engine, name), (next, other, beside)] = pair else { return false };
        number == next && (engine == other || stem(name) != stem(beside))
    };
    for pair in numbered.windows(2).filter(clash) {
        unordered.push(Unordered::SameNumber(pair[0].2.clone(), pair[1].2.clone()));
    }
    (numbered.into_iter().map(|(_, _, name)| name).collect(), unordered)
}

/// What every table of a plugin begins with.
pub fn table_prefix(slug: &str) -> String {
    format!("plugin_{}_", slug.replace('-', "_"))
}

/// What a plugin may not do with tables of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// It makes this table.
    Made(String),
    /// It drops this table.
    Dropped(String),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::Made(table) => write!(f, "it makes the table `{table}`"),
            Foreign::Dropped(table) => write!(f, "it drops the table `{table}`"),
        }
    }
}

/// A plugin keeps to tables of its own name, and leaves the others alone: what differs from it between the tables
/// `before` a migration and those `after`.
pub fn foreign(slug: &str, before: &[String], after: &[String]) -> Option<Foreign> {
    let prefix = table_prefix(slug);
    let foreign = |table: &&String| !table.starts_with(&prefix) && !table.starts_with("sqlite_");
    let made = after.iter().filter(foreign).find(|table| !before.contains(table));
    let dropped = || before.iter().filter(foreign).find(|table| !after.contains(table));
    made.cloned().map(Foreign::Made).or_else(|| dropped().cloned().map(Foreign::Dropped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_order(files: &str, expect: &str, expect_wrong: &[&str]) {
        let (order, wrong) = in_order(files.split(' ').map(str::to_string));
        let wrong: Vec<String> = wrong.iter().map(Unordered::to_string).collect();
        assert_eq!(
            (order.join(" ").as_str(), wrong),
            (expect, expect_wrong.iter().map(|s| s.to_string()).collect())
        );
    }

    #[test]
    fn numbers_set_the_order() {
        check_order("10_b.sql 0002_a.sql README.md 9_c.sql", "0002_a.sql 9_c.sql 10_b.sql", &[]);
        check_order(
            "a.sql 1.sql x_1.sql 01_a.sql",
            "01_a.sql",
            &[
                "the migration 1.sql has no number",
                "the migration a.sql has no number",
                "the migration x_1.sql has no number",
            ],
        );
        let same = "the migrations 01_a.sql and 1_b.sql have the same number";
        check_order("1_b.sql 01_a.sql", "01_a.sql 1_b.sql", &[same]);
    }

    #[test]
    fn d3_a_step_may_have_a_file_for_each_engine() {
        check_order(
            "2_b.sql 1_a.postgres.sql 1_a.sql 1_a.sqlite.sql",
            "1_a.sql 1_a.sqlite.sql 1_a.postgres.sql 2_b.sql",
            &[],
        );
        check_order("1_a.postgres.sql 1_a.sqlite.sql", "1_a.sqlite.sql 1_a.postgres.sql", &[]);
        let same = "the migrations 1_a.sqlite.sql and 1_b.postgres.sql have the same number";
        check_order("1_b.postgres.sql 1_a.sqlite.sql", "1_a.sqlite.sql 1_b.postgres.sql", &[same]);
        assert_eq!(engine("0001_a.sqlite.sql"), Some(Engine::Sqlite));
        assert_eq!([engine("0001_sqlite.sql"), engine("0001_a.mysql.sql"), engine("sqlite.sql")], [None; 3]);
        assert!(!runs_on("1_a.postgres.sql", Engine::Sqlite) && runs_on("1_a.sql", Engine::Postgres));
    }

    #[test]
    fn tables_of_others_are_left_alone() {
        let names = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        let check = |before: &str, after: &str| foreign("a-b", &names(before), &names(after));
        assert_eq!(check("x plugin_a_b_old", "x plugin_a_b_new sqlite_sequence"), None);
        assert_eq!(check("", "plugin_a_x"), Some(Foreign::Made("plugin_a_x".to_string())));
        assert_eq!(check("", "PLUGIN_a_b_x"), Some(Foreign::Made("PLUGIN_a_b_x".to_string())));
        assert_eq!(check("x", ""), Some(Foreign::Dropped("x".to_string())));
    }
}
