//! A program run to its end: its lines as they come, ended with all its children when it takes too long or is not wanted
//! any more.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;

/// How long a program has to end in good order once it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Longest line that is kept; what follows in it is left out.
const LONGEST: usize = 16 * 1024;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this exit code; none where a signal ended it.
    Exit(Option<i32>),
    /// Because `stop` said so.
    Stopped,
}

/// Runs the program. Its lines go to `lines`, out and error as they come; when `stop` is done, it is ended.
pub(super) async fn run(
    mut command: Command,
    lines: mpsc::Sender<String>,
    stop: impl Future<Output = ()>,
) -> io::Result<End> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: what it starts ends with it.
    command.process_group(0);
    // SAFETY: between fork and exec only one system call is made; nothing is allocated and no lock is taken.
    #[allow(unsafe_code)]
    unsafe {
        // A host that is killed takes its runs along: they would go on writing what the next run writes.
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let mut child: Child = tokio::process::Command::from(command).spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let out = child.stdout.take().map(|out| pass_on(out, lines.clone()));
    let err = child.stderr.take().map(|err| pass_on(err, lines));
    let reading = async {
        tokio::join!(optional(out), optional(err));
    };
    tokio::pin!(reading);
    tokio::pin!(stop);
    let ended = tokio::select! {
        // The pipes may stay open in a grandchild's hands: what counts is the program itself.
        status = child.wait() => {
            let _ = tokio::time::timeout(GRACE, &mut reading).await;
            End::Exit(status?.code())
        }
        () = &mut stop => {
            signal(group, Signal::TERM);
            let quiet = async { tokio::join!(child.wait(), &mut reading) };
            if tokio::time::timeout(GRACE, quiet).await.is_err() {
                signal(group, Signal::KILL);
                let _ = child.wait().await;
            }
            End::Stopped
        }
        () = &mut reading => End::Exit(child.wait().await?.code()),
    };
    // Whoever of the group is left ends too.
    signal(group, Signal::KILL);
    Ok(ended)
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

async fn optional(reading: Option<impl Future<Output = ()>>) {
    if let Some(reading) = reading {
        reading.await;
    }
}

async fn pass_on(from: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match from.read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                bytes.truncate(LONGEST);
                let line = String::from_utf8_lossy(&bytes);
                // Nobody listens any more: the program is ended elsewhere.
                if lines.send(line.trim_end_matches(['\n', '\r']).to_owned()).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn all(script: &str, stop: impl Future<Output = ()>) -> (End, Vec<String>) {
        let (sender, mut receiver) = mpsc::channel(100);
        let end = run(shell(script), sender, stop).await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line);
        }
        (end, lines)
    }

    #[tokio::test]
    async fn lines_and_exit_code() {
        let (end, mut lines) =
            all("echo one; echo two >&2; printf three; exit 7", std::future::pending()).await;
        lines.sort();
        assert_eq!((end, lines), (End::Exit(Some(7)), vec!["one".into(), "three".into(), "two".into()]));
        let (end, _) = all("kill -9 $$", std::future::pending()).await;
        assert_eq!(end, End::Exit(None));
    }

    #[tokio::test]
    async fn what_it_started_ends_with_it() {
        let mark = std::env::temp_dir().join(format!("hub-process-{}", std::process::id()));
        let script = format!("(sleep 2; touch {}) & echo started; wait", mark.display());
        let stop = tokio::time::sleep(Duration::from_millis(300));
        let (end, lines) = all(&script, stop).await;
        assert_eq!((end, lines), (End::Stopped, vec!["started".to_owned()]));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn one_that_will_not_listen_is_killed() {
        let begun = std::time::Instant::now();
        let (end, _) =
            all("trap '' TERM; while :; do sleep 1; done", tokio::time::sleep(Duration::from_millis(200)))
                .await;
        assert_eq!(end, End::Stopped);
        assert!(begun.elapsed() < GRACE + Duration::from_secs(5));
    }
}
