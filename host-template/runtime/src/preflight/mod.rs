//! `preflight`: whether this release could take the place of the one in use, found out beside it. Nothing is changed.

pub(crate) mod namesakes;
mod switched;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hub_manifest::environment::{self, quoted};
use hub_manifest::limits::{About, Limit, Limits};
use hub_release::Install;
use hub_release::manifest::HOST;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use self::switched::Fate;
use self::trial::Tried;
pub(crate) use self::trial::{Pending, Removed};
use crate::access::Proxies;
use crate::api;
use crate::base::Base;
use crate::discover;
use crate::drivers::{self, Import, Importable, plain};
use crate::env_file::Variables;
use crate::fault::Fault;
use crate::identity::mail::Mailer;
use crate::listing::Listing;
use crate::locate;
use crate::logs;
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::reach::Reach;
use crate::registry::{Origin, Plugin, Registry};
use crate::serve;
use crate::settings::{self, Env, reason};
use crate::start;
use crate::web::Web;

/// How long the release in use may take to tell of its plugins.
const PATIENCE: Duration = Duration::from_secs(30);

/// The variable that names the vertical plugins of this release that may take the place of the customer's.
pub(crate) const TAKE_OVER: &str = environment::HUB_TAKE_OVER;

/// For whom it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For a release that is to take the place of another one, or to be the first: it may begin a database.
    TakeOver,
    /// For an installation that is to be there already: what is silently made anew is missing.
    Doctor,
}

/// What is asked.
pub(crate) struct Asked {
    pub(crate) purpose: Purpose,
    /// The data folder, where another one than the environment's is meant.
    pub(crate) data: Option<PathBuf>,
    /// The address that the service will listen on.
    pub(crate) listen: Option<SocketAddr>,
    /// The program of the release in use; that of `current` where none is named.
    pub(crate) since: Option<PathBuf>,
    /// Tables, and columns as `table.column`, whose data a migration may remove.
    pub(crate) accepted: BTreeSet<String>,
}

/// What stands in the way, or is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) what: String,
    pub(crate) help: String,
    /// Whether a plugin is to blame, and not the machine.
    #[serde(skip)]
    of_plugin: bool,
}

impl Finding {
    fn machine(what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { what: what.into(), help: help.into(), of_plugin: false }
    }

    fn plugin(what: impl Into<String>, help: impl Into<String>) -> Finding {
        Finding { of_plugin: true, ..Finding::machine(what, help) }
    }
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Finding {
        Finding { of_plugin: fault.exit() == 1, ..Finding::machine(fault.what(), fault.how()) }
    }
}

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) ok: bool,
    /// Of this release.
    pub(crate) version: String,
    /// What would go wrong that does not go wrong now.
    pub(crate) errors: Vec<Finding>,
    /// What would be as wrong as before, or is worth knowing.
    pub(crate) warnings: Vec<Finding>,
    pub(crate) changes: Changes,
}

/// What this release would change.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Migrations that have not run here.
    pub(crate) migrations: Vec<Pending>,
    /// Bytes of the copy of the database on which they were tried.
    pub(crate) copied_bytes: Option<u64>,
    /// Data that they remove.
    #[serde(default)]
    pub(crate) removed: Vec<Removed>,
}

impl Report {
    /// 0 where nothing stands in the way, 1 where a plugin does, 3 where the machine does.
    pub(crate) fn exit(&self) -> u8 {
        match self.errors.iter().any(|error| !error.of_plugin) {
            true => 3,
            false => u8::from(!self.errors.is_empty()),
        }
    }

    fn take<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.errors.push(fault.into())).ok()
    }
}

/// Looks at everything that a start looks at.
pub(crate) async fn run(platform: &Platform, asked: &Asked, env: Env<'_>) -> Report {
    let mut report = Report::default();
    look(platform, asked, env, &mut report).await;
    report.ok = report.errors.is_empty();
    report
}

