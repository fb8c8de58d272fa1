//! Cargo over what is linked into the host, in the host's own profile, target and flags: its dependencies are the same builds
//! as the product's, compiled once.

use std::path::{Path, PathBuf};
use std::process::Command;

use hub_codegen::compile;
use hub_codegen::pipeline::{Profile, Repo};

/// `cargo test`, `cargo build` … like the host is built.
pub fn cargo(repo: &Repo, verb: &str, target: &Path) -> Command {
    let mut command = Command::new(program());
    command.args([verb, "--release", "--target", compile::TARGET, "--target-dir"]).arg(target);
    command.current_dir(&repo.root);
    let staged = repo.output(Profile::Release).join("src");
    command.env("CARGO_ENCODED_RUSTFLAGS", compile::rustflags(&staged, &repo.target));
    command.env_remove("RUSTFLAGS");
    command
}

/// Arguments for the runtime and its macros. Cargo names a build after the crate's place in its workspace, and the staged
/// workspace has the repository's layout: without a setting of their own, these builds and the staged ones would take each
/// other for their own. Assertions are what tests are for, so they are that setting.
pub fn of_the_runtime() -> Vec<String> {
    let checked = ["hub-host", "hub-macros", "hub-manifest"]
        .map(|name| format!("profile.release.package.{name}.debug-assertions=true"));
    let settings = checked.into_iter().flat_map(|setting| ["--config".to_owned(), setting]);
    settings.chain(["-p", "hub-host", "-p", "hub-macros"].map(str::to_owned)).collect()
}

/// Where a program of such a build lies.
pub fn built(target: &Path, program: &str) -> PathBuf {
    target.join(compile::TARGET).join("release").join(program)
}

/// cargo, as it runs this program.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
