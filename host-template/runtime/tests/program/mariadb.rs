//! A MariaDB server of the tests' own: made in a temporary folder, stopped by the system when the tests end.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A server with the database `sales`, which `ann` may use with the password `open sesame`.
pub struct MariaDb {
    pub port: u16,
}

const SMALL: &str = "--innodb-log-file-size=4M";

const SETUP: &str = "CREATE DATABASE sales;\n\
                     CREATE USER 'ann'@'127.0.0.1' IDENTIFIED BY 'open sesame';\n\
                     GRANT ALL ON sales.* TO 'ann'@'127.0.0.1';\n";

impl MariaDb {
    /// The one server of this test program; none where MariaDB is not installed, which `HUB_REQUIRE_MARIADB` forbids.
    pub fn shared() -> Option<&'static MariaDb> {
        static SERVER: LazyLock<Option<MariaDb>> = LazyLock::new(start);
        // Each test says it of itself.
        if SERVER.is_none() {
            super::skip("on MariaDB: mariadbd is not installed (Debian: mariadb-server)");
        }
        SERVER.as_ref()
    }
}

fn start() -> Option<MariaDb> {
    let (Some(make), Some(serve)) = (program("mariadb-install-db"), program("mariadbd")) else {
        assert!(std::env::var_os("HUB_REQUIRE_MARIADB").is_none(), "MariaDB's mariadbd is not installed");
        return None;
    };
    let folder = std::env::temp_dir().join(format!("hub-mariadb-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let data = folder.join("data");
    let user = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    // A server of a few rows needs no log of a hundred megabytes.
    let made = Command::new(make)
        .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .arg(SMALL)
        .arg(format!("--user={user}"))
        .arg(format!("--datadir={}", data.display()))
        .output()
        .unwrap();
    assert!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
    fs::write(folder.join("setup.sql"), SETUP).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = folder.join("log");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(serve);
    command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
    command.args([SMALL, "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]);
    command.arg(format!("--user={user}")).arg(format!("--port={port}"));
    for (option, name) in
        [("datadir", "data"), ("socket", "socket"), ("pid-file", "pid"), ("init-file", "setup.sql")]
    {
        command.arg(format!("--{option}={}", folder.join(name).display()));
    }
    command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    // The system ends the server when the thread that started it is gone: this one stays until the tests' end.
    std::thread::spawn(move || {
        let mut child = command.spawn().unwrap();
        let _ = child.wait();
    });
    let begun = Instant::now();
    // The init file has been run before the port is open.
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", fs::read_to_string(&log).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(MariaDb { port })
}

/// A program of the server; Debian keeps those of administrators off the path of others.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).into()));
    places.map(|folder| folder.join(name)).find(|file| file.is_file())
}
