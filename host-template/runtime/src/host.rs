//! What a running host is made of: its plugins and their state, the database, and every service that requests and runs ask.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use hub_manifest::limits::Limits;

use crate::access::Proxies;
use crate::base::Base;
use crate::connectors::Tests;
use crate::db::{Db, Error, Listener};
use crate::drivers::{Alias, Import, Importable};
use crate::identity::mail::Mailer;
use crate::identity::{Attempts, Passwords, Sessions};
use crate::life::Stage;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::problem::{FieldError, Problem, Result};
use crate::purse::Purse;
use crate::registry::{Counts, Registry, count};
use crate::runs::Runs;
use crate::settings::process_env;
use crate::streams::Streams;

/// How often a host looks whether another one has changed something.
const POLL: Duration = Duration::from_millis(500);

/// What all requests share.
pub(crate) struct Hub {
    pub(crate) version: String,
    pub(crate) db: Db,
    /// Plugins and switches, as they are now.
    pub(crate) live: Live,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    /// Sends invitations, where a mail server is configured.
    pub(crate) mailer: Option<Mailer>,
    /// What holds callers and runs back.
    pub(crate) limits: Arc<Limits>,
    pub(crate) connector_tests: Tests,
    /// Whom to believe about where a request comes from.
    pub(crate) proxies: Proxies,
    /// Below which path the platform is served.
    pub(crate) base: Base,
    pub(crate) passwords: Passwords,
    /// The folder of the release.
    pub(crate) install: PathBuf,
    /// The drivers that can be installed.
    pub(crate) aliases: Vec<Alias>,
    pub(crate) importable: Importable,
    /// The customer's folder.
    pub(crate) data: PathBuf,
    pub(crate) runs: Runs,
    /// What large answers hold together.
    pub(crate) answers: Arc<Purse>,
    /// Event streams that are open.
    pub(crate) streams: Streams,
    /// How far the host's life is.
    pub(crate) stage: Stage,
    /// The page's folder, while it is being worked on.
    pub(crate) web_folder: Option<PathBuf>,
    /// What it measures of itself.
    pub(crate) metrics: Metrics,
    /// A word that no other run of the host has.
    pub(crate) started: String,
    pub(crate) description: ApiDescription,
}

/// The API's description: a long text, which is written once somebody has asked for it.
pub(crate) struct ApiDescription {
    write: Box<dyn Fn(&Registry) -> Bytes + Send + Sync>,
    written: OnceLock<Bytes>,
}

impl ApiDescription {
    /// One that is written like this; the registry says which routes answer anybody.
    pub(crate) fn new(write: impl Fn(&Registry) -> Bytes + Send + Sync + 'static) -> ApiDescription {
        ApiDescription { write: Box::new(write), written: OnceLock::new() }
    }

    /// The text.
    pub(crate) fn text(&self, registry: &Registry) -> Bytes {
        self.written.get_or_init(|| (self.write)(registry)).clone()
    }
}

impl Hub {
    pub(crate) fn counts(&self) -> Counts {
        count(self.live.snapshot().registry.plugins.iter().map(|plugin| &**plugin))
    }

    /// Takes in what has changed in the database, and on disk where somebody wants it looked at.
    pub(crate) async fn look(&self) -> Result<(), Error> {
        self.live.look(&self.db, self.rescan()).await
    }

    /// The plugins, with the customer's as they are on disk now.
    async fn rescan(&self) -> Arc<Registry> {
        let before = self.live.snapshot().registry.clone();
        let (registry, data) = (before.clone(), self.data.clone());
        let found = self.aside(move || registry.rescanned(&data, &process_env)).await;
        let registry = found.map(Arc::new).unwrap_or_else(|problem| {
            tracing::error!(%problem, "cannot look for the customer's plugins: those from before stay");
            before
        });
        registry.report_customers();
        registry
    }

    /// Follows the changes of other hosts for as long as it is polled.
    pub(crate) async fn follow(&self) {
        let mut listener = Listener::new(self.db.clone());
        let mut reachable = true;
        loop {
            listener.wait(POLL).await;
            let looked = self.look().await;
            // Told once, not twice a second.
            match (&looked, reachable) {
                (Err(error), true) => tracing::error!(%error, "cannot look for changes in the database"),
                (Ok(()), false) => tracing::info!("the database answers again"),
                _ => {}
            }
            reachable = looked.is_ok();
        }
    }

    /// Looks for the customer's plugins anew, as all hosts of this database do then.
    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        tx.announce_plugins().await?;
        tx.commit().await?;
        self.look().await
    }

    /// What became of importing each driver, by package. Tried once for a set of drivers.
    pub(crate) async fn importable(&self) -> Arc<BTreeMap<String, Import>> {
        let packages: Vec<&str> = self.aliases.iter().map(|alias| alias.package.as_str()).collect();
        self.importable.all(&self.data, &packages).await
    }

    /// Does what waits for a disk on a thread that may wait.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }

    /// The answer in place of a plugin that cannot work.
    pub(crate) fn why_unavailable(&self, slug: &str) -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE);
        let snapshot = self.live.snapshot();
        match snapshot.registry.find(slug) {
            Some(plugin) if plugin.ok() => {
                let errors = plugin
                    .unset
                    .iter()
                    .map(|text| FieldError { field: slug.to_owned(), message: text.clone() });
                problem
                    .code("plugin-not-configured")
                    .detail(format!("vertical plugin `{slug}` lacks settings: {}", plugin.unset.join("; ")))
                    .errors(errors.collect())
            }
            _ => problem
                .code("plugin-invalid")
                .detail(format!("vertical plugin `{slug}` has errors; the list of plugins tells them")),
        }
    }
}
