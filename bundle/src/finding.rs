//! Places in sources: from what parsers tell to the spots of findings.

use std::path::Path;

use hub_manifest::codes::Code;
pub use hub_manifest::wire::bundler::{Finding, Spot};

fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text of a source file; what stands in the way as a finding with the given code.
pub fn read_text(file: &Path, code: Code) -> Result<String, Finding> {
    let bytes = std::fs::read(file).map_err(|error| {
        Finding::error(code, format!("the file cannot be read: {error}")).at(file, Spot::START)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        Finding::error(code, "the file is not UTF-8 text")
            .at(file, Spot::at(&text, text.len(), 0))
            .help("save it as UTF-8")
    })
}

/// Length in bytes of the token that starts at byte `offset`: a quoted string with its quotes, a word, or one character.
pub fn token_len(text: &str, offset: usize) -> usize {
    let rest = &text[floor(text, offset)..];
    let Some(first) = rest.chars().next() else { return 0 };
    if matches!(first, '"' | '\'' | '`') {
        let inner = &rest[1..];
        return match inner.find([first, '\n']) {
            Some(at) if inner[at..].starts_with(first) => at + 2,
            _ => 1,
        };
    }
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if first == '@' {
        return 1 + token_len(rest, 1);
    }
    if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() }
}

/// The spot of byte-less positions as style parsers give them: `line` and `column` both 1-based, the length taken from
/// the token there.
pub fn spot_of_line(text: &str, line: usize, column: usize) -> Spot {
    let start = match line {
        0 | 1 => 0,
        _ => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(text.len(), |at| at + 1),
    };
    let row = text[start..].lines().next().unwrap_or("");
    let inside: usize = row.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    // Parsers point before the white space that leads to a token.
    let inside = inside + row[inside..].len() - row[inside..].trim_start().len();
    Spot::at(text, start + inside, token_len(text, start + inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_counts_characters_and_not_bytes() {
        let text = "a\nüü x = 'é'\n";
        let at = text.find('\'').unwrap();
        assert_eq!(Spot::at(text, at, token_len(text, at)), Spot { line: 2, column: 8, length: 3 });
    }

    #[test]
    fn a_spot_past_the_end_is_the_end() {
        assert_eq!(spot_of_line("ab", 7, 3), Spot { line: 1, column: 3, length: 0 });
    }

    #[test]
    fn tokens_end_where_a_reader_ends_them() {
        assert_eq!(token_len("import x", 0), 6);
        assert_eq!(token_len("'./a' ;", 0), 5);
        assert_eq!(token_len("'./a\n", 0), 1);
        assert_eq!(token_len("=>", 0), 1);
        assert_eq!(token_len("", 0), 0);
    }
}
