//! How often somebody may try to sign in: by address and account, by account, and by address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Attempts that are remembered before old ones are looked through.
const MANY: usize = 10_000;

/// The limits of one host; each replica has its own.
pub(crate) struct Limits {
    pair: DefaultKeyedRateLimiter<(IpAddr, String)>,
    account: DefaultKeyedRateLimiter<String>,
    address: DefaultKeyedRateLimiter<IpAddr>,
}

/// How long to wait before the next attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // Somebody who has forgotten which password it was.
            pair: RateLimiter::keyed(quota(10, 10)),
            // Many addresses at one account: slower, yet its owner is not kept out for long.
            account: RateLimiter::keyed(quota(30, 30)),
            // One address at many accounts. A whole company may share an address.
            address: RateLimiter::keyed(quota(60, 60)),
        }
    }
}

/// So many at once, and so many more a minute.
fn quota(burst: u32, minute: u32) -> Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(at_least_one(minute)).allow_burst(at_least_one(burst))
}

impl Limits {
    /// Counts an attempt; says how long to wait where there were too many.
    pub(crate) fn attempt(&self, from: IpAddr, email: &str) -> Result<(), Wait> {
        self.forget();
        let clock = DefaultClock::default();
        let wait = |not_until: governor::NotUntil<_>| Wait(not_until.wait_time_from(clock.now()));
        self.address.check_key(&from).map_err(wait)?;
        self.pair.check_key(&(from, email.to_owned())).map_err(wait)?;
        self.account.check_key(&email.to_owned()).map_err(wait)
    }

    /// Lets go of what no longer counts, so that memory stays bounded by what comes in within a minute.
    fn forget(&self) {
        if self.pair.len() > MANY {
            self.pair.retain_recent();
            self.account.retain_recent();
            self.address.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_attempt_in_a_row_has_to_wait() {
        let limits = Limits::default();
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..10 {
            assert_eq!(limits.attempt(here, "ann@example.com"), Ok(()));
        }
        let Wait(wait) = limits.attempt(here, "ann@example.com").unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(6), "{wait:?}");
        // Another account from here and the same account from elsewhere are not kept out by it.
        assert_eq!(limits.attempt(here, "bob@example.com"), Ok(()));
        assert_eq!(limits.attempt("192.0.2.2".parse().unwrap(), "ann@example.com"), Ok(()));
    }

    #[test]
    fn many_addresses_at_one_account_are_slowed_down() {
        let limits = Limits::default();
        let refused = (0..100u8)
            .filter(|&n| limits.attempt(IpAddr::from([198, 51, 100, n]), "ann@example.com").is_err())
            .count();
        assert!((65..=70).contains(&refused), "{refused}");
    }
}
