//! What the linker has to say, in our own codes and words, with the place in the author's file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hub_manifest::codes;
use rolldown_error::{
    BuildDiagnostic, DiagnosableArcstr, DiagnosableResolveError, DiagnosticOptions, EventKind, Severity,
};

use super::suggest::nearest;
use crate::finding::{Finding, Spot, token_len};
use crate::places::Places;

/// Findings of the plugins, which report and go on.
#[derive(Debug, Default)]
pub struct Sink(Mutex<Vec<Finding>>);

impl Sink {
    /// Keeps one finding.
    pub fn add(&self, finding: Finding) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(finding);
    }

    /// All findings so far.
    pub fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// The finding that a linker's diagnostic amounts to; nothing for what is of no use to an author.
pub fn finding_of(mut diagnostic: BuildDiagnostic, places: &Places) -> Option<Finding> {
    let kind = diagnostic.kind();
    // An import that leads nowhere is only a warning to the linker, which takes it for something the page provides.
    let is_error = diagnostic.severity() == Severity::Error || matches!(kind, EventKind::UnresolvedImport);
    if diagnostic.severity() == Severity::Info {
        return None;
    }
    if let Some(unresolved) = diagnostic.downcast_mut::<DiagnosableResolveError>() {
        return Some(unresolved_import(unresolved, places));
    }
    let code = match kind {
        EventKind::ParseError | EventKind::JsonParseError | EventKind::TransformError => {
            codes::MODULE_NOT_BUNDLED
        }
        EventKind::IllegalReassignmentError | EventKind::AssignToImportError => codes::MODULE_NOT_BUNDLED,
        EventKind::UnloadableDependencyError | EventKind::UnresolvedEntry => codes::IMPORT_UNRESOLVED,
        EventKind::MissingExportError | EventKind::ImportIsUndefined => codes::IMPORT_NOT_EXPORTED,
        _ => codes::BUNDLER,
    };
    let options = DiagnosticOptions { cwd: places.repo.clone() };
    let message = diagnostic.to_message_with(&options);
    let detail = diagnostic.to_diagnostic_with(&options);
    let location = detail.get_primary_location();
    let id = diagnostic.id();
    let named = id.as_deref().or(location.as_ref().map(|(file, ..)| file.as_str()));
    let file = named.map(|name| file_named(name, places));
    if !is_error && file.as_deref().is_some_and(in_packages) {
        return None;
    }
    let message = if message.is_empty() { first_line(&detail.to_string()) } else { message };
    let repo = format!("{}/", places.repo.display());
    let mut finding = Finding::error(code, sentence(&message.replace(&repo, "")));
    if let Some(file) = file {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let spot = location.map_or(Spot::START, |(_, line, column, _)| spot_of_utf16(&text, line, column));
        finding = finding.at(&file, spot);
    }
    if code == codes::IMPORT_NOT_EXPORTED {
        finding = finding.help("export it there, or import a name that is exported");
    }
    Some(if is_error { finding } else { finding.warning() })
}

/// Whether a warning about this file is of no use: nobody here can mend it.
fn in_packages(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "node_modules")
}

fn unresolved_import(error: &DiagnosableResolveError, places: &Places) -> Finding {
    let importer = file_named(error.importer_id.as_str(), places);
    let text = error.source.as_str();
    let (specifier, spot) = match &error.importee {
        DiagnosableArcstr::String(specifier) => {
            let at =
                ['"', '\''].iter().filter_map(|quote| text.find(&format!("{quote}{specifier}{quote}"))).min();
            (specifier.as_str(), at.map_or(Spot::START, |at| Spot::at(text, at, token_len(text, at))))
        }
        DiagnosableArcstr::Span(span) => {
            let (start, end) = (span.start as usize, span.end as usize);
            let quoted = text.get(start..end).unwrap_or_default();
            (quoted.trim_matches(['"', '\'', '`']), Spot::at(text, start, end.saturating_sub(start)))
        }
    };
    let (message, help) = explain(specifier, &importer, places);
    Finding::error(codes::IMPORT_UNRESOLVED, message).at(&importer, spot).help(help)
}

