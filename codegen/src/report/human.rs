//! Frames like rustc's, for people.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level as Tone, Origin, Renderer, Snippet,
    normalize_untrusted_str,
};
use hub_manifest::diagnostic::{Diagnostic, Level, Span};

use super::{Counts, Style, shown};
use crate::base::failure::{Finding, Machine};
use crate::base::text::plain;

/// Most findings that are shown; what is beyond is counted.
const SHOWN: usize = 50;
/// Longest line that is shown; of a longer one only the place is named.
const LINE: usize = 4000;
/// Longest file that is read for the sake of showing it.
const FILE: u64 = 16 << 20;

/// The findings with their frames, and a last line that counts them. Errors are shown before warnings are dropped.
pub fn human(findings: &[Finding], style: &Style) -> String {
    let mut chosen: Vec<usize> = (0..findings.len()).collect();
    // A stable sort: errors first, each kind in the order it came in.
    chosen.sort_by_key(|index| findings[*index].diagnostic.level);
    chosen.truncate(SHOWN);
    chosen.sort_unstable();

    let mut sources = Sources::default();
    let mut out = String::new();
    for index in &chosen {
        out.push_str(one(&findings[*index], style, &mut sources).trim_end());
        out.push_str("\n\n");
    }
    let left = findings.len() - chosen.len();
    if left > 0 {
        out.push_str(&format!("… and {left} more; --message-format json lists all of them\n\n"));
    }
    if !findings.is_empty() {
        out.push_str(&summary(Counts::of(findings)));
        out.push('\n');
    }
    out
}

/// The counts in words: `3 errors, 1 warning in 2 plugins`.
pub fn summary(counts: Counts) -> String {
    let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut parts = Vec::new();
    if counts.errors > 0 {
        parts.push(many(counts.errors, "error"));
    }
    if counts.warnings > 0 {
        parts.push(many(counts.warnings, "warning"));
    }
    match (parts.is_empty(), counts.plugins) {
        (true, _) => "no errors, no warnings".to_string(),
        (false, 0) => parts.join(", "),
        (false, plugins) => format!("{} in {}", parts.join(", "), many(plugins, "plugin")),
    }
}

/// Where to read on: the first error's code, or else the first warning's.
pub fn more(findings: &[Finding]) -> Option<String> {
    let first = findings.iter().min_by_key(|finding| finding.diagnostic.level)?.diagnostic.code;
    let what = if findings.iter().any(Finding::is_error) { "an error" } else { "a warning" };
    Some(format!("for more about {what}: cargo xtask explain {first}"))
}

/// Something that the machine lacks.
pub fn machine(machine: &Machine, style: &Style) -> String {
    let mut group = Group::with_title(Tone::ERROR.primary_title(&machine.what));
    if !machine.help.is_empty() {
        group = group.element(Tone::HELP.message(normalize_untrusted_str(&machine.help)));
    }
    let mut out = renderer(style).render(&[group]);
    out.push('\n');
    if !machine.details.trim().is_empty() {
        let details = if style.color { machine.details.clone() } else { plain(&machine.details) };
        out.push('\n');
        out.push_str(details.trim_end());
        out.push('\n');
    }
    out
}

fn renderer(style: &Style) -> Renderer {
    let renderer = if style.color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    renderer.term_width(style.width.clamp(60, 180))
}

/// One finding.
fn one(finding: &Finding, style: &Style, sources: &mut Sources) -> String {
    let found = &finding.diagnostic;
    let tone = match found.level {
        Level::Error => Tone::ERROR,
        Level::Warning => Tone::WARNING,
    };
    let title = tone.primary_title(&found.message).id(found.code.id());
    if let Some(frame) = &finding.rendered {
        // rustc has drawn the frame already, with more in it than a diagnostic holds.
        let title = renderer(style).render(&[Group::with_title(title)]);
        return format!("{title}\n{}", drawn(frame, style));
    }
    let places = places(found, style);
    for place in &places {
        sources.load(&place.file);
    }
    let mut group = Group::with_title(title);
    for element in frames(&places, sources) {
        group = group.element(element);
    }
    if let (None, Some(slug)) = (&found.file, &found.plugin) {
        group = group.element(Tone::NOTE.message(normalize_untrusted_str(&format!("in plugin {slug}"))));
    }
    if !found.help.is_empty() {
        group = group.element(Tone::HELP.message(normalize_untrusted_str(&found.help)));
    }
    renderer(style).render(&[group])
}

