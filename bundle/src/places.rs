//! Where things lie on this machine, and the names by which they are known on any machine.

use std::path::{Component, Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::wire::bundler::Job;

use crate::finding::Finding;

/// One plugin's root folder.
#[derive(Debug, Clone)]
pub struct PluginRoot {
    /// The plugin's name.
    pub slug: String,
    /// Its folder, with all links followed.
    pub root: PathBuf,
    /// Whether it lies outside the repository, and so cannot see the repository's packages by itself.
    pub outside: bool,
}

/// The folders that a job speaks of, with all links followed.
#[derive(Debug, Clone)]
pub struct Places {
    /// The repository.
    pub repo: PathBuf,
    /// The folder of generated TypeScript.
    pub generated: PathBuf,
    /// The shell's first module.
    pub entry: PathBuf,
    /// The plugins, longest path first, so that the first match is the nearest.
    plugins: Vec<PluginRoot>,
}

impl Places {
    /// The places of `job`; a folder that does not exist is an error.
    pub fn of(job: &Job) -> Result<Places, Finding> {
        let real = |what: &str, path: &Path| {
            path.canonicalize().map_err(|error| {
                Finding::error(
                    codes::IMPORT_UNRESOLVED,
                    format!("{what} {} cannot be read: {error}", path.display()),
                )
                .help("check the path, or run the whole build, which creates it")
            })
        };
        let repo = real("the repository", &job.repo)?;
        let mut plugins = Vec::with_capacity(job.plugins.len());
        for (slug, root) in &job.plugins {
            let root = real(&format!("the folder of plugin `{slug}`"), root)?;
            plugins.push(PluginRoot { slug: slug.clone(), outside: !root.starts_with(&repo), root });
        }
        plugins.sort_by_key(|plugin| std::cmp::Reverse(plugin.root.as_os_str().len()));
        Ok(Places {
            generated: real("the folder of generated modules", &job.generated)?,
            entry: real("the shell's entry", &job.entry)?,
            repo,
            plugins,
        })
    }

    /// The plugin of that name.
    pub fn plugin(&self, slug: &str) -> Option<&PluginRoot> {
        self.plugins.iter().find(|plugin| plugin.slug == slug)
    }

    /// Names of all plugins.
    pub fn slugs(&self) -> impl Iterator<Item = &str> {
        self.plugins.iter().map(|plugin| plugin.slug.as_str())
    }

    /// The plugin in whose folder `path` lies.
    pub fn owner(&self, path: &Path) -> Option<&PluginRoot> {
        self.plugins.iter().find(|plugin| path.starts_with(&plugin.root))
    }

    /// The name of a file that is the same on every machine: `plugins/crm/frontend/src/X.tsx`, `node_modules/react/…`.
    pub fn name(&self, path: &Path) -> String {
        if let Some(plugin) = self.owner(path)
            && let Ok(rest) = path.strip_prefix(&plugin.root)
        {
            return format!("plugins/{}/{}", plugin.slug, slashes(rest));
        }
        if let Ok(rest) = path.strip_prefix(&self.generated) {
            return format!("generated/{}", slashes(rest));
        }
        if let Ok(rest) = path.strip_prefix(&self.repo) {
            return slashes(rest);
        }
        let text = slashes(path);
        match text.find("/node_modules/") {
            Some(at) => text[at + 1..].to_owned(),
            None => format!("external/{}", path.file_name().unwrap_or_default().to_string_lossy()),
        }
    }
}

/// `path` with forward slashes.
fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// `rest` below a root, without `.` and `..`; nothing when it would leave the root.
pub fn inside(rest: &str) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in Path::new(rest).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// `path` without `.` and `..`, by its text alone.
pub fn normalize(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let plugin =
            |slug: &str, root: &str, outside| PluginRoot { slug: slug.into(), root: root.into(), outside };
        Places {
            repo: "/r".into(),
            generated: "/r/target/web/generated".into(),
            entry: "/r/host-template/shell/src/main.tsx".into(),
            plugins: vec![plugin("far", "/elsewhere/far", true), plugin("crm", "/r/plugins/crm", false)],
        }
    }

    #[test]
    fn names_are_the_same_on_every_machine() {
        let name = |path: &str| places().name(Path::new(path));
        assert_eq!(name("/r/plugins/crm/frontend/src/X.tsx"), "plugins/crm/frontend/src/X.tsx");
        assert_eq!(name("/elsewhere/far/frontend/a.ts"), "plugins/far/frontend/a.ts");
        assert_eq!(name("/r/target/web/generated/overrides.ts"), "generated/overrides.ts");
        assert_eq!(name("/r/node_modules/react/index.js"), "node_modules/react/index.js");
        assert_eq!(name("/opt/x/node_modules/y/z.js"), "node_modules/y/z.js");
        assert_eq!(name("/opt/x/z.js"), "external/z.js");
    }

    #[test]
    fn nothing_leaves_its_root() {
        assert_eq!(inside("frontend/./src/../a.ts"), Some("frontend/a.ts".into()));
        assert_eq!(inside("frontend/../../a.ts"), None);
        assert_eq!(inside("/etc/passwd"), None);
        assert_eq!(normalize(Path::new("/a/./b/../c")), Path::new("/a/c"));
    }
}
