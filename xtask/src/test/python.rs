//! Python environments that tests run a program of, made below the target folder as their requirements say.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hub_codegen::pipeline::Repo;

use super::suites::pass;

/// One environment.
pub struct Python {
    /// Below the target folder.
    folder: &'static str,
    /// Below the repository's root.
    requirements: &'static str,
    program: &'static str,
    /// Tells tests where the program is.
    pub variable: &'static str,
}

pub const DBT: Python = Python {
    folder: "test/python",
    requirements: "tests/dbt/requirements.txt",
    program: "bin/dbt",
    variable: "HUB_DBT",
};
pub const SCHEMATHESIS: Python = Python {
    folder: "test/schemathesis",
    requirements: "tests/api/requirements.txt",
    program: "bin/schemathesis",
    variable: "HUB_SCHEMATHESIS",
};
/// The validator of bills of materials.
pub const CYCLONEDX: Python = Python {
    folder: "test/cyclonedx",
    requirements: "tests/sbom/requirements.txt",
    program: "bin/python",
    variable: "HUB_CYCLONEDX",
};
pub const HELM: Python = Python {
    folder: "test/helm",
    requirements: "tests/helm/requirements.txt",
    program: "bin/helm",
    variable: "HUB_HELM",
};
/// All of them.
pub const ALL: [&Python; 4] = [&DBT, &SCHEMATHESIS, &CYCLONEDX, &HELM];

impl Python {
    /// Where its program is, once it is made.
    pub fn program(&self, repo: &Repo) -> OsString {
        self.place(repo).join(self.program).into()
    }

    fn place(&self, repo: &Repo) -> PathBuf {
        repo.target.join(self.folder)
    }

    /// Makes it, unless it is there and was made for the same requirements.
    pub fn make(&self, repo: &Repo) -> Result<(), String> {
        let folder = self.place(repo);
        let requirements = repo.root.join(self.requirements);
        let text = fs::read_to_string(&requirements)
            .map_err(|error| format!("cannot read {}: {error}", requirements.display()))?;
        let stamp = folder.join("requirements.stamp");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
            return Ok(());
        }
        let mut venv = Command::new("python3");
        pass(venv.args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut install = Command::new(folder.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        pass(install.arg(&requirements))?;
        fs::write(&stamp, text).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
    }
}
