//! Scan, manifest and resolve: from plugin roots to the plan, within a second and without a compiler.

use std::path::PathBuf;

use hub_manifest::diagnostic::Level;
use hub_manifest::rules;
use semver::Version;

use super::Repo;
use crate::base::files::shown_path;
use crate::load::{LoadedPlugin, load};
use crate::load::{migrations, shared, websource};
use crate::resolve::{Platform, Resolved, resolve};
use crate::scan::{ScanError, scan};

/// The plan with everything that was found on the way to it.
#[derive(Debug)]
pub struct Front {
    /// The plan and the findings.
    pub resolved: Resolved,
    /// The plugins that were read.
    pub loaded: Vec<LoadedPlugin>,
    /// Slugs that `keep_going` left out.
    pub left_out: Vec<String>,
}

/// Why there is no plan at all: the command line names something that cannot be.
#[derive(Debug)]
pub enum FrontError {
    /// A plugin root cannot be read.
    Scan(ScanError),
    /// The version wanted is no semantic version.
    Version(String),
}

impl std::fmt::Display for FrontError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrontError::Scan(error) => error.fmt(f),
            FrontError::Version(text) => {
                write!(f, "`{text}` is not a version: write a semantic version like 1.2.0")
            }
        }
    }
}

impl std::error::Error for FrontError {}

/// Reads what plugins are resolved against. A change of the files read here must show in the stamp that `check` has of
/// them.
pub(super) fn platform(repo: &Repo, release: Version) -> Platform {
    let current = std::env::current_dir().unwrap_or_default();
    let sources = repo.shell().join("src");
    let shell = websource::scan(&shown_path(&sources, &current));
    let migrations = migrations::of_platform(&shown_path(&repo.migrations(), &current));
    let version = rules::platform::version();
    let shared = shared::of_shell(&shown_path(&repo.shell(), &current));
    Platform { version, release, shell, shared, migrations }
}

/// Reads and resolves the plugins of all roots. With `keep_going`, plugins with errors are left out of the plan; their
/// errors stay among the findings.
pub fn front(repo: &Repo, roots: &[PathBuf], version: &str, keep_going: bool) -> Result<Front, FrontError> {
    let version = Version::parse(version).map_err(|_| FrontError::Version(version.to_string()))?;
    let (folders, mut found) = scan(roots).map_err(FrontError::Scan)?;
    let (mut loaded, in_files) = load(folders);
    found.extend(in_files);
    let platform = platform(repo, version);

    let mut resolved = resolve(&loaded, &platform, found);
    let mut left_out = Vec::new();
    while keep_going && !resolved.is_sound() {
        let broken = resolved.broken();
        let before = loaded.len();
        loaded.retain(|plugin| !broken.contains(plugin.slug()));
        if loaded.len() == before {
            break;
        }
        left_out.extend(broken);
        // What was wrong with the plugins left out stays known; what is wrong without them is found anew.
        let errors = resolved.diagnostics;
        let mut next = resolve(&loaded, &platform, Vec::new());
        next.plugins = resolved.plugins;
        let fatal = next.diagnostics.iter().any(|found| found.level == Level::Error);
        next.diagnostics.extend(errors);
        hub_manifest::diagnostic::sort(&mut next.diagnostics);
        next.diagnostics.dedup();
        resolved = next;
        if !fatal {
            break;
        }
    }
    left_out.sort();
    left_out.dedup();
    Ok(Front { resolved, loaded, left_out })
}
