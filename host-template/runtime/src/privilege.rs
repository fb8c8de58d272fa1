//! Root and the data folder: whoever owns that folder may write to it, so root runs nothing that lies there, and follows
//! nothing. A command that root calls is carried on as the folder's owner.
//!
//! The owner is a number of the folder's own: no directory of accounts is asked.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use hub_manifest::environment;
use hub_release::guard;
use rustix::process::{Signal, geteuid, set_parent_process_death_signal, setsid};

use crate::data_folder;
use crate::fault::Fault;
use crate::locate::Why;
use crate::settings::reason;

/// What root's environment passes on besides what begins with [`PREFIXES`]. The rest may be root's secrets.
const PASSED_ON: &[&str] = &[
    "ALL_PROXY",
    environment::DATABASE_URL,
    environment::DATA_DIR,
    "HTTPS_PROXY",
    "HTTP_PROXY",
    environment::INSTALL_DIR,
    "LANG",
    "LC_ALL",
    environment::LISTEN,
    environment::LOG_FORMAT,
    "NO_PROXY",
    "PATH",
    // Which server, and how safely; what a sign-in needs may be root's own.
    "PGCHANNELBINDING",
    environment::PGDATABASE,
    "PGGSSENCMODE",
    environment::PGHOST,
    environment::PGHOSTADDR,
    "PGMINPROTOCOLVERSION",
    environment::PGPORT,
    "PGSERVICE",
    "PGSSLCERTMODE",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMINPROTOCOLVERSION",
    environment::PGSSLMODE,
    "PGSSLNEGOTIATION",
    environment::PGSSLROOTCERT,
    "PGTARGETSESSIONATTRS",
    environment::PGUSER,
    "REQUESTS_CA_BUNDLE",
    environment::RUST_LOG,
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TZ",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
const PREFIXES: &[&str] = &["HUB_", "PGREQUIRE", "PIP_"];

/// Whom root becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    uid: u32,
    gid: u32,
}

/// Whom this process has to become before it touches the data folder. None where it is not root's, where the folder is
/// root's own, and where there is none yet. A folder that is root's only by half is refused.
pub(crate) fn owner(data: &Path) -> Result<Option<Owner>, Fault> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let unknown = |e: io::Error| {
        Fault::machine(
            format!("cannot tell whose the data folder {} is: {}", data.display(), reason(&e)),
            "name a folder that is there: --data-dir DIR",
        )
    };
    let about = match fs::metadata(data) {
        Ok(about) => about,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unknown(e)),
    };
    if about.uid() != 0 {
        return Ok(Some(Owner { uid: about.uid(), gid: about.gid() }));
    }
    let refused = |what: &str, how: String| {
        // Of a folder that is none, nothing is to be given away.
        let how = match data_folder::is_anothers(data) {
            true => "name the data folder of the installation: --data-dir DIR or DATA_DIR=DIR".to_owned(),
            false => how,
        };
        let what = format!(
            "the data folder {} belongs to root, and {what}: root runs and follows nothing there",
            data.display()
        );
        Err(Fault::machine(what, how))
    };
    if about.mode() & 0o022 != 0 {
        return refused(
            "others may write to it",
            format!(
                "see that nothing in it is a stranger's, and close it: chmod go-w {}",
                guard::quoted(data)
            ),
        );
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(data).map_err(unknown)? {
        let entry = entry.map_err(unknown)?;
        // Of the entry itself, not of what a link names.
        entries.push((entry.file_name(), entry.metadata().map_err(unknown)?.uid()));
    }
    entries.sort();
    if let Some((name, uid)) = entries.iter().find(|(_, uid)| *uid != 0) {
        return refused(&format!("{} in it to user {uid}", name.display()), whole(data, &entries, *uid));
    }
    Ok(None)
}

/// So many entries are named one by one.
const NAMED: usize = 10;

