//! The SQL migrations of a plugin and of the platform: read from disk for the resolve stage, which tries them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hub_manifest::diagnostic::Span;
use hub_manifest::migrations::{Engine, MAX_BYTES, Unordered, in_order, runs_on};
use hub_manifest::rules::files::join;

use super::plugin::{LoadedPlugin, text};

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Name of the file.
    pub name: String,
    /// Its SQL, or why there is none and where in it the reason lies.
    pub sql: Result<String, (String, Span)>,
}

/// The migrations of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    /// In the order in which they run.
    pub files: Vec<Migration>,
    /// What keeps the order from being clear.
    pub unordered: Vec<Unordered>,
}

/// The names of the SQL files that lie in the folder of `migrations` itself: the host looks no deeper.
pub fn names(plugin: &LoadedPlugin, folder: &str) -> Vec<String> {
    let prefix = join(folder, "");
    let files = plugin.folder.files.range(prefix.clone()..).take_while(|file| file.starts_with(&prefix));
    let names = files.filter_map(|file| file.strip_prefix(&prefix));
    names.filter(|name| !name.contains('/') && name.ends_with(".sql")).map(str::to_string).collect()
}

/// Reads the migrations of a plugin.
pub fn of_plugin(plugin: &LoadedPlugin) -> Migrations {
    let Some(folder) = &plugin.manifest.migrations else { return Migrations::default() };
    let (order, unordered) = in_order(names(plugin, &folder.value));
    let read = |name: String| Migration { sql: text(plugin, &join(&folder.value, &name), MAX_BYTES), name };
    Migrations { files: order.into_iter().map(read).collect(), unordered }
}

/// The platform's own migrations, which run before those of any plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfPlatform {
    /// Name and SQL of each, in order, those for one engine among them.
    pub files: Vec<(String, String)>,
    /// The folder.
    pub folder: PathBuf,
    /// The file that cannot be read, and why: then no plugin's can be tried.
    pub trouble: Option<(PathBuf, String)>,
}

impl OfPlatform {
    /// The SQL that runs on an engine, in order.
    pub fn on(&self, engine: Engine) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().filter(move |(name, _)| runs_on(name, engine));
        files.map(|(name, sql)| (name.as_str(), sql.as_str()))
    }
}

/// Reads the platform's own migrations. A checkout without the folder has none.
pub fn of_platform(folder: &Path) -> OfPlatform {
    let mut platform = OfPlatform { folder: folder.to_path_buf(), ..OfPlatform::default() };
    match read(folder) {
        Ok(files) => platform.files = files,
        Err((_, error)) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {}
        Err((file, error)) => platform.trouble = Some((file, format!("it cannot be read: {error}"))),
    }
    platform
}

fn read(folder: &Path) -> Result<Vec<(String, String)>, (PathBuf, io::Error)> {
    let at_folder = |error| (folder.to_path_buf(), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(at_folder)? {
        names.extend(entry.map_err(at_folder)?.file_name().into_string().ok());
    }
    let (order, _) = in_order(names);
    order
        .into_iter()
        .map(|name| match fs::read_to_string(folder.join(&name)) {
            Ok(sql) => Ok((name, sql)),
            Err(error) => Err((folder.join(name), error)),
        })
        .collect()
}
