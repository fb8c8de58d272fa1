//! `setup`: makes an unpacked release the current one of its install folder, with data folder, launcher, drivers and
//! service. Safe to run again: nothing of a customer's is changed.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub_manifest::environment;
use hub_manifest::limits::Limit;
use hub_release::Trusted;
use hub_release::beneath::{self, Beneath};
use hub_release::bounds::MAX_SIGNATURE;
use hub_release::folder::{self, Unusable};
use hub_release::guard::quoted;
use hub_release::install::{Lock, write};
use hub_release::manifest::HOST;
use hub_release::unit::Unit;
use rustix::fs::Access;
use semver::Version;
use serde::Deserialize;

use super::activate::{Activation, signed};
use super::conf::Conf;
use super::place::Place;
use super::reach::Reader;
use super::service::{self, Service, UNIT, Waits};
use super::user::{USER, asked_id, id, own_user, see_home, see_owner, see_self, see_user};
use super::{say, upgrade};
use crate::cli::drivers as wanted;
use crate::data_folder;
use crate::discover::Namesake;
use crate::drivers;
use crate::fault::Fault;
use crate::locate::Settled;
use crate::preflight::namesakes;
use crate::privilege;
use crate::process;
use crate::settings::{self, process_env, reason};

/// Folder of the units that an administrator adds.
const UNITS: &str = "/etc/systemd/system";

/// What is to be set up.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) install_conf: Option<PathBuf>,
    pub(crate) install_dir: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    /// Aliases of driver plugins, besides those of the file.
    pub(crate) plugins: Vec<String>,
    /// Public keys that are trusted from now on.
    pub(crate) trust: Vec<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    /// The user that the service runs as, where one is named.
    pub(crate) user: Option<String>,
    /// Where the unit goes; systemd's folder where systemd runs.
    pub(crate) unit_dir: Option<PathBuf>,
    /// Write no unit and start nothing.
    pub(crate) no_service: bool,
    /// The command that restarts the service, where that is not systemd's.
    pub(crate) restart: Option<String>,
    pub(crate) allow_downgrade: bool,
    /// Go on with another data folder than that of before.
    pub(crate) leave_data_dir: bool,
    /// Vertical plugins that may take the place of the customer's of the same name.
    pub(crate) take_over: Vec<String>,
    pub(crate) waits: Waits,
}

/// Runs `setup`.
pub(crate) fn setup(options: &Setup) -> Result<(), Fault> {
    let mut place = Place::to_set_up(options.install_dir.as_deref(), options.data_dir.as_deref())?;
    data_folder::free(&place.data, &process_env)?;
    let conf = options.install_conf.as_deref().map(Conf::read).transpose()?.unwrap_or_default();
    conf.warnings.iter().for_each(|warning| say::warn(warning));
    // A link that leads nowhere is one that somebody made: it is no new file either.
    conf.fits(place.data.join(".env").symlink_metadata().is_ok())?;
    let mut names = conf.plugins.clone();
    names.extend(options.plugins.iter().cloned());
    // Everything that can be wrong in what was asked for is found out before anything is changed.
    let chosen = wanted::of_names(&place.release, &names)?;
    chosen.none_by_mistake()?;
    let keys = options.trust.iter().map(|file| Key::read(&place, file)).collect::<Result<Vec<_>, _>>()?;
    let system = !options.no_service && (options.unit_dir.is_some() || service::has_systemd());
    // Whoever was settled once owns every data folder of the installation, with a unit and without one.
    let said = options.user.clone().or_else(|| place.settled.user.clone());
    // Without a unit the folder is root's own, unless somebody says whose it is.
    let me = rustix::process::geteuid();
    let gives = me.is_root() && (system || said.is_some());
    let user = said.unwrap_or_else(|| USER.to_owned());
    let user = &*user;
    if gives || system || options.user.is_some() {
        see_user(user, options.user.is_some())?;
    }
    let of_folder = || fs::metadata(&place.data).map_or(me.as_raw(), |about| about.uid());
    see_home(&place.data, if gives { id(user, "-u")? } else { Some(of_folder()) })?;
    match (gives, &options.user) {
        (true, _) => see_owner(user, &place.data)?,
        // A unit may be written for somebody else to put in its place.
        (false, Some(named)) if !system => see_self(named)?,
        (false, _) => {}
    }
    if gives && let Some((what, how)) = Reader::of(user)?.lacks(&place.install, Some(&place.data))? {
        return Err(Fault::machine(what, format!("{how}; nothing was changed")));
    }
    see_left(&place, options.leave_data_dir)?;
    let folder = options.unit_dir.clone().unwrap_or_else(|| PathBuf::from(UNITS));
    if system {
        see_unit(&place, &folder, user, options.listen)?;
    }

    let lock = place.install.lock()?;
    place.tell()?;
    lock.sweep()?;
    let version = own_release(&place, &keys, options.allow_downgrade)?;
    names_of_customer(&place, &options.take_over)?;
    make_data_folder(&place, &conf, options.listen)?;
    let data = place.data.clone();
    if gives {
        own_user(user, &data)?;
    }
    close_variables(&data)?;
    // It may be the service's only now.
    place.owner = privilege::owner(&data)?;
    if !chosen.is_empty() {
        install_drivers(&place, &names, &chosen)?;
    }
    if system {
        unit(&place, &folder, user, options.listen)?;
    }
    let runs = system && service::has_systemd();
    let before = std::mem::take(&mut place.settled);
    place.settled = Settled {
        data_dir: Some(data),
        user: if system || gives { Some(user.to_owned()) } else { before.user },
        unit: if system { Some(UNIT.to_owned()) } else { before.unit },
        restart: match &options.restart {
            Some(line) => ["sh", "-c", line].map(str::to_owned).into(),
            None if runs => ["systemctl", "restart", UNIT].map(str::to_owned).into(),
            None => before.restart,
        },
        ..Settled::default()
    };
    place.settle()?;
    // From then on nothing starts that is not signed. So the first keys wait until the new release serves: the one that serves now is
    // what there is to go back to, and bears no signature.
    let trust = || keys.iter().try_for_each(|key| key.trust(&place));
    let goes_back = place.install.current().is_some_and(|current| current != version);
    if goes_back && !place.install.trusted()?.is_required() {
        activate(&place, &lock, &version, runs, options.waits)?;
        return trust();
    }
    trust()?;
    activate(&place, &lock, &version, runs, options.waits)
}

