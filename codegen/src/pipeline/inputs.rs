//! What a build reads: the one list of those folders and files of the checkout that are staged, bundled or shipped, and of
//! what tools leave in them. `cargo xtask dev` watches it.

use std::path::{Path, PathBuf};

use crate::compile::stage::platform_folders;

/// Folders that are read beside those of the platform's crates: the web shell, dbt's project, templates; the bundler.
const FOLDERS: &[&str] = &["host-template", "bundle"];
/// Files of the checkout's root that are read.
const FILES: &[&str] =
    &["Cargo.lock", "Cargo.toml", "package-lock.json", "package.json", "rust-toolchain.toml"];
/// Folders that tools make and that no build reads, wherever they are.
const OF_TOOLS: &[&str] = &["node_modules", "__pycache__"];
/// Folders that a tool makes where it has a file of its own beside them.
const OUTPUT: &[(&str, &str)] =
    &[("target", "Cargo.toml"), ("target", "dbt_project.yml"), ("logs", "dbt_project.yml")];
/// Hidden names that count for a build: sqlx's query data, and dbt's list of what to leave out.
const HIDDEN: &[&str] = &[".sqlx", ".dbtignore"];

/// Where a build reads.
#[derive(Debug, Clone)]
pub struct Inputs {
    root: PathBuf,
    /// The plugin roots and the folders of the checkout, canonical.
    folders: Vec<PathBuf>,
}

impl Inputs {
    /// Those of this checkout with these plugin roots.
    pub fn new(root: &Path, plugins: &[PathBuf]) -> Inputs {
        // Changes are told by canonical paths; a folder that is not there is for the watch to refuse.
        let canonical = |folder: PathBuf| folder.canonicalize().unwrap_or(folder);
        let root = canonical(root.to_path_buf());
        let mut own: Vec<&str> = FOLDERS.iter().copied().chain(platform_folders()).collect();
        own.sort_unstable();
        // What lies in one of the others is read with it.
        own.dedup_by(|inner, outer| Path::new(inner).starts_with(Path::new(outer)));
        let own = own.into_iter().map(|folder| root.join(folder));
        let folders = plugins.iter().cloned().chain(own).map(canonical).collect();
        Inputs { root, folders }
    }

    /// The folders to be watched, and whether with everything below.
    pub fn watched(&self) -> Vec<(PathBuf, bool)> {
        let below = self.folders.iter().map(|folder| (folder.clone(), true));
        below.chain([(self.root.clone(), false)]).collect()
    }

    /// Whether a change of this path can change what is built. Names above the folders do not matter.
    pub fn counts(&self, path: &Path) -> bool {
        let Some(folder) = self.folders.iter().find(|folder| path.starts_with(folder)) else {
            let name = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
            return name.is_some_and(|name| FILES.contains(&name));
        };
        path.ancestors().take_while(|part| *part != folder.as_path()).all(is_read)
    }
}

/// Whether a build may read the file or folder that a path ends in, as far as its own name tells.
fn is_read(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return true };
    let is_output = |(output, of): &(&str, &str)| name == *output && path.with_file_name(of).is_file();
    let hidden = name.starts_with('.') && !HIDDEN.contains(&name);
    !(hidden || name.ends_with('~') || OF_TOOLS.contains(&name) || OUTPUT.iter().any(is_output))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use hub_manifest::plan::Plan;

    use super::*;
    use crate::base::files::files_below;
    use crate::compile::stage::{Input, stage};

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap()
    }

    #[test]
    fn everything_that_is_staged_is_watched() {
        let root = checkout();
        let out = tempfile::tempdir().unwrap();
        let (plan, generated) = (Plan::default(), BTreeMap::new());
        let input = Input {
            repo: &root,
            plugins: &BTreeMap::new(),
            plan: &plan,
            generated: &generated,
            out: out.path(),
            packages: &[],
        };
        let staged = stage(&input).unwrap();
        let inputs = Inputs::new(&root, &[]);
        let mut files = 0;
        for file in files_below(&staged.root).unwrap() {
            let Some(origin) = staged.paths.origin(Path::new(&file)) else { continue };
            assert!(inputs.counts(&origin.file), "{file} is staged and not watched");
            files += 1;
        }
        assert!(files > 100, "the crates are not where they were: {files}");
        let watched = inputs.watched();
        for (folder, below) in &watched {
            assert!(folder.is_dir() && (*below || *folder == root), "{}", folder.display());
        }
        assert!(FILES.iter().all(|name| inputs.counts(&root.join(name)) && root.join(name).is_file()));
        assert!(!inputs.counts(&root.join("hub.lock")), "a build writes it");
    }

    #[test]
    fn what_tools_leave_behind_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().canonicalize().unwrap().join("plugins");
        for file in ["crm/backend/Cargo.toml", "crm/dbt/dbt_project.yml"] {
            fs::create_dir_all(plugins.join(file).parent().unwrap()).unwrap();
            fs::write(plugins.join(file), "").unwrap();
        }
        let inputs = Inputs::new(folder.path(), std::slice::from_ref(&plugins));
        for path in [
            "crm/plugin.yaml",
            "crm/backend/.sqlx/query-1.json",
            "crm/backend/src/target/mod.rs",
            "crm/backend/src/logs.rs",
            "crm/frontend/src/logs/Page.tsx",
            "crm/dbt/.dbtignore",
            "crm/dbt/dbt_packages/utils/macros/x.sql",
        ] {
            assert!(inputs.counts(&plugins.join(path)), "{path}");
        }
        for path in [
            "crm/.git/HEAD",
            "crm/backend/target/debug/x",
            "crm/dbt/target/manifest.json",
            "crm/dbt/logs/dbt.log",
            "crm/frontend/node_modules/x/index.js",
            "crm/scripts/__pycache__/x.pyc",
            "crm/frontend/src/.Page.tsx.swp",
            "crm/plugin.yaml~",
        ] {
            assert!(!inputs.counts(&plugins.join(path)), "{path}");
        }
    }
}
