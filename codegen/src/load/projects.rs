//! What a plugin's folder says of its dbt projects and of its tables: read for the resolve stage, judged there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use hub_manifest::codes;
use hub_manifest::dbt_packages::{self, DbtPackage, Origin};
use hub_manifest::dbt_project::{self, DbtProject};
use hub_manifest::diagnostic::{Diagnostic, Span};
use hub_manifest::rules::files::join;
use hub_manifest::source::Source;

use super::plugin::{LoadedPlugin, read_source};

/// Largest SQL file or model that is looked into, in bytes.
const MAX_SQL_BYTES: u64 = 1024 * 1024;

/// One dbt project of a plugin.
#[derive(Debug)]
pub struct Project {
    /// Text of `dbt_project.yml`.
    pub source: Source,
    /// Its sound fields.
    pub project: DbtProject,
    /// Name and file of each model, sorted; the file is relative to the plugin's root.
    pub models: BTreeSet<(String, String)>,
    /// Folders of its local packages, and theirs, relative to the plugin's root.
    pub packages: BTreeSet<String>,
    /// Whether models may be switched off, so that only dbt knows which ones of a name remain.
    pub switched: bool,
}

/// A name in a migration that begins as the tables of plugins do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The name, in lower case.
    pub name: String,
    /// The migration, relative to the plugin's root.
    pub file: String,
    /// Where in it the name stands first.
    pub span: Span,
}

/// The plugin's dbt projects, by their folders. A folder without `dbt_project.yml` has none.
pub fn projects(plugin: &LoadedPlugin, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, Project> {
    let mut out = BTreeMap::new();
    for workspace in &plugin.manifest.dbt_workspaces {
        let folder = &workspace.project_dir.value;
        let file = join(folder, "dbt_project.yml");
        if out.contains_key(folder) || !plugin.folder.files.contains(&file) {
            continue;
        }
        let Some(source) = read_source(plugin, &file, diagnostics) else { continue };
        let (project, found) = dbt_project::parse(&source, plugin.slug());
        diagnostics.extend(found);
        let models = models(plugin, folder, &project);
        let names: BTreeSet<&String> = models.iter().map(|(name, _)| name).collect();
        let switched = names.len() < models.len() && may_switch(plugin, folder, &project, &source);
        let packages = packages(plugin, folder, &project, diagnostics);
        out.insert(folder.clone(), Project { source, project, models, packages, switched });
    }
    out
}

/// The folders of all local packages of a project; what is missing, or lies elsewhere, is told.
fn packages(
    plugin: &LoadedPlugin,
    project_dir: &str,
    project: &DbtProject,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![project_dir.to_string()];
    let mut fetched: Vec<(Source, DbtPackage)> = Vec::new();
    while let Some(folder) = open.pop() {
        for name in dbt_packages::FILES {
            let file = join(&folder, name);
            if !plugin.folder.files.contains(&file) {
                continue;
            }
            let before = diagnostics.len();
            let Some(source) = read_source(plugin, &file, diagnostics) else {
                // An empty file names no package.
                if diagnostics.len() > before
                    && diagnostics.last().is_some_and(|found| found.code == codes::EMPTY)
                {
                    diagnostics.pop();
                }
                continue;
            };
            let (packages, wrong) = dbt_packages::parse(&source, plugin.slug());
            diagnostics.extend(wrong);
            for package in packages {
                if package.origin == Origin::Fetched {
                    fetched.push((source.clone(), package));
                    continue;
                }
                let place = dbt_packages::folder_of(&folder, &package.name.value)
                    .filter(|place| plugin.folder.files.contains(&join(place, "dbt_project.yml")));
                match place {
                    Some(place) if place == project_dir => {}
                    Some(place) => {
                        if found.insert(place.clone()) {
                            open.push(place);
                        }
                    }
                    None => diagnostics.push(
                        Diagnostic::error(
                            codes::DBT_PACKAGE_OUTSIDE,
                            format!("`{}` is no dbt package of this plugin", package.name.value.escape_debug()),
                        )
                        .plugin(plugin.slug())
                        .at(&source.file, source.span(&package.name.range))
                        .help("copy the package into the plugin, and name its folder from here, such as `../common`"),
                    ),
                }
            }
        }
    }
    let vendored = vendored(plugin, project_dir, project);
    if let Some((source, first)) = fetched.first()
        && fetched.len() > vendored
    {
        let install = &project.packages_install_path;
        let count = fetched.len();
        let message = match count {
            1 => format!("the dbt package `{}` is not in {install}", first.name.value.escape_debug()),
            _ => format!("{count} dbt packages are to be downloaded, and {install} holds {vendored}"),
        };
        diagnostics.push(
            Diagnostic::error(codes::DBT_PACKAGE_MISSING, message)
                .plugin(plugin.slug())
                .at(&source.file, source.span(&first.name.range))
                .help(format!(
                    "run `dbt deps` in {project_dir} and commit {install}: it ships with the plugin, and nothing is downloaded \
                     when a release runs"
                )),
        );
    }
    found
}

/// How many packages lie where `dbt deps` puts them.
fn vendored(plugin: &LoadedPlugin, project_dir: &str, project: &DbtProject) -> usize {
    let install = join(project_dir, &project.packages_install_path);
    below(plugin, &install)
        .filter_map(|file| file.strip_prefix(&install)?.strip_prefix('/')?.strip_suffix("/dbt_project.yml"))
        .filter(|name| !name.contains('/'))
        .count()
}

/// The files of the plugin below one of its folders.
fn below<'a>(plugin: &'a LoadedPlugin, folder: &str) -> impl Iterator<Item = &'a String> + use<'a> {
    let prefix = if folder == "." { String::new() } else { format!("{folder}/") };
    let files = plugin.folder.files.range(prefix.clone()..);
    files.take_while(move |file| file.starts_with(&prefix))
}

