//! A release becomes the one that serves, or the one before serves on: the last steps of an upgrade and of a rollback.

use std::fs;
use std::net::SocketAddr;

use hub_release::beneath;
use hub_release::bounds::MAX_RELEASE;
use hub_release::folder::Looked;
use hub_release::install::{Lock, write};
use hub_release::manifest::LAUNCHER;
use semver::Version;

use super::health::{self, Answering, Waited};
use super::place::Place;
use super::say;
use super::service::{Service, Waits};
use crate::fault::Fault;
use crate::serve;

/// How a release comes to serve.
pub(super) struct Activation<'a> {
    pub(super) place: &'a Place,
    pub(super) lock: &'a Lock,
    pub(super) service: &'a Service,
    pub(super) waits: Waits,
}

impl Activation<'_> {
    /// Switches to a whole release and sees that it serves. Where it does not, the release of before serves again, and the
    /// other is left marked if it would be started otherwise. At every moment there is a release to start.
    pub(super) fn switch(&self, to: &Version, from: Option<&Version>, why: &str) -> Result<(), Fault> {
        let install = &self.place.install;
        self.prefer(to, &|_| format!("{why} release {to}"))?;
        self.follow(to, "switched")?;
        let before = self.now()?;
        let run = before.as_ref().and_then(|host| host.run.as_deref());
        let renewed = self.service.renew(self.place, self.waits);
        let asked = renewed.is_ok();
        let fault = match renewed.and_then(|()| self.healthy(to, run)) {
            Ok(true) => return Ok(()),
            // It is of the right release: there is nothing to go back from.
            Ok(false) => return Err(self.found()?.not_restarted(to)),
            Err(fault) => fault,
        };
        let failed = Failed { to, fault: &fault, asked, before: before.as_ref() };
        // The one of before, if it can be started. A release that is the only one stays: it may serve the next time, and
        // without it there would be nothing to start.
        let back = match from {
            Some(from) if from != to && install.is_whole(from)? => from,
            _ => return Err(failed.and_stays(&self.found()?)),
        };
        let left = |version: &Version| match version == to {
            true => fault.what().to_owned(),
            false => format!("left for release {back}"),
        };
        self.prefer(back, &left)?;
        self.follow(back, "back")?;
        // Whatever came of asking for it: a service that failed may be on its way up again by itself.
        let asked = self.service.renew(self.place, self.waits);
        match self.healthy(back, None).map_err(|fault| asked.err().unwrap_or(fault)) {
            Ok(_) => Err(failed.and_back(back, &self.found()?)),
            Err(second) => Err(failed.and_neither(back, &second, &self.found()?)),
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

    /// The host that answers now, where somebody is to see to one.
    fn now(&self) -> Result<Option<Answering>, Fault> {
        if *self.service == Service::ByHand {
            return Ok(None);
        }
        Ok(runtime()?.block_on(health::now(self.place.address()?)))
    }

    /// What there is to say of the host, now that it is not the one that was wanted.
    fn found(&self) -> Result<Found, Fault> {
        let address = self.place.address()?;
        let host = self.now()?;
        let process = serve::who(&self.place.data).map(|host| host.pid);
        Ok(Found { address, process: process.filter(|_| host.is_some()), host })
    }

    /// Waits until this release serves, by another run of the host than the one of before. False where that one still
    /// answers.
    fn healthy(&self, version: &Version, before: Option<&str>) -> Result<bool, Fault> {
        if *self.service == Service::ByHand {
            return Ok(true);
        }
        let address = self.place.address()?;
        let waited = runtime()?.block_on(health::wait(address, version, before, self.waits.health));
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
        let Ok(new) = beneath::read(&from, MAX_RELEASE) else { return Ok(()) };
        if beneath::read(&to, MAX_RELEASE).is_ok_and(|old| old == new) {
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

/// The host that was found in the end.
struct Found {
    address: SocketAddr,
    /// The one that answers there.
    host: Option<Answering>,
    /// Its process, where the data folder tells.
    process: Option<u32>,
}

impl Found {
    /// The host's process, as it is told behind the rest of a sentence; nothing where it is not known.
    fn process(&self) -> String {
        self.process.map(|pid| format!(", process {pid}")).unwrap_or_default()
    }

    /// That the command which restarts the service has restarted nothing.
    fn not_restarted(&self, release: &Version) -> Fault {
        let (address, process) = (self.address, self.process());
        let which = self.process.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        Fault::refused(
            format!(
                "the host was not restarted: the one that ran before, release {release}, still answers at \
                 http://{address}{process}"
            ),
            format!(
                "restart the host that runs now{which} yourself, and see that the command given as --restart does that"
            ),
        )
    }
}

/// A release that was to serve, and why it does not.
struct Failed<'a> {
    to: &'a Version,
    fault: &'a Fault,
    /// Whether the service was restarted, for all that its command says.
    asked: bool,
    /// The host that answered before.
    before: Option<&'a Answering>,
}

impl Failed<'_> {
    /// Whether the host of before answers still: then nothing was restarted, whatever the command says.
    fn ran_on(&self, found: &Found) -> bool {
        matches!((self.before, &found.host), (Some(before), Some(now)) if before.run.is_some() && before == now)
    }

    /// What serves, in one clause.
    fn state(&self, found: &Found) -> String {
        let (Found { address, host, .. }, process) = (found, found.process());
        match host {
            None => format!("nothing answers at http://{address}"),
            Some(host) if self.ran_on(found) => {
                format!(
                    "the host that ran before still serves at http://{address}: release {}{process}",
                    host.version
                )
            }
            Some(host) => format!("release {} answers at http://{address}{process}", host.version),
        }
    }

    /// What to do about it. A command that could not be run has a cure of its own; one that ran and restarted nothing too.
    fn cure(&self, found: &Found) -> String {
        match self.fault.how() {
            "" if self.asked && self.ran_on(found) => {
                "see that the command given as --restart restarts the service: it ended well, and the host of before runs \
                 on"
                .to_owned()
            }
            "" => "see the service's log for the reason (journalctl -u hub-platform)".to_owned(),
            how => how.to_owned(),
        }
    }

    /// How far the release came.
    fn outcome(&self, found: &Found) -> String {
        let (to, why) = (self.to, self.fault.what());
        match self.ran_on(found) || !self.asked {
            true => format!("release {to} was not started: {why}"),
            false => format!("release {to} does not serve: {why}"),
        }
    }

    /// There is no other release: this one stays the one that is started.
    fn and_stays(&self, found: &Found) -> Fault {
        let restart = match found.process {
            Some(pid) => format!("restart the host that runs now (process {pid})"),
            None => "start the host".to_owned(),
        };
        Fault::refused(
            format!("{}; {}", self.outcome(found), self.state(found)),
            format!(
                "{}; then {restart}: release {} stays the one that is started, as there is no other to go back to",
                self.cure(found),
                self.to
            ),
        )
    }

    /// The release of before serves again, or has never stopped.
    fn and_back(&self, back: &Version, found: &Found) -> Fault {
        let (to, why) = (self.to, self.fault.what());
        let what = match self.ran_on(found) || !self.asked {
            true => format!(
                "release {to} was not started: {why}; release {back} is the current one again, and {}",
                self.state(found)
            ),
            false => format!("release {to} does not serve, and {back} serves again: {why}"),
        };
        Fault::refused(what, self.cure(found))
    }

    /// Nor does the release of before.
    fn and_neither(&self, back: &Version, second: &Fault, found: &Found) -> Fault {
        Fault::machine(
            format!(
                "{}; release {back}, which is the current one again, does not serve either: {}; {}",
                self.outcome(found),
                second.what(),
                self.state(found)
            ),
            format!("{}; `hub-platform doctor` looks at the rest", self.cure(found)),
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn host(version: &str, run: &str) -> Answering {
        Answering { version: version.to_owned(), run: Some(run.to_owned()) }
    }

    fn found(host: Option<Answering>) -> Found {
        let process = host.is_some().then_some(77);
        Found { address: SocketAddr::from(([127, 0, 0, 1], 8001)), host, process }
    }

    #[test]
    fn a_restart_that_restarted_nothing_names_the_process() {
        let release = Version::new(0, 1, 0);
        let text = found(Some(host("0.1.0", "a"))).not_restarted(&release).to_string();
        for part in [
            "the one that ran before, release 0.1.0, still answers at http://127.0.0.1:8001, process 77",
            "restart the host that runs now (process 77) yourself",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let unknown = Found { process: None, ..found(Some(host("0.1.0", "a"))) };
        let text = unknown.not_restarted(&release).to_string();
        assert!(text.contains("http://127.0.0.1:8001\n") && text.contains("runs now yourself"), "{text}");
    }

    /// Whoever reads it learns what serves, and what to restart.
    #[test]
    fn a_restart_that_failed_is_told_from_a_release_that_does_not_serve() {
        let (to, back, old) = (Version::new(0, 2, 0), Version::new(0, 1, 0), host("0.1.0", "a"));
        let command = Fault::machine("`false` failed: exit status: 1", "run that command by hand");
        let failed = Failed { to: &to, fault: &command, asked: false, before: Some(&old) };
        let says = |fault: Fault, parts: &[&str], not: &[&str]| {
            let text = fault.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {text}");
            assert!(!not.iter().any(|part| text.contains(part)), "{not:?}: {text}");
        };
        let serves_on =
            "the host that ran before still serves at http://127.0.0.1:8001: release 0.1.0, process 77";
        let begins = "release 0.2.0 was not started: `false` failed: exit status: 1";
        says(
            failed.and_stays(&found(Some(old.clone()))),
            &[begins, serves_on, "restart the host that runs now (process 77)", "run that command by hand"],
            &["does not serve"],
        );
        says(
            failed.and_back(&back, &found(Some(old.clone()))),
            &[begins, serves_on, "release 0.1.0 is the current one again"],
            &["does not serve", "serves again"],
        );
        says(failed.and_stays(&found(None)), &[begins, "nothing answers at", "then start the host"], &[]);
        // A command that ended well and restarted nothing.
        let late = Fault::refused("after 1 s the host at 127.0.0.1:8001 is version 0.1.0", "");
        let idle = Failed { fault: &late, asked: true, ..failed };
        says(
            idle.and_back(&back, &found(Some(old.clone()))),
            &["release 0.2.0 was not started", serves_on, "see that the command given as --restart restarts"],
            &["does not serve"],
        );
        // A host that was stopped, and one that came again.
        says(
            idle.and_back(&back, &found(Some(host("0.1.0", "b")))),
            &["release 0.2.0 does not serve, and 0.1.0 serves again: after 1 s", "journalctl"],
            &["ran before"],
        );
        let gone = Fault::refused("after 1 s the host at 127.0.0.1:8001 does not answer", "");
        says(
            idle.and_neither(&back, &gone, &found(None)),
            &[
                "release 0.2.0 does not serve",
                "release 0.1.0, which is the current one again, does not serve either",
                "nothing answers",
            ],
            &[],
        );
    }
}
