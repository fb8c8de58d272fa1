//! `setup`: makes an unpacked release the current one of its install folder, with data folder, launcher, drivers and
//! service. Safe to run again: nothing of a customer's is changed.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hub_release::install::{Lock, write};
use hub_release::unit::Unit;
use hub_release::{Trusted, folder};
use semver::Version;

use super::activate::{Activation, signed};
use super::conf::Conf;
use super::place::{Place, absolute};
use super::service::{self, Service, UNIT};
use super::{say, upgrade};
use crate::cli::drivers as wanted;
use crate::fault::Fault;

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
    /// The user that the service runs as.
    pub(crate) user: String,
    /// Where the unit goes; systemd's folder where systemd runs.
    pub(crate) unit_dir: Option<PathBuf>,
    /// Write no unit and start nothing.
    pub(crate) no_service: bool,
    /// The command that restarts the service, where that is not systemd's.
    pub(crate) restart: Option<String>,
    pub(crate) allow_downgrade: bool,
    /// How long the host may take until it answers.
    pub(crate) limit: Duration,
}

/// Runs `setup`.
pub(crate) fn setup(options: &Setup) -> Result<(), Fault> {
    let mut place = Place::find(options.install_dir.as_deref(), options.data_dir.as_deref())?;
    let conf = options.install_conf.as_deref().map(Conf::read).transpose()?.unwrap_or_default();
    conf.warnings.iter().for_each(|warning| say::warn(warning));
    let mut names = conf.plugins.clone();
    names.extend(options.plugins.iter().cloned());
    // Everything that can be wrong in what was asked for is found out before anything is changed.
    let drivers = wanted::of_names(&place.release, &names)?;

    let lock = place.install.lock()?;
    lock.sweep()?;
    trust(&place, &options.trust)?;
    let version = own_release(&place, options.allow_downgrade)?;
    data_folder(&place, &conf, options.listen)?;
    place.settled.data_dir = Some(absolute(&place.data)?);
    let system = !options.no_service && (options.unit_dir.is_some() || service::has_systemd());
    if system && service::has_systemd() {
        own_user(&options.user, &place.data)?;
    }
    if !drivers.is_empty() {
        for (name, version) in drivers.install(&place.data)? {
            say::done("driver", &format!("{name} {version}"));
        }
        same_owner(&place.data)?;
    }
    if system {
        let folder = options.unit_dir.clone().unwrap_or_else(|| PathBuf::from(UNITS));
        // What is in `.env` already stays, and the unit has to fit it: a low port takes a capability.
        let listen = match options.listen {
            Some(listen) if !place.env.contains_key("LISTEN") => listen,
            _ => place.address()?,
        };
        unit(&place, &folder, &options.user, listen)?;
    }
    let runs = system && service::has_systemd();
    place.settled.restart = match &options.restart {
        Some(line) => ["sh", "-c", line].map(str::to_owned).into(),
        None if runs => ["systemctl", "restart", UNIT].map(str::to_owned).into(),
        None => place.settled.restart.clone(),
    };
    place.settle()?;
    activate(&place, &lock, &version, runs, options.limit)
}

/// Copies public keys into the install folder.
fn trust(place: &Place, keys: &[PathBuf]) -> Result<(), Fault> {
    for key in keys {
        // Read first: a file that is no key would keep every release from being started.
        Trusted::none().add(key)?;
        let folder = place.install.keys_dir();
        fs::create_dir_all(&folder).map_err(|e| hub_release::Problem::io("make", &folder, &e))?;
        let name = key.file_name().map(Path::new).unwrap_or(Path::new("release.pub")).with_extension("pub");
        let text = fs::read(key).map_err(|e| hub_release::Problem::io("read", key, &e))?;
        write(&folder.join(name), &text, 0o644)?;
        say::done("trusted", &format!("{} may sign releases", key.display()));
    }
    Ok(())
}

