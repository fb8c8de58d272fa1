//! How often somebody may try: counted in buckets of a bounded number, so that no flood of addresses fills the memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub_manifest::limits::{Limit, Limits};

/// Buckets that one table keeps: 16 bytes each.
const MANY: usize = 50_000;

/// So many at once, and so many more a minute, for each key. The key itself is not kept: a number made of it and of a
/// secret of this process stands for it.
pub(crate) struct Buckets {
    secret: RandomState,
    /// What one attempt costs, and what may be owed at most.
    each: Duration,
    most: Duration,
    begun: Instant,
    /// When each key will owe nothing any more.
    owed: Mutex<HashMap<u64, Duration>>,
}

impl Buckets {
    pub(crate) fn new(minute: u64) -> Buckets {
        let minute = u32::try_from(minute).unwrap_or(u32::MAX).max(1);
        Buckets {
            secret: RandomState::new(),
            each: Duration::from_secs(60) / minute,
            most: Duration::from_secs(60),
            begun: Instant::now(),
            owed: Mutex::default(),
        }
    }

    /// Counts an attempt; says how long to wait where there were too many.
    pub(crate) fn attempt(&self, key: impl Hash) -> Result<(), Wait> {
        self.attempt_at(key, self.begun.elapsed())
    }

    fn attempt_at(&self, key: impl Hash, now: Duration) -> Result<(), Wait> {
        let key = self.secret.hash_one(key);
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let free = owed.get(&key).copied().unwrap_or_default().max(now) + self.each;
        if let Some(wait) = free.checked_sub(now + self.most).filter(|wait| !wait.is_zero()) {
            return Err(Wait(wait));
        }
        if owed.len() >= MANY && !owed.contains_key(&key) {
            forget(&mut owed, now);
        }
        owed.insert(key, free);
        Ok(())
    }
}

/// Lets go of those that owe nothing, and where that is not enough of those that owe least: who floods is remembered longest.
fn forget(owed: &mut HashMap<u64, Duration>, now: Duration) {
    owed.retain(|_, free| *free > now);
    if owed.len() > MANY / 4 * 3 {
        let mut all: Vec<Duration> = owed.values().copied().collect();
        let (_, middle, _) = all.select_nth_unstable(MANY / 2);
        let middle = *middle;
        // Where all owe the same, all are let go.
        owed.retain(|_, free| *free > middle);
    }
}

