//! Sockets of this machine that lead out of a run's fences: to the host's own database, to engines of containers, and to what the
//! machine or the host's user has running besides. All of them look at who comes, and a run has the host's user.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use hub_manifest::environment;
use rustix::fs::Access;

use super::fences::home;
use crate::data_folder::is_of_machine;
use crate::settings::{self, Database, Env, reason};

/// Where PostgreSQL has its sockets, whatever an address says of it: there a server takes a user's name for enough (`peer`), though
/// the host itself comes over the network with a password. Below the root folder.
const SERVERS: &[&str] = &["run/postgresql", "var/run/postgresql", "tmp"];
/// What the names of those sockets begin with; the port follows.
const SOCKET: &str = ".s.PGSQL.";
/// What else lies in a folder that is PostgreSQL's alone.
const BESIDE: &[&str] = &[".pid", ".pg_stat_tmp"];

/// Whoever may ask these has all of the machine, or the terminal that somebody sits at: what is hidden, and the socket in it. Below
/// the root folder.
const ENGINES: &[(&str, &str)] = &[
    ("run/containerd", "run/containerd/containerd.sock"),
    ("run/crio", "run/crio/crio.sock"),
    ("run/docker.sock", "run/docker.sock"),
    ("run/podman", "run/podman/podman.sock"),
    ("tmp/.X11-unix", "tmp/.X11-unix/X0"),
    ("var/lib/incus/unix.socket", "var/lib/incus/unix.socket"),
    ("var/lib/lxd/unix.socket", "var/lib/lxd/unix.socket"),
    ("var/run/docker.sock", "var/run/docker.sock"),
    ("var/snap/lxd/common/lxd/unix.socket", "var/snap/lxd/common/lxd/unix.socket"),
];
/// The same below the home of the host's user.
const OF_HOME: &[&str] = &[
    ".docker/desktop/docker.sock",
    ".docker/run/docker.sock",
    ".gnupg/S.gpg-agent",
    ".gnupg/S.gpg-agent.ssh",
];
/// Services of the machine that everybody may ask, and that do for root what they do for nobody else. Below the root folder.
const OF_MACHINE: &[&str] = &["run/dbus", "run/libvirt", "run/snapd.socket", "run/systemd/private"];
/// Variables that name a socket of the user's own, by a path or as `unix:`.
const NAMED: &[&str] = &[
    "CONTAINER_HOST",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DOCKER_HOST",
    "SSH_AUTH_SOCK",
];

/// The sockets of this machine, as the network of this process has them, whatever folders they are in. Below the root folder.
const LISTED: &str = "proc/self/net/unix";
/// What answers to names, and to nothing else: of servers (nscd, systemd-resolved, Avahi) and of users (sssd, nslcd, winbind,
/// systemd-userdb). Below the root folder.
const NAMES: &[&str] = &[
    "run/avahi-daemon/socket",
    "run/nscd/socket",
    "run/nslcd/socket",
    "run/samba/winbindd",
    "run/systemd/resolve",
    "run/systemd/userdb",
    "var/lib/sss/pipes/nss",
    "var/run/nscd/socket",
];
/// Where systemd has its own, which ask who comes, as those of [`OF_MACHINE`] do.
const OF_SYSTEMD: &str = "run/systemd";

