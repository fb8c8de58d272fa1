//! Constructs of SQLite's alone that no row of words describes, because of what may stand between them.

use super::{FILES, NAMES, Token};

/// Something that begins at a token.
pub(super) struct Shape {
    /// Its last token.
    pub last: usize,
    /// What is to be said behind it; begins with a blank.
    pub remark: &'static str,
    /// What to write instead.
    pub portable: &'static str,
}

/// The one that begins at this token. `untyped` is what [`untyped`] has found.
pub(super) fn at(tokens: &[Token], from: usize, untyped: &[usize]) -> Option<Shape> {
    match tokens.get(from)?.text.as_str() {
        "begin" => trigger(tokens, from),
        "max" | "min" => greatest(tokens, from),
        "[" => bracketed(tokens, from),
        "is" => compared(tokens, from),
        _ => untyped.contains(&from).then_some(Shape {
            last: from,
            remark: " without a type",
            portable: "give the column a type, such as TEXT",
        }),
    }
}

/// The text of a token; empty behind the last one.
fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The first token of the statement that a token is in.
fn statement(tokens: &[Token], at: usize) -> usize {
    tokens[..at].iter().rposition(|token| token.text == ";").map_or(0, |end| end + 1)
}

/// `CREATE TRIGGER … BEGIN`.
fn trigger(tokens: &[Token], from: usize) -> Option<Shape> {
    let create = statement(tokens, from);
    let temporary = matches!(text(tokens, create + 1), "temp" | "temporary");
    let is =
        text(tokens, create) == "create" && text(tokens, create + 1 + usize::from(temporary)) == "trigger";
    is.then_some(Shape { last: from, remark: " in CREATE TRIGGER", portable: FILES })
}

/// `max(a, b)`: of several values, not of several rows.
fn greatest(tokens: &[Token], from: usize) -> Option<Shape> {
    // There it is the name of a table.
    let before = from.checked_sub(1).map_or("", |before| text(tokens, before));
    if text(tokens, from + 1) != "("
        || matches!(before, "table" | "exists" | "into" | "on" | "references" | "view" | ".")
    {
        return None;
    }
    let mut depth = 0_usize;
    for token in tokens.get(from + 1..)? {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" if depth <= 1 => return None,
            ")" => depth -= 1,
            "," if depth == 1 => break,
            // By which the rows are ordered.
            "order" | ";" => return None,
            _ => {}
        }
    }
    let portable = "write CASE WHEN … > … THEN … ELSE … END";
    Some(Shape { last: from + 1, remark: " of several values", portable })
}

/// `[name]`. What follows a name or a parenthesis at once is an element of an array.
fn bracketed(tokens: &[Token], from: usize) -> Option<Shape> {
    let last = from + tokens.get(from..)?.iter().position(|token| token.text == "]")?;
    let is_name = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let opening = &tokens[from];
    let element = from.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| {
        let ends_value = is_name(&before.text) || matches!(before.text.as_str(), "\"" | ")" | "]");
        before.text == "array" || before.text == "[" || ends_value && before.end == opening.at
    });
    (!element && is_name(text(tokens, from + 1))).then_some(Shape { last, remark: "", portable: NAMES })
}

/// What both engines know behind IS and IS NOT, or PostgreSQL alone.
const KNOWN: &[&str] = &[
    "null",
    "true",
    "false",
    "distinct",
    "unknown",
    "of",
    "document",
    "json",
    "normalized",
    "nfc",
    "nfd",
    "nfkc",
    "nfkd",
];

/// `a IS b`.
fn compared(tokens: &[Token], from: usize) -> Option<Shape> {
    let with = from + 1 + usize::from(text(tokens, from + 1) == "not");
    let value = text(tokens, with);
    // `COMMENT ON … IS '…'`.
    let says = matches!(text(tokens, statement(tokens, from)), "comment" | "security");
    if says || KNOWN.contains(&value) || matches!(value, "" | ";" | ")" | ",") {
        return None;
    }
    let last = if value == "(" { with - 1 } else { with };
    let portable = "write IS NOT DISTINCT FROM, and for IS NOT write IS DISTINCT FROM";
    Some(Shape { last, remark: "", portable })
}

/// What an entry of a table begins with that is no column.
const NO_COLUMN: &[&str] = &["constraint", "primary", "unique", "check", "foreign", "exclude", "like"];

/// What follows a column's name and is no type.
const NO_TYPE: &[&str] = &[
    ",",
    ")",
    "constraint",
    "primary",
    "not",
    "null",
    "unique",
    "check",
    "default",
    "references",
    "collate",
    "generated",
    "as",
];

/// The names of columns that `CREATE TABLE` gives no type.
pub(super) fn untyped(tokens: &[Token]) -> Vec<usize> {
    let mut found = Vec::new();
    for create in (0..tokens.len()).filter(|at| tokens[*at].text == "create") {
        let mut at = create + 1;
        if matches!(text(tokens, at), "temp" | "temporary") {
            at += 1;
        }
        if text(tokens, at) != "table" {
            continue;
        }
        at += 1;
        if text(tokens, at) == "if" {
            at += 3;
        }
        if text(tokens, at + 1) == "." {
            at += 2;
        }
        if text(tokens, at + 1) == "(" {
            found.extend(columns(tokens, at + 2));
        }
    }
    found
}

/// Those of a list that begins there.
fn columns(tokens: &[Token], first: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut begins = true;
    let mut depth = 1_usize;
    for at in first..tokens.len() {
        let token = text(tokens, at);
        if begins && !NO_COLUMN.contains(&token) && NO_TYPE.contains(&text(tokens, at + 1)) {
            found.push(at);
        }
        begins = depth == 1 && token == ",";
        match token {
            "(" => depth += 1,
            ")" => depth -= 1,
            ";" => break,
            _ => {}
        }
        if depth == 0 {
            // Of what a query gives PostgreSQL takes the names alone.
            return if text(tokens, at + 1) == "as" { Vec::new() } else { found };
        }
    }
    // It does not end, and the database says so.
    Vec::new()
}
