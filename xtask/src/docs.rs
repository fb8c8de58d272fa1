//! `cargo xtask docs`: brings the generated documents up to date.

use hub_codegen::base::failure::Machine;
use hub_codegen::base::write::write_if_changed;
use hub_codegen::docs::{all, stale};
use hub_codegen::pipeline::Repo;

use crate::Outcome;
use crate::cli::{CheckArgs, DocsArgs};
use crate::report::Report;

/// Runs `docs`.
pub fn run(args: &DocsArgs) -> Outcome {
    let repo = Repo::find();
    let report = Report::new(&CheckArgs::default());
    let documents = match all(&repo.root) {
        Ok(documents) => documents,
        Err(error) => return report.machine(&Machine::io("read the documents of", &repo.root, &error)),
    };
    let stale = stale(&repo.root, &documents);
    for path in &stale {
        eprintln!("{}: {}", path.display(), if args.check { "out of date" } else { "written" });
    }
    if args.check {
        if stale.is_empty() {
            return report.finish("the generated documents are up to date");
        }
        eprintln!("error: generated documents are out of date; run `cargo xtask docs` and commit the result");
        return Outcome::Failed;
    }
    for path in &stale {
        let file = repo.root.join(path);
        if let Err(error) = write_if_changed(&file, documents[path].as_bytes()) {
            return report.machine(&Machine::io("write", &file, &error));
        }
    }
    report.finish("the generated documents are up to date")
}
