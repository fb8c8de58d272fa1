//! The processes of a program: what its supervisor finds below itself, what they take together, and how all of them are ended.
//!
//! What is read here (`/proc/*/stat`, `status`) is told by the kernel without asking the process or waiting for it: a program
//! cannot hold its supervisor up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};
use serde::{Deserialize, Serialize};

use super::{GRACE, Job};
use crate::settings::reason;

/// How long processes are stopped one after the other before they are killed whatever follows.
const FREEZE: Duration = Duration::from_secs(5);

/// What all processes of a program together took too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Excess {
    Memory,
    Processes,
}

/// A process, as it was a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    id: u32,
    /// The process that it was started by, or that took it over.
    pub(super) parent: u32,
    /// Of one that has ended and waits to be reaped: none.
    threads: u64,
    /// When it began, in the system's ticks: with its number, this process and no later one.
    begun: u64,
    /// Pages of memory that it has.
    pages: u64,
}

impl Process {
    /// None where the system tells something else than is known of it.
    pub(super) fn read(id: u32) -> io::Result<Option<Process>> {
        let mut bytes = Vec::new();
        File::open(format!("/proc/{id}/stat"))?.take(4096).read_to_end(&mut bytes)?;
        // Its name is the process's to choose, and need not be UTF-8.
        Ok(Process::parse(id, &String::from_utf8_lossy(&bytes)))
    }

    fn parse(id: u32, text: &str) -> Option<Process> {
        // The name in parentheses may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first field behind the name is the third of all.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let parent = u32::try_from(number(4)?).ok()?;
        let threads = if matches!(*fields.first()?, "Z" | "X") { 0 } else { number(20)? };
        Some(Process { id, parent, threads, begun: number(22)?, pages: number(24)? })
    }

    /// What no other process has: its number alone may be another one's later.
    fn name(&self) -> (u32, u64) {
        (self.id, self.begun)
    }

    /// Bytes of memory that it has to itself or shares with others of its kind; not files that are only mapped, which the system
    /// takes back when it needs room.
    fn memory(&self) -> Option<u64> {
        memory(&fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?)
    }

