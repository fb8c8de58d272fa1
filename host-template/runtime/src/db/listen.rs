//! Waiting for other hosts' changes: PostgreSQL tells of them, and everybody looks now and then. Behind a pooler there is no
//! session that could be told, and looking has to do.

use std::time::Duration;

use sqlx::postgres::PgListener;

use super::{CHANNEL, Db};

/// Hears of changes on PostgreSQL; elsewhere it only waits.
pub(crate) struct Listener {
    db: Db,
    listener: Option<PgListener>,
}

impl Listener {
    /// One that connects when it is first waited for.
    pub(crate) fn new(db: Db) -> Listener {
        Listener { db, listener: None }
    }

    /// Waits for a change, or for so long.
    pub(crate) async fn wait(&mut self, longest: Duration) {
        if self.listener.is_none() {
            self.listener = self.connect().await;
        }
        match &mut self.listener {
            Some(listener) => match tokio::time::timeout(longest, listener.try_recv()).await {
                Ok(Ok(Some(_))) | Err(_) => {}
                // The connection is gone: another one next time.
                Ok(Ok(None) | Err(_)) => {
                    self.listener = None;
                    tokio::time::sleep(longest).await;
                }
            },
            None => tokio::time::sleep(longest).await,
        }
    }

    async fn connect(&self) -> Option<PgListener> {
        let Db::Postgres(pool) = &self.db else { return None };
        let mut listener = PgListener::connect_with(pool).await.ok()?;
        listener.ignore_pool_close_event(true);
        listener.listen(CHANNEL).await.ok()?;
        Some(listener)
    }
}
