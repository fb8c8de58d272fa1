//! Installing drivers and dbt into the data folder with pip: all of it, or nothing.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hub_manifest::limits::Limit;
use hub_release::beneath;

use super::aliases::{Alias, plain};
use super::packages;
use super::python_program;
use super::slot::{Fresh, Slot};
use crate::fault::Fault;
use crate::process;
use crate::settings::reason;

/// What is installed under this name is dbt itself.
pub(crate) const DBT: &str = "dbt";

/// The exact versions of dbt and of everything that it needs.
const DBT_REQUIREMENTS: &str = include_str!("dbt-requirements.txt");

/// Lies in a set of drivers: the packages that were asked for, as JSON.
const PACKAGES: &str = "hub-drivers.json";

const NO_PYTHON: &str = "install Python 3.10 or newer with pip and venv (Debian: apt install python3 python3-pip python3-venv), \
                         and run the command again; nothing was changed";
const PIP_FAILED: &str = "pip says above what is wrong; see that this machine reaches PyPI, or set PIP_INDEX_URL to a mirror, and run \
                          the command again; nothing was changed";

/// As many programs run one after another in an install, at most: a virtual environment is made, pip fills it, pip is asked whether it is
/// there, and pip installs the drivers.
pub(crate) const PROGRAMS: u32 = 4;

/// How a failure begins where packages were to lie beside dbt.
pub(crate) const BESIDE_FAILED: &str = "pip could not install these packages beside this version of dbt";

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) dbt: bool,
    pub(crate) drivers: Vec<&'a Alias>,
    /// Adapters and other packages that are to lie beside dbt.
    pub(crate) beside: Vec<String>,
}

/// Installs; gives what is there now: name and version.
pub(crate) fn install(
    data: &Path,
    wanted: &Wanted<'_>,
    limit: Duration,
) -> Result<Vec<(String, String)>, Fault> {
    let data = data.canonicalize().map_err(|e| cannot(data, &e))?;
    let turn = Turn { lock: lock(&data)?, limit };
    let mut done = Vec::new();
    if wanted.dbt || !wanted.beside.is_empty() {
        install_dbt(&data, &turn, &wanted.beside)?;
        if wanted.dbt {
            done.extend(dbt_version(&data).map(|version| (DBT.to_owned(), version)));
        }
        for package in &wanted.beside {
            done.push((plain(package), version_beside(&data, package).unwrap_or_default()));
        }
    }
    if !wanted.drivers.is_empty() {
        install_drivers(&data, &turn, &wanted.drivers)?;
        for alias in &wanted.drivers {
            let version = version(&data, &alias.package).unwrap_or_default();
            done.push((alias.name.clone(), version));
        }
    }
    let taken = packages::show(&data).map_err(|e| {
        Fault::machine(
            format!(
                "the packages are installed, but {} cannot list them: {}",
                data.join("plugins").display(),
                reason(&e)
            ),
            "make the folder writable for this user, and run the command again",
        )
    })?;
    for name in taken {
        let _ = writeln!(io::stderr(), "plugins/{name} is not a driver's entry, and is left as it is");
    }
    Ok(done)
}

fn cannot(place: &Path, error: &io::Error) -> Fault {
    Fault::machine(
        format!("cannot install into {}: {}", place.display(), reason(error)),
        "make the data folder writable for this user, with room for the packages, and run the command again",
    )
}

/// One install at a time; a second one waits for its turn. Programs that an install starts hold the lock too, so that
/// one whose install was killed is not disturbed by the next.
fn lock(data: &Path) -> Result<File, Fault> {
    let path = data.join("drivers.lock");
    let file = beneath::open_own(&path, 0o600).map_err(|e| cannot(&path, &e))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            let _ = writeln!(io::stderr(), "another install is at work here: waiting for its end");
            file.lock()
        }
        Err(TryLockError::Error(e)) => Err(e),
    }
    .map_err(|e| cannot(&path, &e))?;
    Ok(file)
}

