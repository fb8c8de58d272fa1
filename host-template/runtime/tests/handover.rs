//! One host takes another's place while clients ask: no request is lost, and where the new one cannot, nothing changes.

mod program;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use program::{Folder, Host, lives};

const REQUEST: &[u8] = b"GET /api/health HTTP/1.1\r\nhost: hub\r\n\r\n";

/// A launcher that never gets to serve.
const HANGS: &str = "#!/bin/sh\necho $$ > \"$DATA_DIR/hangs\"\nsleep 60 & wait\n";

/// The release of a folder as it is installed, beside a launcher: what a host hands over to.
struct Installed {
    release: PathBuf,
    launcher: PathBuf,
    /// The host's own program.
    program: String,
}

impl Installed {
    fn new(folder: &Folder) -> Installed {
        let root = folder.path("root");
        let program = program::command(folder).get_program().to_str().unwrap().to_owned();
        fs::create_dir_all(root.join("releases")).unwrap();
        fs::create_dir_all(root.join("bin")).unwrap();
        let release = root.join("releases/7.8.9");
        fs::rename(folder.path("release"), &release).unwrap();
        Installed { release, launcher: root.join("bin/hub-launch"), program }
    }

    fn start(&self, folder: &Folder) -> Host {
        Host::start(folder, |command| {
            command.env("INSTALL_DIR", &self.release);
        })
    }

    /// Makes this script the launcher. By renaming: one that runs keeps its text.
    fn launches(&self, text: &str) {
        let next = self.launcher.with_extension("next");
        fs::write(&next, text).unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&next, &self.launcher).unwrap();
    }

    /// A launcher that does what one should.
    fn itself(&self) -> String {
        format!("#!/bin/sh\nexec {} \"$@\"\n", self.program)
    }
}

/// A client that keeps its connection for as long as the host does, and never asks twice.
struct Client {
    address: String,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    fn new(host: &Host) -> Client {
        Client { address: host.address.clone(), open: None }
    }

    /// One request; gives whether the connection is kept. An error is a lost request.
    fn ask(&mut self) -> io::Result<bool> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(REQUEST)?;
        let (mut kept, mut length, mut line) = (true, 0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let lower = line.trim_end().to_ascii_lowercase();
            if lower.starts_with("http/") && lower != "http/1.1 200 ok" {
                return Err(io::Error::other(line));
            }
            kept &= lower != "connection: close";
            if let Some(text) = lower.strip_prefix("content-length: ") {
                length = text.parse().unwrap();
            }
            if lower.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if kept {
            self.open = Some(stream);
        }
        Ok(kept)
    }
}

/// Lets it hand over to a program like itself; gives how long that took.
fn hand_over(host: &mut Host, folder: &Folder) -> Duration {
    let before = host.process();
    let begun = Instant::now();
    let (status, text) = host.hand_over(folder, &[]);
    let took = begun.elapsed();
    assert_eq!(status, Some(0), "{text}\n{}", host.log());
    assert!(host.process() != before && lives(host.process()), "{text}");
    took
}

/// `wrk` with 32 connections beside the clients here, where it is installed.
fn wrk(host: &Host, seconds: u32) -> Option<std::process::Child> {
    let mut command = Command::new("wrk");
    command.args(["-t", "2", "-c", "32", "-d", &format!("{seconds}s")]);
    command.arg(format!("http://{}/api/health", host.address)).stdout(Stdio::piped());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(_) => {
            program::skip("the load of wrk, which is not installed (Debian: wrk)");
            None
        }
    }
}

#[test]
fn no_request_is_lost() {
    let folder = Folder::release();
    let mut host = Host::start(&folder, |command| {
        command.env("RUST_LOG", "warn,hub=info");
    });
    let (done, answered, closed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let pauses = [0, 0, 1, 3, 20, 250, 1500];
    let wrk = wrk(&host, 8);
    let (lost, took) = std::thread::scope(|scope| {
        let clients: Vec<_> = pauses
            .iter()
            .map(|pause| {
                let mut client = Client::new(&host);
                let (done, answered, closed) = (&done, &answered, &closed);
                scope.spawn(move || {
                    let mut lost = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        match client.ask() {
                            Ok(kept) => {
                                answered.fetch_add(1, Ordering::Relaxed);
                                closed.fetch_add(usize::from(!kept), Ordering::Relaxed);
                            }
                            Err(error) => lost.push(format!("pause {pause}: {error}")),
                        }
                        std::thread::sleep(Duration::from_millis(*pause));
                    }
                    lost
                })
            })
            .collect();
        let mut took = Vec::new();
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(700));
            took.push(hand_over_beside(&host, &folder));
        }
        std::thread::sleep(Duration::from_millis(2000));
        done.store(true, Ordering::Relaxed);
        let lost: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (lost, took)
    });
    let (processes, took): (Vec<u32>, Vec<Duration>) = took.into_iter().unzip();
    host.taken_over_by(*processes.last().unwrap());
    let (answered, closed) = (answered.into_inner(), closed.into_inner());
    println!("{answered} requests, 5 hand-overs of {took:?}, {} lost", lost.len());
    assert!(lost.is_empty(), "{lost:?}");
    assert!(answered > 1000 && closed >= 5, "{answered} answered, {closed} closed");
    if let Some(wrk) = wrk {
        let output = wrk.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        println!("{text}");
        assert!(output.status.success() && text.contains("requests in"), "{text}");
        assert!(!text.contains("Socket errors") && !text.contains("Non-2xx"), "{text}");
    }
    host.first_has_ended();
    let (_, log) = host.stop();
    assert_eq!(log.matches(" handed over pid=").count(), 5, "{log}");
    assert!(!log.contains("cut off") && !folder.path("data/host.sock").exists(), "{log}");
}

