//! `packages.yml` and `dependencies.yml`: the dbt packages that a project is made of.
//!
//! A release is built and run without dbt's package registry: packages are folders of the plugin, or vendored in the folder
//! that `dbt deps` fills.

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Value};
use crate::reader::{Reader, get};
use crate::source::{Source, Spanned};
use crate::yaml;

/// The files that may name packages.
pub const FILES: [&str; 2] = ["packages.yml", "dependencies.yml"];

/// Where dbt puts packages, unless `packages-install-path` says otherwise.
pub const INSTALL_PATH: &str = "dbt_packages";

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A folder beside the project.
    Local,
    /// dbt's registry, a Git repository, an archive: what `dbt deps` downloads.
    Fetched,
}

/// A package that a project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbtPackage {
    /// Where it comes from.
    pub origin: Origin,
    /// Its folder, or its name or address.
    pub name: Spanned<String>,
    /// The name of its project, as far as the entry tells one, in the form of [`plain`].
    pub project: Option<String>,
    /// Whether its project has that very name, as one of dbt's registry has. A repository may be called otherwise.
    pub sure: bool,
}

/// A project's name as names are compared: in lower case, with `_` for `-`.
pub fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Reads one of the [`FILES`] of the plugin `plugin`.
pub fn parse(source: &Source, plugin: &str) -> (Vec<DbtPackage>, Vec<Diagnostic>) {
    let mut reader = Reader { source, plugin, diagnostics: Vec::new() };
    let mut out = Vec::new();
    let root = yaml::parse(source, &mut reader.diagnostics);
    // A file of comments names no package.
    reader.diagnostics.retain(|found| found.code != codes::EMPTY);
    if let Some(Value::Map(entries)) = root.as_ref().map(|root| &root.value)
        && let Some(node) = get(entries, "packages")
    {
        for item in reader.list(node, "`packages`", "`- local: ../common`").unwrap_or_default() {
            let found = match &item.value {
                Value::Map(entries) => entries.iter().find_map(|entry| {
                    let origin = match entry.key.as_str() {
                        "local" => Origin::Local,
                        "package" | "git" | "tarball" | "private" => Origin::Fetched,
                        _ => return None,
                    };
                    let text = |node: &Node| match &node.value {
                        Value::String(text) => Some(text.clone()),
                        _ => None,
                    };
                    let name = text(&entry.value)?;
                    // What stands in a part of a repository, and what an archive is called beside its address.
                    let inner =
                        ["subdirectory", "name"].into_iter().find_map(|key| get(entries, key).and_then(text));
                    let registry = entry.key == "package";
                    let project = project(inner.as_deref().filter(|_| !registry).unwrap_or(&name));
                    Some(DbtPackage {
                        origin,
                        sure: registry && project.is_some(),
                        project,
                        name: Spanned::new(name, entry.value.range.clone()),
                    })
                }),
                _ => None,
            };
            match found {
                Some(package) => out.push(package),
                None => reader.error(
                    codes::NOT_A_MAPPING,
                    &item.range,
                    "this is no dbt package".to_owned(),
                    "write `local: FOLDER`, or `package`, `git` or `tarball` as dbt knows them",
                ),
            }
        }
    }
    (out, reader.finished())
}

/// The last part of a name or an address; none where only dbt can tell.
fn project(address: &str) -> Option<String> {
    let last = address.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last);
    (!last.is_empty() && !address.contains('{')).then(|| plain(last))
}

/// The folder of a local package, relative to the plugin's root; none where it lies outside of the plugin, or where only
/// dbt can tell. `project` is the project's own folder, `.` for the root.
pub fn folder_of(project: &str, local: &str) -> Option<String> {
    if local.starts_with(['/', '~']) || local.contains(['{', '\\', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in project.split('/').chain(local.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    // D5
    #[test]
    fn d5_packages_and_their_folders() {
        let text = "# ours\npackages:\n  - local: ../common\n  - package: dbt-labs/dbt_utils\n    version: [\">=1\", \"<2\"]\n  - {git: \"https://x/y.git\", revision: main}\n  - x\nprojects: [{name: a}]\n";
        let source = Source { file: "packages.yml".into(), text: text.to_owned() };
        let (packages, found) = parse(&source, "crm");
        let told: Vec<_> =
            packages.iter().map(|package| (package.origin, package.name.value.as_str())).collect();
        assert_eq!(
            told,
            [
                (Origin::Local, "../common"),
                (Origin::Fetched, "dbt-labs/dbt_utils"),
                (Origin::Fetched, "https://x/y.git")
            ]
        );
        assert_eq!(
            found.iter().map(|found| (found.code.id(), found.span.line)).collect::<Vec<_>>(),
            [("HUB004", 7)]
        );
        let projects: Vec<_> =
            packages.iter().skip(1).map(|package| (package.project.as_deref(), package.sure)).collect();
        assert_eq!(projects, [(Some("dbt_utils"), true), (Some("y"), false)]);
        for nothing in ["# none\n", "packages:\n", "packages: []\n", "projects: []\n"] {
            let source = Source { file: "packages.yml".into(), text: nothing.to_owned() };
            assert_eq!(parse(&source, "crm"), (Vec::new(), Vec::new()), "{nothing}");
        }
        for (project, local, folder) in [
            ("dbt", "../common", Some("common")),
            ("dbt", "./packages/a/", Some("dbt/packages/a")),
            (".", "common", Some("common")),
            ("a/b", "../../c", Some("c")),
            ("dbt", "..", Some(".")),
            ("dbt", "../../other/common", None),
            (".", "..", None),
            ("dbt", "/srv/common", None),
            ("dbt", "~/common", None),
            ("dbt", "{{ env_var('X') }}", None),
        ] {
            assert_eq!(folder_of(project, local).as_deref(), folder, "{project} {local}");
        }
    }

    // D5
    #[test]
    fn d5_the_name_of_a_package_is_read_as_far_as_its_entry_tells_it() {
        for (entry, project, sure) in [
            ("package: calogica/dbt-expectations", Some("dbt_expectations"), true),
            ("package: Dbt_Utils", Some("dbt_utils"), true),
            ("git: \"git@example.com:o/My-Macros.git\"", Some("my_macros"), false),
            (
                "git: \"https://example.com/o/r.git/\", subdirectory: dbt/audit-helper/",
                Some("audit_helper"),
                false,
            ),
            ("tarball: \"https://example.com/v1.tar.gz\", name: utils", Some("utils"), false),
            ("private: o/r", Some("r"), false),
            ("git: \"{{ env_var('WHERE') }}\"", None, false),
            ("package: \"{{ name }}\"", None, false),
        ] {
            let text = format!("packages: [{{{entry}}}]\n");
            let source = Source { file: "packages.yml".into(), text };
            let (packages, found) = parse(&source, "crm");
            assert!(found.is_empty(), "{entry}: {found:?}");
            assert_eq!((packages[0].project.as_deref(), packages[0].sure), (project, sure), "{entry}");
        }
    }
}
