//! The host against the same routes written by hand on axum, with the same middleware: requests per second and CPU time a
//! request. And how long the host takes from its start to the first answer.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::host::{ADMIN, Host, PASSWORD, command, free_port};

/// Connections that the load is spread over.
const CONNECTIONS: &str = "32";
/// Clock ticks a second in `/proc/<pid>/stat`: fixed on Linux, whatever the kernel's own clock.
const TICKS: f64 = 100.0;

/// What one measurement gave.
#[derive(Debug, Clone, Copy)]
struct Load {
    per_second: f64,
    cpu_micros: f64,
}

/// A server under test: its process and its port.
#[derive(Clone, Copy)]
struct Target {
    id: u32,
    port: u16,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds of each comparison.
    pub rounds: usize,
    /// Seconds that one measurement takes.
    pub seconds: u64,
    /// Starts, of which the median is told.
    pub starts: usize,
}

/// A server that is ended when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server and waits for its first answer. What one says that gives none is part of the error.
    fn start(mut command: Command, port: u16) -> io::Result<Server> {
        // A file, not a pipe: nobody reads while it serves.
        let mut said = tempfile::tempfile()?;
        let child =
            command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?).spawn()?;
        let mut server = Server { child, port };
        server.wait_for_answer("/api/health", Duration::from_secs(60)).map_err(|why| {
            let mut text = String::new();
            let read = said.rewind().and_then(|()| said.read_to_string(&mut text));
            let text = read.map_or_else(|error| error.to_string(), |_| text);
            io::Error::other(format!("{:?}: {why}; it said:\n{text}", command.get_program()))
        })?;
        Ok(server)
    }

    /// Polls as fast as it can: what is measured is the server, not the pause between two questions.
    fn wait_for_answer(&mut self, path: &str, patience: Duration) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            // Until it listens, no question is answered.
            if answers(self.port, path).unwrap_or(false) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if begun.elapsed() > patience {
                return Err(io::Error::other(format!("no answer on port {}", self.port)));
            }
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    fn target(&self) -> Target {
        Target { id: self.child.id(), port: self.port }
    }
}

impl Target {
    /// Processor time used so far, in seconds.
    fn cpu(self) -> io::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // The second field is the program's name in brackets and may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / TICKS)
    }

    /// Memory in use, in MB.
    fn resident(self) -> io::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
        Ok(kilobytes.unwrap_or_default() / 1024.0)
    }

    /// Asks for a path as often as it can for some seconds, with these headers.
    fn load(self, seconds: u64, path: &str, headers: &[String]) -> io::Result<Load> {
        let before = self.cpu()?;
        let output = Command::new("wrk")
            .args(["-t1", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
            .args(headers.iter().flat_map(|header| ["-H", header.as_str()]))
            .arg(format!("http://127.0.0.1:{}{path}", self.port))
            .output()?;
        let cpu = self.cpu()? - before;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = |label: &str| {
            let line = text.lines().find(|line| line.contains(label))?;
            line.split_whitespace().find_map(|word| word.trim_end_matches(':').parse::<f64>().ok())
        };
        let (Some(per_second), Some(requests)) = (number("Requests/sec:"), number("requests in")) else {
            return Err(io::Error::other(format!("wrk said:\n{text}")));
        };
        if text.contains("Non-2xx") {
            return Err(io::Error::other(format!("{path} was answered with an error:\n{text}")));
        }
        Ok(Load { per_second, cpu_micros: cpu / requests * 1e6 })
    }
}

fn answers(port: u16, path: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(&head == b"HTTP/1.1 200")
}

fn host(release: &Path, data: &Path, port: u16) -> Command {
    let mut command = command(release);
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).env("DATA_DIR", data);
    command
}

