//! The running host from outside: how it is restarted, or asked to hand over.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hub_manifest::environment;

use super::place::Place;
use super::say;
use crate::fault::Fault;
use crate::serve;
use crate::settings::reason;

/// The unit's name.
pub(super) const UNIT: &str = "hub-platform.service";

/// How a release that has become the current one comes to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// The host that runs hands its socket over: no request is lost.
    HandOver,
    /// A command restarts the service.
    Command(Vec<String>),
    /// Somebody else does it.
    ByHand,
}

impl Service {
    /// What the command line asks for, else what `setup` settled.
    pub(super) fn choose(place: &Place, graceful: bool, restart: Option<&str>) -> Service {
        match restart {
            _ if graceful => Service::HandOver,
            Some(line) => Service::Command(["sh", "-c", line].map(str::to_owned).into()),
            None if place.settled.restart.is_empty() => Service::ByHand,
            None => Service::Command(place.settled.restart.clone()),
        }
    }

    /// Makes the release that the launcher chooses now serve.
    pub(super) fn renew(&self, place: &Place, limit: Duration) -> Result<(), Fault> {
        match self {
            Service::HandOver => {
                let taken = serve::ask(&place.data, limit)?;
                say::done("handed over", &format!("to process {} in {} ms", taken.pid, taken.millis));
                Ok(())
            }
            Service::Command(line) => {
                run(line)?;
                say::done("restarted", &shown(line));
                Ok(())
            }
            Service::ByHand => {
                let launcher = place.install.launcher();
                say::done(
                    "next",
                    &format!(
                        "start the host, or restart it: DATA_DIR={} {} serve",
                        place.data.display(),
                        launcher.display()
                    ),
                );
                Ok(())
            }
        }
    }
}

fn shown(line: &[String]) -> String {
    match line {
        [shell, flag, text] if shell == "sh" && flag == "-c" => text.clone(),
        words => words.join(" "),
    }
}

/// Runs a command to its end; what it said is told where it failed.
pub(super) fn run(line: &[String]) -> Result<(), Fault> {
    let shown = shown(line);
    let Some((program, arguments)) = line.split_first() else { return Ok(()) };
    let failed = |why: String| {
        Fault::machine(
            format!("`{shown}` failed: {why}"),
            "run that command by hand, and see what it says; --restart names another",
        )
    };
    // The release that this command belongs to is not the one that it is to start.
    let output = Command::new(program)
        .args(arguments)
        .env_remove(environment::INSTALL_DIR)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|e| failed(reason(&e)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}

/// Why a host is to be expected here: the service is enabled, or somebody has said how it is restarted. None where nobody has.
pub(super) fn expected(place: &Place) -> Option<String> {
    match (&place.settled.unit, &*place.settled.restart) {
        (Some(unit), _) if has_systemd() => {
            is_enabled(unit).then(|| format!("the service {unit} is enabled"))
        }
        // A unit for another machine.
        (Some(_), _) | (None, []) => None,
        (None, line) => Some(format!("`{}` was settled to restart it", shown(line))),
    }
}

/// Whether it is started with the machine.
fn is_enabled(unit: &str) -> bool {
    let mut asked = Command::new("systemctl");
    asked.args(["is-enabled", "--quiet", unit]).stdin(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// Whether systemd runs this machine.
pub(super) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}
