//! What rustc said, as findings in the author's files.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::CompilerMessage;
use cargo_metadata::diagnostic::{Diagnostic as RustcDiagnostic, DiagnosticLevel, DiagnosticSpan};
use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::plan::{Plan, PluginCrate, RouterMount};

use super::of_plugin;
use crate::base::failure::Finding;
use crate::base::text::plain;
use crate::compile::stage::{PathMap, Staged};

/// Longest help that is taken over from the compiler; more is in its own frame.
const HELP_LENGTH: usize = 400;

/// Turns the compiler's messages into findings.
pub(super) struct Reader<'a> {
    /// Leads back to the author's files.
    pub staged: &'a Staged,
    /// Tells whose router a line of the generated host mounts.
    pub plan: &'a Plan,
}

/// A place in a file that people edit.
struct Place {
    plugin: Option<String>,
    file: PathBuf,
    span: Span,
}

impl Reader<'_> {
    /// All errors, and those warnings that concern a plugin.
    pub fn findings(&self, messages: &[CompilerMessage]) -> Vec<Finding> {
        messages.iter().filter_map(|message| self.finding(message)).collect()
    }

    fn finding(&self, message: &CompilerMessage) -> Option<Finding> {
        let rustc = &message.message;
        let error = matches!(rustc.level, DiagnosticLevel::Error | DiagnosticLevel::Ice);
        if (!error && rustc.level != DiagnosticLevel::Warning) || is_summary(rustc) {
            return None;
        }
        let package = self.staged.paths.origin(self.relative(message.target.src_path.as_str()));
        let place = self.place(rustc);
        let plugin = place.as_ref().and_then(|p| p.plugin.clone()).or(package.and_then(|p| p.plugin));
        if !error && plugin.is_none() {
            // The platform's own warnings are its developers' business.
            return None;
        }
        let code = rustc.code.as_ref().map(|code| format!(" (rustc {})", code.code)).unwrap_or_default();
        let text = format!("{}{code}", rustc.message);
        let diagnostic = if error {
            Diagnostic::error(codes::COMPILE_ERROR, text)
        } else {
            Diagnostic::warning(codes::COMPILE_WARNING, text)
        };
        let mut diagnostic = of_plugin(diagnostic, plugin).help(help(rustc)).label(label(rustc));
        if let Some(place) = place {
            diagnostic = diagnostic.at(place.file, place.span);
        }
        for span in rustc.spans.iter().filter(|span| !span.is_primary) {
            if let Some(other) = self.origin(span) {
                diagnostic =
                    diagnostic.related(other.file, other.span, span.label.clone().unwrap_or_default());
            }
        }
        let rendered = rustc.rendered.as_deref().map(|text| self.frame(text));
        Some(Finding { diagnostic, rendered })
    }

    /// The place of a message: its first primary span in a file that people edit, be it where a macro was called.
    fn place(&self, rustc: &RustcDiagnostic) -> Option<Place> {
        let primary: Vec<_> = rustc.spans.iter().filter(|span| span.is_primary).collect();
        primary
            .iter()
            .find_map(|span| self.origin(span))
            .or_else(|| primary.iter().find_map(|span| self.mounted(span)))
    }

    /// The place of a span in a file that people edit: its own, or that of the macro call that it came from.
    fn origin(&self, span: &DiagnosticSpan) -> Option<Place> {
        let mut span = span;
        loop {
            if let Some(origin) = self.staged.paths.origin(self.relative(&span.file_name)) {
                let len = (span.byte_end.saturating_sub(span.byte_start)) as usize;
                let at = Span {
                    offset: span.byte_start as usize,
                    len,
                    line: span.line_start,
                    column: span.column_start,
                };
                return Some(Place { plugin: origin.plugin, file: origin.file, span: at });
            }
            span = &span.expansion.as_ref()?.span;
        }
    }

    /// The plugin's function that a line of the generated host mounts: an error there is about its type.
    fn mounted(&self, span: &DiagnosticSpan) -> Option<Place> {
        if !self.relative(&span.file_name).starts_with("host") {
            return None;
        }
        let line: String = span.text.iter().map(|line| line.text.as_str()).collect();
        self.plan.crates.iter().find_map(|found| {
            let router = found.routers.iter().find(|router| line.contains(&path_of(found, router)))?;
            let (file, span) = source_of(&self.staged.paths, found, router);
            Some(Place { plugin: Some(found.plugin.clone()), file, span })
        })
    }

    /// A path that the compiler names, relative to the staged workspace where it lies inside.
    fn relative<'p>(&self, path: &'p str) -> &'p Path {
        let path = Path::new(path);
        path.strip_prefix(&self.staged.root).or_else(|_| path.strip_prefix("/hub")).unwrap_or(path)
    }

    /// The compiler's own frame without its title, with the author's paths.
    fn frame(&self, rendered: &str) -> String {
        let mut lines = Vec::new();
        for line in rendered.trim_end().lines().skip(1) {
            let bare = plain(line);
            let arrow = bare.trim_start().starts_with("--> ") || bare.trim_start().starts_with("::: ");
            lines.push(if arrow { self.with_author_path(line) } else { line.to_string() });
        }
        lines.join("\n")
    }

    /// One `-->` line with the author's path in place of the staged one.
    fn with_author_path(&self, line: &str) -> String {
        for (prefix, root) in self.staged.paths.prefixes() {
            for staged in
                [format!("{}/{prefix}", self.staged.root.display()), format!("/hub/{prefix}"), prefix]
            {
                if let Some(at) = line.find(&staged) {
                    // The path begins the rest of the line: what stands before is the arrow.
                    return format!("{}{}/{}", &line[..at], root.display(), &line[at + staged.len()..]);
                }
            }
        }
        line.to_string()
    }
}

