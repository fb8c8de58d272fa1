//! The customer's own vertical plugins: folders of the data folder with a `plugin.yaml`. Whatever such a folder holds,
//! the host starts; what is wrong with it goes into the list of plugins.
//!
//! They are held to the rules that the build holds its plugins to (`hub_manifest::rules`): what is an error there makes
//! such a plugin invalid, what is a warning there is one here.

mod folder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::plan::HostPlugin;
use hub_manifest::rules::dependencies::{self, Present, Whose};
use hub_manifest::rules::order::plugin_order;
use hub_manifest::rules::settings::Variables;
use hub_manifest::rules::{Subject, Taken, blocks, called_twice, files, groups, pages, platform};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::config;
use crate::listing::Listing;
use crate::overrides::Chains;
use crate::page_paths::Pages;
use crate::registry::{Origin, Plugin};
use crate::settings::{Env, reason};
use folder::Folder;

/// What customers' plugins stand beside.
pub(crate) struct Release<'a> {
    /// The plugins of the build.
    pub(crate) plugins: &'a [Arc<Plugin>],
    pub(crate) chains: &'a Chains,
    pub(crate) pages: &'a Pages,
    /// The platform's version.
    pub(crate) version: Version,
    /// What sets settings.
    pub(crate) env: Env<'a>,
}

/// What was found in `<data>/plugins`.
#[derive(Default)]
pub(crate) struct Found {
    /// Dependencies first, then by name.
    pub(crate) plugins: Vec<Plugin>,
    /// What could not be looked at, in a sentence each: what that means for the plugins, and what to do.
    pub(crate) trouble: Vec<String>,
}

/// The plugins in `<data>/plugins`.
///
/// A name of the release's is the release's: the customer's plugin is listed as shadowed.
pub(crate) fn customer_plugins(data_dir: &Path, release: &Release<'_>) -> Found {
    let Folders { mut folders, trouble } = folders(&data_dir.join("plugins"));
    folders.retain(|folder| folder.on);
    let is_of_release = |slug: &str| release.plugins.iter().any(|other| other.name() == slug);
    // Those that count: of each name the folder that is called so, else the first. A copy that lies beside harms nobody.
    let mut used: BTreeMap<&str, &Folder> = BTreeMap::new();
    let mut aside = Vec::new();
    let (called_so, others): (Vec<&Folder>, Vec<&Folder>) =
        folders.iter().partition(|folder| folder.root.file_name().is_some_and(|name| name == &*folder.slug));
    for folder in called_so.into_iter().chain(others) {
        if is_of_release(&folder.slug) {
            let warning = format!(
                "not used: the release has a vertical plugin `{}` already; give this one another name",
                folder.slug
            );
            aside.push(Plugin { shadowed: true, warnings: vec![warning], ..listed(folder, Vec::new()) });
        } else if used.contains_key(folder.slug.as_str()) {
            let range = folder.manifest.name.as_ref().map_or(0..0, |name| name.range.clone());
            let twice = folder.subject().found(&range, called_twice(&folder.slug));
            aside.push(listed(folder, folder.found.iter().cloned().chain([twice]).collect()));
        } else {
            used.insert(&folder.slug, folder);
        }
    }
    let (order, mut found) = judged(&used, release);
    let plugins = order.iter().filter_map(|slug| {
        let folder = used.get(slug.as_str())?;
        Some(set_up(folder, found.remove(slug.as_str()).unwrap_or_default(), release.env))
    });
    let mut plugins: Vec<Plugin> = plugins.collect();
    // Shown where their names would stand.
    for plugin in aside {
        let place = plugins.iter().position(|other| other.name() > plugin.name());
        plugins.insert(place.unwrap_or(plugins.len()), plugin);
    }
    Found { plugins, trouble }
}

/// A plugin of the customer's that has the name of one of the release, which therefore is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Namesake {
    pub(crate) slug: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its version, where its manifest has one.
    pub(crate) version: String,
    /// That of the release's.
    pub(crate) of_release: String,
    /// Whether its manifest does not say `enabled: false`.
    pub(crate) on: bool,
}

/// All of them, by folder: those that are off too.
pub(crate) fn namesakes(data_dir: &Path, plugins: &[Arc<Plugin>]) -> Vec<Namesake> {
    let of_folder = |folder: Folder| {
        let mut of_build = plugins.iter().filter(|plugin| plugin.origin == Origin::Install);
        let of_release = of_build.find(|plugin| plugin.name() == folder.slug)?.about.version.clone();
        let version = describe(&folder).version;
        Some(Namesake { slug: folder.slug, folder: folder.root, version, of_release, on: folder.on })
    };
    // What cannot be looked at has no name that could be the same; `plugins list` and `doctor` tell of it.
    folders(&data_dir.join("plugins")).folders.into_iter().filter_map(of_folder).collect()
}

