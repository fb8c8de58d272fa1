//! Which installation a command works on. One rule for all commands of the program:
//!
//! 1. the data folder that was named, by `--data-dir` or `DATA_DIR`;
//! 2. the one that `setup` settled for the install folder that the program lies in (`install.json`);
//! 3. `/data/honeyframe` where that is there, else the user's own.
//!
//! `setup` alone, which makes what is missing, puts a new installation into `/data/honeyframe`.
//!
//! The settings are the environment's, and then those of `.env` in that folder, as the service has them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hub_manifest::environment;
use hub_release::beneath::{self, Beneath};
use hub_release::install::write;
use hub_release::{Install, Problem, guard};
use serde::{Deserialize, Serialize};

use crate::data_folder;
use crate::env_file::{self, Odd, Variables};
use crate::fault::Fault;
use crate::misspelt::{self, Doubt};
use crate::objects;
use crate::settings::{self, Database, Env, reason};

/// The file of an install folder that says what `setup` settled.
const FILE: &str = "install.json";
/// The form of that file. A program meets the files of older ones, and after a rollback of newer ones: fields are added and
/// never change their meaning, so a higher number is read all the same.
const FORMAT: u32 = 1;
/// Largest such file, and largest `.env`, in bytes.
const MOST: u64 = 1024 * 1024;

/// What `setup` settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settled {
    /// The form of the file.
    pub(crate) format: u32,
    /// The customer's data.
    pub(crate) data_dir: Option<PathBuf>,
    /// The user that the service runs as, where a unit was written or somebody named one.
    pub(crate) user: Option<String>,
    /// That unit's name.
    pub(crate) unit: Option<String>,
    /// The command that restarts the service, with its arguments.
    pub(crate) restart: Vec<String>,
}

impl Default for Settled {
    fn default() -> Settled {
        Settled { format: FORMAT, data_dir: None, user: None, unit: None, restart: Vec::new() }
    }
}

impl Settled {
    /// What was settled for an install folder; nothing where `setup` has not run. Root does not work where anybody else says.
    pub(crate) fn read(root: &Path) -> Result<Settled, Fault> {
        guard::notes_trusted_by_root(root)?;
        let file = root.join(FILE);
        let help = "run `hub-platform setup --data-dir DIR` of the release again: it writes that file anew";
        match beneath::read(&file, MOST) {
            Ok(text) => objects::from_slice(&text)
                .map_err(|e| Fault::machine(format!("{} cannot be understood: {e}", file.display()), help)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match beneath::dangling(&file) {
                Some(gone) => Err(Fault::machine(
                    format!("cannot read {}: {gone}", file.display()),
                    "see that what it leads to is there, or remove the link and run `hub-platform setup --data-dir DIR` again",
                )),
                None => Ok(Settled::default()),
            },
            Err(e) => Err(Fault::machine(format!("cannot read {}: {}", file.display(), reason(&e)), help)),
        }
    }

    /// The data folder that was settled, where this is another one.
    pub(crate) fn other_than(&self, data: &Path) -> Option<&Path> {
        self.data_dir.as_deref().filter(|settled| data_folder::whole(settled) != data_folder::whole(data))
    }

    /// The user that the service runs as, where this is the data folder that was settled with it.
    pub(crate) fn user_of(&self, data: &Path) -> Option<&str> {
        let is_settled = self.data_dir.is_some() && self.other_than(data).is_none();
        self.user.as_deref().filter(|_| is_settled)
    }

    /// Notes it.
    pub(crate) fn write(&self, root: &Path) -> Result<(), Problem> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        write(&root.join(FILE), text.as_bytes(), 0o644)
    }
}

/// Why a data folder is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// `--data-dir`.
    Flag,
    /// `DATA_DIR`.
    Variable,
    /// `install.json`.
    Settled,
    /// The folder of a machine that is set up.
    System,
    /// The user's own.
    User,
}

impl Why {
    /// As it is told.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Why::Flag => "--data-dir",
            Why::Variable => environment::DATA_DIR,
            Why::Settled => "settled by setup",
            Why::System => "exists and is writable",
            Why::User => "the user's data folder",
        }
    }

    /// Whether somebody said so.
    pub(crate) fn is_named(self) -> bool {
        matches!(self, Why::Flag | Why::Variable | Why::Settled)
    }
}

