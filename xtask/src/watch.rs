//! Watches folders for changes, for `dev` and `check --watch`; and `check --watch` itself.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hub_codegen::failure::Finding;
use hub_codegen::pipeline::{Checker, Repo};
use notify_debouncer_full::notify::{self, EventKind, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, new_debouncer};

use crate::Outcome;
use crate::check::{roots, summary};
use crate::cli::{CheckArgs, MessageFormat};
use crate::report::Report;

/// How long the disk must be quiet before a check starts.
const QUIET: Duration = Duration::from_millis(20);
/// How often a root that is not there is looked for, and one that is there is told from its successor.
const LOOK: Duration = Duration::from_millis(500);
/// What tools write into the folders that are watched.
const IGNORED: &[&str] = &["target", "node_modules", ".git", "dbt_packages", "logs", "__pycache__"];

/// Runs `check --watch` until it is interrupted.
pub fn run(args: &CheckArgs) -> Outcome {
    let repo = Repo::find();
    let roots = roots(&repo, &args.plugins);
    let mut checker = match Checker::new(&repo, &roots, &repo.version) {
        Ok(checker) => checker,
        Err(error) => return Report::new(args).usage(&error.to_string()),
    };
    let mut watched = roots;
    watched.push(repo.shell().join("src"));
    loop {
        // Watched first and checked then: what changes in between is told of.
        let identity = identities(&watched);
        let there: Vec<PathBuf> = watched.iter().filter(|folder| folder.is_dir()).cloned().collect();
        let changes = match watch(&there, QUIET) {
            Ok(changes) => changes,
            // A folder that vanished just now is looked for again; a limit of the system stays.
            Err(error)
                if matches!(error.kind, notify::ErrorKind::PathNotFound | notify::ErrorKind::Io(_)) =>
            {
                std::thread::sleep(LOOK);
                continue;
            }
            Err(error) => {
                eprintln!("error: cannot watch for changes: {error}");
                return Outcome::Machine;
            }
        };
        round(&mut checker, args);
        loop {
            match changes.receiver.recv_timeout(LOOK) {
                Ok(()) => {
                    while changes.receiver.try_recv().is_ok() {}
                    if identities(&watched) != identity {
                        break;
                    }
                    round(&mut checker, args);
                }
                // A watch follows the folder, not its name.
                Err(RecvTimeoutError::Timeout) if identities(&watched) != identity => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Outcome::Done,
            }
        }
    }
}

/// Checks once and says what was found, and how long it took.
fn round(checker: &mut Checker, args: &CheckArgs) {
    let begun = Instant::now();
    let checked = checker.check_again();
    let took = begun.elapsed();
    let human = args.message_format == MessageFormat::Human;
    if human && std::io::stderr().is_terminal() {
        // The screen anew, with what was on it still to be scrolled back to.
        eprint!("\x1b[H\x1b[2J");
    }
    let mut report = Report::new(args);
    match checked {
        Ok(checked) => {
            let text = summary(checked.plugins);
            report.add(checked.diagnostics.into_iter().map(Finding::from));
            report.finish(&text);
        }
        Err(error) => {
            report.usage(&error.to_string());
        }
    }
    if human {
        eprintln!("checked in {} ms; watching for changes", took.as_millis());
    }
    let _ = std::io::stdout().flush();
}

/// Device and inode of each folder; nothing for one that is not there.
fn identities(folders: &[PathBuf]) -> Vec<Option<(u64, u64)>> {
    let identity = |folder: &PathBuf| std::fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()));
    folders.iter().map(identity).collect()
}

/// A running watch: it ends when it is dropped.
pub struct Changes {
    /// Hears of every change, once the disk is quiet.
    pub receiver: Receiver<()>,
    _watch: Box<dyn std::any::Any>,
}

/// Watches folders, new and removed files and folders too; says so once the disk was quiet for a while.
pub fn watch(folders: &[PathBuf], quiet: Duration) -> Result<Changes, notify::Error> {
    let (sender, receiver) = mpsc::channel();
    let below: Vec<PathBuf> = folders.to_vec();
    let told = move |result: DebounceEventResult| {
        let relevant = match result {
            Ok(events) => events.iter().any(|event| {
                !matches!(event.kind, EventKind::Access(_))
                    && event.paths.iter().any(|path| counts(path, &below))
            }),
            // An overflow of the queue: something changed, whatever it was.
            Err(_) => true,
        };
        if relevant {
            // Fails only while the program ends.
            let _ = sender.send(());
        }
    };
    let mut debouncer = new_debouncer(quiet, None, told)?;
    for folder in folders {
        debouncer.watch(folder, RecursiveMode::Recursive)?;
    }
    Ok(Changes { receiver, _watch: Box::new(debouncer) })
}

/// Whether a change of this path can change the platform. Names above the watched folders do not matter.
fn counts(path: &Path, folders: &[PathBuf]) -> bool {
    let ignored = |name: &str| IGNORED.contains(&name) || name.starts_with('.') || name.ends_with('~');
    let inner = folders.iter().find_map(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
    !inner.components().any(|part| part.as_os_str().to_str().is_some_and(ignored))
}
