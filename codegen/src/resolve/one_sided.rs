//! SQL that one of the two engines does not know, or takes for something else: found by its words, whatever the statement is.
//!
//! A table of constructs over the tokens of a text, and a few [`shapes`]. It knows no grammar: what it does not list is not found
//! here, which is why migrations are run as well.

mod shapes;

use hub_manifest::migrations::Engine::{self, Postgres, Sqlite};
use hub_manifest::statements::{blank, quoted};

/// Something that only one engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OneSided {
    /// As it is written.
    pub what: String,
    /// Where it begins, in bytes.
    pub at: usize,
    /// How long it is.
    pub len: usize,
    /// What is to be said behind it; empty, or begins with a blank.
    pub remark: &'static str,
    /// Who has it.
    pub engine: Engine,
    /// What to write instead.
    pub portable: &'static str,
}

const TIME: &str = "write CURRENT_TIMESTAMP, or let the plugin give the time (`hub::now()`)";
const CONFLICT: &str = "write `INSERT INTO … ON CONFLICT (…) DO UPDATE SET …` or `… DO NOTHING`";
const KEY: &str = "make the key TEXT PRIMARY KEY and let the plugin give it (`hub::new_id()`)";
const FILES: &str = "put it into a file for this engine: 0001_name.sqlite.sql beside 0001_name.postgres.sql";
const TEXT: &str = "keep it as TEXT: times as RFC 3339, JSON as text, identifiers as text";
const CAST: &str = "write CAST(… AS …)";
const NAMES: &str = "write names without quotes, or in double quotes";
const TRUTH: &str = "write DEFAULT FALSE or DEFAULT TRUE";
const VIEW: &str = "leave IF NOT EXISTS out: a migration runs once";