async fn look(platform: &Platform, asked: &Asked, outer: Env<'_>, report: &mut Report) {
    let Some(plan) = report.take(platform.plan()) else { return };
    report.version = plan.version.clone();
    let data = asked.data.clone().or_else(|| settings::existing_data_dir(outer)).filter(|data| data.is_dir());
    let Some(data) = data else {
        let shown = asked.data.as_ref().map_or(String::new(), |data| format!(" {}", data.display()));
        let how = "name the one that the service has: --data-dir DIR or DATA_DIR=DIR";
        report.errors.push(Finding::machine(format!("there is no data folder{shown}"), how));
        return;
    };
    report.take(settings::usable(&data));
    let file = data.join(".env");
    let variables = locate::variables(&data).unwrap_or_else(|e| {
        let how = "make it readable for the user that runs this command";
        report.errors.push(Finding::machine(format!("cannot read {}: {}", file.display(), reason(&e)), how));
        Variables::default()
    });
    let told = [locate::left_out(&data, &variables.odd), locate::doubtful(&data, &variables.set)];
    for text in told.into_iter().flatten() {
        let how = "write NAME=value, a line each; a line that is not meant begins with #";
        report.warnings.push(Finding::machine(text, how));
    }
    let variables = variables.set;
    let shown = data.display().to_string();
    // The service has these, whatever the shell has that this runs in.
    let env = |name: &str| match name {
        environment::DATA_DIR => Some(shown.clone()),
        _ => variables.get(name).cloned().filter(|value| !value.is_empty()).or_else(|| outer(name)),
    };
    let limits = report.take(settings::limits(&env)).unwrap_or_default();
    let until = Instant::now() + limits.time(Limit::PreflightSeconds);
    report.take(Proxies::of(&env));
    report.take(Reach::of(&env));
    report.take(Base::of(&env));
    report.take(Metrics::of(&env));
    report.take(logs::is_json(&env));
    for switch in [environment::HUB_DEMO, environment::HUB_DEV] {
        report.take(settings::is_on(&env, switch));
    }
    report.take(Mailer::of(&env, &limits, asked.listen.unwrap_or(settings::LISTEN.into())));
    if let Some((text, error)) = logs::unreadable(&env) {
        report.warnings.push(Finding::machine(
            format!("RUST_LOG is {}, which cannot be read: {error}", quoted(&text)),
            "write a level, or levels of modules, such as info,sqlx=debug",
        ));
    }
    address(asked.listen, &data, &env, report);
    let Some(install) = report.take(settings::install_dir(outer)) else { return };
    let Some(listing) = report.take(Listing::of(&install)) else { return };
    report.take(Web::open(install.join("web"), false, &listing, &Base::default()));
    let mut plugins = start::of_build(plan.plugins, &platform.gather(api::router(false)), &env);
    for plugin in &mut plugins {
        plugin.root = install.join("plugins").join(plugin.name());
    }
    let tried = match settings::database(env(environment::DATABASE_URL).as_deref(), &data) {
        Ok(database) => {
            let folders =
                plugins.iter().filter_map(|plugin| Some((plugin.name().to_owned(), plugin.migrations()?)));
            let folders = folders.collect::<Vec<_>>();
            match timeout_at(until, trial::run(&database, &data, &folders, &limits, asked)).await {
                Ok(tried) => tried,
                Err(_) => return report.errors.push(late(&limits, "the migrations were tried")),
            }
        }
        Err(fault) => Tried { errors: vec![fault.into()], ..Tried::default() },
    };
    report.changes = Changes { migrations: tried.pending, copied_bytes: tried.copied, removed: tried.losses };
    report.errors.extend(tried.errors);
    report.warnings.extend(tried.warnings);

    let (registry, trouble) = Registry::of_release(&install, plugins);
    if let Some(trouble) = trouble {
        report.errors.push(Finding::machine(format!("no overrides: {trouble}"), AGAIN));
    }
    let Registry { plugins, trouble, .. } = registry.rescanned(&data, &env);
    let found = trouble.into_iter().map(|what| {
        let help = "until then nothing of what cannot be read is found; all other plugins are there";
        Finding::machine(what, help)
    });
    match asked.purpose {
        // It was so before.
        Purpose::TakeOver => report.warnings.extend(found),
        Purpose::Doctor => report.errors.extend(found),
    }
    let old = Release::in_use(asked.since.as_deref(), &install, &data, &variables);
    let before = match &old {
        Some(old) => match timeout_at(until, old.ask::<Vec<Known>>(&["plugins", "list", "--json"])).await {
            Ok(before) => before,
            Err(_) => {
                return report.errors.push(late(&limits, "the release in use was asked for its plugins"));
            }
        },
        None => None,
    };
    let agreed = outer(TAKE_OVER).unwrap_or_default();
    let agreed: Vec<&str> = agreed.split(',').map(str::trim).collect();
    let is_of_before = |name: &str| {
        let of_build = |known: &Known| known.name == name && known.source == "install";
        before.as_deref().is_some_and(|all| all.iter().any(of_build))
    };
    let judged =
        namesakes::judge(&discover::namesakes(&data, &plugins), is_of_before, |slug| agreed.contains(&slug));
    report.errors.extend(judged.error);
    report.warnings.extend(judged.warnings);
    for plugin in &plugins {
        let used = tried.used.iter().any(|on| on.plugin == plugin.name());
        compare(plugin, before.as_deref(), used, report);
    }
    for on in &tried.used {
        let mut named = plugins.iter().filter(|plugin| plugin.name() == on.plugin && !plugin.shadowed);
        let now = named.next().map(|plugin| (plugin.origin, plugin.root.clone()));
        let mut known = before.iter().flatten().filter(|known| known.name == on.plugin);
        // Of two of that name the customer's is listed and not used.
        let was = match is_of_before(&on.plugin) {
            true => Some("install"),
            false => known.next().map(|known| known.source.as_str()),
        };
        match switched::judge(on, now, was) {
            Fate::Same => {}
            Fate::Stops(finding) => report.errors.push(finding),
            // Once for a plugin that is not there.
            Fate::Told(finding) if report.warnings.contains(&finding) => {}
            Fate::Told(finding) => report.warnings.push(finding),
        }
    }
    if timeout_at(until, installed_drivers(&install, &data, old.as_ref(), report)).await.is_err() {
        report.errors.push(late(&limits, "the installed drivers were looked at"));
    }
}

