//! Where the host finds its things: the install folder, the data folder, the database. Nothing has to be set.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hub_manifest::environment::{self, quoted};
use hub_manifest::limits::{Limits, Unfit};
pub(crate) use hub_release::reason;
use hub_release::{Install, beneath, started};
use rustix::fs::Access;

use crate::fault::Fault;
use crate::locate;

/// The data folder that a set-up machine has.
pub(crate) const SYSTEM_DATA: &str = "/data/honeyframe";
/// Name of the folder below the user's own data folder.
const USER_DATA: &str = "honeyframe";

/// Where a host listens that nobody has told otherwise.
pub(crate) const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8001);

/// Reads a variable; an empty one counts as not set.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings of this process: its own environment, and then `.env` of the data folder that was found for it.
pub(crate) fn process_env(name: &str) -> Option<String> {
    let found = locate::found();
    if let (Some(found), environment::DATA_DIR) = (found, name) {
        return Some(found.data.display().to_string());
    }
    let own = std::env::var(name).ok().filter(|value| !value.is_empty());
    own.or_else(|| found?.variable(name).map(str::to_owned))
}

/// The names of all of them.
pub(crate) fn process_env_names() -> impl Iterator<Item = String> {
    let own = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let of_file = locate::found().into_iter().flat_map(|found| found.names().map(str::to_owned));
    own.chain(of_file).collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// The folder of the release: `INSTALL_DIR`, else the one that the program runs from.
pub(crate) fn install_dir(env: Env<'_>) -> Result<PathBuf, Fault> {
    if let Some(dir) = env(environment::INSTALL_DIR) {
        let dir = PathBuf::from(dir);
        if !dir.is_dir() {
            return Err(Fault::machine(
                format!("INSTALL_DIR names {}, which is not a folder", quoted(&dir.to_string_lossy())),
                "set INSTALL_DIR to an unpacked release (…/releases/<version>), or leave it unset",
            ));
        }
        return Ok(dir);
    }
    own_release()
}

/// The folder of the release that this very program lies in: by way of its install folder, where it was started so, since what is
/// in that may be a link to another disk.
pub(crate) fn own_release() -> Result<PathBuf, Fault> {
    let exe = std::env::current_exe().and_then(fs::canonicalize).map_err(|e| {
        Fault::machine(
            format!("cannot tell which folder this program runs from: {e}"),
            "set INSTALL_DIR to the unpacked release (…/releases/<version>)",
        )
    })?;
    // …/releases/<version>/bin/hub-platform
    let release = exe.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    // What the launcher says counts where it is this release's.
    let told = std::env::var_os(environment::INSTALL_DIR).map(PathBuf::from).filter(|told| {
        let installed = told.is_absolute() && Install::of_release(told).is_some();
        installed && fs::canonicalize(told).is_ok_and(|told| told == release)
    });
    Ok(told.or_else(|| on_the_way(&exe, release)).unwrap_or_else(|| release.to_path_buf()))
}

/// The path of this program's release by way of the install folder that it was started in.
fn on_the_way(exe: &Path, release: &Path) -> Option<PathBuf> {
    let inner = Path::new("releases").join(release.file_name()?);
    let install = started::install(&started::ways(exe), &inner, release)?;
    Some(install.root().join(inner))
}

/// The folder of the customer's data, and why it is this one. It is made where it is missing.
pub(crate) fn data_dir(env: Env<'_>) -> Result<(PathBuf, &'static str), Fault> {
    let (dir, why) = locate::data_dir(None, None, env)?;
    let why = locate::found().filter(|found| found.data == dir).map_or(why, |found| found.why);
    usable(&dir).map(|()| (dir, why.told()))
}

/// The data folder, where there is one already; nothing is made.
pub(crate) fn existing_data_dir(env: Env<'_>) -> Option<PathBuf> {
    locate::data_dir(None, None, env).ok().map(|(dir, _)| dir).filter(|dir| dir.is_dir())
}

/// The user's own data folder for the host.
pub(crate) fn user_data(env: Env<'_>) -> Option<PathBuf> {
    env("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/share")))
        .map(|dir| dir.join(USER_DATA))
}

