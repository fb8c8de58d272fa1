//! A throw-away PostgreSQL of the check's own: it listens on a socket in a folder that nobody else may enter, and is gone with
//! the folder when the check is, however that ends.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What watches over the server: it outlives this process for as long as it takes to end it and to remove its folder.
const KEEPER: &str = include_str!("server.sh");
/// The user who may do everything there. No SQL of a plugin runs as this one.
pub const OWNER: &str = "hub_check";
/// Longest time until it answers, on a busy machine.
pub const START: Duration = Duration::from_secs(60);
/// Longest path of a socket.
const MOST_PATH: usize = 107;
/// Most of what a server said that is told.
const MOST_SAID: usize = 4_000;
/// The name of its socket, by the port that it is given.
const SOCKET: &str = ".s.PGSQL.5432";
/// The folder of the server alone, in the folder of the keeper.
const OWN: &str = "server";

/// A server that runs. Dropping it ends it.
pub struct Server {
    folder: TempDir,
    keeper: Child,
}

impl Server {
    /// Begins to make one with the programs in this folder; whether it works shows when it is connected to. The error says
    /// why it cannot be made.
    pub fn start(programs: &Path) -> Result<Server, String> {
        let folder = TempDir::with_prefix("hub-check-postgres-")
            .map_err(|error| format!("no temporary folder can be made: {error}"))?;
        let own = folder.path().join(OWN);
        let socket = own.join(SOCKET);
        if socket.as_os_str().len() > MOST_PATH {
            return Err(format!(
                "the temporary folder has too long a name for a socket in it, {}: set TMPDIR to a shorter one",
                socket.display()
            ));
        }
        let made = |error: io::Error| format!("cannot make {}: {error}", own.display());
        fs::DirBuilder::new().mode(0o700).create(&own).map_err(made)?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "hub-check-postgres"]).arg(folder.path()).arg(programs);
        // Nothing that was meant for another server; and Ctrl-C, which goes to a whole group, is not the keeper's to end by.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = other_user().map_err(|error| format!("cannot read users: {error}"))? {
            // That one goes through the keeper's folder to its own, and sees nothing on the way.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).map_err(made)?;
            chown(&own, Some(user), Some(group)).map_err(made)?;
            let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
            command.args(["setpriv", &user, &group, "--clear-groups", "--"]);
        }
        let keeper = command.spawn().map_err(|error| format!("cannot start sh: {error}"))?;
        Ok(Server { folder, keeper })
    }

    /// The folder of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(OWN)
    }

    /// Whether there is something to connect to.
    pub fn listens(&self) -> bool {
        self.socket().join(SOCKET).exists()
    }

    /// What it said, where it has ended: then it will never answer.
    pub fn ended(&self) -> Option<String> {
        self.folder.path().join("ended").exists().then(|| self.said())
    }

    /// The end of what it said, on one line.
    pub fn said(&self) -> String {
        let log = match fs::read(self.folder.path().join("log")) {
            Ok(log) => log,
            Err(error) => return format!("what it said cannot be read: {error}"),
        };
        let end = log.len().saturating_sub(MOST_SAID);
        let text = String::from_utf8_lossy(&log[end..]).into_owned();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }

    /// Ends it; the error says what is left.
    pub fn end(mut self) -> Result<(), String> {
        let path: PathBuf = self.folder.path().to_path_buf();
        drop(self.keeper.stdin.take());
        self.keeper.wait().map_err(|error| format!("it cannot be waited for: {error}"))?;
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            _ => Err(format!("its folder {} could not be removed: remove it", path.display())),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The keeper's sign to clean up. A second wait after `end` gives the same answer at once.
        drop(self.keeper.stdin.take());
        let begun = Instant::now();
        while matches!(self.keeper.try_wait(), Ok(None)) && begun.elapsed() < START {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A server refuses to run as root: then it is `postgres` or, where there is none, `nobody`.
fn other_user() -> io::Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let found = ["postgres", "nobody"].into_iter().find_map(|name| user(&users, name));
    found.map(Some).ok_or_else(|| io::Error::other("there is neither `postgres` nor `nobody` in /etc/passwd"))
}

/// The numbers of a user and of its group.
fn user(users: &str, wanted: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, user, group) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        // A line that is none of passwd(5) names nobody.
        (name == wanted).then_some((user.parse().ok()?, group.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_users_are_found_by_name() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\n\npostgresql:x:1:1::/:\npostgres:x:110:115:x:/:/bin/sh\n";
        assert_eq!(user(users, "postgres"), Some((110, 115)));
        assert_eq!(user(users, "nobody"), None);
    }
}