/// How a folder of root's in which something is user `uid`'s becomes one user's: what is to change, and nothing else. The folder
/// itself comes last: until then nobody else can put something there that root would give away.
fn whole(data: &Path, entries: &[(OsString, u32)], uid: u32) -> String {
    let folder = guard::quoted(data);
    let (roots, strangers): (Vec<_>, Vec<_>) = entries.iter().partition(|(_, uid)| *uid == 0);
    let given = |to: &str, whose: &str, named: &[&(OsString, u32)]| {
        if named.len() > NAMED {
            return format!("find {folder} -mindepth 1 -maxdepth 1 {whose} -exec chown -hR {to} {{}} +");
        }
        // Names are the owner's to choose, and root copies the line.
        let names = named.iter().map(|(name, _)| format!(" {}", shown(&guard::quoted(&data.join(name)))));
        format!("chown -hR {to}{}", names.collect::<String>())
    };
    let first = match roots.as_slice() {
        [] => String::new(),
        roots => format!("{} && ", given(&uid.to_string(), "-user root", roots)),
    };
    format!(
        "where the host runs as user {uid}, give that one what is root's: {first}chown {uid} {folder}; where it runs as root, see \
         what root does not own, and take it or remove it: {}",
        given("root", "! -user root", &strangers)
    )
}

/// Whether this process is root, and the folder somebody else's.
pub(crate) fn is_stranger(data: &Path) -> bool {
    geteuid().is_root() && fs::metadata(data).is_ok_and(|about| about.uid() != 0)
}

/// A command that is run as this owner, with what an owner may know of root's environment; as this process itself where
/// there is none to become.
pub(crate) fn command(program: &Path, owner: Option<Owner>, data: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(owner) = owner {
        become_owner(&mut command, owner, data);
        // Off the terminal: what the owner's programs write to one would be read as root's typing.
        // SAFETY: between fork and exec, two system calls are made; nothing is allocated and no lock is taken.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                set_parent_process_death_signal(Some(Signal::TERM))?;
                Ok(())
            });
        }
    }
    command
}

/// Whether the owner's programs get a variable of root's.
fn is_passed_on(name: &str) -> bool {
    PASSED_ON.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Other groups than the owner's are dropped with the user.
fn become_owner(command: &mut Command, owner: Owner, data: &Path) {
    let passed = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed_on));
    let passed: Vec<_> = passed.collect();
    command.env_clear().envs(passed);
    // Root's own is not the owner's to read.
    command.env("HOME", data).env("PIP_NO_CACHE_DIR", "1");
    command.uid(owner.uid).gid(owner.gid);
}

/// Carries this very command on as the folder's owner, where this process is root and the folder somebody else's; gives
/// that one's exit code. `stay` replaces this process, for a host that a supervisor knows by its number.
pub(crate) fn carry_on(data: &Path, why: Why, stay: bool) -> Result<Option<ExitCode>, Fault> {
    let owner = match owner(data) {
        // A host in a container is root among nobody else, and a volume there may be anybody's.
        Err(fault) if stay && is_first() => {
            // The log begins later, with the settings of the folder that this is about.
            let _ = writeln!(io::stderr(), "warning: going on as root in this container: {}", fault.what());
            None
        }
        owner => owner?,
    };
    let Some(owner) = owner else { return Ok(None) };
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let cannot = |e: io::Error| {
        Fault::machine(
            format!(
                "cannot go on as user {}, who owns the data folder {}: {}",
                owner.uid,
                data.display(),
                reason(&e)
            ),
            format!("see that this user may run {}", program.display()),
        )
    };
    let arguments = std::env::args_os().skip(1);
    // By the name that it was started by, which tells the install folder.
    let name = std::env::args_os().next().unwrap_or_else(|| program.clone().into_os_string());
    if stay {
        let mut command = Command::new(&program);
        command.arg0(name).args(arguments).env("HOME", data).uid(owner.uid).gid(owner.gid);
        if why == Why::User {
            command.env(environment::DATA_DIR, data);
        }
        return Err(cannot(command.exec()));
    }
    let mut command = command(&program, Some(owner), data);
    command.arg0(name).args(arguments);
    // Of all that lead to the folder, only root's HOME does not lead its owner there.
    if why == Why::User {
        command.env(environment::DATA_DIR, data);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // One that has read enough closes its end.
            let _ = io::copy(&mut io::stdin().lock(), &mut stdin);
        }
    });
    let told = thread::spawn(move || stderr.map(|mut from| pass_on(&mut from, &mut io::stderr().lock())));
    if let Some(mut from) = stdout {
        pass_on(&mut from, &mut io::stdout().lock());
    }
    let status = child.wait().map_err(cannot)?;
    // It only fails where it panicked, and then there is no more to pass on.
    let _ = told.join();
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(Some(ExitCode::from(u8::try_from(code).unwrap_or(1))))
}

