//! Two hosts and one socket: how a host starts the one that takes its place, and how that one begins.
//!
//! The successor is started with the listening socket and one end of a pair of sockets ([`super::inherit`]). It says one
//! line: that it is ready and accepts connections, or why it cannot. The host then stops accepting and taking runs, and
//! says so with one byte, or by being gone. Until then it serves as if nothing had been asked.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use hub_release::Install;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;

use super::Held;
use super::inherit::{HANDOVER, HANDOVER_DATABASE, HANDOVER_LOCK};
use super::notify;
use crate::settings::reason;

/// Longest line of a successor.
const LONGEST: u64 = 16 * 1024;

/// How long a predecessor may take to let go.
const LET_GO: Duration = Duration::from_secs(30);

/// What a successor says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Ready,
    Failed(String),
}

/// The program that a host hands over to: the launcher of the install folder, which starts the newest release that is
/// whole, else the host's own program.
pub(super) fn program(install: &Path) -> io::Result<PathBuf> {
    let launcher = Install::of_release(install).map(|install| install.launcher());
    let launcher = launcher.filter(|file| file.is_file());
    launcher.map_or_else(std::env::current_exe, Ok)
}

/// A host that is ready, and waits for its predecessor to let go.
pub(super) struct Successor {
    pub(super) pid: u32,
    talk: UnixStream,
    /// Kept, so that it is waited for should it end first.
    _child: Child,
}

/// Starts the program with this host's own arguments and waits until it is ready. One that is not is ended, and nothing
/// has changed.
pub(super) async fn start(program: &Path, held: &Held<'_>, limit: Duration) -> Result<Successor, String> {
    let cannot = |e: io::Error| format!("cannot start {}: {}", program.display(), reason(&e));
    let (mut child, talk) = spawn(program, held).map_err(cannot)?;
    let Some(pid) = child.id() else { return Err("it ended at once".to_owned()) };
    let mut unready = Unready(i32::try_from(pid).ok().and_then(Pid::from_raw));
    let mut talk = BufReader::new(UnixStream::from_std(talk).map_err(cannot)?);
    let mut line = String::new();
    let heard = tokio::time::timeout(limit, (&mut talk).take(LONGEST).read_line(&mut line)).await;
    let why = match (heard, serde_json::from_str(&line)) {
        (Ok(Ok(_)), Ok(Said::Ready)) => {
            unready.0 = None;
            return Ok(Successor { pid, talk: talk.into_inner(), _child: child });
        }
        (Ok(Ok(_)), Ok(Said::Failed(why))) => Some(why),
        (Err(_), _) => Some(format!("it was not ready within {} seconds", limit.as_secs())),
        // It is gone, or says what no host says.
        _ => None,
    };
    drop(talk);
    if let Some(why) = why {
        drop(unready);
        // Only reaped: why it does not take over is known.
        let _ = child.wait().await;
        return Err(why);
    }
    // One that closes its end without a word mostly ends by itself.
    let ended = tokio::time::timeout(Duration::from_secs(2), child.wait()).await;
    drop(unready);
    // As above.
    let _ = child.wait().await;
    Err(match ended {
        Ok(Ok(status)) => format!("{} before it was ready; the log says why", told(status)),
        _ => format!("{} is no host of this platform", program.display()),
    })
}

fn told(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with exit code {code}"),
        None => "a signal ended it".to_owned(),
    }
}

/// Ends a successor that has not become ready, with all that it has started.
struct Unready(Option<Pid>);

impl Drop for Unready {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn spawn(program: &Path, held: &Held<'_>) -> io::Result<(Child, StdUnixStream)> {
    let Held { socket, lock, database, notify } = held;
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let passed: [RawFd; 3] = [socket.as_raw_fd(), theirs.as_raw_fd(), lock.descriptor()];
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(HANDOVER, format!("{},{}", passed[0], passed[1]));
    // A variable of its own: a release of before knows the other one in that form only.
    command.env(HANDOVER_LOCK, passed[2].to_string());
    if let Some(database) = database {
        command.env(HANDOVER_DATABASE, database.name());
    }
    if let Some(name) = notify.name() {
        command.env(notify::VARIABLE, name);
    }
    // A group of its own, so that all of it can be ended.
    command.process_group(0);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken. The
    // descriptors are open: `socket`, `theirs` and `lock` outlive the call of `spawn`.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            // In the child alone: everything else that is started at this moment does not get them.
            for number in passed {
                fcntl_setfd(BorrowedFd::borrow_raw(number), FdFlags::empty())?;
            }
            Ok(())
        });
    }
    // Its own end is closed here with `theirs`: its end is then the end of the talk.
    Ok((tokio::process::Command::from(command).spawn()?, ours))
}

impl Successor {
    /// Says that socket and queue are its own.
    pub(super) async fn let_go(&mut self) {
        // One that has ended meanwhile needs no word.
        let _ = self.talk.write_all(b"\n").await;
        let _ = self.talk.shutdown().await;
    }
}

/// The host before this one, while it still serves.
pub(super) struct Predecessor(UnixStream);

impl Predecessor {
    /// The one at the other end.
    pub(super) fn new(stream: StdUnixStream) -> io::Result<Predecessor> {
        Ok(Predecessor(UnixStream::from_std(stream)?))
    }

    /// Says why this host cannot take its place.
    pub(super) async fn refuse(mut self, why: &str) {
        self.say(&Said::Failed(why.to_owned())).await;
    }

    /// Says that this host is ready; returns when the other has let go.
    pub(super) async fn relieve(mut self) {
        self.say(&Said::Ready).await;
        // One that hangs lets go of nothing by itself, and its socket is this host's too.
        let _ = tokio::time::timeout(LET_GO, self.0.read(&mut [0])).await;
    }

    async fn say(&mut self, said: &Said) {
        let line = serde_json::to_string(said).unwrap_or_default() + "\n";
        // A predecessor that is gone does not have to be told.
        let _ = self.0.write_all(line.as_bytes()).await;
    }
}