/// What is said where the time for all of it is over. What was under way is dropped: a copy is removed, a program ended, and a
/// transaction rolled back.
fn late(limits: &Limits, doing: &str) -> Finding {
    let About { variable, unit, .. } = Limit::PreflightSeconds.about();
    let time = unit.told(limits.get(Limit::PreflightSeconds));
    Finding::machine(
        format!("the look at this machine took longer than {time}: the time was over while {doing}"),
        format!(
            "see what it waits for (locks on the database, a slow disk), or set {variable} to a higher number"
        ),
    )
}

/// Whether the address is free, or the host's that runs now.
fn address(listen: Option<SocketAddr>, data: &Path, env: Env<'_>, report: &mut Report) {
    let serving = serve::who(data);
    let listen = match (listen, env(environment::LISTEN).map(|text| (settings::address(&text), text))) {
        (Some(listen), _) | (None, Some((Ok(listen), _))) => listen,
        (None, Some((Err(how), text))) => {
            let what = format!("LISTEN is {}, which is no address to listen on", quoted(&text));
            report.errors.push(Finding::machine(what, how));
            return;
        }
        (None, None) => match &serving {
            Some(_) => return,
            None => SocketAddr::from(settings::LISTEN),
        },
    };
    let same = |other: SocketAddr| {
        let alike = other.ip() == listen.ip() || other.ip().is_unspecified() || listen.ip().is_unspecified();
        alike && other.port() == listen.port()
    };
    match TcpListener::bind(listen) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && serving.is_some_and(|host| same(host.address)) => {}
        Err(e) => report.errors.push(serve::cannot_listen(listen, &e).into()),
    }
}

/// What mends a release that lacks a file of its own.
const AGAIN: &str = "`hub-platform verify` says which files are not as they were built; `hub-platform upgrade TARBALL` replaces a \
                     damaged release";

/// A plugin as the release in use lists it.
#[derive(Deserialize)]
struct Known {
    name: String,
    /// `install` or `data`.
    #[serde(default)]
    source: String,
    #[serde(default)]
    errors: BTreeSet<String>,
    /// What it lacks is among them.
    #[serde(default)]
    warnings: BTreeSet<String>,
}