/// Sees that root, who has nobody to go on as in this data folder, is meant to: not where setup settled another user for the service.
/// What root made there would be in that user's way, and a host would serve as root. `stay` is said of a host.
pub(crate) fn see_settled(data: &Path, user: &str, stay: bool) -> Result<(), Fault> {
    // A machine without the file has no other name for root.
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if !geteuid().is_root() || is_root(&users, user) {
        return Ok(());
    }
    let fault = match data.exists() {
        true => roots(data, user),
        false => Fault::machine(
            format!(
                "setup settled that the service runs as {user}, and its data folder {} is not there",
                data.display()
            ),
            "mount the disk that it lies on, or run `hub-platform setup`, which makes the folder and gives it to that user",
        ),
    };
    if stay && is_first() {
        // The log begins later, with the settings of the folder that this is about.
        let _ = writeln!(io::stderr(), "warning: going on as root in this container: {}", fault.what());
        return Ok(());
    }
    Err(fault)
}

/// That the data folder is root's, and the service another user's.
pub(crate) fn roots(data: &Path, user: &str) -> Fault {
    Fault::machine(
        format!(
            "the data folder {} belongs to root, and setup settled that the service runs as {user}: a host would serve as root, or \
             not get into its folder",
            data.display()
        ),
        format!(
            "give the folder to that user: chown -hR {user} {}; where root is meant, run `hub-platform setup --user root`",
            guard::quoted(data)
        ),
    )
}

/// Whether this name is root's, on a machine with these accounts.
fn is_root(users: &str, user: &str) -> bool {
    let is_zero = |line: &str| {
        let mut fields = line.split(':');
        fields.next() == Some(user) && fields.nth(1) == Some("0")
    };
    matches!(user, "root" | "0") || users.lines().any(is_zero)
}

/// Whether this process, or the launcher that it was, is the first of a PID namespace: of a container, or of the machine, where
/// nobody starts a service so.
fn is_first() -> bool {
    std::process::id() == 1
}

/// What is to be said of a host that serves as root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AsRoot {
    /// On a machine that others live on too: a warning.
    AmongOthers(String),
    /// In a container, where nobody else may live.
    Contained(&'static str),
}

/// What is to be said of a host that serves from this folder, where it is root's process.
pub(crate) fn as_root(data: &Path) -> Option<AsRoot> {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    let contained = is_first()
        || std::env::var_os("container").is_some()
        || marks.iter().any(|mark| Path::new(mark).exists());
    geteuid().is_root().then(|| match contained {
        true => AsRoot::Contained(
            "the host serves as root in this container: a fault in it, or in a plugin, has all that the container has; the \
             platform's own image runs it as another user",
        ),
        false => AsRoot::AmongOthers(root_serves(data)),
    })
}

fn root_serves(data: &Path) -> String {
    let (data, quoted) = (data.display(), guard::quoted(data));
    format!(
        "the host serves as root, because the data folder {data} is root's: a fault in it, or in a plugin, is then root's too. \
         Give the folder to a user of its own, chown -R USER {quoted}, and start the host again: it goes on as the folder's \
         owner, whoever starts it"
    )
}

/// Passes on what can do no harm to a terminal: an owner's program may print what it likes.
fn pass_on(from: &mut dyn Read, to: &mut dyn Write) {
    let mut buffer = [0; 8192];
    // The beginning of a character whose rest comes with the next bytes.
    let mut begun = Vec::new();
    while let Ok(read) = from.read(&mut buffer) {
        let ended = read == 0;
        begun.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let kept = if ended { 0 } else { unfinished(&begun) };
        let whole = begun.len() - kept;
        // A line that goes back to its beginning could write over what stands there.
        let text = String::from_utf8_lossy(begun.get(..whole).unwrap_or_default());
        let text = shown(&text.replace("\r\n", "\n").replace('\r', "\n"));
        begun.drain(..whole);
        // A reader that has seen enough is no error.
        let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
        if ended {
            return;
        }
    }
}

