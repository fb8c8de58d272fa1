//! What changes while the host runs, and is kept in memory: plugins and switches, as one value that is replaced whole.
//!
//! Whoever changes the database raises its generation in the same transaction ([`crate::db::Tx::announce`]). Every host
//! on that database then reads anew: the one that made the change at once, the others when PostgreSQL notifies them, and
//! at the latest when they next look.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use crate::access::{Switches, View, Views};
use crate::args;
use crate::db::{self, Db, Error};
use crate::registry::Registry;

/// How often a host looks whether another one has changed something.
const POLL: Duration = Duration::from_millis(500);

/// The state at one moment.
pub(crate) struct Snapshot {
    /// Rises with every change that this host has taken in.
    pub(crate) epoch: u64,
    generation: i64,
    pub(crate) registry: Arc<Registry>,
    pub(crate) switches: Arc<Switches>,
    views: Views,
}

impl Snapshot {
    /// What a tenant, or an organisation at large, sees.
    pub(crate) fn view(&self, org: &str, tenant: Option<&str>) -> Arc<View> {
        self.views.get(&self.registry, &self.switches, org, tenant)
    }
}

/// The state, and the news of its changes.
pub(crate) struct Live {
    current: ArcSwap<Snapshot>,
    epoch: AtomicU64,
    changed: watch::Sender<u64>,
    /// One reader at a time, so that an older reading never replaces a newer one.
    reading: Mutex<()>,
}

impl Live {
    /// The state with which the host starts.
    pub(crate) async fn start(db: &Db, registry: Registry) -> Result<Live, Error> {
        let (generation, switches) = read(db).await?;
        Ok(Live::of(registry, generation, switches))
    }

    fn of(registry: Registry, generation: i64, switches: Switches) -> Live {
        let snapshot = Snapshot {
            epoch: 1,
            generation,
            registry: Arc::new(registry),
            switches: Arc::new(switches),
            views: Views::default(),
        };
        Live {
            current: ArcSwap::from_pointee(snapshot),
            epoch: AtomicU64::new(1),
            changed: watch::Sender::new(1),
            reading: Mutex::new(()),
        }
    }

    /// The state now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The number of the state now.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Hears of every change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads the switches anew, after a change of this host's own.
    pub(crate) async fn refresh(&self, db: &Db) -> Result<(), Error> {
        let _turn = self.reading.lock().await;
        let (generation, switches) = read(db).await?;
        let registry = self.snapshot().registry.clone();
        self.replace(generation, registry, switches);
        Ok(())
    }

    /// Takes in another set of plugins.
    pub(crate) async fn reload(&self, registry: Registry) {
        let _turn = self.reading.lock().await;
        let now = self.snapshot();
        self.replace(now.generation, Arc::new(registry), Switches::clone(&now.switches));
    }

    /// Reads anew where another host has changed something.
    async fn look(&self, db: &Db) -> Result<(), Error> {
        let generation = generation(db).await?;
        if generation == self.snapshot().generation { Ok(()) } else { self.refresh(db).await }
    }

    fn replace(&self, generation: i64, registry: Arc<Registry>, switches: Switches) {
        let epoch = self.epoch() + 1;
        let switches = Arc::new(switches);
        let next = Snapshot { epoch, generation, registry, switches, views: Views::default() };
        self.current.store(Arc::new(next));
        self.epoch.store(epoch, Ordering::Release);
        self.changed.send_replace(epoch);
    }
}

async fn generation(db: &Db) -> Result<i64, Error> {
    db.value("SELECT value FROM hub_state WHERE name = 'generation'", args![]).await
}

/// The generation first: a change between the two readings is then read twice rather than missed.
async fn read(db: &Db) -> Result<(i64, Switches), Error> {
    let generation = generation(db).await?;
    Ok((generation, Switches::load(db).await?))
}

/// Follows the changes of other hosts for as long as it is polled.
pub(crate) async fn follow(live: &Live, db: &Db) {
    let mut listener = db::Listener::new(db.clone());
    let mut reachable = true;
    loop {
        listener.wait(POLL).await;
        let looked = live.look(db).await;
        // Told once, not twice a second.
        match (&looked, reachable) {
            (Err(error), true) => tracing::error!(%error, "cannot look for changes in the database"),
            (Ok(()), false) => tracing::info!("the database answers again"),
            _ => {}
        }
        reachable = looked.is_ok();
    }
}
