//! One release of the repository's own plugins, built once for all tests of a process and unpacked outside the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::xtask::{run, xtask};

/// A built release.
pub struct Built {
    folder: TempDir,
    /// The tarball.
    pub tarball: PathBuf,
    /// The last line of the build's JSON output.
    pub finished: serde_json::Value,
}

impl Built {
    /// Builds with these arguments into a folder of its own.
    pub fn new(arguments: &[&str]) -> Built {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = xtask(["build-platform", "--message-format", "json", "--out"]);
        command.arg(folder.path()).args(arguments);
        let ran = run(command).expect(0);
        let finished = ran.messages().pop().expect("a last line");
        let tarball = PathBuf::from(finished["artifact"].as_str().expect("the artifact's path"));
        Built { folder, tarball, finished }
    }

    /// The release of the repository's own plugins, as `hub.lock` has it: where that is stale, the build says so.
    pub fn shared() -> &'static Built {
        static SHARED: OnceLock<Built> = OnceLock::new();
        SHARED.get_or_init(|| Built::new(&["--locked"]))
    }

    /// Unpacks the tarball into a folder of its own, with the machine's `tar`, as an operator would.
    pub fn unpack(&self) -> Installed {
        let folder = tempfile::tempdir().expect("a temporary folder");
        unpack_into(&self.tarball, folder.path());
        Installed { folder }
    }

    /// Folder that the tarball was written to.
    pub fn out(&self) -> &Path {
        self.folder.path()
    }
}

/// Unpacks a tarball over a folder.
pub fn unpack_into(tarball: &Path, folder: &Path) {
    let mut command = Command::new("tar");
    command.arg("xzf").arg(tarball).arg("-C").arg(folder);
    run(command).expect(0);
}

/// An install folder.
pub struct Installed {
    folder: TempDir,
}

impl Installed {
    /// The install folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The only release in it.
    pub fn release(&self) -> PathBuf {
        let releases = self.folder().join("releases");
        let mut found =
            std::fs::read_dir(&releases).expect("releases/").map(|entry| entry.expect("an entry").path());
        let release = found.next().expect("one release");
        assert!(found.next().is_none(), "more than one release in {}", releases.display());
        release
    }
}
