//! The stages in their order: scan → manifest → resolve → generate → compile (and its routes) + bundle → pack.
//!
//! [`front`] ends with the plan and needs no compiler; [`build`] goes on to the files of a release; [`pack`] makes them
//! the tarball, [`install`] a folder. Nothing here prints: progress goes through [`Progress`], findings come back as values.

mod build;
mod cache;
mod check;
mod front;
mod inputs;
mod layout;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::failure::Machine;

pub use build::{BuildOptions, Built, build, install, pack, routes, workspace};
pub use check::{Checked, Checker};
pub use front::{Front, FrontError, front};
pub use inputs::Inputs;

pub use crate::compile::Profile;

/// The checkout that is built from, and where its output goes.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Root of the checkout, absolute.
    pub root: PathBuf,
    /// Cargo's target folder, absolute.
    pub target: PathBuf,
    /// Version of the platform's own crates: the default version of a release.
    pub version: String,
}

impl Repo {
    /// The checkout that holds this program's sources. `CARGO_TARGET_DIR` is honoured; relative, it starts at the
    /// current folder, as cargo has it.
    pub fn find() -> Repo {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().unwrap_or(Path::new("/")).to_path_buf();
        let target = crate::base::cargo::target_dir(&root);
        Repo { root, target, version: env!("CARGO_PKG_VERSION").to_string() }
    }

    /// The output tree of one profile.
    pub fn output(&self, profile: Profile) -> PathBuf {
        self.target.join("platform").join(profile.name())
    }

    /// Takes the output tree of one profile for this process, until the lock is dropped: two builds at once would write
    /// over each other. `waiting` is called where another build has it.
    pub fn lock(&self, profile: Profile, waiting: impl FnOnce()) -> Result<OutputLock, Machine> {
        let folder = self.output(profile);
        let path = folder.join(".lock");
        let failed = |error: std::io::Error| Machine::io("lock", &path, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        if file.try_lock().is_err() {
            waiting();
            file.lock().map_err(failed)?;
        }
        Ok(OutputLock { _file: file })
    }

    /// The web shell's folder.
    pub fn shell(&self) -> PathBuf {
        self.root.join("host-template/shell")
    }

    /// The migrations of the platform's own tables.
    pub fn migrations(&self) -> PathBuf {
        self.root.join("host-template/runtime/migrations")
    }
}

/// An output tree that belongs to this process. The operating system takes the lock back when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct OutputLock {
    _file: File,
}

/// Who wants to know how far a build is. Stages may run at the same time.
pub trait Progress: Sync {
    /// A stage begins.
    fn begin(&self, stage: &'static str);
    /// What the stage is at.
    fn detail(&self, stage: &'static str, text: &str);
    /// The stage is over; `note` says what there was to do.
    fn end(&self, stage: &'static str, note: &str);
}