/// What lies in the folder of the customer's plugins.
#[derive(Default)]
struct Folders {
    /// Those that hold a plugin, by name; those that are off too.
    folders: Vec<Folder>,
    /// What could not be looked at.
    trouble: Vec<String>,
}

fn folders(folder: &Path) -> Folders {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        // A link that leads nowhere is none that nobody has made.
        Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(folder).is_err() => {
            return Folders::default();
        }
        Err(e) => {
            let trouble =
                format!("no vertical plugin of the customer's is found: {}", cannot_read(folder, &e));
            return Folders { trouble: vec![trouble], ..Folders::default() };
        }
    };
    let (names, error) = names(read.map(|entry| Ok(entry?.file_name())));
    let mut found = Folders::default();
    if let Some(error) = error {
        found.trouble.push(format!(
            "vertical plugins of the customer's may be missing: {} cannot be listed to its end: {}; see that its disk works (the \
             kernel's log, dmesg, tells of errors)",
            folder.display(),
            reason(&error)
        ));
    }
    for name in names {
        let entry = folder.join(&name);
        // What a disk that is mounted here has of its own is root's, and nobody's plugin.
        if name == "lost+found" {
            continue;
        }
        // What `drivers install` lists here is no vertical plugin, whatever is in it.
        if fs::read_link(&entry).is_ok_and(|target| is_of_driver(&target)) {
            continue;
        }
        match Folder::read(&entry, &name.to_string_lossy()) {
            Ok(folder) => found.folders.extend(folder),
            Err(error) => found.trouble.push(format!(
                "a vertical plugin of the customer's may be missing: {}",
                cannot_read(&entry, &error)
            )),
        }
    }
    found
}

/// Where the links lead that `drivers install` makes in the plugins' folder, one for each package: to the drivers' set, or into dbt's
/// own. Any other entry of the folder is the customer's.
pub(crate) const OF_DRIVERS: [&str; 2] = ["../drivers/current/", "../dbt/venv/"];

/// Whether an entry of the plugins' folder is a driver's, and so no vertical plugin.
pub(crate) fn is_of_driver(target: &Path) -> bool {
    target.to_str().is_some_and(|target| OF_DRIVERS.iter().any(|ours| target.starts_with(ours)))
}

/// The names that could be read, sorted, and the first error: one entry that cannot be read hides no other.
fn names(entries: impl Iterator<Item = io::Result<OsString>>) -> (Vec<OsString>, Option<io::Error>) {
    let (mut names, mut first) = (Vec::new(), None);
    for entry in entries {
        match entry {
            Ok(name) => names.push(name),
            Err(error) => first = first.or(Some(error)),
        }
    }
    names.sort();
    (names, first)
}

/// That something cannot be looked at, and what to do.
fn cannot_read(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match fs::read_link(path) {
        Ok(target) => format!(
            "{shown}, a link to {}, cannot be read: {}; let it lead to a folder that the host may read, or remove it",
            target.display(),
            reason(error)
        ),
        Err(_) => format!(
            "{shown} cannot be read: {}; make it a folder that the user who runs the host may read",
            reason(error)
        ),
    }
}

/// What there is to say of one plugin.
#[derive(Default)]
struct Judged {
    found: Vec<Diagnostic>,
    /// Settings whose variable is somebody else's.
    foreign: BTreeSet<String>,
}

