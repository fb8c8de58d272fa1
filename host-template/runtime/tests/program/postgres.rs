//! A PostgreSQL server of the tests' own: made in a temporary folder, stopped by the system when the tests end.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server, and where it listens.
pub struct Server {
    pub port: u16,
    bin: PathBuf,
    data: PathBuf,
}

/// Where Debian and others put the server's programs.
const PLACES: &[&str] = &["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"];

impl Server {
    /// The one server of this test program; none where PostgreSQL is not installed, which `HUB_REQUIRE_POSTGRES` forbids.
    pub fn shared() -> Option<&'static Server> {
        // One that cannot be started once is not tried again by every test.
        static SERVER: LazyLock<Option<Server>> = LazyLock::new(start);
        told(SERVER.as_ref())
    }

    /// Another one, for a test that stops it.
    pub fn own() -> Option<Server> {
        told(start())
    }

    /// Ends the server and all its connections.
    pub fn stop(&self) {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        let process = file.lines().next().unwrap().to_owned();
        assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A new, empty database; gives its address.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hub_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://hub@127.0.0.1:{}/{name}", self.port)
    }

    /// The same by the server's socket: the address, and the socket itself.
    pub fn by_socket(&self, address: &str) -> (String, PathBuf) {
        let (name, folder) = (address.rsplit_once('/').unwrap().1, self.data.parent().unwrap());
        let address = format!("postgres:///{name}?host={}&port={}&user=hub", folder.display(), self.port);
        (address, folder.join(format!(".s.PGSQL.{}", self.port)))
    }

    /// Runs a statement with the server's own client; gives what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "hub"])
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Locks a table so that nobody reads it, until the lock is released or dropped.
    pub fn lock(&self, database: &str, table: &str) -> Lock {
        let mut client = Command::new(self.bin.join("psql"));
        client.args([
            "-X",
            "-q",
            "-h",
            "127.0.0.1",
            "-U",
            "hub",
            "-p",
            &self.port.to_string(),
            "-d",
            database,
        ]);
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n");
        client.stdin.as_mut().unwrap().write_all(sql.as_bytes()).unwrap();
        let lock = Lock(client);
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock' AND granted"
        );
        let begun = Instant::now();
        while self.sql(database, &held) == "0" {
            assert!(begun.elapsed() < Duration::from_secs(60), "{table} cannot be locked");
            std::thread::sleep(Duration::from_millis(5));
        }
        lock
    }

    /// How many sessions of a database wait for a lock now.
    pub fn waiting_for_locks(&self, database: &str) -> usize {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'"
        );
        self.sql(database, &sql).parse().unwrap()
    }
}

/// A lock that is held by a client of its own.
pub struct Lock(Child);

impl Lock {
    /// Gives it back: its transaction is undone when the client ends.
    pub fn release(mut self) {
        // Waiting closes its standard input.
        self.0.wait().unwrap();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where there is none, the calling test says of itself that it is skipped.
fn told<S>(server: Option<S>) -> Option<S> {
    if server.is_none() {
        super::skip("on PostgreSQL: initdb is not installed (Debian: postgresql)");
    }
    server
}

fn start() -> Option<Server> {
    let Some(bin) = programs() else {
        assert!(std::env::var_os("HUB_REQUIRE_POSTGRES").is_none(), "PostgreSQL's initdb is not installed");
        return None;
    };
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("hub-postgres-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let user = other_user();
    if let Some(user) = &user {
        assert!(Command::new("chown").arg(user).arg(&folder).status().unwrap().success());
    }
    let data = folder.join("data");
    let made = as_user(user.as_deref(), &bin.join("initdb"))
        .args(["--auth=trust", "--username=hub", "--encoding=UTF8", "--no-locale", "--no-sync", "--pgdata"])
        .arg(&data)
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = as_user(user.as_deref(), &bin.join("postgres"));
    command.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-p", &port.to_string()]);
    for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=90"] {
        command.args(["-c", setting]);
    }
    command.current_dir(&folder).stdout(Stdio::null()).stderr(fs::File::create(folder.join("log")).unwrap());
    // The system ends the server when the thread that started it is gone: this one stays until the tests' end.
    std::thread::spawn(move || {
        let mut child = command.spawn().unwrap();
        let _ = child.wait();
    });
    let begun = Instant::now();
    let server = Server { port, bin, data };
    while !server.answers() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            fs::read_to_string(folder.join("log")).unwrap()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(server)
}

impl Server {
    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .is_ok_and(|status| status.success())
    }
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    for place in PLACES {
        let versions = fs::read_dir(place).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        found.extend(versions.into_iter().rev());
    }
    let all = ["initdb", "postgres", "psql", "pg_isready"];
    found.into_iter().find(|folder| all.iter().all(|program| folder.join(program).is_file()))
}

/// initdb refuses to run as root: then as `postgres` or, where there is none, as `nobody`.
pub fn other_user() -> Option<String> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let exists =
        |name: &&str| Command::new("id").arg(name).output().is_ok_and(|output| output.status.success());
    root.then(|| ["postgres", "nobody"].into_iter().find(exists).unwrap_or("nobody").to_owned())
}

/// The program as that user, to be ended with the thread that starts it.
pub fn as_user(user: Option<&str>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args([&format!("--reuid={user}"), "--init-groups", "--reset-env"]);
        let group = Command::new("id").args(["-g", user]).output().unwrap();
        command.arg(format!("--regid={}", String::from_utf8_lossy(&group.stdout).trim()));
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command
}
