//! The running host from outside: how it is restarted, or asked to hand over.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hub_manifest::environment;
use hub_release::guard::quoted;

use super::place::Place;
use super::say;
use crate::fault::Fault;
use crate::process;
use crate::serve;
use crate::settings::reason;

/// The unit's name.
pub(super) const UNIT: &str = "hub-platform.service";

/// How long the system's own tools may take that set up a service: `id`, `useradd`, `systemctl` where it restarts nothing.
pub(super) const SYSTEM: Duration = Duration::from_secs(60);

/// How long may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    /// The command that restarts the service.
    pub(crate) restart: Duration,
    /// The host, until it answers.
    pub(crate) health: Duration,
}

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
    pub(super) fn renew(&self, place: &Place, waits: Waits) -> Result<(), Fault> {
        match self {
            Service::HandOver => {
                let taken = serve::ask(&place.data, waits.health)?;
                say::done("handed over", &format!("to process {} in {} ms", taken.pid, taken.millis));
                Ok(())
            }
            Service::Command(line) => {
                restart(line, waits.restart)?;
                say::done("restarted", &shown(line));
                Ok(())
            }
            Service::ByHand => {
                let launcher = place.install.launcher();
                say::done(
                    "next",
                    &format!(
                        "start the host, or restart it: DATA_DIR={} {} serve",
                        quoted(&place.data),
                        quoted(&launcher)
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

/// What mends a command of the system's that has not ended in time.
const WAITS: &str = "run that command by hand, and see what it waits for";

/// Runs a command of the system's to its end.
pub(super) fn run(line: &[String]) -> Result<(), Fault> {
    run_within(line, SYSTEM, WAITS)
}

/// Runs the command that restarts the service to its end.
fn restart(line: &[String], limit: Duration) -> Result<(), Fault> {
    let late = format!(
        "{WAITS}; what it starts has to go on in the background, and where it only takes longer, let it: --restart-timeout SECONDS"
    );
    run_within(line, limit, &late)
}

/// Runs a command to its end; what it said is told where it failed. One that does not end in time is ended, with all that it has
/// started.
fn run_within(line: &[String], limit: Duration, late: &str) -> Result<(), Fault> {
    let shown = shown(line);
    let Some((program, arguments)) = line.split_first() else { return Ok(()) };
    let failed = |why: &str, how: &str| Fault::machine(format!("`{shown}` failed: {why}"), how);
    let by_hand = "run that command by hand, and see what it says; --restart names another";
    let mut command = Command::new(program);
    // The release that this command belongs to is not the one that it is to start.
    command.args(arguments).env_remove(environment::INSTALL_DIR);
    let ran = process::ran(command, limit).map_err(|e| match e.kind() {
        io::ErrorKind::TimedOut => failed(&e.to_string(), late),
        _ => failed(&reason(&e), by_hand),
    })?;
    if ran.held {
        say::warn(&format!(
            "`{shown}` has started something that writes to where this command reads, and nobody reads there any more: let it write \
             elsewhere, as with >/dev/null 2>&1"
        ));
    }
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.err).trim().to_owned();
    let why = if said.is_empty() { ran.status.to_string() } else { said };
    Err(failed(&why, by_hand))
}

/// Why a host is to be expected here: the service is enabled, or somebody has said how it is restarted. None where nobody has.
pub(super) fn expected(place: &Place) -> Result<Option<String>, Fault> {
    Ok(match (&place.settled.unit, &*place.settled.restart) {
        (Some(unit), _) if has_systemd() => {
            is_enabled(unit)?.then(|| format!("the service {unit} is enabled"))
        }
        // A unit for another machine.
        (Some(_), _) | (None, []) => None,
        (None, line) => Some(format!("`{}` was settled to restart it", shown(line))),
    })
}

/// Whether it is started with the machine.
fn is_enabled(unit: &str) -> Result<bool, Fault> {
    let mut asked = Command::new("systemctl");
    asked.args(["is-enabled", "--quiet", unit]);
    let ran = process::ran(asked, SYSTEM).map_err(|e| {
        Fault::machine(
            format!(
                "cannot tell whether the service {unit} is enabled: `systemctl is-enabled {unit}` failed: {}",
                reason(&e)
            ),
            WAITS,
        )
    })?;
    Ok(ran.status.success())
}

/// Whether systemd runs this machine.
pub(super) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}
