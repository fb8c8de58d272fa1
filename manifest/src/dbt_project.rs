//! `dbt_project.yml`: the little of a dbt project that the platform must know before dbt sees it.
//!
//! dbt puts the workspaces of all plugins together as packages, told apart by their projects' names.

use crate::codes;
use crate::dbt_packages::INSTALL_PATH;
use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Value};
use crate::reader::{Reader, get};
use crate::source::{Source, Spanned};
use crate::{grammar, yaml};

/// A project's sound fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DbtProject {
    /// Name of the project.
    pub name: Option<Spanned<String>>,
    /// Folders of its models, relative to the project's.
    pub model_paths: Vec<String>,
    /// Folder in which `dbt deps` puts packages, relative to the project's.
    pub packages_install_path: String,
}

/// Reads one `dbt_project.yml` of the plugin `plugin`.
pub fn parse(source: &Source, plugin: &str) -> (DbtProject, Vec<Diagnostic>) {
    let mut reader = Reader { source, plugin, diagnostics: Vec::new() };
    let mut out = DbtProject::default();
    if let Some(root) = yaml::parse(source, &mut reader.diagnostics) {
        match &root.value {
            Value::Map(entries) => read(&mut reader, entries, &mut out),
            _ => {
                let message =
                    format!("dbt_project.yml must be a mapping of fields, but this is {}", root.value.kind());
                reader.error(
                    codes::NOT_A_MAPPING,
                    &root.range,
                    message,
                    "begin with `name: …`, one field a line",
                );
            }
        }
    }
    (out, reader.finished())
}

fn read(reader: &mut Reader<'_>, entries: &[Entry], out: &mut DbtProject) {
    match get(entries, "name") {
        None => {
            let example = format!("name: hub_{}", grammar::ident_of(reader.plugin));
            reader.missing(&(0..0), "name", "dbt_project.yml", &example);
        }
        Some(node) => {
            out.name = reader.checked(node, codes::MALFORMED_NAME, "the project's name", project_name)
        }
    }
    out.packages_install_path = match get(entries, "packages-install-path") {
        None => INSTALL_PATH.to_string(),
        Some(node) => reader
            .checked(node, codes::MALFORMED_PATH, "the path in `packages-install-path`", grammar::inner_path)
            .map_or_else(|| INSTALL_PATH.to_string(), |path| path.value),
    };
    out.model_paths = match get(entries, "model-paths") {
        None => vec!["models".to_string()],
        Some(node) => {
            let items = reader.list(node, "`model-paths`", "`[models]`").unwrap_or_default();
            let paths = items.iter().filter_map(|item| {
                reader.checked(item, codes::MALFORMED_PATH, "the path in `model-paths`", grammar::inner_path)
            });
            paths.map(|path| path.value).collect()
        }
    };
}

fn project_name(text: &str) -> Result<String, String> {
    let sound = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if sound {
        Ok(text.to_string())
    } else {
        Err("use at most 63 letters, digits and `_`, a letter first, as dbt wants it".to_string())
    }
}
