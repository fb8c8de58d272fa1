//! A Python program that is asked one thing: JSON on its standard input, what it prints as the answer, a time limit.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{python_path, python_program};

/// Most that is read of either output.
const MOST: usize = 1024 * 1024;

/// The variables that a driver gets to see: nothing of the host's own secrets, and no other account's login.
const PASSED_ON: &[&str] = &[
    "ALL_PROXY",
    "HOME",
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
    "TMPDIR",
    "TZ",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What a program said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) out: String,
    pub(crate) err: String,
    /// Whether it was ended because its time was over.
    pub(crate) late: bool,
}

/// Runs a script with the data folder's drivers on its path.
pub(crate) async fn ask(data: &Path, script: &str, input: &str, limit: Duration) -> io::Result<Heard> {
    let passed = PASSED_ON.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut command = Command::new(python_program(data));
    command.args(["-c", script]).env_clear().envs(passed).kill_on_drop(true).process_group(0);
    // A set that is installed stays as pip left it.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    if let Some(path) = python_path(data) {
        command.env("PYTHONPATH", path);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let talk = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that ends without reading closes its end.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        tokio::join!(write, drain(stdout, &mut out), drain(stderr, &mut err));
        child.wait().await.map(drop)
    };
    let late = match tokio::time::timeout(limit, talk).await {
        Ok(ended) => {
            ended?;
            false
        }
        Err(_) => true,
    };
    if late && let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Heard { out: text(out), err: text(err), late })
}

/// Reads to the end; what was read so far stays where reading is broken off.
async fn drain(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut rest = Vec::new();
    loop {
        // Past the most that is kept, reading goes on so that the program is not held up.
        let buffer = if into.len() < MOST { &mut *into } else { &mut rest };
        match from.read_buf(buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => rest.clear(),
        }
    }
}