/// Runs the comparison over an unpacked release; `peer` is the built program of `tests/bench/peer`.
pub fn run(release: &Path, peer: &Path, effort: Effort, report: &mut dyn Write) -> io::Result<()> {
    let Effort { rounds, seconds, starts } = effort;
    let ours = Host::start(release);
    let port = ours.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let us = Target { id: ours.id(), port };
    let token = [format!("Authorization: {}", ours.bearer())];
    let customer = customer(&ours)?;
    let peer_port = free_port();
    let mut by_hand = Command::new(peer);
    // Both read the same rows.
    by_hand.arg(format!("127.0.0.1:{peer_port}")).arg(ours.data().join("hub.db"));
    let by_hand = Server::start(by_hand, peer_port)?;
    let them = by_hand.target();

    writeln!(
        report,
        "host against hand-written axum: {CONNECTIONS} connections, medians of {rounds} rounds of {seconds} s"
    )?;
    writeln!(
        report,
        "{:<26} {:>10} {:>10} {:>7}   {:>9} {:>9} {:>7}",
        "route", "host/s", "hand/s", "ratio", "host µs", "hand µs", "ratio"
    )?;
    let one = format!("/api/crm/customers/{customer}");
    for (name, path) in [
        ("/api/_demo/ping", "/api/_demo/ping"),
        ("/api/crm/customers/{id}", one.as_str()),
        ("/api/crm/customers?limit=2", "/api/crm/customers?limit=2"),
    ] {
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            pairs.push((us.load(seconds, path, &token)?, them.load(seconds, path, &[])?));
        }
        let of = |f: &dyn Fn(&(Load, Load)) -> f64| median(pairs.iter().map(f).collect());
        writeln!(
            report,
            "{name:<26} {:>10.0} {:>10.0} {:>7.3}   {:>9.1} {:>9.1} {:>7.3}",
            of(&|pair| pair.0.per_second),
            of(&|pair| pair.1.per_second),
            of(&|pair| pair.0.per_second / pair.1.per_second),
            of(&|pair| pair.0.cpu_micros),
            of(&|pair| pair.1.cpu_micros),
            of(&|pair| pair.0.cpu_micros / pair.1.cpu_micros),
        )?;
    }
    drop(by_hand);

    // The same handler twice: to callers whose session and switches are looked at, and to anybody. Both requests are of
    // one length, so that only the gate differs.
    let padding = [token[0].replacen("Authorization", "X-No-Meaning1", 1)];
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let behind = us.load(seconds, "/api/_demo/signed-in-ping", &token)?;
        pairs.push((behind, us.load(seconds, "/api/_demo/ping", &padding)?));
    }
    writeln!(
        report,
        "behind the gate against in front of it: {:.3} of the requests a second, {:.3} of the CPU time",
        median(pairs.iter().map(|pair| pair.0.per_second / pair.1.per_second).collect()),
        median(pairs.iter().map(|pair| pair.0.cpu_micros / pair.1.cpu_micros).collect()),
    )?;
    let session = us.load(seconds, "/api/session", &token)?;
    writeln!(
        report,
        "GET /api/session: {:.0} requests/s, {:.1} µs CPU each",
        session.per_second, session.cpu_micros
    )?;
    drop(ours);

    let data = tempfile::tempdir()?;
    let start = || -> io::Result<f64> {
        let port = free_port();
        let begun = Instant::now();
        let server = Server::start(host(release, data.path(), port), port)?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        drop(server);
        Ok(took)
    };
    // The first one makes the database.
    start()?;
    let times = (0..starts).map(|_| start()).collect::<io::Result<Vec<_>>>()?;
    writeln!(
        report,
        "start to first answer: {:.1} ms (median of {starts}, the database is there already)",
        median(times)
    )?;
    let size = fs::metadata(release.join("bin/hub-platform"))?.len();
    writeln!(report, "the host, stripped: {:.1} MB", size as f64 / 1e6)
}

