//! Memory that requests share for what they hold: whoever is about to hold something large asks for it first.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// How often one that waits looks whether there is enough.
const LOOK: Duration = Duration::from_millis(200);

/// Memory that all requests share.
pub(crate) struct Purse {
    left: AtomicI64,
    most: usize,
}

impl Purse {
    pub(crate) fn new(bytes: u64) -> Arc<Purse> {
        let left = AtomicI64::new(i64::try_from(bytes).unwrap_or(i64::MAX));
        Arc::new(Purse { left, most: usize::try_from(bytes).unwrap_or(usize::MAX) })
    }

    /// Takes so much, where there is as much.
    pub(crate) fn take(self: &Arc<Purse>, bytes: usize) -> Option<Held> {
        let mut held = Held { purse: self.clone(), bytes: 0 };
        held.more(bytes).then_some(held)
    }

    /// Takes so much for an answer that is to be read from the database; 503 where there is not as much. One that is larger
    /// than all there is takes all there is.
    pub(crate) fn ask(self: &Arc<Purse>, bytes: u64) -> Result<Held, Problem> {
        self.take(self.within(bytes)).ok_or_else(no_room)
    }

    /// The same for an answer that has begun: it waits for its turn.
    pub(crate) async fn wait(self: &Arc<Purse>, bytes: u64) -> Held {
        loop {
            if let Some(held) = self.take(self.within(bytes)) {
                return held;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether so much can ever be taken.
    pub(crate) fn has_ever(&self, bytes: usize) -> bool {
        bytes <= self.most
    }

    fn within(&self, bytes: u64) -> usize {
        usize::try_from(bytes).unwrap_or(usize::MAX).min(self.most)
    }
}

/// A part of the purse, given back when it is dropped.
pub(crate) struct Held {
    purse: Arc<Purse>,
    bytes: i64,
}

impl Held {
    /// Takes more; false where there is not as much.
    pub(crate) fn more(&mut self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if self.purse.left.fetch_sub(bytes, Ordering::Relaxed) < bytes {
            self.purse.left.fetch_add(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Holds exactly so much from here on; false where that is more, and there is not as much. What is larger than all there is holds
    /// all there is: it would never have enough.
    pub(crate) fn settle(&mut self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes.min(self.purse.most)).unwrap_or(i64::MAX);
        if bytes > self.bytes {
            return self.more(usize::try_from(bytes - self.bytes).unwrap_or(usize::MAX));
        }
        self.purse.left.fetch_add(self.bytes - bytes, Ordering::Relaxed);
        self.bytes = bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.purse.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// 503, to be tried again at once.
pub(crate) fn busy(why: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE).code("busy").detail(why).retry_after(1)
}

/// The answer where the purse has not enough for another one.
pub(crate) fn no_room() -> Problem {
    busy("as many large answers are on their way as may be: the next one has to wait")
}

/// An answer that was asked for in the purse before it was made. The connection holds its part until it has taken it.
pub(crate) struct Paid<T>(pub(crate) T, pub(crate) Held);

/// How the part comes to the connection.
#[derive(Clone)]
struct Receipt(Arc<Held>);

impl<T: IntoResponse> IntoResponse for Paid<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(Receipt(Arc::new(self.1)));
        response
    }
}

/// The part of an answer that was paid for.
pub(crate) fn paid(response: &mut Response) -> Option<Held> {
    let Receipt(held) = response.extensions_mut().remove()?;
    // Nobody copies an answer.
    Arc::into_inner(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s14_a_purse_is_never_overdrawn() {
        let purse = Purse::new(100);
        let mut held = purse.take(60).unwrap();
        assert!(purse.take(41).is_none());
        assert!(held.more(40) && !held.more(1));
        assert!(purse.has_ever(100) && !purse.has_ever(101));
        drop(held);
        assert!(purse.take(100).is_some());
    }

    #[test]
    fn s14_what_was_asked_for_goes_with_the_answer() {
        let purse = Purse::new(100);
        let mut response = Paid("text", purse.ask(80).unwrap()).into_response();
        assert!(purse.ask(30).is_err());
        let mut held = paid(&mut response).unwrap();
        assert!(paid(&mut response).is_none());
        assert!(held.settle(40) && purse.take(61).is_none() && purse.take(60).is_some());
        let other = purse.take(10).unwrap();
        assert!(!held.settle(91) && held.settle(90) && purse.take(1).is_none());
        drop(other);
        drop(held);
        // One that is larger than all waits until it has all, and is as large when it is there.
        let part = purse.take(1).unwrap();
        assert!(purse.ask(1_000).is_err());
        drop(part);
        let mut all = purse.ask(1_000).unwrap();
        assert!(purse.take(1).is_none() && all.settle(1_000) && purse.take(1).is_none());
        drop(all);
        assert!(purse.take(100).is_some());
    }

    #[tokio::test]
    async fn s14_an_answer_that_has_begun_waits_for_its_turn() {
        let purse = Purse::new(100);
        let first = purse.wait(60).await;
        let mut second = tokio::spawn({
            let purse = purse.clone();
            async move { purse.wait(60).await }
        });
        assert!(tokio::time::timeout(2 * LOOK, &mut second).await.is_err());
        drop(first);
        tokio::time::timeout(Duration::from_secs(10), second).await.unwrap().unwrap();
    }
}
