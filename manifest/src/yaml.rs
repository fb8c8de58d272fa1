//! YAML text to a [`Node`] tree, within bounds: depth, number of values, and aliases that cannot explode.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span as YamlSpan};

use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, MAX_FINDINGS, Span};
use crate::node::{Entry, MAX_DEPTH, MAX_NODES, Node, Value};
use crate::reader::key_problem;
use crate::source::{MAX_BYTES, Source, name_of};

/// Parses one document. Repeated keys are reported and left out; anything worse gives no tree.
pub fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut builder = Builder { source, diagnostics, anchors: HashMap::new(), nodes: 0, copied: 0 };
    let mut parser = Parser::new_from_str(&source.text);
    match builder.document(&mut parser) {
        Ok(node) => node,
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            None
        }
    }
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;
type Failure = Box<Diagnostic>;

struct Builder<'a, 'd> {
    source: &'a Source,
    diagnostics: &'d mut Vec<Diagnostic>,
    /// The anchored values, each with its number of values and its bytes of text.
    anchors: HashMap<usize, (Node, usize, usize)>,
    nodes: usize,
    /// Bytes of text that anchors and aliases have copied.
    copied: usize,
}

impl<'a> Builder<'a, '_> {
    fn document(&mut self, parser: &mut Events<'a>) -> Result<Option<Node>, Failure> {
        let mut root = None;
        loop {
            let Some((event, range)) = self.next(parser)? else { return Ok(root) };
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd if root.is_none() => {
                    return Err(Source::empty(&self.source.file).into());
                }
                Event::StreamEnd => return Ok(root),
                _ if root.is_some() => {
                    return Err(self
                        .failure(codes::SYNTAX, "the file holds more than one YAML document", &range)
                        .help("keep one: remove the line `---` and what belongs to the other")
                        .into());
                }
                event => root = Some(self.node(parser, event, range, 0)?),
            }
        }
    }

    /// The next event that is data.
    fn next(&mut self, parser: &mut Events<'a>) -> Result<Option<(Event<'a>, Range<usize>)>, Failure> {
        loop {
            match parser.next_event() {
                None => return Ok(None),
                // The node that follows carries the anchor's number.
                Some(Ok((Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => return Ok(Some((event, bytes_of(&span)))),
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or(0);
                    let text = &self.source.text;
                    let open = text
                        .get(..at)
                        .and_then(open_bracket)
                        .and_then(|at| Some((at, text[at..].chars().next()?)));
                    let (range, (cause, help)) = match open {
                        // The parser only stumbles where the next field begins.
                        Some((at, open)) => {
                            (at..at + 1, explain(&ErrorKind::UnclosedFlowCollection { open }))
                        }
                        None => (at..at, explain(error.kind())),
                    };
                    let message = format!("{} is not YAML: {cause}", name_of(&self.source.file));
                    return Err(self.failure(codes::SYNTAX, &message, &range).help(help).into());
                }
            }
        }
    }

    fn node(
        &mut self,
        parser: &mut Events<'a>,
        event: Event<'a>,
        range: Range<usize>,
        depth: usize,
    ) -> Result<Node, Failure> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the document holds more than {MAX_NODES} values");
            return Err(self.failure(codes::TOO_LARGE, &message, &range).into());
        }
        if depth > MAX_DEPTH {
            let message = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(self.failure(codes::TOO_LARGE, &message, &range).into());
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if plain { infer(&text) } else { Value::String(text.into_owned()) };
                (Node { range, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, end) = self.list(parser, depth)?;
                (Node { range: range.start..end.max(range.end), value: Value::List(items) }, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.mapping(parser, depth)?;
                (Node { range: range.start..end.max(range.end), value: Value::Map(entries) }, anchor)
            }
            Event::Alias(id) => return self.alias(id, range),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias `*{name}` names no anchor above it");
                return Err(self.failure(codes::SYNTAX, &message, &range).into());
            }
            _ => return Err(self.failure(codes::SYNTAX, "this is not a value", &range).into()),
        };
        if anchor > 0 {
            let (values, bytes) = weight(&node);
            self.charge(values, bytes, &node.range)?;
            self.anchors.insert(anchor, (node.clone(), values, bytes));
        }
        Ok(node)
    }

    /// A copy of the anchored value, charged in full so that nested aliases cannot explode.
    fn alias(&mut self, id: usize, range: Range<usize>) -> Result<Node, Failure> {
        let Some((_, values, bytes)) = self.anchors.get(&id) else {
            return Err(self
                .failure(codes::SYNTAX, "this alias stands inside the value that it names", &range)
                .into());
        };
        self.charge(*values, *bytes, &range)?;
        let value = self.anchors.get(&id).map_or(Value::Null, |(node, ..)| node.value.clone());
        Ok(Node { range, value })
    }

    /// Counts a copy that is about to be made.
    fn charge(&mut self, values: usize, bytes: usize, range: &Range<usize>) -> Result<(), Failure> {
        self.nodes += values;
        self.copied += bytes;
        let message = if self.nodes > MAX_NODES {
            format!("with its aliases followed, the document holds more than {MAX_NODES} values")
        } else if self.copied > MAX_BYTES {
            format!("with its aliases followed, the document holds more than {MAX_BYTES} bytes of text")
        } else {
            return Ok(());
        };
        Err(self.failure(codes::TOO_LARGE, &message, range).into())
    }

    fn list(&mut self, parser: &mut Events<'a>, depth: usize) -> Result<(Vec<Node>, usize), Failure> {
        let mut items = Vec::new();
        let mut end = 0;
        while let Some((event, range)) = self.next(parser)? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let item = self.node(parser, event, range, depth + 1)?;
            end = item.range.end;
            items.push(item);
        }
        Ok((items, end))
    }

    fn mapping(&mut self, parser: &mut Events<'a>, depth: usize) -> Result<(Vec<Entry>, usize), Failure> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        let mut end = 0;
        while let Some((event, key_range)) = self.next(parser)? {
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => {
                    return Err(self.failure(codes::SYNTAX, "a key must be plain text", &key_range).into());
                }
            };
            let Some((event, range)) = self.next(parser)? else { break };
            let mut value = self.node(parser, event, range, depth + 1)?;
            if value.range.is_empty() {
                // An empty value has no place of its own: its key is where the reader should look.
                value.range = key_range.clone();
            }
            end = value.range.end;
            if let Some(problem) = key_problem(self.source, &key, &key_range) {
                if self.diagnostics.len() <= MAX_FINDINGS {
                    self.diagnostics.push(problem);
                }
                continue;
            }
            if let Some(first) = seen.get(&key) {
                if self.diagnostics.len() <= MAX_FINDINGS {
                    let repeated = repeated_key(self.source, &key, first, &key_range);
                    self.diagnostics.push(repeated);
                }
                continue;
            }
            seen.insert(key.clone(), key_range.clone());
            entries.push(Entry { key, key_range, value });
        }
        Ok((entries, end))
    }

    fn failure(&self, code: Code, message: &str, range: &Range<usize>) -> Diagnostic {
        let help = if code == codes::TOO_LARGE {
            "make the document smaller and flatter: no field needs that much"
        } else {
            "write the fields as plain YAML: `key: value`, one a line"
        };
        Diagnostic::error(code, message).at(&self.source.file, self.source.span(range)).help(help)
    }
}