fn models(plugin: &LoadedPlugin, folder: &str, project: &DbtProject) -> BTreeSet<(String, String)> {
    let files = project.model_paths.iter().flat_map(|path| below(plugin, &join(folder, path)));
    files
        .filter_map(|file| {
            let name = file.rsplit('/').next().unwrap_or(file);
            let stem = name.strip_suffix(".sql").or_else(|| name.strip_suffix(".py"))?;
            Some((stem.to_string(), file.clone()))
        })
        .collect()
}

/// Whether the project, or a file beside its models, speaks of switching models off.
fn may_switch(plugin: &LoadedPlugin, folder: &str, project: &DbtProject, source: &Source) -> bool {
    let speaks = |file: &String| {
        let path = plugin.folder.root.join(file);
        let small = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= MAX_SQL_BYTES);
        !small || fs::read_to_string(&path).is_ok_and(|text| text.contains("enabled"))
    };
    let mut files = project.model_paths.iter().flat_map(|path| below(plugin, &join(folder, path)));
    source.text.contains("enabled")
        || plugin.folder.files.contains(&join(folder, ".dbtignore"))
        || files.any(|file| {
            [".sql", ".py", ".yml", ".yaml"].iter().any(|ending| file.ends_with(ending)) && speaks(file)
        })
}

/// The names in the plugin's migrations that begin with `plugin_`, each where it stands first.
pub fn table_names(plugin: &LoadedPlugin) -> Vec<TableName> {
    let Some(folder) = &plugin.manifest.migrations else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for migration in &plugin.migrations.files {
        let Ok(text) = &migration.sql else { continue };
        for (name, offset) in names_in(text) {
            if seen.insert(name.clone()) {
                let span = Span::at(text, offset, name.len());
                out.push(TableName { name, file: join(&folder.value, &migration.name), span });
            }
        }
    }
    out
}

/// The words of an SQL text, outside of comments and texts, that begin with `plugin_`.
fn names_in(sql: &str) -> Vec<(String, usize)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        at += if word > 0 {
            let name = rest[..word].to_ascii_lowercase();
            if name.starts_with("plugin_") {
                out.push((name, at));
            }
            word
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(text) = rest.strip_prefix('\'') {
            text.find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{join, names_in};

    #[test]
    fn names_are_found_outside_of_comments_and_texts() {
        let sql = "-- plugin_a_x\nCREATE TABLE \"PLUGIN_a_b\" (t TEXT DEFAULT 'it''s plugin_a_c'); /* plugin_a_d */\n\
            DROP TABLE main.plugin_a_e;";
        let names: Vec<String> = names_in(sql).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["plugin_a_b", "plugin_a_e"]);
        assert!(names_in("/* plugin_a").is_empty() && names_in("'plugin_a").is_empty());
    }

    #[test]
    fn the_root_of_a_plugin_is_a_folder_too() {
        assert_eq!((join(".", "a"), join("a", "."), join("a", "b")), ("a".into(), "a".into(), "a/b".into()));
    }
}