/// How many bytes at the end are the beginning of a character, and may become one.
fn unfinished(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => 0,
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        Err(error) => {
            // Something before is no text at all; only the end matters here.
            let skipped = error.valid_up_to() + error.error_len().unwrap_or(1);
            bytes.get(skipped..).map_or(0, unfinished)
        }
    }
}

/// Text of an owner's program, as it may be shown on root's terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3: a line that somebody can still read and copy.
    #[test]
    fn s3_of_many_entries_none_is_named() {
        let told = |roots: usize, strangers: usize| {
            let of = |count: usize, uid: u32| {
                (0..count).map(move |at| (OsString::from(format!("{uid}-{at}")), uid)).collect::<Vec<_>>()
            };
            whole(Path::new("/srv/my hub"), &[of(roots, 0), of(strangers, 1000)].concat(), 1000)
        };
        let few = told(1, 1);
        assert!(
            few.contains(": chown -hR 1000 '/srv/my hub/0-0' && chown 1000 '/srv/my hub'; where"),
            "{few}"
        );
        assert!(few.ends_with(": chown -hR root '/srv/my hub/1000-0'"), "{few}");
        assert!(told(0, 1).contains(": chown 1000 '/srv/my hub'; where"));
        assert!(told(10, 1).contains("'/srv/my hub/0-9' && chown") && !told(10, 10).contains("find"));
        let many = told(11, 11);
        for find in [
            ": find '/srv/my hub' -mindepth 1 -maxdepth 1 -user root -exec chown -hR 1000 {} + && chown 1000 '/srv/my hub';",
            ": find '/srv/my hub' -mindepth 1 -maxdepth 1 ! -user root -exec chown -hR root {} +",
        ] {
            assert!(many.contains(find) && !many.contains("/0-"), "{many}");
        }
    }

    #[test]
    fn what_root_signs_in_with_is_not_passed_on() {
        assert!(
            ["PGSSLMODE", "PGSSLROOTCERT", "PGHOST", "PGREQUIREAUTH", "PATH"].into_iter().all(is_passed_on)
        );
        for name in
            ["PGSSLKEY", "PGSSLCERT", "PGPASSWORD", "PGPASSFILE", "PGSSLPASSWORD", "AWS_SECRET_ACCESS_KEY"]
        {
            assert!(!is_passed_on(name), "{name}");
        }
    }

    #[test]
    fn root_is_known_by_its_number_too() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nhub:x:990:0::/data:/bin/false\n";
        assert!(["root", "0", "toor"].iter().all(|user| is_root(users, user)));
        assert!(["hub", "honeyframe", "", "x"].iter().all(|user| !is_root(users, user)));
    }

    /// S3: escape sequences, in either of their forms, are no more than question marks on root's terminal.
    #[test]
    fn s3_an_owners_program_cannot_speak_to_roots_terminal() {
        let passed = |pieces: &[&[u8]]| {
            let mut out = Vec::new();
            let mut from: Box<dyn Read> = Box::new(io::empty());
            for piece in pieces {
                from = Box::new(from.chain(io::Cursor::new(piece.to_vec())));
            }
            pass_on(&mut from, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(passed(&[b"plain \t text\n"]), "plain \t text\n");
        assert_eq!(passed(&[b"\x1b[2J"]), "?[2J");
        assert_eq!(passed(&["\u{9b}2J".as_bytes()]), "?2J");
        assert_eq!(passed(&[b"a line\rANOTHER\r\nnext"]), "a line\nANOTHER\nnext");
        // A character that comes in two pieces is one, and what is none is shown as such.
        assert_eq!(passed(&["\u{9b}".as_bytes().split_at(1).0, "\u{9b}".as_bytes().split_at(1).1]), "?");
        assert_eq!(
            passed(&["gr\u{fc}n".as_bytes().split_at(3).0, "gr\u{fc}n".as_bytes().split_at(3).1]),
            "gr\u{fc}n"
        );
        assert_eq!(passed(&[b"\xff\xc3"]), "\u{fffd}\u{fffd}");
    }
}