/// The data folder that is meant: of the install folder that is named, or that the program lies in. Nothing is made or
/// written.
pub(crate) fn data_dir(
    named: Option<&Path>,
    install: Option<&Install>,
    env: Env<'_>,
) -> Result<(PathBuf, Why), Fault> {
    let install = install.cloned().or_else(own_install);
    let settled = match &install {
        // What is named needs no file; one that cannot be read is then in nobody's way.
        Some(install) if named.is_none() && env(environment::DATA_DIR).is_none() => {
            Settled::read(install.root())?
        }
        _ => Settled::default(),
    };
    let (data, why) = data_dir_of(named, &settled, env)?;
    data_folder::own(&data, install.as_ref())?;
    Ok((data, why))
}

/// The same folder for `setup`: what nobody has named, and nobody has begun, is set up where such machines have it.
pub(crate) fn data_dir_to_set_up(
    named: Option<&Path>,
    settled: &Settled,
    env: Env<'_>,
) -> Result<(PathBuf, Why), Fault> {
    Ok(match told(named, settled, env)? {
        Some((data, Why::User)) if !data.is_dir() => (PathBuf::from(settings::SYSTEM_DATA), Why::System),
        Some(found) => found,
        // Root of a fresh machine or of a container may have no HOME.
        None => (PathBuf::from(settings::SYSTEM_DATA), Why::System),
    })
}

/// The same where it is known what was settled.
pub(crate) fn data_dir_of(
    named: Option<&Path>,
    settled: &Settled,
    env: Env<'_>,
) -> Result<(PathBuf, Why), Fault> {
    told(named, settled, env)?.ok_or_else(|| {
        Fault::machine(
            format!(
                "there is no data folder: {} is not there to write to, and HOME is not set",
                settings::SYSTEM_DATA
            ),
            "name one that the host may write to: --data-dir DIR, or DATA_DIR",
        )
    })
}

/// The one rule. None where nobody names a folder, and nothing tells where this user's own would be.
fn told(named: Option<&Path>, settled: &Settled, env: Env<'_>) -> Result<Option<(PathBuf, Why)>, Fault> {
    if let Some(dir) = named {
        return Ok(Some((absolute(dir)?, Why::Flag)));
    }
    if let Some(dir) = env(environment::DATA_DIR) {
        return Ok(Some((absolute(Path::new(&dir))?, Why::Variable)));
    }
    if let Some(dir) = &settled.data_dir {
        return Ok(Some((absolute(dir)?, Why::Settled)));
    }
    let system = Path::new(settings::SYSTEM_DATA);
    if system.is_dir() && settings::may_write(system) {
        return Ok(Some((system.to_path_buf(), Why::System)));
    }
    Ok(settings::user_data(env).map(|dir| (dir, Why::User)))
}

/// The install folder that this very program lies in, where it lies in one.
pub(crate) fn own_install() -> Option<Install> {
    let release = settings::own_release().ok()?;
    Install::of_release(&release)
}

/// A path that means the same in every folder, written in one way.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path)
        .map(|path| data_folder::straight(&path))
        .map_err(|e| Fault::usage(format!("`{}` is not a path: {e}", path.display()), "name a folder"))
}