/// Sees that this program's own release is whole, signed where it has to be, and not older than the current one.
fn own_release(place: &Place, allow_downgrade: bool) -> Result<Version, Fault> {
    let refused = |why: String| {
        Fault::refused(
            format!("{}: {why}", place.release.display()),
            "unpack the release's tarball again, from where it was built",
        )
    };
    let looked = folder::check(&place.release, &place.install.trusted()?).map_err(refused)?;
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

/// Makes what is missing of the data folder.
fn data_folder(place: &Place, conf: &Conf, listen: Option<SocketAddr>) -> Result<(), Fault> {
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
    made(&place.data, 0o750)?;
    made(&place.data.join("plugins"), 0o750)?;
    let file = place.data.join(".env");
    if file.exists() {
        say::done("kept", &format!("{}", file.display()));
        return Ok(());
    }
    let mut text =
        "# Environment of the service. Neither setup nor an upgrade changes what is here.\n".to_owned();
    let listen = listen.map(|listen| listen.to_string());
    for (name, value) in
        [("HUB_CUSTOMER", &conf.name), ("HUB_CUSTOMER_NAME", &conf.display_name), ("LISTEN", &listen)]
    {
        if let Some(value) = value {
            text.push_str(&env_line(name, value));
        }
    }
    write(&file, text.as_bytes(), 0o600)?;
    say::done("made", &format!("{}", file.display()));
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

/// Makes the service's user where there is none, and gives it the data folder where that is new.
fn own_user(user: &str, data: &Path) -> Result<(), Fault> {
    if id(user, "-u").is_none() {
        let home = data.display().to_string();
        let line = [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            &home,
            "--shell",
            "/usr/sbin/nologin",
            user,
        ];
        service::run(&line.map(str::to_owned))?;
        say::done("made", &format!("the system user {user}"));
    }
    let (Some(uid), Some(gid)) = (id(user, "-u"), id(user, "-g")) else {
        return Err(Fault::machine(
            format!("there is no user {user}"),
            "make it, or name another: --user NAME",
        ));
    };
    let root = fs::metadata(data).is_ok_and(|meta| meta.uid() == 0);
    if root { give(data, uid, gid) } else { Ok(()) }
}

/// The number of a user or its group, as the system's own tool knows it: accounts may come from a directory service.
fn id(user: &str, flag: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, user]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// What was installed into the data folder belongs to whoever the folder belongs to.
fn same_owner(data: &Path) -> Result<(), Fault> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let meta = fs::metadata(data).map_err(|e| hub_release::Problem::io("read", data, &e))?;
    ["drivers", "drivers.lock", "dbt"]
        .iter()
        .try_for_each(|name| give(&data.join(name), meta.uid(), meta.gid()))
}

/// Gives a folder and all in it to a user. Links are not followed.
fn give(path: &Path, uid: u32, gid: u32) -> Result<(), Fault> {
    let failed = |e: io::Error| Fault::from(hub_release::Problem::io("change the owner of", path, &e));
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    lchown(path, Some(uid), Some(gid)).map_err(failed)?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            give(&entry.map_err(failed)?.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Writes the unit for these folders.
fn unit(place: &Place, folder: &Path, user: &str, listen: SocketAddr) -> Result<(), Fault> {
    let unit = Unit {
        root: place.install.root().to_path_buf(),
        data: place.data.clone(),
        user: user.to_owned(),
        group: user.to_owned(),
        // What `.env` says goes before this.
        listen,
        environment: Vec::new(),
    };
    let text =
        unit.text().map_err(|e| Fault::usage(e.to_string(), "choose folders and a user with plain names"))?;
    let file = folder.join(UNIT);
    write(&file, text.as_bytes(), 0o644)?;
    say::done("unit", &format!("{}", file.display()));
    Ok(())
}

/// Puts launcher and links in their places, and starts the service where there is one.
fn activate(
    place: &Place,
    lock: &Lock,
    version: &Version,
    system: bool,
    limit: Duration,
) -> Result<(), Fault> {
    let from = place.install.current();
    let by_hand = Service::ByHand;
    let first = Activation { place, lock, service: &by_hand, limit };
    first.launcher(version)?;
    upgrade::leave_higher(place, lock, version, "left for")?;
    lock.unmark(version)?;
    for (name, target) in [("plugins", "current/plugins"), ("iaas", "current/iaas")] {
        place.install.link(name, target)?;
    }
    if !system {
        return first.switch(version, from.as_ref());
    }
    for line in [&["systemctl", "daemon-reload"][..], &["systemctl", "enable", UNIT]] {
        service::run(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())?;
    }
    let command = Service::Command(place.settled.restart.clone());
    Activation { place, lock, service: &command, limit }.switch(version, from.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_the_environment_is_read_back() {
        let file = std::env::temp_dir().join(format!("hub-setup-env-{}", std::process::id()));
        for value in ["plain", "Acme Health", "a\"b\\c", "it's 100% x=y # z", "[::1]:80"] {
            fs::write(&file, env_line("NAME", value)).unwrap();
            assert_eq!(crate::env_file::read(&file).unwrap()["NAME"], value);
        }
        fs::remove_file(&file).unwrap();
    }
}
