//! The process between the host and a foreign program: it confines itself, starts the program, and outlives both.
//!
//! It listens to the host on its standard input, a socket: first a [`Job`], then single bytes, [`ALIVE`] and [`END`]. The socket
//! closes when the host ends, however it ends; a host that is frozen says nothing. In either case, and when it is asked to, the
//! supervisor ends the program with all that it started, and only then ends itself:
//!
//! - Where the system gives it a process namespace, the program's first process is that namespace's init. When init is
//!   killed, the kernel kills everything in it, daemons too, before anybody hears of init's end.
//! - Elsewhere the supervisor is the subreaper of everything below it: what loses its parent becomes its child. It stops all of
//!   them and then kills them, until none is left ([`tree`]).
//!
//! It also looks what all processes of the program take together, which no limit of the system's for one process holds.
//!
//! There is one thread and no runtime: everything here happens between `fork` and `exec`, in three processes. (Where a program's
//! connections are looked at, the first process has a second thread for them: [`network`].)

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process, pidfd_open, setrlimit};

use super::tree::{self, Excess};
use super::{Ended, GRACE, Job, confine, last_word, network};
use crate::settings::reason;

/// The host lives.
pub(super) const ALIVE: u8 = b'.';
/// The program is to end.
pub(super) const END: u8 = b'e';

/// How often the supervisor looks what the program takes.
const LOOK: Duration = Duration::from_millis(500);
/// How soon processes that lose their parent are reaped after others were.
const REAP: Duration = Duration::from_millis(20);

/// Longest job that is read.
const LONGEST: u32 = 16 << 20;

/// What a process that only tries tells by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tried {
    /// Namespaces, with a file system.
    pub(super) namespaces: bool,
    /// That what connects is asked about.
    pub(super) network: bool,
}

impl Tried {
    fn code(self) -> u8 {
        u8::from(!self.namespaces) | u8::from(!self.network) << 1
    }

    /// None where it ended otherwise.
    pub(super) fn of(code: Option<i32>) -> Option<Tried> {
        let code = code.filter(|code| (0..4).contains(code))?;
        Some(Tried { namespaces: code & 1 == 0, network: code & 2 == 0 })
    }
}

/// Runs `supervise`. The exit code tells nothing: the host hears how it went on the socket.
pub(crate) fn run(only_try: bool) -> ExitCode {
    if only_try {
        // In this order: within namespaces of its own a process soon starts no other.
        let network = network::tried();
        let namespaces = tried().unwrap_or(false);
        return ExitCode::from(Tried { namespaces, network }.code());
    }
    match prepared() {
        Ok((control, job)) => {
            supervise(control, &job);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "error: this command is for the host, which speaks to it on its standard input ({error})"
            );
            ExitCode::from(2)
        }
    }
}

/// Whether a program would have namespaces and a file system of its own.
fn tried() -> io::Result<bool> {
    if !confine::namespaces() {
        return Ok(false);
    }
    match fork()? {
        None => std::process::exit(i32::from(
            !(confine::may_mount() && confine::mounts(&Job::new("true")).is_ok()),
        )),
        Some(child) => {
            let mut status = 0;
            // SAFETY: the pointer is to a number of this function.
            #[allow(unsafe_code)]
            let got = unsafe { libc::waitpid(child.as_raw_nonzero().get(), &raw mut status, 0) };
            Ok(got > 0 && status == 0)
        }
    }
}

fn not_started(error: &io::Error) -> Ended {
    Ended::NotStarted(error.to_string(), error.raw_os_error())
}

/// The socket and what is to be done.
fn prepared() -> io::Result<(UnixStream, Job)> {
    let stdin = io::stdin();
    let mut control = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(&stdin, 10)?);
    control.peer_addr()?;
    // A job is written at once; whoever does not is no host.
    control.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut length = [0; 4];
    control.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other("the job is too long"));
    }
    let mut text = vec![0; length as usize];
    control.read_exact(&mut text)?;
    let job = serde_json::from_slice(&text).map_err(io::Error::other)?;
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok((control, job))
}

fn supervise(control: UnixStream, job: &Job) {
    let ended = match begun() {
        Ok(Begun { first: None, namespace, pipe }) => {
            // The host's word is for the supervisor alone: whoever held this end could take it away.
            drop(control);
            first(job, namespace, pipe)
        }
        Ok(Begun { first: Some(first), namespace, pipe }) => {
            waited(&control, first, namespace, pipe, job).unwrap_or_else(|error| not_started(&error))
        }
        Err(error) => not_started(&error),
    };
    // Without a host nobody wants to know.
    let _ = last_word(&control, &ended);
}

/// One of two processes.
struct Begun {
    /// The first process of the program, where this is the supervisor.
    first: Option<Pid>,
    namespace: bool,
    /// Where the first process says how the program ended, or the supervisor hears it.
    pipe: File,
}