/// The variables of `.env` in a data folder. It is not followed where it is a link to somewhere else and this process is
/// not the folder's owner.
pub(crate) fn variables(data: &Path) -> io::Result<Variables> {
    let read = match crate::privilege::is_stranger(data) {
        true => Beneath::open(data).and_then(|data| data.read(".env", MOST)),
        false => beneath::read(&data.join(".env"), MOST),
    };
    match read {
        Ok(bytes) => Ok(env_file::parse(&bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            beneath::dangling(&data.join(".env")).map_or(Ok(Variables::default()), Err)
        }
        Err(e) => Err(e),
    }
}

/// What is told of the lines of `.env` that set nothing; none where all of them do.
pub(crate) fn left_out(data: &Path, odd: &[Odd]) -> Option<String> {
    let lines: Vec<String> = odd.iter().map(ToString::to_string).collect();
    (!odd.is_empty()).then(|| format!("{}: {}", data.join(".env").display(), lines.join("; ")))
}

/// What is told of the variables of `.env` that may have been meant otherwise; none where no one is.
pub(crate) fn doubtful(data: &Path, set: &BTreeMap<String, String>) -> Option<String> {
    told_of(data, &misspelt::doubts(set))
}

/// What is told of the variables of this process's own environment that may have been meant otherwise; none where no one is.
pub(crate) fn doubtful_here(set: &BTreeMap<String, String>) -> Option<String> {
    told_at("the environment", &misspelt::doubts_of_environment(&environment(), set))
}

/// This process's own environment.
fn environment() -> BTreeMap<String, String> {
    // A name that is not UTF-8 is not the host's.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}

fn told_of(data: &Path, doubts: &[Doubt]) -> Option<String> {
    told_at(&data.join(".env").display().to_string(), doubts)
}

fn told_at(place: &str, doubts: &[Doubt]) -> Option<String> {
    let lines: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    (!doubts.is_empty()).then(|| format!("{place}: {}", lines.join("; ")))
}

/// That `.env` cannot be read.
pub(crate) fn unreadable(data: &Path, error: &io::Error) -> Fault {
    Fault::machine(
        format!("cannot read {}: {}", data.join(".env").display(), reason(error)),
        "make it an ordinary file that the folder's owner may read (chown it to the user that the host runs as)",
    )
}

/// Sees that no database is begun while `.env` cannot be read, which may name one. `own` is what the environment has for
/// `DATABASE_URL`: where systemd has read the file, it is there.
pub(crate) fn begins_nothing_unread(data: &Path, own: Option<&str>, error: &io::Error) -> Result<(), Fault> {
    if own.is_some_and(|url| !url.is_empty()) {
        return Ok(());
    }
    let database = settings::database(None, data)?;
    if !is_new(&database) {
        return Ok(());
    }
    let file = data.join(".env");
    let file = file.display();
    Err(Fault::machine(
        format!(
            "cannot read {file}: {}; without it, {} would be a new database",
            reason(error),
            database.shown()
        ),
        format!(
            "make it an ordinary file that the user of the host may read (chown USER {file}, chmod 600 {file}), or set DATABASE_URL \
             in the environment; for a new database that is sqlite:///absolute/path/hub.db"
        ),
    ))
}

/// What a command does where there is no database yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It begins one: a start, and a command that adds to an installation.
    Made,
    /// It has nothing to do there, and says so.
    Refused,
}

/// Whether nobody has begun this database. A file of no bytes is one that somebody made by hand, where no log lies beside it.
fn is_new(database: &Database) -> bool {
    let Database::Sqlite(file) = database else { return false };
    if fs::metadata(settings::beside(file, "-wal")).is_ok_and(|about| about.len() > 0) {
        return false;
    }
    match fs::metadata(file) {
        Ok(about) => about.is_file() && about.len() == 0,
        // What cannot be looked at is told by whoever opens it.
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// That a variable which may have been left over from another installation names another data folder than the one that was settled.
pub(crate) fn stray(data: &Path, settled: &Path, install: &Install) -> String {
    let (data, settled) = (data.display(), settled.display());
    format!(
        "DATA_DIR names {data}, and setup settled {settled} for the install folder {}: going on with {data}; unset DATA_DIR to work \
         with {settled}",
        install.root().display()
    )
}

/// That a command needs a database, and what it looked at.
pub(crate) fn no_database(data: &Path, why: Why, what: &str) -> Fault {
    Fault::usage(
        format!("there is no installation in the data folder {} ({}): {what}", data.display(), why.told()),
        "name the data folder of the installation, --data-dir DIR or DATA_DIR=DIR; only `serve`, `setup` and `admin \
         create-user` begin a new one",
    )
}

/// The line that says which data folder and which database are meant.
pub(crate) fn line(data: &Path, why: Why, database: &Database) -> String {
    format!("data folder {} ({}), database {}", data.display(), why.told(), database.shown())
}

/// What was found for the command that this process is.
pub(crate) struct Found {
    pub(crate) data: PathBuf,
    pub(crate) why: Why,
    variables: BTreeMap<String, String>,
}

static FOUND: OnceLock<Found> = OnceLock::new();

/// Settles it for this process: from now on [`settings::process_env`] has the folder and the variables of its `.env`. Done
/// once, by the command line.
pub(crate) fn settle(data: PathBuf, why: Why, variables: BTreeMap<String, String>) -> &'static Found {
    FOUND.get_or_init(|| Found { data, why, variables })
}

/// What was settled, where a command line was read at all.
pub(crate) fn found() -> Option<&'static Found> {
    FOUND.get()
}

impl Found {
    /// A variable of `.env`.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The names of its variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// Sees that no database is begun while `.env` has lines that nobody understands, a variable that may be a slip of the pen for
    /// `DATABASE_URL`, or that one without a value: one of them may be to name the database.
    pub(crate) fn begins_nothing_by_mistake(&self, odd: &[Odd]) -> Result<(), Fault> {
        self.begins_nothing_beside(&environment(), odd)
    }

    /// The same in this environment.
    fn begins_nothing_beside(&self, here: &BTreeMap<String, String>, odd: &[Odd]) -> Result<(), Fault> {
        let own = here.get(environment::DATABASE_URL).map(String::as_str);
        // The environment's goes before the file's, and what is said by its name is meant, whatever else there is.
        if own.is_some_and(|url| !url.is_empty()) || self.variable(environment::DATABASE_URL).is_some() {
            return Ok(());
        }
        let mut doubts = misspelt::doubts(&self.variables);
        doubts.retain(Doubt::is_of_database);
        let mut of_environment = misspelt::doubts_of_environment(here, &self.variables);
        of_environment.retain(Doubt::is_of_database);
        let empty = "`DATABASE_URL` has no value";
        let of_file = self.variables.contains_key(environment::DATABASE_URL);
        let told: Vec<String> = [
            left_out(&self.data, odd),
            told_of(&self.data, &doubts),
            told_at("the environment", &of_environment),
            of_file.then(|| format!("{}: {empty}", self.data.join(".env").display())),
            own.map(|_| format!("the environment: {empty}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if told.is_empty() {
            return Ok(());
        }
        let database = settings::database(None, &self.data)?;
        if !is_new(&database) {
            return Ok(());
        }
        Err(Fault::machine(
            format!("{}; without it, {} would be a new database", told.join("; "), database.shown()),
            "write NAME=value, a line each, and start again; a line that is not meant begins with #, and a variable without a value \
             is to be unset. Where a variable is another program's, set DATABASE_URL to the new database: \
             sqlite:///absolute/path/hub.db",
        ))
    }

    /// Which data folder and which database this process works with.
    pub(crate) fn told(&self) -> Result<String, Fault> {
        let database =
            settings::database(settings::process_env(environment::DATABASE_URL).as_deref(), &self.data)?;
        Ok(line(&self.data, self.why, &database))
    }

    /// Sees that a command on the database can only mean this installation, and gives the line that says which it is.
    pub(crate) fn meant(&self, absent: Absent) -> Result<String, Fault> {
        let own = std::env::var(environment::DATABASE_URL).ok().filter(|url| !url.is_empty());
        self.meant_by(own, absent)
    }

    /// The same where it is known what the environment has for `DATABASE_URL`.
    fn meant_by(&self, own: Option<String>, absent: Absent) -> Result<String, Fault> {
        let of_file = self.variable(environment::DATABASE_URL);
        if let (Some(own), Some(of_file)) = (&own, of_file)
            && own != of_file
        {
            return Err(Fault::usage(
                format!(
                    "two databases could be meant: {} of the environment, and {} of {}",
                    settings::without_password(own),
                    settings::without_password(of_file),
                    self.data.join(".env").display()
                ),
                "the service works with the one of .env: unset DATABASE_URL, or change the file",
            ));
        }
        let database = settings::database(own.as_deref().or(of_file), &self.data)?;
        let system = Path::new(settings::SYSTEM_DATA);
        if self.why == Why::User && system.is_dir() {
            return Err(Fault::usage(
                format!(
                    "two data folders could be meant: {}, which this user may not write to, and {}",
                    system.display(),
                    self.data.display()
                ),
                "run the command as the owner of the one that is meant, or name it: --data-dir DIR",
            ));
        }
        let shown = database.shown();
        let new = is_new(&database);
        if new && absent == Absent::Refused {
            return Err(no_database(&self.data, self.why, &format!("it has no database {shown}")));
        }
        if new && !self.why.is_named() {
            return Err(Fault::usage(
                format!("there is no installation here: {shown} would be a new database"),
                format!(
                    "name the data folder of the installation: --data-dir DIR; to begin a new one, --data-dir {}",
                    self.data.display()
                ),
            ));
        }
        let new = if new { " (new)" } else { "" };
        Ok(line(&self.data, self.why, &database) + new)
    }
}

/// Takes away what others than its owner may do with the customer's data: the folder, the database, `.env`. Only what is
/// this user's own; gives what was changed, with its mode before.
pub(crate) fn tighten(data: &Path, database: &Database) -> Vec<(PathBuf, u32)> {
    let mut paths: Vec<(PathBuf, u32)> = vec![(data.to_path_buf(), 0o700)];
    let names = [".env", "host-id", "host.lock", "runs.lock", "drivers.lock", "hub.db"];
    paths.extend(names.map(|name| (data.join(name), 0o600)));
    if let Database::Sqlite(file) = database {
        paths.extend(settings::database_files(file).into_iter().map(|path| (path, 0o600)));
    }
    paths.into_iter().filter_map(|(path, most)| tightened(&path, most).map(|before| (path, before))).collect()
}

/// The mode that it had before, where that allowed others something.
fn tightened(path: &Path, most: u32) -> Option<u32> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    // What is not there needs nothing, and what this user cannot look at is not its own.
    let about = fs::symlink_metadata(path).ok()?;
    let own = about.uid() == rustix::process::geteuid().as_raw();
    let mode = about.mode() & 0o7777;
    if !own || about.is_symlink() || mode & 0o077 == 0 {
        return None;
    }
    // What is this user's own can be changed, or else it lies on a disk that knows no modes.
    fs::set_permissions(path, fs::Permissions::from_mode(mode & most)).ok().map(|()| mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// O3: a command that is not meant to begin anything says where it looked, and what to write instead.
    #[test]
    fn o3_only_commands_that_begin_something_may_begin_a_database() {
        let folder = Scratch::new("locate-meant");
        let (data, file) = (folder.to_path_buf(), folder.join("hub.db"));
        let found = |why| Found { data: data.clone(), why, variables: BTreeMap::new() };
        let meant = |why, absent| found(why).meant_by(None, absent).map_err(|fault| fault.to_string());
        for why in [Why::Flag, Why::Variable, Why::Settled] {
            let text = meant(why, Absent::Refused).unwrap_err();
            for part in [
                &*data.display().to_string(),
                why.told(),
                &*file.display().to_string(),
                "--data-dir",
                "DATA_DIR=",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
            let line = meant(why, Absent::Made).unwrap();
            assert!(line.ends_with("hub.db (new)"), "{line}");
        }
        assert!(meant(Why::System, Absent::Made).unwrap_err().contains("would be a new database"));
        // A file of no bytes is no database either.
        fs::write(&file, "").unwrap();
        assert!(meant(Why::Flag, Absent::Refused).is_err() && meant(Why::System, Absent::Made).is_err());
        fs::write(&file, "a database").unwrap();
        for absent in [Absent::Refused, Absent::Made] {
            let line = meant(Why::System, absent).unwrap();
            assert_eq!(line.matches("data folder").count(), 1, "{line}");
            assert!(line.ends_with("hub.db"), "{line}");
        }
    }

    /// O3: an address that is lost on the way begins no other database; one that is there is meant, whatever lies beside it.
    #[test]
    fn o3_no_database_is_begun_beside_an_address_without_a_value() {
        let folder = Scratch::new("empty-url");
        let data = folder.to_path_buf();
        let begins = |text: &str, own: Option<&str>| {
            let Variables { set: variables, odd } = env_file::parse(text.as_bytes());
            let found = Found { data: data.clone(), why: Why::Flag, variables };
            let named = own.map(|url| ("DATABASE_URL".to_owned(), url.to_owned()));
            found.begins_nothing_beside(&named.into_iter().collect(), &odd).map_err(|fault| fault.to_string())
        };
        let here = BTreeMap::from([("HUB_DATABASE_URL".to_owned(), "postgres://hub:s3cret@h/d".to_owned())]);
        let nothing = Found { data: data.clone(), why: Why::Flag, variables: BTreeMap::new() };
        let said = nothing.begins_nothing_beside(&here, &[]).unwrap_err().to_string();
        assert!(said.contains("the environment: `HUB_DATABASE_URL` is not a variable of the host"), "{said}");
        assert!(said.contains("would be a new database") && !said.contains("s3cret"), "{said}");
        let file = data.join(".env").display().to_string();
        for (text, own, want) in [
            ("DATABASE_URL=\n", None, format!("{file}: `DATABASE_URL` has no value; without it")),
            ("DATABASE_URL=''\n", None, "`DATABASE_URL` has no value".to_owned()),
            ("", Some(""), "the environment: `DATABASE_URL` has no value; without it".to_owned()),
            ("set -a\n", None, "line 1 is left out".to_owned()),
        ] {
            let said = begins(text, own).unwrap_err();
            assert!(said.contains(&want) && said.contains("would be a new database"), "{text}: {said}");
        }
        let url = "sqlite:///nowhere/at/all.db";
        let named = format!("set -a\nDATABASE_URL={url}\n");
        for (text, own) in [
            ("", None),
            (&*named, None),
            (&*named, Some("")),
            ("set -a\nDATABASE_URL=\n", Some(url)),
            ("A=\n", None),
        ] {
            assert_eq!(begins(text, own), Ok(()), "{text}");
        }
        // Where there is one, there is nothing to lose.
        fs::write(data.join("hub.db"), "a database").unwrap();
        assert_eq!(begins("DATABASE_URL=\n", Some("")), Ok(()));
    }

    /// O3: a file that may name the database, and cannot be read, begins no other one.
    #[test]
    fn o3_no_database_is_begun_beside_variables_that_cannot_be_read() {
        let folder = Scratch::new("unread-env");
        fs::create_dir(folder.join(".env")).unwrap();
        let error = variables(&folder).unwrap_err();
        let begins = |own: Option<&str>| begins_nothing_unread(&folder, own, &error);
        for own in [None, Some("")] {
            let fault = begins(own).unwrap_err();
            assert_eq!(fault.exit(), 3);
            let said = fault.to_string();
            let file = folder.join(".env").display().to_string();
            for part in [&*file, &*reason(&error), "chown", "chmod", "DATABASE_URL"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        assert_eq!(begins(Some("postgres://h/d")), Ok(()));
        fs::write(folder.join("hub.db"), "a database").unwrap();
        assert_eq!(begins(None), Ok(()));
    }

    /// O3: all commands find the same folder; `setup` alone begins one for the whole machine.
    #[test]
    fn o3_one_folder_for_all_commands() {
        let folder = Scratch::new("locate-one");
        let home = folder.display().to_string();
        let env = |name: &str| (name == "HOME").then(|| home.clone());
        let install = Install::at(folder.join("opt"));
        fs::create_dir_all(install.root()).unwrap();
        let settled = Settled::default();
        if !Path::new(settings::SYSTEM_DATA).is_dir() {
            let own = folder.join(".local/share/honeyframe");
            assert_eq!(data_dir(None, Some(&install), &env), Ok((own.clone(), Why::User)));
            let system = PathBuf::from(settings::SYSTEM_DATA);
            assert_eq!(data_dir_to_set_up(None, &settled, &env), Ok((system.clone(), Why::System)));
            // Root of a fresh machine, or of a container.
            assert_eq!(data_dir_to_set_up(None, &settled, &|_| None), Ok((system, Why::System)));
            assert!(data_dir_of(None, &settled, &|_| None).is_err());
            fs::create_dir_all(&own).unwrap();
            assert_eq!(data_dir_to_set_up(None, &settled, &env), Ok((own, Why::User)));
        }
        let elsewhere = folder.join("elsewhere");
        Settled { data_dir: Some(elsewhere.clone()), ..settled }.write(install.root()).unwrap();
        assert_eq!(data_dir(None, Some(&install), &env), Ok((elsewhere, Why::Settled)));
        assert_eq!(
            data_dir(Some(Path::new("/d")), Some(&install), &env),
            Ok((PathBuf::from("/d"), Why::Flag))
        );
    }
}
