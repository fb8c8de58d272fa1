//! The customer's own vertical plugins: folders of the data folder with a `plugin.yaml`. Whatever such a folder holds,
//! the host starts; what is wrong with it goes into the list of plugins.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;

use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::plan::HostPlugin;
use hub_manifest::plugin::{self, Manifest};
use hub_manifest::source::{MAX_BYTES, Source};

use crate::ctx::Config;
use crate::enable;
use crate::listing::Listing;
use crate::registry::{Origin, Plugin};

/// The plugins in `<data>/plugins`, by folder name.
///
/// A name of the release's is the release's: the customer's plugin is listed as shadowed.
pub(crate) fn customer_plugins(data_dir: &Path, of_build: &[Arc<Plugin>]) -> Vec<Plugin> {
    let folder = data_dir.join("plugins");
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let mut found: Vec<Plugin> = Vec::new();
    for name in names {
        // What `drivers install` lists here is no vertical plugin, whatever is in it.
        if fs::read_link(folder.join(&name)).is_ok_and(|target| crate::drivers::is_ours(&target)) {
            continue;
        }
        let Some(mut plugin) = one(&folder.join(&name), &name.to_string_lossy()) else { continue };
        if of_build.iter().any(|other| other.name() == plugin.name()) {
            plugin.shadowed = true;
            plugin.warnings.push(format!(
                "not used: the release has a vertical plugin `{}` already; give this one another name",
                plugin.name()
            ));
        } else if found.iter().any(|other| other.ok() && other.name() == plugin.name()) {
            plugin
                .errors
                .push(format!("another folder's vertical plugin is named `{}` already", plugin.name()));
        }
        found.push(plugin);
    }
    found
}

/// The plugin in a folder; none where it has no manifest.
fn one(folder: &Path, name: &str) -> Option<Plugin> {
    let file = folder.join("plugin.yaml");
    if fs::symlink_metadata(&file).is_err() {
        return None;
    }
    let (manifest, diagnostics) = match read(&file) {
        // The parser is tested not to panic; if it ever does, one plugin is invalid and the host still starts.
        Ok(source) => catch_unwind(|| plugin::parse(&source, name)).unwrap_or_else(|_| {
            (
                Manifest::default(),
                vec![Diagnostic::error("HUB001", "plugin.yaml makes the manifest's parser fail")],
            )
        }),
        Err(diagnostic) => (Manifest::default(), vec![*diagnostic]),
    };
    if manifest.enabled == Some(false) {
        return None;
    }
    let say = |level: Level| {
        let of_level = diagnostics.iter().filter(move |d| d.level == level);
        of_level.map(sentence).collect::<Vec<String>>()
    };
    let mut warnings = say(Level::Warning);
    if !manifest.routers.is_empty() {
        warnings
            .push("its routers are not mounted: a backend is linked when the platform is built".to_owned());
    }
    if manifest.migrations.is_some() {
        warnings
            .push("its migrations do not run: only a plugin of the release has tables of its own".to_owned());
    }
    let about = describe(&manifest, name);
    for group in &about.seed_groups {
        if let Some(permission) = enable::unfit(&about, group) {
            warnings.push(format!(
                "its group `{}` is not made: it would give `{permission}`, which is not this plugin's to give",
                group.name
            ));
        }
    }
    Some(Plugin {
        about,
        origin: Origin::Data,
        root: folder.to_path_buf(),
        config: Config::default(),
        routes: Vec::new(),
        errors: say(Level::Error),
        unset: Vec::new(),
        warnings,
        shadowed: false,
        listing: Listing::default(),
    })
}

/// The manifest's text. A pipe or a device in its place is not waited for.
fn read(file: &Path) -> Result<Source, Box<Diagnostic>> {
    let cannot = |e: String| {
        let message = format!("cannot read {}: {e}", file.display());
        Box::new(Diagnostic::error("HUB001", message).help("make it a file that the host may read"))
    };
    let about = fs::metadata(file).map_err(|e| cannot(e.to_string()))?;
    if !about.is_file() {
        return Err(cannot("it is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(file)
        .and_then(|opened| opened.take(limit).read_to_end(&mut bytes))
        .map_err(|e| cannot(e.to_string()))?;
    if bytes.len() > MAX_BYTES {
        return Err(Box::new(Source::too_large(file, about.len().max(limit))));
    }
    Source::decode(file, &bytes)
}

fn sentence(diagnostic: &Diagnostic) -> String {
    let Diagnostic { code, message, span, help, .. } = diagnostic;
    let help = if help.is_empty() { String::new() } else { format!(" ({help})") };
    format!("{code} plugin.yaml:{}:{}: {message}{help}", span.line, span.column)
}

/// The plugin that a manifest describes, as far as it could be read. What needs a build is left out.
fn describe(manifest: &Manifest, folder: &str) -> HostPlugin {
    let slug = manifest.name.as_ref().map_or(folder, |name| &name.value);
    HostPlugin {
        routers: Vec::new(),
        public_routes: Vec::new(),
        config: BTreeMap::new(),
        migrations: None,
        ..HostPlugin::from_manifest(manifest, slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &[u8])]) -> Folder {
            let root = std::env::temp_dir().join(format!("hub-discover-{name}-{}", std::process::id()));
            for (path, bytes) in files {
                let file = root.join("plugins").join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, bytes).unwrap();
            }
            Folder(root)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const SOUND: &str = "name: extra\nversion: 1.0.0\ndisplay_name: Extra\n";

    #[test]
    fn a_bad_manifest_is_listed_and_the_others_stand() {
        let folder = Folder::new(
            "bad",
            &[
                ("extra/plugin.yaml", SOUND.as_bytes()),
                ("broken/plugin.yaml", b"name: [\n"),
                ("binary/plugin.yaml", b"\xff\xfe\x00"),
                ("large/plugin.yaml", &vec![b'a'; MAX_BYTES + 1]),
                ("folder/plugin.yaml/file", b""),
                ("notes/README.md", b"no manifest here"),
                (".driver", b"a file"),
            ],
        );
        let found = customer_plugins(&folder.0, &[]);
        let seen: Vec<_> = found.iter().map(|p| (p.name(), p.ok())).collect();
        assert_eq!(
            seen,
            [("binary", false), ("broken", false), ("extra", true), ("folder", false), ("large", false)]
        );
        for plugin in found.iter().filter(|p| !p.ok()) {
            assert!(plugin.errors[0].starts_with("HUB0"), "{:?}", plugin.errors);
        }
        assert_eq!(found[2].about.display_name, "Extra");
        assert_eq!(found[2].origin, Origin::Data);
    }

    #[test]
    fn a_name_of_the_release_cannot_be_taken() {
        let folder = Folder::new("taken", &[("extra/plugin.yaml", SOUND.as_bytes())]);
        let of_build =
            customer_plugins(&folder.0, &[]).pop().map(|p| Plugin { origin: Origin::Install, ..p }).unwrap();
        let found = customer_plugins(&folder.0, &[Arc::new(of_build)]);
        assert!(found[0].shadowed && !found[0].ok());
        assert_eq!(
            found[0].warnings,
            ["not used: the release has a vertical plugin `extra` already; give this one another name"]
        );
    }
}
