//! Tells what changes in folders, for `dev` and `check --watch`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::Flag;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Longest wait for a disk that does not become quiet.
const LONGEST: Duration = Duration::from_millis(500);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A file or folder of this path was made, changed or removed.
    Path(PathBuf),
    /// More changed than can be told.
    Anything,
    /// Whoever waits should end.
    Stop,
}

/// What happened in a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// All paths that changed.
    pub paths: BTreeSet<PathBuf>,
    /// Whether there may be more of them.
    pub anything: bool,
    /// Whether whoever waits should end.
    pub stop: bool,
}

impl Changes {
    fn add(&mut self, change: Change) {
        match change {
            Change::Path(path) => drop(self.paths.insert(path)),
            Change::Anything => self.anything = true,
            Change::Stop => self.stop = true,
        }
    }
}

/// A running watch: it ends when it is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// Watches folders, new and removed files and folders too, and everything below where that is wanted. What happens at a
/// path that counts is sent on.
pub fn watch(
    folders: &[(PathBuf, bool)],
    sender: Sender<Change>,
    counts: impl Fn(&Path) -> bool + Send + 'static,
) -> notify::Result<Watch> {
    // A failed send means that nobody waits any more: the program ends.
    let send = move |change| drop(sender.send(change));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
        Ok(event) if event.attrs.flag() == Some(Flag::Rescan) => send(Change::Anything),
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
        Ok(event) => {
            event.paths.into_iter().filter(|path| counts(path)).for_each(|path| send(Change::Path(path)))
        }
        Err(_) => send(Change::Anything),
    })?;
    for (folder, below) in folders {
        let mode = if *below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(folder, mode)?;
    }
    Ok(Watch { _watcher: watcher })
}

/// Waits for a change and for the quiet after it; gives when the first change came, and all of them. Nothing where none
/// came in `patience`.
pub fn next(receiver: &Receiver<Change>, quiet: Duration, patience: Duration) -> Option<(Instant, Changes)> {
    let mut changes = Changes::default();
    match receiver.recv_timeout(patience) {
        Ok(change) => changes.add(change),
        Err(RecvTimeoutError::Timeout) => return None,
        Err(RecvTimeoutError::Disconnected) => changes.stop = true,
    }
    let begun = Instant::now();
    while !changes.stop && begun.elapsed() < LONGEST {
        match receiver.recv_timeout(quiet) {
            Ok(change) => changes.add(change),
            Err(_) => break,
        }
    }
    Some((begun, changes))
}

/// A way to tell of changes, and its other end.
pub fn channel() -> (Sender<Change>, Receiver<Change>) {
    mpsc::channel()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(10);

    #[test]
    fn changes_are_told_together_once_the_disk_is_quiet() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (sender, receiver) = channel();
        let _watch = watch(&[(root.clone(), true)], sender, |path| !path.ends_with("x~")).unwrap();
        assert_eq!(next(&receiver, SOON, SOON), None);

        std::fs::write(root.join("x~"), "").unwrap();
        assert_eq!(next(&receiver, SOON, SOON), None, "a path that does not count");

        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("b"), "").unwrap();
        let (_, changes) = next(&receiver, SOON, LATE).unwrap();
        assert_eq!(changes.paths, BTreeSet::from([root.join("a"), root.join("b")]));
        assert!(!changes.stop && !changes.anything);

        std::fs::write(root.join("a/c"), "").unwrap();
        let (_, changes) = next(&receiver, SOON, LATE).unwrap();
        assert_eq!(changes.paths, BTreeSet::from([root.join("a/c")]), "a file of a new folder");
        std::fs::read(root.join("a/c")).unwrap();
        assert_eq!(next(&receiver, SOON, SOON), None, "reading changes nothing");
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let (sender, receiver) = channel();
        sender.send(Change::Stop).unwrap();
        assert!(next(&receiver, LATE, LATE).unwrap().1.stop);
        drop(sender);
        assert!(next(&receiver, LATE, LATE).unwrap().1.stop, "nobody is left to tell of changes");
    }
}