/// Number of values in a tree, and bytes of its texts.
fn weight(node: &Node) -> (usize, usize) {
    let add = |(values, bytes): (usize, usize), key: usize, node: &Node| {
        let (more, text) = weight(node);
        (values + more, bytes + text + key)
    };
    match &node.value {
        Value::String(text) => (1, text.len()),
        Value::List(items) => items.iter().fold((1, 0), |sum, item| add(sum, 0, item)),
        Value::Map(entries) => {
            entries.iter().fold((1, 0), |sum, entry| add(sum, entry.key.len(), &entry.value))
        }
        _ => (1, 0),
    }
}

/// The innermost bracket of an earlier line that is open where a text ends: most likely it should have been closed there.
fn open_bracket(before: &str) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let (mut quote, mut comment, mut last) = (None, false, '\n');
    for (at, c) in before.char_indices() {
        // Where a value may begin; brackets and quotes elsewhere are part of plain text.
        let fresh = matches!(last, '\n' | ':' | '-' | ',' | '[' | '{');
        match c {
            '\n' => comment = false,
            _ if comment => {}
            c if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '#' if before[..at].ends_with([' ', '\n']) || at == 0 => comment = true,
            '"' | '\'' if fresh => quote = Some(c),
            '[' | '{' if fresh => open.push(at),
            ']' | '}' => drop(open.pop()),
            _ => {}
        }
        if c != ' ' {
            last = c;
        }
    }
    open.pop().filter(|at| before[*at..].contains('\n'))
}

/// What the parser complains of in plain words, and the way out: the mistakes that authors make, in our own.
fn explain(kind: &ErrorKind) -> (String, &'static str) {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => {
            ("a tab stands where only spaces may".to_string(), "indent with spaces, two a level")
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "this `:` cannot begin a value".to_string(),
            "put text that holds `: ` in quotes, and write one `key: value` a line",
        ),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => (
            "a text in quotes is not closed".to_string(),
            "close it with the quote it began with, in the same line",
        ),
        ErrorKind::UnclosedFlowCollection { open } => (
            format!("the bracket `{open}` is not closed"),
            "close the bracket where its list or mapping ends",
        ),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("the bracket `{open}` is closed by `{close}`"), "close each bracket with its own kind")
        }
        ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::InvalidFlowScalarIndent => (
            "a `[` or `{` above is not closed, or a comma is missing".to_string(),
            "close the bracket, and put commas between the items",
        ),
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => (
            "the line fits no field above it".to_string(),
            "give all fields of one mapping the same indentation, each as `key: value`",
        ),
        ErrorKind::SimpleKeyExpected => {
            ("a `:` is missing behind the field's name".to_string(), "write the field as `key: value`")
        }
        other => (other.to_string(), "check indentation, quotes and brackets at this place"),
    }
}

/// A key that stands twice in one mapping.
pub(crate) fn repeated_key(
    source: &Source,
    key: &str,
    first: &Range<usize>,
    second: &Range<usize>,
) -> Diagnostic {
    let first: Span = source.span(first);
    Diagnostic::error(codes::DUPLICATE_KEY, format!("the key `{key}` stands twice"))
        .at(&source.file, source.span(second))
        .label("again here")
        .help(format!("keep one of the two; the first is in line {}", first.line))
        .related(&source.file, first, "first here")
}

fn bytes_of(span: &YamlSpan) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or(0);
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

/// The core schema of YAML 1.2 for a plain scalar. Octal, hexadecimal, infinities stay text: no field wants them.
fn infer(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
        && text.bytes().any(|b| b.is_ascii_digit());
    if numeric {
        if let Ok(value) = text.parse::<i64>() {
            return Value::Integer(value);
        }
        if let Some(value) = text.parse::<f64>().ok().filter(|value| value.is_finite()) {
            return Value::Number(value);
        }
    }
    Value::String(text.to_string())
}
