//! Text to syntax tree with swc, and its complaints to diagnostics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::source::name_of;
use swc_core::common::{BytePos, FileName, SourceMap, Spanned, sync::Lrc};
use swc_core::ecma::ast::{EsVersion, Module as Tree};
use swc_core::ecma::parser::error::{Error, SyntaxError};
use swc_core::ecma::parser::{EsSyntax, Syntax, TsSyntax, parse_file_as_module};

use super::lines::Lines;
use super::module::Module;
use super::{MAX_BYTES, collect, tags, too_large};
use crate::load::depth;

/// Most stack for which a broken file is read again as another language: the parser may go back and forth over
/// deeply nested text, so that each attempt is dear.
const MAX_GUESSING_STACK: usize = 8 * 1024 * 1024;

/// Reads one TypeScript or JavaScript file; `path` is the name shown to the reader, its extension tells the language.
///
/// All syntax errors are reported, those that the parser recovers from and the one that stops it.
pub fn parse(path: &Path, text: &str) -> Result<Module, Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        return Err(vec![too_large(path, text.len() as u64)]);
    }
    let Some(stack) = depth::stack_for(text) else {
        return Err(vec![
            Diagnostic::error(
                codes::MODULE_TOO_DEEP,
                format!("{} is nested too deeply to be read", name_of(path)),
            )
            .at(path, Span::START)
            .help("break the deepest expression or element into parts with names of their own"),
        ]);
    };
    let guess = stack <= MAX_GUESSING_STACK;
    let read = || stacker::maybe_grow(stack, stack, || read(path, text, guess));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(vec![
            Diagnostic::error(
                codes::MODULE_SYNTAX,
                format!("syntax error in {}: the parser gave up on it", name_of(path)),
            )
            .at(path, Span::START)
            .help("this is a defect of the build tool; take out the newest code until the file is read"),
        ])
    })
}

fn read(path: &Path, text: &str, guess: bool) -> Result<Module, Vec<Diagnostic>> {
    let language = Language::of(path);
    let (start, outcome) = tree(text, language.syntax());
    let lines = Lines::new(text, byte_order_mark(text));
    match outcome {
        Ok(tree) => Ok(collect::module(path, &tree, &collect::Places { lines: &lines, start })),
        Err(errors) => {
            let other = language.others().find(|other| guess && tree_is_sound(text, *other));
            let found = diagnostics(path, &lines, start, &errors, other);
            Err(match (other, language) {
                (None, Language::Tsx | Language::Jsx) => with_tag_mismatch(path, text, found),
                _ => found,
            })
        }
    }
}

/// The tree of a text, or all that is wrong with it; with the position that the text starts at.
fn tree(text: &str, syntax: Syntax) -> (BytePos, Result<Tree, Vec<Error>>) {
    let sources: Lrc<SourceMap> = Lrc::default();
    let file = sources.new_source_file(Lrc::new(FileName::Anon), text.to_owned());
    let mut recovered = Vec::new();
    let parsed = parse_file_as_module(&file, syntax, EsVersion::latest(), None, &mut recovered);
    let outcome = match parsed {
        Ok(tree) if recovered.is_empty() => Ok(tree),
        Ok(_) => Err(recovered),
        Err(fatal) => {
            recovered.push(fatal);
            Err(recovered)
        }
    };
    (file.start_pos, outcome)
}

fn tree_is_sound(text: &str, language: Language) -> bool {
    tree(text, language.syntax()).1.is_ok()
}

fn byte_order_mark(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// What the extension of a file promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Tsx,
    Ts,
    Jsx,
    Js,
    Declarations,
}

impl Language {
    fn of(path: &Path) -> Language {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let has = |ending: &str| name.ends_with(ending);
        match () {
            () if has(".d.ts") || has(".d.mts") || has(".d.cts") => Language::Declarations,
            () if has(".ts") || has(".mts") || has(".cts") => Language::Ts,
            () if has(".js") || has(".mjs") || has(".cjs") => Language::Js,
            () if has(".jsx") => Language::Jsx,
            () => Language::Tsx,
        }
    }

    /// The same languages as the bundler reads them: no JSX outside `.tsx` and `.jsx`.
    fn syntax(self) -> Syntax {
        match self {
            Language::Jsx | Language::Js => {
                Syntax::Es(EsSyntax { jsx: self == Language::Jsx, decorators: true, ..EsSyntax::default() })
            }
            Language::Tsx | Language::Ts | Language::Declarations => Syntax::Typescript(TsSyntax {
                tsx: self == Language::Tsx,
                dts: self == Language::Declarations,
                decorators: true,
                ..TsSyntax::default()
            }),
        }
    }

    /// Languages that the author may have meant, by a wrong extension.
    fn others(self) -> impl Iterator<Item = Language> {
        let others: &[Language] = match self {
            Language::Js => &[Language::Jsx, Language::Ts, Language::Tsx],
            Language::Jsx | Language::Ts => &[Language::Tsx],
            Language::Tsx => &[Language::Ts],
            Language::Declarations => &[],
        };
        others.iter().copied()
    }