/// Makes the folder where it is missing, and sees that files can be made in it.
pub(crate) fn usable(dir: &Path) -> Result<(), Fault> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.and_then(|()| can_write(dir)).map_err(|e| {
        Fault::machine(
            format!("cannot write to the data folder {}: {}", dir.display(), reason(&e)),
            "make it writable for the user that runs the host, or set DATA_DIR to another folder",
        )
    })
}

/// What the name of a file begins with that is made for a moment to see whether a folder can be written to: the number of the process
/// follows.
pub(crate) const PROBE: &str = ".hub-write-test-";

/// Whether this process may make files in a folder, as far as the system says without one being made.
pub(crate) fn may_write(dir: &Path) -> bool {
    rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

fn can_write(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!("{PROBE}{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    fs::remove_file(&probe)
}

/// A word that means yes or no; none where it means neither.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whether a variable says yes; one that is not set says no.
pub(crate) fn is_on(env: Env<'_>, variable: &str) -> Result<bool, Fault> {
    let Some(text) = env(variable) else { return Ok(false) };
    truth(&text).ok_or_else(|| {
        Fault::machine(
            format!("{variable} is {}, which is neither yes nor no", quoted(&text)),
            format!("set {variable} to 1, true, yes or on, or to 0, false, no or off, or leave it unset"),
        )
    })
}

/// Which of these words a variable's text is; none where it is not set.
pub(crate) fn one_of(
    variable: &str,
    text: Option<String>,
    words: &[&'static str],
) -> Result<Option<&'static str>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text.trim()));
    found.map(|word| Some(*word)).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        Fault::machine(
            format!("{variable} is {}, which is none of the words that it takes", quoted(&text)),
            format!("set {variable} to {}, or leave it unset", words.join(" or ")),
        )
    })
}

/// `localhost` is the one name that is known without asking the network.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let numbers = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numbers
        .parse()
        .map_err(|_| "write an IP address and a port, such as 127.0.0.1:8001 or [::]:8001".to_owned())
}

/// What the host is called in the database: it lies in the data folder, and is made with it.
pub(crate) fn host_id(data: &Path) -> Result<String, Fault> {
    /// Longest such file, in bytes.
    const MOST: u64 = 4096;
    let file = data.join("host-id");
    let text = |bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text"));
    match beneath::read(&file, MOST).and_then(text) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Fault::machine(
            format!("cannot read {}: {}", file.display(), reason(&e)),
            "make it readable for the user that runs the host",
        )),
        _ => {
            let id = crate::new_id();
            fs::write(&file, &id).map_err(|e| {
                Fault::machine(
                    format!("cannot write {}: {}", file.display(), reason(&e)),
                    "make it writable for the user that runs the host",
                )
            })?;
            Ok(id)
        }
    }
}

/// What holds callers and runs back. All variables that do not fit are told at once.
pub(crate) fn limits(env: Env<'_>) -> Result<Limits, Fault> {
    Limits::read(env).map_err(|unfit| {
        let what: Vec<String> = unfit.iter().map(ToString::to_string).collect();
        let help: Vec<String> = unfit.iter().map(Unfit::help).collect();
        Fault::machine(what.join("\n       "), help.join("\n        "))
    })
}

/// Which database the host works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// The address of a PostgreSQL server, password and all.
    Postgres(String),
}

impl Database {
    /// As it may be shown: without a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Database::Sqlite(file) => file.display().to_string(),
            Database::Postgres(url) => without_password(url),
        }
    }
}

/// A SQLite database's file, and what SQLite and the host keep beside it while they work with it.
pub(crate) fn database_files(file: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm", "-journal", HOLDER, PAIR].map(|ending| beside(file, ending)).into()
}

/// What a database's file is called with this behind it says which host works with it.
pub(crate) const HOLDER: &str = "-host";
/// What a database's file is called with this behind it says which log is its own.
pub(crate) const PAIR: &str = "-pair";

/// What is kept beside a file by this ending of its name.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// What `DATABASE_URL` says; without it, a file in the data folder.
pub(crate) fn database(url: Option<&str>, data_dir: &Path) -> Result<Database, Fault> {
    let Some(url) = url else {
        return Ok(Database::Sqlite(data_dir.join("hub.db")));
    };
    let shown = without_password(url);
    let how = "write postgres://user:password@server/database or sqlite:///absolute/path/hub.db, or leave DATABASE_URL unset \
         for hub.db in the data folder";
    if let Some(rest) = url.strip_prefix("sqlite:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() || path == ":memory:" || path.ends_with('/') {
            return Err(Fault::machine(format!("DATABASE_URL {shown} names no file"), how));
        }
        return Ok(Database::Sqlite(PathBuf::from(path)));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Database::Postgres(url.to_owned()));
    }
    Err(Fault::machine(format!("DATABASE_URL {shown} is of no kind that the host knows"), how))
}

