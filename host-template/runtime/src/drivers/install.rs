//! Installing drivers and dbt into the data folder with pip: all of it, or nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::aliases::{Alias, plain};
use super::python_program;
use super::slot::{Fresh, Slot};
use crate::fault::Fault;
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

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) dbt: bool,
    pub(crate) drivers: Vec<&'a Alias>,
}

/// Installs; gives what is there now: name and version.
pub(crate) fn install(data: &Path, wanted: &Wanted<'_>) -> Result<Vec<(String, String)>, Fault> {
    let data = data.canonicalize().map_err(|e| cannot(data, &e))?;
    let lock = lock(&data)?;
    let mut done = Vec::new();
    if wanted.dbt {
        install_dbt(&data, &lock)?;
        done.extend(dbt_version(&data).map(|version| (DBT.to_owned(), version)));
    }
    if !wanted.drivers.is_empty() {
        install_drivers(&data, &lock, &wanted.drivers)?;
        for alias in &wanted.drivers {
            let version = version(&data, &alias.package).unwrap_or_default();
            done.push((alias.name.clone(), version));
        }
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
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| cannot(&path, &e))?;
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

fn install_dbt(data: &Path, lock: &File) -> Result<(), Fault> {
    let slot = Slot::dbt(data);
    let python = PathBuf::from("python3");
    let fresh = fresh(&slot)?;
    let mut venv = Command::new(&python);
    venv.args(["-m", "venv"]).arg(&fresh.path);
    run(venv, &python, lock, "Python cannot make a virtual environment", NO_PYTHON)?;
    let requirements = fresh.path.join("requirements.txt");
    fs::write(&requirements, DBT_REQUIREMENTS).map_err(|e| cannot(&requirements, &e))?;
    let own = fresh.path.join("bin/python3");
    let mut pip = pip(&own);
    pip.arg("-r").arg(&requirements);
    run(pip, &own, lock, "pip could not install dbt", PIP_FAILED)?;
    switch(fresh)
}

/// Everything that was installed before, at its version, and what is asked for now. Each install begins with an empty
/// folder: what pip would leave of an older version never mixes with a newer one.
fn install_drivers(data: &Path, lock: &File, wanted: &[&Alias]) -> Result<(), Fault> {
    let python = python_program(data);
    see_pip(&python)?;
    let slot = Slot::drivers(data);
    let asked: Vec<String> = wanted.iter().map(|alias| alias.package.clone()).collect();
    let before = slot.current().map(|folder| (packages(&folder), folder));
    let kept: Vec<(String, String)> = before
        .iter()
        .flat_map(|(packages, folder)| packages.iter().map(move |package| (package, folder)))
        .filter(|(package, _)| !asked.iter().any(|other| plain(other) == plain(package)))
        .filter_map(|(package, folder)| Some((package.clone(), version_in(folder, package)?)))
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
    run(pip, &python, lock, "pip could not install the drivers", PIP_FAILED)?;
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

/// Whether this Python has pip.
fn see_pip(python: &Path) -> Result<(), Fault> {
    let output = Command::new(python)
        .args(["-m", "pip", "--version"])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| no_python(python, &e))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or("it says nothing").to_owned();
    Err(Fault::machine(format!("{} has no pip: {last}", python.display()), NO_PYTHON))
}

/// Runs the program to its end. What it says goes to standard error: standard output is for the result.
fn run(mut command: Command, program: &Path, lock: &File, what: &str, how: &str) -> Result<(), Fault> {
    let held = lock.try_clone().map_err(|e| no_python(program, &e))?;
    let status = command
        .stdin(Stdio::from(held))
        .stdout(Stdio::from(io::stderr()))
        .status()
        .map_err(|e| no_python(program, &e))?;
    if status.success() { Ok(()) } else { Err(Fault::machine(format!("{what} ({status})"), how)) }
}

/// The packages that were asked for in a set.
fn packages(folder: &Path) -> Vec<String> {
    let text = fs::read(folder.join(PACKAGES)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The version of a driver that is installed.
pub(crate) fn version(data: &Path, package: &str) -> Option<String> {
    version_in(&Slot::drivers(data).current()?, package)
}

/// The version of dbt that is installed.
pub(crate) fn dbt_version(data: &Path) -> Option<String> {
    let libraries = fs::read_dir(Slot::dbt(data).current()?.join("lib")).ok()?;
    libraries.flatten().find_map(|python| version_in(&python.path().join("site-packages"), "dbt-core"))
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
