//! Where dbt and Python are for runs.
use std::path::{Path, PathBuf};
pub(crate) fn dbt_program(data: &Path) -> Option<PathBuf> {
    let own = data.join("dbt/venv/bin/dbt");
    if own.is_file() {
        return Some(own);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|f| f.join("dbt")).find(|p| p.is_file())
}
pub(crate) fn python_program(_data: &Path) -> PathBuf {
    PathBuf::from("python3")
}
pub(crate) fn python_path(data: &Path) -> Option<PathBuf> {
    let p = data.join("drivers/current");
    p.is_dir().then_some(p)
}