/// 200 plugins on this host and in FastAPI: start, memory, and the last route's requests a second.
pub fn many(
    host: &Path,
    python: &Path,
    app: &Path,
    effort: Effort,
    report: &mut dyn Write,
) -> io::Result<()> {
    let Effort { seconds, starts, .. } = effort;
    let folder = tempfile::tempdir()?;
    let (release, data) = (folder.path().join("release"), folder.path().join("data"));
    fs::create_dir_all(release.join("web"))?;
    fs::create_dir_all(&data)?;
    fs::write(release.join("web/index.html"), "<!doctype html><body>page</body>")?;
    let ours = |port: u16| {
        let mut command = Command::new(host);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        command.env("INSTALL_DIR", &release).env("DATA_DIR", &data).env_remove("DATABASE_URL");
        command.env("HUB_ADMIN_EMAIL", ADMIN).env("HUB_ADMIN_PASSWORD", PASSWORD);
        command
    };
    let theirs = |port: u16| {
        let mut command = Command::new(python);
        command.args(["-m", "uvicorn", "fastapi_app:app", "--no-access-log", "--port", &port.to_string()]);
        command.current_dir(&folder);
        command
    };
    fs::copy(app, folder.path().join("fastapi_app.py"))?;
    // The first start brings an empty database up to date, which no later one does.
    let port = free_port();
    drop(Server::start(ours(port), port)?);

    let start = |command: &dyn Fn(u16) -> Command, rounds: usize| -> io::Result<f64> {
        let mut starts = Vec::new();
        for _ in 0..rounds {
            let port = free_port();
            let begun = Instant::now();
            drop(Server::start(command(port), port)?);
            starts.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(starts))
    };
    let (start_us, start_them) = (start(&ours, starts.min(10))?, start(&theirs, starts.min(3))?);

    let port = free_port();
    let host = Server::start(ours(port), port)?;
    let client = Client::new(format!("http://127.0.0.1:{port}"))?;
    let mut toggles = Vec::new();
    for number in 0..200 {
        let path = format!("/api/plugins/plugin-{number:03}/enable");
        let begun = Instant::now();
        let answer = client.post(&path, &serde_json::json!({"scope": "org"}))?;
        if answer != 200 {
            return Err(io::Error::other(format!("{path}: {answer}")));
        }
        // The answer comes when the change holds here.
        toggles.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let header = [format!("Authorization: Bearer {}", client.token)];
    let last = host.target().load(seconds, "/api/plugin-199/items/7", &header)?;
    let session = host.target().load(seconds, "/api/session", &header)?;
    let memory = host.target().resident()?;
    drop(host);
    let port = free_port();
    let peer = Server::start(theirs(port), port)?;
    let their_last = peer.target().load(seconds, "/api/plugin-199/items/7", &[])?;
    let their_memory = peer.target().resident()?;
    drop(peer);

    writeln!(report, "200 plugins, 600 routes       host     FastAPI + uvicorn   ratio")?;
    let mut row = |what: &str, ours: f64, theirs: f64, unit: &str| {
        writeln!(report, "{what:<26} {ours:>9.1} {theirs:>16.1} {unit:<4} {:>6.3}", ours / theirs)
    };
    row("start to first answer", start_us, start_them, "ms")?;
    row("memory", memory, their_memory, "MB")?;
    row("last route, requests/s", last.per_second, their_last.per_second, "")?;
    row("last route, CPU each", last.cpu_micros, their_last.cpu_micros, "µs")?;
    writeln!(report, "GET /api/session with 200 plugins on: {:.1} µs CPU each", session.cpu_micros)?;
    writeln!(report, "a switch, from request to answer: {:.1} ms (median of 200)", median(toggles))
}

/// The identifier of a customer that both servers are asked for.
fn customer(host: &Host) -> io::Result<String> {
    let made = |path: &str, body: serde_json::Value| {
        let answer = host.post(path, &body);
        let id = answer.json()["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| io::Error::other(format!("{path}: {} {}", answer.status, answer.text())))
    };
    let account = serde_json::json!({"name": "Bench", "industry": "retail", "owner": "Ada Brandt"});
    let account = made("/api/crm/accounts", account)?;
    let person = serde_json::json!({"name": "Ada", "email": "ada@bench.example", "account_id": account});
    made("/api/crm/customers", person)
}

/// Somebody who is signed in.
struct Client {
    url: String,
    token: String,
}

impl Client {
    fn new(url: String) -> io::Result<Client> {
        let body = serde_json::json!({"email": ADMIN, "password": PASSWORD}).to_string();
        let sent = ureq::post(format!("{url}/api/auth/login")).content_type("application/json").send(body);
        let text =
            sent.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(io::Error::other)?;
        let answer: serde_json::Value = serde_json::from_str(&text)?;
        Ok(Client { url, token: answer["token"].as_str().unwrap_or_default().to_owned() })
    }

    fn post(&self, path: &str, body: &serde_json::Value) -> io::Result<u16> {
        let request = ureq::post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token));
        let sent = request.content_type("application/json").send(body.to_string());
        Ok(sent.map_err(io::Error::other)?.status().as_u16())
    }
}

/// The median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
