//! Install commands on folders of their own: what a kill leaves, whose the data folder is, and what root does not do there.

mod guard;
mod links;
mod owner;
mod place;
#[path = "../program/mod.rs"]
mod program;
mod rollback;
mod settled;
mod setup;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use hub_release::Install;
use hub_release::hash;
use hub_release::manifest::seal;
use program::{Folder, command, run};
use semver::Version;

/// A user that no machine has.
pub(crate) const STRANGER: u32 = 54_321;

/// A host that says that all is well.
pub(crate) const SOUND: &str = "#!/bin/sh\necho '{\"errors\":[]}'\n";

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// An install folder with releases of a few files.
pub(crate) struct At(pub(crate) Folder);

impl At {
    pub(crate) fn new(versions: &[&str]) -> At {
        let at = At(Folder::release());
        // What another user is to reach.
        fs::set_permissions(at.0.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        for version in versions {
            at.release(version, &[]);
        }
        at
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path("opt")
    }

    pub(crate) fn install(&self) -> Install {
        Install::at(self.root())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path("data")
    }

    /// Unpacks a release with these files besides its own.
    pub(crate) fn release(&self, version: &str, more: &[(&str, &str)]) {
        let folder = self.root().join("releases").join(version);
        let mut files =
            vec![("bin/hub-platform", SOUND), ("bin/hub-launch", SOUND), ("web/index.html", "page")];
        files.extend(more);
        let mut listed = Vec::new();
        for (path, text) in files {
            let (file, mode) = (folder.join(path), if path.starts_with("bin/") { 0o755 } else { 0o644 });
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            listed.push(serde_json::json!({
                "path": path, "size": text.len(), "mode": format!("{mode:04o}"), "sha256": hash::of_bytes(text.as_bytes()),
            }));
        }
        listed.sort_by_key(|file| file["path"].to_string());
        let list = serde_json::json!({"version": version, "plugins": [], "files": listed});
        fs::write(folder.join("RELEASE.json"), seal(format!("{list:#}\n"))).unwrap();
    }

    /// A release of the example host's program alone, whose list names it; gives the program.
    pub(crate) fn release_of_program(&self, version: &str) -> PathBuf {
        let release = self.root().join("releases").join(version);
        let own = release.join("bin/hub-platform");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::copy(command(&self.0).get_program(), &own).unwrap();
        let mut bytes = fs::File::open(&own).unwrap();
        let (size, sha256) = hash::copy(&mut bytes, &mut std::io::sink()).unwrap();
        let list = serde_json::json!({"version": version, "plugins": [],
            "files": [{"path": "bin/hub-platform", "size": size, "mode": "0755", "sha256": sha256}]});
        fs::write(release.join("RELEASE.json"), seal(format!("{list:#}\n"))).unwrap();
        own
    }

    /// A command of the example host on this installation.
    pub(crate) fn hub(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.0);
        command.args(arguments).arg("--install-dir").arg(self.root());
        command
    }

    pub(crate) fn ran(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        run(self.hub(arguments))
    }

    pub(crate) fn chosen(&self) -> Option<String> {
        let chosen = self.install().choose(&mut |_| {}).unwrap();
        chosen.map(|(found, _)| found.version.to_string())
    }

    pub(crate) fn is(&self, current: &str, marked: &[&str]) {
        self.install().switch(&Version::parse(current).unwrap()).unwrap();
        let failed = self.root().join("failed");
        let _ = fs::remove_dir_all(&failed);
        fs::create_dir_all(&failed).unwrap();
        for version in marked {
            let mark = serde_json::json!({"version": version, "at": "", "why": "a test"});
            fs::write(failed.join(format!("{version}.json")), mark.to_string()).unwrap();
        }
    }
}

pub(crate) fn chown_to_stranger(folder: &Folder) {
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut give = Command::new("chown");
    give.args(["-hR", &format!("{STRANGER}:{STRANGER}")]).arg(folder.path("data"));
    assert_eq!(run(give).0, Some(0));
}