/// Those that the user of this process reaches. A run does not see them; where they cannot be hidden from it, it makes no sockets of
/// this machine.
pub(super) fn open(env: Env<'_>, data: &Path, root: &Path) -> Vec<PathBuf> {
    let user = rustix::process::geteuid();
    let engines = ENGINES.iter().filter(|(_, socket)| reaches(&root.join(socket)));
    let engines = engines.map(|(hidden, _)| root.join(hidden));
    let of_home = home(env).into_iter().flat_map(|home| OF_HOME.iter().map(move |socket| home.join(socket)));
    let named = NAMED.iter().copied().filter_map(env).filter_map(|text| named(&text));
    // With the bus and the services of somebody who has signed in to this machine.
    let of_user = root.join("run/user").join(user.as_raw().to_string());
    let of_machine = OF_MACHINE.iter().map(|path| root.join(path)).filter(|_| user.is_root());
    let there = of_home.chain(named).filter(|socket| reaches(socket));
    let mut found: Vec<PathBuf> = engines.chain(there).collect();
    found.extend(of_machine.chain([of_user]).filter(|path| path.exists()));
    found.extend(servers(env, data, root));
    found.extend(listed(env, data, root).into_iter().filter(|socket| is_known(socket)).map(with_its_folder));
    let mut all: Vec<PathBuf> = Vec::new();
    for path in found.into_iter().map(real) {
        if !all.iter().any(|known| path.starts_with(known)) {
            all.push(path);
        }
    }
    all
}

/// What is hidden where that costs nothing: the machine's own services. They ask who comes, and have nothing for the host's user that
/// is not for everybody.
pub(super) fn of_machine(root: &Path) -> impl Iterator<Item = PathBuf> {
    OF_MACHINE.iter().map(|path| root.join(path)).filter(|path| path.exists()).map(real)
}

/// Sockets in folders that somebody listens on, whatever they are: hidden where that can be done, for a run needs none of them. Where
/// only seccomp is there to keep a run from sockets, they are no reason to take all of them from it: a machine always has some.
#[cfg(test)]
fn everywhere(env: Env<'_>, data: &Path, root: &Path) -> Vec<PathBuf> {
    listed(env, data, root).into_iter().map(with_its_folder).collect()
}

/// Whether a socket has the name of a server's of PostgreSQL or of an engine's of containers, in whichever folder.
fn is_known(socket: &Path) -> bool {
    let Some(name) = socket.file_name() else { return false };
    let mut engines =
        ENGINES.iter().map(|(_, socket)| Path::new(socket)).chain(OF_HOME.iter().map(Path::new));
    name.as_bytes().starts_with(SOCKET.as_bytes()) || engines.any(|engine| engine.file_name() == Some(name))
}

/// Whatever else somebody listens on in a folder: a run needs none of it. A list that cannot be read is told here, and a run whose
/// supervisor cannot read it either makes no sockets of this machine.
fn listed(env: Env<'_>, data: &Path, root: &Path) -> Vec<PathBuf> {
    let list = match fs::read(root.join(LISTED)) {
        Ok(list) => list,
        Err(error) => {
            tracing::warn!(
                "cannot read /{LISTED}: {}: sockets of this machine in folders of unusual names are not found, and not hidden from \
                 runs; mount /proc for the host",
                reason(&error)
            );
            return Vec::new();
        }
    };
    // A warehouse may be on a server that the host has nothing to do with.
    let on_postgres = matches!(
        settings::database(env(environment::DATABASE_URL).as_deref(), data),
        Ok(Database::Postgres(_))
    );
    let is_root = rustix::process::geteuid().is_root();
    let data = real(data.to_path_buf());
    let below = |path: &Path, all: &[&str]| all.iter().any(|part| path.starts_with(root.join(part)));
    let leads_out = |path: &PathBuf| {
        let is_servers = path.file_name().is_some_and(|name| name.as_bytes().starts_with(SOCKET.as_bytes()));
        let is_machines = below(path, OF_MACHINE) || below(path, &[OF_SYSTEMD]);
        !path.starts_with(&data)
            && !below(path, NAMES)
            && (is_root || !is_machines)
            && (on_postgres || !is_servers)
            && reaches(path)
    };
    listening(&list).into_iter().map(real).filter(leads_out).collect()
}

/// The sockets in folders that somebody listens on, of the kernel's list. Names without a folder begin with `@` there.
fn listening(list: &[u8]) -> Vec<PathBuf> {
    list.split(|byte| *byte == b'\n').filter_map(listening_at).collect()
}

