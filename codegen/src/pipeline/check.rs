//! `check`: the findings of the stages up to the plan, without doing again what an earlier run did.
//!
//! Two memories serve it. The cache on disk answers at once where nothing at all has changed since some earlier run.
//! A [`Checker`] that stays alive keeps what it read and reads only plugins whose files changed.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::Diagnostic;
use hub_manifest::rules;
use semver::Version;

use super::front::platform;
use super::{FrontError, Repo, cache};
use crate::base::digest::{Digest, Stat};
use crate::base::stamp::{Stamp, now};
use crate::load::migrations::OfPlatform;
use crate::load::shared::OfShell;
use crate::load::{LoadedPlugin, load_each};
use crate::resolve::{Platform, resolve};
use crate::scan::links;
use crate::scan::{PluginFolder, scan, scan_again};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// All findings, sorted.
    pub diagnostics: Vec<Diagnostic>,
    /// Number of plugins that took part, sound or not.
    pub plugins: usize,
    /// Whether an earlier run found it, and nothing has changed since.
    pub replayed: bool,
}

/// Checks the same roots any number of times.
pub struct Checker {
    repo: Repo,
    roots: Vec<PathBuf>,
    loaded: Vec<LoadedPlugin>,
    /// What was found in each of them alone.
    found: Vec<Vec<Diagnostic>>,
    /// What was found where there is no plugin.
    scanned: Vec<Diagnostic>,
    platform: Platform,
    shell: Option<Stamp>,
}

impl Checker {
    /// A checker that knows nothing yet.
    pub fn new(repo: &Repo, roots: &[PathBuf], version: &str) -> Result<Checker, FrontError> {
        let version = Version::parse(version).map_err(|_| FrontError::Version(version.to_string()))?;
        Ok(Checker {
            repo: repo.clone(),
            roots: roots.to_vec(),
            loaded: Vec::new(),
            found: Vec::new(),
            scanned: Vec::new(),
            platform: Platform {
                version: rules::platform::version(),
                release: version,
                shell: Vec::new(),
                shared: OfShell::default(),
                migrations: OfPlatform::default(),
            },
            shell: None,
        })
    }

    /// Where the findings of earlier runs are kept.
    pub fn cache(&self) -> PathBuf {
        self.repo.target.join("platform/check.json")
    }

    /// Checks once: from the cache on disk where nothing has changed, anew otherwise.
    pub fn check_once(&mut self) -> Result<Checked, FrontError> {
        self.round(true)
    }

    /// Checks, reading only what changed since this checker's last time.
    pub fn check_again(&mut self) -> Result<Checked, FrontError> {
        self.round(false)
    }

    /// The folders that are looked at, and whether everything below them is, too.
    pub fn folders(&self) -> Vec<(PathBuf, bool)> {
        let roots = self.roots.iter().map(|root| (root.clone(), true));
        roots.chain(self.platform_folders()).collect()
    }

    /// The folders that [`platform`] looks at.
    fn platform_folders(&self) -> [(PathBuf, bool); 3] {
        let shell = self.repo.shell();
        [(shell.join("src"), true), (shell, false), (self.repo.migrations(), false)]
    }

    /// Checks after a change at these absolute paths, and nowhere else, since this checker's last time; nothing where the
    /// change is of no account. Only the plugins that the paths lie in are looked at.
    pub fn check_touched(&mut self, paths: &BTreeSet<PathBuf>) -> Result<Option<Checked>, FrontError> {
        let begun = now();
        let Some(touched) = self.touched(paths) else { return self.check_again().map(Some) };
        let mut changed = Vec::new();
        for at in touched {
            let known = &self.loaded[at].folder;
            // A plugin that is none any more, or a new one, may change what is found beside it.
            let Some(folder) = scan_again(known) else { return self.check_again().map(Some) };
            if !is_same(known, &folder) {
                changed.push((at, folder));
            }
        }
        let shell = self.shell_stamp(begun);
        let same_shell = self.shell.as_ref().is_some_and(|known| known.holds(&shell));
        if changed.is_empty() && same_shell {
            return Ok(None);
        }
        let (places, folders): (Vec<usize>, Vec<PluginFolder>) = changed.into_iter().unzip();
        for (at, (plugin, found)) in places.into_iter().zip(load_each(folders)) {
            self.loaded[at] = plugin;
            self.found[at] = found;
        }
        self.read_platform(shell);
        Ok(Some(self.resolve()))
    }

    /// The plugins that these paths lie in, by their places; nothing where they tell of more than changed plugins.
    fn touched(&self, paths: &BTreeSet<PathBuf>) -> Option<BTreeSet<usize>> {
        let roots: Vec<PathBuf> =
            self.roots.iter().map(|root| root.canonicalize()).collect::<Result<_, _>>().ok()?;
        let platform = self.platform_folders();
        let mut touched = BTreeSet::new();
        for path in paths {
            let mut found = platform.iter().any(|(folder, _)| path.starts_with(folder));
            for (index, inner) in roots
                .iter()
                .enumerate()
                .filter_map(|(index, root)| path.strip_prefix(root).ok().map(|inner| (index, inner)))
            {
                let mut parts = inner.components();
                let name = parts.next()?.as_os_str();
                parts.next()?;
                let is_in = |plugin: &LoadedPlugin| {
                    plugin.folder.root_index == index && name == plugin.folder.name.as_str()
                };
                let known = &self.loaded.iter().find(|plugin| is_in(plugin))?.folder.root;
                // The same folder may be linked to from several places, of which the system tells one.
                let places = self.loaded.iter().enumerate();
                touched.extend(places.filter(|(_, plugin)| plugin.folder.root == *known).map(|(at, _)| at));
                found = true;
            }
            if !found {
                return None;
            }
        }
        Some(touched)
    }

