//! `host.sock` in the data folder: where a running host is asked to hand over, and tells how that went.
//!
//! A signal could not report the outcome, and a file of the process's number may name a process that is gone. A socket
//! refuses where nobody listens, tells who asks, and answers.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::fault::Fault;
use crate::privilege;
use crate::process;
use crate::settings::reason;

const NAME: &str = "host.sock";
/// Longest path of a socket that the system takes, with room to spare.
const LONGEST: usize = 100;
/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// How long an asker may take to say what it wants, which is one line.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    Who,
    HandOver(Wish),
}

/// That the host hand over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wish {
    /// How long it has to become ready.
    pub(super) seconds: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Serving(Serving),
    HandedOver(HandedOver),
    Failed(String),
}

/// The host that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Serving {
    /// Its process.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Of its release.
    pub(crate) version: String,
}

/// The host that serves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandedOver {
    /// Its process.
    pub(crate) pid: u32,
    /// How long it took to become ready.
    pub(crate) millis: u64,
}

/// Asks the host that works on this data folder to hand over, and waits for the outcome. Where it cannot, that host
/// serves on.
pub(crate) fn ask(data: &Path, limit: Duration) -> Result<HandedOver, Fault> {
    let nobody = |e: io::Error| {
        Fault::machine(
            format!(
                "no host that could be asked works on the data folder {}: {}",
                data.display(),
                reason(&e)
            ),
            "start the host, or restart it as the user that it runs as, or as root",
        )
    };
    let wish = Wish { seconds: limit.as_secs().max(1) };
    let question = Question::HandOver(wish);
    let answer = say(data, &question, limit + Duration::from_secs(15)).map_err(nobody)?;
    match serde_json::from_str(&answer) {
        Ok(Outcome::HandedOver(taken)) => Ok(taken),
        Ok(Outcome::Failed(why)) => Err(Fault::machine(
            format!("the host serves on, for the one that was to take its place cannot: {why}"),
            "mend that and try again, or restart the host",
        )),
        Ok(Outcome::Serving(_)) | Err(_) => Err(nobody(io::Error::other("it ended before it answered"))),
    }
}

/// The host that works on this data folder, where one answers.
pub(crate) fn who(data: &Path) -> Option<Serving> {
    let answer = say(data, &Question::Who, PATIENCE).ok()?;
    match serde_json::from_str(&answer) {
        Ok(Outcome::Serving(serving)) => Some(serving),
        _ => None,
    }
}

/// One line there, one line back.
fn say(data: &Path, question: &Question, limit: Duration) -> io::Result<String> {
    let mut stream = match privilege::is_stranger(data) {
        true => straight(data)?,
        false => short(data, NAME, |path| StdUnixStream::connect(path))?,
    };
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let line = serde_json::to_string(question).unwrap_or_default() + "\n";
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    io::Read::take(BufReader::new(&stream), LONGEST_ANSWER).read_line(&mut answer)?;
    Ok(answer)
}

/// Connects to the socket of that name itself: root follows no link that the folder's owner may have put there.
fn straight(data: &Path) -> io::Result<StdUnixStream> {
    let folder = openat(CWD, data, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let socket = openat(&folder, NAME, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&socket)?.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{NAME} is no socket")));
    }
    StdUnixStream::connect(Path::new("/proc/self/fd").join(socket.as_raw_fd().to_string()))
}

/// The socket, and what is asked on it.
pub(super) struct Control {
    data: PathBuf,
    about: Serving,
    listener: UnixListener,
    inode: u64,
}

/// One who asks.
pub(super) struct Asker(UnixStream);

impl Control {
    /// Listens; whatever had the name before has it no more.
    pub(super) fn bind(data: &Path, about: Serving) -> io::Result<Control> {
        let own = format!(".{NAME}.{}", std::process::id());
        let file = data.join(&own);
        // Where a kill has left one that cannot be removed, listening fails.
        let _ = fs::remove_file(&file);
        let listener = short(data, &own, |path| StdUnixListener::bind(path))?;
        let finished = (|| {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            let inode = fs::symlink_metadata(&file)?.ino();
            // By renaming: the name always leads to a host that answers.
            fs::rename(&file, data.join(NAME))?;
            let listener = UnixListener::from_std(listener)?;
            Ok(Control { data: data.to_path_buf(), about, listener, inode })
        })();
        if finished.is_err() {
            // Nobody asks by this name; told is what went wrong.
            let _ = fs::remove_file(&file);
        }
        finished
    }

