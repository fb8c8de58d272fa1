//! Files and folders that a manifest names must be there.

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source::Spanned;

/// The files of a plugin's folder, as somebody else sees them. Paths are relative to it, with `/`.
pub trait Files {
    /// Whether there is this file.
    fn has(&self, path: &str) -> bool;
    /// Whether there is an SQL file right in this folder.
    fn has_sql(&self, folder: &str) -> bool;
    /// A file of the same name elsewhere in the plugin.
    fn similar(&self, path: &str) -> Option<String>;
    /// A path as it is shown to people.
    fn shown(&self, path: &str) -> String;
}

/// Everything that is named and missing.
pub fn check(subject: &Subject<'_>, files: &dyn Files) -> Vec<Diagnostic> {
    let manifest = subject.manifest;
    let mut out = Vec::new();
    let mut missing = |place: &Spanned<String>, message: String, create: String| {
        let help = match files.similar(&place.value) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{create}, or mend the path"),
        };
        out.push(subject.found(&place.range, Diagnostic::error(codes::MISSING_FILE, message).help(help)));
    };
    for workspace in &manifest.dbt_workspaces {
        let project = join(&workspace.project_dir.value, "dbt_project.yml");
        if !files.has(&project) {
            let message = format!("the dbt workspace has no {project}");
            missing(&workspace.project_dir, message, format!("create {}", files.shown(&project)));
        }
    }
    for script in &manifest.known_scripts {
        let path = &script.script_path.value;
        if !files.has(path) {
            let message = format!("the script {path} does not exist");
            missing(&script.script_path, message, format!("create {}", files.shown(path)));
        }
    }
    if let Some(folder) = &manifest.migrations
        && !files.has_sql(&folder.value)
    {
        let message = format!("there is no SQL migration in {}", folder.value);
        missing(folder, message, format!("put *.sql files into {}", files.shown(&folder.value)));
    }
    out
}

/// A path below a folder of the plugin; `.` is the plugin's root.
pub fn join(folder: &str, file: &str) -> String {
    match (folder, file) {
        (".", file) => file.to_string(),
        (folder, ".") => folder.to_string(),
        (folder, file) => format!("{folder}/{file}"),
    }
}
