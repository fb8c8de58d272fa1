//! The one way in which the host starts a program that is not its own: a dbt build, a script, a test of a connection, a
//! driver that is tried. Command lines of this program run the machine's own ones besides ([`command`]).
//!
//! A [`Job`] says all that the program gets: its variables, the folders that it sees, what it may cost. Nothing is inherited.
//! Between the host and the program stands a supervisor ([`supervisor`]), the host's own binary under another command. It
//! confines itself ([`confine`]), starts the program, and ends it with everything that it started, when the host says so, when
//! the host is gone, and when the host has not spoken for too long.

pub(crate) mod asked;
mod command;
mod confine;
mod members;
pub(crate) mod network;
mod output;
pub(crate) mod supervisor;
mod tree;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::settings::reason;

pub(crate) use command::{hear, lasted, ran};
pub(crate) use confine::{Kernel, held};
use members::Registered;
pub(crate) use members::{is_elsewhere, is_of_a_job};
pub(crate) use tree::Excess;

/// The hidden command under which the host's binary is a supervisor.
pub(crate) const COMMAND: &str = "supervise";
/// Its one option: only see whether there are namespaces.
pub(crate) const TRY: &str = "--try";

/// How long a program has to end in good order once it is asked to.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// How often the supervisor is told that the host lives.
const BEAT: Duration = Duration::from_secs(1);

/// The variables of the host that every program gets: how to find programs, certificates, proxies and words. None of them is a
/// secret; everything else of the host's environment stays with the host.
const PASSED_ON: &[&str] = &[
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "NO_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A program, with all that it gets and may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// All of its variables.
    pub(crate) environment: BTreeMap<String, String>,
    /// The folder that it starts in and may write to; its home. None: it may write to temporary files only.
    pub(crate) work: Option<PathBuf>,
    /// What it finds on its standard input.
    pub(crate) input: String,
    /// Folders and files that it may read although they lie in one that is hidden.
    pub(crate) read: Vec<PathBuf>,
    /// Such files and folders where others may write: whole paths, of which no part may be a link.
    pub(crate) read_unlinked: Vec<PathBuf>,
    /// Folders and files that it does not see: the data folder, with the database and the secrets of everybody.
    pub(crate) hide: Vec<PathBuf>,
    /// Sockets, and folders of sockets, that lead out of its fences. It does not see them; where it could reach them all the same,
    /// since only rules for files hold it, it opens no socket to a program of this machine.
    pub(crate) sockets: Vec<PathBuf>,
    /// A name that stands for this address, whatever else would be found for it later.
    pub(crate) host: Option<(String, IpAddr)>,
    /// Where it may connect to; none: wherever it likes.
    pub(crate) network: Option<network::Network>,
    /// Most bytes of memory that one process of it may take.
    pub(crate) memory: u64,
    /// Most bytes of memory that all of its processes together may take; none: no more than one of them.
    pub(crate) together: Option<u64>,
    /// Most bytes of one file that it writes.
    pub(crate) file: u64,
    /// How many processes and threads it may have at once. Where the system does not count them, a program with more is ended.
    pub(crate) processes: u64,
    /// It is ended when the host has not spoken for so many seconds.
    pub(crate) lease: u64,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this exit code; none where a signal ended it.
    Exit(Option<i32>),
    /// Because `stop` said so.
    Stopped,
    /// Because the host, this process, did not speak for as long as its lease.
    Silent,
    /// Because all of its processes together took more than they may.
    Excess(Excess),
}

/// What a program said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) out: String,
    pub(crate) err: String,
    /// Whether it was ended because its time was over.
    pub(crate) late: bool,
}

/// The supervisor's last word.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ended {
    Exit(i32),
    Signal(i32),
    /// The host did not speak for too long.
    Silent,
    /// All processes together took more than they may.
    Excess(Excess),
    /// Its processes could not be looked at; why, and whether some of them may live on.
    Unseen(String, bool),
    /// It could not be started; why, with the system's number where there is one.
    NotStarted(String, Option<i32>),
}

/// What whoever asked for a program hears of processes that could not be looked at; an operator hears it too.
fn unseen(why: &str, live_on: bool) -> io::Error {
    let rest = if live_on { "some of them may live on" } else { "all of them were ended" };
    let text = format!("its processes cannot be looked at ({why}); {rest}");
    tracing::error!("a program was ended: {text}");
    io::Error::other(text)
}

