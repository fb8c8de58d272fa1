//! What each plugin contributes to the running host, with defaults filled in and its files looked up.

use hub_manifest::plan::HostPlugin;
use hub_manifest::rules::files::{self, Files};

use super::Context;
use crate::load::LoadedPlugin;
use crate::load::migrations::names;

/// Every plugin, in plugin order.
pub fn host_plugins(context: &mut Context<'_>) -> Vec<HostPlugin> {
    let plugins = context.plugins.clone();
    plugins
        .iter()
        .map(|plugin| {
            context.diagnostics.extend(files::check(&plugin.subject(), *plugin));
            HostPlugin::from_manifest(&plugin.manifest, plugin.slug())
        })
        .collect()
}

impl Files for LoadedPlugin {
    fn has(&self, path: &str) -> bool {
        self.folder.files.contains(path)
    }

    fn has_sql(&self, folder: &str) -> bool {
        !names(self, folder).is_empty()
    }

    fn similar(&self, path: &str) -> Option<String> {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.folder.files.iter().find(|file| file.rsplit('/').next() == Some(name)).cloned()
    }

    fn shown(&self, path: &str) -> String {
        LoadedPlugin::shown(self, path).display().to_string()
    }
}
