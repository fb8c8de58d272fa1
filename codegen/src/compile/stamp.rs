//! What the compile stage did last, so that an unchanged workspace does not even start cargo.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hub_manifest::codes;
use hub_manifest::diagnostic::{Diagnostic, Level, Related, Span};
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
    warnings: Vec<StoredWarning>,
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

/// Offset, length, line and column.
type StoredSpan = (usize, usize, usize, usize);

#[derive(Serialize, Deserialize)]
struct StoredWarning {
    code: String,
    message: String,
    plugin: Option<String>,
    file: Option<PathBuf>,
    place: StoredSpan,
    label: String,
    help: String,
    related: Vec<(PathBuf, StoredSpan, String)>,
    rendered: Option<String>,
}

impl Stamp {
    /// The last run, if it had the same key and its binary is still there as it was.
    pub fn read(file: &Path, key: &str) -> Option<Stamp> {
        let stored: Stored = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let same = stored.key == key && stored.binary.is_there() && stored.launcher.is_there();
        let findings = stored.warnings.into_iter().map(StoredWarning::finding).collect::<Option<_>>()?;
        same.then_some(Stamp { binary: stored.binary.path, launcher: stored.launcher.path, findings })
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
            warnings: findings.iter().map(StoredWarning::new).collect(),
        };
        write_if_changed(file, &serde_json::to_vec(&stored)?)?;
        Ok(())
    }
}

fn pack(span: Span) -> StoredSpan {
    (span.offset, span.len, span.line, span.column)
}

fn unpack((offset, len, line, column): StoredSpan) -> Span {
    Span { offset, len, line, column }
}

impl StoredWarning {
    fn new(finding: &Finding) -> StoredWarning {
        let d = &finding.diagnostic;
        StoredWarning {
            code: d.code.to_string(),
            message: d.message.clone(),
            plugin: d.plugin.clone(),
            file: d.file.clone(),
            place: pack(d.span),
            label: d.label.clone(),
            help: d.help.clone(),
            related: d.related.iter().map(|r| (r.file.clone(), pack(r.span), r.label.clone())).collect(),
            rendered: finding.rendered.clone(),
        }
    }

    /// The warning again; none if its code is not one of this stage's, as after an upgrade.
    fn finding(self) -> Option<Finding> {
        let code = codes::find(&self.code).filter(|code| *code == codes::COMPILE_WARNING)?;
        let related = self
            .related
            .into_iter()
            .map(|(file, span, label)| Related { file, span: unpack(span), label })
            .collect();
        let diagnostic = Diagnostic {
            level: Level::Warning,
            code,
            message: self.message,
            plugin: self.plugin,
            file: self.file,
            span: unpack(self.place),
            label: self.label,
            help: self.help,
            related,
        };
        Some(Finding { diagnostic, rendered: self.rendered })
    }
}

#[cfg(test)]
mod tests {
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
        fs::write(&binary, "another host").unwrap();
        assert_eq!(Stamp::read(&file, "key"), None);
        fs::write(&file, "not json").unwrap();
        assert_eq!(Stamp::read(&file, "key"), None);
    }
}
