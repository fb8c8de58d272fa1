//! `drivers`: optional pip packages for connectors, and dbt, installed into the data folder.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use hub_manifest::grammar::nearest;
use hub_manifest::limits::Limit;
use serde::Serialize;

use super::{existing_data_dir, print_json, print_table};
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
    for name in chosen.others() {
        // It takes a while, and may not be what was meant.
        let _ = writeln!(
            io::stderr(),
            "`{name}` is no driver of this release: it is taken for a pip package, to lie beside dbt"
        );
    }
    let (data, _) = settings::data_dir(&process_env)?;
    let limit = settings::limits(&process_env)?.time(Limit::InstallSeconds);
    for (name, version) in chosen.install(&data, limit)? {
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

    /// Installs all of them, or none; gives names and versions. Each program that does it is ended after that time.
    pub(crate) fn install(&self, data: &Path, limit: Duration) -> Result<Vec<(String, String)>, Fault> {
        let wanted = wanted(&self.names, &self.aliases)?;
        drivers::install(data, &wanted, limit).map_err(|fault| {
            // What lay beside dbt before was installed once, and is not what is wrong.
            let of_names = fault.what().starts_with(drivers::BESIDE_FAILED) && !wanted.beside.is_empty();
            if of_names { taken_for_packages(&fault, &wanted.beside, &self.aliases) } else { fault }
        })
    }

    /// Sees that each name is a driver's, an adapter's of dbt, or a package's with its version: what else could be one is as
    /// likely a slip, and pip would find out only after the rest was set up.
    pub(crate) fn none_by_mistake(&self) -> Result<(), Fault> {
        let Some(name) = self.others().into_iter().find(|name| !name.contains("==")) else { return Ok(()) };
        Err(Fault::usage(
            format!("`{}` is no driver of this release", name.escape_debug()),
            format!(
                "{}; a Python package to lie beside dbt is named with its version: {name}==1.0.0",
                known(&self.aliases)
            ),
        ))
    }

    /// Names that are no driver's, and do not look like an adapter of dbt's.
    fn others(&self) -> Vec<&str> {
        let names = self.names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let is_driver = |name: &str| name == DBT || self.aliases.iter().any(|alias| alias.name == name);
        names.filter(|name| !is_driver(name) && !drivers::plain(name).starts_with("dbt-")).collect()
    }
}

/// A failure of pip's with packages that nobody may have meant: the drivers that there are go with it.
fn taken_for_packages(fault: &Fault, packages: &[String], aliases: &[Alias]) -> Fault {
    let shown = |names: &[&str]| format!("`{}`", names.join("`, `"));
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let plain: Vec<String> = packages.iter().map(|package| drivers::plain(package)).collect();
    let mut meant: Vec<&str> = plain.iter().flat_map(|name| near(name, aliases)).collect();
    meant.sort_unstable();
    meant.dedup();
    let meant = if meant.is_empty() { String::new() } else { format!("did you mean {}? ", shown(&meant)) };
    Fault::machine(
        format!("{}; no driver of this release is named {}", fault.what(), shown(&packages)),
        format!("{meant}{}; for a pip package: {}", known(aliases), fault.how()),
    )
}

/// The names that stand for a driver.
fn known(aliases: &[Alias]) -> String {
    let mut names: Vec<&str> = aliases.iter().map(|alias| alias.name.as_str()).chain([DBT]).collect();
    names.sort_unstable();
    format!("the drivers are {}", names.join(", "))
}

fn aliases(release: &Path) -> Result<Vec<Alias>, Fault> {
    drivers::read(release).map_err(|what| {
        Fault::machine(what, "restore drivers.yaml from the release, or set INSTALL_DIR to an unpacked one")
    })
}

/// What these names stand for.
fn wanted<'a>(names: &[String], aliases: &'a [Alias]) -> Result<Wanted<'a>, Fault> {
    let mut wanted = Wanted { dbt: false, drivers: Vec::new(), beside: Vec::new() };
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match aliases.iter().find(|alias| alias.name == name) {
            Some(alias) if !wanted.drivers.contains(&alias) => wanted.drivers.push(alias),
            Some(_) => {}
            None if name == DBT => wanted.dbt = true,
            None if is_beside(name, aliases) => {
                if !wanted.beside.iter().any(|other| other == name) {
                    wanted.beside.push(name.to_owned());
                }
            }
            None => return Err(unknown(name, aliases)),
        }
    }
    Ok(wanted)
}