fn listening_at(line: &[u8]) -> Option<PathBuf> {
    /// In the flags: connections are taken.
    const LISTENS: u32 = 1 << 16;
    // Seven fields, of which the fourth are the flags, a blank, and a name, which may hold blanks.
    let (mut rest, mut flags) = (line, None);
    for number in 0..7 {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ')?;
        let (field, behind) = rest.split_at(end);
        if number == 3 {
            flags = std::str::from_utf8(field).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
        }
        rest = behind;
    }
    let name = rest.strip_prefix(b" ")?;
    let is_open = flags.is_some_and(|flags| flags & LISTENS != 0);
    (is_open && name.starts_with(b"/")).then(|| PathBuf::from(OsStr::from_bytes(name)))
}

/// The folder that a socket is in where there is nothing else in it, as its server may make the socket anew; else the socket.
fn with_its_folder(socket: PathBuf) -> PathBuf {
    let is_beside = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with(SOCKET) || BESIDE.iter().any(|end| name.ends_with(end))
    };
    let is_alone = |folder: &Path| {
        let is_shared = is_of_machine(folder) || folder.starts_with("/dev");
        let Ok(mut entries) = fs::read_dir(folder) else { return false };
        let is_sockets = |entry: fs::DirEntry| {
            entry.file_type().is_ok_and(|kind| kind.is_socket()) || is_beside(&entry.file_name())
        };
        !is_shared && entries.all(|entry| entry.is_ok_and(is_sockets))
    };
    match socket.parent().filter(|folder| is_alone(folder)) {
        Some(folder) => folder.to_path_buf(),
        None => socket,
    }
}

/// Where a path leads to; one that is not there leads nowhere else.
fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// Whether a socket is there that this process may connect to.
fn reaches(path: &Path) -> bool {
    let is_socket = fs::metadata(path).is_ok_and(|about| about.file_type().is_socket());
    is_socket && rustix::fs::access(path, Access::WRITE_OK).is_ok()
}