/// Why an import leads nowhere, and what to do about it.
pub fn explain(specifier: &str, importer: &Path, places: &Places) -> (String, String) {
    let folder = importer.parent().unwrap_or(Path::new("/"));
    if specifier.starts_with(['.', '/']) {
        let wanted = crate::places::normalize(&folder.join(specifier));
        let name = wanted.file_name().unwrap_or_default().to_string_lossy();
        let beside = wanted.parent().map(files_in).unwrap_or_default();
        let help = match nearest(&name, beside.iter().map(String::as_str)) {
            Some(close) => format!("did you mean `{close}`, which lies in that folder?"),
            None => "the path is relative to the file that imports".to_owned(),
        };
        return (format!("`{specifier}` does not exist"), help);
    }
    let package = package_of(specifier);
    if places.repo.join("node_modules").join(package).is_dir() {
        return (
            format!("the package `{package}` has no `{specifier}`"),
            "its package.json lists under `exports` what can be imported".to_owned(),
        );
    }
    let manifest = package_json(folder, places);
    let add = format!("add it to {manifest} and run `npm install`");
    let known = packages_in(&places.repo.join("node_modules"));
    let help = match nearest(package, known.iter().map(String::as_str)) {
        Some(close) => format!("did you mean `{close}`? If not, {add}"),
        None => add,
    };
    (format!("the package `{package}` is not installed"), help)
}

/// `@scope/name` or `name` of a specifier that may go on into the package.
fn package_of(specifier: &str) -> &str {
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    specifier.match_indices('/').nth(parts - 1).map_or(specifier, |(at, _)| &specifier[..at])
}

/// The package.json that an author would add a dependency to, by its name.
fn package_json(folder: &Path, places: &Places) -> String {
    let found = folder.ancestors().map(|folder| folder.join("package.json")).find(|file| file.is_file());
    match found {
        Some(file) => places.name(&file),
        None => match places.owner(folder) {
            Some(plugin) => format!("plugins/{}/frontend/package.json", plugin.slug),
            None => "package.json".to_owned(),
        },
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn packages_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for name in files_in(folder) {
        if name.starts_with('@') {
            names.extend(files_in(&folder.join(&name)).into_iter().map(|inner| format!("{name}/{inner}")));
        } else if !name.starts_with('.') {
            names.push(name);
        }
    }
    names
}

/// The file that the linker calls `name`: an absolute path, or one relative to the repository.
fn file_named(name: &str, places: &Places) -> PathBuf {
    crate::places::normalize(&places.repo.join(name))
}

/// The spot of a 1-based line and a 0-based column in UTF-16 units.
fn spot_of_utf16(text: &str, line: usize, column: usize) -> Spot {
    let start = match line {
        0 | 1 => 0,
        _ => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(text.len(), |at| at + 1),
    };
    let (mut units, mut offset) = (0, start);
    for c in text[start..].chars().take_while(|c| *c != '\n') {
        if units >= column {
            break;
        }
        units += c.len_utf16();
        offset += c.len_utf8();
    }
    Spot::at(text, offset, token_len(text, offset))
}

fn first_line(text: &str) -> String {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("the linker failed without a word")
        .trim()
        .to_owned()
}

/// `text` without the full stop at its end, so that all findings read alike.
fn sentence(text: &str) -> String {
    text.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_cut_out_of_specifiers() {
        assert_eq!(package_of("react-dom/client"), "react-dom");
        assert_eq!(package_of("@mantine/core/styles.css"), "@mantine/core");
        assert_eq!(package_of("lodash"), "lodash");
        assert_eq!(package_of("@scope"), "@scope");
    }

    #[test]
    fn utf16_columns_become_characters() {
        let text = "x\n'😀' + name";
        assert_eq!(spot_of_utf16(text, 2, 7), Spot { line: 2, column: 7, length: 4 });
    }
}