/// Whether this is a package to lie beside dbt: an adapter, or what a Python model imports. A name that is nearly a
/// driver's is most likely a mistake, and whoever means it writes the version.
fn is_beside(name: &str, aliases: &[Alias]) -> bool {
    let own = ["dbt-core", "dbt-duckdb", "dbt-postgres", "pip", "setuptools"];
    let meant = name.contains("==") || near(name, aliases).is_empty();
    drivers::is_exact(name)
        && !BUILT_IN.contains(&name)
        && !own.contains(&drivers::plain(name).as_str())
        && meant
}

fn near<'a>(name: &str, aliases: &'a [Alias]) -> Vec<&'a str> {
    nearest(name, aliases.iter().map(|alias| alias.name.as_str()).chain([DBT]))
}

fn unknown(name: &str, aliases: &[Alias]) -> Fault {
    if BUILT_IN.contains(&name) {
        return Fault::usage(
            format!("`{name}` is built in: it has no driver to install"),
            "leave it out; its connector works as it is",
        );
    }
    if !drivers::is_exact(name) {
        return Fault::usage(
            format!("`{}` is neither a driver nor the name of a pip package", name.escape_debug()),
            format!(
                "{}; a pip package is a name such as pandas, or name==version such as dbt-snowflake==1.11.0: options, \
                 addresses and files are not taken",
                known(aliases)
            ),
        );
    }
    let near: Vec<String> = near(name, aliases).iter().map(|near| format!("`{near}`")).collect();
    let how = match near.as_slice() {
        [] => format!("`drivers install dbt` brings it at the version that fits; {}", known(aliases)),
        near => format!(
            "did you mean {}? hub-platform drivers list shows all drivers; a package of this very name is written with its \
             version, {name}==…",
            near.join(" or ")
        ),
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
    let data = existing_data_dir();
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
    let beside = data.as_ref().map(|data| drivers::beside_dbt(data)).unwrap_or_default();
    rows.extend(beside.into_iter().map(|(package, version)| Row {
        alias: drivers::plain(&package),
        package: format!("{package} (beside dbt)"),
        version,
    }));
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

    // D11
    #[test]
    fn d11_other_packages_lie_beside_dbt() {
        let aliases = [Alias { name: "oracle".to_owned(), package: "oracledb".to_owned() }];
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found =
                wanted(&names, &aliases).map(|wanted| (wanted.dbt, wanted.drivers.len(), wanted.beside));
            found.map_err(|fault| fault.to_string())
        };
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            of(&["oracle", "dbt-snowflake", "pandas==3.0.0", "pandas==3.0.0"]),
            Ok((false, 1, list(&["dbt-snowflake", "pandas==3.0.0"])))
        );
        assert_eq!(of(&["oracel==1.0"]), Ok((false, 0, list(&["oracel==1.0"]))));
        for wrong in
            ["oracel", "dbt-core", "dbt_core==1.0", "postgres", "--pre", "https://x/y.whl", "../x", "a>=1"]
        {
            assert!(of(&[wrong]).is_err(), "{wrong}");
        }
        assert!(of(&["git+https://x"]).unwrap_err().contains("options, addresses and files are not taken"));
    }

    /// A name that pip does not know was most likely to be a driver's: those that there are go with the failure.
    #[test]
    fn a_package_that_pip_does_not_have_is_told_with_the_drivers_that_there_are() {
        let alias = |name: &str| Alias { name: name.to_owned(), package: format!("{name}-driver") };
        let aliases = vec![alias("oracle"), alias("chroma")];
        let failed =
            Fault::machine(format!("{}: exit status: 1", drivers::BESIDE_FAILED), "see that PyPI is reached");
        let said = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            taken_for_packages(&failed, &names, &aliases).to_string()
        };
        let text = said(&["nope"]);
        for part in
            ["no driver of this release is named `nope`", "the drivers are chroma, dbt, oracle", "PyPI"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("did you mean"), "{text}");
        assert!(said(&["oracel==1.0"]).contains("did you mean `oracle`?"));
        let names = ["nope", "dbt-snowflake", "oracle", "dbt", ""].map(str::to_owned).to_vec();
        assert_eq!(Chosen { aliases, names }.others(), ["nope"]);
    }

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
             shows all drivers; a package of this very name is written with its version, oracel==…"
        );
        assert_eq!(
            check("postgres").unwrap_err(),
            "error: `postgres` is built in: it has no driver to install\n  help: leave it out; its connector \
             works as it is"
        );
    }
}