/// Installs drivers as the owner of the data folder: pip runs what it downloads, and what lies there already.
fn install_drivers(place: &Place, names: &[String], chosen: &wanted::Chosen) -> Result<(), Fault> {
    let env = |name: &str| {
        process_env(name).or_else(|| place.env.get(name).cloned().filter(|value| !value.is_empty()))
    };
    let limit = settings::limits(&env)?.time(Limit::InstallSeconds);
    let Some(owner) = place.owner else {
        for (name, version) in chosen.install(&place.data, limit)? {
            say::done("driver", &format!("{name} {version}"));
        }
        return Ok(());
    };
    let program = place.release.join(HOST);
    let mut command = privilege::command(&program, Some(owner), &place.data);
    command.args(["drivers", "install"]).args(names).arg("--data-dir").arg(&place.data);
    command.env(environment::INSTALL_DIR, &place.release);
    let cannot = |why: String| {
        Fault::machine(
            format!("the drivers cannot be installed as the owner of {}: {why}", place.data.display()),
            "run `hub-platform drivers install` by hand, and see what it says; then run setup again",
        )
    };
    // It holds each of its programs to the limit by itself.
    let heard = process::hear(command, limit * drivers::PROGRAMS).map_err(|e| match e.kind() {
        // Its own sentence, which the system has no other for.
        io::ErrorKind::TimedOut => cannot(e.to_string()),
        _ => cannot(reason(&e)),
    })?;
    let said = |bytes: &[u8]| privilege::shown(String::from_utf8_lossy(bytes).trim());
    if !heard.status.success() {
        return Err(cannot(said(&heard.err)));
    }
    for line in said(&heard.out).lines() {
        say::done("driver", line.strip_prefix("installed ").unwrap_or(line));
    }
    Ok(())
}

/// A public key that is to be trusted, as it was read.
struct Key {
    /// Where it was read from.
    from: PathBuf,
    /// Where it is kept.
    to: PathBuf,
    text: Vec<u8>,
}

impl Key {
    /// Reads one. A file that is no key would keep every release from being started, and two keys of one name would be one.
    fn read(place: &Place, from: &Path) -> Result<Key, Fault> {
        Trusted::none().add(from)?;
        let text =
            beneath::read(from, MAX_SIGNATURE).map_err(|e| hub_release::Problem::io("read", from, &e))?;
        let name = from.file_name().map(Path::new).unwrap_or(Path::new("release.pub")).with_extension("pub");
        let to = place.install.keys_dir().join(name);
        match beneath::read(&to, MAX_SIGNATURE) {
            Ok(other) if other != text => Err(Fault::usage(
                format!("{} is trusted already, and is another key than {}", to.display(), from.display()),
                "give the new key's file another name; to replace the old one, remove it after the first release that the \
                 new one signed",
            )),
            _ => Ok(Key { from: from.to_path_buf(), to, text }),
        }
    }

