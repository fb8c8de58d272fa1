//! What changes while the host runs, and is kept in memory: plugins and switches, as one value that is replaced whole.
//!
//! Whoever changes the database raises its generation in the same transaction ([`crate::db::Tx::announce`]). Every host
//! on that database then reads anew: the one that made the change at once, the others when PostgreSQL notifies them, and
//! at the latest when they next look. Whoever wants the customer's plugins looked for anew raises a second number
//! besides ([`crate::db::Tx::announce_plugins`]): each host has a data folder of its own to look into.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use crate::access::{Switches, View, Views};
use crate::args;
use crate::db::{Db, Error, Tx};
use crate::registry::Registry;

/// The state at one moment.
pub(crate) struct Snapshot {
    /// Rises with every change that this host has taken in.
    pub(crate) epoch: u64,
    marks: Marks,
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

/// The numbers in the database that tell of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Raised by every change.
    generation: i64,
    /// Raised where customers' plugins are to be looked for anew; 0 before the first time.
    plugins: i64,
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
    /// The state with which the host starts; `marks` were read before the registry was looked for, so that what somebody wants
    /// looked at meanwhile is looked at again.
    pub(crate) async fn start(db: &Db, marks: Marks, registry: Registry) -> Result<Live, Error> {
        let switches = Switches::load(db, &registry).await?;
        tell(&switches, &Switches::default());
        Ok(Live::of(registry, marks, switches))
    }

    fn of(registry: Registry, marks: Marks, switches: Switches) -> Live {
        let snapshot = Snapshot {
            epoch: 1,
            marks,
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

    /// Makes a change of this host's own last, tells all hosts on the same database, and reads anew what it has changed.
    pub(crate) async fn commit(&self, mut tx: Tx, db: &Db) -> Result<(), Error> {
        tx.announce().await?;
        tx.commit().await?;
        self.refresh(db).await
    }

    /// Reads the switches anew, after a change of this host's own.
    pub(crate) async fn refresh(&self, db: &Db) -> Result<(), Error> {
        let _turn = self.reading.lock().await;
        let Marks { generation, .. } = Marks::read(db).await?;
        let now = self.snapshot();
        // Plugins are left for the next look.
        let switches = Switches::load(db, &now.registry).await?;
        self.replace(Marks { generation, ..now.marks }, now.registry.clone(), switches);
        Ok(())
    }

    /// Reads anew where anybody has changed something; `rescan` gives the plugins with those of the customer as they are on
    /// disk now, and is waited for where somebody wants that.
    pub(crate) async fn look(
        &self,
        db: &Db,
        rescan: impl Future<Output = Arc<Registry>>,
    ) -> Result<(), Error> {
        let _turn = self.reading.lock().await;
        let marks = Marks::read(db).await?;
        let now = self.snapshot();
        if marks == now.marks {
            return Ok(());
        }
        let registry = match marks.plugins == now.marks.plugins {
            true => now.registry.clone(),
            false => rescan.await,
        };
        let switches = Switches::load(db, &registry).await?;
        self.replace(marks, registry, switches);
        Ok(())
    }

    fn replace(&self, marks: Marks, registry: Arc<Registry>, switches: Switches) {
        tell(&switches, &self.snapshot().switches);
        let epoch = self.epoch() + 1;
        let switches = Arc::new(switches);
        let next = Snapshot { epoch, marks, registry, switches, views: Views::default() };
        self.current.store(Arc::new(next));
        self.epoch.store(epoch, Ordering::Release);
        self.changed.send_replace(epoch);
    }
}

impl Marks {
    /// Always read before what they tell of: a change between the two readings is then read twice rather than missed.
    pub(crate) async fn read(db: &Db) -> Result<Marks, Error> {
        let (generation, plugins) = db
            .one(
                "SELECT value, coalesce((SELECT value FROM hub_state WHERE name = 'plugins'), 0)
                 FROM hub_state WHERE name = 'generation'",
                args![],
            )
            .await?
            .ok_or_else(|| Error::Row("hub_state has no generation".to_owned()))?;
        Ok(Marks { generation, plugins })
    }
}

/// Says which plugins are off because another one was switched on under their name, where that was not so before.
fn tell(switches: &Switches, before: &Switches) {
    let known = before.of_others();
    for sentence in switches.of_others().iter().filter(|sentence| !known.contains(sentence)) {
        tracing::warn!("{sentence}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overrides::Chains;
    use crate::page_paths::Pages;
    use crate::testing;

    #[tokio::test]
    async fn a_reload_that_is_asked_for_while_a_host_starts_is_not_missed() {
        let db = Db::open_memory().await.unwrap();
        testing::make_tables(&db).await;
        let registry = || Registry::new(Vec::new(), Chains::default(), Pages::default());
        let marks = Marks::read(&db).await.unwrap();
        // The host looks at its data folder; then somebody changes it and asks all hosts to look.
        let found = registry();
        let mut tx = db.begin().await.unwrap();
        tx.announce_plugins().await.unwrap();
        tx.commit().await.unwrap();
        let live = Live::start(&db, marks, found).await.unwrap();
        let mut looked = 0;
        for _ in 0..2 {
            let rescan = async {
                looked += 1;
                Arc::new(registry())
            };
            live.look(&db, rescan).await.unwrap();
        }
        assert_eq!(looked, 1);
    }
}
