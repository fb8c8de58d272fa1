//! How far a host's life is, for all that has to end with it or before it.

use tokio::sync::watch;

/// What the host is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It answers, and takes runs from the queue.
    Serving,
    /// Another host has its socket and its queue. It answers on the connections that it has, and its runs go on.
    HandedOver,
    /// It has been asked to end: what is under way ends too.
    Ending,
}

/// Who changes it, and who hears of it.
pub(crate) struct Stage(watch::Sender<Life>);

impl Default for Stage {
    fn default() -> Stage {
        Stage(watch::Sender::new(Life::Serving))
    }
}

impl Stage {
    /// What it is now.
    pub(crate) fn now(&self) -> Life {
        *self.0.borrow()
    }

    /// Goes on to the next stage.
    pub(crate) fn enter(&self, life: Life) {
        self.0.send_replace(life);
    }

    /// For one that waits.
    pub(crate) fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }
}

/// Waits for a stage.
#[derive(Clone)]
pub(crate) struct Watch(watch::Receiver<Life>);

impl Watch {
    /// Returns when the host takes no new work: streams that never end by themselves end then.
    pub(crate) async fn closing(&mut self) {
        // An error says that the host is gone.
        let _ = self.0.wait_for(|life| *life != Life::Serving).await;
    }

    /// Returns when the host has been asked to end.
    pub(crate) async fn ending(&mut self) {
        let _ = self.0.wait_for(|life| *life == Life::Ending).await;
    }
}
