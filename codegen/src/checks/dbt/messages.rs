//! dbt's messages as findings of ours: which file and line, which code, what to write instead.

use std::fs;
use std::path::Path;

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::grammar::{alternatives, nearest};
use serde_json::Value;

use crate::load::LoadedPlugin;

/// One error, as dbt's parser prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbtError {
    /// The first line, without dbt's marks.
    pub text: String,
    /// File, relative to the project.
    pub file: Option<String>,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
}

/// What the project holds, for suggestions.
#[derive(Debug, Default)]
pub struct Known {
    /// Models, seeds and snapshots.
    nodes: Vec<String>,
    /// Sources, as `schema.table`.
    sources: Vec<String>,
}

impl Known {
    /// Reads dbt's `manifest.json`; empty where there is none, which costs a suggestion only.
    pub fn read(path: &Path) -> Known {
        let manifest: Value =
            fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let all = |key: &str| manifest[key].as_object().into_iter().flat_map(|map| map.values()).cloned();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_string();
        let is_node =
            |node: &Value| matches!(node["resource_type"].as_str(), Some("model" | "seed" | "snapshot"));
        Known {
            nodes: all("nodes").filter(is_node).map(|node| text(&node, "name")).collect(),
            sources: all("sources")
                .map(|source| format!("{}.{}", text(&source, "source_name"), text(&source, "name")))
                .collect(),
        }
    }
}

/// The errors in the parser's log, one JSON object a line.
pub fn errors(log: &str) -> Vec<DbtError> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let wrong = lines.filter(|line| line["info"]["level"] == "error");
    wrong.filter_map(|line| line["info"]["msg"].as_str().and_then(error)).collect()
}

/// `[error] [Kind (dbt1234)]: text`, and on a later line `--> file:line:column`.
fn error(message: &str) -> Option<DbtError> {
    let (_, text) = message.strip_prefix("[error] [")?.split_once("]: ")?;
    let first = text.lines().next().unwrap_or_default().trim().to_string();
    let Some(arrow) = text.lines().find_map(|line| line.trim().strip_prefix("--> ")) else {
        return Some(DbtError { text: first, file: None, place: None });
    };
    let mut parts = arrow.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
    let (file, place) = match (file, number(line), number(column)) {
        (Some(file), Some(line), Some(column)) => (file, Some((line, column))),
        _ => (arrow, None),
    };
    let file = file.trim_start_matches("./").to_string();
    Some(DbtError { text: first, file: Some(file), place })
}

/// The finding that tells of one error of dbt's.
pub fn diagnostic(error: &DbtError, plugin: &LoadedPlugin, project_dir: &str, known: &Known) -> Diagnostic {
    let folder = if project_dir == "." { String::new() } else { format!("{project_dir}/") };
    let file = error.file.as_deref().unwrap_or("dbt_project.yml");
    let inner = format!("{folder}{file}");
    let text = fs::read_to_string(plugin.folder.root.join(&inner)).unwrap_or_default();
    let span = error.place.map_or(Span::START, |(line, column)| span(&text, line, column));
    let found = told(error, known).plugin(plugin.slug()).at(plugin.shown(&inner), span);
    match duplicate(&error.text).and_then(|(_, name)| other_file(plugin, &folder, &inner, name)) {
        Some(other) => found.related(plugin.shown(&other), Span::START, "the other one"),
        None => found,
    }
}

