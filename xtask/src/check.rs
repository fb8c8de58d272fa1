//! `cargo xtask check` and `cargo xtask golden`: everything up to the plan, and the committed example of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hub_codegen::dbt::{Dbt, untold};
use hub_codegen::failure::Finding;
use hub_codegen::generate::{HostPlace, dependencies, host};
use hub_codegen::pipeline::{Checker, Front, Repo, front};
use hub_codegen::types;
use hub_codegen::write::{Mode, Source, sync_tree};

use crate::Outcome;
use crate::cli::{CheckArgs, CheckCommand, GoldenArgs};
use crate::report::Report;

/// Folder of the committed host, relative to the checkout.
const GOLDEN: &str = "tests/golden";

/// The roots that the command line names, or the checkout's own.
pub fn roots(repo: &Repo, named: &[PathBuf]) -> Vec<PathBuf> {
    if named.is_empty() { vec![repo.root.join("plugins")] } else { named.to_vec() }
}

/// Runs `check`.
pub fn run(command: &CheckCommand) -> Outcome {
    let args = &command.check;
    match command {
        CheckCommand { watch: true, .. } => crate::check_watch::run(args),
        CheckCommand { dbt: true, .. } | CheckCommand { types: true, .. } => with_tools(command),
        _ => once(args),
    }
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
fn with_tools(command: &CheckCommand) -> Outcome {
    let args = &command.check;
    let repo = Repo::find();
    let mut report = Report::new(args);
    match plan(&repo, args, &repo.version, false, &mut report) {
        Ok(checked) => {
            if command.dbt {
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
            if command.types {
                match types::check(&repo, &checked) {
                    Ok(found) => report.add(found.into_iter().map(Finding::from)),
                    Err(lack) => return report.machine(&lack),
                }
            }
            report.finish(&summary(checked.resolved.plugins))
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
            report.machine(&hub_codegen::failure::Machine::io("write", &repo.root.join(GOLDEN), &error))
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