fn begun() -> io::Result<Begun> {
    close_on_exec()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::thread::set_no_new_privs(true)?;
    block_signals()?;
    // Before the namespaces: what is open for writing in them keeps them from being made read-only.
    let nothing = File::options().write(true).open("/dev/null")?;
    let namespace = confine::namespaces();
    // Inherited by the first process and all that it starts.
    let usual = first_to_go();
    let (status, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let first = fork()?;
    let pipe = File::from(if first.is_some() { status } else { tell });
    if first.is_some() {
        // Where there are no namespaces it is the one who ends them all.
        usual.restore();
    }
    // Both are of the program's user, which must not get hold of what they have open. (What is written above, and the map of a
    // namespace, can only be written before.)
    super::keep_to_itself()?;
    if first.is_some() {
        // The outputs are the program's alone from here: they end with it.
        rustix::stdio::dup2_stdout(&nothing)?;
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(Begun { first, namespace, pipe })
}

fn waited(control: &UnixStream, first: Pid, namespace: bool, status: File, job: &Job) -> io::Result<Ended> {
    let over = watch(control, first, namespace, job);
    // Whatever went wrong, nothing is left behind; and where that cannot be seen, it is said, whatever else there is to say.
    if let Err(error) = end_all(first, namespace) {
        return Ok(Ended::Unseen(reason(&error), true));
    }
    match over? {
        Over::Unseen(error) => return Ok(Ended::Unseen(reason(&error), false)),
        Over::Silence => return Ok(Ended::Silent),
        Over::Excess(excess) => return Ok(Ended::Excess(excess)),
        Over::End => {}
    }
    let mut said = String::new();
    status.take(64 * 1024).read_to_string(&mut said)?;
    // One that was killed has said nothing.
    Ok(serde_json::from_str(&said).unwrap_or(Ended::Signal(Signal::KILL.as_raw())))
}

/// Why nothing is waited for any more.
enum Over {
    /// The program has ended, or was asked to and did not; or there is no host any more.
    End,
    /// The host has been silent for its lease.
    Silence,
    /// All processes together took more than they may.
    Excess(Excess),
    /// Nobody could look what they take for a while.
    Unseen(io::Error),
}

/// Until the first process has ended, or has to.
fn watch(control: &UnixStream, first: Pid, namespace: bool, job: &Job) -> io::Result<Over> {
    let ended = pidfd_open(first, PidfdFlags::empty())?;
    let lease = Duration::from_secs(job.lease);
    let mut heard = Instant::now();
    let mut look = heard + LOOK;
    let mut looked = heard;
    let mut asked: Option<Instant> = None;
    let mut buffer = [0; 256];
    loop {
        let late = heard + lease;
        let until = asked.map_or(late, |asked| late.min(asked + GRACE));
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(if asked.is_none() { Over::Silence } else { Over::End });
        }
        // What ends is reaped at once while much does: a look at thousands that wait for it would take seconds.
        let reaped = tree::reap_left(first);
        let before_look = look.saturating_duration_since(Instant::now());
        if before_look.is_zero() {
            match tree::excess(job, namespace) {
                Ok(Some(excess)) => return Ok(Over::Excess(excess)),
                Ok(None) => looked = Instant::now(),
                // A system that is short of something for a moment ends no run.
                Err(error) if looked.elapsed() > GRACE => return Ok(Over::Unseen(error)),
                Err(_) => {}
            }
            // After the look, however long it took: the host is heard in between.
            look = Instant::now() + LOOK;
            continue;
        }
        let left = left.min(before_look).min(if reaped { REAP } else { LOOK });
        let mut fds = [PollFd::new(control, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        let pause = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut fds, Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [said, over] = fds.map(|fd| !fd.revents().is_empty());
        if over {
            return Ok(Over::End);
        }
        if said {
            match (&mut &*control).read(&mut buffer) {
                Ok(0) => return Ok(Over::End),
                Ok(count) => {
                    heard = Instant::now();
                    if buffer[..count].contains(&END) && asked.is_none() {
                        asked = Some(heard);
                        // It may have ended this very moment.
                        let _ = kill_process(first, Signal::TERM);
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(_) => return Ok(Over::End),
            }
        }
    }
}

/// Ends what is left of the program, and returns when it is gone; an error where nobody can see whether it is.
fn end_all(first: Pid, namespace: bool) -> io::Result<()> {
    let _ = kill_process(first, Signal::KILL);
    if namespace {
        // It is reaped only after everything in its namespace.
        tree::reap(Some(first));
        return Ok(());
    }
    tree::end()
}

/// How willingly the system ends a process where it has no memory left.
const OUT_OF_MEMORY: &str = "/proc/self/oom_score_adj";

/// What [`OUT_OF_MEMORY`] was before; none where it has stayed so.
struct Usual(Option<String>);

/// Makes this process, and those that it starts from now on, the first that the system ends where it has no memory left: before the
/// host, and before everybody else. A system that has no such order goes by size alone.
fn first_to_go() -> Usual {
    let usual = std::fs::read_to_string(OUT_OF_MEMORY);
    Usual(usual.ok().filter(|_| std::fs::write(OUT_OF_MEMORY, "1000").is_ok()))
}

impl Usual {
    /// Takes it back for this process.
    fn restore(self) {
        if let Some(usual) = self.0 {
            // It stays among the first then; where there are namespaces nothing outlives it anyhow.
            let _ = std::fs::write(OUT_OF_MEMORY, usual.trim());
        }
    }
}

/// The first process of the program: confines itself, starts it, passes on that it is to end, and reaps what loses its
/// parent. It ends with the program.
fn first(job: &Job, namespace: bool, mut tell: File) -> ! {
    // A supervisor that is killed takes everything with it.
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    // In a session without a terminal: what a program writes to the one that the host was started at would be read as typing.
    let bound = bound.and_then(|()| rustix::process::setsid()).map_err(io::Error::from);
    let ended = bound.and_then(|_| started(job, namespace)).unwrap_or_else(|error| not_started(&error));
    let text = serde_json::to_vec(&ended).unwrap_or_default();
    // Whoever reads it is gone where this fails, and takes a word that is not there for a kill.
    let _ = tell.write_all(&text);
    drop(tell);
    std::process::exit(0)
}

fn started(job: &Job, namespace: bool) -> io::Result<Ended> {
    let confined = confine::confine(job, namespace)?;
    let limit =
        |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Data, job.memory)?;
    limit(Resource::Fsize, job.file)?;
    if namespace {
        // Elsewhere all processes of the same user count, the host's too.
        limit(Resource::Nproc, job.processes)?;
    }
    let mut command = Command::new(&job.program);
    command.args(&job.arguments).env_clear().envs(&job.environment);
    let work = job.work.as_deref();
    let temporary = confined.temporary.as_path();
    command.env("HOME", work.unwrap_or(temporary)).env("TMPDIR", temporary);
    command.current_dir(work.unwrap_or(temporary));
    let mut input = File::from(memfd_create("input", MemfdFlags::CLOEXEC)?);
    input.write_all(job.input.as_bytes())?;
    input.rewind()?;
    command.stdin(Stdio::from(input)).process_group(0);
    let child = match &job.network {
        Some(network) => network::spawn(command, network)?,
        None => command.spawn()?,
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        match next_signal()? {
            libc::SIGTERM => {
                if let Some(group) = group {
                    let _ = rustix::process::kill_process_group(group, Signal::TERM);
                }
            }
            _ => {
                if let Some(status) = reaped(child.id()) {
                    return Ok(match (status.code(), status.signal()) {
                        (Some(code), _) => Ended::Exit(code),
                        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
                    });
                }
            }
        }
    }
}

/// Reaps all that has ended; the status of this one, where it is among them.
fn reaped(wanted: u32) -> Option<std::process::ExitStatus> {
    let mut found = None;
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a number of this function.
        #[allow(unsafe_code)]
        let got = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match u32::try_from(got) {
            Ok(0) | Err(_) => return found,
            Ok(process) if process == wanted => found = Some(std::process::ExitStatus::from_raw(status)),
            Ok(_) => {}
        }
    }
}

/// The signals that are waited for instead of being delivered.
#[allow(unsafe_code)]
fn waited_for() -> libc::sigset_t {
    // SAFETY: `sigemptyset` makes a set of what may be anything.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        set
    }
}

fn block_signals() -> io::Result<()> {
    // SAFETY: the set is a set; the old one is not wanted. The program starts with an empty mask: `Command` sees to it.
    #[allow(unsafe_code)]
    match unsafe { libc::sigprocmask(libc::SIG_BLOCK, &waited_for(), std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn next_signal() -> io::Result<i32> {
    loop {
        // SAFETY: the set is a set; more about the signal is not wanted.
        #[allow(unsafe_code)]
        let signal = unsafe { libc::sigwaitinfo(&waited_for(), std::ptr::null_mut()) };
        match io::Error::last_os_error() {
            _ if signal > 0 => return Ok(signal),
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

/// What whoever started the host has left open is no program's either.
fn close_on_exec() -> io::Result<()> {
    // SAFETY: numbers in, a number out; nothing is closed before another program takes this one's place.
    #[allow(unsafe_code)]
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) } == 0 {
        return Ok(());
    }
    // Linux before 5.11 does not know this: one by one then.
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: as above; the folder's own number may be closed by now, which is an error that changes nothing.
            #[allow(unsafe_code)]
            unsafe {
                libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Ok(())
}

/// None in the child.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the process has one thread: `supervise` is run before any other is made.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}
