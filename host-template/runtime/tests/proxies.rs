//! The host behind real proxies, with the settings that `docs/reverse-proxy.md` gives.

mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use program::{ADMIN, Folder, Host, PASSWORD};
use serde_json::json;

/// The blocks of the page in this language.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reverse-proxy.md");
    let text = fs::read_to_string(page).unwrap();
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// A program of the machine; none where it is not installed, which `HUB_REQUIRE_PROXIES` forbids.
fn installed(name: &str) -> Option<PathBuf> {
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("HUB_REQUIRE_PROXIES").is_none(), "{name} is not installed");
        program::skip(&format!("{name} is not installed (Debian: {name})"));
    }
    found
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A proxy that runs.
struct Proxy {
    child: Child,
    port: u16,
}

impl Proxy {
    fn start(mut command: Command, port: u16, log: &Path) -> Proxy {
        let output = fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            let told = fs::read_to_string(log).unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(20),
                "it does not listen: {told}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Proxy { child, port }
    }

    /// Sends it, and reads until `until` has come or the connection is closed.
    fn ask(&self, head: &str, body: &str, until: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        stream.write_all(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
        let (mut all, mut buffer) = (String::new(), [0; 4096]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return all,
                Ok(count) => all += &String::from_utf8_lossy(&buffer[..count]),
                Err(error) => panic!("{error} after {all}"),
            }
            if !until.is_empty() && all.contains(until) {
                return all;
            }
        }
    }

    /// Signs in as a page of `origin` would; gives the answer.
    fn sign_in(&self, host: &str, origin: &str, base: &str) -> String {
        let body = json!({"email": ADMIN, "password": PASSWORD}).to_string();
        let head = format!(
            "POST {base}/api/auth/login HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\nconnection: close\r\ncontent-type: application/json"
        );
        self.ask(&head, &body, "")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server block of the page without TLS, on a port of its own, in front of this host.
fn nginx(folder: &Folder, host: &Host, http: &str) -> Option<Proxy> {
    let program = installed("nginx")?;
    let port = free_port();
    let http: String = http
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        .replace("127.0.0.1:8001", &host.address)
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"))
        .map(|line| format!("{line}\n"))
        .collect();
    let dir = folder.path("nginx");
    fs::create_dir_all(&dir).unwrap();
    let shown = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {shown}/{name};\n"))
        .collect();
    let conf = format!(
        "daemon off;\nmaster_process off;\npid {shown}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{http}\n}}\n"
    );
    fs::write(dir.join("nginx.conf"), conf).unwrap();
    let mut command = Command::new(program);
    command.args(["-p"]).arg(&dir).arg("-c").arg(dir.join("nginx.conf"));
    Some(Proxy::start(command, port, &folder.path("nginx.log")))
}

fn session_of(answer: &str) -> String {
    let line =
        answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: ")).expect(answer);
    line.split_once(": ").unwrap().1.split(';').next().unwrap().to_owned()
}

#[test]
fn o7_behind_nginx() {
    let folder = Folder::release();
    let host = Host::start(&folder, |_| {});
    let Some(proxy) = nginx(&folder, &host, &blocks("nginx")[0]) else { return };
    // Plain HTTP under another name, with a port.
    let answer = proxy.sign_in("hub.example:8080", "http://hub.example:8080", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let cookie = session_of(&answer);
    let evil = proxy.sign_in("hub.example:8080", "http://evil.example", "");
    assert!(evil.starts_with("HTTP/1.1 403") && evil.contains("`http://evil.example`"), "{evil}");
    assert!(evil.contains("`hub.example:8080`"), "{evil}");
    // Events come as they are sent, though nginx collects answers.
    let head = format!("GET /api/session/events HTTP/1.1\r\nhost: hub.example\r\ncookie: {cookie}");
    let events = proxy.ask(&head, "", "event: hello");
    assert!(events.contains("event: hello"), "{events}");
}

#[test]
fn o7_behind_nginx_that_does_not_pass_the_name_on() {
    let folder = Folder::release();
    let host = Host::start(&folder, |_| {});
    let bare = blocks("nginx")[0].replace("proxy_set_header Host $http_host;", "");
    let Some(proxy) = nginx(&folder, &host, &bare) else { return };
    let refused = proxy.sign_in("hub.example", "http://hub.example", "");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    // Both hosts, and the cure.
    for part in ["`http://hub.example`", &format!("`{}`", host.address), "X-Forwarded-Host"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
}

#[test]
fn o7_below_a_path() {
    let folder = Folder::release();
    folder.write("web/index.html", "<head></head><script src=\"/assets/app-1a2b.js\"></script>");
    let host = Host::start(&folder, |command| {
        command.env("HUB_BASE_PATH", "/hub");
    });
    let passed_on = blocks("nginx").pop().unwrap();
    let taken_away =
        passed_on.replace("proxy_pass http://127.0.0.1:8001;", "proxy_pass http://127.0.0.1:8001/;");
    for location in [passed_on, taken_away] {
        let Some(proxy) = nginx(&folder, &host, &format!("server {{ listen 443 ssl;\n{location}\n}}")) else {
            return;
        };
        let get = |path: &str| {
            proxy.ask(
                &format!(
                    "GET {path} HTTP/1.1\r\nhost: hub.example\r\naccept: text/html\r\nconnection: close"
                ),
                "",
                "",
            )
        };
        let page = get("/hub/");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("src=\"/hub/assets/app-1a2b.js\""), "{page}");
        assert!(page.contains("<meta name=\"hub-base\" content=\"/hub\">"), "{page}");
        assert!(get("/hub/records").contains("hub-base"));
        assert!(get("/hub/assets/app-1a2b.js").contains("let app = 1;"));
        assert!(get("/hub/api/health").contains("\"status\":\"ok\""));
        assert!(get("/hub/api/openapi.json").contains("\"servers\":[{\"url\":\"/hub\"}]"));
        let answer = proxy.sign_in("hub.example", "http://hub.example", "/hub");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Path=/hub;"), "{answer}");
    }
    // Where no proxy takes part, too: what the machine itself asks.
    assert_eq!(host.get("/api/health").status, 200);
    assert_eq!(host.get("/hub/api/health").status, 200);
    assert_eq!(host.get("/hubble").status, 404);
}

#[test]
fn o7_behind_caddy() {
    let folder = Folder::release();
    let host = Host::start(&folder, |_| {});
    let Some(program) = installed("caddy") else { return };
    let (port, settings) = (free_port(), blocks("caddyfile").remove(0));
    let settings = settings
        .replace("hub.example {", &format!("http://hub.example:{port} {{"))
        .replace("127.0.0.1:8001", &host.address);
    let file = folder.path("Caddyfile");
    fs::write(&file, format!("{{\n\tadmin off\n}}\n{settings}\n")).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
    command
        .env("HOME", folder.path("caddy"))
        .env("XDG_DATA_HOME", folder.path("caddy"))
        .env("XDG_CONFIG_HOME", folder.path("caddy"));
    let proxy = Proxy::start(command, port, &folder.path("caddy.log"));
    let name = format!("hub.example:{port}");
    let answer = proxy.sign_in(&name, &format!("http://{name}"), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let cookie = session_of(&answer);
    let head = format!("GET /api/session/events HTTP/1.1\r\nhost: {name}\r\ncookie: {cookie}");
    assert!(proxy.ask(&head, "", "event: hello").contains("event: hello"));
}