/// Why programs that are run here cannot be looked at, and what follows from it; none where they can.
pub(crate) fn blind() -> Option<String> {
    let error = tree::seen().err()?;
    Some(format!(
        "the processes of this machine cannot be looked at ({}): a run ends after a few seconds, and what it started may live on; see \
         that /proc is mounted, and that the host's user may list it",
        reason(&error)
    ))
}

impl Job {
    /// A program with nothing but what every program gets.
    pub(crate) fn new(program: impl Into<PathBuf>) -> Job {
        let environment =
            PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        Job {
            program: program.into(),
            arguments: Vec::new(),
            environment: environment.collect(),
            work: None,
            input: String::new(),
            read: Vec::new(),
            read_unlinked: Vec::new(),
            hide: Vec::new(),
            sockets: Vec::new(),
            host: None,
            network: None,
            memory: 1 << 30,
            together: None,
            file: 1 << 30,
            processes: 512,
            lease: 60,
        }
    }

    /// A command as a job: its program, its arguments, its folder, and of the variables those that it sets itself.
    pub(crate) fn of(command: &Command) -> io::Result<Job> {
        let text = |text: &std::ffi::OsStr| {
            text.to_str().map(str::to_owned).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` is not UTF-8", text.display()))
            })
        };
        let mut job = Job::new(command.get_program());
        for argument in command.get_args() {
            job.arguments.push(text(argument)?);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => job.environment.insert(text(name)?, text(value)?),
                None => job.environment.remove(&text(name)?),
            };
        }
        job.work = command.get_current_dir().map(Path::to_path_buf);
        Ok(job)
    }

    /// Runs it. Its lines go to `lines`, out and error as they come; when `stop` is done, it is ended. When this returns, or is
    /// dropped, nothing of what it started is alive, or soon will be.
    pub(crate) async fn run(
        self,
        lines: mpsc::Sender<String>,
        stop: impl Future<Output = ()>,
    ) -> io::Result<End> {
        let mut started = self.start().await?;
        let (out, err) = (started.child.stdout.take(), started.child.stderr.take());
        let reading = async {
            tokio::join!(output::lines(out, lines.clone()), output::lines(err, lines));
        };
        tokio::pin!(reading);
        tokio::pin!(stop);
        let mut stopped = false;
        let mut read = false;
        // The supervisor holds no end of the pipes, so they close when the last process of the program is gone.
        let ended = loop {
            tokio::select! {
                ended = started.ended() => break ended,
                () = &mut stop, if !stopped => {
                    stopped = true;
                    started.ask_to_end().await;
                }
                () = &mut reading, if !read => read = true,
                () = tokio::time::sleep(BEAT) => started.beat().await,
            }
        };
        if !read && tokio::time::timeout(GRACE, &mut reading).await.is_err() {
            tracing::warn!("a program's output stays open after its end: somebody else holds it");
        }
        match ended? {
            // It had ended before anybody asked for it.
            Ended::Silent => Ok(End::Silent),
            Ended::Excess(excess) => Ok(End::Excess(excess)),
            // Whoever stopped it must not take it for ended.
            Ended::Unseen(why, true) => Err(unseen(&why, true)),
            _ if stopped => Ok(End::Stopped),
            Ended::Exit(code) => Ok(End::Exit(Some(code))),
            Ended::Signal(_) => Ok(End::Exit(None)),
            Ended::Unseen(why, false) => Err(unseen(&why, false)),
            Ended::NotStarted(_, Some(number)) => Err(io::Error::from_raw_os_error(number)),
            Ended::NotStarted(why, None) => Err(io::Error::other(why)),
        }
    }

    /// Runs it to its end, or to the end of its time, and gives what it said: at most so many bytes of either output.
    pub(crate) async fn ask(self, most: usize, limit: Duration) -> io::Result<Heard> {
        let mut started = self.start().await?;
        let (stdout, stderr) = (started.child.stdout.take(), started.child.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let talk = async {
            let reading = async {
                tokio::join!(output::all(stdout, &mut out, most), output::all(stderr, &mut err, most))
            };
            let ended = async {
                loop {
                    tokio::select! {
                        ended = started.ended() => return ended,
                        () = tokio::time::sleep(BEAT) => started.beat().await,
                    }
                }
            };
            tokio::join!(reading, ended).1
        };
        let ended = tokio::time::timeout(limit, talk).await;
        // Dropped here: the supervisor sees it and ends what is left.
        drop(started);
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned())
        };
        let heard = |late| Heard { out: text(out), err: text(err), late };
        match ended {
            Err(_) => Ok(heard(true)),
            Ok(Ok(Ended::NotStarted(_, Some(number)))) => Err(io::Error::from_raw_os_error(number)),
            Ok(Ok(Ended::NotStarted(why, None))) => Err(io::Error::other(why)),
            Ok(Ok(Ended::Unseen(why, live_on))) => Err(unseen(&why, live_on)),
            // The last that is heard of it, as what it said itself is.
            Ok(Ok(Ended::Excess(excess))) => {
                let mut heard = heard(false);
                heard.err += match excess {
                    Excess::Memory => "\nits processes took more memory than they may",
                    Excess::Processes => "\nit had more processes than it may",
                };
                Ok(heard)
            }
            Ok(Ok(_)) => Ok(heard(false)),
            Ok(Err(error)) => Err(error),
        }
    }

    async fn start(self) -> io::Result<Started> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(own_program());
        command.arg(COMMAND).env_clear().stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A terminal's Ctrl-C is the host's business, which then asks its programs to end.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = tokio::process::Command::from(command).spawn()?;
        let registered = Registered::new(child.id());
        let mut control = UnixStream::from_std(ours)?;
        let text = serde_json::to_vec(&self).map_err(io::Error::other)?;
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        control.write_all(&length.to_be_bytes()).await?;
        control.write_all(&text).await?;
        Ok(Started { child, control, answer: Vec::new(), _registered: registered })
    }
}

/// A supervisor at work. Dropped, it ends the program: the other end of `control` sees that nobody is there.
struct Started {
    child: Child,
    control: UnixStream,
    answer: Vec<u8>,
    _registered: Registered,
}

impl Started {
    /// How the program ended. May be dropped and asked again.
    async fn ended(&mut self) -> io::Result<Ended> {
        let mut buffer = [0; 512];
        loop {
            match self.control.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
            }
        }
        // It has closed its end, so it is about to be gone, and reaps all of the program before that.
        self.child.wait().await?;
        match serde_json::from_slice(&self.answer) {
            Ok(ended) => Ok(ended),
            // Killed before it had anything to say.
            Err(_) => Ok(Ended::Signal(9)),
        }
    }

    /// Tells it that the host lives. A supervisor that is gone is noticed by [`Started::ended`].
    async fn beat(&mut self) {
        let _ = self.control.write_all(&[supervisor::ALIVE]).await;
    }

    async fn ask_to_end(&mut self) {
        let _ = self.control.write_all(&[supervisor::END]).await;
    }
}

/// The host's own binary, also after an upgrade has removed its file.
pub(crate) fn own_program() -> PathBuf {
    // The program of unit tests has no such command; the example beside it does.
    #[cfg(test)]
    if let Ok(test) = std::env::current_exe()
        && let Some(folder) = test.parent().and_then(Path::parent)
    {
        return folder.join("examples/tiny_host");
    }
    PathBuf::from("/proc/self/exe")
}

/// Nobody but root may look into this process from now on: neither at its variables nor into its memory, also no other process
/// of its own user. A dump of its memory after a crash is given up for that.
pub(crate) fn keep_to_itself() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// Writes one line for the host and ends its part of the talk.
fn last_word(mut control: &StdUnixStream, ended: &Ended) -> io::Result<()> {
    let text = serde_json::to_vec(ended).map_err(io::Error::other)?;
    control.write_all(&text)?;
    control.shutdown(std::net::Shutdown::Both)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    use super::*;

    fn shell(script: &str) -> Job {
        Job { arguments: vec!["-c".to_owned(), script.to_owned()], ..Job::new("sh") }
    }

    async fn all(script: &str, stop: impl Future<Output = ()>) -> (End, Vec<String>) {
        let (sender, mut receiver) = mpsc::channel(100);
        let collect = async {
            let mut lines = Vec::new();
            while let Some(line) = receiver.recv().await {
                lines.push(line);
            }
            lines
        };
        let (end, lines) = tokio::join!(shell(script).run(sender, stop), collect);
        (end.unwrap(), lines)
    }

    #[tokio::test]
    async fn lines_and_exit_code() {
        let (end, mut lines) =
            all("echo one; echo two >&2; printf three; exit 7", std::future::pending()).await;
        lines.sort();
        assert_eq!((end, lines), (End::Exit(Some(7)), vec!["one".into(), "three".into(), "two".into()]));
        let (end, _) = all("kill -9 $$", std::future::pending()).await;
        assert_eq!(end, End::Exit(None));
        let missing = Job::new("/no/such/program").ask(10, GRACE).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn one_that_will_not_listen_is_killed() {
        let begun = std::time::Instant::now();
        let stop = tokio::time::sleep(Duration::from_millis(200));
        let (end, _) = all("trap '' TERM; while :; do sleep 1; done", stop).await;
        assert_eq!(end, End::Stopped);
        assert!(begun.elapsed() < GRACE + Duration::from_secs(20));
    }

    #[tokio::test]
    async fn s7_what_all_processes_take_together_is_bounded() {
        let mut job = shell("x=$(head -c 200000000 /dev/zero | tr '\\0' x); sleep 60");
        job.together = Some(100 << 20);
        let heard = job.ask(1000, Duration::from_secs(50)).await.unwrap();
        assert!(
            !heard.late && heard.err.ends_with("its processes took more memory than they may"),
            "{heard:?}"
        );
    }

    #[tokio::test]
    async fn s7_a_program_whose_processes_cannot_be_looked_at_is_ended_and_told() {
        let mut started = shell("sleep 40").start().await.unwrap();
        let supervisor = started.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).unwrap();
        // It has begun once it looks, and looks every half second; from then on it can open nothing.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let none = Rlimit { current: Some(3), maximum: Some(3) };
        prlimit(Some(supervisor), Resource::Nofile, none).unwrap();
        let heard = async {
            loop {
                tokio::select! {
                    ended = started.ended() => return ended,
                    () = tokio::time::sleep(BEAT) => started.beat().await,
                }
            }
        };
        let ended =
            tokio::time::timeout(4 * GRACE, heard).await.expect("it is not looked at any more").unwrap();
        match ended {
            // In a namespace of its own the kernel ends all of it.
            Ended::Unseen(why, _) => {
                assert_eq!(why, reason(&io::Error::from_raw_os_error(libc::EMFILE)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_told() {
        assert_eq!(blind(), None);
        let told = |live_on| unseen("too many open files", live_on).to_string();
        assert!(told(true).ends_with("(too many open files); some of them may live on"), "{}", told(true));
        assert!(told(false).ends_with("all of them were ended"), "{}", told(false));
    }

    #[tokio::test]
    async fn s5_a_program_has_no_terminal_and_a_session_of_its_own() {
        let heard = shell("cut -d' ' -f6,7 /proc/self/stat; : > /dev/tty")
            .ask(1000, Duration::from_secs(20))
            .await
            .unwrap();
        let session = rustix::process::getsid(None).unwrap().as_raw_nonzero();
        let (own, terminal) = heard.out.trim().split_once(' ').unwrap();
        // In a namespace of its own it is the first of all.
        assert!(own == "1" || own != "0" && own != session.to_string(), "{heard:?}");
        assert_eq!(terminal, "0", "{heard:?}");
        assert!(heard.err.contains("/dev/tty"), "{heard:?}");
    }

    #[tokio::test]
    async fn what_is_asked_is_answered_or_late() {
        let mut job = shell("cat; echo $FOO$HOME; echo error >&2");
        job.input = "in\n".to_owned();
        job.environment.insert("FOO".to_owned(), "bar".to_owned());
        let heard = job.ask(100, Duration::from_secs(20)).await.unwrap();
        assert_eq!((heard.out.as_str(), heard.err.as_str(), heard.late), ("in\nbar/tmp\n", "error\n", false));
        let heard = shell("echo begun; sleep 100").ask(100, Duration::from_secs(1)).await.unwrap();
        assert_eq!((heard.out.as_str(), heard.late), ("begun\n", true));
        let heard = shell("head -c 1000000 /dev/zero").ask(1000, Duration::from_secs(20)).await.unwrap();
        assert_eq!(heard.out.len(), 1000);
    }
}
