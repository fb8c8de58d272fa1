//! An install folder with a data folder and a running service, as an operator has them, without systemd: a shell loop starts
//! the launcher again whenever its host ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::host::free_port;
use crate::release::unpack_into;
use crate::xtask::{Ran, run};

/// Longest time that a test waits for a host.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation.
pub struct Installation {
    folder: TempDir,
    port: u16,
    service: Option<Child>,
}

impl Installation {
    /// An empty install folder and an empty data folder.
    pub fn new() -> Installation {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("opt")).expect("an install folder");
        Installation { folder, port: free_port(), service: None }
    }

    /// One that a tarball was unpacked over and set up with these further arguments.
    pub fn set_up(tarball: &Path, version: &str, arguments: &[&str]) -> Installation {
        let installation = Installation::new();
        unpack_into(tarball, &installation.root());
        installation.setup(version, arguments).expect(0);
        installation
    }

    /// The install folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("opt")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file beside both.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where its host listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Runs `setup` of a release, without a service of systemd's.
    pub fn setup(&self, version: &str, arguments: &[&str]) -> Ran {
        let program = self.root().join("releases").join(version).join("bin/hub-platform");
        let mut command = clean(&program);
        let listen = format!("127.0.0.1:{}", self.port);
        command.args(["setup", "--no-service", "--listen", &listen, "--data-dir"]).arg(self.data());
        command.args(["--restart", &self.restart()]).args(arguments);
        run(command)
    }

    /// A command of the current release.
    pub fn hub(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments))
    }

    /// The same, to be run by the caller.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(&self.root().join("current/bin/hub-platform"));
        command.args(arguments);
        command
    }

    /// A command by way of the launcher, with nothing that names a data folder, to be run by the caller.
    pub fn launch(&self, arguments: &[&str]) -> Command {
        let mut command = clean(&self.root().join("bin/hub-launch"));
        command.args(arguments).env_remove("XDG_DATA_HOME").env("HOME", self.file("home"));
        command
    }

    /// What the launcher would start, by name of its folder.
    pub fn chosen(&self) -> Option<String> {
        let mut command = clean(&self.root().join("bin/hub-launch"));
        command.arg("which");
        let ran = run(command);
        let path = PathBuf::from(ran.stdout.trim());
        path.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|_| ran.code == Some(0))
    }

    /// The version that `current` leads to.
    pub fn current(&self) -> String {
        let target = fs::read_link(self.root().join("current")).expect("a current release");
        target.file_name().expect("a version").to_string_lossy().into_owned()
    }

    /// The names in `releases/`, hidden ones too.
    pub fn releases(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root().join("releases")).expect("releases/");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Starts the service and waits until it answers. A host that has handed over ends, and its successor is let be.
    pub fn start(&mut self) {
        let script = format!(
            "while true; do \"{root}/bin/hub-launch\" serve >>\"{log}\" 2>&1 & echo $! >\"{pid}\"; wait $!; sleep 0.05; \
             while pgrep -f '^{root}/releases/.* serve' >/dev/null; do sleep 0.2; done; done",
            root = self.root().display(),
            log = self.file("service.log").display(),
            pid = self.file("pid").display(),
        );
        let mut command = clean(Path::new("sh"));
        command.args(["-c", &script]).env("DATA_DIR", self.data());
        command.env("LISTEN", format!("127.0.0.1:{}", self.port));
        command.env("HUB_ADMIN_EMAIL", crate::host::ADMIN).env("HUB_ADMIN_PASSWORD", crate::host::PASSWORD);
        let null = || File::options().write(true).open("/dev/null").expect("/dev/null");
        self.service =
            Some(command.stdin(Stdio::null()).stdout(null()).stderr(null()).spawn().expect("a shell"));
        let begun = Instant::now();
        while self.serving().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the host does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The version that answers now.
    pub fn serving(&self) -> Option<String> {
        let mut answer = ureq::get(format!("{}/api/health", self.url())).call().ok()?;
        let health: serde_json::Value =
            serde_json::from_slice(&answer.body_mut().read_to_vec().ok()?).ok()?;
        Some(health["version"].as_str()?.to_owned())
    }

    /// A POST of JSON as the first admin; the answer's JSON.
    pub fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let token = format!("Bearer {}", self.token());
        let request = ureq::post(format!("{}{path}", self.url())).header("authorization", token);
        json(path, request.content_type("application/json").send(body.to_string()))
    }

    /// The slugs of the plugins that are on for the first admin.
    pub fn enabled(&self) -> Vec<String> {
        let token = format!("Bearer {}", self.token());
        let request = ureq::get(format!("{}/api/session", self.url())).header("authorization", token);
        let session = json("/api/session", request.call());
        let plugins = session["plugins"].as_array().unwrap_or_else(|| panic!("no plugins: {session}"));
        plugins.iter().map(|slug| slug.as_str().expect("a slug").to_owned()).collect()
    }

    fn token(&self) -> String {
        let credentials = serde_json::json!({"email": crate::host::ADMIN, "password": crate::host::PASSWORD});
        let request = ureq::post(format!("{}/api/auth/login", self.url())).content_type("application/json");
        let told = json("/api/auth/login", request.send(credentials.to_string()));
        told["token"].as_str().unwrap_or_else(|| panic!("no token: {told}")).to_owned()
    }

    /// What the service has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("service.log")).unwrap_or_default()
    }

    /// The command that ends the host, so that the loop starts another.
    pub fn restart(&self) -> String {
        format!("kill -TERM $(cat '{}') || true", self.file("pid").display())
    }

    /// Ends the service.
    pub fn stop(&mut self) {
        let Some(mut service) = self.service.take() else { return };
        // The loop first, or it would start another host.
        let _ = service.kill();
        let _ = service.wait();
        let mut kill = Command::new("sh");
        kill.args(["-c", &format!("pkill -KILL -f '^{}' || true", self.root().display())]);
        let _ = run(kill);
    }
}

impl Default for Installation {
    fn default() -> Installation {
        Installation::new()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.stop();
    }
}

fn json(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> serde_json::Value {
    let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&answer.body_mut().read_to_vec().expect("a body")).expect("JSON")
}

/// A command whose environment says nothing of an installation.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["INSTALL_DIR", "DATA_DIR", "DATABASE_URL", "LISTEN", "HUB_ROOT", "RUST_LOG", "NOTIFY_SOCKET"]
    {
        command.env_remove(name);
    }
    command
}
