//! A host in a folder of its own, and a plain HTTP client that sends paths as they are.

// Each test program uses a part of this.
#![allow(dead_code)]

pub mod fenced;
pub mod mariadb;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod runs;
#[macro_use]
pub mod world;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything before a test fails.
/// Generous: a test that waits for a condition costs nothing where that comes soon.
const PATIENCE: Duration = Duration::from_secs(60);

/// A temporary folder: `release/` with a page and migrations, `data/`.
pub struct Folder(PathBuf);

impl Folder {
    pub fn release() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hub-serve-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        // What a killed test left whose process had the same number.
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(folder.path("data")).unwrap();
        folder.write("web/index.html", "<!doctype html><body>page</body>");
        folder.write("web/assets/app-1a2b.js", "let app = 1;");
        folder.write("web/assets/app-1a2b.js.gz", "as gzip");
        folder.write("web/assets/app-1a2b.js.br", "as br");
        folder.write(
            "plugins/good/migrations/0001_notes.sql",
            "CREATE TABLE plugin_good_notes (id TEXT, text TEXT)",
        );
        folder.write("plugins/broken/migrations/0001_wrong.sql", "CREATE TABLE users (id TEXT)");
        folder
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// Writes a file of the release, or of `data/`.
    pub fn write(&self, below: &str, text: &str) {
        let file =
            if below.starts_with("data/") { self.path(below) } else { self.path("release").join(below) };
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example host with this folder, and nothing else of the environment that speaks to it.
pub fn command(folder: &Folder) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("examples/tiny_host");
    assert!(program.is_file(), "{} is missing: `cargo test -p hub-host` builds it", program.display());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        // What the tests read themselves, libpq's, and what somebody set for a host of their own.
        if ["HUB_", "PG"].iter().any(|begin| name.to_string_lossy().starts_with(begin)) {
            command.env_remove(name);
        }
    }
    command.env("HUB_ADMIN_EMAIL", ADMIN).env("HUB_ADMIN_PASSWORD", PASSWORD);
    for name in ["DATABASE_URL", "LISTEN", "RUST_LOG", "LOG_FORMAT", "HUB_DEV", "NEEDY_KEY", "XDG_DATA_HOME"]
    {
        command.env_remove(name);
    }
    command.env("INSTALL_DIR", folder.path("release")).env("DATA_DIR", folder.path("data"));
    command
}

