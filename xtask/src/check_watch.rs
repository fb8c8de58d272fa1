//! `cargo xtask check --watch`: one answer now, and one more after every change, until it is interrupted.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use hub_codegen::base::failure::Finding;
use hub_codegen::pipeline::{Checked, Checker, FrontError, Repo};
use hub_codegen::report::summary;

use crate::Outcome;
use crate::check::{roots, summary as checked_plugins};
use crate::cli::{CheckArgs, MessageFormat};
use crate::interrupt::on_interrupt;
use crate::report::Report;
use crate::watch::{Change, Watch, channel, next, watch};

/// How long the disk must be quiet before a check starts: long enough for an editor that writes a file in several steps,
/// and too short to be felt.
const QUIET: Duration = Duration::from_millis(10);
/// How often a root that is not there is looked for, and one that is there is told from its successor.
const LOOK: Duration = Duration::from_millis(500);

/// Runs `check --watch` until it is interrupted.
pub fn run(args: &CheckArgs) -> Outcome {
    let repo = Repo::find();
    let roots = roots(&repo, &args.plugins);
    if args.message_format == MessageFormat::Sarif {
        let message = "a SARIF document holds one answer, --watch gives many: take --message-format json";
        return Report::new(args).usage(message);
    }
    let mut checker = match Checker::new(&repo, &roots, &repo.version) {
        Ok(checker) => checker,
        Err(error) => return Report::new(args).usage(&error.to_string()),
    };
    let (sender, receiver) = channel();
    let stop = sender.clone();
    if let Err(error) = on_interrupt(move || drop(stop.send(Change::Stop))) {
        eprintln!("error: cannot wait for an interrupt: {error}");
        return Outcome::Machine;
    }
    let folders = checker.folders();
    let mut first = true;
    loop {
        // Watched first and checked then: what changes in between is told of.
        let identity = identities(&folders);
        let running = match watch_all(&folders, &sender) {
            Ok(running) => running,
            Err(error) if gone(&error) => {
                std::thread::sleep(LOOK);
                continue;
            }
            Err(error) => {
                eprintln!("error: cannot watch for changes: {error}");
                return Outcome::Machine;
            }
        };
        let begun = Instant::now();
        let checked = checker.check_again();
        let wrong = checked.is_err();
        answer(args, checked, begun);
        if wrong && first {
            return Outcome::Usage;
        }
        first = false;
        if follow(&mut checker, args, &receiver, &folders, &identity) {
            return Outcome::Done;
        }
        drop(running);
    }
}

/// Answers after every change; true where it was interrupted, false where a folder is another one than it was.
fn follow(
    checker: &mut Checker,
    args: &CheckArgs,
    receiver: &Receiver<Change>,
    folders: &[(PathBuf, bool)],
    identity: &[Option<(u64, u64)>],
) -> bool {
    loop {
        match next(receiver, QUIET, LOOK) {
            Some((_, changes)) if changes.stop => return true,
            // A watch follows the folder, not its name.
            _ if identities(folders) != identity => return false,
            Some((begun, changes)) => {
                let checked = match changes.anything {
                    true => checker.check_again().map(Some),
                    false => checker.check_touched(&changes.paths),
                };
                if let Some(checked) = checked.transpose() {
                    answer(args, checked, begun);
                }
            }
            None => {}
        }
    }
}

/// Says what was found, and how long it took since the change.
fn answer(args: &CheckArgs, checked: Result<Checked, FrontError>, begun: Instant) {
    let mut report = Report::new(args);
    match checked {
        Ok(checked) => {
            report.add(checked.diagnostics.into_iter().map(Finding::from));
            let counts = report.counts();
            report.finish("");
            if args.message_format == MessageFormat::Human {
                eprintln!(
                    "{} in {} ms: {}; watching for changes\n",
                    checked_plugins(checked.plugins),
                    begun.elapsed().as_millis(),
                    summary(counts)
                );
            }
        }
        Err(error) => drop(report.usage(&error.to_string())),
    }
    // A reader that has gone will be noticed with the next line.
    let _ = std::io::stdout().flush();
}

fn watch_all(folders: &[(PathBuf, bool)], sender: &Sender<Change>) -> notify::Result<Watch> {
    let there = folders.iter().filter_map(|(folder, below)| Some((folder.canonicalize().ok()?, *below)));
    watch(&there.collect::<Vec<_>>(), sender.clone(), counts)
}

/// A folder that vanished just now is looked for again; a limit of the system stays.
fn gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Whether a file of this name can change an answer: not what editors keep beside the files they edit.
fn counts(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name == ".dbtignore" || !(name.starts_with('.') || name.ends_with('~'))
}

/// Device and inode of each folder; nothing for one that is not there.
fn identities(folders: &[(PathBuf, bool)]) -> Vec<Option<(u64, u64)>> {
    let identity = |folder: &PathBuf| std::fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()));
    folders.iter().map(|(folder, _)| identity(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_keep_beside_a_file_does_not_count() {
        for (name, expect) in
            [("Panel.tsx", true), (".dbtignore", true), (".Panel.tsx.swp", false), ("Panel.tsx~", false)]
        {
            assert_eq!(counts(&Path::new("/plugins/crm/.git").join(name)), expect, "{name}");
        }
    }
}
