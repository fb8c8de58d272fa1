//! `cargo xtask check` and `cargo xtask golden`: everything up to the plan, and the committed example of a host.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use hub_codegen::base::failure::Finding;
use hub_codegen::base::write::{Mode, Source, sync_tree};
use hub_codegen::checks::dbt::{Dbt, untold};
use hub_codegen::checks::postgres::Postgres;
use hub_codegen::checks::types;
use hub_codegen::generate::{HostPlace, dependencies, host};
use hub_codegen::pipeline::{Checker, Front, Repo, front};
use hub_manifest::environment;

use crate::Outcome;
use crate::cli::{CheckArgs, CheckCommand, GoldenArgs};
use crate::report::Report;

/// Folder of the committed host, relative to the checkout.
const GOLDEN: &str = "tests/golden";

/// The roots that the command line names, or the checkout's own.
pub fn roots(repo: &Repo, named: &[PathBuf]) -> Vec<PathBuf> {
    if named.is_empty() { vec![repo.root.join("plugins")] } else { named.to_vec() }
}

/// Asks every check for PostgreSQL, whatever its arguments: what CI sets once.
const POSTGRES: &str = environment::HUB_CHECK_POSTGRES;

/// Runs `check`.
pub fn run(command: &CheckCommand) -> Outcome {
    let args = &command.check;
    if command.watch {
        return crate::check_watch::run(args);
    }
    match switched_on(std::env::var_os(POSTGRES).as_deref()) {
        Ok(on) => match (command.dbt, command.types, command.postgres || on) {
            (false, false, false) => once(args),
            (dbt, types, postgres) => with_tools(args, Tools { dbt, types, postgres }),
        },
        Err(wrong) => Report::new(args).usage(&wrong),
    }
}

/// Whether the variable switches it on.
fn switched_on(value: Option<&OsStr>) -> Result<bool, String> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{POSTGRES} is `{other}`: set it to 1, or to 0")),
    }
}

/// Which tools look at the plan.
#[derive(Debug, Clone, Copy)]
struct Tools {
    dbt: bool,
    types: bool,
    postgres: bool,
}

/// What is said of a check without errors.
pub fn summary(plugins: usize) -> String {
    format!("{plugins} vertical plugin{} checked", if plugins == 1 { "" } else { "s" })
}

/// The stages up to the plan, from the cache where nothing has changed.
fn once(args: &CheckArgs) -> Outcome {
    let repo = Repo::find();
    let mut report = Report::new(args);
    let checker = Checker::new(&repo, &roots(&repo, &args.plugins), &repo.version);
    match checker.and_then(|mut checker| checker.check_once()) {
        Ok(checked) => {
            report.add(checked.diagnostics.into_iter().map(Finding::from));
            report.finish(&summary(checked.plugins))
        }
        Err(error) => report.usage(&error.to_string()),
    }
}

/// The stages up to the plan and the tools that need the plan: nothing comes from the cache.
fn with_tools(args: &CheckArgs, tools: Tools) -> Outcome {
    let repo = Repo::find();
    let mut report = Report::new(args);
    match plan(&repo, args, &repo.version, false, &mut report) {
        Ok(checked) => {
            if tools.dbt {
                let starting = || eprintln!("installing dbt's parser below {}", repo.target.display());
                let found = Dbt::ensure(&repo.root, &repo.target, starting)
                    .and_then(|dbt| dbt.check(&checked.resolved.plan, &checked.loaded));
                match found {
                    Ok(found) => {
                        let found = untold(found, &checked.resolved.diagnostics);
                        report.add(found.into_iter().map(Finding::from));
                    }
                    Err(lack) => return report.machine(&lack),
                }
            }
            if tools.types {
                match types::check(&repo, &checked) {
                    Ok(found) => report.add(found.into_iter().map(Finding::from)),
                    Err(lack) => return report.machine(&lack),
                }
            }
            let mut said = summary(checked.resolved.plugins);
            if tools.postgres {
                let tried = match Postgres::find() {
                    Ok(postgres) => postgres.check(&repo, &checked),
                    Err(lack) => return report.machine(&lack),
                };
                report.add(tried.found.into_iter().map(Finding::from));
                if let Some(version) = tried.version {
                    said.push_str(&format!("; migrations tried on PostgreSQL {version}"));
                }
            }
            report.finish(&said)
        }
        Err(outcome) => outcome,
    }
}

/// The plan, with its findings given to the report; the exit code where there is none.
pub fn plan(
    repo: &Repo,
    args: &CheckArgs,
    version: &str,
    keep_going: bool,
    report: &mut Report,
) -> Result<Front, Outcome> {
    match front(repo, &roots(repo, &args.plugins), version, keep_going) {
        Ok(front) => {
            report.add(front.resolved.diagnostics.iter().cloned().map(Finding::from));
            Ok(front)
        }
        Err(error) => Err(report.usage(&error.to_string())),
    }
}

/// Runs `golden`: the host that the checkout's own plugins give.
pub fn golden(args: &GoldenArgs) -> Outcome {
    let repo = Repo::find();
    let check = CheckArgs::default();
    let mut report = Report::new(&check);
    let front = match plan(&repo, &check, &repo.version, false, &mut report) {
        Ok(front) if front.resolved.is_sound() => front,
        Ok(_) => return report.finish(""),
        Err(outcome) => return outcome,
    };
    let place = HostPlace { folder: ".", to_root: "../../", workspace: Some("../../plugins") };
    // Which crates are linked is known once cargo has resolved a staged workspace; the example is none.
    let list = ("src/dependencies.rs".to_string(), dependencies(&[]));
    let tree: BTreeMap<PathBuf, Source> = host(&front.resolved.plan, place)
        .into_iter()
        .chain([list])
        .map(|(path, text)| (PathBuf::from(path.trim_start_matches("./")), Source::Bytes(text.into_bytes())))
        .collect();
    let mode = if args.check { Mode::Check } else { Mode::Write };
    match sync_tree(&repo.root.join(GOLDEN), &tree, &[], mode) {
        Err(error) => {
            report.machine(&hub_codegen::base::failure::Machine::io("write", &repo.root.join(GOLDEN), &error))
        }
        Ok(differences) if differences.is_empty() => report.finish("the golden host is up to date"),
        Ok(differences) => {
            for difference in &differences {
                eprintln!(
                    "{}: {:?}",
                    PathBuf::from(GOLDEN).join(&difference.path).display(),
                    difference.kind
                );
            }
            if args.check {
                eprintln!(
                    "error: the golden host is out of date; run `cargo xtask golden` and commit the result"
                );
                Outcome::Failed
            } else {
                report.finish("the golden host is written")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_a_variable_asks_every_check_for_postgresql() {
        let of = |value: &str| switched_on(Some(OsStr::new(value)));
        assert_eq!(
            [switched_on(None), of(""), of("0"), of("1")],
            [Ok(false), Ok(false), Ok(false), Ok(true)]
        );
        assert!(of("yes").is_err_and(|wrong| wrong.contains("`yes`: set it to 1")));
    }
}