/// The socket that a variable names. One without a path (`tcp:`, `unix:abstract=`) lies in no folder.
fn named(text: &str) -> Option<PathBuf> {
    let path = match text.strip_prefix("unix:") {
        // As D-Bus writes it: `unix:path=/run/bus,guid=…`.
        Some(rest) => match rest.split([',', ';']).find_map(|part| part.strip_prefix("path=")) {
            Some(path) => path,
            // As engines of containers do: `unix:///run/docker.sock`.
            None => rest.strip_prefix("//").unwrap_or(rest),
        },
        None => text,
    };
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// The sockets of PostgreSQL on this machine, where the host's own database is on such a server: the folders of those that its
/// address or a variable names, there or not, and those in the usual folders.
fn servers(env: Env<'_>, data: &Path, root: &Path) -> Vec<PathBuf> {
    let Ok(Database::Postgres(url)) = settings::database(env(environment::DATABASE_URL).as_deref(), data)
    else {
        return Vec::new();
    };
    // One that cannot be read is the start's to tell.
    let url = url::Url::parse(&url).ok();
    let pair = |wanted: &str| {
        let pairs = url.iter().flat_map(|url| url.query_pairs());
        pairs.filter(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).last()
    };
    let of_place = url.as_ref().and_then(url::Url::host_str).map(decoded);
    let hosts = of_place.into_iter().chain(pair("host")).chain(env(environment::PGHOST));
    let folders: Vec<PathBuf> = hosts.filter(|host| host.starts_with('/')).map(PathBuf::from).collect();
    let port = url.as_ref().and_then(url::Url::port).map(|port| port.to_string());
    let port =
        port.into_iter().chain(pair("port")).chain(env(environment::PGPORT)).chain(["5432".to_owned()]);
    let ports: Vec<String> = port.collect();
    let mut found = Vec::new();
    for folder in folders {
        if is_servers_own(&folder) {
            found.push(folder);
        } else {
            found.extend(ports.iter().map(|port| folder.join(format!("{SOCKET}{port}"))));
            found.extend(sockets(&folder));
        }
    }
    for folder in SERVERS.iter().map(|folder| root.join(folder)) {
        match folder.is_dir() && is_servers_own(&folder) {
            true => found.push(folder),
            false => found.extend(sockets(&folder)),
        }
    }
    found
}

/// A server's name as it stands in an address, in which a folder is written with `%2F`.
fn decoded(host: &str) -> String {
    let text = format!("={}", host.replace('+', "%2B"));
    let decoded = form_urlencoded::parse(text.as_bytes()).next();
    decoded.map_or_else(|| host.to_owned(), |(_, value)| value.into_owned())
}

/// Whether a folder is there for PostgreSQL's sockets alone, or for nothing yet. One that cannot be listed has nothing for a run.
fn is_servers_own(folder: &Path) -> bool {
    let real = real(folder.to_path_buf());
    let is_shared = is_of_machine(&real) || real.starts_with("/dev");
    let is_beside = |name: &str| name.starts_with(SOCKET) || BESIDE.iter().any(|end| name.ends_with(end));
    let entries = fs::read_dir(&real).into_iter().flatten().flatten();
    !is_shared && entries.map(|entry| entry.file_name()).all(|name| name.to_str().is_some_and(is_beside))
}

/// The sockets of PostgreSQL in a folder.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_servers = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(SOCKET) && fs::metadata(path).is_ok_and(|about| about.file_type().is_socket())
    };
    entries.filter(is_servers).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::scratch::Scratch;

    /// What is open below a folder, without the folder's own path.
    fn names(root: &Path, pairs: &[(&str, String)]) -> Vec<String> {
        let env = |name: &str| match name {
            "HOME" => Some(root.join("home").display().to_string()),
            _ => pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()),
        };
        let mut found: Vec<String> = open(&env, &root.join("data"), root)
            .iter()
            .map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string())
            .collect();
        found.sort();
        found
    }

    fn socket(root: &Path, name: &str) -> UnixListener {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        UnixListener::bind(root.join(name)).unwrap()
    }

    #[test]
    fn s5_the_sockets_of_the_hosts_own_database_are_found() {
        let root = Scratch::new("doors");
        let own = [socket(&root, "run/postgresql/.s.PGSQL.5432"), socket(&root, "pg/.s.PGSQL.5433")];
        fs::write(root.join("run/postgresql/16-main.pid"), "").unwrap();
        let shared = [socket(&root, "tmp/.s.PGSQL.5432"), socket(&root, "mixed/.s.PGSQL.6000")];
        fs::write(root.join("tmp/other"), "").unwrap();
        fs::write(root.join("mixed/other"), "").unwrap();
        let usual = ["run/postgresql", "tmp/.s.PGSQL.5432"];
        let url = |text: &str| {
            let folder = root.display().to_string();
            let encoded = folder.replace('/', "%2F");
            ("DATABASE_URL", text.replace("@ENCODED@", &encoded).replace("@ROOT@", &folder))
        };
        for (text, more) in [
            // The server of the network may be this very machine's.
            ("postgres://hub:password@localhost/hub", &[] as &[&str]),
            ("postgres:///hub", &[]),
            ("postgres:///hub?host=@ROOT@/run/postgresql", &[]),
            ("postgresql://@ENCODED@%2Frun%2Fpostgresql/hub", &[]),
            ("postgres:///hub?host=@ROOT@/pg", &["pg"]),
            ("postgres://hub@@ENCODED@%2Fpg:5433/hub", &["pg"]),
            ("postgres:///hub?host=@ROOT@/mixed", &["mixed/.s.PGSQL.5432", "mixed/.s.PGSQL.6000"]),
            ("postgres:///hub?host=@ROOT@/later", &["later"]),
        ] {
            let mut want = [&usual[..], more].concat();
            want.sort_unstable();
            assert_eq!(names(&root, &[url(text)]), want, "{text}");
        }
        let by_variable = [url("postgres:///hub"), ("PGHOST", root.join("pg").display().to_string())];
        assert!(names(&root, &by_variable).contains(&"pg".to_owned()));
        // A warehouse may be on a server that the host has nothing to do with.
        assert_eq!(names(&root, &[]), Vec::<String>::new());
        assert_eq!(names(&root, &[url("sqlite://@ROOT@/hub.db")]), Vec::<String>::new());
        drop((own, shared));
    }

    #[test]
    fn s5_sockets_in_folders_of_any_name_are_found() {
        let root = Scratch::new("listed");
        let real = root.canonicalize().unwrap();
        let open = [
            "srv/pgsock/.s.PGSQL.5432",
            "srv/two words/redis.sock",
            "srv/mixed/mysqld.sock",
            "run/nscd/socket",
            "data/host.sock",
            "srv/silent/s",
        ];
        let open = open.map(|name| (name, socket(&root, name)));
        fs::write(root.join("srv/mixed/other"), "").unwrap();
        let line = |flags: &str, name: &str| {
            format!("0000000000000000: 00000002 00000000 {flags} 0001 01   123 {name}\n")
        };
        let mut list = "Num       RefCount Protocol Flags    Type St Inode Path\n".to_owned();
        for (name, _) in &open {
            let flags = if name.ends_with("silent/s") { "00000000" } else { "00010000" };
            list += &line(flags, &real.join(name).display().to_string());
        }
        list += &line("00010000", "@abstract");
        list += &line("00010000", &real.join("srv/gone").display().to_string());
        fs::create_dir_all(root.join("proc/self/net")).unwrap();
        fs::write(root.join(LISTED), list).unwrap();
        let all = everywhere(&|_| None, &root.join("data"), &root);
        assert_eq!(all, [real.join("srv/two words"), real.join("srv/mixed/mysqld.sock")]);
        assert_eq!(names(&root, &[]), Vec::<String>::new());
        let url = [("DATABASE_URL", "postgres://hub:password@localhost/hub".to_owned())];
        assert_eq!(names(&root, &url), ["srv/pgsock"]);
    }

    #[test]
    fn s5_sockets_that_lead_to_other_users_are_found() {
        let root = Scratch::new("engines");
        assert_eq!(names(&root, &[]), Vec::<String>::new());
        let sockets = [
            "run/docker.sock",
            "run/podman/podman.sock",
            "run/dbus/system_bus_socket",
            "home/.gnupg/S.gpg-agent",
            "agent/socket",
            "bus/socket",
            "engine/socket",
        ];
        let open = sockets.map(|name| socket(&root, name));
        let user = format!("run/user/{}", rustix::process::geteuid().as_raw());
        fs::create_dir_all(root.join(&user)).unwrap();
        // Of its name, and nobody listens.
        fs::create_dir_all(root.join("run/containerd")).unwrap();
        let text = |name: &str| root.join(name).display().to_string();
        let variables = [
            ("SSH_AUTH_SOCK", text("agent/socket")),
            ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={},guid=1", text("bus/socket"))),
            ("DOCKER_HOST", format!("unix://{}", text("engine/socket"))),
            ("CONTAINER_HOST", "tcp://127.0.0.1:2375".to_owned()),
        ];
        let mut want = vec![
            "agent/socket",
            "bus/socket",
            "engine/socket",
            "home/.gnupg/S.gpg-agent",
            "run/docker.sock",
            "run/podman",
            user.as_str(),
        ];
        if rustix::process::geteuid().is_root() {
            want.push("run/dbus");
        }
        want.sort_unstable();
        assert_eq!(names(&root, &variables), want);
        assert_eq!(of_machine(&root).collect::<Vec<_>>(), [root.join("run/dbus")]);
        drop(open);
    }
}
