//! `rollback`: the release before this one serves again, and this one is not started any more.

use std::path::Path;

use super::activate::{Activation, signed};
use super::place::Place;
use super::say;
use super::service::{Service, Waits};
use crate::fault::Fault;

/// Runs `rollback`.
pub(crate) fn rollback(
    install_dir: Option<&Path>,
    data_dir: Option<&Path>,
    graceful: bool,
    restart: Option<&str>,
    waits: Waits,
) -> Result<(), Fault> {
    let place = Place::to_change(install_dir, data_dir)?;
    let lock = place.install.lock()?;
    place.tell()?;
    lock.sweep()?;
    let Some(current) = place.install.current() else {
        return Err(Fault::refused(
            format!("{} has no current release to leave", place.install.root().display()),
            "run `hub-platform setup`",
        ));
    };
    let before = place.install.choose_below(Some(&current), &mut |skipped| {
        say::warn(&format!("release {} {}: {}", skipped.version, skipped.because.told(), skipped.why));
    })?;
    let Some((before, looked)) = before else {
        return Err(Fault::refused(
            format!("there is no whole release before {current} to go back to"),
            "install an older one: hub-platform upgrade --allow-downgrade hub-platform-v….tar.gz",
        ));
    };
    say::done("verified", &format!("release {}, {}", before.version, signed(&looked)));
    let service = Service::choose(&place, graceful, restart);
    let activation = Activation { place: &place, lock: &lock, service: &service, waits };
    activation.switch(&before.version, Some(&current), "rolled back to")
}
