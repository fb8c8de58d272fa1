//! `check`: the findings of the stages up to the plan, without doing again what an earlier run did.
//!
//! Two memories serve it. The cache on disk answers at once where nothing at all has changed since some earlier run.
//! A [`Checker`] that stays alive keeps what it read and reads only plugins whose files changed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::Diagnostic;
use semver::Version;

use super::front::platform;
use super::{FrontError, Repo, cache};
use crate::digest::{Digest, Stat};
use crate::links;
use crate::load::{LoadedPlugin, load_each};
use crate::parallel::in_parallel;
use crate::resolve::{Platform, resolve};
use crate::scan::{PluginFolder, scan};
use crate::stamp::{Stamp, now};

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

/// What is known of a plugin beside what it holds.
struct Known {
    stamp: Stamp,
    found: Vec<Diagnostic>,
}

/// Checks the same roots any number of times.
pub struct Checker {
    repo: Repo,
    roots: Vec<PathBuf>,
    loaded: Vec<LoadedPlugin>,
    known: Vec<Known>,
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
            known: Vec::new(),
            platform: Platform {
                version,
                shell: Vec::new(),
                shared: BTreeMap::new(),
                migrations: Vec::new(),
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

    fn round(&mut self, cached: bool) -> Result<Checked, FrontError> {
        let begun = now();
        let (folders, mut found) = scan(&self.roots).map_err(FrontError::Scan)?;
        let stamped = in_parallel(folders, |folder| {
            let stamp = Stamp::of(&folder.root, &folder.files, begun);
            (folder, stamp)
        });
        let shell = self.shell_stamp(begun);
        let settled = shell.settled && stamped.iter().all(|(_, stamp)| stamp.settled);
        let key = (cached && settled).then(|| {
            let mut key = self.environment();
            key.add("shell", shell.digest.as_bytes());
            for (folder, stamp) in &stamped {
                let PluginFolder { name, root, shown, root_index, files: _, links, installed } = folder;
                let rest = (name, root, shown, root_index, links, installed);
                key.add(&stamp.digest, format!("{rest:?}").as_bytes());
            }
            key.add("found", format!("{found:?}").as_bytes());
            key.finish()
        });
        if let Some(checked) = key.as_ref().and_then(|key| cache::recall(&self.cache(), key)) {
            return Ok(checked);
        }

        self.read(stamped);
        if !self.shell.as_ref().is_some_and(|known| known.holds(&shell)) {
            self.platform = platform(&self.repo, self.platform.version.clone());
            self.shell = Some(shell);
        }
        found.extend(self.known.iter().flat_map(|known| known.found.iter().cloned()));
        let resolved = resolve(&self.loaded, &self.platform, found);
        let checked =
            Checked { diagnostics: resolved.diagnostics, plugins: resolved.plugins, replayed: false };
        if let Some(key) = key {
            cache::remember(&self.cache(), &key, &checked);
        }
        Ok(checked)
    }

    /// Reads the plugins that are new or changed, and forgets those that are gone.
    fn read(&mut self, stamped: Vec<(PluginFolder, Stamp)>) {
        let before = std::mem::take(&mut self.loaded).into_iter().zip(std::mem::take(&mut self.known));
        let mut before: HashMap<PathBuf, (LoadedPlugin, Known)> =
            before.map(|(plugin, known)| (plugin.folder.shown.clone(), (plugin, known))).collect();
        let mut kept = Vec::with_capacity(stamped.len());
        let mut changed = Vec::new();
        let mut stamps = Vec::new();
        for (folder, stamp) in stamped {
            match before.remove(&folder.shown) {
                Some((plugin, known)) if known.stamp.holds(&stamp) && plugin.folder == folder => {
                    kept.push(Some((plugin, known)));
                }
                _ => {
                    kept.push(None);
                    changed.push(folder);
                    stamps.push(stamp);
                }
            }
        }
        let read = load_each(changed).into_iter().zip(stamps);
        let mut read = read.map(|((plugin, found), stamp)| (plugin, Known { stamp, found }));
        for place in kept {
            if let Some((plugin, known)) = place.or_else(|| read.next()) {
                self.loaded.push(plugin);
                self.known.push(known);
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
        let migrations = fs::read_dir(self.repo.migrations()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            migrations.filter_map(|entry| entry.file_name().into_string().ok()).collect();
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
        key.add("version", self.platform.version.to_string().as_bytes());
        key.add("shell", format!("{:?}", self.repo.shell()).as_bytes());
        key.add("roots", format!("{:?}", self.roots).as_bytes());
        key
    }
}

fn current() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new("").to_path_buf())
}
