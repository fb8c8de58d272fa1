//! Statements that wait for a lock in vain are not tried at every call: each one would hold a connection for as long as a lock
//! is waited for, and a few callers of one locked table would leave none to all others.
//!
//! It costs a statement one look at a number as long as nothing is locked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Error;

/// Failures in a row after which a statement is held back.
const FAILURES: u32 = 3;
/// How long; then one call tries again.
const PAUSE: Duration = Duration::from_secs(2);
/// Failures that are further apart have nothing to do with each other.
const APART: Duration = Duration::from_secs(30);

struct Locked {
    failures: u32,
    last: Instant,
    next: Instant,
}

static KNOWN: AtomicUsize = AtomicUsize::new(0);
static LOCKED: LazyLock<Mutex<HashMap<u64, Locked>>> = LazyLock::new(Mutex::default);

fn key(sql: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    sql.hash(&mut hasher);
    hasher.finish()
}

/// An error where the statement is held back. Asked with a connection in hand: those who waited for one meanwhile give it
/// back at once.
pub(super) fn ask(sql: &str) -> Result<(), Error> {
    if KNOWN.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
    match locked.get_mut(&key(sql)) {
        Some(one) if one.failures >= FAILURES => {
            let now = Instant::now();
            if now < one.next {
                return Err(Error::Busy);
            }
            // This one tries; others do not until it knows.
            one.next = now + PAUSE;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What came of it.
pub(super) fn tell<T>(sql: &str, result: Result<T, Error>) -> Result<T, Error> {
    let failed = result.as_ref().is_err_and(Error::is_lock_timeout);
    if !failed && KNOWN.load(Ordering::Relaxed) == 0 {
        return result;
    }
    let now = Instant::now();
    let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed {
        locked.retain(|_, one| now < one.last + APART);
        let one = locked.entry(key(sql)).or_insert(Locked { failures: 0, last: now, next: now });
        (one.failures, one.last, one.next) = (one.failures + 1, now, now + PAUSE);
    } else if result.is_ok() {
        locked.remove(&key(sql));
    }
    KNOWN.store(locked.len(), Ordering::Relaxed);
    result
}
