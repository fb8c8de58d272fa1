//! A dbt project with local packages, as dbt wants to find it: a folder of links in the work folder. The plugin itself is
//! never written to, so what `dbt deps` would put into it is put beside it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::dbt_packages::{self, Origin, folder_of};
use hub_manifest::dbt_project::{self, DbtProject};
use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::source::{MAX_BYTES, Source};
use hub_release::beneath::{self, Beneath};

/// Most local packages of a project, theirs included.
const MOST: usize = 100;

/// The folder for `--project-dir`: the project's own, or one of links where it has local packages.
pub(super) fn staged(work: &Path, root: &Path, path: &Path) -> Result<PathBuf, String> {
    let (plugin, folder) = opened(root, path)?;
    let local = plugin.local_packages(folder)?;
    if local.is_empty() {
        return Ok(path.to_path_buf());
    }
    let project = plugin.project(folder)?.unwrap_or_default();
    let stage = work.join("project");
    let cannot = |e: io::Error| format!("cannot lay out the project in {}: {e}", stage.display());
    // Runs write here too: what they have put in its place goes.
    beneath::clear(&stage).map_err(cannot)?;
    fs::create_dir_all(&stage).map_err(cannot)?;
    let install: Vec<&str> = project.packages_install_path.split('/').filter(|part| *part != ".").collect();
    links(path, &stage, &install).map_err(cannot)?;
    let inner = format!("{folder}/{}", install.join("/"));
    let vendored = plugin.names_in(&inner);
    for package in local {
        // One that is vendored too, as `dbt deps` does it, is there already.
        let name = plugin.project(&package)?.and_then(|project| project.name).map(|name| name.value);
        if name.is_some_and(|name| vendored.contains(&name)) {
            continue;
        }
        let place = install.iter().fold(stage.clone(), |place, part| place.join(part));
        symlink(root.join(&package), place.join(package.replace('/', "_"))).map_err(cannot)?;
    }
    Ok(stage)
}

/// The folders that a project consists of: its own, and those of its local packages.
pub(super) fn folders(root: &Path, path: &Path) -> Result<Vec<PathBuf>, String> {
    let (plugin, folder) = opened(root, path)?;
    let local = plugin.local_packages(folder)?;
    Ok(std::iter::once(path.to_path_buf()).chain(local.iter().map(|package| root.join(package))).collect())
}

fn opened<'a>(root: &'a Path, path: &'a Path) -> Result<(Plugin<'a>, &'a str), String> {
    let folder = path.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
    let folder = if folder.is_empty() { "." } else { folder };
    let beneath = Beneath::open(root).map_err(|e| format!("cannot open {}: {e}", root.display()))?;
    Ok((Plugin { root, beneath }, folder))
}

/// Makes links to all that a folder holds; the folders on the way to `install` are made, and are of links themselves.
fn links(from: &Path, to: &Path, install: &[&str]) -> io::Result<()> {
    let (first, rest) = match install.split_first() {
        Some((first, rest)) => (Some(*first), rest),
        None => (None, install),
    };
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if first.is_none_or(|first| entry.file_name() != first) {
            symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    let Some(first) = first else { return Ok(()) };
    let (from, to) = (from.join(first), to.join(first));
    fs::create_dir(&to)?;
    if from.is_dir() {
        links(&from, &to, rest)
    } else {
        fs::create_dir_all(rest.iter().fold(to, |to, part| to.join(part)))
    }
}

struct Plugin<'a> {
    root: &'a Path,
    beneath: Beneath,
}

