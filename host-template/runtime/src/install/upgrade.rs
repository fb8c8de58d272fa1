//! `upgrade`: verify, unpack beside, ask the new host what would happen, switch, see that it serves, else go back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hub_release::archive::{self, Checked};
use hub_release::changes;
use hub_release::folder;
use hub_release::install::{Lock, Mark};
use hub_release::manifest::HOST;
use semver::Version;
use serde::Deserialize;

use super::activate::Activation;
use super::place::Place;
use super::say;
use super::service::Service;
use crate::fault::Fault;
use crate::settings::reason;

/// What is to be upgraded to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Upgrade {
    /// The release; without one, the highest that is unpacked already.
    pub(crate) tarball: Option<PathBuf>,
    pub(crate) install_dir: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    /// Only tell what would happen.
    pub(crate) dry_run: bool,
    /// How many releases stay on disk.
    pub(crate) keep: usize,
    /// Let the running host hand its socket over.
    pub(crate) graceful: bool,
    /// A command that restarts the service, instead of the one that `setup` settled.
    pub(crate) restart: Option<String>,
    pub(crate) allow_downgrade: bool,
    /// Data that a migration may remove.
    pub(crate) accept_loss: Vec<String>,
    /// How long the new host may take until it answers.
    pub(crate) limit: Duration,
}

/// Runs `upgrade`.
pub(crate) fn upgrade(options: &Upgrade) -> Result<(), Fault> {
    let place = Place::find(options.install_dir.as_deref(), options.data_dir.as_deref())?;
    let lock = place.install.lock()?;
    lock.sweep()?;
    let current = place.install.current();
    let service = Service::choose(&place, options.graceful, options.restart.as_deref());
    let activation = Activation { place: &place, lock: &lock, service: &service, limit: options.limit };
    let new = match &options.tarball {
        Some(tarball) => New::of_tarball(&place, &lock, tarball, options)?,
        None => New::unpacked(&place)?,
    };
    let ready = prepare(&place, &new, current.as_ref(), &options.accept_loss);
    if options.dry_run || ready.is_err() {
        new.discard();
        ready?;
        say::done("dry run", "nothing was changed");
        return Ok(());
    }
    let version = new.put(&lock)?;
    leave_higher(&place, &lock, &version, "left for")?;
    lock.unmark(&version)?;
    activation.switch(&version, current.as_ref())?;
    activation.launcher(&version)?;
    let gone = lock.prune(options.keep)?;
    if !gone.is_empty() {
        let names: Vec<String> = gone.iter().map(ToString::to_string).collect();
        say::done("removed", &format!("releases {}", names.join(", ")));
    }
    match current.filter(|current| *current != version) {
        Some(before) => {
            say::done("done", &format!("release {version}; `hub-platform rollback` goes back to {before}"))
        }
        None => say::done("done", &format!("release {version}")),
    }
    Ok(())
}

/// A release that is to become the current one.
struct New {
    version: Version,
    list: Vec<u8>,
    /// Where it lies now.
    folder: PathBuf,
    /// Whether it lies there under a hidden name, for as long as nobody has decided for it.
    hidden: bool,
}

impl New {
    /// The highest release that is unpacked, whole and not marked.
    fn unpacked(place: &Place) -> Result<New, Fault> {
        let chosen = place.install.choose(&mut |skipped| {
            say::warn(&format!("release {} is passed over: {}", skipped.version, skipped.why));
        })?;
        let Some((found, looked)) = chosen else {
            return Err(Fault::refused(
                format!("{} holds no release that can be started", place.install.root().display()),
                "name a tarball: hub-platform upgrade hub-platform-v….tar.gz",
            ));
        };
        say::done("found", &format!("release {}, unpacked already", found.version));
        Ok(New { version: found.version, list: looked.manifest.text, folder: found.path, hidden: false })
    }

    fn of_tarball(place: &Place, lock: &Lock, tarball: &Path, options: &Upgrade) -> Result<New, Fault> {
        let checked = verified(place, tarball, options.allow_downgrade)?;
        let manifest = &checked.manifest;
        let at_home = place.install.release(&manifest.version);
        let (version, list) = (manifest.version.clone(), manifest.text.clone());
        match known(&at_home, &checked, place)? {
            Known::Same => {
                say::done("found", &format!("release {version}, unpacked already"));
                return Ok(New { version, list, folder: at_home, hidden: false });
            }
            Known::Damaged(why) => {
                say::warn(&format!("release {version} is unpacked already, but damaged: {why}"))
            }
            Known::No => {}
        }
        room(place, manifest.size())?;
        let bar = say::bar("unpacking", manifest.size());
        let folder = lock.unpack(&checked, &mut |bytes| bar.set_position(bytes))?;
        bar.finish_and_clear();
        say::done("unpacked", &format!("{} files, {}", manifest.files.len(), say::mib(manifest.size())));
        Ok(New { version, list, folder, hidden: true })
    }

    /// Gives it the name under which it is started.
    fn put(self, lock: &Lock) -> Result<Version, Fault> {
        if self.hidden {
            lock.place(&self.folder, &self.version)?;
        }
        Ok(self.version)
    }