/// Code, message and help.
fn told(error: &DbtError, known: &Known) -> Diagnostic {
    let text = error.text.as_str();
    let quoted = text.split('\'').nth(1).unwrap_or_default();
    let did_you_mean =
        |candidates: &[String], otherwise: &str| match nearest(quoted, candidates.iter().map(String::as_str))
            .as_slice()
        {
            [] => otherwise.to_string(),
            near => format!("did you mean {}?", alternatives(near)),
        };
    if text.starts_with("Ref '") && text.contains("not found") {
        let help =
            did_you_mean(&known.nodes, "add that model or seed to the project, or name one that it has");
        return Diagnostic::error(codes::DBT_REF, format!("`ref('{quoted}')` leads to no model or seed"))
            .help(help);
    }
    if text.starts_with("Source '") && text.contains("not found") {
        let help =
            did_you_mean(&known.sources, "declare it under `sources:` in a YAML file beside the models");
        return Diagnostic::error(codes::DBT_REF, format!("the source `{quoted}` is not declared"))
            .help(help);
    }
    if let Some((kind, name)) = duplicate(text) {
        return Diagnostic::error(
            codes::DBT_DUPLICATE_NAME,
            format!("two {kind}s of the dbt project are called `{name}`"),
        )
        .help("dbt knows them by the names of their files: rename one of the two");
    }
    let help = if text.contains("'target-path'") {
        "remove it: the platform tells dbt where to write, with `DBT_TARGET_PATH`"
    } else {
        "these are dbt's own words: mend the place, or look the setting up in dbt's documentation"
    };
    Diagnostic::error(
        codes::DBT_PARSE,
        format!("dbt cannot parse the project: {}", text.trim_end_matches('.')),
    )
    .help(help)
}

/// Kind and name of what is there twice.
fn duplicate(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix("dbt found two ") {
        let (kinds, rest) = rest.split_once(" with the name \"")?;
        return Some((kinds.trim_end_matches('s'), rest.split('"').next()?));
    }
    let (kind, rest) = text.strip_prefix("Found duplicate ")?.split_once(" '")?;
    Some((kind, rest.split('\'').next()?))
}

/// Another file of the project with that name.
fn other_file(plugin: &LoadedPlugin, folder: &str, inner: &str, name: &str) -> Option<String> {
    let stem = |file: &str| Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut others = plugin.folder.files.iter().filter(|file| file.starts_with(folder) && *file != inner);
    others.find(|file| stem(file).as_deref() == Some(name)).cloned()
}

/// The place that dbt names; all of a `{{ … }}` that begins there.
fn span(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text[start..].lines().next().unwrap_or_default();
    let inner = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    let len = match rest[inner..].strip_prefix("{{").and_then(|rest| rest.find("}}")) {
        Some(end) => end + 4,
        None => 0,
    };
    Span::at(text, start + inner, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_text_a_file_and_a_place() {
        let of = |message: &str| error(message).map(|e| (e.text, e.file.unwrap_or_default(), e.place));
        let message = "[error] [DependencyNotFound (dbt1048)]: Ref 'x' not found\n  --> models/two.sql:2:15";
        assert_eq!(of(message), Some(("Ref 'x' not found".into(), "models/two.sql".into(), Some((2, 15)))));
        let message = "[error] [InvalidConfig (dbt1005)]: Found duplicate model 'one'\n  --> models/one.sql";
        assert_eq!(of(message), Some(("Found duplicate model 'one'".into(), "models/one.sql".into(), None)));
        assert_eq!(of("[error] [A (dbt1)]: b"), Some(("b".into(), String::new(), None)));
        assert_eq!(of("suggestion: none"), None);
    }

    #[test]
    fn a_place_covers_the_expression_that_begins_there() {
        let text = "-- ä\nselect * from {{ ref('x') }} as x\n";
        let marked = span(text, 2, 15);
        assert_eq!(&text[marked.offset..marked.offset + marked.len], "{{ ref('x') }}");
        assert_eq!((marked.line, marked.column), (2, 15));
        assert_eq!(span(text, 9, 9).len, 0);
    }

    #[test]
    fn a_reference_to_nowhere_names_the_nearest_model() {
        let error = error("[error] [D (dbt1048)]: Ref 'stg_item' not found in project").unwrap();
        let known = Known { nodes: vec!["stg_items".into(), "other".into()], sources: Vec::new() };
        let found = told(&error, &known);
        assert_eq!(
            (found.code.id(), found.message.as_str()),
            ("HUB098", "`ref('stg_item')` leads to no model or seed")
        );
        assert_eq!(found.help, "did you mean `stg_items`?");
    }
}
