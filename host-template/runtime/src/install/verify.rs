//! `verify`: whether a tarball, or the releases that are installed, are what their lists say.

use std::path::{Path, PathBuf};

use hub_release::difference::told;
use hub_release::{archive, folder};

use super::activate::signed;
use super::place::Place;
use super::{say, upgrade};
use crate::fault::Fault;

/// Runs `verify`.
pub(crate) fn verify(
    tarball: Option<&Path>,
    install_dir: Option<&Path>,
    keys: &[PathBuf],
    allow_downgrade: bool,
) -> Result<(), Fault> {
    let place = Place::find(install_dir, None)?;
    let Some(tarball) = tarball else { return installed(&place) };
    if keys.is_empty() {
        return upgrade::verified(&place, tarball, allow_downgrade).map(drop);
    }
    let mut trusted = place.install.trusted()?;
    for key in keys {
        trusted.add(key)?;
    }
    let checked = archive::check(tarball, &trusted, &mut |_| {})?;
    let (manifest, key) = (&checked.manifest, checked.signed_by.as_deref().unwrap_or_default());
    say::done(
        "verified",
        &format!("release {}, {} files, signed with {key}", manifest.version, manifest.files.len()),
    );
    match place.install.current() {
        Some(current) if manifest.version < current && !allow_downgrade => {
            Err(upgrade::older(&manifest.version, &current))
        }
        _ => Ok(()),
    }
}

/// Looks at every release of the install folder; the error names those that are not as they should be.
pub(super) fn installed(place: &Place) -> Result<(), Fault> {
    let (install, trusted) = (&place.install, place.install.trusted()?);
    let (marks, current) = (install.marks()?, install.current());
    let mut wrong = Vec::new();
    for found in install.releases()? {
        let version = &found.version;
        let state = if Some(version) == current.as_ref() { " (current)" } else { "" };
        let mark = marks.get(version).map(|mark| format!("; marked: {}", mark.why)).unwrap_or_default();
        match folder::check(&found.path, &trusted) {
            Ok(looked) if looked.differences.is_empty() => {
                let files = looked.manifest.files.len();
                say::done(
                    "whole",
                    &format!("release {version}{state}: {files} files, {}{mark}", signed(&looked)),
                );
            }
            Ok(looked) => {
                say::done(
                    "differs",
                    &format!("release {version}{state}: {}{mark}", told(&looked.differences)),
                );
                wrong.push(version.to_string());
            }
            Err(why) => {
                say::done("damaged", &format!("release {version}{state}: {why}{mark}"));
                wrong.push(version.to_string());
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Fault::refused(
        format!("not as their lists say: release {}", wrong.join(", ")),
        "unpack their tarballs again: hub-platform upgrade replaces a damaged release of the same version",
    ))
}
