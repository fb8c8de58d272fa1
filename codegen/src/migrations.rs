//! The SQL migrations of a plugin and of the platform: read from disk for the resolve stage, which tries them.

use std::fs;
use std::path::Path;

use hub_manifest::diagnostic::Span;
use hub_manifest::migrations::{Unordered, in_order};

use crate::load::{LoadedPlugin, text};
use crate::projects::join;

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
    let read = |name: String| Migration { sql: text(plugin, &join(&folder.value, &name)), name };
    Migrations { files: order.into_iter().map(read).collect(), unordered }
}

/// Reads the platform's own migrations, which run before those of any plugin.
pub fn of_platform(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let (order, _) = in_order(names);
    order.iter().filter_map(|name| fs::read_to_string(folder.join(name)).ok()).collect()
}
