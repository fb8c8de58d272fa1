//! The container image and the Helm chart of one release, as programs of others read them, and the image as it runs.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hub_tests::host::free_port;
use hub_tests::release::Built;
use hub_tests::xtask::{prepared, run, skip};
use serde_json::Value;

/// The user of the image.
const USER: &str = "65532";

/// The release, its image and its chart.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| Built::new(&["--locked", "--image", "--chart"]))
}

/// Path and digest of what was made beside the tarball.
fn also(kind: &str) -> (PathBuf, String) {
    let also = built().finished["also"].as_array().expect("a list");
    let made = also.iter().find(|made| made["kind"] == kind).expect(kind);
    (made["path"].as_str().expect("a path").into(), made["sha256"].as_str().expect("a digest").to_owned())
}

/// Output of a program that has to succeed.
fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    run(command).expect(0).stdout
}

/// Whether a program is there; says so where it is not.
fn there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

fn root() -> bool {
    let root = output("id", &["-u"]).trim() == "0";
    if !root {
        skip("only root may unpack an image and run it as another user");
    }
    root
}

#[test]
fn the_build_names_them_and_gives_the_same_bytes_again() {
    let again = Built::new(&["--locked", "--image", "--chart"]);
    assert_eq!(again.finished["also"][0]["sha256"], also("image").1);
    assert_eq!(again.finished["also"][1]["sha256"], also("chart").1);
    for (kind, name) in [("image", "hub-platform-v0.1.0.oci.tar"), ("chart", "hub-platform-0.1.0.tgz")] {
        let (path, sha256) = also(kind);
        assert_eq!(path.file_name().expect("a name"), name);
        assert!(output("sha256sum", &[&path.to_string_lossy()]).starts_with(&sha256));
    }
}

#[test]
fn skopeo_reads_the_image() {
    if !there("skopeo") {
        return;
    }
    let image = format!("oci-archive:{}:0.1.0", also("image").0.display());
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&output("skopeo", &[&["inspect"], arguments, &[&image]].concat())).expect("JSON")
    };
    let seen = json(&[]);
    assert_eq!(seen["Architecture"], "amd64");
    assert_eq!(seen["Layers"].as_array().expect("layers").len(), 1);
    let labels = &seen["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], "0.1.0");
    assert_eq!(labels["org.opencontainers.image.licenses"], "MIT OR Apache-2.0");
    let config = &json(&["--config"])["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/opt/honeyframe/bin/hub-launch"]));
    assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
}

#[test]
fn helm_reads_the_chart() {
    let Some(helm) = prepared("HUB_HELM") else { return };
    let mut command = Command::new(helm);
    command.args(["lint", "--strict"]).arg(also("chart").0);
    run(command).expect(0);
}

/// The image's files and what a runtime is told of it, as umoci makes them of the image.
struct Bundle {
    folder: tempfile::TempDir,
}

impl Bundle {
    fn unpack() -> Option<Bundle> {
        if !there("skopeo") || !there("umoci") || !root() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let layout = format!("{}:0.1.0", folder.path().join("layout").display());
        let image = format!("oci-archive:{}:0.1.0", also("image").0.display());
        output("skopeo", &["copy", "--quiet", &image, &format!("oci:{layout}")]);
        output("umoci", &["unpack", "--image", &layout, &folder.path().join("bundle").to_string_lossy()]);
        Some(Bundle { folder })
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// Starts what the image is to start, as its user, in a root of its own that is read only: as a cluster does.
    fn start(&self, variables: &[(&str, &str)]) -> Container {
        let text = fs::read(self.folder.path().join("bundle/config.json")).expect("config.json");
        let config: Value = serde_json::from_slice(&text).expect("JSON");
        let process = &config["process"];
        assert_eq!(process["user"]["uid"], 65532);
        let words = |of: &Value| -> Vec<String> {
            let words = of.as_array().expect("a list").iter();
            words.map(|word| word.as_str().expect("text").to_owned()).collect()
        };
        let mounted = format!(
            "set -e; cd '{}'; mount --bind . .; cd \"$PWD\"; mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs tmp; \
             mount -t tmpfs -o mode=750,uid={USER},gid={USER} tmpfs data/honeyframe; mount -o remount,ro,bind .; \
             exec env -i \"$@\"",
            self.root().display()
        );
        let log = self.folder.path().join("log");
        let out = fs::File::create(&log).expect("a log");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", &mounted, "sh"]);
        command
            .args(words(&process["env"]))
            .args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command
            .args(["/usr/sbin/chroot", &format!("--userspec={USER}:{USER}"), "."])
            .args(words(&process["args"]));
        command.stdout(out.try_clone().expect("a second handle")).stderr(out);
        Container { child: command.spawn().expect("unshare starts"), log }
    }
}

/// A process that is the first one of its namespace.
struct Container {
    child: Child,
    log: PathBuf,
}

impl Container {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for it to end by itself: its exit code.
    fn ended(&mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end:\n{}", self.log());
    }

    /// Identifier of the container's first process.
    fn first(&self) -> String {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("children");
        children.split_whitespace().next().expect("a child").to_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_image_runs_as_nobody_in_a_root_that_is_read_only() {
    let Some(bundle) = Bundle::unpack() else { return };
    let current = fs::read_link(bundle.root().join("opt/honeyframe/current")).expect("a link");
    assert_eq!(current, Path::new("releases/0.1.0"));
    let address = format!("127.0.0.1:{}", free_port());
    let mut container = bundle.start(&[("LISTEN", &address)]);
    let begun = Instant::now();
    let health = loop {
        if let Ok(mut answer) = ureq::get(format!("http://{address}/api/health")).call() {
            break answer.body_mut().read_to_string().expect("a body");
        }
        assert!(container.child.try_wait().expect("a child").is_none(), "it ended:\n{}", container.log());
        assert!(begun.elapsed() < Duration::from_secs(60), "no answer:\n{}", container.log());
        std::thread::sleep(Duration::from_millis(20));
    };
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!((&health["status"], &health["version"]), (&"ok".into(), &"0.1.0".into()));
    assert_eq!(health["plugins"]["ok"], 4);
    assert!(ureq::get(format!("http://{address}/")).call().is_ok(), "the page is served");

    let first = container.first();
    let status = fs::read_to_string(format!("/proc/{first}/status")).expect("a status");
    assert!(status.contains(&format!("Uid:\t{USER}\t{USER}")), "{status}");
    output("kill", &["-TERM", &first]);
    assert_eq!(container.ended(), Some(0), "{}", container.log());
}

#[test]
fn names_are_resolved_without_modules_of_a_system() {
    let Some(bundle) = Bundle::unpack() else { return };
    fs::write(bundle.root().join("etc/hosts"), "127.0.0.1 database.test\n").expect("hosts");
    let database = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url =
        format!("postgres://hub@database.test:{}/hub", database.local_addr().expect("an address").port());
    let address = format!("127.0.0.1:{}", free_port());
    let container = bundle.start(&[("LISTEN", &address), ("DATABASE_URL", &url)]);
    database.set_nonblocking(true).expect("a listener that does not wait");
    let begun = Instant::now();
    // Who knocks at the machine that the name stands for has resolved it.
    while database.accept().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody came:\n{}", container.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