    /// Keeps it in the install folder.
    fn trust(&self, place: &Place) -> Result<(), Fault> {
        let folder = place.install.keys_dir();
        fs::create_dir_all(&folder).map_err(|e| hub_release::Problem::io("make", &folder, &e))?;
        write(&self.to, &self.text, 0o644)?;
        say::done("trusted", &format!("{} may sign releases", self.from.display()));
        Ok(())
    }
}

/// Sees that no vertical plugin of the customer's silently becomes the release's of the same name.
fn names_of_customer(place: &Place, take_over: &[String]) -> Result<(), Fault> {
    if !place.data.is_dir() {
        return Ok(());
    }
    let program = place.release.join(HOST);
    let mut command = privilege::command(&program, place.owner, &place.data);
    command
        .args(["plugins", "namesakes", "--data-dir"])
        .arg(&place.data)
        .env_remove(environment::DATA_DIR)
        .env_remove(environment::INSTALL_DIR);
    let unknown = |why: String| {
        Fault::machine(
            format!("cannot tell which vertical plugins the customer has in {}: {why}", place.data.display()),
            "run `hub-platform plugins list` by hand, and see what it says",
        )
    };
    let heard = process::hear(command, Duration::from_secs(60)).map_err(|e| unknown(reason(&e)))?;
    let all: Vec<Namesake> = serde_json::from_slice(&heard.out)
        .map_err(|_| unknown(privilege::shown(String::from_utf8_lossy(&heard.err).trim())))?;
    // Those that the release in use has too were settled when it came.
    let before = place.install.current().and_then(|version| {
        #[derive(Deserialize)]
        struct Names {
            plugins: Vec<serde_json::Value>,
        }
        let list = folder::manifest(&place.install.release(&version)).ok()?;
        let names: Names = serde_json::from_slice(&list.text).ok()?;
        let name = |plugin: serde_json::Value| {
            Some(plugin.as_str().or_else(|| plugin.get("name")?.as_str())?.to_owned())
        };
        Some(names.plugins.into_iter().filter_map(name).collect::<Vec<String>>())
    });
    let before = before.unwrap_or_default();
    let settled = |slug: &str| before.iter().any(|name| name == slug);
    let judged = namesakes::judge(&all, settled, |slug| take_over.iter().any(|name| name == slug));
    for warning in &judged.warnings {
        say::warn(&privilege::shown(&format!("{}; {}", warning.what, warning.help)));
    }
    match judged.error {
        Some(error) => Err(Fault::refused(privilege::shown(&error.what), privilege::shown(&error.help))),
        None => Ok(()),
    }
}

/// Sees that this program's own release is whole, signed where it has to be, and not older than the current one.
fn own_release(place: &Place, keys: &[Key], allow_downgrade: bool) -> Result<Version, Fault> {
    let refused = |why: String| {
        Fault::refused(
            format!("{}: {why}", place.release.display()),
            format!(
                "unpack the release's tarball again, from where it was built, after rm -r {}",
                quoted(&place.release)
            ),
        )
    };
    let mut trusted = place.install.trusted()?;
    keys.iter().try_for_each(|key| trusted.add(&key.from))?;
    let looked = match hub_release::Install::of_release(&place.release) {
        Some(_) => folder::check_installed(&place.release, &trusted),
        None => folder::check(&place.release, &trusted),
    };
    let looked = looked.map_err(|unusable| match unusable {
        Unusable::Damaged(why) => refused(why),
        Unusable::Misnamed(why) => Fault::refused(
            format!("{}: {why}", place.release.display()),
            "give the folder the name of its own version, or unpack the tarball over the install folder (tar xzf \
             hub-platform-v….tar.gz -C /opt/honeyframe); nothing was changed",
        ),
        Unusable::Untrusted(why) => Fault::refused(
            format!("{}: {why}", place.release.display()),
            "take a release that such a key signed, or name the key that signed this one: --trust KEY.pub; nothing was \
             changed",
        ),
    })?;
    if let Some(damage) = looked.damage() {
        return Err(refused(damage));
    }
    let version = looked.manifest.version.clone();
    if place.install.release(&version) != place.release {
        return Err(Fault::usage(
            format!(
                "{} does not lie in {}",
                place.release.display(),
                place.install.root().join("releases").display()
            ),
            "unpack the tarball over the install folder (tar xzf hub-platform-v….tar.gz -C /opt/honeyframe)",
        ));
    }
    match place.install.current() {
        Some(current) if version < current && !allow_downgrade => {
            return Err(upgrade::older(&version, &current));
        }
        _ => {}
    }
    say::done(
        "verified",
        &format!("release {version}, {} files, {}", looked.manifest.files.len(), signed(&looked)),
    );
    Ok(version)
}

