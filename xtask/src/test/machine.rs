//! What this machine has beyond Rust, by the one table of it: `.ci/machine`, which `.ci/run` installs from.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The table.
const TABLE: &str = include_str!("../../../.ci/machine");
/// Names a browser that is none of those in the table.
const CHROMIUM: &str = "CHROMIUM";

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    name: &'static str,
    programs: &'static str,
    packages: &'static str,
    what: &'static str,
}

/// The lines of the table; a panic names one that is none, and a test reads them all.
fn needs() -> impl Iterator<Item = Need> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, programs, packages, what] = columns[..] else {
            panic!(".ci/machine: `{line}` does not have four columns");
        };
        Need { name, programs, packages, what }
    })
}

impl Need {
    /// Where its first program is, if all of them are there.
    fn found(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        let named = std::env::var_os(CHROMIUM).filter(|_| self.name == "browser");
        if let Some(named) = named {
            return Some(named.into());
        }
        let one = |names: &str| names.split(',').find_map(|name| program(folders, name));
        let found: Option<Vec<PathBuf>> = self.programs.split_whitespace().map(one).collect();
        found?.into_iter().next()
    }

    fn variable(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.name.to_uppercase())
    }
}

/// What was looked for, and where it is.
pub struct Machine {
    rustfmt: bool,
    found: Vec<(Need, Option<PathBuf>)>,
}

impl Machine {
    /// Looks for everything in the table.
    pub fn look() -> Machine {
        let folders = folders();
        let found = needs().map(|need| (need, need.found(&folders))).collect();
        Machine { rustfmt: answers("cargo", &["fmt", "--version"]), found }
    }

    /// Whether the line of this name is fulfilled.
    pub fn has(&self, name: &str) -> bool {
        match name {
            "rustfmt" => self.rustfmt,
            _ => self.found.iter().any(|(need, found)| need.name == name && found.is_some()),
        }
    }

    /// What is missing: what it is needed for, and how to get it.
    pub fn missing(&self) -> Vec<(String, String)> {
        let lack = |need: &Need| match need.packages {
            "-" => (need.what.to_owned(), format!("install {}", need.programs)),
            packages => (need.what.to_owned(), format!("install {} (Debian: {packages})", need.programs)),
        };
        let formatting = || ("the check of the formatting".into(), "`rustup component add rustfmt`".into());
        let lacking = self.found.iter().filter(|(_, found)| found.is_none());
        (!self.rustfmt).then(formatting).into_iter().chain(lacking.map(|(need, _)| lack(need))).collect()
    }

    /// What tests are told: what they may not skip, and where it is. What is missing is taken from their environment.
    pub fn tell(&self, command: &mut Command) {
        for (need, found) in &self.found {
            let (require, place) = (need.variable("HUB_REQUIRE_"), need.variable("HUB_"));
            match found {
                Some(path) => command.env(require, "1").env(place, path),
                None => command.env_remove(require).env_remove(place),
            };
        }
    }
}

/// Where programs are looked for: `PATH`, and where Debian puts servers.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    // A machine without PostgreSQL has no such folder.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders
}

/// `name`, or `python:module` for a Python that has a module. An absolute path is looked for there alone.
fn program(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let (name, module) = name.split_once(':').unwrap_or((name, ""));
    let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())?;
    let import = format!("import {module}");
    (module.is_empty() || answers(&path, &["-c", import.as_str()])).then_some(path)
}

fn answers(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_sound() {
        let mut names = Vec::new();
        for need in needs() {
            let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(plain(need.name) && !names.contains(&need.name), "{need:?}");
            assert!(![need.programs, need.packages, need.what].contains(&""), "{need:?}");
            names.push(need.name);
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let need = Need { name: "none", programs: "sh no-such-program", packages: "none-at-all", what: "x" };
        let machine = Machine { rustfmt: true, found: vec![(need, need.found(&folders()))] };
        let told = ("x".to_owned(), "install sh no-such-program (Debian: none-at-all)".to_owned());
        assert_eq!(machine.missing(), [told]);
        assert!(!machine.has("none"));
        let either = Need { programs: "no-such-program,sh", ..need };
        assert!(either.found(&folders()).is_some());
    }
}
