//! `upgrade`: verify, unpack beside, ask the new host what would happen, switch, see that it serves, else go back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub_manifest::environment;
use hub_release::Install;
use hub_release::archive::{self, Checked};
use hub_release::changes;
use hub_release::folder;
use hub_release::install::Lock;
use hub_release::manifest::HOST;
use semver::Version;
use serde::Deserialize;

use super::activate::Activation;
use super::place::Place;
use super::say;
use super::service::{Service, Waits};
use crate::fault::Fault;
use crate::preflight;
use crate::privilege;
use crate::process;
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
    /// Vertical plugins that may take the place of the customer's of the same name.
    pub(crate) take_over: Vec<String>,
    pub(crate) waits: Waits,
}

/// Runs `upgrade`.
pub(crate) fn upgrade(options: &Upgrade) -> Result<(), Fault> {
    let place = Place::to_change(options.install_dir.as_deref(), options.data_dir.as_deref())?;
    let lock = place.install.lock()?;
    place.tell()?;
    lock.sweep()?;
    let current = place.install.current();
    let service = Service::choose(&place, options.graceful, options.restart.as_deref());
    let activation = Activation { place: &place, lock: &lock, service: &service, waits: options.waits };
    let new = match &options.tarball {
        Some(tarball) => New::of_tarball(&place, &lock, tarball, options)?,
        None => New::unpacked(&place)?,
    };
    let ready = prepare(&place, &new, current.as_ref(), options);
    if options.dry_run || ready.is_err() {
        new.discard();
        ready?;
        say::done("dry run", "nothing was changed");
        return Ok(());
    }
    let version = new.put(&lock)?;
    activation.switch(&version, current.as_ref(), "left for")?;
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
            say::warn(&format!("release {} {}: {}", skipped.version, skipped.because.told(), skipped.why));
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
        let checked = verified(&place.install, tarball, options.allow_downgrade)?;
        let manifest = &checked.manifest;
        let at_home = place.install.release(&manifest.version);
        let (version, list) = (manifest.version.clone(), manifest.text.clone());
        match known(&at_home, &checked, place)? {
            Known::Same => {
                say::done("found", &format!("release {version}, unpacked already"));
                return Ok(New { version, list, folder: at_home, hidden: false });
            }
            Known::Damaged(why) => {
                say::warn(&format!("release {version} is unpacked already, and is replaced: {why}"))
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
pub(super) fn verified(install: &Install, tarball: &Path, allow_downgrade: bool) -> Result<Checked, Fault> {
    let trusted = install.trusted()?;
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
    match install.current() {
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
    match folder::check_installed(at, &place.install.trusted()?) {
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
        Err(why) => Ok(Known::Damaged(why.to_string())),
    }
}

/// Sees that the disk has room for what is unpacked.
fn room(place: &Place, bytes: u64) -> Result<(), Fault> {
    // They may lie on a disk of their own, and may not be there yet.
    let releases = place.install.releases_dir();
    let root = if releases.is_dir() { &releases } else { place.install.root() };
    let Ok(stat) = rustix::fs::statvfs(root) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free > bytes {
        return Ok(());
    }
    Err(Fault::machine(
        format!("{} has {} free, and the release takes {}", root.display(), say::mib(free), say::mib(bytes)),
        "free some space there: `hub-platform verify` lists the releases that are installed",
    ))
}

/// Asks the new host what would happen, and tells what changes. An error means that the old one serves on.
fn prepare(place: &Place, new: &New, current: Option<&Version>, options: &Upgrade) -> Result<(), Fault> {
    let found = ask(place, &new.folder, options)?;
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

/// How long the new host may look: it copies the database, and tries all migrations on the copy.
/// Longer than HUB_PREFLIGHT_SECONDS can be, so that it says itself what took so long.
const LOOKING: Duration = Duration::from_secs(3600);

/// Runs the new host's own look at this installation, with the service's environment and as the user that owns the data: a
/// file that root makes in the data folder would be in the service's way, and what lies there is not root's to run.
fn ask(place: &Place, release: &Path, options: &Upgrade) -> Result<Preflight, Fault> {
    let program = release.join(HOST);
    let mut command = privilege::command(&program, place.owner, &place.data);
    if place.settled.unit.is_some() {
        // The service has none of them from whoever upgrades it: they would judge another server, or refuse what it never sees.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command
        .args(["preflight", "--json"])
        .args(options.accept_loss.iter().flat_map(|name| ["--accept-loss", name]))
        .envs(&place.env)
        .env(environment::DATA_DIR, &place.data)
        // A variable, as an older release knows no such option.
        .env(preflight::TAKE_OVER, options.take_over.join(","))
        .env_remove(environment::INSTALL_DIR);
    let heard = process::hear(command, LOOKING).map_err(|e| {
        Fault::refused(
            format!("the new release's host cannot be run here: {}", reason(&e)),
            "see that the release is for this kind of machine (x86-64 Linux), and that its folder allows programs to run",
        )
    })?;
    let mut found: Preflight = serde_json::from_slice(&heard.out).map_err(|_| {
        let said = privilege::shown(String::from_utf8_lossy(&heard.err).trim());
        Fault::refused(
            format!(
                "the new release's host did not come to the end of its look at this machine: {}: {said}",
                heard.status
            ),
            "see what it says above; nothing was changed",
        )
    })?;
    for told in found.errors.iter_mut().chain(&mut found.warnings) {
        told.what = privilege::shown(&told.what);
        told.help = privilege::shown(&told.help);
    }
    Ok(found)
}
