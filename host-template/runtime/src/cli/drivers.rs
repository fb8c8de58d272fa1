//! `drivers`: optional pip packages for connectors, and dbt, installed into the data folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hub_manifest::grammar::nearest;
use serde::Serialize;

use super::{print_json, print_table};
use crate::drivers::{self, Alias, DBT, Wanted};
use crate::fault::Fault;
use crate::settings::{self, process_env};

/// Connectors that need no driver, by the names that people may type.
const BUILT_IN: &[&str] = &["mariadb", "postgres", "postgresql"];

/// Installs drivers, dbt, or both.
pub(super) fn install(names: &[String]) -> Result<(), Fault> {
    let chosen = of_names(&settings::install_dir(&process_env)?, names)?;
    if chosen.is_empty() {
        return Err(Fault::usage(
            "no driver is named",
            "name one or more: hub-platform drivers list shows them",
        ));
    }
    let (data, _) = settings::data_dir(&process_env)?;
    for (name, version) in chosen.install(&data)? {
        let _ = writeln!(io::stdout(), "installed {name} {version}");
    }
    Ok(())
}

/// Drivers of a release that are to be installed.
pub(crate) struct Chosen {
    aliases: Vec<Alias>,
    names: Vec<String>,
}

/// The drivers that these names stand for in a release. A name that stands for none is told before anything is done.
pub(crate) fn of_names(release: &Path, names: &[String]) -> Result<Chosen, Fault> {
    let chosen = Chosen { aliases: aliases(release)?, names: names.to_vec() };
    wanted(&chosen.names, &chosen.aliases)?;
    Ok(chosen)
}

impl Chosen {
    /// Whether there is nothing to install.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.iter().all(|name| name.trim().is_empty())
    }

    /// Installs all of them, or none; gives names and versions.
    pub(crate) fn install(&self, data: &Path) -> Result<Vec<(String, String)>, Fault> {
        drivers::install(data, &wanted(&self.names, &self.aliases)?)
    }
}

fn aliases(release: &Path) -> Result<Vec<Alias>, Fault> {
    drivers::read(release).map_err(|what| {
        Fault::machine(what, "restore drivers.yaml from the release, or set INSTALL_DIR to an unpacked one")
    })
}

/// What these names stand for.
fn wanted<'a>(names: &[String], aliases: &'a [Alias]) -> Result<Wanted<'a>, Fault> {
    let mut wanted = Wanted { dbt: false, drivers: Vec::new() };
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match aliases.iter().find(|alias| alias.name == name) {
            Some(alias) if !wanted.drivers.contains(&alias) => wanted.drivers.push(alias),
            Some(_) => {}
            None if name == DBT => wanted.dbt = true,
            None => return Err(unknown(name, aliases)),
        }
    }
    Ok(wanted)
}

fn unknown(name: &str, aliases: &[Alias]) -> Fault {
    if BUILT_IN.contains(&name) {
        return Fault::usage(
            format!("`{name}` is built in: it has no driver to install"),
            "leave it out; its connector works as it is",
        );
    }
    let near = nearest(name, aliases.iter().map(|alias| alias.name.as_str()).chain([DBT]));
    let near: Vec<String> = near.iter().map(|near| format!("`{near}`")).collect();
    let how = match near.as_slice() {
        [] => "hub-platform drivers list shows all drivers".to_owned(),
        near => format!("did you mean {}? hub-platform drivers list shows all drivers", near.join(" or ")),
    };
    Fault::usage(format!("there is no driver `{}`", name.escape_debug()), how)
}

#[derive(Serialize)]
struct Row {
    alias: String,
    package: String,
    version: Option<String>,
}

/// Lists what can be installed, and what is.
pub(super) fn list(json: bool) -> Result<(), Fault> {
    let data: Option<PathBuf> = settings::existing_data_dir(&process_env);
    let row = |alias: Alias| Row {
        version: data.as_ref().and_then(|data| drivers::version(data, &alias.package)),
        alias: alias.name,
        package: alias.package,
    };
    let release = settings::install_dir(&process_env)?;
    let mut rows: Vec<Row> = aliases(&release)?.into_iter().map(row).collect();
    rows.push(Row {
        alias: DBT.to_owned(),
        package: "dbt-core, dbt-duckdb, dbt-postgres".to_owned(),
        version: data.as_ref().and_then(|data| drivers::dbt_version(data)),
    });
    if json {
        print_json(&rows);
        return Ok(());
    }
    let cells = |row: Row| [row.alias, row.package, row.version.unwrap_or_else(|| "-".to_owned())];
    print_table(["ALIAS", "PACKAGE", "INSTALLED"], rows.into_iter().map(cells).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &str) -> Result<(bool, Vec<String>), String> {
        let alias = |name: &str, package: &str| Alias { name: name.to_owned(), package: package.to_owned() };
        let aliases =
            [alias("oracle", "oracledb"), alias("chroma", "chromadb"), alias("chromadb", "chromadb")];
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        let wanted = wanted(&names, &aliases).map_err(|fault| {
            assert_eq!(fault.exit(), 2);
            fault.to_string()
        })?;
        Ok((wanted.dbt, wanted.drivers.iter().map(|alias| alias.name.clone()).collect()))
    }

    #[test]
    fn names() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(check("oracle, chroma,,oracle"), Ok((false, list(&["oracle", "chroma"]))));
        assert_eq!(check("dbt"), Ok((true, list(&[]))));
        assert_eq!(
            check("oracel").unwrap_err(),
            "error: there is no driver `oracel`\n  help: did you mean `oracle`? hub-platform drivers list \
             shows all drivers"
        );
        assert_eq!(
            check("postgres").unwrap_err(),
            "error: `postgres` is built in: it has no driver to install\n  help: leave it out; its connector \
             works as it is"
        );
    }
}