/// The file of a router's module, and the line of its function where it can be found.
pub(crate) fn source_of(paths: &PathMap, found: &PluginCrate, router: &RouterMount) -> (PathBuf, Span) {
    let folder = Path::new("plugins").join(&found.plugin).join(&found.dir).join("src");
    let module: PathBuf = router.modules.iter().collect();
    let candidates = match router.modules.is_empty() {
        true => vec![folder.join("lib.rs")],
        false => vec![folder.join(&module).with_extension("rs"), folder.join(&module).join("mod.rs")],
    };
    let wanted = format!("fn {}", router.function);
    for candidate in &candidates {
        if let Some(origin) = paths.origin(candidate)
            && let Ok(text) = fs::read_to_string(&origin.file)
        {
            let at = text.find(&wanted).map_or(Span::START, |at| Span::at(&text, at, wanted.len()));
            return (origin.file, at);
        }
    }
    let manifest = Path::new("plugins").join(&found.plugin).join("plugin.yaml");
    (paths.origin(&manifest).map_or(manifest, |origin| origin.file), Span::START)
}

/// The Rust path under which the generated host names a router.
fn path_of(found: &PluginCrate, router: &RouterMount) -> String {
    let mut parts = vec![found.lib.as_str()];
    parts.extend(router.modules.iter().map(String::as_str));
    parts.push(&router.function);
    parts.join("::")
}

/// Whether a message only counts the others.
fn is_summary(rustc: &RustcDiagnostic) -> bool {
    rustc.spans.is_empty()
        && (rustc.message.starts_with("aborting due to")
            || rustc.message.ends_with("warning emitted")
            || rustc.message.ends_with("warnings emitted")
            || rustc.message.starts_with("For more information about"))
}

/// What the marked text is, as the compiler says it.
fn label(rustc: &RustcDiagnostic) -> String {
    rustc.spans.iter().find(|span| span.is_primary).and_then(|span| span.label.clone()).unwrap_or_default()
}

/// The compiler's advice in one line.
fn help(rustc: &RustcDiagnostic) -> String {
    let advice = |level: DiagnosticLevel| rustc.children.iter().find(move |child| child.level == level);
    let Some(child) = advice(DiagnosticLevel::Help).or_else(|| advice(DiagnosticLevel::Note)) else {
        return String::new();
    };
    let replacement =
        child.spans.iter().find_map(|span| span.suggested_replacement.as_deref()).unwrap_or_default();
    let text = match replacement.trim() {
        "" => child.message.clone(),
        new => format!("{}: `{new}`", child.message.trim_end_matches(':')),
    };
    text.chars().take(HELP_LENGTH).collect()
}