/// dbt at its versions, with what lay beside it before and what is asked for now; all in one call of pip, so that nothing
/// beside it moves what dbt itself is made of.
fn install_dbt(data: &Path, turn: &Turn, beside: &[String]) -> Result<(), Fault> {
    let slot = Slot::dbt(data);
    let python = PathBuf::from("python3");
    let kept = before(&slot)?
        .into_iter()
        .filter(|package| !beside.iter().any(|other| plain(other) == plain(package)));
    let kept: Vec<(String, Option<String>)> =
        kept.map(|package| (package.clone(), version_beside(data, &package))).collect();
    let fresh = fresh(&slot)?;
    let mut venv = Command::new(&python);
    venv.args(["-m", "venv"]).arg(&fresh.path);
    turn.run(venv, &python, "Python cannot make a virtual environment", NO_PYTHON)?;
    let requirements = fresh.path.join("requirements.txt");
    fs::write(&requirements, DBT_REQUIREMENTS).map_err(|e| cannot(&requirements, &e))?;
    let mut listed: Vec<&String> = kept.iter().map(|(package, _)| package).chain(beside).collect();
    listed.sort();
    listed.dedup();
    let list = fresh.path.join(PACKAGES);
    fs::write(&list, serde_json::to_string(&listed).unwrap_or_default()).map_err(|e| cannot(&list, &e))?;
    let own = fresh.path.join("bin/python3");
    let mut pip = pip(&own);
    pip.arg("-r").arg(&requirements).arg("--");
    pip.args(kept.iter().map(|(package, version)| match version {
        Some(version) if !package.contains("==") => format!("{package}=={version}"),
        _ => package.clone(),
    }));
    pip.args(beside);
    let what = if listed.is_empty() { "pip could not install dbt" } else { BESIDE_FAILED };
    turn.run(pip, &own, what, PIP_FAILED)?;
    switch(fresh)
}

/// Everything that was installed before, at its version, and what is asked for now. Each install begins with an empty
/// folder: what pip would leave of an older version never mixes with a newer one.
fn install_drivers(data: &Path, turn: &Turn, wanted: &[&Alias]) -> Result<(), Fault> {
    let python = python_program(data);
    turn.see_pip(&python)?;
    let slot = Slot::drivers(data);
    let asked: Vec<String> = wanted.iter().map(|alias| alias.package.clone()).collect();
    let before = before(&slot)?.into_iter();
    let kept: Vec<(String, String)> = before
        .filter(|package| !asked.iter().any(|other| plain(other) == plain(package)))
        .filter_map(|package| version(data, &package).map(|version| (package, version)))
        .collect();
    let fresh = fresh(&slot)?;
    let mut all: Vec<&String> = kept.iter().map(|(package, _)| package).chain(&asked).collect();
    all.sort();
    all.dedup();
    let list = serde_json::to_string(&all).unwrap_or_default();
    // Drivers come before dbt's own packages on its path: the ones that they share have to be the same.
    let constraints = fresh.path.join("hub-constraints.txt");
    let pins = kept.iter().map(|(package, version)| format!("{}=={version}\n", plain(package)));
    let text = format!("{DBT_REQUIREMENTS}{}", pins.collect::<String>());
    for (file, text) in [(fresh.path.join(PACKAGES), list), (constraints.clone(), text)] {
        fs::write(&file, text).map_err(|e| cannot(&file, &e))?;
    }
    let mut pip = pip(&python);
    pip.arg("--target").arg(&fresh.path).arg("--constraint").arg(&constraints).arg("--").args(&all);
    turn.run(pip, &python, "pip could not install the drivers", PIP_FAILED)?;
    switch(fresh)
}

fn fresh<'s>(slot: &'s Slot) -> Result<Fresh<'s>, Fault> {
    slot.fresh().map_err(|e| cannot(Path::new("the data folder"), &e))
}

fn switch(fresh: Fresh<'_>) -> Result<(), Fault> {
    let path = fresh.path.clone();
    fresh.switch().map_err(|e| cannot(&path, &e))
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    // What other packages of the machine would like to have is of no concern here.
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-warn-conflicts"]);
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    pip
}

fn no_python(python: &Path, error: &io::Error) -> Fault {
    let what = match error.kind() {
        io::ErrorKind::NotFound => format!("Python is not installed: there is no {}", python.display()),
        _ => format!("cannot run {}: {}", python.display(), reason(error)),
    };
    Fault::machine(what, NO_PYTHON)
}

