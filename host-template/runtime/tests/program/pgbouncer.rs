//! PgBouncer in transaction mode before the tests' own server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::postgres::{Server, as_user, other_user};

/// One that runs.
pub struct PgBouncer {
    pub port: u16,
    child: Child,
    folder: PathBuf,
}

impl PgBouncer {
    /// Before that server, with more lines of its settings; none where it is not installed, which `HUB_REQUIRE_PGBOUNCER` forbids.
    pub fn before(server: &Server, settings: &str) -> Option<PgBouncer> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .find(|program| fs::metadata(program).is_ok());
        let Some(program) = program else {
            assert!(std::env::var_os("HUB_REQUIRE_PGBOUNCER").is_none(), "pgbouncer is not installed");
            super::skip("pgbouncer is not installed");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("hub-pgbouncer-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let users = folder.join("users.txt");
        fs::write(&users, "\"hub\" \"\"\n").unwrap();
        let file = folder.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 4\n{settings}\n",
            server.port,
            users.display()
        );
        // With `auth_type = any` the server's user is the one that is named here.
        let text = text.replace("host=127.0.0.1", "host=127.0.0.1 user=hub");
        fs::write(&file, text).unwrap();
        let child = as_user(other_user().as_deref(), program.as_ref())
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let bouncer = PgBouncer { port, child, folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(bouncer.folder.join("log")).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(20), "{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(bouncer)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _: Result<_, _> = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
