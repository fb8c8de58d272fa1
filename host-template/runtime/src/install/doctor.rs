//! `doctor`: looks at everything that an installation consists of, and says what to mend.

use std::collections::BTreeSet;
use std::path::Path;

use hub_manifest::limits::{About, Limit};
use hub_release::beneath;
use hub_release::bounds::MAX_RELEASE;
use hub_release::manifest::LAUNCHER;

use super::activate::runtime;
use super::place::Place;
use super::user::see_settled;
use super::{health, say, service, verify};
use crate::fault::Fault;
use crate::platform::Platform;
use crate::preflight::{self, Asked, Purpose};
use crate::process;
use crate::runs::fences::bare;
use crate::settings::{self, process_env};

/// Runs `doctor`. Nothing is changed.
pub(crate) fn doctor(
    platform: &Platform,
    install_dir: Option<&Path>,
    data_dir: Option<&Path>,
) -> Result<(), Fault> {
    let place = Place::find(install_dir, data_dir)?;
    let runtime = runtime()?;
    let mut wrong = Vec::new();
    let mut note = |result: Result<(), Fault>| {
        if let Err(fault) = result {
            wrong.push(format!("{}\n         help: {}", fault.what(), fault.how()));
        }
    };
    say::done("install", &format!("{}", place.install.root().display()));
    note(verify::installed(&place.install));
    note(links(&place));
    say::done("data", &format!("{} ({})", place.data.display(), place.why.told()));
    note(see_settled(&place.settled, &place.data));
    let asked = Asked {
        purpose: Purpose::Doctor,
        data: Some(place.data.clone()),
        listen: None,
        since: None,
        accepted: BTreeSet::new(),
    };
    let report = runtime.block_on(preflight::run(platform, &asked, &process_env));
    for warning in &report.warnings {
        say::warn(&format!("{}; {}", warning.what, warning.help));
    }
    report.errors.iter().for_each(|error| note(Err(Fault::refused(&error.what, &error.help))));
    note(limits(&place));
    fences(&place);
    let address = place.address()?;
    match runtime.block_on(health::now(address)) {
        Some(host) => say::done("serves", &format!("version {} at http://{address}", host.version)),
        None => match service::expected(&place) {
            Ok(Some(why)) => note(Err(Fault::refused(
                format!("nothing answers at http://{address}, and {why}"),
                "start it, and see what its log says (journalctl -u hub-platform)",
            ))),
            Ok(None) => say::done("silent", &format!("nothing answers at http://{address}")),
            Err(fault) => note(Err(fault)),
        },
    }
    match wrong.len() {
        0 => Ok(()),
        _ => Err(Fault::refused(wrong.join("\n       "), "mend these, and run `hub-platform doctor` again")),
    }
}

/// What holds runs and scripts on this machine. The service may have less: its unit forbids namespaces.
fn fences(place: &Place) {
    if let Some(text) = process::blind() {
        say::warn(&text);
    }
    // The service has these, whatever the shell has that this runs in.
    let of_service = |name: &str| place.env.get(name).cloned().filter(|value| !value.is_empty());
    let env = |name: &str| of_service(name).or_else(|| process_env(name));
    bare(&env, &place.data).iter().for_each(|text| say::warn(text));
    match process::held() {
        Ok(held) => {
            held.lacks().for_each(say::warn);
            let names = [
                (held.namespaces, "namespaces"),
                (held.landlock != process::Kernel::None, "Landlock"),
                (held.network, "seccomp"),
            ];
            let names: Vec<&str> = names.iter().filter(|(there, _)| *there).map(|(_, name)| *name).collect();
            if !names.is_empty() {
                say::done("runs", &format!("are held by {}", names.join(", ")));
            }
        }
        Err(error) => say::warn(&format!("it is not known what holds runs and scripts here: {error}")),
    }
}

/// The limits that the service has, each with the variable that sets it.
fn limits(place: &Place) -> Result<(), Fault> {
    let env = |name: &str| place.env.get(name).cloned().filter(|value| !value.is_empty());
    let limits = settings::limits(&env)?;
    for limit in Limit::ALL {
        let About { variable, unit, default, .. } = limit.about();
        let value = limits.get(*limit);
        let set =
            if value == default { String::new() } else { format!(", set; {} otherwise", unit.told(default)) };
        say::done("limit", &format!("{variable} {}{set}", unit.told(value)));
    }
    Ok(())
}

/// The link and the launcher are those of the release that would be started.
fn links(place: &Place) -> Result<(), Fault> {
    let install = &place.install;
    let chosen = install.choose(&mut |_| {})?.map(|(found, _)| found.version);
    let again = "run `hub-platform setup` of that release, or restart the service";
    let Some(chosen) = chosen else {
        return Err(Fault::refused(
            "no release here can be started",
            "unpack one, and run its `hub-platform setup`",
        ));
    };
    // One that leads astray is told with the releases.
    if install.astray().is_none() && install.current().as_ref() != Some(&chosen) {
        let current = install.current().map_or("nothing".to_owned(), |version| version.to_string());
        return Err(Fault::refused(
            format!("a restart would start release {chosen}, and `current` leads to {current}"),
            again,
        ));
    }
    let launchers = [install.launcher(), install.release(&chosen).join(LAUNCHER)]
        .map(|file| beneath::read(&file, MAX_RELEASE));
    match launchers {
        [Ok(here), Ok(of_release)] if here == of_release => {
            say::done("launcher", &format!("{}, that of release {chosen}", install.launcher().display()));
            Ok(())
        }
        _ => Err(Fault::refused(
            format!("{} is not the launcher of release {chosen}", install.launcher().display()),
            again,
        )),
    }
}