/// Kinds of databases. An address that begins with another word may begin with a user's name.
const SCHEMES: &[&str] = &["mariadb", "mssql", "mysql", "oracle", "postgres", "postgresql", "sqlite"];

/// The address as it may be shown. Of one that is not understood that is its kind alone: its password may stand anywhere.
pub(crate) fn without_password(url: &str) -> String {
    let known = |scheme: &str| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let Some((scheme, rest)) = url.split_once(':').filter(|(scheme, _)| known(scheme)) else {
        return "…".to_owned();
    };
    // What stands behind `?` may name a password as well.
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let understood = match scheme {
        "sqlite" => true,
        // An `@` behind `?` may end a login whose password holds a `?`.
        "postgres" | "postgresql" => {
            let holds_login = query.is_some_and(|query| query.contains('@'));
            rest.starts_with("//") && !holds_login && url::Url::parse(url).is_ok()
        }
        _ => false,
    };
    if !understood {
        return format!("{scheme}:…");
    }
    let shown = match rest.rsplit_once('@') {
        Some((login, place)) => {
            let (slashes, login) = login.strip_prefix("//").map_or(("", login), |login| ("//", login));
            match login.split_once(':') {
                Some((user, _)) => format!("{slashes}{user}:…@{place}"),
                None => rest.to_owned(),
            }
        }
        None => rest.to_owned(),
    };
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if !is_shown(name) => format!("{name}=…"),
            Some(_) => pair.to_owned(),
            // It may be anything.
            None => "…".to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}:{shown}{}", query.unwrap_or_default())
}

