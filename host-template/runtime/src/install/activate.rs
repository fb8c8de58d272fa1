//! A release becomes the one that serves, or the one before serves on: the last steps of an upgrade and of a rollback.

use std::fs;
use std::time::Duration;

use hub_release::folder::Looked;
use hub_release::install::{Lock, write};
use hub_release::manifest::LAUNCHER;
use semver::Version;

use super::health::{self, Waited};
use super::place::Place;
use super::say;
use super::service::Service;
use crate::fault::Fault;

/// How a release comes to serve.
pub(super) struct Activation<'a> {
    pub(super) place: &'a Place,
    pub(super) lock: &'a Lock,
    pub(super) service: &'a Service,
    /// How long the host may take until it answers.
    pub(super) limit: Duration,
}

impl Activation<'_> {
    /// Switches to a whole release and sees that it serves. Where it does not, the release of before serves again, and the
    /// other is left marked if it would be started otherwise. At every moment there is a release to start.
    pub(super) fn switch(&self, to: &Version, from: Option<&Version>, why: &str) -> Result<(), Fault> {
        let install = &self.place.install;
        self.prefer(to, &|_| format!("{why} release {to}"))?;
        self.follow(to, "switched")?;
        let before = self.running()?;
        let renewed = self.service.renew(self.place, self.limit);
        let fault = match renewed.and_then(|()| self.healthy(to, before.as_deref())) {
            Ok(true) => return Ok(()),
            // It is of the right release: there is nothing to go back from.
            Ok(false) => {
                return Err(Fault::refused(
                    format!(
                        "the host was not restarted: the one that ran before, release {to}, still answers"
                    ),
                    "restart the service yourself, and see that the command given as --restart does that",
                ));
            }
            Err(fault) => fault,
        };
        let why = fault.what().to_owned();
        // The one of before, if it can be started. A release that is the only one stays: it may serve the next time, and
        // without it there would be nothing to start.
        let back = match from {
            Some(from) if from != to && install.is_whole(from)? => from,
            _ => {
                return Err(Fault::refused(
                    format!("release {to} does not serve: {why}"),
                    format!(
                        "{}; it stays the one that is started, as there is no other to go back to",
                        see_log(&fault)
                    ),
                ));
            }
        };
        let left = |version: &Version| match version == to {
            true => why.clone(),
            false => format!("left for release {back}"),
        };
        self.prefer(back, &left)?;
        self.follow(back, "back")?;
        // Whatever came of asking for it: a service that failed may be on its way up again by itself.
        let asked = self.service.renew(self.place, self.limit);
        match self.healthy(back, None).map_err(|fault| asked.err().unwrap_or(fault)) {
            Ok(_) => Err(Fault::refused(
                format!("release {to} does not serve, and {back} serves again: {why}"),
                see_log(&fault),
            )),
            Err(second) => Err(Fault::machine(
                format!(
                    "release {to} does not serve ({why}), and release {back}, which is the current one again, does not \
                     either: {}",
                    second.what()
                ),
                format!("{}; `hub-platform doctor` looks at the rest", see_log(&fault)),
            )),
        }
    }

    /// Makes a release the one that the launcher starts, and says which others it does not start any more.
    fn prefer(&self, version: &Version, why: &dyn Fn(&Version) -> String) -> Result<(), Fault> {
        for marked in self.lock.prefer(version, &crate::now(), why)? {
            say::done("marked", &format!("release {marked} is not started any more: {}", why(&marked)));
        }
        Ok(())
    }

    fn follow(&self, version: &Version, step: &str) -> Result<(), Fault> {
        let install = &self.place.install;
        install.switch(version)?;
        say::done(step, &format!("{} → releases/{version}", install.root().join("current").display()));
        Ok(())
    }

    /// Which run of the host answers before anything is restarted.
    fn running(&self) -> Result<Option<String>, Fault> {
        if *self.service == Service::ByHand {
            return Ok(None);
        }
        Ok(runtime()?.block_on(health::run(self.place.address()?)))
    }

    /// Waits until this release serves, by another run of the host than the one of before. False where that one still
    /// answers.
    fn healthy(&self, version: &Version, before: Option<&str>) -> Result<bool, Fault> {
        if *self.service == Service::ByHand {
            return Ok(true);
        }
        let address = self.place.address()?;
        let waited = runtime()?.block_on(health::wait(address, version, before, self.limit));
        let time = match waited.map_err(|why| Fault::refused(why, ""))? {
            Waited::Serves(time) => time,
            Waited::Unchanged => return Ok(false),
        };
        say::done(
            "healthy",
            &format!("release {version} answers at http://{address} after {}", say::seconds(time)),
        );
        Ok(true)
    }

    /// Gives the install folder the launcher of a release, where it has another. Only done once that release has served.
    pub(super) fn launcher(&self, of: &Version) -> Result<(), Fault> {
        let from = self.place.install.release(of).join(LAUNCHER);
        let to = self.place.install.launcher();
        let Ok(new) = fs::read(&from) else { return Ok(()) };
        if fs::read(&to).is_ok_and(|old| old == new) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|e| hub_release::Problem::io("make", folder, &e))?;
        }
        write(&to, &new, 0o755)?;
        say::done("launcher", &format!("{} is that of release {of}", to.display()));
        Ok(())
    }
}

/// What to do about a release that does not serve. A command that could not be run has a cure of its own.
fn see_log(fault: &Fault) -> String {
    match fault.how() {
        "" => "see the service's log for the reason (journalctl -u hub-platform)".to_owned(),
        how => how.to_owned(),
    }
}

/// The threads that ask the host.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Fault::machine(format!("cannot ask the host how it is: {e}"), "run the command again"))
}

/// Who signed a release, as it is told.
pub(super) fn signed(looked: &Looked) -> String {
    match &looked.signed_by {
        Some(key) => format!("signed with {key}"),
        None => "no signature required".to_owned(),
    }
}