/// What is wrong with a plugin: an error only where it was not before. Where nothing is known of before, it is none: a
/// plugin does not keep a host from starting.
fn compare(plugin: &Plugin, before: Option<&[Known]>, used: bool, report: &mut Report) {
    if plugin.shadowed {
        return;
    }
    let known = before.and_then(|all| all.iter().find(|known| known.name == plugin.name()));
    let name = plugin.name();
    for error in &plugin.errors {
        let new = before.is_some() && known.is_none_or(|known| !known.errors.contains(error));
        let finding = Finding::plugin(
            format!("vertical plugin `{name}` would be invalid: {error}"),
            match plugin.origin {
                Origin::Install => "take another build of the platform".to_owned(),
                Origin::Data => format!("mend {}", plugin.root.join("plugin.yaml").display()),
            },
        );
        if new { report.errors.push(finding) } else { report.warnings.push(finding) }
    }
    for text in &plugin.unset {
        let new = before.is_some() && known.is_none_or(|known| !known.warnings.contains(text));
        let finding = Finding::plugin(
            format!("vertical plugin `{name}` would not be configured: {text}"),
            "add it to .env in the data folder",
        );
        if new && used { report.errors.push(finding) } else { report.warnings.push(finding) }
    }
}

/// The release in use, which is asked with the service's own variables.
struct Release<'a> {
    program: PathBuf,
    data: &'a Path,
    variables: &'a BTreeMap<String, String>,
}

impl<'a> Release<'a> {
    fn in_use(
        named: Option<&Path>,
        install: &Path,
        data: &'a Path,
        variables: &'a BTreeMap<String, String>,
    ) -> Option<Release<'a>> {
        // Not what `current` leads to, but the release that it names: nothing else of that name is run.
        let current = || {
            let install = Install::of_release(install)?;
            Some(install.release(&install.current()?).join(HOST))
        };
        let program = named.map(Path::to_path_buf).or_else(current).filter(|program| program.is_file())?;
        Some(Release { program, data, variables })
    }

    /// What it says to a command that prints JSON; none where it does not.
    async fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> Option<T> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(arguments).envs(self.variables).env(environment::DATA_DIR, self.data);
        // Its own release, not the one that is looked at.
        command.env_remove(environment::INSTALL_DIR).kill_on_drop(true);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }
}

/// Whether the drivers that are installed still do what they are for.
async fn installed_drivers(install: &Path, data: &Path, old: Option<&Release<'_>>, report: &mut Report) {
    #[derive(Deserialize)]
    struct Row {
        alias: String,
        package: String,
        version: Option<String>,
    }
    let aliases = match drivers::read(install) {
        Ok(aliases) => aliases,
        Err(trouble) => {
            report.errors.push(Finding::machine(format!("no drivers: {trouble}"), AGAIN));
            return;
        }
    };
    let installed: BTreeSet<&str> = aliases
        .iter()
        .map(|alias| alias.package.as_str())
        .filter(|package| drivers::version(data, package).is_some())
        .collect();
    if !installed.is_empty() {
        let packages: Vec<&str> = installed.into_iter().collect();
        for (package, import) in &*Importable::default().all(data, &packages).await {
            let why = match import {
                Import::Works => continue,
                Import::Missing => "there is no such module",
                Import::Fails(why) => why,
            };
            report.warnings.push(Finding::machine(
                format!("the driver {package} is installed and cannot be imported: {why}"),
                "install it again once this release is in use: hub-platform drivers install",
            ));
        }
    }
    let rows = match old {
        // A release that does not answer names no driver: only warnings come of this.
        Some(old) => old.ask::<Vec<Row>>(&["drivers", "list", "--json"]).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let gone = |row: &Row| {
        row.version.is_some()
            && row.alias != drivers::DBT
            && !aliases.iter().any(|alias| plain(&alias.package) == plain(&row.package))
    };
    for row in rows.iter().filter(|row| gone(row)) {
        report.warnings.push(Finding::machine(
            format!("the driver {} is installed, and this release knows no `{}`", row.package, row.alias),
            "its connector is no longer offered",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_under_way_when_the_time_was_over_is_told() {
        let finding = late(&Limits::default().with(Limit::PreflightSeconds, 20), "the migrations were tried");
        assert!(finding.what.contains("20 s") && finding.what.contains("the migrations were tried"));
        assert!(finding.help.contains("HUB_PREFLIGHT_SECONDS") && !finding.of_plugin);
    }
}