    /// Sends a signal to this process, and to no later one of its number. One that is gone needs none; an error where it may be
    /// there and was not reached.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.signal_by(signal, |id| pidfd_open(id, PidfdFlags::empty()))
    }

    fn signal_by(
        &self,
        signal: Signal,
        open: impl FnOnce(Pid) -> rustix::io::Result<OwnedFd>,
    ) -> io::Result<()> {
        let Some(id) = pid(self.id) else { return Ok(()) };
        let handle = match open(id) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        match Process::read(self.id) {
            Ok(Some(now)) if now.begun == self.begun => match pidfd_send_signal(&handle, signal) {
                Ok(()) | Err(Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            },
            // Its number is another's by now.
            Ok(_) => Ok(()),
            Err(error) if is_anothers(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn memory(status: &str) -> Option<u64> {
    let kib = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    Some((kib("RssAnon:")? + kib("RssShmem:")?) << 10)
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// Where the kernel lists the processes.
const PROC: &str = "/proc";

/// All processes that can be seen, this one among them, or the first of a namespace in whose `/proc` this one is not: a list without
/// it tells nothing of the others either.
fn all(known: u32) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for id in listed(Path::new(PROC))? {
        match Process::read(id) {
            Ok(process) => found.extend(process),
            Err(error) if is_anothers(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if !found.iter().any(|process| process.id == known) {
        return Err(io::Error::other(format!("process {known} is there, and not in {PROC}")));
    }
    Ok(found)
}

/// The numbers of the processes that are listed there.
fn listed(proc: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(proc)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

/// Whether a process cannot be read because it is gone meanwhile, or because the system keeps it from others: then it is not seen.
/// Whatever else stands in the way stands in the way of all of them.
fn is_anothers(error: &io::Error) -> bool {
    let gone = error.raw_os_error() == Some(libc::ESRCH);
    gone || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Sees that the processes of this machine can be looked at, which is how those of a run are counted and ended.
pub(super) fn seen() -> io::Result<()> {
    all(std::process::id()).map(drop)
}

/// Those that have come from this process.
fn below(own: u32, all: Vec<Process>) -> Vec<Process> {
    let mut by_parent: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    for process in all {
        by_parent.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut parents) = (Vec::new(), vec![own]);
    while let Some(parent) = parents.pop() {
        let children = by_parent.remove(&parent).unwrap_or_default();
        parents.extend(children.iter().map(|child| child.id));
        found.extend(children);
    }
    found
}

fn below_this() -> io::Result<Vec<Process>> {
    let own = std::process::id();
    Ok(below(own, all(own)?))
}

/// What the processes of a program take together that is more than they may; the supervisor asks.
pub(super) fn excess(job: &Job, namespace: bool) -> io::Result<Option<Excess>> {
    // In the `/proc` of its own namespace the program is alone, and the supervisor not there.
    let alone = namespace && fs::symlink_metadata("/proc/1").is_ok() && fs::read_link("/proc/self").is_err();
    let processes = if alone { all(1)? } else { below_this()? };
    // In a namespace the kernel counts them itself, and refuses the next one; but root's it lets be.
    let threads: u64 = processes.iter().map(|process| process.threads).sum();
    if threads > job.processes {
        return Ok(Some(Excess::Processes));
    }
    let most = job.together.unwrap_or(job.memory);
    let page = rustix::param::page_size() as u64;
    let resident = |process: &Process| process.pages.saturating_mul(page);
    // Mapped files are in this number, so that more has to be read only where there is something to find out.
    if processes.iter().map(resident).sum::<u64>() <= most {
        return Ok(None);
    }
    let taken: u64 =
        processes.iter().map(|process| process.memory().unwrap_or_else(|| resident(process))).sum();
    Ok((taken > most).then_some(Excess::Memory))
}

/// Ends everything below this process, and returns when it is gone. An error where something is left that nobody can name: neither
/// list of processes can be read, and has not been for a while.
pub(super) fn end() -> io::Result<()> {
    freeze();
    let mut looked = Instant::now();
    loop {
        let (own, all) = (children(), below_this());
        for child in own.iter().flatten() {
            // One that has ended meanwhile is reaped below, and whatever lives on is there in the next round.
            let _ = kill_process(*child, Signal::KILL);
        }
        // All of them, whichever cannot be reached.
        let all = all.and_then(|all| {
            let sent = all.iter().map(|process| process.signal(Signal::KILL));
            sent.fold(Ok(()), |before: io::Result<()>, this| before.and(this))
        });
        // What a process has started while it was being killed is there in the next round.
        if !reap(None) {
            return Ok(());
        }
        match (own, all) {
            // Either will do: whatever loses its parent becomes a child of this process.
            (Ok(_), _) | (_, Ok(_)) => looked = Instant::now(),
            (Err(_), Err(error)) if looked.elapsed() > GRACE => return Err(error),
            (Err(_), Err(_)) => {}
        }
    }
}

/// How long processes that are killed may take until they are gone.
const GONE: Duration = Duration::from_secs(10);

/// The processes below this one at some moment.
pub(super) struct Below(BTreeSet<(u32, u64)>);

impl Below {
    /// Those of now.
    pub(super) fn now() -> io::Result<Below> {
        Ok(Below(below_this()?.iter().map(Process::name).collect()))
    }

    /// Ends those that have come since, and returns when they are gone: only what waits to be reaped is left of them. This process
    /// is to be the one that gets those which lose their parent. An error where one of them does not let itself be ended.
    pub(super) fn end_later(&self) -> io::Result<()> {
        end_all(|| self.later(), Process::signal, GONE)
    }

    /// Those that have come since, and have not ended.
    fn later(&self) -> io::Result<Vec<Process>> {
        let mut later = below_this()?;
        later.retain(|process| process.threads > 0 && !self.0.contains(&process.name()));
        Ok(later)
    }
}

/// Ends all that are left, as long as there are any. One that may not be signalled (another user's, behind `sudo`) keeps no other
/// alive; it is told when time is over.
fn end_all(
    left: impl Fn() -> io::Result<Vec<Process>>,
    send: impl Fn(&Process, Signal) -> io::Result<()>,
    patience: Duration,
) -> io::Result<()> {
    let begun = Instant::now();
    let mut stopped = BTreeSet::new();
    let mut unreached: io::Result<()> = Ok(());
    loop {
        let all = left()?;
        let Some(first) = all.first() else { return Ok(()) };
        if begun.elapsed() >= patience {
            unreached?;
            return Err(io::Error::other(format!("process {} does not let itself be ended", first.id)));
        }
        // Stopped first, until a round finds none that is new: one that is stopped starts no other.
        let new: Vec<&Process> = all.iter().filter(|process| stopped.insert(process.name())).collect();
        if !new.is_empty() && begun.elapsed() < FREEZE {
            for process in new {
                // One that is not reached is not killed either, and told then.
                let _ = send(process, Signal::STOP);
            }
            continue;
        }
        let killed = all.iter().map(|process| {
            let told =
                |e: io::Error| format!("process {} does not let itself be ended: {}", process.id, reason(&e));
            send(process, Signal::KILL).map_err(|e| io::Error::new(e.kind(), told(e)))
        });
        // All of them, whichever cannot be reached.
        unreached = killed.fold(Ok(()), |before: io::Result<()>, this| before.and(this));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Stops them all, until a round finds none that is new: one that is killed makes room for another, and what starts others without
/// end is faster than whoever kills one by one. One that is stopped starts none, and keeps its place.
fn freeze() {
    let begun = Instant::now();
    let (mut stopped, mut deeper) = (BTreeSet::new(), BTreeSet::new());
    while begun.elapsed() < FREEZE {
        // The short list first, and again: one that starts another and ends has left by the time that a long one is read. So what
        // has ended is not left on it; its number is another process's then.
        while let Ok(Some((ended, _))) = waitpid(None, WaitOptions::NOHANG) {
            stopped.remove(&ended.as_raw_nonzero());
        }
        let new: Vec<Pid> =
            children().into_iter().flatten().filter(|child| stopped.insert(child.as_raw_nonzero())).collect();
        if !new.is_empty() {
            for child in new {
                let _ = kill_process(child, Signal::STOP);
            }
            continue;
        }
        // Whether they can be looked at is told by whoever kills them.
        let mut new = below_this().unwrap_or_default();
        new.retain(|process| deeper.insert((process.id, process.begun)));
        if new.is_empty() {
            return;
        }
        for process in new {
            // One that was not reached is new in the next round too; that it cannot be is told by whoever kills it.
            if process.signal(Signal::STOP).is_err() {
                deeper.remove(&(process.id, process.begun));
            }
        }
    }
}

/// The children of this process, as the kernel keeps them: where `/proc` shows nobody who does not let itself be looked into, they
/// are here all the same. (A kernel may be without this list.) Only this process reaps them, so their numbers are theirs.
fn children() -> io::Result<Vec<Pid>> {
    let list = fs::read_to_string("/proc/thread-self/children")?;
    Ok(list.split_whitespace().filter_map(|id| pid(id.parse().ok()?)).collect())
}

/// Reaps those that have ended and were left to this process, but for the first: how that one ended is looked at elsewhere. Whether
/// there were any.
pub(super) fn reap_left(first: Pid) -> bool {
    let mut any = false;
    while let Some(ended) = ended().filter(|ended| *ended != first) {
        // It has ended, and nobody else reaps it.
        let _ = waitpid(Some(ended), WaitOptions::NOHANG);
        any = true;
    }
    any
}

/// A child that has ended and is not reaped yet.
fn ended() -> Option<Pid> {
    // SAFETY: numbers alone, for which nothing is a value too.
    #[allow(unsafe_code)]
    let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: what is told lives through the call; without a child that has ended its number stays zero.
    #[allow(unsafe_code)]
    let number =
        unsafe { if libc::waitid(libc::P_ALL, 0, &raw mut about, flags) == 0 { about.si_pid() } else { 0 } };
    Pid::from_raw(number)
}

/// Reaps the child, or, where none is named, those that have ended; false where there are no children. Waits a moment where
/// none has ended.
pub(super) fn reap(child: Option<Pid>) -> bool {
    let (which, flags) = child.map_or((-1, libc::WNOHANG), |child| (child.as_raw_nonzero().get(), 0));
    loop {
        // SAFETY: a null pointer says that the status is not wanted.
        #[allow(unsafe_code)]
        let got = unsafe { libc::waitpid(which, std::ptr::null_mut(), flags) };
        match got {
            0 => {
                std::thread::sleep(Duration::from_millis(5));
                return true;
            }
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return false,
            _ if child.is_some() => return true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn process(id: u32, parent: u32) -> Process {
        Process { id, parent, threads: 1, begun: 1, pages: 1 }
    }

    #[test]
    fn s13_a_name_hides_no_process() {
        let rest = "S 7 42 42 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 3 0 91 1000 25 18446744073709551615";
        for name in ["sh", "a) R 1 1 1", ") ", "\u{fffd}"] {
            let read = Process::parse(42, &format!("42 ({name}) {rest}"));
            assert_eq!(read, Some(Process { id: 42, parent: 7, threads: 3, begun: 91, pages: 25 }), "{name}");
        }
        let ended = Process::parse(42, &format!("42 (sh) {}", rest.replacen('S', "Z", 1))).unwrap();
        assert_eq!((ended.threads, ended.begun), (0, 91));
        assert_eq!(Process::parse(42, "42 (sh) S 7"), None);
        let own = Process::read(std::process::id()).unwrap().unwrap();
        assert!(own.threads > 0 && own.pages > 0 && own.memory().unwrap() > 0, "{own:?}");
    }

    #[test]
    fn s13_all_that_has_come_from_a_process_is_found() {
        let all = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 4), (9, 9)];
        let all: Vec<Process> = all.into_iter().map(|(id, parent)| process(id, parent)).collect();
        let mut found: Vec<u32> = below(2, all.clone()).iter().map(|process| process.id).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4, 7]);
        assert!(below(8, all.clone()).is_empty());
        // Read one after the other, two may each be the other's parent.
        assert_eq!(below(9, all).len(), 1);
    }

    #[test]
    fn s13_a_list_that_cannot_be_read_is_not_an_empty_one() {
        let own = std::process::id();
        assert!(listed(Path::new(PROC)).unwrap().contains(&own));
        assert!(all(own).unwrap().iter().any(|process| process.id == own));
        seen().unwrap();
        let folder = std::env::temp_dir().join(format!("hub-tree-{own}"));
        assert_eq!(listed(&folder).unwrap_err().kind(), io::ErrorKind::NotFound);
        // No process has this number: what should be there and is not was not looked at.
        let said = all(u32::MAX).unwrap_err().to_string();
        assert!(said.contains(&u32::MAX.to_string()), "{said}");
        // Gone meanwhile, and kept from others; a host without free descriptors sees nobody.
        for (number, anothers) in [
            (libc::ENOENT, true),
            (libc::ESRCH, true),
            (libc::EACCES, true),
            (libc::EPERM, true),
            (libc::EMFILE, false),
            (libc::EIO, false),
        ] {
            assert_eq!(is_anothers(&io::Error::from_raw_os_error(number)), anothers, "{number}");
        }
    }

    #[test]
    fn s13_a_process_that_cannot_be_reached_is_not_gone() {
        let own = Process::read(std::process::id()).unwrap().unwrap();
        let sent = |error| own.signal_by(Signal::CONT, |_| Err(error));
        for short in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::PERM] {
            assert_eq!(sent(short).unwrap_err().raw_os_error(), Some(short.raw_os_error()));
        }
        sent(Errno::SRCH).unwrap();
        // Another process has its number.
        let earlier = Process { begun: own.begun + 1, ..own.clone() };
        earlier.signal(Signal::KILL).unwrap();
        own.signal(Signal::CONT).unwrap();
    }

    /// `sudo` is root's: whoever is not may not signal it, and ends all others.
    #[test]
    fn s13_a_process_that_may_not_be_signalled_keeps_no_other_alive() {
        let lives = RefCell::new(vec![process(2, 1), process(3, 2), process(4, 1), process(5, 4)]);
        let (begun, patience) = (Instant::now(), Duration::from_millis(100));
        let sent = RefCell::new(Vec::new());
        let ended = end_all(
            || Ok(lives.borrow().clone()),
            |process, signal| {
                sent.borrow_mut().push((process.id, signal == Signal::KILL));
                if [2, 4].contains(&process.id) {
                    return Err(Errno::PERM.into());
                }
                if signal == Signal::KILL {
                    lives.borrow_mut().retain(|other| other.id != process.id);
                }
                Ok(())
            },
            patience,
        );
        let left: Vec<u32> = lives.borrow().iter().map(|process| process.id).collect();
        assert_eq!(left, [2, 4]);
        let sent = sent.into_inner();
        for id in [2, 3, 4, 5] {
            let to = |kill: bool| sent.iter().position(|one| *one == (id, kill));
            assert!(to(false).is_some() && to(false) < to(true), "{id}: {sent:?}");
        }
        // Told when they had their time, with the one that was not reached.
        let error = ended.unwrap_err();
        assert!(begun.elapsed() >= patience && error.kind() == io::ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().starts_with("process 2 does not let itself be ended: "), "{error}");
        // All of them may be signalled, and one stays.
        let error = end_all(|| Ok(vec![process(7, 1)]), |_, _| Ok(()), patience).unwrap_err();
        assert_eq!(error.to_string(), "process 7 does not let itself be ended");
        end_all(|| Ok(Vec::new()), |_, _| Ok(()), patience).unwrap();
    }

    #[test]
    fn mapped_files_are_not_counted() {
        let status =
            "VmRSS:\t  500 kB\nRssAnon:\t     100 kB\nRssFile:\t     300 kB\nRssShmem:\t      20 kB\n";
        assert_eq!(memory(status), Some(120 << 10));
        // A kernel thread, or one that has ended, has none.
        assert_eq!(memory("Name:\tx\n"), None);
    }
}
