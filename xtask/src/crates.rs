//! Brings the crates of a lock file to this machine. Whatever looks at crates without a network (`cargo deny`, `cargo tree`,
//! a build with `--offline`) fetches them first: nothing here counts on what another command left in cargo's cache.

use std::path::Path;

use hub_codegen::base::cargo::{self, Call};
use hub_codegen::base::failure::Machine;
use hub_codegen::pipeline::Repo;

/// Folders of the repository's own workspaces, each with its lock file.
pub const WORKSPACES: &[&str] = &["", "plugins", "fuzz/libfuzzer"];

/// Downloads the crates that a workspace's lock names, for all platforms unless `further` arguments say otherwise.
pub fn fetch(folder: &Path, further: &[&str]) -> Result<(), Machine> {
    let args = ["fetch"].iter().chain(further).map(Into::into).collect();
    let outcome = cargo::run_plain(&Call { folder: folder.to_path_buf(), args, ..Call::default() })?;
    if outcome.success {
        return Ok(());
    }
    let said = cargo::complaint(&outcome.stderr);
    let lack = cargo::machine_lack(&said);
    let what = format!("cargo cannot fetch the crates of {}", folder.display());
    Err(lack.unwrap_or_else(|| Machine::new(what, "").details(said)))
}

/// The crates of all lock files of the repository; one that does not fit its manifests any more is an error.
pub fn fetch_all(repo: &Repo) -> Result<(), Machine> {
    WORKSPACES.iter().try_for_each(|folder| fetch(&repo.root.join(folder), &["--locked"]))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn no_lock_file_is_forgotten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let listed =
            Command::new("git").args(["ls-files", "*Cargo.lock"]).current_dir(root).output().unwrap();
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8(listed.stdout).unwrap();
        let mut known: Vec<String> = WORKSPACES
            .iter()
            .map(|folder| Path::new(folder).join("Cargo.lock").display().to_string())
            .collect();
        known.sort();
        assert_eq!(listed.lines().collect::<Vec<_>>(), known);
    }
}