/// The same while others hold the host: its process and how long it took.
fn hand_over_beside(host: &Host, folder: &Folder) -> (u32, Duration) {
    let mut command = program::command(folder);
    command.arg("hand-over");
    let begun = Instant::now();
    let (status, stdout, stderr) = program::run(command);
    assert_eq!(status, Some(0), "{stderr}\n{}", host.log());
    (stdout.split(' ').nth(1).unwrap().parse().unwrap(), begun.elapsed())
}

/// The database is the host's; what this command would take for it is only told.
#[test]
fn an_address_of_a_database_that_is_none_keeps_nobody_from_asking() {
    let folder = Folder::release();
    let mut host = Host::start(&folder, |_| {});
    let mut asking = program::command(&folder);
    asking.arg("hand-over").env("DATABASE_URL", "mysql://h/d");
    let (status, out, said) = program::run(asking);
    assert_eq!(status, Some(0), "{out}{said}");
    let warning = "warning: DATABASE_URL mysql:… is of no kind that the host knows\n";
    assert!(said.contains(warning), "{said}");
    host.taken_over_by(out.split(' ').nth(1).unwrap().parse().unwrap());
    host.first_has_ended();
}

#[test]
fn a_connection_that_is_open_is_answered_once_more_and_a_silent_one_is_closed() {
    let folder = Folder::release();
    let mut host = Host::start(&folder, |_| {});
    let (mut busy, mut silent) = (Client::new(&host), Client::new(&host));
    assert!(busy.ask().unwrap() && silent.ask().unwrap());
    let mut unused = host.connect();
    let handed_over = Instant::now();
    hand_over(&mut host, &folder);
    // Some time within the five seconds that a silent one has.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!busy.ask().unwrap(), "the answer does not say that the connection is closed");
    assert!(busy.ask().unwrap(), "the successor closes a connection");
    let mut rest = Vec::new();
    silent.open.unwrap().read_to_end(&mut rest).unwrap();
    unused.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && handed_over.elapsed() > Duration::from_secs(3), "{rest:?}");
    host.first_has_ended();
}

#[test]
fn one_that_cannot_take_over_changes_nothing() {
    let folder = Folder::release();
    let installed = Installed::new(&folder);
    let mut host = installed.start(&folder);
    let first = host.process();
    let mut client = Client::new(&host);
    assert!(client.ask().unwrap());
    let data = folder.path("data").display().to_string();
    let nothing = format!("cannot start {}: no such file or directory", installed.launcher.display());
    for (text, want) in [
        ("#!/nothing/there\n".to_owned(), nothing.as_str()),
        ("#!/bin/false\n".to_owned(), "it ended with exit code 1 before it was ready; the log says why"),
        (HANGS.to_owned(), "it was not ready within 1 seconds"),
        (
            format!("#!/bin/sh\nDATA_DIR=/proc/none exec {} \"$@\"\n", installed.program),
            "cannot write to the data folder /proc/none: no such file or directory",
        ),
    ] {
        installed.launches(&text);
        let (status, text) = host.hand_over(&folder, &["--patience", "1"]);
        assert_eq!(
            (status, text.as_str()),
            (
                Some(3),
                format!(
                    "data folder {data} (DATA_DIR), database {data}/hub.db\nerror: the host serves on, for the one that was to take its place cannot: {want}\n  help: mend \
                     that and try again, or restart the host\n"
                )
                .as_str()
            )
        );
        assert!(client.ask().unwrap(), "{want}: the connection was closed");
        assert_eq!(host.process(), first);
    }
    let hung: u32 = fs::read_to_string(folder.path("data/hangs")).unwrap().trim().parse().unwrap();
    assert!(!lives(hung), "what hangs goes on");
    installed.launches(&installed.itself());
    hand_over(&mut host, &folder);
    host.first_has_ended();
}

