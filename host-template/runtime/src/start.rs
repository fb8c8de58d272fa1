//! From a platform and the machine's settings to the parts of a running host.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hub_manifest::environment;
use hub_manifest::limits::Limits;
use hub_manifest::plan::HostPlan;

use crate::access::{Proxies, Switches};
use crate::api;
use crate::app::Parts;
use crate::audit::Actor;
use crate::base::Base;
use crate::config;
use crate::db::migrate::{self, Owner};
use crate::db::standing::Standing;
use crate::db::{Db, Error, Patience, rights};
use crate::drivers;
use crate::enable::{self, Change, Scope};
use crate::fault::Fault;
use crate::gather::Gathered;
use crate::host::Hub;
use crate::identity::mail::Mailer;
use crate::identity::{Org, first};
use crate::listing::Listing;
use crate::live::Marks;
use crate::locate::{self, Absent, Why};
use crate::metrics::Metrics;
use crate::mount::routes_of;
use crate::platform::Platform;
use crate::reach::Reach;
use crate::registry::{Counts, Origin, Plugin, Registry};
use crate::runs::Runs;
use crate::settings::{self, Database, Env};
use crate::web::Web;

/// What is asked of a start.
pub(crate) struct Options<'a> {
    pub(crate) env: Env<'a>,
    /// Serve the page's files as they are on disk, and reload it when they change.
    pub(crate) dev: bool,
    /// Show sample records to everybody.
    pub(crate) demo: bool,
}

/// Gathers everything: folders, plugins, database with its migrations, page. `address` is where the host listens.
pub(crate) async fn parts(
    platform: &Platform,
    options: &Options<'_>,
    address: SocketAddr,
    judged: Judged,
) -> Result<Parts, Fault> {
    let env = options.env;
    let HostPlan { version, plugins } = platform.plan()?;
    let limits = Arc::new(settings::limits(env)?);
    let proxies = Proxies::of(env)?;
    let mailer = Mailer::of(env, &limits, address)?;
    if let Some(base) = mailer.as_ref().and_then(Mailer::guessed) {
        tracing::warn!(
            "links in mails begin with {base}, where this host listens: set HUB_PUBLIC_URL to where people reach it"
        );
    }
    let reach = Reach::of(env)?;
    let metrics = Metrics::of(env)?;
    let base = Base::of(env)?;
    let gathered = platform.gather(api::router(options.dev));
    let install = settings::install_dir(env)?;
    let listing = Listing::of(&install)?;
    let web = Web::open(install.join("web"), options.dev, &listing, &base)?;
    let (data, why) = settings::data_dir(env)?;
    tracing::info!("data folder: {} ({why})", data.display());
    tracing::info!("database: {}", judged.database.shown());
    let db = open(&judged, &limits, &data).await?;
    // Only now: a file that is no database is nobody's to change.
    for (path, mode) in locate::tighten(&data, &judged.database) {
        tracing::info!("{} had the mode {mode:04o}, and is the host's alone now", path.display());
    }
    first::ensure_somebody(&db, env).await?;
    api::samples(&db, options.demo || options.dev).await.map_err(|e| {
        Fault::machine(
            format!("cannot see to the sample records: {e}"),
            e.help("see that the database can be written to, and start again"),
        )
    })?;
    let mut plugins = of_build(plugins, &gathered, env);
    for plugin in &mut plugins {
        plugin.root = install.join("plugins").join(plugin.name());
        plugin.listing = listing.clone();
    }
    migrate_all(&db, &mut plugins).await?;
    let (registry, trouble) = Registry::of_release(&install, plugins);
    if let Some(trouble) = trouble {
        tracing::error!("no overrides: {trouble}");
    }
    let aliases = drivers::read(&install).unwrap_or_else(|trouble| {
        tracing::error!("no drivers: {trouble}");
        Vec::new()
    });
    let marks = Marks::read(&db).await.map_err(|e| {
        Fault::machine(
            format!("cannot read the state of the plugins: {e}"),
            e.help("see that the database answers, and start again"),
        )
    })?;
    let registry = registry.rescanned(&data, env);
    Switches::settle(&db, &registry).await.map_err(|e| {
        Fault::machine(
            format!("cannot note for which plugins the switches are: {e}"),
            e.help("see that the database can be written to, and start again"),
        )
    })?;
    report(&registry);
    let runs = Runs::of_host(&limits, &data)?;
    Ok(Parts {
        version,
        registry,
        marks,
        routes: gathered.routes,
        db,
        install,
        aliases,
        data,
        runs,
        proxies,
        web,
        base,
        limits,
        mailer,
        reach,
        metrics,
    })
}

/// The database that the environment names, up to date. One that nobody has begun is begun only where that is wanted.
pub(crate) async fn database(env: Env<'_>, data: &Path, absent: Absent) -> Result<Db, Fault> {
    let named = settings::database(env(environment::DATABASE_URL).as_deref(), data)?;
    let limits = settings::limits(env)?;
    Patience::set(&limits);
    let judged = Judged::of(named, data, absent).await?;
    open(&judged, &limits, data).await
}

