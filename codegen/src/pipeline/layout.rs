//! What a release holds, and under which path: the one list that packing and `cargo xtask dev` share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub_manifest::plan::{HostPlugin, Plan};
use hub_release::manifest::{HOST, LAUNCHER};

use crate::base::files::files_below;
use crate::base::write::Source;
use crate::generate::Files;
use crate::load::LoadedPlugin;
use crate::pack::{File, Files as Release};

/// What is in a dbt project's folder because dbt ran there.
const DBT_OUTPUT: &[&str] = &["target", "logs"];

/// The pieces of a release.
pub struct Pieces<'a> {
    /// The checkout.
    pub repo: &'a Path,
    /// The plan.
    pub plan: &'a Plan,
    /// The plugins, as read.
    pub loaded: &'a [LoadedPlugin],
    /// The compiled host.
    pub host: &'a Path,
    /// The compiled launcher.
    pub launcher: &'a Path,
    /// The bundled web shell.
    pub web: &'a Path,
    /// Generated files, by their path in the release.
    pub generated: &'a Files,
}

/// Lists all files of a release but `RELEASE.json`, which is made of this list.
pub fn release(pieces: &Pieces<'_>) -> io::Result<Release> {
    let mut out = Release::new();
    let mut copy = |path: String, from: PathBuf, executable: bool| {
        out.insert(path, File { source: Source::Copy(from), executable });
    };
    copy(HOST.to_string(), pieces.host.to_path_buf(), true);
    copy(LAUNCHER.to_string(), pieces.launcher.to_path_buf(), true);
    copy("drivers.yaml".to_string(), pieces.repo.join("host-template/drivers.yaml"), false);
    for (folder, prefix) in [
        (pieces.web.to_path_buf(), "web".to_string()),
        (pieces.repo.join("host-template/dbt"), "dbt".to_string()),
    ] {
        for file in files_below(&folder)? {
            copy(format!("{prefix}/{file}"), folder.join(&file), false);
        }
    }
    for plugin in pieces.loaded {
        let Some(planned) = pieces.plan.host.plugins.iter().find(|planned| planned.name == plugin.slug())
        else {
            continue;
        };
        for file in plugin.folder.files.iter().filter(|file| is_shipped(planned, file)) {
            let from = plugin.folder.root.join(file);
            copy(format!("plugins/{}/{file}", planned.name), from, false);
        }
    }
    for (path, text) in pieces.generated {
        let source = Source::Bytes(text.clone().into_bytes());
        out.insert(path.clone(), File { source, executable: path.ends_with(".sh") });
    }
    Ok(out)
}

/// A plugin's data goes along, its source does not: the manifest, dbt projects, scripts and migrations.
fn is_shipped(plugin: &HostPlugin, file: &str) -> bool {
    let below =
        |folder: &str| folder == "." || file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let folders = plugin.dbt_workspaces.iter().flat_map(|workspace| {
        std::iter::once(&workspace.project_dir).chain(&workspace.packages).map(String::as_str)
    });
    let in_dbt = { folders }.any(|folder| {
        let inner = if folder == "." {
            Some(file)
        } else {
            file.strip_prefix(folder).and_then(|f| f.strip_prefix('/'))
        };
        inner.is_some_and(|inner| !DBT_OUTPUT.iter().any(|name| inner.starts_with(&format!("{name}/"))))
    });
    file == "plugin.yaml"
        || in_dbt
        || plugin.known_scripts.iter().any(|script| script.script_path == file)
        || (file.ends_with(".sql") && plugin.migrations.as_deref().is_some_and(below))
}

/// The handlebars templates of the release, by the path of the file that each one makes.
pub fn templates(repo: &Path) -> io::Result<Files> {
    let folder = repo.join("host-template/templates");
    let read = |name: &str| fs::read_to_string(folder.join(name));
    Ok(Files::from([("iaas/scripts/setup-customer.sh".to_string(), read("setup-customer.sh.hbs")?)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Repo, front};

    /// D5: what a project is made of ships with it, and what dbt wrote there does not.
    #[test]
    fn d5_local_and_vendored_packages_are_in_the_release() {
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("plugins");
        let manifest = "name: shop\nversion: 1.0.0\ndisplay_name: Shop\ndbt_workspaces: [{slug: shop, profile: shop, project_dir: dbt}]\n";
        let project = |name: &str| format!("name: {name}\nversion: 1.0.0\nprofile: shop\n");
        for (path, text) in [
            ("plugin.yaml", manifest.to_string()),
            ("dbt/dbt_project.yml", project("shop")),
            (
                "dbt/packages.yml",
                "packages:\n  - local: ../common\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n"
                    .to_string(),
            ),
            ("dbt/models/a.sql", "select 1 as a".to_string()),
            ("dbt/dbt_packages/dbt_utils/dbt_project.yml", project("dbt_utils")),
            ("dbt/dbt_packages/dbt_utils/macros/a.sql", String::new()),
            ("dbt/target/manifest.json", String::new()),
            ("dbt/logs/dbt.log", String::new()),
            ("common/dbt_project.yml", project("common")),
            ("common/macros/b.sql", String::new()),
            ("notes/c.sql", String::new()),
        ] {
            let file = roots.join("shop").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let repo = Repo::find();
        let front = front(&repo, std::slice::from_ref(&roots), "0.1.0", false).unwrap();
        assert!(front.resolved.is_sound(), "{:?}", front.resolved.diagnostics);
        let files = release(&Pieces {
            repo: &repo.root,
            plan: &front.resolved.plan,
            loaded: &front.loaded,
            host: &roots,
            launcher: &roots,
            web: folder.path(),
            generated: &Files::new(),
        })
        .unwrap();
        let shipped: Vec<&str> = files.keys().filter_map(|path| path.strip_prefix("plugins/shop/")).collect();
        assert_eq!(
            shipped,
            [
                "common/dbt_project.yml",
                "common/macros/b.sql",
                "dbt/dbt_packages/dbt_utils/dbt_project.yml",
                "dbt/dbt_packages/dbt_utils/macros/a.sql",
                "dbt/dbt_project.yml",
                "dbt/models/a.sql",
                "dbt/packages.yml",
                "plugin.yaml",
            ]
        );
    }
}