    /// Takes it away again, unless somebody else put it there.
    fn discard(&self) {
        if self.hidden {
            // What is left of it is swept by the next command.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Checks a tarball against everything that can be known before it is unpacked.
pub(super) fn verified(place: &Place, tarball: &Path, allow_downgrade: bool) -> Result<Checked, Fault> {
    let trusted = place.install.trusted()?;
    let bar = say::bar("verifying", fs::metadata(tarball).map_or(0, |meta| meta.len()));
    let checked = archive::check(tarball, &trusted, &mut |bytes| bar.set_position(bytes))?;
    bar.finish_and_clear();
    let manifest = &checked.manifest;
    let signed = match (&checked.signed_by, &checked.signature) {
        (Some(key), _) => format!("signed with {key}"),
        (None, Some(_)) => "signed, but no key is trusted here to check that".to_owned(),
        (None, None) => "not signed, and no key is trusted here".to_owned(),
    };
    say::done("verified", &format!("release {}, {} files, {signed}", manifest.version, manifest.files.len()));
    match place.install.current() {
        Some(current) if manifest.version < current && !allow_downgrade => {
            Err(older(&manifest.version, &current))
        }
        _ => Ok(checked),
    }
}

/// The refusal of a release that is older than the current one.
pub(super) fn older(version: &Version, current: &Version) -> Fault {
    Fault::refused(
        format!("release {version} is older than {current}, which is installed"),
        "to go back one release use `hub-platform rollback`; to install an older one anyway, say --allow-downgrade",
    )
}

/// Whether a release of that version lies there already.
enum Known {
    No,
    Same,
    Damaged(String),
}

fn known(at: &Path, checked: &Checked, place: &Place) -> Result<Known, Fault> {
    if !at.exists() {
        return Ok(Known::No);
    }
    match folder::check(at, &place.install.trusted()?) {
        Ok(looked) if looked.manifest.text == checked.manifest.text => {
            Ok(looked.damage().map_or(Known::Same, Known::Damaged))
        }
        Ok(looked) if looked.damage().is_none() => Err(Fault::refused(
            format!(
                "release {} is installed already, and the tarball's is another one",
                looked.manifest.version
            ),
            "build the new one with a version of its own (build-platform --version)",
        )),
        Ok(looked) => Ok(Known::Damaged(looked.damage().unwrap_or_default())),
        Err(why) => Ok(Known::Damaged(why)),
    }
}

/// Sees that the disk has room for what is unpacked.
fn room(place: &Place, bytes: u64) -> Result<(), Fault> {
    let root = place.install.root();
    let Ok(stat) = rustix::fs::statvfs(root) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free > bytes {
        return Ok(());
    }
    Err(Fault::machine(
        format!("{} has {} free, and the release takes {}", root.display(), say::mib(free), say::mib(bytes)),
        "free some space: `hub-platform upgrade --keep 1` leaves one older release at most",
    ))
}

/// Asks the new host what would happen, and tells what changes. An error means that the old one serves on.
fn prepare(place: &Place, new: &New, current: Option<&Version>, accept_loss: &[String]) -> Result<(), Fault> {
    let found = preflight(place, &new.folder, accept_loss)?;
    for warning in &found.warnings {
        say::warn(&format!("{}; {}", warning.what, warning.help));
    }
    if !found.errors.is_empty() {
        let told: Vec<String> = found
            .errors
            .iter()
            .map(|error| format!("{}\n         help: {}", error.what, error.help))
            .collect();
        return Err(Fault::refused(
            format!("release {} would not serve here:\n       {}", new.version, told.join("\n       ")),
            "mend these and run the command again; nothing was changed",
        ));
    }
    let names: Vec<String> = found.changes.migrations.iter().map(Migration::shown).collect();
    let text = match names.as_slice() {
        [] => "the database needs no change".to_owned(),
        names => format!("the database will be changed by {}", names.join(", ")),
    };
    say::done("preflight", &text);
    let before = current.and_then(|version| folder::manifest(&place.install.release(version)).ok());
    if let Some(before) = before {
        for line in changes::between(&before.text, &new.list) {
            say::done("change", &line);
        }
    }
    Ok(())
}

/// What the new host found.
#[derive(Deserialize)]
struct Preflight {
    errors: Vec<Told>,
    #[serde(default)]
    warnings: Vec<Told>,
    #[serde(default)]
    changes: Changes,
}

#[derive(Deserialize)]
struct Told {
    what: String,
    help: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changes {
    migrations: Vec<Migration>,
}

#[derive(Deserialize)]
struct Migration {
    plugin: Option<String>,
    name: String,
}

impl Migration {
    fn shown(&self) -> String {
        match &self.plugin {
            Some(plugin) => format!("{} of {plugin}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Runs the new host's own look at this installation, with the service's environment and as the user that owns the data: a
/// file that root makes in the data folder would be in the service's way.
fn preflight(place: &Place, release: &Path, accept_loss: &[String]) -> Result<Preflight, Fault> {
    let program = release.join(HOST);
    let mut command = Command::new(&program);
    command
        .args(["preflight", "--json"])
        .args(accept_loss.iter().flat_map(|name| ["--accept-loss", name]))
        .envs(&place.env)
        .env("DATA_DIR", &place.data)
        .env_remove("INSTALL_DIR");
    if rustix::process::geteuid().is_root()
        && let Ok(owner) = fs::metadata(&place.data)
    {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let failed = |why: String| {
        Fault::refused(
            format!("the new release's host cannot be run here: {why}"),
            "see that the release is for this kind of machine (x86-64 Linux), and that its folder allows programs to run",
        )
    };
    let output = command.output().map_err(|e| failed(reason(&e)))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        failed(format!("{}: {}", output.status, said.trim()))
    })
}

/// A release below others is chosen by the launcher only when those are marked.
pub(super) fn leave_higher(place: &Place, lock: &Lock, version: &Version, why: &str) -> Result<(), Fault> {
    let marks = place.install.marks()?;
    for found in place.install.releases()? {
        if found.version > *version && !marks.contains_key(&found.version) {
            let why = format!("{why} release {version}");
            lock.mark(&Mark { version: found.version.clone(), at: crate::now(), why })?;
            say::done("marked", &format!("release {} is not started any more", found.version));
        }
    }
    Ok(())
}