/// A frame that rustc drew, with paths from the current folder.
fn drawn(frame: &str, style: &Style) -> String {
    let current = format!("{}/", style.current.display().to_string().trim_end_matches('/'));
    let lines = frame.lines().map(|line| {
        let bare = plain(line);
        let arrow = bare.trim_start().starts_with("--> ") || bare.trim_start().starts_with("::: ");
        let line = if style.color { line.to_string() } else { bare };
        if arrow { line.replacen(&current, "", 1) } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One place that a finding speaks of.
struct Place<'a> {
    file: PathBuf,
    shown: String,
    span: Span,
    label: &'a str,
    kind: AnnotationKind,
}

/// The places of a finding: its own, then the related ones.
fn places<'a>(found: &'a Diagnostic, style: &Style) -> Vec<Place<'a>> {
    let place = |file: &Path, span: Span, label: &'a str, kind: AnnotationKind| Place {
        file: style.current.join(file),
        shown: shown(file, &style.current).display().to_string(),
        span,
        label,
        kind,
    };
    let own = found.file.iter().map(|file| place(file, found.span, &found.label, AnnotationKind::Primary));
    let others = found.related.iter().map(|r| place(&r.file, r.span, &r.label, AnnotationKind::Context));
    own.chain(others).collect()
}

/// The places as frames, one for all places of a file; as bare positions where there is nothing to show.
fn frames<'a>(places: &'a [Place<'a>], sources: &'a Sources) -> Vec<Element<'a>> {
    let mut frames: Vec<(&Path, Option<Snippet<'a, Annotation<'a>>>, &'a Place<'a>)> = Vec::new();
    for place in places {
        let range = sources.range(place);
        let known = frames.iter_mut().find(|(file, snippet, _)| *file == place.file && snippet.is_some());
        match (known, range) {
            (Some((_, snippet, _)), Some((_, annotation))) => {
                *snippet = snippet.take().map(|snippet| snippet.annotation(annotation));
            }
            (_, Some((text, annotation))) => {
                let snippet = Snippet::source(text).path(&place.shown).annotation(annotation);
                frames.push((&place.file, Some(snippet), place));
            }
            (_, None) => frames.push((&place.file, None, place)),
        }
    }
    frames
        .into_iter()
        .map(|(_, snippet, place)| match snippet {
            Some(snippet) => Element::from(snippet),
            None => place.named(),
        })
        .collect()
}

impl<'a> Place<'a> {
    /// The place without its text. A second place keeps what it says of it in a note.
    fn named(&'a self) -> Element<'a> {
        let (line, column) = (self.span.line, self.span.column);
        if self.label.is_empty() || self.kind == AnnotationKind::Primary {
            return Element::from(Origin::path(&self.shown).line(line).char_column(column));
        }
        let text = format!("{}: {}:{line}:{column}", self.label, self.shown);
        Element::from(Tone::NOTE.message(normalize_untrusted_str(&text)))
    }
}

/// The texts of the files that findings speak of, each read once.
#[derive(Default)]
struct Sources {
    texts: BTreeMap<PathBuf, Option<String>>,
}

impl Sources {
    fn load(&mut self, file: &Path) {
        self.texts.entry(file.to_path_buf()).or_insert_with(|| {
            let meta = fs::metadata(file).ok()?;
            if !meta.is_file() || meta.len() > FILE {
                return None;
            }
            fs::read_to_string(file).ok()
        });
    }

    /// The text of a place's file and the mark on it; none where it cannot be shown.
    fn range<'a>(&'a self, place: &'a Place<'a>) -> Option<(&'a str, Annotation<'a>)> {
        // What is said of a link itself is not said of the file at its other end, which may be no business of the reader.
        if place.span == Span::START && place.file.is_symlink() {
            return None;
        }
        let text = self.texts.get(&place.file)?.as_deref()?;
        // The file may have changed since the finding was made.
        let span = Span::at(text, place.span.offset, place.span.len);
        if span.line != place.span.line || text.is_empty() {
            return None;
        }
        let start = text[..span.offset].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        if line.len() > LINE {
            return None;
        }
        // Only the first line of a long stretch is marked: the frame is to show where it begins.
        let end = (span.offset + span.len).min((start + line.len()).max(span.offset));
        let annotation = place.kind.span(span.offset..end);
        let label = (!place.label.is_empty()).then_some(place.label);
        Some((text, annotation.label(label)))
    }
}