    fn name(self) -> &'static str {
        match self {
            Language::Tsx => "TypeScript with JSX",
            Language::Ts | Language::Declarations => "TypeScript",
            Language::Jsx => "JavaScript with JSX",
            Language::Js => "JavaScript",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Language::Tsx => ".tsx",
            Language::Ts => ".ts",
            Language::Jsx => ".jsx",
            Language::Js => ".js",
            Language::Declarations => ".d.ts",
        }
    }
}

fn diagnostics(
    path: &Path,
    lines: &Lines<'_>,
    start: BytePos,
    errors: &[Error],
    other: Option<Language>,
) -> Vec<Diagnostic> {
    let place = |span: swc_core::common::Span| {
        let offset = span.lo.0.saturating_sub(start.0) as usize;
        lines.span(offset, span.hi.0.saturating_sub(span.lo.0) as usize)
    };
    let mut found: Vec<Diagnostic> = errors
        .iter()
        .map(|error| {
            let message = readable(&error.kind().msg());
            let help = match other {
                Some(language) => {
                    format!(
                        "the file reads well as {}: rename it to end in {}",
                        language.name(),
                        language.extension()
                    )
                }
                None => advice(error.kind()).to_owned(),
            };
            let finding = Diagnostic::error(
                codes::MODULE_SYNTAX,
                format!("syntax error in {}: {message}", name_of(path)),
            )
            .at(path, place(error.span()))
            .label(message)
            .help(help);
            match error.kind() {
                SyntaxError::MultipleDefault { previous } => {
                    finding.related(path, place(*previous), "the first `default` is here")
                }
                _ => finding,
            }
        })
        .collect();
    hub_manifest::diagnostic::sort(&mut found);
    found.dedup();
    if other.is_some() {
        // Renaming the file mends them all.
        found.truncate(1);
    }
    found
}

/// Where a tag that is not closed explains the errors, says so in the place of those: the parser finds them only where
/// nothing fits any more.
fn with_tag_mismatch(path: &Path, text: &str, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let Some(tags::Mismatch { name, open, close }) = tags::mismatch(text) else { return found };
    let at = close.map_or(open, |(_, at)| at);
    if found.iter().any(|finding| finding.span.offset + finding.span.len < at) {
        return found;
    }
    let opening = Span::at(text, open, 1 + name.len());
    let (message, label) = match close {
        Some((other, _)) => {
            (format!("`<{name}>` is closed by `</{other}>`"), format!("`</{name}>` is expected here"))
        }
        None => (format!("`<{name}>` is never closed"), "opened here".to_owned()),
    };
    let finding =
        Diagnostic::error(codes::MODULE_SYNTAX, format!("syntax error in {}: {message}", name_of(path)))
            .label(label)
            .help(match name {
                "" => "close the fragment with `</>`".to_owned(),
                _ => format!("close it with `</{name}>`, or write `<{name} />` where it has no content"),
            });
    vec![match close {
        Some((other, at)) => {
            finding.at(path, Span::at(text, at, 2 + other.len())).related(path, opening, "opened here")
        }
        None => finding.at(path, opening),
    }]
}

/// The parser's sentence in the form of all our messages: lower case, one line, no full stop.
fn readable(message: &str) -> String {
    match message {
        "Unexpected eof" => return "the file ends in the middle of something".to_owned(),
        "Expected ident" => return "a name is expected here".to_owned(),
        _ => {}
    }
    let line = message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("'<eof>'", "<eof>")
        .replace("<eof>", "the end of the file");
    let line = line.trim_end_matches('.');
    let mut letters = line.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => line.to_owned(),
    }
}

fn advice(error: &SyntaxError) -> &'static str {
    match error {
        SyntaxError::WithLabel { inner, .. } => advice(inner.kind()),
        SyntaxError::Eof => "close the bracket, element or text that is still open",
        SyntaxError::JSXExpectedClosingTag { .. }
        | SyntaxError::JSXExpectedClosingTagForLtGt
        | SyntaxError::UnterminatedJSXContents => {
            "close the element, or write `<… />` where it has no content"
        }
        SyntaxError::UnterminatedStrLit | SyntaxError::UnterminatedTpl => {
            "close the text with the quote it began with"
        }
        SyntaxError::UnterminatedBlockComment => "close the comment with `*/`",
        SyntaxError::UnterminatedRegExp => "close the regular expression with `/`",
        SyntaxError::TS1185 => "resolve the merge conflict and delete its markers",
        SyntaxError::AwaitInFunction => "make the function `async`",
        SyntaxError::ConstDeclarationsRequireInitialization => "give it a value, or use `let`",
        SyntaxError::EmptyJSXAttr => "put an expression between the braces, or leave the attribute out",
        _ => "mend the marked place; an editor with TypeScript shows the same error",
    }
}