/// Whether a parameter of an address is one whose value is no secret. One that is not known may be a misspelt password.
fn is_shown(name: &str) -> bool {
    const SHOWN: &[&str] = &[
        "application_name",
        "cache",
        "connect_timeout",
        "dbname",
        "host",
        "hostaddr",
        "mode",
        "options",
        "port",
        "ssl-mode",
        "sslmode",
        "sslrootcert",
        "user",
    ];
    SHOWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn check(url: Option<&str>, want: Result<&str, &str>) {
        let got = database(url, Path::new("/data/x"));
        match want {
            Ok(url) if url.starts_with("postgres") => assert_eq!(got, Ok(Database::Postgres(url.into()))),
            Ok(file) => assert_eq!(got, Ok(Database::Sqlite(file.into()))),
            Err(text) => assert!(got.unwrap_err().to_string().starts_with(text)),
        }
    }

    #[test]
    fn a_password_is_not_shown_wherever_it_stands() {
        for (url, want) in [
            ("postgres://hub:s3cr3t@db/hub", "postgres://hub:…@db/hub"),
            (
                "postgres://hub@db/hub?password=s3cr3t&sslmode=require",
                "postgres://hub@db/hub?password=…&sslmode=require",
            ),
            ("postgres://hub:s3@r:3t@db/hub?sslpassword=x", "postgres://hub:…@db/hub?sslpassword=…"),
            ("postgres:///hub", "postgres:///hub"),
            ("postgres://hub@db/hub?sslkey=/k&Api_Key=x", "postgres://hub@db/hub?sslkey=…&Api_Key=…"),
            ("postgres://hub@db/hub?p%61ssword=x", "postgres://hub@db/hub?p%61ssword=…"),
            ("sqlite:///srv/hub.db?key=x", "sqlite:///srv/hub.db?key=…"),
            ("postgres://hub@db/hub?pwd=s3cr3t&s3cr3t&host=h", "postgres://hub@db/hub?pwd=…&…&host=h"),
        ] {
            assert_eq!(without_password(url), want);
        }
    }

    #[test]
    fn of_an_address_that_is_not_understood_its_kind_alone_is_shown() {
        for (url, want) in [
            ("postgres:/hub:SECRETPW@h/hub", "postgres:…"),
            ("postgres:hub:SECRETPW@h/hub", "postgres:…"),
            ("POSTGRES://hub:SECRETPW@h/hub", "POSTGRES:…"),
            ("postgres://hub:SECRETPW?x@h/hub", "postgres:…"),
            ("postgres://hub:SECRETPW#x@h/hub", "postgres:…"),
            ("postgres://hub:12?SECRETPW@h/hub", "postgres:…"),
            ("mysql://h/d?pwd=SECRETPW", "mysql:…"),
            ("host=h dbname=hub password=SECRETPW", "…"),
            ("hub:SECRETPW@h/hub", "…"),
            ("SECRETPW://h/hub", "…"),
            ("hub.db", "…"),
        ] {
            assert_eq!(without_password(url), want);
            if !url.starts_with("postgres://") {
                let said = database(Some(url), Path::new("/data/x")).unwrap_err().to_string();
                assert!(said.contains(want) && !said.contains("SECRETPW"), "{said}");
            }
        }
    }

    #[test]
    fn database_addresses() {
        check(None, Ok("/data/x/hub.db"));
        check(Some("sqlite:///srv/hub.db"), Ok("/srv/hub.db"));
        check(Some("sqlite:///srv/hub.db?mode=rwc"), Ok("/srv/hub.db"));
        check(Some("sqlite://hub.db"), Ok("hub.db"));
        check(Some("sqlite::memory:"), Err("error: DATABASE_URL sqlite::memory: names no file\n"));
        check(Some("mysql://a:b@c/d"), Err("error: DATABASE_URL mysql:… is of no kind that"));
        check(Some("postgres://hub:s3cret@db/hub"), Ok("postgres://hub:s3cret@db/hub"));
        assert_eq!(without_password("postgres://hub:s3cret@db/hub"), "postgres://hub:…@db/hub");
    }

    #[test]
    fn a_data_folder_that_is_a_file_is_named() {
        let folder = Scratch::new("settings");
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        let below = file.join("data").display().to_string();
        let error = data_dir(&|name| (name == "DATA_DIR").then(|| below.clone())).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "error: cannot write to the data folder {below}: not a directory\n  help: make it writable for \
                 the user that runs the host, or set DATA_DIR to another folder"
            )
        );
        assert_eq!(error.exit(), 3);
    }

    #[test]
    fn the_users_folder_is_taken_where_nothing_is_set() {
        let home = Scratch::new("home");
        let shown = home.display().to_string();
        let (dir, _) = data_dir(&|name| (name == "HOME").then(|| shown.clone())).unwrap();
        if !Path::new(SYSTEM_DATA).is_dir() {
            assert_eq!(dir, home.join(".local/share/honeyframe"));
        }
    }

    /// Nobody's `TRUE` or `ja` is silently the opposite of what was meant.
    #[test]
    fn a_word_is_one_of_those_that_are_known_or_an_error() {
        let is_on = |text: &str| is_on(&|name| (name == "HUB_DEMO").then(|| text.to_owned()), "HUB_DEMO");
        for (word, want) in [("1", true), ("TRUE", true), (" yes ", true), ("On", true)].into_iter().chain([
            ("0", false),
            ("False", false),
            ("NO", false),
            ("off", false),
        ]) {
            assert_eq!(is_on(word), Ok(want), "{word}");
        }
        for wrong in ["ja", "2", "y", " ", "enabled"] {
            let said = is_on(wrong).unwrap_err().to_string();
            assert!(
                said.contains(&format!("HUB_DEMO is `{wrong}`")) && said.contains("true, yes or on"),
                "{said}"
            );
        }
        let form = |text: Option<&str>| one_of("LOG_FORMAT", text.map(str::to_owned), &["text", "json"]);
        assert_eq!((form(None), form(Some(" JSON"))), (Ok(None), Ok(Some("json"))));
        let said = form(Some("xml")).unwrap_err().to_string();
        assert!(said.contains("LOG_FORMAT is `xml`") && said.contains("`text` or `json`"), "{said}");
    }

    #[test]
    fn addresses() {
        let shown = |text| address(text).map(|address| address.to_string());
        assert_eq!(shown("localhost:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(shown("[::]:8001").as_deref(), Ok("[::]:8001"));
        assert!(shown("8001").is_err() && shown("example.com:80").is_err());
    }
}
