//! A running host, stopped when it goes out of scope.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest time from start to the first answer before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host and its data folder.
pub struct Host {
    child: Child,
    data: TempDir,
    log: PathBuf,
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// Sent with each request.
    token: String,
}

/// The admin of the first organisation.
pub const ADMIN: &str = "admin@example.com";
/// Its password.
pub const PASSWORD: &str = "correct horse battery";

/// A port that nothing listens on, and that stays free until the caller takes it: not one of those that the kernel gives to
/// connections of other programs, nor one that this process or another one of these tests was given just before.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let given = range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(32_768);
    let count = u32::max(given, FIRST + 1000) - FIRST;
    // Processes begin at places of their own.
    let begin = std::process::id().wrapping_mul(97);
    let ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(count as usize);
    let mut ports = ports.map(|number| FIRST + begin.wrapping_add(number) % count);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.by_ref().filter_map(|port| u16::try_from(port).ok()).find(free).expect("a free port")
}

/// `hub-platform` of a release, with an environment that says nothing about it.
pub fn command(release: &Path) -> Command {
    let mut command = Command::new(release.join("bin/hub-platform"));
    for name in ["INSTALL_DIR", "DATA_DIR", "DATABASE_URL", "LISTEN", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

impl Host {
    /// Starts `serve` on a free port, waits for its first answer, signs in as admin and enables every sound plugin.
    pub fn start(release: &Path) -> Host {
        let host = Host::start_with(release, |_| {});
        host.enable_all();
        host
    }

    /// Enables every sound plugin for the admin's organisation.
    pub fn enable_all(&self) {
        let plugins = self.get("/api/plugins").json();
        // Listed in plugin order, so what others need comes first.
        for plugin in plugins.as_array().expect("a list").iter().filter(|plugin| plugin["state"] != "invalid")
        {
            let slug = plugin["name"].as_str().expect("a slug");
            let answer =
                self.post(&format!("/api/plugins/{slug}/enable"), &serde_json::json!({"scope": "org"}));
            assert_eq!(answer.status, 200, "{slug}: {}", answer.text());
        }
    }

    /// Starts it, after `prepare` put something into the data folder, and signs in; every plugin is off.
    pub fn start_with(release: &Path, prepare: impl FnOnce(&Path)) -> Host {
        let data = tempfile::tempdir().expect("a temporary folder");
        prepare(data.path());
        let url = format!("127.0.0.1:{}", free_port());
        let log = data.path().join("test.log");
        let out = File::create(&log).expect("a log file");
        let mut command = command(release);
        command.args(["serve", "--demo", "--listen", &url]).env("DATA_DIR", data.path());
        command.env("HUB_ADMIN_EMAIL", ADMIN).env("HUB_ADMIN_PASSWORD", PASSWORD);
        command.stdout(out.try_clone().expect("a second handle")).stderr(out);
        let child = command.spawn().expect("the host starts");
        let mut host = Host { child, data, log, url: format!("http://{url}"), token: String::new() };
        host.wait();
        let credentials = serde_json::json!({"email": ADMIN, "password": PASSWORD});
        let answer = host.post("/api/auth/login", &credentials);
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), host.log());
        host.token = answer.json()["token"].as_str().expect("a token").to_owned();
        host
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        loop {
            if let Ok(answer) = ureq::get(format!("{}/api/health", self.url)).call()
                && answer.status() == 200
            {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the host ended with {status}:\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "the host does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Answer to a GET, whatever its status: status, headers as text, body.
    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    /// The same with request headers.
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.url)).header("authorization", self.bearer());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answer(path, request.call())
    }

    /// Answer to a GET of somebody who is not signed in.
    pub fn get_as_anybody(&self, path: &str) -> Answer {
        self.answer(path, agent().get(format!("{}{path}", self.url)).call())
    }

    /// Answer to a POST of JSON.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        let request = agent().post(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(path, request.content_type("application/json").send(body.to_string()))
    }

    /// Identifier of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The admin's token as a header's value.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn answer(&self, path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
        let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()));
        let headers = answer.headers().clone();
        Answer {
            status: answer.status().as_u16(),
            body: answer.body_mut().read_to_vec().expect("a body"),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_string()))
                .collect(),
        }
    }

    /// Sends SIGTERM and waits: the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let mut kill = Command::new("kill");
        kill.arg(self.child.id().to_string());
        crate::xtask::run(kill).expect(0);
        self.child.wait().expect("the host can be waited for").code()
    }
}

/// Every status is an answer.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
    ureq::Agent::new_with_config(config)
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail where `stop` has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
