//! What the compile stage did last, so that an unchanged workspace does not even start cargo.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Job, rustflags};
use crate::base::digest::Digest;
use crate::base::failure::Finding;
use crate::base::write::write_if_changed;

/// The last good run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The host that it gave.
    pub binary: PathBuf,
    /// The launcher that it gave.
    pub launcher: PathBuf,
    /// The warnings that it gave.
    pub findings: Vec<Finding>,
}

/// Fingerprint of everything that a run depends on.
pub(super) fn key(job: &Job) -> String {
    let mut digest = Digest::new("compile 2");
    digest.add("sources", job.staged.digest.as_bytes());
    digest.add("flags", rustflags(&job.staged.root, job.target_dir).as_encoded_bytes());
    digest.add("profile", job.profile.name().as_bytes());
    digest.add("target", job.target_dir.as_os_str().as_encoded_bytes());
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        digest.add(name, std::env::var_os(name).unwrap_or_default().as_encoded_bytes());
    }
    digest.finish()
}

/// The form on disk.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    binary: Program,
    launcher: Program,
    findings: Vec<Finding>,
}

/// A program with its size and modification time: a build by hand may have replaced it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Program {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
}

impl Program {
    fn of(path: &Path) -> io::Result<Program> {
        let meta = fs::metadata(path)?;
        Ok(Program {
            path: path.to_path_buf(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }

    fn is_there(&self) -> bool {
        Program::of(&self.path).is_ok_and(|now| now == *self)
    }
}

impl Stamp {
    /// The last run, if it had the same key and its binary is still there as it was.
    pub fn read(file: &Path, key: &str) -> Option<Stamp> {
        let stored: Stored = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let same = stored.key == key && stored.binary.is_there() && stored.launcher.is_there();
        same.then_some(Stamp {
            binary: stored.binary.path,
            launcher: stored.launcher.path,
            findings: stored.findings,
        })
    }

    /// Notes a good run.
    pub fn write(
        file: &Path,
        key: &str,
        [binary, launcher]: [&Path; 2],
        findings: &[Finding],
    ) -> io::Result<()> {
        let stored = Stored {
            key: key.to_string(),
            binary: Program::of(binary)?,
            launcher: Program::of(launcher)?,
            findings: findings.to_vec(),
        };
        write_if_changed(file, &serde_json::to_vec(&stored)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hub_manifest::codes;
    use hub_manifest::diagnostic::{Diagnostic, Span};

    use super::*;

    #[test]
    fn a_run_is_remembered_with_its_warnings_until_something_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("compile.json");
        let (binary, launcher) = (dir.path().join("host"), dir.path().join("launcher"));
        fs::write(&binary, "host").unwrap();
        fs::write(&launcher, "launcher").unwrap();
        let diagnostic = Diagnostic::warning(codes::COMPILE_WARNING, "unused variable: `x`")
            .plugin("crm")
            .at("plugins/crm/backend/src/lib.rs", Span { offset: 3, len: 1, line: 2, column: 1 })
            .related("a.rs", Span::START, "here");
        let findings = vec![Finding { diagnostic, rendered: Some("frame".to_string()) }];
        Stamp::write(&file, "key", [&binary, &launcher], &findings).unwrap();
        assert_eq!(Stamp::read(&file, "key"), Some(Stamp { binary: binary.clone(), launcher, findings }));
        assert_eq!(Stamp::read(&file, "other key"), None);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("HUB055", "HUB999")).unwrap();
        assert_eq!(Stamp::read(&file, "key"), None, "a code of another version");
        fs::write(&file, text).unwrap();
        assert!(Stamp::read(&file, "key").is_some());
        fs::write(&binary, "another host").unwrap();
        assert_eq!(Stamp::read(&file, "key"), None);
        fs::write(&file, "not json").unwrap();
        assert_eq!(Stamp::read(&file, "key"), None);
    }
}
