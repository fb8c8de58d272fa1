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
    let mut wanted = Vec::new();
    while let Some(folder) = open.pop() {
        for (source, package) in named(plugin, &folder, diagnostics) {
            if package.origin == Origin::Fetched {
                wanted.push(Wanted { sure: package.sure, source, package });
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
    let mut there = BTreeSet::new();
    for folder in vendored(plugin, project_dir, project) {
        there.insert(name_of(plugin, &folder, diagnostics));
        for (source, package) in named(plugin, &folder, diagnostics) {
            // A folder of its own repository's is dbt's to find.
            if package.origin == Origin::Fetched {
                // The registry knows packages by older names too, and nobody here can write the new one there.
                wanted.push(Wanted { sure: false, source, package });
            }
        }
    }
    // What the plugin has beside the project is there as well, though not in the place of another.
    let local: BTreeSet<String> = found.iter().map(|folder| name_of(plugin, folder, diagnostics)).collect();
    for Wanted { source, package, .. } in missing(&wanted, &there, &local) {
        let install = &project.packages_install_path;
        let message = format!("the dbt package `{}` is not in {install}", package.name.value.escape_debug());
        diagnostics.push(
            Diagnostic::error(codes::DBT_PACKAGE_MISSING, message)
                .plugin(plugin.slug())
                .at(&source.file, source.span(&package.name.range))
                .help(format!(
                    "run `dbt deps` in {project_dir} and commit {install}: it ships with the plugin, and nothing is downloaded \
                     when a release runs"
                )),
        );
    }
    found
}

/// A package that has to be vendored.
struct Wanted {
    /// Where it is asked for.
    source: Source,
    package: DbtPackage,
    /// Whether its project has the name that the entry tells.
    sure: bool,
}

/// The packages that a project's folder names, each with its file.
fn named(
    plugin: &LoadedPlugin,
    folder: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(Source, DbtPackage)> {
    let mut out = Vec::new();
    for name in dbt_packages::FILES {
        let file = join(folder, name);
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
        out.extend(packages.into_iter().map(|package| (source.clone(), package)));
    }
    out
}

/// Those that are not there, each once. `there` are the names of what is vendored, `local` those of the plugin's own packages.
///
/// A project that nothing else asks for may be one whose name its entry does not tell.
fn missing<'w>(wanted: &'w [Wanted], there: &BTreeSet<String>, local: &BTreeSet<String>) -> Vec<&'w Wanted> {
    let mut seen = BTreeSet::new();
    let mut asked_for = BTreeSet::new();
    let (mut missing, mut unsure) = (Vec::new(), Vec::new());
    // What is sure comes first: of two entries for one package it is the one that tells.
    let (first, then): (Vec<&Wanted>, Vec<&Wanted>) = wanted.iter().partition(|wanted| wanted.sure);
    for wanted in first.into_iter().chain(then) {
        let name = wanted.package.project.as_deref();
        let fits = |other: &&String| {
            name.is_some_and(|name| {
                let short = |name: &str| name.strip_prefix("dbt_").unwrap_or(name).to_owned();
                *other == name || !wanted.sure && short(other) == short(name)
            })
        };
        let known = there.iter().find(fits);
        asked_for.extend(known);
        if known.or_else(|| local.iter().find(fits)).is_some() {
            continue;
        }
        if seen.insert(name.unwrap_or(&wanted.package.name.value)) {
            if wanted.sure { missing.push(wanted) } else { unsure.push(wanted) }
        }
    }
    let spare = there.iter().filter(|name| !asked_for.contains(name) && !local.contains(*name)).count();
    missing.extend(unsure.into_iter().skip(spare));
    missing
}

/// The name of the project in a folder; the folder's own where there is none. What is wrong with it is dbt's to say.
fn name_of(plugin: &LoadedPlugin, folder: &str, diagnostics: &mut Vec<Diagnostic>) -> String {
    let source = read_source(plugin, &join(folder, "dbt_project.yml"), diagnostics);
    let name = source.and_then(|source| dbt_project::parse(&source, plugin.slug()).0.name);
    let of_folder = folder.rsplit('/').next().unwrap_or(folder);
    dbt_packages::plain(name.as_ref().map_or(of_folder, |name| name.value.as_str()))
}

/// The folders of the packages that lie where `dbt deps` puts them.
fn vendored(plugin: &LoadedPlugin, project_dir: &str, project: &DbtProject) -> Vec<String> {
    let install = join(project_dir, &project.packages_install_path);
    let folders = below(plugin, &install).filter_map(|file| {
        let folder = file.strip_suffix("/dbt_project.yml")?;
        let name = folder.strip_prefix(&install)?.strip_prefix('/')?;
        (!name.contains('/')).then(|| folder.to_owned())
    });
    folders.collect()
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
    use std::fs;

    use super::{codes, join, names_in};
    use crate::load::load;
    use crate::scan::scan;

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

    /// The places and messages of HUB108 for a plugin with these files below `dbt`.
    fn not_there(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let roots = [folder.path().join("plugins")];
        let write = |path: &str, text: &str| {
            let file = roots[0].join("shop").join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        };
        write("plugin.yaml", "name: shop\nversion: 1.0.0\ndisplay_name: Shop\ndbt_workspace: dbt\n");
        write("dbt/dbt_project.yml", "name: shop\nversion: 1.0.0\nprofile: shop\n");
        for (path, text) in files {
            write(&format!("dbt/{path}"), text);
        }
        let (folders, _) = scan(&roots).unwrap_or_else(|_| panic!("the folder is there"));
        let (_, found) = load(folders);
        found
            .iter()
            .filter(|found| found.code == codes::DBT_PACKAGE_MISSING)
            .map(|found| {
                let file = found.file.as_ref().expect("a file");
                format!("{}:{} {}", file.display(), found.span.line, found.message)
            })
            .map(|line| line.rsplit_once("/dbt/").map_or(line.clone(), |(_, line)| line.to_owned()))
            .collect()
    }

    // D5
    #[test]
    fn d5_a_package_that_is_asked_for_and_not_there_is_named() {
        let utils = ("dbt_packages/dbt_utils/dbt_project.yml", "name: dbt_utils\n");
        let asks = |text: &'static str| ("packages.yml", text);
        let both = "packages:\n- package: dbt-labs/dbt_utils\n- package: calogica/dbt-expectations\n";
        let gone = "packages.yml:3 the dbt package `calogica/dbt-expectations` is not in dbt_packages";
        assert_eq!(not_there(&[asks(both), utils]), [gone]);
        // As many as are asked for, but others: the folder is from before.
        let stale = ("dbt_packages/dbt_date/dbt_project.yml", "name: dbt_date\n");
        assert_eq!(not_there(&[asks(both), utils, stale]), [gone]);
        // A project's name counts, and not that of its folder.
        let named = ("dbt_packages/x/dbt_project.yml", "name: dbt_expectations\n");
        assert_eq!(not_there(&[asks(both), utils, named]), [""; 0]);
        let git =
            "packages:\n- git: https://example.com/o/dbt-utils.git\n- git: https://example.com/o/odd.git\n";
        assert_eq!(
            not_there(&[asks(git), utils]),
            ["packages.yml:3 the dbt package `https://example.com/o/odd.git` is not in dbt_packages"]
        );
        // What a repository calls itself nobody here knows.
        assert_eq!(not_there(&[asks(git), utils, stale]), [""; 0]);
    }

    // D5
    #[test]
    fn d5_what_a_vendored_package_asks_for_is_there_too() {
        let root = ("packages.yml", "packages: [{package: o/one}]\n");
        let one = ("dbt_packages/one/dbt_project.yml", "name: one\n");
        let asks = (
            "dbt_packages/one/packages.yml",
            "packages:\n- package: o/two\n- package: o/one\n- local: ../x\n",
        );
        let two = ("dbt_packages/two/dbt_project.yml", "name: two\n");
        assert_eq!(
            not_there(&[root, one, asks]),
            ["dbt_packages/one/packages.yml:2 the dbt package `o/two` is not in dbt_packages"]
        );
        assert_eq!(not_there(&[root, one, asks, two]), [""; 0]);
        // The plugin's own.
        let local = ("packages.yml", "packages: [{package: o/one}, {local: ./mine}]\n");
        assert_eq!(not_there(&[local, one, asks, ("mine/dbt_project.yml", "name: two\n")]), [""; 0]);
        let copy = ("dbt_packages/mine/dbt_project.yml", "name: mine\n");
        let mine = ("mine/dbt_project.yml", "name: mine\n");
        assert_eq!(
            not_there(&[local, one, asks, mine, copy]).len(),
            1,
            "a copy of it is nobody else's package"
        );
    }
}
