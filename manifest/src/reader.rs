//! Reads typed fields out of a [`Node`] tree and collects every finding on the way.

use std::ops::Range;

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, MAX_FINDINGS, Span};
use crate::grammar::{MAX_LINE, alternatives, nearest};
use crate::node::{Entry, Node, Value};
use crate::source::{Source, Spanned};
use crate::visible::hidden_character;
use std::collections::HashSet;

/// Longest text of several lines, in characters.
const MAX_PROSE: usize = 20_000;

/// A source and what was found wrong in it so far.
pub(crate) struct Reader<'a> {
    /// The document's text.
    pub source: &'a Source,
    /// Slug or folder name of the plugin.
    pub plugin: &'a str,
    /// All findings.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Records an error at a place.
    pub fn error(
        &mut self,
        code: Code,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.is_full() {
            return;
        }
        let diagnostic = Diagnostic::error(code, message)
            .plugin(self.plugin)
            .at(&self.source.file, self.source.span(range))
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    /// Records a warning at a place.
    pub fn warning(
        &mut self,
        code: Code,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.is_full() {
            return;
        }
        let diagnostic = Diagnostic::warning(code, message)
            .plugin(self.plugin)
            .at(&self.source.file, self.source.span(range))
            .help(help);
        self.diagnostics.push(diagnostic);
    }

    fn is_full(&self) -> bool {
        self.diagnostics.len() > MAX_FINDINGS
    }

    /// All findings, each as one line; where there are too many, the first of them and one that says so.
    pub fn finished(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        if diagnostics.len() > MAX_FINDINGS {
            diagnostics.truncate(MAX_FINDINGS);
            let message =
                format!("more than {MAX_FINDINGS} things are wrong here, and only the first are told");
            let found =
                Diagnostic::error(codes::TOO_LARGE, message).help("mend what is told, then check again");
            diagnostics.push(found.at(&self.source.file, Span::START));
        }
        for diagnostic in &mut diagnostics {
            diagnostic.clean();
            // What is no text of the format was found before anybody knew whose it is.
            diagnostic.plugin = Some(self.plugin.to_string());
        }
        diagnostics
    }

    /// The value has the wrong type.
    pub fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str, example: &str) {
        let message = format!("{what} must be {wanted}, but this is {}", node.value.kind());
        self.error(codes::WRONG_TYPE, &node.range, message, format!("write {example}"));
    }

    /// The entries of a mapping.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.wrong_type(node, what, "a mapping", example);
                None
            }
        }
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            _ => {
                self.wrong_type(node, what, "a list", example);
                None
            }
        }
    }

    /// One line of text that is not blank.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.any_text(node, what)?;
        // A block of text in YAML ends with a line break.
        let line = text.value.strip_suffix('\n').unwrap_or(&text.value).to_string();
        self.bounded(&line, &text.range, what, MAX_LINE, hidden_character(&line))?;
        Some(Spanned::new(line, text.range))
    }

    /// Text of one line or more that is not blank.
    pub fn prose(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let text = self.any_text(node, what)?;
        let lines = text.value.split(['\n', '\t']);
        let hidden = lines.into_iter().find_map(hidden_character);
        self.bounded(&text.value, &text.range, what, MAX_PROSE, hidden)?;
        Some(text)
    }

    /// Nothing where a text is too long, or holds what cannot be seen.
    fn bounded(
        &mut self,
        text: &str,
        range: &Range<usize>,
        what: &str,
        most: usize,
        hidden: Option<char>,
    ) -> Option<()> {
        let length = text.chars().count();
        if length > most {
            let message = format!("{what} has {length} characters, more than the {most} that are read");
            self.error(codes::TOO_LARGE, range, message, "write it shorter");
            return None;
        }
        if let Some(c) = hidden {
            self.hidden(range, what, c);
            return None;
        }
        Some(())
    }

    /// A character that would not show as what it is.
    fn hidden(&mut self, range: &Range<usize>, what: &str, c: char) {
        let (message, help) = hidden_text(what, c);
        self.error(codes::HIDDEN_CHARACTER, range, message, help);
    }

    /// Text of any kind that is not blank.
    fn any_text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match &node.value {
            Value::String(text) if text.trim().is_empty() => {
                self.error(
                    codes::MALFORMED_NAME,
                    &node.range,
                    format!("{what} is blank"),
                    "write some text, or remove the field",
                );
                None
            }
            Value::String(text) => Some(Spanned::new(text.clone(), node.range.clone())),
            Value::Integer(_) | Value::Number(_) | Value::Bool(_) => {
                let written = self.source.text.get(node.range.clone()).unwrap_or_default().trim();
                self.wrong_type(node, what, "text", &format!("it in quotes: \"{written}\""));
                None
            }
            _ => {
                self.wrong_type(node, what, "text", "one line of text");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong_type(node, what, "true or false", "`true` or `false`, without quotes");
                None
            }
        }
    }

    /// Text that keeps to a grammar, which says what to write where it does not.
    pub fn checked<T>(
        &mut self,
        node: &Node,
        code: Code,
        what: &str,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        let text = self.text(node, what)?;
        match check(&text.value) {
            Ok(value) => Some(Spanned::new(value, text.range)),
            Err(help) => {
                self.error(code, &text.range, format!("{what} `{}` is malformed", text.value), help);
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.error(
            codes::UNKNOWN_WORD,
            &text.range,
            format!("{what} cannot be `{}`", text.value),
            format!("write {}", alternatives(&all)),
        );
        None
    }

    /// Each text of a list that keeps to a grammar; repeated ones are warned of and kept once.
    pub fn texts(
        &mut self,
        node: &Node,
        what: &str,
        code: Code,
        example: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<Spanned<String>> {
        let mut out: Vec<Spanned<String>> = Vec::new();
        let mut known = HashSet::new();
        for item in self.list(node, &format!("`{what}`"), example).unwrap_or_default() {
            let Some(read) = self.text(item, &format!("each entry of `{what}`")) else { continue };
            if let Err(help) = check(&read.value) {
                self.error(code, &read.range, format!("`{}` in `{what}` is malformed", read.value), help);
                continue;
            }
            if !known.insert(read.value.clone()) {
                self.warning(
                    codes::DUPLICATE_ENTRY,
                    &read.range,
                    format!("`{}` stands twice in `{what}`", read.value),
                    "remove one of the two",
                );
            } else {
                out.push(read);
            }
        }
        out
    }

    /// Warns of every key that is not among `known`, with the nearest that is.
    pub fn unknown_keys(&mut self, entries: &[Entry], known: &[&str], of: &str) {
        for entry in entries {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let near = nearest(&entry.key, known.iter().copied());
            let help = if near.is_empty() {
                "it is ignored; remove it, or build with a platform that knows it".to_string()
            } else {
                format!("did you mean {}?", alternatives(&near))
            };
            self.warning(
                codes::UNKNOWN_FIELD,
                &entry.key_range,
                format!("unknown field `{}` in {of}", entry.key),
                help,
            );
        }
    }

    /// Records that a required field is missing from a mapping.
    pub fn missing(&mut self, range: &Range<usize>, field: &str, of: &str, example: &str) {
        self.error(
            codes::MISSING_FIELD,
            range,
            format!("{of} lacks the required field `{field}`"),
            format!("add `{example}`"),
        );
    }
}

/// What to say of a character that would not show as what it is, and the way out.
fn hidden_text(what: &str, c: char) -> (String, &'static str) {
    match c {
        '\n' | '\r' => (format!("{what} has a line break"), "write it in one line"),
        c => (
            format!("{what} holds the invisible character U+{:04X}", u32::from(c)),
            "remove it: on a terminal or a page it would make the text look like another",
        ),
    }
}

/// What is wrong with a key, wherever it stands: too long, or not to be seen.
pub(crate) fn key_problem(source: &Source, key: &str, range: &Range<usize>) -> Option<Diagnostic> {
    let at = |code, message: String| Diagnostic::error(code, message).at(&source.file, source.span(range));
    if key.len() > MAX_LINE {
        let message = format!("a key has {} bytes, more than the {MAX_LINE} that are read", key.len());
        return Some(at(codes::TOO_LARGE, message).help("write it shorter, or remove it"));
    }
    if let Some(c) = hidden_character(key) {
        let (message, help) = hidden_text("a key", c);
        return Some(at(codes::HIDDEN_CHARACTER, message).help(help));
    }
    None
}

/// The value of a key.
pub(crate) fn get<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Node> {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.value)
        .filter(|node| node.value != Value::Null)
}