/// The same command, started by another program: `wrapper` ends where the command begins.
pub fn behind(command: &Command, wrapper: &[&str]) -> Command {
    let (first, rest) = wrapper.split_first().unwrap();
    let mut wrapped = Command::new(first);
    wrapped.args(rest).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// Says that the calling test, or a part of it, is skipped; `cargo xtask test` repeats it in its closing lines.
pub fn skip(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os("HUB_SKIPPED") {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let mut file = File::options().append(true).create(true).open(file).unwrap();
        file.write_all(format!("lack\t{test}\t{why}\n").as_bytes()).unwrap();
    }
}

/// Runs a command to its end: exit code, standard output, standard error.
pub fn run(command: Command) -> (Option<i32>, String, String) {
    run_with(command, "")
}

/// The same with a text on standard input.
pub fn run_with(mut command: Command, input: &str) -> (Option<i32>, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that ends without reading closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The admin of the first organisation.
pub const ADMIN: &str = "admin@example.com";
/// Its password.
pub const PASSWORD: &str = "correct horse battery";

/// A host that runs.
pub struct Host {
    child: Child,
    /// The process that has taken its place.
    successor: Option<u32>,
    log: PathBuf,
    pub address: String,
    /// Sent with each request.
    token: Option<String>,
}

impl Host {
    pub fn start(folder: &Folder, prepare: impl FnOnce(&mut Command)) -> Host {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log = folder.path(&format!("log-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut command = command(folder);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let written = File::create(&log).unwrap();
        prepare(&mut command);
        command.stdout(Stdio::null()).stderr(written);
        let mut host = Host {
            child: command.spawn().unwrap(),
            successor: None,
            log,
            address: String::new(),
            token: None,
        };
        let begun = Instant::now();
        while host.address.is_empty() {
            let text = host.log();
            assert!(
                begun.elapsed() < PATIENCE && host.child.try_wait().unwrap().is_none(),
                "it did not start: {text}"
            );
            // A line that is not at its end may lack a digit.
            let line = text.split_once("listening on http://").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((rest, _)) = line {
                host.address =
                    rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        host
    }

    /// The same, with the first admin asking.
    pub fn start_as_admin(folder: &Folder, prepare: impl FnOnce(&mut Command)) -> Host {
        let mut host = Host::start(folder, prepare);
        host.token = Some(host.sign_in(ADMIN, PASSWORD));
        host
    }

    /// Signs in; gives the token.
    pub fn sign_in(&self, email: &str, password: &str) -> String {
        let body = serde_json::json!({"email": email, "password": password}).to_string();
        let answer = self.ask("POST", "/api/auth/login", &[("content-type", "application/json")], &body);
        assert_eq!(answer.status, 200, "{email}: {}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Switches a plugin on for the caller's organisation.
    pub fn enable(&self, slug: &str) {
        let answer = self.post(&format!("/api/plugins/{slug}/enable"), r#"{"scope": "org"}"#);
        assert_eq!(answer.status, 200, "{slug}: {}", answer.text);
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has logged this.
    pub fn logs(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "it does not log `{text}`: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The process that serves.
    pub fn process(&self) -> u32 {
        self.successor.unwrap_or(self.child.id())
    }

    /// Lets it hand over; gives what the command says, and its exit code.
    pub fn hand_over(&mut self, folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = command(folder);
        command.arg("hand-over").args(arguments);
        let (status, stdout, stderr) = run(command);
        if let Some(process) = stdout.split(' ').nth(1).and_then(|id| id.parse().ok()) {
            self.successor = Some(process);
        }
        (status, stdout + &stderr)
    }

    /// Says which process has taken its place.
    pub fn taken_over_by(&mut self, process: u32) {
        self.successor = Some(process);
    }

    /// Waits until the process that was started first has ended in good order.
    pub fn first_has_ended(&mut self) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{}", self.log());
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.process().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Asks a host that may be gone at any moment; gives the status where an answer came.
    pub fn try_ask(&self, method: &str, path: &str, token: &str, body: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        stream.write_all((request_head(method, path, &headers, body.len()) + body).as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.split(' ').nth(1)?.parse().ok()
    }

    /// Asks it to end; gives its exit code and its log.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let begun = Instant::now();
        loop {
            match (self.successor, self.child.try_wait().unwrap()) {
                (None, Some(status)) => return (status.code(), self.log()),
                // Nobody hears of another process's exit code.
                (Some(process), _) if !lives(process) => return (None, self.log()),
                _ => {}
            }
            assert!(begun.elapsed() < PATIENCE, "it did not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// The status of an answer that may never end.
    pub fn get_head(&self, path: &str) -> u16 {
        let mut stream = self.connect();
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        stream.write_all(request_head("GET", path, &headers, 0).as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("no answer: {line}"))
    }

    pub fn post(&self, path: &str, json: &str) -> Answer {
        self.ask("POST", path, &[("content-type", "application/json")], json)
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.connect();
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        if let Some(bearer) = &bearer
            && !headers.iter().any(|(name, _)| matches!(*name, "authorization" | "cookie"))
        {
            headers.push(("authorization", bearer));
        }
        let head = request_head(method, path, &headers, body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A host that refuses a large body does not read it to its end.
        let _ = stream.write_all(body.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&String::from_utf8(bytes).unwrap())
    }

    /// A request whose answer is read as it comes.
    pub fn stream(&self, path: &str) -> Events {
        let mut stream = self.connect();
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        stream.write_all(request_head("GET", path, &headers, 0).as_bytes()).unwrap();
        Events(BufReader::new(stream))
    }

    /// The same for whoever has this token.
    pub fn stream_as(&self, path: &str, token: &str) -> Events {
        let mut stream = self.connect();
        let bearer = format!("Bearer {token}");
        stream
            .write_all(request_head("GET", path, &[("authorization", bearer.as_str())], 0).as_bytes())
            .unwrap();
        Events(BufReader::new(stream))
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Host {
    /// The most memory that it has had so far, in MB.
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.successor.is_some_and(lives) {
            self.signal("KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is such a process; one that nobody has waited for yet is dead all the same.
pub fn lives(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn request_head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = if headers.iter().any(|(name, _)| *name == "host") { "" } else { "host: hub\r\n" };
    format!("{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{more}\r\n")
}

/// Server-sent events.
pub struct Events(BufReader<TcpStream>);

impl Events {
    /// The lines up to the next empty one that follows an event.
    pub fn next(&mut self) -> String {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended: {event}");
            if line.trim().is_empty() && event.contains("data:") {
                return event;
            }
            event += &line;
        }
    }
}

impl Events {
    /// Reads on until the host ends the stream.
    pub fn end(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub text: String,
}

impl Answer {
    fn parse(all: &str) -> Answer {
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or((all, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Answer {
            status: status.unwrap_or_else(|| panic!("no answer: {all}")),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            text: body.to_owned(),
        }
    }

    /// The header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}