/// Holds the plugins to the rules; gives their order, and what was found in each.
fn judged<'a>(
    used: &BTreeMap<&'a str, &'a Folder>,
    release: &'a Release<'_>,
) -> (Vec<String>, BTreeMap<&'a str, Judged>) {
    let subjects: BTreeMap<&str, Subject<'_>> =
        used.iter().map(|(slug, folder)| (*slug, folder.subject())).collect();
    let abouts = || release.plugins.iter().map(|plugin| &plugin.about);
    let mut present = Present::new(Whose::Host);
    // One whose manifest is wrong cannot be switched on, and has nothing.
    let sound =
        used.iter().filter(|(_, folder)| folder.found.iter().all(|found| found.level != Level::Error));
    let slugs = abouts().map(|about| about.name.as_str()).chain(sound.map(|(slug, _)| *slug));
    // The host's variables are the operator's, who has given them to nobody: a plugin has those that bear its name.
    let mut taken = Taken { variables: Variables::by_name(slugs), ..Taken::default() };
    let mut declared: BTreeSet<&str> = BTreeSet::new();
    for about in abouts() {
        present.add(&about.name, Version::parse(&about.version).ok());
        taken.know(about);
        declared.extend(about.permissions.iter().map(String::as_str));
    }
    for (slug, subject) in &subjects {
        present.add(slug, subject.manifest.version.as_ref().map(|version| version.value.clone()));
        declared.extend(subject.manifest.permissions.iter().map(|permission| permission.value.as_str()));
    }
    let (order, cycles) = in_order(&subjects);
    let blocks: BTreeSet<&str> = release.chains.blocks().collect();
    let serves = |path: &str| release.pages.has(path.trim_start_matches('/'));
    let mut out = BTreeMap::new();
    for slug in &order {
        let Some((slug, folder)) = used.get_key_value(slug.as_str()) else { continue };
        let subject = folder.subject();
        let mut found = folder.found.clone();
        found.extend(platform::check(&subject, &release.version));
        found.extend(dependencies::check(&subject, &present));
        found.extend(cycles.get(slug).cloned());
        found.extend(files::check(&subject, *folder));
        found.extend(groups::check(&subject, &declared));
        found.extend(blocks::check(&subject, &blocks));
        found.extend(pages::check(&subject, &serves, None));
        let before = taken.clone();
        let foreign =
            taken.variables.clone().take(&subject).into_iter().map(|it| it.key.to_owned()).collect();
        found.extend(taken.take(&subject));
        // One that cannot be switched on takes nothing from the others.
        if found.iter().any(|found| found.level == Level::Error) {
            taken = before;
        }
        out.insert(*slug, Judged { found, foreign });
    }
    (order, out)
}

/// The plugins in plugin order, and a finding for each that waits for itself; those stand last.
fn in_order<'a>(subjects: &BTreeMap<&'a str, Subject<'a>>) -> (Vec<String>, BTreeMap<&'a str, Diagnostic>) {
    let mut constraints = dependencies::constraints(subjects);
    let mut found = BTreeMap::new();
    loop {
        match plugin_order(&constraints) {
            Ok(mut order) => {
                order.extend(found.keys().map(|slug: &&str| (*slug).to_owned()));
                return (order, found);
            }
            Err(cycle) => {
                for slug in &cycle {
                    constraints.remove(slug);
                    if let Some((slug, _)) = subjects.get_key_value(slug.as_str())
                        && let Some(of_cycle) = dependencies::cycle(subjects, &cycle)
                    {
                        found.insert(*slug, of_cycle);
                    }
                }
            }
        }
    }
}

/// A plugin with its settings, and with what is wrong with it in sentences.
fn set_up(folder: &Folder, Judged { found, foreign }: Judged, env: Env<'_>) -> Plugin {
    let mut plugin = listed(folder, found);
    for key in &foreign {
        // What belongs to the platform or to another plugin is not read for this one.
        if let Some(field) = plugin.about.config.get_mut(key) {
            field.env = None;
        }
    }
    (plugin.config, plugin.unset) = config::resolve(&plugin.about.config, env);
    for (is_there, what) in [
        (!folder.manifest.routers.is_empty(), "its routers are not mounted: a backend is linked"),
        (
            folder.manifest.frontend_entry.is_some() || !folder.manifest.frontend_overrides.is_empty(),
            "its pages and blocks are not shown: a frontend is bundled",
        ),
    ] {
        if is_there {
            plugin.warnings.push(format!("{what} when the platform is built"));
        }
    }
    if folder.manifest.migrations.is_some() {
        let text = "its migrations do not run: only a plugin of the release has tables of its own";
        plugin.warnings.push(text.to_owned());
    }
    plugin
}

/// A plugin as the list shows it.
fn listed(folder: &Folder, found: Vec<Diagnostic>) -> Plugin {
    let say = |level: Level| {
        let of_level = found.iter().filter(move |found| found.level == level);
        of_level.map(sentence).collect::<Vec<String>>()
    };
    Plugin {
        about: describe(folder),
        origin: Origin::Data,
        root: folder.root.clone(),
        config: Default::default(),
        routes: Vec::new(),
        errors: say(Level::Error),
        unset: Vec::new(),
        warnings: say(Level::Warning),
        shadowed: false,
        listing: Listing::default(),
    }
}

fn sentence(diagnostic: &Diagnostic) -> String {
    let mut diagnostic = diagnostic.clone();
    diagnostic.clean();
    let Diagnostic { code, message, span, help, .. } = diagnostic;
    let help = if help.is_empty() { String::new() } else { format!(" ({help})") };
    format!("{code} plugin.yaml:{}:{}: {message}{help}", span.line, span.column)
}

/// The plugin that a manifest describes, as far as it could be read. What needs a build is left out.
fn describe(folder: &Folder) -> HostPlugin {
    HostPlugin {
        routers: Vec::new(),
        public_routes: Vec::new(),
        migrations: None,
        ..HostPlugin::from_manifest(&folder.manifest, &folder.slug)
    }
}