/// What to look for: words and signs with spaces between them, `(` where one has to follow, `'` for any text in single
/// quotes, `"` for any name in double quotes.
const TABLE: &[(Engine, &str, &str)] = &[
    (Sqlite, "autoincrement", KEY),
    (Sqlite, "datetime (", TIME),
    (Sqlite, "strftime (", TIME),
    (Sqlite, "julianday (", TIME),
    (Sqlite, "unixepoch (", TIME),
    (Sqlite, "date ( '", TIME),
    (Sqlite, "time ( '", TIME),
    (Sqlite, "insert or", CONFLICT),
    (Sqlite, "update or", CONFLICT),
    (Sqlite, "replace into", CONFLICT),
    (Sqlite, "on conflict replace", CONFLICT),
    (Sqlite, "on conflict ignore", CONFLICT),
    (Sqlite, "ifnull (", "write COALESCE(…)"),
    (Sqlite, "iif (", "write CASE WHEN … THEN … ELSE … END"),
    (Sqlite, "group_concat (", FILES),
    (Sqlite, "total (", "write COALESCE(SUM(…), 0)"),
    (Sqlite, "instr (", FILES),
    (Sqlite, "printf (", FILES),
    (Sqlite, "typeof (", FILES),
    (Sqlite, "hex (", FILES),
    (Sqlite, "randomblob (", KEY),
    (Sqlite, "last_insert_rowid (", KEY),
    (Sqlite, "json_extract (", FILES),
    (Sqlite, "json_each (", FILES),
    (Sqlite, "rowid", KEY),
    (Sqlite, "pragma", FILES),
    (Sqlite, "without rowid", "leave it out"),
    (Sqlite, ") strict", "leave it out"),
    (Sqlite, "collate nocase", "compare lower(…) with lower(…), and index that"),
    (Sqlite, "glob '", "write LIKE"),
    (Sqlite, "indexed by", "leave it out"),
    (Sqlite, "create virtual table", FILES),
    (Sqlite, "blob", FILES),
    (Sqlite, "datetime", TEXT),
    (Sqlite, "= =", "write ="),
    (Sqlite, "x '", FILES),
    (Sqlite, "default \"", "write texts in single quotes: double quotes are for names"),
    (Sqlite, "= \"", "write texts in single quotes: double quotes are for names"),
    (Sqlite, "values ( \"", "write texts in single quotes: double quotes are for names"),
    (Sqlite, "`", NAMES),
    (Sqlite, "boolean default 0", TRUTH),
    (Sqlite, "boolean default 1", TRUTH),
    (Sqlite, "boolean not null default 0", TRUTH),
    (Sqlite, "boolean not null default 1", TRUTH),
    (Sqlite, "bool default 0", TRUTH),
    (Sqlite, "bool default 1", TRUTH),
    (Sqlite, "bool not null default 0", TRUTH),
    (Sqlite, "bool not null default 1", TRUTH),
    (Sqlite, "create view if not exists", VIEW),
    (Sqlite, "create temp view if not exists", VIEW),
    (Sqlite, "create temporary view if not exists", VIEW),
    (Postgres, "serial", KEY),
    (Postgres, "bigserial", KEY),
    (Postgres, "smallserial", KEY),
    (Postgres, "as identity", KEY),
    (Postgres, "nextval (", KEY),
    (Postgres, "create sequence", KEY),
    (Postgres, "gen_random_uuid (", KEY),
    (Postgres, "uuid_generate_v4 (", KEY),
    (Postgres, "now (", TIME),
    (Postgres, "clock_timestamp (", TIME),
    (Postgres, "to_char (", FILES),
    (Postgres, "date_trunc (", FILES),
    (Postgres, "extract (", FILES),
    (Postgres, "interval '", FILES),
    (Postgres, "string_agg (", FILES),
    (Postgres, "array_agg (", FILES),
    (Postgres, "array [", FILES),
    (Postgres, "[ ]", TEXT),
    (Postgres, "jsonb", TEXT),
    (Postgres, "timestamptz", TEXT),
    (Postgres, "bytea", FILES),
    (Postgres, "inet", TEXT),
    (Postgres, "ilike", "write lower(…) LIKE lower(…)"),
    (Postgres, "similar to", "write LIKE"),
    (Postgres, ": :", CAST),
    (Postgres, "$ $", FILES),
    (Postgres, "e '", "write the character itself"),
    (Postgres, "create extension", FILES),
    (Postgres, "create type", TEXT),
    (Postgres, "create schema", FILES),
    (Postgres, "create function", FILES),
    (Postgres, "create or replace", FILES),
    (Postgres, "index concurrently", "write CREATE INDEX: a migration is a transaction"),
    (Postgres, "using gin", FILES),
    (Postgres, "using gist", FILES),
    (Postgres, "using btree", "leave it out"),
    (Postgres, "alter column", "make the table anew: create, copy, drop, rename"),
    (Postgres, "add constraint", "give the constraint where the table is made"),
    (Postgres, "truncate", "write DELETE FROM"),
    (Postgres, "comment on", FILES),
    (Postgres, "execute function", FILES),
    (Postgres, "execute procedure", FILES),
    (Postgres, "grant", FILES),
    (Postgres, "do $", FILES),
    (Postgres, "~ *", "write LIKE"),
];

struct Token {
    /// In lower case; one sign, `'` or `"` with what is in it left out.
    text: String,
    at: usize,
    end: usize,
}

/// Everything that is listed, once for each place.
pub(super) fn find(sql: &str) -> Vec<OneSided> {
    let tokens = tokens(sql);
    let untyped = shapes::untyped(&tokens);
    let mut found: Vec<OneSided> = Vec::new();
    for from in 0..tokens.len() {
        let listed = listed(&tokens, from).map(|(last, engine, portable)| (last, engine, "", portable));
        let shaped = || {
            let shape = shapes::at(&tokens, from, &untyped)?;
            Some((shape.last, Sqlite, shape.remark, shape.portable))
        };
        let Some((last, engine, remark, portable)) = listed.or_else(shaped) else { continue };
        let (first, last) = (&tokens[from], &tokens[last]);
        if found.last().is_some_and(|before| before.at + before.len > first.at) {
            continue;
        }
        let end = if last.text == "(" { last.at } else { last.end };
        let what = sql.get(first.at..end).unwrap_or_default().to_string();
        let what = if last.text == "(" { format!("{}()", what.trim_end()) } else { what };
        found.push(OneSided { what, at: first.at, len: end - first.at, remark, engine, portable });
    }
    found
}

