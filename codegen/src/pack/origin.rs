//! What a release was made from: the part of `RELEASE.json` that tells how to make it again.

use std::path::Path;
use std::process::{Command, Stdio};

use hub_manifest::plan::HostPlan;
use serde::Serialize;

use crate::base::failure::Machine;
use crate::compile::TARGET;

/// What a release was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Origin {
    /// The plan, as it is compiled into the host.
    pub plan: HostPlan,
    /// Digest of `hub.lock`, as the build leaves it.
    pub hub_lock_sha256: String,
    /// The compiler.
    pub toolchain: Toolchain,
}

/// The compiler of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Toolchain {
    /// Version of rustc, with the commit that it was built from.
    pub rustc: String,
    /// Version of LLVM in it.
    pub llvm: String,
    /// The platform that the host runs on.
    pub target: String,
}

impl Toolchain {
    /// The compiler that cargo uses in a folder.
    pub fn of(folder: &Path) -> Result<Toolchain, Machine> {
        let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut rustc = Command::new(&program);
        rustc.arg("-vV").current_dir(folder).stdin(Stdio::null());
        let failed = |what: String| {
            let help = "install Rust with rustup, from https://rustup.rs";
            Machine::new(format!("cannot ask {} for its version: {what}", program.display()), help)
        };
        let output = rustc.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()).details(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(Toolchain::read(&String::from_utf8_lossy(&output.stdout)))
    }

    fn read(said: &str) -> Toolchain {
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        Toolchain {
            rustc: field("rustc ").to_string(),
            llvm: field("LLVM version: ").to_string(),
            target: TARGET.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_told_without_the_machine_that_it_runs_on() {
        let said = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: aarch64-unknown-linux-gnu\n\
                    release: 1.95.0\nLLVM version: 22.1.2\n";
        let read = Toolchain::read(said);
        assert_eq!(read.rustc, "1.95.0 (59807616e 2026-04-14)");
        assert_eq!((read.llvm.as_str(), read.target.as_str()), ("22.1.2", TARGET));
    }
}