/// How long to wait before the next attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// Where a request comes from, as far as it can be told apart: an IPv6 caller has a whole network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    V4(Ipv4Addr),
    /// The first half of an IPv6 address.
    V6(u64),
}

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Origin {
        match address.to_canonical() {
            IpAddr::V4(address) => Origin::V4(address),
            IpAddr::V6(address) => Origin::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// What tries to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Party<'a> {
    /// A device that the account has been signed in from before, by its number. Nobody else's tries keep it out.
    Known(&'a str),
    /// Anything else.
    Stranger,
}

/// The limits of one host; each replica has its own.
pub(crate) struct Attempts {
    devices: Buckets,
    pairs: Buckets,
    accounts: Buckets,
    addresses: Buckets,
    /// Addresses that an account has been signed in from of late; a program that keeps no cookies has no other mark.
    homes: Mutex<HashMap<u64, Duration>>,
    invitations: Buckets,
    reloads: Buckets,
    told: Buckets,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Attempts {
        let of = |limit| Buckets::new(limits.get(limit));
        Attempts {
            devices: of(Limit::SignInTriesDevice),
            // Somebody who has forgotten which password it was.
            pairs: of(Limit::SignInTriesDevice),
            // Many addresses at one account: slower. Its owner gets in from where it has been before.
            accounts: of(Limit::SignInTriesAccount),
            // One address at many accounts. A whole company may share an address.
            addresses: of(Limit::SignInTriesAddress),
            homes: Mutex::default(),
            invitations: of(Limit::Invitations),
            reloads: of(Limit::Reloads),
            told: Buckets::new(5),
        }
    }

    /// Counts an attempt to sign in; says how long to wait where there were too many.
    pub(crate) fn sign_in(&self, party: Party<'_>, from: IpAddr, email: &str) -> Result<(), Wait> {
        let from = Origin::of(from);
        if let Party::Known(device) = party {
            return self.devices.attempt((device, email));
        }
        self.pairs.attempt((from, email))?;
        self.addresses.attempt(from)?;
        if self.is_home(from, email) { Ok(()) } else { self.accounts.attempt(email) }
    }

    /// Remembers where an account has been signed in from.
    pub(crate) fn signed_in(&self, from: IpAddr, email: &str) {
        let key = self.pairs.secret.hash_one((Origin::of(from), email));
        let now = self.pairs.begun.elapsed();
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.len() >= MANY && !homes.contains_key(&key) {
            // The older half.
            let mut all: Vec<Duration> = homes.values().copied().collect();
            let (_, middle, _) = all.select_nth_unstable(MANY / 2);
            let middle = *middle;
            homes.retain(|_, seen| *seen > middle);
        }
        homes.insert(key, now);
    }

    fn is_home(&self, from: Origin, email: &str) -> bool {
        let key = self.pairs.secret.hash_one((from, email));
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&key)
    }

    /// Counts an invitation of an organisation.
    pub(crate) fn invitation(&self, org: &str) -> Result<(), Wait> {
        self.invitations.attempt(org)
    }

    /// Counts a look for customer plugins.
    pub(crate) fn reload(&self, org: &str) -> Result<(), Wait> {
        self.reloads.attempt(org)
    }

    /// Whether a refused attempt at an account is to be written into the audit log, which nobody may flood from outside.
    pub(crate) fn worth_telling(&self, account: &str) -> bool {
        self.told.attempt(account).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> Attempts {
        Attempts::new(&Limits::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_eleventh_attempt_in_a_row_has_to_wait() {
        let all = attempts();
        let here = address("192.0.2.1");
        let try_once = |from, email| all.sign_in(Party::Stranger, from, email);
        for _ in 0..10 {
            assert_eq!(try_once(here, "ann@example.com"), Ok(()));
        }
        let Wait(wait) = try_once(here, "ann@example.com").unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(6), "{wait:?}");
        // Another account from here and the same account from elsewhere are not kept out by it.
        assert_eq!(try_once(here, "bob@example.com"), Ok(()));
        assert_eq!(try_once(address("192.0.2.2"), "ann@example.com"), Ok(()));
    }

    // S11
    #[test]
    fn s11_seventy_tries_from_elsewhere_do_not_keep_out_a_known_device_or_a_known_address() {
        let all = attempts();
        all.signed_in(address("203.0.113.1"), "ann@example.com");
        let refused = (0..100u8)
            .filter(|&n| {
                all.sign_in(Party::Stranger, IpAddr::from([198, 51, 100, n]), "ann@example.com").is_err()
            })
            .count();
        assert!((65..=70).contains(&refused), "{refused}");
        let from_far = address("198.51.100.200");
        assert!(all.sign_in(Party::Stranger, from_far, "ann@example.com").is_err());
        assert_eq!(all.sign_in(Party::Known("laptop"), from_far, "ann@example.com"), Ok(()));
        assert_eq!(all.sign_in(Party::Stranger, address("203.0.113.1"), "ann@example.com"), Ok(()));
        // A device that was stolen guesses no faster than an address does.
        let tries =
            (0..50).filter(|_| all.sign_in(Party::Known("laptop"), from_far, "ann@example.com").is_ok());
        assert!(tries.count() <= 10);
        // Nor does it help at another account.
        assert_eq!(all.sign_in(Party::Known("laptop"), from_far, "bob@example.com"), Ok(()));
    }

    // S11
    #[test]
    fn s11_an_ipv6_network_of_64_bits_is_one_address() {
        let all = attempts();
        let tries = (0..100u16).filter(|n| {
            all.sign_in(Party::Stranger, address(&format!("2001:db8:1:2::{n:x}")), "ann@example.com").is_ok()
        });
        assert_eq!(tries.count(), 10);
        assert_eq!(all.sign_in(Party::Stranger, address("2001:db8:1:3::1"), "ann@example.com"), Ok(()));
        assert_eq!(Origin::of(address("::ffff:192.0.2.1")), Origin::of(address("192.0.2.1")));
    }

    // S11
    #[test]
    fn s11_no_flood_of_addresses_or_accounts_fills_the_memory_or_frees_a_flooder() {
        let buckets = Buckets::new(10);
        let at = Duration::from_secs(100);
        for _ in 0..10 {
            assert_eq!(buckets.attempt_at("flooder", at), Ok(()));
        }
        for n in 0..4 * MANY {
            assert_eq!(buckets.attempt_at(n, at + Duration::from_micros(n as u64)), Ok(()));
        }
        assert!(buckets.owed.lock().unwrap().len() <= MANY);
        assert!(buckets.attempt_at("flooder", at + Duration::from_secs(1)).is_err());
        let all = attempts();
        for n in 0..2 * MANY {
            all.signed_in(IpAddr::from((n as u32).to_be_bytes()), "ann@example.com");
        }
        assert!(all.homes.lock().unwrap().len() <= MANY);
    }

    #[test]
    fn a_bucket_empties_with_time() {
        let buckets = Buckets::new(2);
        let at = |seconds| buckets.attempt_at("x", Duration::from_secs(seconds)).is_ok();
        assert_eq!(
            [at(0), at(0), at(0), at(29), at(30), at(31), at(3600), at(3600), at(3600)],
            [true, true, false, false, true, false, true, true, false]
        );
    }
}