/// Makes what is missing of the data folder. What is made in a folder of somebody else's is theirs.
fn make_data_folder(place: &Place, conf: &Conf, listen: Option<SocketAddr>) -> Result<(), Fault> {
    let made = |folder: &Path, mode: u32| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(folder)
            .map_err(|e| Fault::from(hub_release::Problem::io("make", folder, &e)))
    };
    if let Some(above) = place.data.parent() {
        made(above, 0o755)?;
    }
    made(&place.data, 0o700)?;
    let file = place.data.join(".env");
    let failed = |e: io::Error| Fault::from(hub_release::Problem::io("make", &file, &e));
    let data = Beneath::open(&place.data).map_err(failed)?;
    data.make_folder("plugins", 0o700)
        .map_err(|e| Fault::from(hub_release::Problem::io("make", &place.data.join("plugins"), &e)))?;
    if data.list().map_err(failed)?.iter().any(|(name, _)| name == ".env") {
        say::done("kept", &format!("{}", file.display()));
        return Ok(());
    }
    let mut text =
        "# Environment of the service. Neither setup nor an upgrade changes what is here.\n".to_owned();
    let listen = listen.map(|listen| listen.to_string());
    for (name, value) in [
        (environment::HUB_CUSTOMER, &conf.name),
        (environment::HUB_CUSTOMER_NAME, &conf.display_name),
        (environment::LISTEN, &listen),
    ] {
        if let Some(value) = value {
            text.push_str(&env_line(name, value));
        }
    }
    data.write(".env", text.as_bytes(), 0o600).map_err(failed)?;
    say::done("made", &format!("{}", file.display()));
    Ok(())
}

/// Sees that a `.env` that was there already is for its owner alone, as a new one is: there are passwords in it. One that does not
/// belong to the folder's owner is left, with a warning: whoever reads it now may have no other right to.
fn close_variables(data: &Path) -> Result<(), Fault> {
    let file = data.join(".env");
    let failed = |e: io::Error| Fault::from(hub_release::Problem::io("close", &file, &e));
    let folder = Beneath::open(data).map_err(failed)?;
    // Of the file that is changed, not of one that has its name a moment later. What is a link is not changed.
    let opened = folder.file(".env").ok();
    let about = match &opened {
        Some(opened) => opened.metadata(),
        None => fs::metadata(&file),
    };
    let owner = folder.metadata().map_err(failed)?.uid();
    let me = rustix::process::geteuid();
    let (mode, shown) = match about {
        Ok(about) if about.mode() & 0o077 != 0 => (about.mode() & 0o7777, file.display()),
        // What cannot be looked at is told by whoever reads it.
        Ok(_) | Err(_) => return Ok(()),
    };
    let is_owners = |opened: &fs::File| opened.metadata().is_ok_and(|about| about.uid() == owner);
    match opened.filter(|opened| is_owners(opened) && (me.is_root() || me.as_raw() == owner)) {
        Some(opened) => {
            opened.set_permissions(fs::Permissions::from_mode(mode & 0o600)).map_err(failed)?;
            say::done("closed", &format!("{shown} had the mode {mode:04o}, and is its owner's alone now"));
        }
        None => say::warn(&format!(
            "others than its owner may read {shown}, or write to it (mode {mode:04o}): give it to the folder's owner and close \
             it, chown {owner} {quoted} && chmod 600 {quoted}",
            quoted = quoted(&file)
        )),
    }
    Ok(())
}

/// A line of `.env`, as systemd reads it.
fn env_line(name: &str, value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@,+[]".contains(&b);
    if value.bytes().all(plain) {
        return format!("{name}={value}\n");
    }
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}=\"{value}\"\n")
}

