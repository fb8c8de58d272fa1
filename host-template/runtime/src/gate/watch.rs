//! Streams outlive the question who asks: each one looks again at every change of the platform.

use tokio::sync::watch::Receiver;

use crate::access::Caller;
use crate::ctx::Ctx;

/// Follows whether a caller still is who it was when its stream began.
pub(crate) struct Watch {
    ctx: Ctx,
    caller: Caller,
    /// What the stream needs, in the organisation that it began in; none where being signed in is enough.
    permission: Option<&'static str>,
    changes: Receiver<u64>,
    /// The change that was looked at last.
    looked: u64,
}

impl Watch {
    /// Begins before the stream's first look, so that nothing falls between.
    pub(crate) fn new(ctx: &Ctx, caller: &Caller, permission: Option<&'static str>) -> Watch {
        let changes = ctx.hub().live.subscribe();
        Watch { ctx: ctx.clone(), caller: caller.clone(), permission, changes, looked: caller.epoch() }
    }

    /// Waits for the next change. None where the stream has to end: the session has ended or works in another
    /// organisation, the permission is gone, or nobody can tell just now; who may goes on with a new stream.
    ///
    /// May be dropped at any moment: a change counts as seen once it has been looked at.
    pub(crate) async fn changed(&mut self) -> Option<()> {
        let epoch = loop {
            let epoch = *self.changes.borrow_and_update();
            if epoch != self.looked {
                break epoch;
            }
            self.changes.changed().await.ok()?;
        };
        let hub = self.ctx.hub();
        let now = match hub.sessions.current(hub, self.caller.token()).await {
            Ok(now) => now?,
            Err(error) => {
                tracing::warn!(%error, "a stream ends: nobody can tell whether its caller may still read it");
                return None;
            }
        };
        self.looked = epoch;
        let stays = self
            .permission
            .is_none_or(|permission| now.org().id == self.caller.org().id && now.may(permission));
        if !stays {
            return None;
        }
        self.caller = now;
        Some(())
    }

    /// Whether the stream may go on just now.
    pub(crate) async fn holds(&mut self) -> bool {
        *self.changes.borrow() == self.looked || self.changed().await.is_some()
    }

    /// Waits until the stream has to end.
    pub(crate) async fn ended(&mut self) {
        while self.changed().await.is_some() {}
    }
}