/// The longest row of the table that begins at a token: its last one, whose it is, and what to write instead.
fn listed(tokens: &[Token], from: usize) -> Option<(usize, Engine, &'static str)> {
    // A name of the plugin's own may be any word.
    if from > 0 && tokens[from - 1].text == "." || is_own(tokens, from) {
        return None;
    }
    let fitting = TABLE.iter().filter_map(|(engine, pattern, portable)| {
        let words: Vec<&str> = pattern.split(' ').collect();
        let place = tokens.get(from..from + words.len())?;
        let same = place.iter().zip(&words).all(|(token, word)| token.text == *word);
        // Two signs are one only where nothing is between them.
        let joined = words.iter().any(|word| word.chars().all(char::is_alphanumeric))
            || place.windows(2).all(|pair| pair[0].end == pair[1].at);
        (same && joined).then_some((from + words.len() - 1, *engine, *portable))
    });
    fitting.max_by_key(|(last, ..)| *last)
}

/// Words that are one engine's types, and are good names for a column in both: behind `(` or `,` they are names.
fn is_own(tokens: &[Token], at: usize) -> bool {
    let word = tokens[at].text.as_str();
    let is_type =
        ["blob", "datetime", "serial", "jsonb", "inet", "timestamptz", "bytea", "rowid"].contains(&word);
    let opens =
        |token: &Token| matches!(token.text.as_str(), "(" | "," | "select" | "set" | "by" | "and" | "where");
    is_type
        && word != "rowid"
        && at > 0
        && opens(&tokens[at - 1])
        && tokens.get(at + 1).is_none_or(|next| next.text != "(")
}

