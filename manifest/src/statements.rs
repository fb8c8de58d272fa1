//! Statements that a migration must not have, because the host runs migrations in a transaction of its own: found by the
//! first words of each statement, as the engine at hand reads the text. And calls that do something which no transaction takes
//! back, found wherever they stand, also in the body of a function: a preflight, which is rolled back, would have done it.

use std::fmt;

use crate::migrations::Engine;

/// What to do about an [`Unfit`] statement.
pub const UNFIT_HELP: &str = "leave it out: the host runs migrations in a transaction of its own, and either all of it lasts or nothing";

const READS_HELP: &str = "write what it needs into the migration itself";
const SETS_HELP: &str = "write `ALTER SEQUENCE … RESTART WITH …`, or `ALTER TABLE … ALTER COLUMN … RESTART WITH …` for an \
    identity column: a rollback takes that back";
const EXCHANGES_HELP: &str = "write the rows as `INSERT INTO … VALUES`";
const LOCKS_HELP: &str =
    "leave it out: migrations run alone, and each statement takes the locks that it needs";
const SHARED_HELP: &str = "leave it to the operator, who has the server";
const HIDES_HELP: &str = "write the signs themselves: the file is UTF-8";

/// A statement that does not go with the transaction in which the host runs a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Its first words, in capitals.
    pub words: String,
    /// Where they begin, in bytes.
    pub at: usize,
    /// How long they are, with what stands between them.
    pub len: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// Why a statement does not go with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It begins or ends one, or goes back in it. What ran before would last, whatever comes after it.
    Controls,
    /// The database refuses it there.
    Outside,
    /// It does something to the server, to its files or to another one, which stays when the transaction is rolled back.
    Reaches,
    /// It reads files of the server's machine.
    Reads,
    /// It sets a sequence in a way that no rollback takes back.
    Sets,
    /// It waits for a client's data, or gives it some.
    Exchanges,
    /// It locks a table for its own sake.
    Locks,
    /// It changes what the databases of a server have in common, or how a database is run.
    Shared,
    /// It writes a name, or a body, with escapes, so that it cannot be seen what that is.
    Hides,
}

impl Unfit {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.why {
            Why::Controls | Why::Outside | Why::Reaches => UNFIT_HELP,
            Why::Reads => READS_HELP,
            Why::Sets => SETS_HELP,
            Why::Exchanges => EXCHANGES_HELP,
            Why::Locks => LOCKS_HELP,
            Why::Shared => SHARED_HELP,
            Why::Hides => HIDES_HELP,
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Controls => write!(f, "controls the transaction that it runs in (`{}`)", self.words),
            Why::Outside => write!(f, "says `{}`, which no transaction takes", self.words),
            Why::Reaches => write!(
                f,
                "reaches beyond its database (`{}`): a rollback does not take that back, and a preflight would do it",
                self.words
            ),
            Why::Reads => write!(
                f,
                "reads files of the server (`{}`), which differ from machine to machine",
                self.words
            ),
            Why::Sets => write!(
                f,
                "sets a sequence (`{}`): a rollback does not take that back, and a preflight would do it",
                self.words
            ),
            Why::Exchanges => {
                write!(f, "exchanges data with a client (`{}`), which a migration has not", self.words)
            }
            Why::Locks => write!(
                f,
                "locks a table for its own sake (`{}`): in a preflight the host that is in use would wait for it",
                self.words
            ),
            Why::Shared => {
                write!(f, "changes the server and not what is in its database (`{}`)", self.words)
            }
            Why::Hides => {
                write!(f, "writes a name or a body with escapes (`{}`): nobody sees what it says", self.words)
            }
        }
    }
}

/// The first such statement of a text, as this engine reads it. What stands in texts, names and comments is none, nor what
/// the body of a trigger or a function is made of, but for calls that reach beyond the database.
pub fn unfit(sql: &str, engine: Engine) -> Option<Unfit> {
    let calls = (engine == Engine::Postgres).then(|| reaches(sql, 0, 0, true)).flatten();
    [statement(sql, engine), calls].into_iter().flatten().min_by_key(|found| found.at)
}

