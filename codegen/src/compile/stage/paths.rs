//! Paths inside the staged workspace and the paths that people edit, both ways.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Leads from a staged path back to the file it was copied from.
#[derive(Debug, Clone, Default)]
pub struct PathMap {
    /// Prefix in the staged workspace, slug of the plugin, folder it was copied from.
    entries: Vec<(PathBuf, Option<String>, PathBuf)>,
}

/// Where a staged file came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The plugin; none for the platform's own sources.
    pub plugin: Option<String>,
    /// Absolute path of the file that was copied.
    pub file: PathBuf,
}

impl PathMap {
    /// The map of a workspace that holds these plugins and these folders of the repository.
    pub fn new<'a>(
        repo: &Path,
        plugins: &BTreeMap<String, PathBuf>,
        platform: impl IntoIterator<Item = &'a str>,
    ) -> PathMap {
        let plugins =
            plugins.iter().map(|(slug, root)| (plugin_prefix(slug), Some(slug.clone()), root.clone()));
        let platform = platform.into_iter().map(|dir| (PathBuf::from(dir), None, repo.join(dir)));
        PathMap { entries: plugins.chain(platform).collect() }
    }

    /// Where the file at `staged` (relative to the staged workspace) came from; none for generated files and for
    /// paths outside of the workspace.
    pub fn origin(&self, staged: &Path) -> Option<Origin> {
        self.entries.iter().find_map(|(prefix, plugin, root)| {
            let rest = staged.strip_prefix(prefix).ok()?;
            Some(Origin { plugin: plugin.clone(), file: root.join(rest) })
        })
    }

    /// Each staged prefix, with `/` at its end, and the folder it stands for.
    pub fn prefixes(&self) -> impl Iterator<Item = (String, &Path)> {
        self.entries.iter().map(|(prefix, _, root)| (format!("{}/", prefix.display()), root.as_path()))
    }
}

/// Folder of a plugin in the staged workspace.
pub(super) fn plugin_prefix(slug: &str) -> PathBuf {
    Path::new("plugins").join(slug)
}

/// `path` as seen from the folder `base`, without `.` and `..`; none when it leaves the folder that `base` is
/// relative to, or is absolute.
pub(super) fn inside(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut parts: Vec<_> = base.components().filter(|c| matches!(c, Component::Normal(_))).collect();
    for component in path.components() {
        match component {
            Component::Normal(_) => parts.push(component),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.iter().collect())
}

/// The way from the folder `from` to `to`, both relative to the same folder, with `/`.
pub(super) fn relative(from: &Path, to: &str) -> String {
    let up = from.components().filter(|c| matches!(c, Component::Normal(_))).count();
    format!("{}{to}", "../".repeat(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_and_escapes_are_seen() {
        let at = |base: &str, path: &str| {
            inside(Path::new(base), Path::new(path)).map(|p| p.display().to_string())
        };
        assert_eq!(at("backend", "../core").as_deref(), Some("core"));
        assert_eq!(at("backend", "./a/../b").as_deref(), Some("backend/b"));
        assert_eq!(at("backend", "..").as_deref(), Some(""));
        assert_eq!(at("backend", "../../x"), None);
        assert_eq!(at("backend", "/x"), None);
    }

    #[test]
    fn a_staged_path_leads_back_to_the_author() {
        let plugins = BTreeMap::from([("crm".to_string(), PathBuf::from("/elsewhere/crm"))]);
        let map = PathMap::new(Path::new("/repo"), &plugins, ["macros"]);
        let origin = map.origin(Path::new("plugins/crm/backend/src/lib.rs")).unwrap();
        assert_eq!(origin.plugin.as_deref(), Some("crm"));
        assert_eq!(origin.file, Path::new("/elsewhere/crm/backend/src/lib.rs"));
        assert_eq!(
            map.origin(Path::new("macros/src/lib.rs")).unwrap().file,
            Path::new("/repo/macros/src/lib.rs")
        );
        assert_eq!(map.origin(Path::new("plugins/crm2/src/lib.rs")), None);
        assert_eq!(map.origin(Path::new("host/src/main.rs")), None);
    }

    #[test]
    fn the_way_up_is_counted_in_folders() {
        assert_eq!(relative(Path::new("plugins/crm/backend"), "macros"), "../../../macros");
        assert_eq!(relative(Path::new("macros"), "manifest"), "../manifest");
    }
}
