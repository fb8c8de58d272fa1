//! Where in a migration an error of PostgreSQL's lies: at the character that it names, else at the statement that failed.

use hub_manifest::diagnostic::Span;

/// The place of an error: `position` counts characters of the text from 1; `done` is how many statements ran before.
pub fn of_error(sql: &str, position: Option<u32>, done: usize) -> Span {
    match position {
        Some(position) => of_position(sql, position),
        None => of_statement(sql, done),
    }
}

/// The word at a character, counted from 1.
fn of_position(sql: &str, position: u32) -> Span {
    let index = usize::try_from(position).unwrap_or(usize::MAX).saturating_sub(1);
    let offset = sql.char_indices().nth(index).map_or(sql.len(), |(offset, _)| offset);
    let rest = &sql[offset..];
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let first = rest.chars().next().map_or(0, char::len_utf8);
    Span::at(sql, offset, word.max(first))
}

/// The first line of the statement behind so many others.
pub fn of_statement(sql: &str, done: usize) -> Span {
    let Some(offset) = statements(sql).nth(done) else { return Span::START };
    let line = sql[offset..].lines().next().unwrap_or_default();
    Span::at(sql, offset, line.trim_end().len())
}

/// Where each statement begins. This only serves to name a place: what runs is the text as it is. In a function's body
/// that is written without quotes, the place may be a later one.
fn statements(sql: &str) -> impl Iterator<Item = usize> {
    let mut begun = None;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let (kind, length) = piece(sql, at, first);
        match kind {
            Piece::End => begun = None,
            Piece::Blank => {}
            Piece::Text if begun.is_none() => {
                begun = Some(at);
                found.push(at);
            }
            Piece::Text => {}
        }
        at += length;
    }
    found.into_iter()
}

/// What a piece of SQL is for its statements.
enum Piece {
    /// White space or a comment.
    Blank,
    /// The end of a statement.
    End,
    /// A part of one.
    Text,
}

/// The piece that begins at `at`, and its length.
fn piece(sql: &str, at: usize, first: char) -> (Piece, usize) {
    let rest = &sql[at..];
    if rest.starts_with("--") {
        return (Piece::Blank, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Piece::Blank, comment(rest));
    }
    let length = match first {
        ';' => return (Piece::End, 1),
        _ if first.is_whitespace() => return (Piece::Blank, first.len_utf8()),
        '\'' => quoted(rest, '\'', escapes(&sql[..at])),
        '"' => quoted(rest, '"', false),
        '$' => dollars(rest),
        _ if is_word(first) => rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len()),
        _ => first.len_utf8(),
    };
    (Piece::Text, length)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a text behind this has signs behind `\`: where it is `E'…'`.
fn escapes(before: &str) -> bool {
    let mut back = before.chars().rev();
    matches!(back.next(), Some('e' | 'E')) && !back.next().is_some_and(is_word)
}

/// The length of a comment, with those in it.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of what is in quotes, with them. A doubled quote is two texts that follow each other, which comes to the same.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return at + 1;
        }
        if escapes && c == '\\' {
            chars.next();
        }
    }
    text.len()
}

/// The length of `$tag$ … $tag$`; of the sign alone where it is none.
fn dollars(text: &str) -> usize {
    let Some(end) = text[1..].find(|c: char| !is_word(c)).map(|at| at + 1) else { return 1 };
    if !text[end..].starts_with('$') {
        return 1;
    }
    let tag = &text[..=end];
    text[tag.len()..].find(tag).map_or(text.len(), |at| at + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, position: Option<u32>, done: usize, expect: (usize, usize, &str)) {
        let span = of_error(sql, position, done);
        let (line, column, text) = expect;
        let marked = &sql[span.offset..span.offset + span.len];
        assert_eq!((span.line, span.column, marked), (line, column, text), "{sql}");
    }

    #[test]
    fn d3_a_position_counts_characters_and_becomes_a_line_and_a_column() {
        check("CREATE TABLE a (\n    b TEXT NOT NUL\n)", Some(33), 0, (2, 16, "NUL"));
        // Two bytes each: counted in bytes, the place would be another.
        check("-- äöü\nSELECT ü;", Some(15), 0, (2, 8, "ü"));
        check("SELECT 'ä' + 1;\r\n\\! touch x", Some(18), 1, (2, 1, "\\"));
        check("SELECT (", Some(9), 0, (1, 9, ""));
        check("SELECT", Some(900), 0, (1, 7, ""));
        check("", Some(0), 0, (1, 1, ""));
    }

    #[test]
    fn d3_without_a_position_it_is_the_statement_that_failed() {
        let sql = "-- first; not this\nSELECT 1;;\n/* a; /* b; */ c; */ SELECT 2;\n  SELECT\n3";
        check(sql, None, 0, (2, 1, "SELECT 1;;"));
        check(sql, None, 1, (3, 22, "SELECT 2;"));
        check(sql, None, 2, (4, 3, "SELECT"));
        check(sql, None, 3, (1, 1, ""));
    }

    #[test]
    fn d3_what_is_in_quotes_ends_no_statement() {
        for first in [
            "SELECT 'a;''b;'",
            "SELECT \"a;\"",
            "SELECT E'a\\';b'",
            "SELECT 'a\\'",
            "SELECT name'x\\'",
            "DO $$ BEGIN; END $$",
            "DO $x$ ; $y$ ; $$ ; $x$",
            "SELECT a$1;b$1".trim_end_matches(";b$1"),
            "SELECT $1",
        ] {
            let sql = format!("{first};\nnext");
            check(&sql, None, 1, (2, 1, "next"));
        }
        check("SELECT 'open; never ends\nnext", None, 1, (1, 1, ""));
    }
}
