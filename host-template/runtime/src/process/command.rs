//! A command of the machine's own, run to its end by a command line of this program: `systemctl`, `id`, `useradd`, what restarts a
//! service, this program as somebody else. Nothing confines it, and what it leaves running when it ends in time is meant. One that
//! does not end in time is ended with all that it has started.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::set_child_subreaper;

use super::tree;

/// Most that is read of what a command says, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// How long the output of a command that has ended may stay open.
const OPEN: Duration = Duration::from_secs(2);

/// A command that has ended, and what it has said.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    /// Empty where something that it has started holds it.
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    /// Whether something that it has started holds its output still.
    pub(crate) held: bool,
}

/// Runs a command to its end, and listens to so much of it as is needed. An error of the kind [`io::ErrorKind::TimedOut`] where it
/// did not end in time. Not for a host that serves: what else this process starts meanwhile would be ended with a command that
/// is late.
pub(crate) fn ran(mut command: Command, limit: Duration) -> io::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What loses its parent is this process's child from now on, and is found where all of it is to be ended.
    let orphans = Orphans::taken()?;
    let before = tree::Below::now()?;
    let mut child = command.spawn()?;
    let out = listen(child.stdout.take());
    let err = listen(child.stderr.take());
    let status = wait(&mut child, limit, &before)?;
    drop(orphans);
    let begun = Instant::now();
    while !(out.is_finished() && err.is_finished()) && begun.elapsed() < OPEN {
        thread::sleep(Duration::from_millis(10));
    }
    let held = !(out.is_finished() && err.is_finished());
    Ok(Ran { status, out: said(out)?, err: said(err)?, held })
}

/// Runs a command to its end, with the input and output that it was given. An error of the kind [`io::ErrorKind::TimedOut`], and the
/// end of all that it has started, as with [`ran`].
pub(crate) fn lasted(mut command: Command, limit: Duration) -> io::Result<ExitStatus> {
    let _orphans = Orphans::taken()?;
    let before = tree::Below::now()?;
    let mut child = command.spawn()?;
    wait(&mut child, limit, &before)
}

/// [`ran`], where all that the command has said is needed.
pub(crate) fn hear(command: Command, limit: Duration) -> io::Result<Ran> {
    match ran(command, limit)? {
        Ran { held: true, .. } => {
            Err(io::Error::other("it ended, and something that it started holds its output"))
        }
        ran => Ok(ran),
    }
}

/// For as long as this is there, processes below this one that lose their parent become its children.
struct Orphans;

impl Orphans {
    fn taken() -> io::Result<Orphans> {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Orphans)
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        // It cannot fail where it could be set, and a process that ends soon is in nobody's way as their parent.
        let _ = set_child_subreaper(None);
    }
}

type Listener = JoinHandle<io::Result<Vec<u8>>>;

fn listen<R: Read + Send + 'static>(from: Option<R>) -> Listener {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.by_ref().take(MOST).read_to_end(&mut bytes)?;
            // The rest only so that the program is not held up.
            io::copy(&mut from, &mut io::sink())?;
        }
        Ok(bytes)
    })
}

fn said(listener: Listener) -> io::Result<Vec<u8>> {
    match listener.is_finished() {
        true => listener.join().map_err(|_| io::Error::other("its output could not be read"))?,
        false => Ok(Vec::new()),
    }
}

fn wait(child: &mut Child, limit: Duration, before: &tree::Below) -> io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() >= limit {
            let late = format!("it did not end within {} seconds", limit.as_secs());
            let text = match before.end_later() {
                Ok(()) => {
                    child.wait()?;
                    format!("{late}, and was ended with all that it had started")
                }
                Err(error) => format!("{late}, and cannot be ended: {}", crate::settings::reason(&error)),
            };
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(Duration::from_millis(10));
    }
}