/// Sees that another data folder than that of before is meant, where that one has something of the customer's, and that neither lies
/// in the other.
fn see_left(place: &Place, agreed: bool) -> Result<(), Fault> {
    let Some(before) = place.settled.other_than(&place.data) else { return Ok(()) };
    let (old, new) = (before.display(), place.data.display());
    let is_begun = data_folder::is_begun(before);
    let (of_old, of_new) = (data_folder::whole(before), data_folder::whole(&place.data));
    if is_begun && (of_new.starts_with(&of_old) || of_old.starts_with(&of_new)) {
        let (inner, outer) = if of_new.starts_with(&of_old) { (&new, &old) } else { (&old, &new) };
        return Err(Fault::usage(
            format!(
                "{new} cannot be the data folder: {inner} lies in {outer}, and {old} is the data folder of before: one would \
                 hold the files of the other"
            ),
            "name a folder beside it: --data-dir DIR or DATA_DIR=DIR; nothing was changed",
        ));
    }
    if agreed || !is_begun {
        say::warn(&format!(
            "the service worked with the data folder {old} before, and works with {new} from now on; what is in {old} stays there"
        ));
        return Ok(());
    }
    Err(Fault::usage(
        format!(
            "this installation works with the data folder {old}, and {new} is another one: the database, the plugins and the \
             settings of {old} would be left behind"
        ),
        format!(
            "leave --data-dir and DATA_DIR out to go on with {old}; where {new} is meant, stop the service, copy what it needs, and \
             say --leave-data-dir; nothing was changed"
        ),
    ))
}

/// Sees that the unit can be written, before anything is changed.
fn see_unit(place: &Place, folder: &Path, user: &str, listen: Option<SocketAddr>) -> Result<(), Fault> {
    unit_text(place, user, listen)?;
    let cannot = |why: String| {
        Fault::machine(
            format!("the unit cannot be written to {}: {why}", folder.display()),
            "name a folder that is there and that you may write to: --unit-dir DIR; or leave starting to somebody else: \
             --no-service; nothing was changed",
        )
    };
    match fs::metadata(folder) {
        Ok(about) if !about.is_dir() => return Err(cannot("it is not a folder".to_owned())),
        Ok(_) => {}
        Err(e) => return Err(cannot(reason(&e))),
    }
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|e| cannot(reason(&e.into())))?;
    match folder.join(UNIT).symlink_metadata() {
        Ok(about) if about.is_dir() => Err(cannot(format!("{UNIT} in it is a folder"))),
        // What is there is replaced.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What the unit for these folders says.
fn unit_text(place: &Place, user: &str, listen: Option<SocketAddr>) -> Result<String, Fault> {
    // What is in `.env` already stays, and the unit has to fit it: a low port takes a capability.
    let listen = match listen {
        Some(listen) if !place.env.contains_key(environment::LISTEN) => listen,
        _ => place.address()?,
    };
    let unit = Unit {
        root: place.install.root().to_path_buf(),
        data: place.data.clone(),
        user: user.to_owned(),
        // Mostly of the same name; `nobody`, for one, is in `nogroup`.
        group: asked_id(user, "-gn")?.unwrap_or_else(|| user.to_owned()),
        // What `.env` says goes before this.
        listen,
        environment: Vec::new(),
    };
    unit.text().map_err(|e| Fault::usage(e.to_string(), "choose folders and a user with plain names"))
}

/// Writes the unit for these folders.
fn unit(place: &Place, folder: &Path, user: &str, listen: Option<SocketAddr>) -> Result<(), Fault> {
    let text = unit_text(place, user, listen)?;
    let file = folder.join(UNIT);
    write(&file, text.as_bytes(), 0o644)?;
    say::done("unit", &format!("{}", file.display()));
    Ok(())
}

/// Puts launcher and links in their places, and starts the service where there is one.
fn activate(place: &Place, lock: &Lock, version: &Version, system: bool, waits: Waits) -> Result<(), Fault> {
    let from = place.install.current();
    let by_hand = Service::ByHand;
    let first = Activation { place, lock, service: &by_hand, waits };
    first.launcher(version)?;
    for (name, target) in [("plugins", "current/plugins"), ("iaas", "current/iaas")] {
        place.install.link(name, target)?;
    }
    if !system {
        return first.switch(version, from.as_ref(), "left for");
    }
    for line in [&["systemctl", "daemon-reload"][..], &["systemctl", "enable", UNIT]] {
        service::run(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())?;
    }
    let command = Service::Command(place.settled.restart.clone());
    Activation { place, lock, service: &command, waits }.switch(version, from.as_ref(), "left for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_the_environment_is_read_back() {
        for value in ["plain", "Acme Health", "a\"b\\c", "it's 100% x=y # z", "[::1]:80"] {
            assert_eq!(crate::env_file::parse(env_line("NAME", value).as_bytes()).set["NAME"], value);
        }
    }
}
