//! What is wrong with a plugin: one value an error or warning, with its code, place and way out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::codes::Code;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The build stops (or, with `--keep-going`, leaves the plugin out).
    Error,
    /// The build goes on; `--deny-warnings` makes it an error.
    Warning,
}

/// A stretch of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Byte offset of the first byte.
    pub offset: usize,
    /// Length in bytes; 0 marks a point.
    pub len: usize,
    /// 1-based line of `offset`.
    pub line: usize,
    /// 1-based column of `offset`, in characters.
    pub column: usize,
}

impl Span {
    /// The very start of a file: the place of whatever concerns the file as a whole.
    pub const START: Span = Span { offset: 0, len: 0, line: 1, column: 1 };

    /// The span of `len` bytes at byte `offset` of `text`; both are brought back into the text and to the borders of
    /// characters, so that positions from any parser are safe to use.
    pub fn at(text: &str, offset: usize, len: usize) -> Span {
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(offset);
        let end = floor(offset.saturating_add(len)).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Span {
            offset: start,
            len: end - start,
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Most findings that one file is told of: past that, reading on would help nobody and take long.
pub const MAX_FINDINGS: usize = 200;

/// Longest sentence, in characters; what stands in the middle of a longer one is left out.
const MAX_SENTENCE: usize = 400;

/// A text as one line that a terminal can show: what an author wrote may hold line ends, colour codes and marks that turn
/// the direction of reading, and may be very long.
fn one_line(text: &str) -> String {
    let plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let count = text.chars().count();
    if count <= MAX_SENTENCE && text.chars().all(plain) {
        return text.to_string();
    }
    let show = |c: char| if plain(c) { c.to_string() } else { c.escape_default().to_string() };
    if count <= MAX_SENTENCE {
        return text.chars().map(show).collect();
    }
    // The end says what is wrong with the value in the middle.
    let (first, last) = (MAX_SENTENCE / 2, MAX_SENTENCE / 4);
    let begin: String = text.chars().take(first).map(show).collect();
    let end: String = text.chars().skip(count - last).map(show).collect();
    format!("{begin}…{end}")
}

/// A second place that a finding speaks of: the other plugin's claim, the first of two equal keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Related {
    /// The file, as shown to the reader.
    pub file: PathBuf,
    /// Where in it.
    pub span: Span,
    /// What is there, in a few words.
    pub label: String,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub level: Level,
    /// Stable code.
    pub code: Code,
    /// One sentence that says what is wrong, naming the field and the value.
    pub message: String,
    /// Slug (or, where the manifest gives none, folder name) of the vertical plugin concerned.
    pub plugin: Option<String>,
    /// The file: an absolute path, or one relative to the folder the command was started in.
    pub file: Option<PathBuf>,
    /// Where in the file.
    pub span: Span,
    /// What the marked text is, in a few words; empty when the message says it all.
    pub label: String,
    /// What to write or do instead.
    pub help: String,
    /// Other places concerned.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error with the given stable code.
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            level: Level::Error,
            code,
            message: message.into(),
            plugin: None,
            file: None,
            span: Span::START,
            label: String::new(),
            help: String::new(),
            related: Vec::new(),
        }
    }

    /// A warning with the given stable code.
    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Warning, ..Diagnostic::error(code, message) }
    }

    /// Names the vertical plugin.
    pub fn plugin(mut self, slug: impl Into<String>) -> Diagnostic {
        self.plugin = Some(slug.into());
        self
    }

    /// Names the place.
    pub fn at(mut self, file: impl Into<PathBuf>, span: Span) -> Diagnostic {
        self.file = Some(file.into());
        self.span = span;
        self
    }

    /// Says what the marked text is.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = help.into();
        self
    }

    /// Makes every sentence one line of bounded length without control characters.
    pub fn clean(&mut self) {
        for text in [&mut self.message, &mut self.label, &mut self.help] {
            *text = one_line(text);
        }
        for related in &mut self.related {
            related.label = one_line(&related.label);
        }
    }

    /// Names a second place.
    pub fn related(mut self, file: impl Into<PathBuf>, span: Span, label: impl Into<String>) -> Diagnostic {
        self.related.push(Related { file: file.into(), span, label: label.into() });
        self
    }
}

/// Puts findings into the order they are reported in: by file, then place, then code.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        (&a.file, a.span.offset, a.code, &a.message).cmp(&(&b.file, b.span.offset, b.code, &b.message))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn a_sentence_is_one_line_that_a_terminal_can_show() {
        let check = |text: &str, expect: &str| {
            let mut found = Diagnostic::error(codes::UNREADABLE, text).label(text).help(text).related(
                "f",
                Span::START,
                text,
            );
            found.clean();
            let told = [&found.message, &found.label, &found.help, &found.related[0].label];
            assert_eq!(told, [expect; 4], "{text:?}");
            let once = found.clone();
            found.clean();
            assert_eq!(found, once, "clean is clean");
        };
        check("`crm` – größer 🙂", "`crm` – größer 🙂");
        check("a\nb\r\n\tc", "a\\nb\\r\\n\\tc");
        check("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}");
        check("a\u{202e}b\u{2066}c\u{2028}", "a\\u{202e}b\\u{2066}c\\u{2028}");
        let long = "x".repeat(150) + &"y".repeat(400) + &"z".repeat(150);
        let expect = "x".repeat(150) + &"y".repeat(50) + "…" + &"z".repeat(100);
        check(&long, &expect);
        check(&"ä".repeat(MAX_SENTENCE), &"ä".repeat(MAX_SENTENCE));
    }

    #[test]
    fn files_places_and_codes_stay_as_they_are() {
        let span = Span { offset: 3, len: 2, line: 1, column: 4 };
        let mut found = Diagnostic::warning(codes::UNKNOWN_FIELD, "a\nb").plugin("crm").at("a\nb.yaml", span);
        found.clean();
        let place =
            (found.file.as_deref(), found.span, found.code.id(), found.level, found.plugin.as_deref());
        let file = std::path::Path::new("a\nb.yaml");
        assert_eq!(place, (Some(file), span, "HUB016", Level::Warning, Some("crm")));
    }
}
