//! How slow the other end of a connection may be: a while that it may let us wait, which every byte that it takes or gives
//! makes longer again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The while, and the rate that keeps it from running out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) grace: Duration,
    /// Bytes a second.
    pub(super) rate: u64,
}

impl Patience {
    /// What is left of the while after a wait that ended with these bytes.
    fn left(self, left: Duration, waited: Duration, bytes: usize) -> Duration {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / self.rate.max(1));
        left.saturating_sub(waited).saturating_add(earned).min(self.grace)
    }
}

/// One that waits. Only time that is waited counts: what the host itself does meanwhile costs the other end nothing.
pub(super) struct Pace {
    patience: Patience,
    left: Duration,
    /// Since when it waits, and what wakes it when nothing comes.
    waiting: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Pace {
        Pace { patience, left: patience.grace, waiting: None, timer: None }
    }

    /// Bytes went by.
    pub(super) fn went(&mut self, bytes: usize) {
        let Some(since) = self.waiting.take() else { return };
        self.left = self.patience.left(self.left, since.elapsed(), bytes);
    }

    /// What comes next has the whole while again.
    pub(super) fn again(&mut self) {
        self.left = self.patience.grace;
        self.waiting = None;
    }

    /// Nothing went by; whether that has lasted too long. The task is woken when it has.
    pub(super) fn stuck(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            let end = now + self.left;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| matches!(timer.as_mut().poll(cx), Poll::Ready(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For how many seconds one holds out that gives so many bytes each time; none where it is for ever.
    fn holds_out(bytes: usize, every: u64) -> Option<u64> {
        let patience = Patience { grace: Duration::from_secs(10), rate: 1024 };
        let (every, mut left) = (Duration::from_secs(every), patience.grace);
        for round in 0..1000 {
            if left < every {
                return Some((every * round + left).as_secs());
            }
            left = patience.left(left, every, bytes);
        }
        None
    }

    #[test]
    fn s6_ten_seconds_and_then_a_kilobyte_a_second() {
        assert_eq!(holds_out(1, 5), Some(10));
        assert_eq!(holds_out(0, 60), Some(10));
        assert_eq!(holds_out(100, 9), Some(10));
        // A little less than the rate holds out longer, and not for ever.
        assert!(holds_out(900, 1).is_some_and(|seconds| (60..120).contains(&seconds)));
        assert_eq!(holds_out(1024, 1), None);
        assert_eq!(holds_out(8 * 1024, 7), None);
        // What came fast buys no time for what does not come.
        let patience = Patience { grace: Duration::from_secs(10), rate: 1024 };
        let fast = patience.left(patience.grace, Duration::ZERO, 2 << 20);
        assert_eq!(fast, patience.grace);
    }
}
