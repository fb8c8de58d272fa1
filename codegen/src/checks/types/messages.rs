//! What TypeScript's checker prints, as findings with the author's places.

use std::collections::BTreeMap;
use std::fs;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span, sort};
use hub_manifest::plan::WebPlan;

use super::{Assertion, CLAIMS, in_plugin};
use crate::load::LoadedPlugin;

/// Lines of the generated module in front of the first assertion.
const HEAD: usize = 2;

/// One error as printed: a line with its place, and lines of reasons, each indented deeper than the one it explains.
#[derive(Debug, PartialEq, Eq)]
struct Printed<'a> {
    file: &'a str,
    line: usize,
    /// In UTF-16 units.
    column: usize,
    code: &'a str,
    message: &'a str,
    reasons: Vec<&'a str>,
}

/// Findings of the printed text.
pub(super) fn diagnostics(
    said: &str,
    assertions: &[Assertion<'_>],
    plugins: &BTreeMap<&str, &LoadedPlugin>,
    plan: &WebPlan,
) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = printed(said)
        .iter()
        .filter_map(|error| match error.file {
            CLAIMS => {
                let assertion = assertions.get(error.line.checked_sub(HEAD + 1)?)?;
                Some(misfit(error, assertion, plan))
            }
            _ => in_source(error, plugins),
        })
        .collect();
    sort(&mut found);
    found.dedup();
    found
}

fn printed(said: &str) -> Vec<Printed<'_>> {
    let mut errors: Vec<Printed<'_>> = Vec::new();
    for line in said.lines() {
        if let Some(error) = head(line) {
            errors.push(error);
        } else if let (true, Some(error)) = (line.starts_with(' '), errors.last_mut()) {
            error.reasons.push(line.trim());
        }
    }
    errors
}

/// `file(line,column): error TS1234: message`
fn head(line: &str) -> Option<Printed<'_>> {
    let (place, rest) = line.split_once("): error TS")?;
    let (file, place) = place.rsplit_once('(')?;
    let (row, column) = place.split_once(',')?;
    let (code, message) = rest.split_once(": ")?;
    Some(Printed {
        file,
        line: row.parse().ok()?,
        column: column.parse().ok()?,
        code,
        message,
        reasons: Vec::new(),
    })
}

/// A claim that does not fit: marked where the export is, with the deepest of TypeScript's reasons.
fn misfit(error: &Printed<'_>, assertion: &Assertion<'_>, plan: &WebPlan) -> Diagnostic {
    let plugin = assertion.plugin;
    let reason = reworded(error.reasons.last().unwrap_or(&error.message));
    let what = match assertion.export.as_str() {
        "default" => "the default export".to_owned(),
        name => format!("`{name}`"),
    };
    let (message, help) = match &assertion.key {
        None => (
            format!("{what} is no list of pages: {reason}"),
            "export `definePages([{ path, component }, …])`; a page's component takes no props".to_owned(),
        ),
        Some(key) => (
            format!("{what} does not fit the surface `{key}`: {reason}"),
            match plan.surfaces.get(key) {
                Some(surface) => format!(
                    "take `OverrideProps<\"{key}\">` as its props: `{}` and `Original`",
                    surface.props.split_whitespace().collect::<Vec<_>>().join(" ")
                ),
                None => "export a function or class that renders the surface".to_owned(),
            },
        ),
    };
    let source = plugin.web.iter().find(|source| source.path == assertion.file);
    let module = source.and_then(|source| source.module.as_ref().ok());
    let span = module.and_then(|module| module.export(&assertion.export)).map_or(Span::START, |it| it.span);
    let found = Diagnostic::error(codes::OVERRIDE_TYPE, message)
        .plugin(plugin.slug())
        .at(plugin.shown(&assertion.file), span)
        .label(format!("TypeScript: TS{}", error.code))
        .help(help);
    match &assertion.place {
        Some(place) => found.related(&place.manifest, place.span, "claimed here"),
        None => found,
    }
}

/// Any other error in a plugin's sources. The platform's own are checked by the platform's own tests.
fn in_source(error: &Printed<'_>, plugins: &BTreeMap<&str, &LoadedPlugin>) -> Option<Diagnostic> {
    let (plugin, file) = in_plugin(error.file, plugins)?;
    let text = fs::read_to_string(&file).unwrap_or_default();
    let reason = match error.reasons.last() {
        Some(reason) => format!("{}: {}", reworded(error.message), reworded(reason)),
        None => reworded(error.message),
    };
    Some(
        Diagnostic::error(codes::TYPESCRIPT, format!("TypeScript: {reason}"))
            .plugin(plugin.slug())
            .at(file, span(&text, error.line, error.column))
            .help(format!("mend the marked place; TypeScript calls this TS{}", error.code)),
    )
}

/// The span of a line and a column in UTF-16 units, with the word that begins there.
fn span(text: &str, line: usize, column: usize) -> Span {
    let start = match line {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1),
    };
    let mut units = 1;
    let row = text[start..].lines().next().unwrap_or_default();
    let inside = row.char_indices().find(|(_, c)| {
        let here = units >= column;
        units += c.len_utf16();
        here
    });
    let inside = inside.map_or(row.len(), |(at, _)| at);
    let rest = &row[inside..];
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
    Span::at(text, start + inside, word.max(rest.chars().next().map_or(0, char::len_utf8)))
}

/// TypeScript's sentence with our quotation marks and without its full stop.
fn reworded(text: &str) -> String {
    text.trim_end_matches('.').replace('\'', "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_its_head_and_its_reasons() {
        let said = "plugins/crm/a (1).ts(3,7): error TS2322: Type 'x' is not: y.\n  Types differ.\n    Deepest.\nclaims.ts(3,14): error TS1: no\n";
        let errors = printed(said);
        assert_eq!(errors.len(), 2);
        assert_eq!((errors[0].file, errors[0].line, errors[0].column), ("plugins/crm/a (1).ts", 3, 7));
        assert_eq!((errors[0].code, errors[0].message), ("2322", "Type 'x' is not: y."));
        assert_eq!(errors[0].reasons, ["Types differ.", "Deepest."]);
    }

    #[test]
    fn columns_count_utf_16_units() {
        let text = "a\n🙂 word;\n";
        let at = span(text, 2, 4);
        assert_eq!((at.line, at.column, &text[at.offset..][..at.len]), (2, 3, "word"));
        assert_eq!(span(text, 9, 9).len, 0);
    }
}
