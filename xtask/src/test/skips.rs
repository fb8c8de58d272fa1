//! What was not tested: tests that skip themselves say so in a file, for nobody sees what a test prints that passes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::Command;

use hub_codegen::pipeline::Repo;

/// Names the file to the tests. They add a line each: `lack` or `long`, the test, and why, with tabs between.
const VARIABLE: &str = "HUB_SKIPPED";

/// The file.
pub struct Skips {
    file: PathBuf,
}

impl Skips {
    /// An empty one.
    pub fn new(repo: &Repo) -> Result<Skips, String> {
        let file = repo.target.join("test/skipped");
        let made = fs::create_dir_all(repo.target.join("test")).and_then(|()| File::create(&file));
        made.map_err(|error| format!("cannot make {}: {error}", file.display()))?;
        Ok(Skips { file })
    }

    /// Says to a command's tests where to tell.
    pub fn tell(&self, command: &mut Command) {
        command.env(VARIABLE, &self.file);
    }

    /// What was told.
    pub fn read(&self) -> io::Result<Told> {
        Ok(Told::of(&fs::read_to_string(&self.file)?))
    }
}

/// What tests said of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Tests that lacked something.
    pub lack: BTreeSet<String>,
    /// Names of the long tests that nobody wanted, each with what it is.
    pub long: BTreeSet<(String, String)>,
}

impl Told {
    fn of(text: &str) -> Told {
        let mut told = Told::default();
        for line in text.lines() {
            match line.splitn(3, '\t').collect::<Vec<_>>()[..] {
                ["long", name, what] => drop(told.long.insert((name.to_owned(), what.to_owned()))),
                ["lack", test, why] => drop(told.lack.insert(format!("{test}: {why}"))),
                // Half a line is said too, rather than lost.
                _ => drop(told.lack.insert(line.to_owned())),
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_say_is_told_once() {
        let told = Told::of("lack\ta\tno b\nlong\tsystemd\tunder systemd\nlack\ta\tno b\nodd\n");
        assert_eq!(told.lack.into_iter().collect::<Vec<_>>(), ["a: no b", "odd"]);
        assert_eq!(told.long.into_iter().collect::<Vec<_>>(), [("systemd".into(), "under systemd".into())]);
    }
}