/// The plugins of the build, with their settings and with what is wrong with their routers.
pub(crate) fn of_build(
    plugins: Vec<hub_manifest::plan::HostPlugin>,
    gathered: &Gathered,
    env: Env<'_>,
) -> Vec<Plugin> {
    plugins
        .into_iter()
        .map(|about| {
            let (config, unset) = config::resolve(&about.config, env);
            let errors = gathered.errors_of(&about.name);
            let routes = routes_of(&about, &gathered.routes);
            Plugin { errors, ..Plugin::of_build(about, routes, config, unset) }
        })
        .collect()
}

/// The same for a command that only reads: it works on a standby, on a disk that is only read, and while another program writes.
/// The database is taken as it is; that it is not up to date is told on standard error.
pub(crate) async fn database_to_read(env: Env<'_>, data: &Path) -> Result<Db, Fault> {
    let database = settings::database(env(environment::DATABASE_URL).as_deref(), data)?;
    let limits = settings::limits(env)?;
    Patience::set(&limits);
    let opened = match &database {
        Database::Sqlite(file) if is_absent(file) => return Err(not_there(&database, data)),
        Database::Sqlite(file) => Db::open_to_read(file).await,
        Database::Postgres(url) => Db::open_postgres(url, &limits).await,
    };
    let db = opened.map_err(|e| unusable(&database, &e))?;
    let shown = database.shown();
    if let Err(fault) = judged(&db, &database, data, Absent::Refused).await {
        db.close().await;
        return Err(fault);
    }
    let behind = match migrate::outstanding(&db, Owner::Platform, &api::migrations(&db)).await {
        Ok(none) if none.is_empty() => return Ok(db),
        Ok(names) => format!(
            "the database {shown} is not up to date: {} of the platform's migrations have not run ({}); the next start of the \
             host runs them",
            names.len(),
            rights::short(&names)
        ),
        Err(why) => format!("it is not known whether the database {shown} is up to date: {why}"),
    };
    // To standard error: what a program reads stays as it is. A reader that is gone wants nothing.
    let _ = writeln!(io::stderr(), "warning: {behind}");
    Ok(db)
}

