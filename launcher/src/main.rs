//! `hub-launch`: starts the highest release of its install folder that is whole and was never marked as failed.
//!
//! It lies outside of all releases, so no tarball rewrites it. It becomes the host: the process stays the same one, with
//! its arguments, environment and open sockets. `hub-launch select` starts nothing and only points `current` to the release
//! that would be; `hub-launch which` only prints that release's folder.
//!
//! The install folder is the one that the program was started in, by the path that it was started by, and no variable says
//! otherwise: the unit runs it as root, with the service's own environment. The host is told that folder, since parts of it may be
//! links to another disk.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hub_release::install::{Because, Found, Install, Skipped};
use hub_release::manifest::{HOST, LAUNCHER};
use hub_release::{guard, started};

/// For what the machine lacks, as everywhere else.
const MACHINE: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let answer = arguments.first().and_then(|first| own_answer(first));
    let install = match root() {
        Ok(root) => Install::at(root),
        Err(why) => return answered(answer, &why),
    };
    let trusted = guard::trusted_by_root(install.root());
    let only_select = arguments.first().is_some_and(|first| first == "select");
    let mut passed = Vec::new();
    let chosen = install.choose(&mut |skipped| {
        say(&told(&skipped));
        passed.push(skipped.because);
    });
    let found = match chosen {
        Ok(Some((found, _))) => found,
        Ok(None) => {
            let why = format!(
                "{} holds no release that can be started\n  help: {}",
                install.root().join("releases").display(),
                cure(install.root(), &passed)
            );
            return answered(answer, &why);
        }
        Err(problem) => return failed(&problem.to_string()),
    };
    if arguments.first().is_some_and(|first| first == "which") {
        println!("{}", found.path.display());
        return ExitCode::SUCCESS;
    }
    if only_select {
        // Only a link follows, and the service's user runs what it leads to.
        if let Err(problem) = trusted {
            say(&problem.to_string());
        }
        follow(&install, &found, only_select);
        return ExitCode::SUCCESS;
    }
    if let Err(problem) = trusted {
        return failed(&problem.to_string());
    }
    follow(&install, &found, only_select);
    // By way of the install folder, so that the host knows it too. A folder named by hand would make it serve another release's
    // files.
    let error = Command::new(found.path.join(HOST)).args(arguments).env("INSTALL_DIR", &found.path).exec();
    failed(&format!("release {} cannot be started: {error}", found.version))
}

/// What this program says of itself. Where a release can be started, that one's host is asked instead.
const HELP: &str = "\
Starts the highest release of its install folder that is whole and not marked as failed

Usage: hub-launch [COMMAND OF hub-platform]...
       hub-launch select
       hub-launch which

Commands:
  select  Point the link `current` to the release that would be started; start nothing
  which   Print the folder of the release that would be started; start nothing

All else is given to the program of that release, such as: hub-launch serve. `hub-launch --help` and `hub-launch --version` are
that program's too, once there is a release.
";

/// The answer to a question that needs no release.
fn own_answer(first: &OsStr) -> Option<String> {
    match first.to_str()? {
        "--help" | "-h" => Some(HELP.to_owned()),
        "--version" | "-V" => Some(format!("hub-launch {}\n", env!("CARGO_PKG_VERSION"))),
        _ => None,
    }
}

/// Answers what was asked where no release can be started, or fails with the reason for that.
fn answered(answer: Option<String>, why: &str) -> ExitCode {
    match answer {
        Some(text) => {
            // A reader that is gone wants nothing.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        None => failed(why),
    }
}

/// The install folder that this program was started in, as `<root>/bin/hub-launch`.
fn root() -> Result<PathBuf, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("cannot tell where this program lies: {error}"))?;
    if let Some(install) = started::install(&started::ways(&program), Path::new(LAUNCHER), &program) {
        return Ok(install.root().to_path_buf());
    }
    match program.parent().and_then(Path::parent) {
        Some(root) => Ok(root.to_path_buf()),
        None => Err(format!("{} does not lie in an install folder", program.display())),
    }
}

/// What makes one startable again: it depends on why none is.
fn cure(root: &Path, passed: &[Because]) -> String {
    let root = root.display();
    if passed.contains(&Because::Untrusted) {
        return format!(
            "{root}/trusted-keys/ says whose releases are started; `hub-platform setup --trust KEY.pub` of a release adds \
             the key that signed it"
        );
    }
    if passed.contains(&Because::Damaged) {
        return format!(
            "unpack its tarball again: rm -r {root}/releases/VERSION && tar xzf hub-platform-vVERSION.tar.gz -C {root}"
        );
    }
    if passed.contains(&Because::Misnamed) {
        return format!(
            "a release lies in {root}/releases/ under its own version: give the folder that name again, or unpack its tarball: \
             tar xzf hub-platform-vVERSION.tar.gz -C {root}"
        );
    }
    if passed.contains(&Because::Marked) {
        return format!("remove the mark of the one to start, {root}/failed/VERSION.json, and start again");
    }
    format!(
        "unpack one there: tar xzf hub-platform-v….tar.gz -C {root}; where `bin` of the install folder is a link to there, start \
         the launcher by its path in the install folder"
    )
}

/// Points `current` to the release that is started. The user that serves may not; old paths then lead to the release
/// before, until `select` runs as one who may.
fn follow(install: &Install, found: &Found, wanted: bool) {
    if install.current().as_ref() == Some(&found.version) {
        return;
    }
    match install.switch(&found.version) {
        Ok(()) => say(&format!("release {} is the current one now", found.version)),
        Err(problem) if wanted => say(&problem.to_string()),
        Err(_) => {
            say(&format!("starts release {}; the link `current` still leads to another", found.version))
        }
    }
}

fn told(skipped: &Skipped) -> String {
    format!("release {} {}: {}", skipped.version, skipped.because.told(), skipped.why)
}

fn say(text: &str) {
    eprintln!("hub-launch: {text}");
}

fn failed(text: &str) -> ExitCode {
    eprintln!("error: {text}");
    ExitCode::from(MACHINE)
}