/// A text's tokens: white space, comments and quotes as SQLite reads them, and each sign for itself, as the table has them.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let skipped = blank(rest, Sqlite);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let quotes = matches!(first, '\'' | '"' | '`');
        let length = if quotes {
            quoted(rest, first)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let text = if quotes { first.to_string() } else { rest[..length].to_lowercase() };
        tokens.push(Token { text, at, end: at + length });
        at += length;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, want: &[&str]) {
        let found: Vec<String> = find(sql)
            .iter()
            .map(|one| format!("{}{}@{} {}", one.what, one.remark, one.at, one.engine.name()))
            .collect();
        assert_eq!(found, want, "{sql}");
    }

    #[test]
    fn d3_what_one_engine_does_not_know_is_found() {
        check("id INTEGER PRIMARY KEY AUTOINCREMENT", &["AUTOINCREMENT@23 SQLite"]);
        check("at TEXT DEFAULT (datetime('now'))", &["datetime()@17 SQLite"]);
        check("at TEXT DEFAULT (datetime ( 'now'))", &["datetime()@17 SQLite"]);
        check("insert Or Ignore INTO t VALUES (1)", &["insert Or@0 SQLite"]);
        check("x TEXT DEFAULT \"new\"", &["DEFAULT \"new\"@7 SQLite"]);
        check("SELECT x::text, now()", &["::@8 PostgreSQL", "now()@16 PostgreSQL"]);
        check(
            "id bigserial, body JSONB, tags text[]",
            &["bigserial@3 PostgreSQL", "JSONB@19 PostgreSQL", "[]@35 PostgreSQL"],
        );
        check("WHERE a ILIKE 'x' AND b ~* 'y'", &["ILIKE@8 PostgreSQL", "~*@24 PostgreSQL"]);
        check("CREATE TABLE t (x BLOB) STRICT", &["BLOB@18 SQLite", ") STRICT@22 SQLite"]);
        check("SELECT `a` FROM t WHERE a == 1", &["`a`@7 SQLite", "==@26 SQLite"]);
        check("/* x\n */ PRAGMA y", &["PRAGMA@9 SQLite"]);
    }

    #[test]
    fn d3_what_sqlite_takes_for_something_else_is_found() {
        check(
            "a BOOLEAN NOT NULL DEFAULT 0, b Bool DEFAULT 1",
            &["BOOLEAN NOT NULL DEFAULT 0@2 SQLite", "Bool DEFAULT 1@32 SQLite"],
        );
        check("CREATE VIEW IF NOT EXISTS v AS SELECT 1", &["CREATE VIEW IF NOT EXISTS@0 SQLite"]);
        check(
            "SELECT 1; CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
            &["BEGIN in CREATE TRIGGER@50 SQLite"],
        );
        check("CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f()", &["EXECUTE FUNCTION@35 PostgreSQL"]);
        check(
            "SELECT max(a, (b)), MIN (f(a), b)",
            &["max() of several values@7 SQLite", "MIN() of several values@20 SQLite"],
        );
        check(
            "SELECT [a], t.[b c] FROM [select]",
            &["[a]@7 SQLite", "[b c]@14 SQLite", "[select]@25 SQLite"],
        );
        check("WHERE a IS b AND c is not 'x'", &["IS b@8 SQLite", "is not 'x'@19 SQLite"]);
        check("WHERE a IS (SELECT 1)", &["IS@8 SQLite"]);
        check(
            "CREATE TABLE IF NOT EXISTS t (a, \"b c\" NOT NULL, n INTEGER, PRIMARY KEY (a, n), d DEFAULT ('a, b'), e)",
            &[
                "a without a type@30 SQLite",
                "\"b c\" without a type@33 SQLite",
                "d without a type@80 SQLite",
                "e without a type@100 SQLite",
            ],
        );
        check("CREATE TABLE x.t (id PRIMARY KEY)", &["id without a type@18 SQLite"]);
    }

    #[test]
    fn what_both_know_is_left_alone() {
        for sql in [
            "-- AUTOINCREMENT, datetime('now')\nCREATE TABLE plugin_crm_a (id TEXT PRIMARY KEY)",
            "/*/ PRAGMA x */ SELECT 1",
            "INSERT INTO t VALUES ('INSERT OR REPLACE', 'it''s now()')",
            "CREATE TABLE t (blob TEXT, datetime TEXT, now TEXT, total INTEGER, serial TEXT)",
            "SELECT t.rowid, t.datetime FROM t ORDER BY datetime",
            "CREATE INDEX a ON t (x) WHERE x = 'y'; CREATE TABLE u (\"order\" TEXT DEFAULT 'x')",
            "INSERT INTO t (a) VALUES ('x') ON CONFLICT (a) DO UPDATE SET a = excluded.a",
            "UPDATE t SET at = CURRENT_TIMESTAMP, n = COALESCE(n, 0) + 1",
            "SELECT max(a), min(COALESCE(a, b)) OVER (PARTITION BY a, b), b FROM max; INSERT INTO max (a, b) VALUES (1, 2)",
            "SELECT a IS NULL, a IS NOT NULL, b IS TRUE, a IS NOT DISTINCT FROM b, (a IS NOT FALSE)",
            "CREATE TABLE t (a TEXT, CONSTRAINT c UNIQUE (a, b), b INTEGER NOT NULL, CHECK (a <> ''), FOREIGN KEY (a) REFERENCES u (x, y))",
            "CREATE TABLE t AS SELECT a, b FROM u; CREATE INDEX i ON t (a, b); CREATE VIEW v (a, b) AS SELECT a, b FROM t",
            "CREATE TABLE t (b BOOLEAN NOT NULL DEFAULT TRUE, n INTEGER DEFAULT 0); DROP VIEW IF EXISTS v",
            "CREATE TABLE t (day DATE, n NUMERIC(10, 2), b BOOLEAN DEFAULT FALSE, x TEXT REFERENCES u (id) ON DELETE SET NULL)",
        ] {
            check(sql, &[]);
        }
    }
}