    /// The next who asks, and what for.
    pub(super) async fn next(&self) -> (Wish, Asker) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            // When it hands over the host's own user says, and root; to which program, nobody does.
            let own = rustix::process::geteuid().as_raw();
            match stream.peer_cred() {
                // No job is root's, unless the host is.
                Ok(who) if who.uid() == 0 && own != 0 => {}
                Ok(who) if who.uid() == own && !of_a_job(who.pid()) => {}
                _ => continue,
            }
            let mut stream = tokio::io::BufReader::new(stream).take(8192);
            let mut line = String::new();
            if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await
                && let Ok(question) = serde_json::from_str(&line)
            {
                let asker = Asker(stream.into_inner().into_inner());
                match question {
                    Question::HandOver(wish) => return (wish, asker),
                    Question::Who => asker.tell(&Outcome::Serving(self.about.clone())).await,
                }
            }
        }
    }
}

/// Whether one who asks is a run of this host's own user, or may be: what it may do is settled, and this is not part of it.
fn of_a_job(process: Option<i32>) -> bool {
    let Some(process) = process.and_then(|process| u32::try_from(process).ok()) else { return true };
    // One that has no number here is in another namespace; one that is gone has nothing to ask. Where a service does not see the
    // processes of others, such as root's that have started this one, what is not in its control group is none of its jobs.
    process == 0 || process::is_of_a_job(process).unwrap_or_else(|_| !process::is_elsewhere(process))
}

impl Drop for Control {
    fn drop(&mut self) {
        let file = self.data.join(NAME);
        // A successor has its own under that name.
        if fs::symlink_metadata(&file).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&file);
        }
    }
}

impl Asker {
    /// Tells how it went.
    pub(super) async fn tell(mut self, outcome: &Outcome) {
        let line = serde_json::to_string(outcome).unwrap_or_default() + "\n";
        // One that has gone away finds the outcome in the log.
        let _ = self.0.write_all(line.as_bytes()).await;
    }
}

/// Calls with a path of a file in a folder that is short enough for a socket, whatever the folder's is.
fn short<T>(folder: &Path, name: &str, call: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let path = folder.join(name);
    if path.as_os_str().len() <= LONGEST {
        return call(&path);
    }
    let opened = fs::File::open(folder)?;
    call(&Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string()).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[tokio::test]
    async fn it_is_asked_and_answers_and_leaves_no_file() {
        let folder = Scratch::new(&format!("control-{}", "x".repeat(90)));
        let asking = |folder: &Path| {
            let folder = folder.to_path_buf();
            tokio::task::spawn_blocking(move || {
                ask(&folder, Duration::from_secs(7)).map_err(|fault| fault.what().to_owned())
            })
        };
        assert!(asking(&folder).await.unwrap().unwrap_err().starts_with("no host that could be asked"));
        assert_eq!(who(&folder), None);
        let about =
            Serving { pid: 1, address: SocketAddr::from(([127, 0, 0, 1], 80)), version: "1.0.0".to_owned() };
        let first = Control::bind(&folder, about.clone()).unwrap();
        let control = Control::bind(&folder, about.clone()).unwrap();
        drop(first);
        for (outcome, want) in [
            (Outcome::HandedOver(HandedOver { pid: 7, millis: 8 }), Ok(HandedOver { pid: 7, millis: 8 })),
            (
                Outcome::Failed("no".to_owned()),
                Err("the host serves on, for the one that was to take its place cannot: no".to_owned()),
            ),
        ] {
            let place = folder.to_path_buf();
            let told = tokio::task::spawn_blocking(move || who(&place));
            let asked = asking(&folder);
            let (wish, asker) = control.next().await;
            assert_eq!(wish.seconds, 7);
            asker.tell(&outcome).await;
            assert_eq!(asked.await.unwrap(), want);
            let serving = tokio::select! {
                told = told => told.unwrap(),
                _ = control.next() => None,
            };
            assert_eq!(serving.as_ref(), Some(&about));
        }
        drop(control);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
