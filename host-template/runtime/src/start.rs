//! From a platform and the machine's settings to the parts of a running host.

use std::path::Path;

use hub_manifest::plan::HostPlan;

use crate::api;
use crate::app::Parts;
use crate::config;
use crate::db::migrate::{self, Migration, Owner};
use crate::db::{Db, Error};
use crate::discover::customer_plugins;
use crate::fault::Fault;
use crate::gather::Gathered;
use crate::overrides::Chains;
use crate::platform::Platform;
use crate::registry::{Counts, Plugin};
use crate::settings::{self, Database, Env};
use crate::web::Web;

/// What is asked of a start.
pub(crate) struct Options<'a> {
    pub(crate) env: Env<'a>,
    /// Serve the page's files as they are on disk, and reload it when they change.
    pub(crate) dev: bool,
}

/// Gathers everything: folders, plugins, database with its migrations, page.
pub(crate) async fn parts(platform: &Platform, options: &Options<'_>) -> Result<Parts, Fault> {
    let env = options.env;
    let HostPlan { version, plugins } = platform.plan()?;
    let gathered = platform.gather(options.dev);
    let install = settings::install_dir(env)?;
    let web = Web::open(install.join("web"), options.dev)?;
    let (data, why) = settings::data_dir(env)?;
    tracing::info!("data folder: {} ({why})", data.display());
    let db = open(settings::database(env("DATABASE_URL").as_deref(), &data)?).await?;
    let mut plugins = of_build(plugins, &gathered, env);
    migrate_all(&db, &install, &mut plugins).await?;
    plugins.extend(customer_plugins(&data, &plugins));
    let (chains, trouble) = Chains::read(&install);
    if let Some(trouble) = trouble {
        tracing::error!("no overrides: {trouble}");
    }
    report(&plugins);
    Ok(Parts { version, plugins, routes: gathered.routes, chains, db, web })
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
            Plugin { errors, ..Plugin::of_build(about, &gathered.routes, config, unset) }
        })
        .collect()
}

async fn open(database: Database) -> Result<Db, Fault> {
    let Database::Sqlite(file) = database;
    let db = Db::open_sqlite(&file).await.map_err(|e| no_database(&file, &e))?;
    migrate::prepare(&db).await.map_err(|e| no_database(&file, &e))?;
    let own: Vec<Migration> = api::MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration { name: (*name).to_owned(), sql: (*sql).to_owned() })
        .collect();
    migrate::run(&db, Owner::Platform, &own).await.map_err(|e| {
        Fault::machine(
            format!("cannot bring the database {} up to date: {e}", file.display()),
            "run the release that this database belongs to, or restore a copy of it",
        )
    })?;
    Ok(db)
}

fn no_database(file: &Path, error: &Error) -> Fault {
    Fault::machine(
        format!("cannot use the database {}: {error}", file.display()),
        "see that it is a SQLite file, in a folder that the host may write to, or set DATABASE_URL or DATA_DIR",
    )
}

/// Runs each plugin's migrations; one that fails makes that plugin invalid, and no other.
async fn migrate_all(db: &Db, install: &Path, plugins: &mut [Plugin]) -> Result<(), Fault> {
    for plugin in plugins {
        let Some(folder) = &plugin.about.migrations else { continue };
        let folder = install.join("plugins").join(plugin.name()).join(folder);
        let ran = match migrate::read_folder(&folder) {
            Ok(migrations) => migrate::run(db, Owner::Plugin(plugin.name()), &migrations).await,
            Err(error) => Err(error),
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
fn report(plugins: &[Plugin]) {
    for plugin in plugins {
        for error in &plugin.errors {
            tracing::error!(plugin = plugin.name(), "vertical plugin is invalid: {error}");
        }
        for text in &plugin.unset {
            tracing::warn!(plugin = plugin.name(), "vertical plugin is not configured: {text}");
        }
    }
    tracing::info!("{}", start_line(crate::registry::count(plugins)));
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