impl Plugin<'_> {
    fn read(&self, inner: &str) -> Result<Option<Source>, String> {
        let wrong = |what: String| format!("cannot read {}: {what}", self.root.join(inner).display());
        match self.beneath.read(inner, MAX_BYTES as u64) {
            Ok(bytes) => match Source::decode(Path::new(inner), &bytes) {
                Ok(source) => Ok(Some(source)),
                Err(found) if found.code == codes::EMPTY => Ok(None),
                Err(found) => Err(wrong(found.message)),
            },
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(wrong(e.to_string())),
        }
    }

    /// The project in a folder of the plugin. What is wrong with it is dbt's to say.
    fn project(&self, folder: &str) -> Result<Option<DbtProject>, String> {
        let source = self.read(&format!("{folder}/dbt_project.yml"))?;
        Ok(source.map(|source| dbt_project::parse(&source, "").0))
    }

    /// The folders of a project's local packages, and theirs.
    fn local_packages(&self, project: &str) -> Result<BTreeSet<String>, String> {
        let mut found = BTreeSet::new();
        let mut open = vec![project.to_owned()];
        while let Some(folder) = open.pop() {
            for name in dbt_packages::FILES {
                let inner = format!("{folder}/{name}");
                let Some(source) = self.read(&inner)? else { continue };
                let (packages, wrong) = dbt_packages::parse(&source, "");
                if let Some(wrong) = wrong.iter().find(|found| found.level == Level::Error) {
                    return Err(sentence(&inner, wrong));
                }
                for package in packages.iter().filter(|package| package.origin == Origin::Local) {
                    let place = folder_of(&folder, &package.name.value)
                        .filter(|place| self.beneath.file(format!("{place}/dbt_project.yml")).is_ok());
                    let Some(place) = place else {
                        let span = source.span(&package.name.range);
                        return Err(format!(
                            "{inner}:{}:{}: `{}` is no dbt package of this plugin: copy it into the plugin, and name its folder \
                             from here, such as `../common`",
                            span.line,
                            span.column,
                            package.name.value.escape_debug()
                        ));
                    };
                    if place != project && found.insert(place.clone()) {
                        open.push(place);
                    }
                    if found.len() > MOST {
                        return Err(format!("{inner}: the project has more than {MOST} local packages"));
                    }
                }
            }
        }
        Ok(found)
    }

    /// The names of the projects that lie in a folder.
    fn names_in(&self, folder: &str) -> BTreeSet<String> {
        let entries = self.beneath.folder(folder).and_then(|folder| folder.list()).unwrap_or_default();
        let names = entries.iter().filter_map(|(name, _)| name.to_str());
        let project = |name: &str| self.project(&format!("{folder}/{name}")).ok().flatten();
        names.filter_map(|name| project(name)?.name.map(|name| name.value)).collect()
    }
}

fn sentence(file: &str, found: &Diagnostic) -> String {
    format!("{file}:{}:{}: {} ({})", found.span.line, found.span.column, found.message, found.help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    // D5
    #[test]
    fn d5_a_project_with_local_packages_is_laid_out_beside_the_plugin() {
        let folder = Scratch::new("packages");
        let (root, work) = (folder.join("plugin"), folder.join("work"));
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        fs::create_dir_all(&work).unwrap();
        write("dbt/dbt_project.yml", "name: mine\n");
        write("dbt/models/a.sql", "select 1");
        let path = root.join("dbt");
        assert_eq!(staged(&work, &root, &path), Ok(path.clone()), "no packages: it runs where it is");
        write("dbt/dbt_packages/utils/dbt_project.yml", "name: utils\n");
        assert_eq!(staged(&work, &root, &path), Ok(path.clone()), "vendored ones are where dbt looks");
        write(
            "dbt/packages.yml",
            "packages: [{local: ../common}, {package: dbt-labs/utils, version: 1.0.0}]\n",
        );
        write("common/dbt_project.yml", "name: common\n");
        write("common/packages.yml", "packages: [{local: base}, {local: ../utils}]\n");
        write("common/base/dbt_project.yml", "name: base\n");
        write("utils/dbt_project.yml", "name: utils\n");
        for _ in 0..2 {
            let stage = staged(&work, &root, &path).unwrap();
            assert_eq!(stage, work.join("project"));
            assert_eq!(fs::read_to_string(stage.join("models/a.sql")).unwrap(), "select 1");
            let mut packages: Vec<_> = fs::read_dir(stage.join("dbt_packages"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            packages.sort();
            assert_eq!(
                packages,
                ["common", "common_base", "utils"],
                "one that is vendored too is there once"
            );
        }
        write("dbt/dbt_project.yml", "name: mine\npackages-install-path: vendor/dbt\n");
        write("dbt/vendor/other.txt", "");
        let stage = staged(&work, &root, &path).unwrap();
        assert!(
            stage.join("vendor/other.txt").is_file()
                && stage.join("vendor/dbt/common/dbt_project.yml").is_file()
        );
        for wrong in ["../../plugin/common", "/srv/common", "../nothing", "~/x"] {
            write("dbt/packages.yml", &format!("packages:\n  - local: {wrong}\n"));
            let error = staged(&work, &root, &path).unwrap_err();
            assert!(
                error.starts_with(&format!(
                    "dbt/packages.yml:2:12: `{wrong}` is no dbt package of this plugin"
                )),
                "{error}"
            );
        }
        write("dbt/packages.yml", "packages: [{local: ../common}]\n");
        fs::remove_dir_all(root.join("common")).unwrap();
        symlink("/etc", root.join("common")).unwrap();
        assert!(staged(&work, &root, &path).is_err(), "no link leads out");
    }
}
