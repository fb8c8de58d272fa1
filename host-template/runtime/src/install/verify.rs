//! `verify`: whether a tarball, or the releases that are installed, are what their lists say.

use std::path::{Path, PathBuf};

use hub_release::difference::{Difference, How, told};
use hub_release::folder::{self, Unusable};
use hub_release::guard::{self, Runs};
use hub_release::install::Led;
use hub_release::{Install, archive};

use super::activate::signed;
use super::place::releases;
use super::reach::Reader;
use super::{say, upgrade};
use crate::fault::Fault;
use crate::locate::Settled;

/// Runs `verify`.
pub(crate) fn verify(
    tarball: Option<&Path>,
    install_dir: Option<&Path>,
    keys: &[PathBuf],
    allow_downgrade: bool,
) -> Result<(), Fault> {
    let (_, install) = releases(install_dir)?;
    let Some(tarball) = tarball else { return installed(&install) };
    if keys.is_empty() {
        return upgrade::verified(&install, tarball, allow_downgrade).map(drop);
    }
    let mut trusted = install.trusted()?;
    for key in keys {
        trusted.add(key)?;
    }
    let checked = archive::check(tarball, &trusted, &mut |_| {})?;
    let (manifest, key) = (&checked.manifest, checked.signed_by.as_deref().unwrap_or_default());
    say::done(
        "verified",
        &format!("release {}, {} files, signed with {key}", manifest.version, manifest.files.len()),
    );
    match install.current() {
        Some(current) if manifest.version < current && !allow_downgrade => {
            Err(upgrade::older(&manifest.version, &current))
        }
        _ => Ok(()),
    }
}

/// Whoever runs the service's unit is root, who runs its launcher, also where somebody else asks.
fn who_runs(install: &Install) -> Runs {
    match Settled::read(install.root()) {
        Ok(settled) if settled.unit.is_none() => Runs::Owner,
        // Notes that cannot be read are told where they are needed.
        Ok(_) | Err(_) => Runs::Root,
    }
}

/// Looks at every release of the install folder, and judges as the launcher does: what it would not start is an error, with
/// what mends each kind; what differs without an effect is only told.
pub(super) fn installed(install: &Install) -> Result<(), Fault> {
    for Led { path, to, there } in install.led_out() {
        let (path, to) = (path.display(), to.display());
        match there {
            true => say::done("elsewhere", &format!("{path} → {to}")),
            false => {
                say::warn(&format!("{path} leads to {to}, and nothing is there: is a disk not mounted?"))
            }
        }
    }
    let trusted = install.trusted()?;
    let (marks, current) = (install.marks()?, install.current());
    let (mut damaged, mut more, mut foreign, mut misnamed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let releases = install.releases()?;
    if releases.is_empty() {
        return Err(Fault::refused(
            format!("{} holds no release", install.root().display()),
            "name the install folder: --install-dir /opt/honeyframe",
        ));
    }
    for found in releases {
        let version = &found.version;
        let state = if Some(version) == current.as_ref() { " (current)" } else { "" };
        let mark = marks.get(version).map(|mark| format!("; marked: {}", mark.why)).unwrap_or_default();
        let say =
            |step: &str, text: String| say::done(step, &format!("release {version}{state}: {text}{mark}"));
        match folder::check_installed(&found.path, &trusted) {
            Ok(looked) => {
                let (damage, harmless): (Vec<Difference>, Vec<Difference>) =
                    looked.differences.iter().cloned().partition(Difference::is_damage);
                let besides = match harmless.is_empty() {
                    true => String::new(),
                    false => format!("; without effect: {}", told(&harmless)),
                };
                if damage.is_empty() {
                    let files = looked.manifest.files.len();
                    say("whole", format!("{files} files, {}{besides}", signed(&looked)));
                    continue;
                }
                say("differs", told(&damage) + &besides);
                // Files too many stay where a tarball is unpacked over them.
                match damage.iter().all(|difference| difference.how == How::Extra) {
                    true => more.push(version.to_string()),
                    false => damaged.push(version.to_string()),
                }
            }
            Err(Unusable::Misnamed(why)) => {
                say("misnamed", why);
                misnamed.push(version.to_string());
            }
            Err(Unusable::Untrusted(why)) => {
                say("untrusted", why);
                foreign.push(version.to_string());
            }
            Err(Unusable::Damaged(why)) => {
                say("damaged", why);
                damaged.push(version.to_string());
            }
        }
    }
    let root = install.root().display();
    let (mut what, mut how) = (Vec::new(), Vec::new());
    // A release that others may change is whole only until they do.
    let runs = who_runs(install);
    if let Err(open) = guard::refused(install.root(), runs, &guard::loose(install.root(), runs)?) {
        what.push(open.what);
        how.push(open.help);
    }
    for folder in guard::above(install.root(), runs)? {
        say::warn(&format!("{folder}, and may put another install folder into the place of {root}"));
    }
    // Notes that cannot be read are told where they are needed.
    if let Ok(Settled { user: Some(user), data_dir, .. }) = Settled::read(install.root())
        && let Some((closed, help)) = Reader::of(&user)?.lacks(install, data_dir.as_deref())?
    {
        what.push(closed);
        how.push(help);
    }
    if let Some(astray) = install.astray() {
        what.push(astray);
        how.push(
            "see who did it; `hub-platform setup` of the release in use, or a restart of the service, points it there again"
                .to_owned(),
        );
    }
    if !damaged.is_empty() {
        what.push(format!("not as its list says: release {}", damaged.join(", ")));
        how.push(format!(
            "`hub-platform upgrade TARBALL` replaces a damaged release of the same version; by hand, unpack it again: rm -r \
             {folder}/VERSION && tar xzf hub-platform-vVERSION.tar.gz -C {root}",
            folder = guard::quoted(&install.releases_dir()),
            root = guard::quoted(install.root())
        ));
    }
    if !more.is_empty() {
        what.push(format!("has files that its list does not name: release {}", more.join(", ")));
        how.push("remove those files".to_owned());
    }
    if !misnamed.is_empty() {
        what.push(format!("lies under another version's name: {}", misnamed.join(", ")));
        how.push(format!(
            "give the folder in {root}/releases the name of the version in its list; where that one is there already, remove \
             the copy"
        ));
    }
    if !foreign.is_empty() {
        what.push(format!("signed by nobody who is trusted here: release {}", foreign.join(", ")));
        how.push(
            "`hub-platform setup --trust KEY.pub` trusts another key; ask whoever built it which one it is"
                .to_owned(),
        );
    }
    match what.is_empty() {
        true => Ok(()),
        false => Err(Fault::refused(what.join("\n       "), how.join("\n        "))),
    }
}