/// An install whose turn it is.
struct Turn {
    lock: File,
    /// How long each of its programs may take.
    limit: Duration,
}

impl Turn {
    /// Whether this Python has pip.
    fn see_pip(&self, python: &Path) -> Result<(), Fault> {
        let mut asked = Command::new(python);
        asked.args(["-m", "pip", "--version"]);
        let what = "pip does not say whether it is there";
        let ran = process::ran(asked, self.limit).map_err(|e| not_run(python, what, &e))?;
        if ran.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&ran.err);
        let last = text.lines().last().unwrap_or("it says nothing").to_owned();
        Err(Fault::machine(format!("{} has no pip: {last}", python.display()), NO_PYTHON))
    }

    /// Runs the program to its end. What it says goes to standard error: standard output is for the result.
    fn run(&self, mut command: Command, program: &Path, what: &str, how: &str) -> Result<(), Fault> {
        let held = self.lock.try_clone().map_err(|e| no_python(program, &e))?;
        command.stdin(Stdio::from(held)).stdout(Stdio::from(io::stderr()));
        let status = process::lasted(command, self.limit).map_err(|e| not_run(program, what, &e))?;
        if status.success() { Ok(()) } else { Err(Fault::machine(format!("{what} ({status})"), how)) }
    }
}

/// That a program did not come to its end.
fn not_run(program: &Path, what: &str, error: &io::Error) -> Fault {
    if error.kind() != io::ErrorKind::TimedOut {
        return no_python(program, error);
    }
    Fault::machine(
        format!("{} took too long; {what}: {error}", program.display()),
        format!(
            "see that the package index answers, or set PIP_INDEX_URL to a mirror; where it only takes longer, set {} to more \
             seconds; nothing was changed",
            Limit::InstallSeconds.about().variable
        ),
    )
}

/// The packages that were asked for in a set; none where it has no list. An error is not taken for none: the next install would
/// leave out what was installed before.
pub(super) fn packages_of(folder: &Path) -> io::Result<Vec<String>> {
    let list = folder.join(PACKAGES);
    match fs::read(&list) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|e| io::Error::other(format!("{} cannot be understood: {e}", list.display()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(io::Error::new(e.kind(), format!("{} cannot be read: {}", list.display(), reason(&e)))),
    }
}

/// The same of the set that counts; none where there is no such set.
fn before(slot: &Slot) -> Result<Vec<String>, Fault> {
    let Some(folder) = slot.current() else { return Ok(Vec::new()) };
    packages_of(&folder).map_err(|e| {
        Fault::machine(
            format!("cannot tell what is installed already: {e}"),
            format!(
                "make the file readable for this user; where its content is lost, remove {} and install everything again",
                folder.display()
            ),
        )
    })
}

/// The version of a driver that is installed.
pub(crate) fn version(data: &Path, package: &str) -> Option<String> {
    version_in(&Slot::drivers(data).current()?, package)
}

/// The version of dbt that is installed.
pub(crate) fn dbt_version(data: &Path) -> Option<String> {
    version_beside(data, "dbt-core")
}

/// The packages that were asked for beside dbt, with the versions that are installed.
pub(crate) fn beside_dbt(data: &Path) -> Vec<(String, Option<String>)> {
    // Where the list cannot be read, the next install says so.
    let listed = Slot::dbt(data).current().and_then(|folder| packages_of(&folder).ok()).unwrap_or_default();
    listed.into_iter().map(|package| (package.clone(), version_beside(data, &package))).collect()
}

/// The version of a package of dbt's environment.
fn version_beside(data: &Path, package: &str) -> Option<String> {
    beside(&Slot::dbt(data).current()?).iter().find_map(|libraries| version_in(libraries, package))
}

/// Where an environment keeps its packages.
pub(super) fn beside(venv: &Path) -> Vec<PathBuf> {
    let libraries = fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    libraries.map(|python| python.path().join("site-packages")).filter(|folder| folder.is_dir()).collect()
}

/// The version of a package in a folder that pip filled.
fn version_in(folder: &Path, package: &str) -> Option<String> {
    let package = plain(package);
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        let (name, version) = name.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
        (plain(name) == package).then(|| version.to_owned())
    })
}