    fn round(&mut self, cached: bool) -> Result<Checked, FrontError> {
        let begun = now();
        let (folders, found) = scan(&self.roots).map_err(FrontError::Scan)?;
        let shell = self.shell_stamp(begun);
        let settled = shell.settled && folders.iter().all(|folder| folder.stamp.settled);
        let key = (cached && settled).then(|| {
            let mut key = self.environment();
            key.add("shell", shell.digest.as_bytes());
            for folder in &folders {
                let PluginFolder { name, root, shown, root_index, files: _, stamp, links, installed } =
                    folder;
                let rest = (name, root, shown, root_index, links, installed);
                key.add(&stamp.digest, format!("{rest:?}").as_bytes());
            }
            key.add("found", format!("{found:?}").as_bytes());
            key.finish()
        });
        if let Some(checked) = key.as_ref().and_then(|key| cache::recall(&self.cache(), key)) {
            return Ok(checked);
        }

        self.read(folders);
        self.read_platform(shell);
        self.scanned = found;
        let checked = self.resolve();
        if let Some(key) = key {
            cache::remember(&self.cache(), &key, &checked);
        }
        Ok(checked)
    }

    /// Reads what plugins are resolved against, where it is not what it was.
    fn read_platform(&mut self, stamp: Stamp) {
        if !self.shell.as_ref().is_some_and(|known| known.holds(&stamp)) {
            self.platform = platform(&self.repo, self.platform.release.clone());
            self.shell = Some(stamp);
        }
    }

    /// What all that was read comes to.
    fn resolve(&self) -> Checked {
        let mut found = self.scanned.clone();
        found.extend(self.found.iter().flatten().cloned());
        let resolved = resolve(&self.loaded, &self.platform, found);
        Checked { diagnostics: resolved.diagnostics, plugins: resolved.plugins, replayed: false }
    }

    /// Reads the plugins that are new or changed, and forgets those that are gone.
    fn read(&mut self, folders: Vec<PluginFolder>) {
        let before = std::mem::take(&mut self.loaded).into_iter().zip(std::mem::take(&mut self.found));
        let mut before: HashMap<PathBuf, (LoadedPlugin, Vec<Diagnostic>)> =
            before.map(|(plugin, found)| (plugin.folder.shown.clone(), (plugin, found))).collect();
        let mut kept = Vec::with_capacity(folders.len());
        let mut changed = Vec::new();
        for folder in folders {
            let known = before.remove(&folder.shown).filter(|(plugin, _)| is_same(&plugin.folder, &folder));
            if known.is_none() {
                changed.push(folder);
            }
            kept.push(known);
        }
        let mut read = load_each(changed).into_iter();
        for place in kept {
            if let Some((plugin, found)) = place.or_else(|| read.next()) {
                self.loaded.push(plugin);
                self.found.push(found);
            }
        }
    }

    /// The stamp of everything that [`platform`] reads.
    fn shell_stamp(&self, begun: u64) -> Stamp {
        let shell = self.repo.shell();
        let listing = links::list(&shell.join("src"));
        // Where a folder cannot be listed, what lies in it may change unseen.
        let listed = listing.is_ok() || !shell.join("src").exists();
        let sources = listing.unwrap_or_default().files;
        let mut files: Vec<String> = sources.iter().map(|file| format!("src/{file}")).collect();
        files.extend(shell.join("package.json").exists().then(|| "package.json".to_string()));
        let mut files: Vec<String> = files.into_iter().map(|file| format!("shell/{file}")).collect();
        let migrations =
            fs::read_dir(self.repo.migrations()).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let listed = listed && !matches!(&migrations, Err(e) if e.kind() != io::ErrorKind::NotFound);
        let entries = migrations.unwrap_or_default().into_iter();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        files.extend(names.into_iter().map(|name| format!("runtime/migrations/{name}")));
        let mut stamp = Stamp::of(&self.repo.root.join("host-template"), &files, begun);
        stamp.settled &= listed;
        stamp
    }

    /// Everything else that findings follow from: this program, its user, and how it was called.
    fn environment(&self) -> Digest {
        let mut key = Digest::new("check");
        // The program that runs, not one that took its place on the disk meanwhile.
        let program = fs::metadata("/proc/self/exe").or_else(|_| fs::metadata(std::env::current_exe()?)).ok();
        key.add("program", format!("{:?}", program.map(|meta| (meta.dev(), Stat::of(&meta)))).as_bytes());
        // What may be read is another question for another user.
        let user = fs::metadata("/proc/self").map(|meta| (meta.uid(), meta.gid())).ok();
        key.add("user", format!("{user:?}").as_bytes());
        key.add("folder", format!("{:?}", current()).as_bytes());
        key.add("version", self.platform.release.to_string().as_bytes());
        key.add("shell", format!("{:?}", self.repo.shell()).as_bytes());
        key.add("roots", format!("{:?}", self.roots).as_bytes());
        key
    }
}

/// Whether what was read of a folder still holds.
fn is_same(read: &PluginFolder, now: &PluginFolder) -> bool {
    read.stamp.holds(&now.stamp) && read == now
}

fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("").to_path_buf())
}