/// The first statement that is none for a transaction by its first words.
fn statement(sql: &str, engine: Engine) -> Option<Unfit> {
    let mut head: Vec<Token<'_>> = Vec::new();
    let mut before: Option<Token<'_>> = None;
    // Statements of a body end in `;` too, and its END is what the next statement would begin with.
    let mut body = false;
    let mut depth = 0_usize;
    for token in (Tokens { sql, at: 0, engine }) {
        match token.text {
            ";" => {
                let found = judge(&head, engine);
                if found.is_some() {
                    return found;
                }
                head.clear();
                depth = 0;
            }
            _ if body && head.is_empty() && token.is("end") => {
                body = false;
                head.push(Token { text: "", ..token });
            }
            _ if !body && begins_body(&head, before, token, depth, engine) => {
                body = true;
                head.clear();
            }
            text => {
                match text {
                    "(" => depth += 1,
                    ")" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if head.len() < HEAD {
                    head.push(token);
                }
            }
        }
        before = Some(token);
    }
    judge(&head, engine)
}

/// So many tokens of a statement are looked at.
const HEAD: usize = 12;

/// Whether a body of statements begins behind this token: a trigger's on SQLite, a function's without quotes on PostgreSQL,
/// where BEGIN alone may be a name.
fn begins_body(
    head: &[Token<'_>],
    before: Option<Token<'_>>,
    token: Token<'_>,
    depth: usize,
    engine: Engine,
) -> bool {
    let is =
        |at: usize, words: &[&str]| head.get(at).is_some_and(|token| words.iter().any(|word| token.is(word)));
    if !is(0, &["create"]) {
        return false;
    }
    match engine {
        Engine::Sqlite => {
            token.is("begin") && (is(1, &["trigger"]) || is(1, &["temp", "temporary"]) && is(2, &["trigger"]))
        }
        Engine::Postgres => {
            let routine = ["function", "procedure"];
            let made = is(1, &routine) || is(1, &["or"]) && is(2, &["replace"]) && is(3, &routine);
            made && depth == 0 && token.is("atomic") && before.is_some_and(|before| before.is("begin"))
        }
    }
}

/// Whether a statement is one, by the tokens with which it begins.
fn judge(head: &[Token<'_>], engine: Engine) -> Option<Unfit> {
    use Why::{Controls, Locks, Outside, Reaches, Shared};
    let words: Vec<String> = head.iter().map(|token| token.text.to_ascii_uppercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let postgres = engine == Engine::Postgres;
    let (why, length) = match words.as_slice() {
        ["COMMIT" | "ROLLBACK", "PREPARED", ..] | ["START" | "PREPARE", "TRANSACTION", ..] => (Controls, 2),
        ["BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE", ..] => (Controls, 1),
        ["VACUUM", ..] => (Outside, 1),
        // Another file, which SQLite makes where it is missing.
        ["ATTACH" | "DETACH", ..] if !postgres => (Reaches, 1),
        ["LOAD", ..] if postgres => (Reaches, 1),
        ["IMPORT", "FOREIGN", ..] if postgres => (Reaches, 2),
        ["CREATE" | "DROP", "DATABASE" | "TABLESPACE", ..] | ["ALTER", "SYSTEM", ..] if postgres => {
            (Outside, 2)
        }
        ["CREATE" | "ALTER" | "DROP", "USER", "MAPPING", ..] => return None,
        ["CREATE" | "ALTER" | "DROP", "ROLE" | "USER" | "GROUP", ..]
        | ["ALTER", "DATABASE" | "TABLESPACE", ..]
            if postgres =>
        {
            (Shared, 2)
        }
        // Of a role: rights are granted ON something.
        ["GRANT" | "REVOKE", rest @ ..]
            if postgres
                && rest
                    .iter()
                    .find(|word| matches!(**word, "ON" | "TO" | "FROM"))
                    .is_some_and(|word| *word != "ON") =>
        {
            (Shared, 1)
        }
        // In a body it may be the name of a variable.
        ["LOCK", name, ..] if postgres && name.chars().all(in_word) => (Locks, 1),
        ["CREATE" | "DROP", "INDEX", "CONCURRENTLY", ..] if postgres => (Outside, 3),
        ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] if postgres => (Outside, 4),
        ["REINDEX", rest @ ..] if postgres => {
            (Outside, rest.iter().position(|word| *word == "CONCURRENTLY")? + 2)
        }
        _ => return None,
    };
    let ([first, .., last] | [first @ last]) = head.get(..length)? else { return None };
    let named = words.get(..length)?.iter().filter(|word| word.starts_with(char::is_alphabetic));
    let words = named.copied().collect::<Vec<_>>().join(" ");
    Some(Unfit { words, at: first.at, len: last.end - first.at, why })
}

/// Functions of PostgreSQL's, by name, whose effect stays whatever becomes of the transaction: on other sessions, on the server, on
/// files of its machine, on other servers, on locks that the session keeps.
const REACHING: &[&str] = &[
    "lo_export",
    "pg_cancel_backend",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_create_restore_point",
    "pg_drop_replication_slot",
    "pg_log_backend_memory_contexts",
    "pg_promote",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_switch_wal",
    "pg_terminate_backend",
];

/// What the names of others begin with.
const REACHING_LIKE: &[&str] = &[
    "dblink",
    "pg_advisory_lock",
    "pg_advisory_unlock",
    "pg_backup_",
    "pg_file_",
    "pg_logical_",
    "pg_replication_",
    "pg_stat_reset",
    "pg_try_advisory_lock",
    "pg_wal_replay_",
];

/// Functions that only read files of the server's machine.
const READING: &[&str] = &[
    "lo_import",
    "pg_current_logfile",
    "pg_file_length",
    "pg_file_read",
    "pg_logdir_ls",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_stat_file",
];

/// What the names of others begin with.
const READING_LIKE: &[&str] = &["pg_ls_"];

/// What a name in front of a bracket is that is called nowhere: a table with its columns, or a function that is spoken of.
const NAMING: &[&str] =
    &["table", "into", "references", "exists", "view", "function", "procedure", "routine"];

/// Behind these a statement begins in a body.
const BEGINNING: &[&str] = &["begin", "then", "else", "loop"];

/// Bodies in bodies are looked at so deep.
const DEEP: usize = 8;

/// The first call on PostgreSQL that reaches beyond the database, or statement that does: in a statement, in the body of DO, of a
/// function or of a procedure, and in what such a body has between quotes or dollar signs. `base` is where the text begins, and `code`
/// says whether it is a body, or one that is executed as it stands. What a body puts together while it runs is not seen.
fn reaches(sql: &str, base: usize, depth: usize, code: bool) -> Option<Unfit> {
    let found = |words: String, at: usize, end: usize, why: Why| {
        Some(Unfit { words, at: base + at, len: end - at, why })
    };
    let mut tokens = Tokens { sql, at: 0, engine: Engine::Postgres }.peekable();
    // The first of the statement; the last two; the one before a name, with what the name is qualified by.
    let mut first = None;
    let (mut before, mut second, mut lead) = (None::<Token<'_>>, None::<Token<'_>>, None::<Token<'_>>);
    // With the brackets that are open there.
    let mut copy: Option<(Token<'_>, usize)> = None;
    let mut brackets = 0_usize;
    let mut routine = false;
    // Names of variables stand in the place of statements there.
    let mut declares = false;
    while let Some(token) = tokens.next() {
        let raw = sql.get(token.at..token.end)?;
        match token.text {
            ";" => {
                (first, before, second, lead, copy) = (None, None, None, None, None);
                (brackets, routine) = (0, false);
                continue;
            }
            "(" => brackets += 1,
            ")" => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        let first = *first.get_or_insert(token);
        let next = tokens.peek().copied();
        routine |= first.is("create") && brackets == 0 && token.is_one_of(&["function", "procedure"]);
        let bodied = routine || first.is("do");
        declares = token.is("declare") || declares && !token.is("begin");
        if let Some(end) = escapes(sql, token, depth == 0 && bodied) {
            return found("U&".to_owned(), token.at, end, Why::Hides);
        }
        let calls =
            next.is_some_and(|next| next.text == "(") && lead.is_none_or(|lead| !lead.is_one_of(NAMING));
        if let Some(name) = name(token, raw).filter(|_| calls)
            && let Some(why) = effect(&name)
        {
            return found(name.to_ascii_uppercase(), token.at, token.end, why);
        }
        if begins(sql, before, brackets, depth) {
            if token.is("copy") {
                copy = Some((token, brackets));
            }
            // Of a statement that is in no body the first words tell.
            if depth > 0
                && let Some(next) = next
            {
                if token.is("load") && next.text.is_empty() {
                    return found("LOAD".to_owned(), token.at, token.end, Why::Reaches);
                }
                if token.is("import") && next.is("foreign") {
                    return found("IMPORT FOREIGN".to_owned(), token.at, next.end, Why::Reaches);
                }
            }
            // Of another text, as an error's, it is no statement.
            let executed = second.is_some_and(|second| second.is("execute"));
            if depth > 0
                && !declares
                && (executed || code && before.is_none_or(|before| !before.text.is_empty()))
                && let Some(unfit) = shared(sql, token)
            {
                return Some(Unfit { at: base + unfit.at, ..unfit });
            }
        }
        // To or from a program or a file of the server's machine, or the client. A body takes no client's: the server sees to that.
        let compares = second.is_some_and(|second| second.is("distinct"));
        let way = before.filter(|before| before.is("to") || before.is("from") && !compares);
        if let (Some((copy, at)), Some(way)) = (copy, way)
            && at == brackets
            && depth == 0
            && token.is_one_of(&["stdin", "stdout"])
        {
            let words = format!("COPY {} {}", way.text, token.text).to_ascii_uppercase();
            return found(words, copy.at, token.end, Why::Exchanges);
        }
        if let (Some((copy, at)), Some(way)) = (copy, way)
            && at == brackets
            && (token.is("program") || token.text.is_empty() && !raw.starts_with('"'))
        {
            let (to, why) = match (token.is("program"), way.is("from")) {
                (true, _) => (" PROGRAM", Why::Reaches),
                (false, true) => ("", Why::Reads),
                (false, false) => ("", Why::Reaches),
            };
            return found(format!("COPY {}{to}", way.text.to_ascii_uppercase()), copy.at, token.end, why);
        }
        let is = |token: Option<Token<'_>>, word: &str| token.is_some_and(|token| token.is(word));
        let executed = is(before, "execute") || is(second, "format") && is(before, "(");
        if depth < DEEP
            && (depth > 0 || bodied)
            && let Some((inner, at)) = body(raw)
            && let Some(inside) = reaches(inner, base + token.at + at, depth + 1, depth == 0 || executed)
        {
            return Some(inside);
        }
        if token.text != "." && next.is_none_or(|next| next.text != ".") {
            lead = Some(token);
        }
        (second, before) = (before, Some(token));
    }
    None
}

/// Whether a statement may begin behind this token, or where there is none: in a body also behind what its parts begin with, and
/// behind the quotes of a text in it, which are doubled there. Elsewhere the same word is a name.
fn begins(sql: &str, before: Option<Token<'_>>, brackets: usize, depth: usize) -> bool {
    let Some(before) = before else { return true };
    let raw = sql.get(before.at..before.end).unwrap_or_default();
    let quotes = || raw.starts_with('\'') && raw.trim_matches('\'').is_empty();
    depth > 0 && (brackets == 0 && before.is_one_of(BEGINNING) || quotes())
}

/// A statement with this first token that is none for a migration in a body either.
fn shared(sql: &str, first: Token<'_>) -> Option<Unfit> {
    let tokens = Tokens { sql, at: first.at, engine: Engine::Postgres };
    let head: Vec<Token<'_>> = tokens.take_while(|token| token.text != ";").take(HEAD).collect();
    judge(&head, Engine::Postgres).filter(|found| matches!(found.why, Why::Locks | Why::Shared))
}

/// Where what begins a name with escapes, `U&"…"`, ends; also of a text, where that may be a `body`.
fn escapes(sql: &str, token: Token<'_>, body: bool) -> Option<usize> {
    let rest = sql.get(token.end..)?.strip_prefix('&').filter(|_| token.is("u"))?;
    (rest.starts_with('"') || body && rest.starts_with('\'')).then_some(token.end + 1)
}

/// The name that a token is, in quotes or not, as PostgreSQL knows it.
fn name(token: Token<'_>, raw: &str) -> Option<String> {
    match token.text {
        "" => Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned()),
        text => Some(text.to_ascii_lowercase()),
    }
}

/// Why a function is none for a migration; none where it is one.
fn effect(name: &str) -> Option<Why> {
    let among = |names: &[&str], beginnings: &[&str]| {
        names.contains(&name) || beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    if name == "setval" {
        Some(Why::Sets)
    } else if among(READING, READING_LIKE) {
        Some(Why::Reads)
    } else if among(REACHING, REACHING_LIKE) {
        Some(Why::Reaches)
    } else {
        None
    }
}

/// What stands in a text that may be the body of a function, and where in it that begins: between dollar signs or quotes.
fn body(raw: &str) -> Option<(&str, usize)> {
    if let Some(rest) = raw.strip_prefix('$') {
        let (tag, _) = rest.split_once('$')?;
        let mark = raw.get(..tag.len() + 2)?;
        let inner = raw.get(mark.len()..)?;
        return Some((inner.strip_suffix(mark).unwrap_or(inner), mark.len()));
    }
    let begin = usize::from(raw.starts_with(['e', 'E']));
    let inner = raw.get(begin..)?.strip_prefix('\'')?;
    Some((inner.strip_suffix('\'').unwrap_or(inner), begin + 1))
}

/// A word or a sign, and where it lies.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    /// Empty for what is in quotes.
    text: &'a str,
    at: usize,
    end: usize,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

/// A text's tokens. Where the engines read differently, each its own way: what is a comment or a text to the one may be a
/// statement to the other.
struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    engine: Engine,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let postgres = self.engine == Engine::Postgres;
        loop {
            let rest = self.sql.get(self.at..)?;
            let first = rest.chars().next()?;
            let skipped = blank(rest, self.engine);
            if skipped > 0 {
                self.at += skipped;
                continue;
            }
            let (quotes, length) = match first {
                '\'' | '"' => (true, quoted(rest, first)),
                '`' if !postgres => (true, quoted(rest, first)),
                '[' if !postgres => (true, rest.find(']').map_or(rest.len(), |end| end + 1)),
                'e' | 'E' if postgres && rest[1..].starts_with('\'') => (true, escaped(rest)),
                '$' if postgres => (true, dollars(rest)),
                '$' | '@' | '#' | ':' if !postgres => (true, variable(rest)),
                // A word may begin right behind a number.
                '0'..='9' => (true, rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
                _ if in_word(first) => (false, rest.find(|c| !in_word(c)).unwrap_or(rest.len())),
                _ => (false, first.len_utf8()),
            };
            let at = self.at;
            self.at += length;
            let text = if quotes { "" } else { &rest[..length] };
            return Some(Token { text, at, end: self.at });
        }
    }
}

/// Whether a character is part of a word: to both engines all are that are not ASCII.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The length of the white space or comment with which a text begins, as this engine reads it; 0 where it begins with neither.
pub fn blank(text: &str, engine: Engine) -> usize {
    let postgres = engine == Engine::Postgres;
    if text.starts_with("--") {
        return text.find(|c| c == '\n' || postgres && c == '\r').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return match postgres {
            true => nested(text),
            false => text[2..].find("*/").map_or(text.len(), |end| end + 4),
        };
    }
    // SQLite takes a byte order mark for white space, wherever it is.
    let white = |c: &char| c.is_ascii_whitespace() || *c == '\x0b' || !postgres && *c == '\u{feff}';
    text.chars().next().filter(white).map_or(0, char::len_utf8)
}

/// The length of a comment of PostgreSQL's, with those in it.
fn nested(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += first.len_utf8();
        }
    }
    text.len()
}

/// The length of what is in quotes, with them: a text begins with the quote, and a doubled one stands for one. All of the text
/// where no quote ends it.
pub fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find(quote) {
        at += found + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// The length of `E'…'`, where a quote behind `\` does not end it, with the pieces that go on behind a line break.
fn escaped(text: &str) -> usize {
    let mut at = 2;
    while let Some(found) = text[at..].find(['\\', '\'']) {
        at += found + 1;
        if text[..at].ends_with('\\') || text[at..].starts_with('\'') {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        } else if let Some(more) = continued(&text[at..]) {
            at += more;
        } else {
            return at;
        }
    }
    text.len()
}

/// The length of white space with a line break in it, comments included, and of the quote behind it.
fn continued(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut broken = false;
    loop {
        let rest = &text[at..];
        match rest.chars().next()? {
            '\'' => return broken.then_some(at + 1),
            '-' if rest.starts_with("--") => at += rest.find(['\n', '\r'])?,
            c if c.is_ascii_whitespace() || c == '\x0b' => {
                broken |= matches!(c, '\n' | '\r');
                at += 1;
            }
            _ => return None,
        }
    }
}

/// The length of `$tag$ … $tag$`; of the sign alone where no such text begins.
fn dollars(text: &str) -> usize {
    let tag = text[1..].split_once('$').map_or("0", |(tag, _)| tag);
    if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(in_word) {
        return 1;
    }
    let whole = &text[..tag.len() + 2];
    text[whole.len()..].find(whole).map_or(text.len(), |end| end + 2 * whole.len())
}

/// The length of a variable of SQLite's, which may go on in parentheses with whatever is no white space.
fn variable(text: &str) -> usize {
    let mut at = 1;
    let mut named = false;
    while let Some(c) = text[at..].chars().next() {
        if in_word(c) {
            named = true;
            at += c.len_utf8();
        } else if c == '(' && named {
            let end = text[at..].find(|c: char| c == ')' || c == '\x0b' || c.is_ascii_whitespace());
            return end.map_or(text.len(), |end| at + end + 1);
        } else if text[at..].starts_with("::") {
            at += 2;
        } else {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use Engine::{Postgres, Sqlite};

    const BOTH: &[Engine] = &[Sqlite, Postgres];

    #[track_caller]
    fn check(sql: &str, engines: &[Engine], want: Option<&str>) {
        for engine in engines {
            let found = unfit(sql, *engine);
            let found = found.map(|found| {
                let marked = &sql[found.at..found.at + found.len];
                assert_eq!(marked.trim(), marked, "{sql}");
                format!("{} {}", found.at, found.words)
            });
            assert_eq!(found.as_deref(), want, "{engine:?}: {sql}");
        }
    }

    #[test]
    fn what_begins_or_ends_a_transaction_is_found() {
        check("BEGIN; CREATE INDEX a ON t (x); COMMIT;", BOTH, Some("0 BEGIN"));
        check("CREATE INDEX a ON t (x);\n -- now\n /* all */ commit", BOTH, Some("44 COMMIT"));
        check("SELECT 1;;End Transaction", BOTH, Some("10 END"));
        check("rollback to x", BOTH, Some("0 ROLLBACK"));
        check("SAVEPOINT x", BOTH, Some("0 SAVEPOINT"));
        check("RELEASE x", BOTH, Some("0 RELEASE"));
        check("ABORT", BOTH, Some("0 ABORT"));
        check("START /* ; */ TRANSACTION", BOTH, Some("0 START TRANSACTION"));
        check("PREPARE TRANSACTION 'x'", BOTH, Some("0 PREPARE TRANSACTION"));
        check("COMMIT PREPARED 'x'", BOTH, Some("0 COMMIT PREPARED"));
        check("\u{feff}COMMIT", &[Sqlite], Some("3 COMMIT"));
        // Behind texts and names that hold whatever signs.
        check("SELECT ';''' ; COMMIT", BOTH, Some("15 COMMIT"));
        check("SELECT 1 AS \";\"\"\"; COMMIT", BOTH, Some("19 COMMIT"));
    }

    #[test]
    fn words_that_are_no_statement_are_left_alone() {
        for sql in [
            "",
            "-- BEGIN;\n/* ; COMMIT; */",
            "INSERT INTO t VALUES ('; COMMIT;'), ('it''s; END')",
            "CREATE TABLE t (\"; commit\" TEXT, release TEXT, x TEXT CHECK (CASE WHEN x = '' THEN 0 ELSE 1 END = 1))",
            "INSERT INTO t (begin) SELECT end FROM savepoint; PREPARE transactions AS SELECT 1",
            "CREATE INDEX vacuum ON t (concurrently)",
        ] {
            check(sql, BOTH, None);
        }
        check("SELECT `; COMMIT; ` FROM [; COMMIT;]", &[Sqlite], None);
        check("REFRESH MATERIALIZED VIEW CONCURRENTLY x", &[Postgres], None);
    }

    #[test]
    fn a_trigger_of_sqlites_has_a_body() {
        let trigger = "CREATE TRIGGER x AFTER INSERT ON t WHEN new.a = CASE WHEN 1 THEN 2 END
            BEGIN SELECT 1; UPDATE t SET a = CASE a WHEN 1 THEN 2 END; END;";
        check(trigger, &[Sqlite], None);
        check(&trigger.replace("TRIGGER", "temp trigger IF NOT EXISTS"), &[Sqlite], None);
        check(trigger.trim_end_matches(';'), &[Sqlite], None);
        let at = trigger.len() + 1;
        check(&format!("{trigger} END"), &[Sqlite], Some(&format!("{at} END")));
        check(&format!("{trigger} {trigger} COMMIT"), &[Sqlite], Some(&format!("{} COMMIT", 2 * at)));
        // To PostgreSQL BEGIN is a name like others.
        let named = "CREATE TRIGGER x AFTER INSERT ON begin EXECUTE FUNCTION f(); END";
        check(named, &[Postgres], Some("61 END"));
    }

    #[test]
    fn a_function_of_postgresqls_has_a_body() {
        for sql in [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END; $$",
            "DO $x$ BEGIN; COMMIT; $$ ; END $x$",
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS case; SELECT 2; END",
            "CREATE PROCEDURE p() BEGIN ATOMIC END",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN; COMMIT; END'",
        ] {
            check(sql, &[Postgres], None);
            let at = sql.len() + 1;
            check(&format!("{sql};END"), &[Postgres], Some(&format!("{at} END")));
        }
        let parameter = "CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS 'SELECT 1'; END";
        check(parameter, &[Postgres], Some("72 END"));
    }

    /// What is a comment or a text to one engine is a statement to the other.
    #[test]
    fn each_engine_reads_its_own_way() {
        for (sql, sqlite, postgres) in [
            ("/* /* */ COMMIT; */ SELECT 1", Some("9 COMMIT"), None),
            ("-- x\rCOMMIT", None, Some("5 COMMIT")),
            ("SELECT E'\\'; COMMIT; --'", Some("13 COMMIT"), None),
            ("SELECT E'\\'' ; COMMIT; --'", None, Some("15 COMMIT")),
            ("SELECT E'a' -- x\n '\\'' ; COMMIT; --'", None, Some("25 COMMIT")),
            ("SELECT 1e'\\'' ; COMMIT; --'", None, Some("16 COMMIT")),
            ("SELECT a$$; COMMIT; $$", Some("12 COMMIT"), Some("12 COMMIT")),
            ("SELECT $$; COMMIT; $$", Some("11 COMMIT"), None),
            ("SELECT $a('); COMMIT; --'", Some("14 COMMIT"), None),
            ("SELECT [']; COMMIT; --'", Some("12 COMMIT"), None),
            ("SELECT `'`; COMMIT; --'", Some("12 COMMIT"), None),
        ] {
            check(sql, &[Sqlite], sqlite);
            check(sql, &[Postgres], postgres);
        }
    }

    #[test]
    fn what_no_transaction_takes_is_found() {
        check("SELECT 1; VACUUM", BOTH, Some("10 VACUUM"));
        for (sql, want) in [
            ("CREATE INDEX CONCURRENTLY a ON t (x)", "0 CREATE INDEX CONCURRENTLY"),
            ("create unique index concurrently a ON t (x)", "0 CREATE UNIQUE INDEX CONCURRENTLY"),
            ("DROP INDEX CONCURRENTLY a", "0 DROP INDEX CONCURRENTLY"),
            ("REINDEX TABLE CONCURRENTLY t", "0 REINDEX TABLE CONCURRENTLY"),
            ("REINDEX (CONCURRENTLY) TABLE t", "0 REINDEX CONCURRENTLY"),
            ("CREATE DATABASE x", "0 CREATE DATABASE"),
            ("ALTER SYSTEM SET x = 1", "0 ALTER SYSTEM"),
            ("DROP TABLESPACE x", "0 DROP TABLESPACE"),
        ] {
            check(sql, &[Postgres], Some(want));
            check(sql, &[Sqlite], None);
        }
        let text = |sql| unfit(sql, Postgres).map(|found| found.to_string());
        assert_eq!(text("commit").as_deref(), Some("controls the transaction that it runs in (`COMMIT`)"));
        assert_eq!(text("VACUUM").as_deref(), Some("says `VACUUM`, which no transaction takes"));
    }

    /// D2: a preflight, which is rolled back, has no effect on anything.
    #[test]
    fn d2_what_reaches_beyond_the_database_is_found() {
        for (sql, want) in [
            ("SELECT pg_terminate_backend(1)", "7 PG_TERMINATE_BACKEND"),
            ("SELECT 1; SELECT pg_catalog.PG_Reload_Conf ()", "28 PG_RELOAD_CONF"),
            ("SELECT \"lo_export\"(1, '/x')", "7 LO_EXPORT"),
            ("INSERT INTO t SELECT pg_read_file('/etc/passwd')", "21 PG_READ_FILE"),
            ("SELECT * FROM dblink_exec('x', 'DROP TABLE t')", "14 DBLINK_EXEC"),
            ("SELECT pg_advisory_lock(1)", "7 PG_ADVISORY_LOCK"),
            ("COPY t TO PROGRAM 'touch x'", "0 COPY TO PROGRAM"),
            ("copy t (a, b) from '/x'", "0 COPY FROM"),
            ("COPY (SELECT 1) TO E'/x'", "0 COPY TO"),
            ("LOAD 'x'", "0 LOAD"),
            ("IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z", "0 IMPORT FOREIGN"),
            ("DO $$ BEGIN PERFORM pg_cancel_backend(1); END $$", "20 PG_CANCEL_BACKEND"),
            ("DO 'BEGIN EXECUTE ''COPY t TO PROGRAM x''; END'", "20 COPY TO PROGRAM"),
            ("DO $x$ BEGIN EXECUTE 'SELECT pg_ls_dir(''/'')'; END $x$", "29 PG_LS_DIR"),
            ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT pg_switch_wal()'", "57 PG_SWITCH_WAL"),
            ("SELECT pg_catalog.setval('s', 1)", "18 SETVAL"),
            ("DO $$ BEGIN IF a THEN COPY t TO '/x'; END IF; END $$", "22 COPY TO"),
            ("DO $$ BEGIN LOOP copy t FROM PROGRAM 'x'; END LOOP; END $$", "17 COPY FROM PROGRAM"),
            ("DO $$ BEGIN EXECUTE 'COPY t TO ''/x'' '; END $$", "21 COPY TO"),
            ("DO 'BEGIN EXECUTE format(''COPY %I TO PROGRAM x'', 1); END'", "27 COPY TO PROGRAM"),
            ("DO $$ BEGIN LOAD 'x'; END $$", "12 LOAD"),
            ("DO $$ BEGIN IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z; END $$", "12 IMPORT FOREIGN"),
        ] {
            check(sql, &[Postgres], Some(want));
        }
        for sql in [
            "INSERT INTO t VALUES ('SELECT pg_read_file(1)', 'COPY t TO PROGRAM')",
            "CREATE TABLE pg_ls (lo_export TEXT); -- pg_reload_conf()\nSELECT lo_export FROM t",
            "SELECT pg_advisory_xact_lock(1), pg_notify('x', ''), nextval('s'), currval('s')",
            "ALTER SEQUENCE s RESTART WITH 5; ALTER TABLE t ALTER COLUMN id RESTART WITH 5",
            "ALTER TABLE t RENAME TO copy; SELECT trim(both FROM ' x ')",
            // Names, whatever they are.
            "SELECT substring(copy from '^a') FROM t; UPDATE t SET copy = trim(both copy FROM 'x')",
            "SELECT copy IS DISTINCT FROM 'x', CASE WHEN a THEN copy ELSE substring(copy from 'x') END FROM t",
            "DO $$ BEGIN x := CASE WHEN a THEN copy IS NOT DISTINCT FROM 'x' ELSE (copy) END; END $$",
            "CREATE TABLE t (load TEXT, import TEXT, attach TEXT, \"lo_export\" TEXT); SELECT load, import FROM t",
            "DO $$ BEGIN UPDATE t SET load = 'x', import = load; END $$",
            "CREATE TABLE IF NOT EXISTS x.pg_ls_of (a TEXT REFERENCES dblink (id)); INSERT INTO dblink_of (a) VALUES (1)",
            "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM x; DROP FUNCTION IF EXISTS dblink_of(text)",
            "CREATE TABLE t (help TEXT DEFAULT 'copy it from ''here'' or call pg_reload_conf()')",
        ] {
            check(sql, &[Postgres], None);
        }
        check("SELECT 1; ATTACH '/x.db' AS x", &[Sqlite], Some("10 ATTACH"));
        check("ATTACH 'x' AS y", &[Postgres], None);
        check("SELECT pg_terminate_backend(1)", &[Sqlite], None);
        // Whatever comes first is told.
        check("SELECT pg_promote(); COMMIT", &[Postgres], Some("7 PG_PROMOTE"));
        check("COMMIT; SELECT pg_promote()", &[Postgres], Some("0 COMMIT"));
        let text = unfit("SELECT pg_promote()", Postgres).unwrap().to_string();
        assert!(text.starts_with("reaches beyond its database (`PG_PROMOTE`): a rollback"), "{text}");
    }

    /// What changes nothing is not said to stay, and what has another way is told with it.
    #[test]
    fn d2_a_call_is_refused_for_what_it_does() {
        for (sql, why) in [
            ("SELECT pg_read_file('x')", Why::Reads),
            ("SELECT pg_read_binary_file('x')", Why::Reads),
            ("SELECT * FROM pg_stat_file('x')", Why::Reads),
            ("SELECT * FROM pg_ls_waldir()", Why::Reads),
            ("SELECT pg_current_logfile()", Why::Reads),
            ("SELECT lo_import('/x')", Why::Reads),
            ("COPY t FROM '/x'", Why::Reads),
            ("COPY t FROM PROGRAM 'x'", Why::Reaches),
            ("COPY t TO '/x'", Why::Reaches),
            ("SELECT pg_file_write('x', 'y', true)", Why::Reaches),
            ("SELECT setval('s', (SELECT max(id) FROM t))", Why::Sets),
        ] {
            assert_eq!(unfit(sql, Postgres).map(|found| found.why), Some(why), "{sql}");
        }
        let reads = unfit("SELECT pg_read_file('x')", Postgres).unwrap();
        assert!(reads.to_string().starts_with("reads files of the server (`PG_READ_FILE`)"), "{reads}");
        assert!(!reads.to_string().contains("rollback") && !reads.help().contains("transaction"), "{reads}");
        let sets = unfit("SELECT setval('s', 1)", Postgres).unwrap();
        assert!(
            sets.to_string().starts_with("sets a sequence (`SETVAL`): a rollback does not take"),
            "{sets}"
        );
        assert!(sets.help().contains("ALTER SEQUENCE … RESTART WITH"), "{}", sets.help());
        assert!(unfit("COMMIT", Postgres).is_some_and(|found| found.help() == UNFIT_HELP));
    }

    /// D2: nobody gives it data, and a server waits for them without end.
    #[test]
    fn d2_what_exchanges_data_with_a_client_is_found() {
        for (sql, want) in [
            ("SELECT 1; COPY plugin_crm_accounts FROM STDIN;", "10 COPY FROM STDIN"),
            ("copy t (a, b) from /* me */ stdin WITH (FORMAT csv)", "0 COPY FROM STDIN"),
            ("COPY (SELECT substring(a FROM 'x') FROM stdin) TO STDOUT", "0 COPY TO STDOUT"),
            ("COPY t TO stdin", "0 COPY TO STDIN"),
        ] {
            check(sql, &[Postgres], Some(want));
            assert_eq!(unfit(sql, Postgres).map(|found| found.why), Some(Why::Exchanges), "{sql}");
        }
        for sql in [
            "CREATE TABLE stdin (stdout TEXT, copy TEXT); SELECT copy FROM stdin",
            "DO $$ BEGIN RAISE 'copy it from stdin'; END $$; COMMENT ON TABLE t IS 'COPY t FROM STDIN'",
        ] {
            check(sql, &[Postgres], None);
        }
        let text = unfit("COPY t FROM STDIN", Postgres).unwrap().to_string();
        assert_eq!(text, "exchanges data with a client (`COPY FROM STDIN`), which a migration has not");
    }

    /// D2: the host that is in use would wait for a preflight.
    #[test]
    fn d2_what_locks_a_table_for_its_own_sake_is_found() {
        for (sql, want) in [
            ("LOCK TABLE hub_sessions IN ACCESS EXCLUSIVE MODE", "0 LOCK"),
            ("SELECT 1; lock \"plugin_crm_accounts\"", "10 LOCK"),
            ("LOCK ONLY t IN SHARE MODE NOWAIT", "0 LOCK"),
            ("DO $$ BEGIN LOCK TABLE t; END $$", "12 LOCK"),
            ("DO $$ BEGIN PERFORM 1; LOCK t; END $$", "23 LOCK"),
            ("DO $$ BEGIN EXECUTE 'LOCK TABLE t'; END $$", "21 LOCK"),
            ("DO 'BEGIN EXECUTE ''LOCK t''; END'", "20 LOCK"),
            ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'LOCK t'", "50 LOCK"),
        ] {
            check(sql, &[Postgres], Some(want));
            assert_eq!(unfit(sql, Postgres).map(|found| found.why), Some(Why::Locks), "{sql}");
        }
        for sql in [
            "CREATE TABLE t (lock TEXT); UPDATE t SET lock = 'LOCK TABLE t'; SELECT lock FROM t",
            "DO $$ DECLARE a int; lock int; BEGIN lock := 1; lock = 2; RAISE 'lock not available'; END $$",
            "DO 'BEGIN RAISE ''lock table is full''; END'; SELECT 1 FROM t FOR UPDATE",
        ] {
            check(sql, &[Postgres], None);
        }
    }

    #[test]
    fn d2_what_changes_what_databases_have_in_common_is_found() {
        for (sql, want) in [
            ("ALTER ROLE hub SET search_path = x", "0 ALTER ROLE"),
            ("create user x", "0 CREATE USER"),
            ("DROP USER IF EXISTS x", "0 DROP USER"),
            ("ALTER GROUP x ADD USER y", "0 ALTER GROUP"),
            ("ALTER DATABASE x SET search_path = y", "0 ALTER DATABASE"),
            ("ALTER TABLESPACE x RENAME TO y", "0 ALTER TABLESPACE"),
            ("GRANT a, b TO c", "0 GRANT"),
            ("REVOKE ADMIN OPTION FOR a FROM c", "0 REVOKE"),
            (
                "DO $$ BEGIN CREATE ROLE x; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
                "12 CREATE ROLE",
            ),
            (
                "DO $$ BEGIN IF a THEN EXECUTE format('ALTER ROLE %I SET x = 1', y); END IF; END $$",
                "38 ALTER ROLE",
            ),
        ] {
            check(sql, &[Postgres], Some(want));
            assert_eq!(unfit(sql, Postgres).map(|found| found.why), Some(Why::Shared), "{sql}");
        }
        check("DROP USER x", &[Sqlite], None);
        for sql in [
            "CREATE USER MAPPING FOR x SERVER y; ALTER USER MAPPING FOR x SERVER y OPTIONS (a 'b')",
            "GRANT SELECT (a, b, c, d, e, f), UPDATE (a) ON t TO x; GRANT ALL ON t TO x; REVOKE ALL ON t FROM x",
            "REVOKE GRANT OPTION FOR SELECT ON t FROM x; ALTER TABLE role OWNER TO x",
            "DO $$ BEGIN RAISE 'grant access to somebody'; RAISE EXCEPTION 'create user first'; END $$",
        ] {
            check(sql, &[Postgres], None);
        }
    }

    /// D2: what a name is called may be hidden from whoever reads the file.
    #[test]
    fn d2_a_name_with_escapes_is_found() {
        for (sql, want) in [
            ("SELECT U&\"pg\\005fcancel_backend\"(1)", "7 U&"),
            ("SELECT u&\"setv!0061l\" UESCAPE '!' ('s', 1)", "7 U&"),
            ("SELECT pg_catalog.U&\"setv\\0061l\"('s', 1)", "18 U&"),
            ("DO $$ BEGIN PERFORM U&\"setv\\0061l\"('s', 1); END $$", "20 U&"),
            ("DO U&'BEGIN PERFORM setv\\0061l(1); END'", "3 U&"),
        ] {
            check(sql, &[Postgres], Some(want));
            assert_eq!(unfit(sql, Postgres).map(|found| found.why), Some(Why::Hides), "{sql}");
        }
        for sql in ["INSERT INTO t VALUES (U&'d\\0061t')", "SELECT u & \"x\", bu&\"x\" FROM t"] {
            check(sql, &[Postgres], None);
        }
        check("SELECT u&\"x\" FROM t", &[Sqlite], None);
    }

    /// D2: what stands between dollar signs is a body only where one may be.
    #[test]
    fn d2_a_text_between_dollar_signs_is_a_text() {
        check(
            "CREATE TABLE t (\"begin\" text, vacuum int, savepoint text, copy text, program text);
             INSERT INTO t (copy, program) VALUES ($$COPY x TO PROGRAM y$$, $x$SELECT pg_read_file('/x')$x$)",
            &[Postgres],
            None,
        );
        check("COMMENT ON TABLE t IS $$COPY x TO PROGRAM y; LOCK TABLE t$$", &[Postgres], None);
        check(
            "SELECT $$a$$; DO $$ BEGIN COPY x TO PROGRAM 'y'; END $$",
            &[Postgres],
            Some("26 COPY TO PROGRAM"),
        );
        check(
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$SELECT pg_switch_wal()$$",
            &[Postgres],
            Some("58 PG_SWITCH_WAL"),
        );
    }

    #[test]
    fn a_text_that_ends_anywhere_is_read_to_its_end() {
        let sql = "CREATE FUNCTION f() BEGIN ATOMIC; SELECT E'ä\\'' 'x' \"n\" $t$ ä $t$ $a(x) [b] `c` /* /* */ */ 1e5; END";
        for end in (0..=sql.len()).filter(|end| sql.is_char_boundary(*end)) {
            for engine in BOTH {
                assert!(unfit(&sql[..end], *engine).is_none_or(|found| found.at + found.len <= end));
            }
        }
    }
}