/// Whenever the successor dies, somebody serves: the host before it, unless it has handed over already.
#[test]
fn a_successor_that_dies_at_any_moment_leaves_a_host_that_serves() {
    let folder = Folder::release();
    let installed = Installed::new(&folder);
    let mut host = installed.start(&folder);
    let mut client = Client::new(&host);
    let (mut served_on, mut taken_over) = (0, 0);
    for millis in 0..24 {
        let program = &installed.program;
        installed
            .launches(&format!("#!/bin/sh\n(sleep 0.{millis:03}; kill -9 $$) &\nexec {program} \"$@\"\n"));
        let before = host.process();
        let (status, told) = host.hand_over(&folder, &[]);
        if status == Some(0) {
            taken_over += 1;
            // It was ready, and dies as any host may; its clients find the next one.
            program::world::until("it lives on", || !lives(host.process()));
            drop(host);
            host = installed.start(&folder);
            client = Client::new(&host);
        } else {
            served_on += 1;
            assert!(told.contains("a signal ended it before it was ready"), "after {millis} ms: {told}");
            assert!(host.process() == before && lives(before), "{told}");
        }
        assert!(client.ask().unwrap(), "after {millis} ms: the connection was closed");
    }
    println!("{served_on} times the host served on, {taken_over} times the successor had taken over");
    assert!(served_on > 0);
    installed.launches(&installed.itself());
    hand_over(&mut host, &folder);
}

#[test]
fn a_host_that_is_stopped_meanwhile_takes_the_other_along() {
    let folder = Folder::release();
    let installed = Installed::new(&folder);
    let host = installed.start(&folder);
    installed.launches(HANGS);
    let mut asking = program::command(&folder);
    asking.arg("hand-over").stdout(Stdio::null()).stderr(Stdio::piped());
    let asking = asking.spawn().unwrap();
    let hung = || fs::read_to_string(folder.path("data/hangs")).ok()?.trim().parse::<u32>().ok();
    program::world::until("it starts no successor", || hung().is_some());
    let (status, log) = host.stop();
    assert_eq!(status, Some(0), "{log}");
    assert!(!lives(hung().unwrap()), "the other goes on");
    let output = asking.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && told.contains("SIGTERM: the host was asked to end"), "{told}");
}

#[test]
fn it_hands_over_to_the_launcher_of_its_install_folder() {
    let folder = Folder::release();
    let (installed, data) = (Installed::new(&folder), folder.path("data"));
    let program = &installed.program;
    installed
        .launches(&format!("#!/bin/sh\necho \"$@\" > {}/launched\nexec {program} \"$@\"\n", data.display()));
    let mut host = installed.start(&folder);
    hand_over(&mut host, &folder);
    assert_eq!(fs::read_to_string(data.join("launched")).unwrap(), "serve --listen 127.0.0.1:0\n");
    assert_eq!(host.get("/api/health").status, 200, "at the same address");
}

#[test]
fn systemd_hands_over_a_socket_and_hears_how_it_goes() {
    let folder = Folder::release();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (number, hears) = (listener.as_raw_fd(), folder.path("release/notify"));
    let systemd = UnixDatagram::bind(&hears).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = || {
        let mut bytes = [0; 200];
        let length = systemd.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut host = Host::start(&folder, |command| {
        // The shell is the process whose number systemd knows; it becomes the host.
        let program = command.get_program().to_owned();
        let mut shell = Command::new("sh");
        shell.args(["-c", "LISTEN_PID=$$ exec \"$0\" serve --listen 127.0.0.1:1"]).arg(program);
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("LISTEN_FDS", "1").env("NOTIFY_SOCKET", &hears);
        // SAFETY: one system call between fork and exec; the listener lives until the test ends.
        unsafe {
            shell.pre_exec(move || {
                let from = std::os::fd::BorrowedFd::borrow_raw(number);
                let mut third = std::mem::ManuallyDrop::new(
                    <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(3),
                );
                if number == 3 {
                    rustix::io::fcntl_setfd(from, rustix::io::FdFlags::empty())?;
                } else {
                    rustix::io::dup2(from, &mut third)?;
                }
                Ok(())
            });
        }
        *command = shell;
    });
    assert_eq!(host.address, address, "not systemd's socket");
    assert_eq!(hear(), "READY=1");
    assert_eq!(host.get("/api/health").status, 200);
    host.signal("HUP");
    let reloading = hear();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(hear(), "READY=1");
    hand_over(&mut host, &folder);
    assert_eq!(hear(), format!("MAINPID={}", host.process()));
    assert_eq!(hear(), "READY=1");
    host.first_has_ended();
    assert_eq!(host.get("/api/health").status, 200);
    host.stop();
    assert_eq!(hear(), "STOPPING=1");
    systemd.set_nonblocking(true).unwrap();
    assert!(systemd.recv(&mut [0]).is_err(), "the one that has handed over said more");
}
