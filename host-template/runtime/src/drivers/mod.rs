//! Driver plugins: optional pip packages of the data folder, and the Python that sees them.
//!
//! `$DATA_DIR/drivers/current` and `$DATA_DIR/dbt/venv` are symbolic links: an install fills a new folder beside and then
//! points the link to it, so whoever looks sees the old set or the new one, whole.

mod aliases;
mod importable;
mod install;
mod packages;
mod python;
mod slot;

use std::path::{Path, PathBuf};

pub(crate) use aliases::{Alias, plain, read};
pub(crate) use importable::{Import, Importable, no_python, one_line};
pub(crate) use install::{BESIDE_FAILED, DBT, PROGRAMS, Wanted, beside_dbt, dbt_version, install, version};
pub(crate) use packages::is_exact;
pub(crate) use python::{MOST, python};

/// The `dbt` to run: the data folder's own, else the one on `PATH`.
pub(crate) fn dbt_program(data: &Path) -> Option<PathBuf> {
    let own = dbt_bin(data).join("dbt");
    if own.is_file() { Some(own) } else { on_path("dbt") }
}

/// The Python that runs scripts and drivers: that of the data folder's dbt, else `python3` of `PATH`.
pub(crate) fn python_program(data: &Path) -> PathBuf {
    let own = dbt_bin(data).join("python3");
    if own.is_file() { own } else { PathBuf::from("python3") }
}

/// The folder with the installed drivers, for `PYTHONPATH`. It is the folder itself, not the link to it: a process that
/// was started with it keeps its set when another one is installed.
pub(crate) fn python_path(data: &Path) -> Option<PathBuf> {
    slot::Slot::drivers(data).current()
}

fn dbt_bin(data: &Path) -> PathBuf {
    data.join("dbt").join("venv").join("bin")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