/// Whether there is no such file; one that cannot be looked at is told by whoever opens it.
fn is_absent(file: &Path) -> bool {
    std::fs::metadata(file).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

fn unusable(database: &Database, error: &Error) -> Fault {
    let cure = error.cure(matches!(database, Database::Postgres(_)));
    Fault::machine(format!("cannot use the database {}: {error}", database.shown()), cure)
}

/// That a command has nothing to work with.
fn none_there(data: &Path, what: &str) -> Fault {
    // In a process without a command line nobody has named anything.
    let why = locate::found().map_or(Why::User, |found| found.why);
    locate::no_database(data, why, what)
}

fn not_there(database: &Database, data: &Path) -> Fault {
    none_there(data, &format!("it has no database {}", database.shown()))
}

/// Sees that a database is one to work with; nothing is changed.
async fn judged(db: &Db, database: &Database, data: &Path, absent: Absent) -> Result<(), Fault> {
    let shown = database.shown();
    let standing = Standing::find(db).await.map_err(|e| unusable(database, &e))?;
    let Some(what) = standing.told(&shown) else { return Ok(()) };
    match (absent, &standing) {
        (Absent::Made, standing) if standing.may_begin() => Ok(()),
        (Absent::Made, standing) => {
            Err(Fault::machine(format!("{what}; nothing was changed"), standing.help()))
        }
        (Absent::Refused, Standing::Taken(_)) => Err(none_there(data, &what)),
        (Absent::Refused, _) => {
            Err(none_there(data, &format!("the database {shown} holds no table of the platform's")))
        }
    }
}

/// A database that is one to work with, or one to begin, as far as that can be seen before anything is made of it or beside it: what
/// makes a file the host's own changes it. A server's is looked at when it is open.
pub(crate) struct Judged {
    pub(crate) database: Database,
    absent: Absent,
}

impl Judged {
    /// Looks at a file. One that is missing may be made, or not.
    pub(crate) async fn of(database: Database, data: &Path, absent: Absent) -> Result<Judged, Fault> {
        let Database::Sqlite(file) = &database else { return Ok(Judged { database, absent }) };
        match (is_absent(file), absent) {
            (true, Absent::Made) => {
                Db::leaves_no_log(file).map_err(|e| unusable(&database, &e))?;
                return Ok(Judged { database, absent });
            }
            (true, Absent::Refused) => return Err(not_there(&database, data)),
            (false, _) => {}
        }
        let looked = Db::open_briefly(file).await.map_err(|e| unusable(&database, &e))?;
        let fit = judged(&looked, &database, data, absent).await;
        looked.close().await;
        fit.map(|()| Judged { database, absent })
    }
}

async fn open(judged: &Judged, limits: &Limits, data: &Path) -> Result<Db, Fault> {
    let Judged { database, absent } = judged;
    Patience::set(limits);
    let no_database = |e: Error| unusable(database, &e);
    let db = match database {
        Database::Sqlite(file) => Db::open_sqlite(file).await.map_err(no_database)?,
        Database::Postgres(url) => {
            let db = Db::open_postgres(url, limits).await.map_err(no_database)?;
            if let Err(fault) = self::judged(&db, database, data, *absent).await {
                db.close().await;
                return Err(fault);
            }
            db
        }
    };
    bring_up_to_date(&db, database).await?;
    Ok(db)
}

/// Runs the platform's migrations.
async fn bring_up_to_date(db: &Db, database: &Database) -> Result<(), Fault> {
    let no_database = |e: Error| unusable(database, &e);
    // Mostly there is nothing to do in a file, for which nobody waits and no other connection is opened. What is not as it has to be
    // comes to light below.
    if !db.is_postgres()
        && matches!(migrate::is_pending(db, Owner::Platform, &api::migrations(db)).await, Ok(false))
        && matches!(db.unwritable().await, Ok(None))
    {
        return Ok(());
    }
    let unreferenced = db.for_migrations().await.map_err(no_database)?;
    let done = migrated(&unreferenced.db, database).await;
    let ended = unreferenced.end().await;
    done?;
    ended.map_err(no_database)
}

/// All of it or nothing, the table that remembers what ran included: a first start that fails leaves no table behind.
async fn migrated(db: &Db, database: &Database) -> Result<(), Fault> {
    let no_database = |e: Error| unusable(database, &e);
    let mut tx = db.begin().await.map_err(no_database)?;
    migrate::prepare_in(&mut tx).await.map_err(no_database)?;
    migrate::run_in(&mut tx, Owner::Platform, &api::migrations(db)).await.map_err(|e| {
        let shown = database.shown();
        Fault::machine(format!("cannot bring the database {shown} up to date: {e}"), migrate::UNCHANGED)
    })?;
    // What somebody has removed or renamed no request would get past, and no migration brings it back.
    let lacking = rights::Lacking::parts(&mut tx).await.map_err(no_database)?;
    if lacking.any() {
        let what = format!("cannot use the database {}: {}", database.shown(), lacking.detail());
        return Err(Fault::machine(what, lacking.help()));
    }
    tx.commit().await.map_err(no_database)
}

/// Brings the tables of those plugins up to date that somebody has enabled before; the others wait until somebody does.
/// One that fails makes that plugin invalid, and no other.
async fn migrate_all(db: &Db, plugins: &mut [Plugin]) -> Result<(), Fault> {
    for plugin in plugins {
        let Some(folder) = plugin.migrations() else { continue };
        let ran = match migrate::has_run(db, plugin.name()).await {
            Ok(false) => continue,
            Ok(true) => match migrate::read_folder(&folder).and_then(|all| plugin.own_migrations(all)) {
                Ok(migrations) => migrate::run(db, Owner::Plugin(plugin.name()), &migrations).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error.to_string()),
        };
        match ran {
            Ok(0) => {}
            Ok(ran) => tracing::info!(plugin = plugin.name(), ran, "ran migrations"),
            Err(error) => plugin.errors.push(error),
        }
    }
    Ok(())
}

/// The start line, and a line for each plugin that cannot work.
fn report(registry: &Registry) {
    for plugin in registry.plugins.iter().filter(|plugin| plugin.origin == Origin::Install) {
        for error in &plugin.errors {
            tracing::error!(plugin = plugin.name(), "vertical plugin is invalid: {error}");
        }
        for text in &plugin.unset {
            tracing::warn!(plugin = plugin.name(), "vertical plugin is not configured: {text}");
        }
    }
    registry.report_customers();
    tracing::info!("{}", start_line(crate::registry::count(registry.plugins.iter().map(|plugin| &**plugin))));
}

/// While plugins are worked on, all of them are on for the first organisation: their author wants to see them.
pub(crate) async fn enable_all(hub: &Hub) {
    let first: Result<Option<Org>, Error> =
        hub.db.one("SELECT id, name FROM hub_orgs ORDER BY created_at, id LIMIT 1", crate::args![]).await;
    let Ok(Some(org)) = first else { return };
    let snapshot = hub.live.snapshot();
    // In plugin order, so dependencies come first.
    for plugin in snapshot.registry.plugins.iter().filter(|plugin| plugin.ok()) {
        let change = Change { on: true, scope: Scope::Org };
        if let Err(problem) = enable::change(hub, &org.id, &Actor::platform(), plugin.name(), &change).await {
            tracing::warn!(plugin = plugin.name(), "cannot be enabled: {problem}");
        }
    }
}

/// The line that tools look for.
fn start_line(counts: Counts) -> String {
    let Counts { total, ok, invalid } = counts;
    format!("plugin_host: {total} vertical plugins discovered ({ok} ok, {invalid} invalid)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_line() {
        let line = start_line(Counts { total: 5, ok: 4, invalid: 1 });
        assert_eq!(line, "plugin_host: 5 vertical plugins discovered (4 ok, 1 invalid)");
    }
}
