//! Passwords: hashed with argon2id, off the threads that answer requests, a few at a time and few that wait.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::http::StatusCode;
use hub_manifest::limits::{Limit, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Shortest password that is taken.
pub(crate) const MIN_CHARS: usize = 10;
/// Longest one, so that hashing it stays cheap.
pub(crate) const MAX_CHARS: usize = 200;

/// What a password is held against where there is no such account: as costly as any other, and fits none. The hash is of
/// bytes that nobody has kept.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$BDpxh3TFcr2KJa2+sb/NXA$PSqbglZ5msbFsqtHvshjvy/22lEpnhxITiPTfhsOYGQ";

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    strangers: Lane,
    known: Lane,
}

/// Those who wait for each other. A known device never waits for strangers.
struct Lane {
    /// Those that are computed, and those that wait.
    all: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A place among those who wait. Whoever has one is answered.
pub(crate) struct Turn {
    running: Arc<Semaphore>,
    place: OwnedSemaphorePermit,
}

impl Lane {
    fn new(running: usize, waiting: usize) -> Lane {
        Lane { all: Arc::new(Semaphore::new(running + waiting)), running: Arc::new(Semaphore::new(running)) }
    }
}

impl Passwords {
    pub(crate) fn new(limits: &Limits) -> Passwords {
        let waiting = limits.size(Limit::SignInsWaiting);
        Passwords {
            strangers: Lane::new(limits.size(Limit::SignInsAtOnce), waiting),
            known: Lane::new(1, waiting),
        }
    }

    /// A place in the queue; 503 where it is full.
    pub(crate) fn turn(&self, known_device: bool) -> Result<Turn, Problem> {
        let lane = if known_device { &self.known } else { &self.strangers };
        let place = lane.all.clone().try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                .code("sign-in-busy")
                .detail("too many people sign in just now; try again in a moment")
                .retry_after(2)
        })?;
        Ok(Turn { running: lane.running.clone(), place })
    }
}

impl Turn {
    /// The PHC string to keep.
    pub(crate) async fn hash(self, password: String) -> Result<String, Problem> {
        self.aside(move || hash(&password)).await?.map_err(Problem::internal)
    }

    /// Whether the password is the one that was hashed. Without a hash, there being no such user, as much is computed:
    /// how long the answer takes tells nobody who has an account.
    pub(crate) async fn verify(self, password: String, known: Option<String>) -> Result<bool, Problem> {
        self.aside(move || verify(&password, known.as_deref())).await
    }

    /// Whoever asked may be gone before it is computed: who hangs up drops this future, and what has begun goes on. So the
    /// places are the work's, and are free again when that is done.
    async fn aside<T: Send + 'static>(
        self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Turn { running, place } = self;
        let places = (running.acquire_owned().await.map_err(Problem::internal)?, place);
        let work = move || {
            let _places = places;
            compute()
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }
}

/// The PHC string of a password, computed on this thread.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|e| e.to_string())?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash: argon2::password_hash::phc::PasswordHash| hash.to_string()).map_err(|e| e.to_string())
}

fn verify(password: &str, known: Option<&str>) -> bool {
    let known = known.and_then(|text| PasswordHash::new(text).ok());
    let Some(held) = held_against(known.as_ref()) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &held).is_ok() && known.is_some()
}

/// What a password is held against: the account's hash, or one that costs as much where there is none, or none that can be
/// read.
fn held_against(known: Option<&PasswordHash>) -> Option<PasswordHash> {
    known.cloned().or_else(|| PasswordHash::new(NOBODYS).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hashed = hash("correct horse").unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, hash("correct horse").unwrap());
        assert!(verify("correct horse", Some(&hashed)));
        assert!(!verify("correct horses", Some(&hashed)));
        assert!(!verify("nobody's", None));
        assert!(!verify("x", Some("no hash at all")));
        assert!(!verify("", Some("!")));
    }

    // S11: the time follows from the parameters and lengths alone, and those are no matter of a machine's load.
    #[test]
    fn s11_an_unknown_account_costs_what_a_known_one_costs() {
        let real = hash("correct horse").unwrap();
        let real = PasswordHash::new(&real).unwrap();
        let costs = |held: &PasswordHash| {
            let lengths = (held.salt.map(|salt| salt.len()), held.hash.map(|hash| hash.as_bytes().len()));
            (held.algorithm.to_string(), held.version, held.params.to_string(), lengths)
        };
        let known = held_against(Some(&real)).unwrap();
        assert_eq!(known, real);
        // No account, and one whose hash cannot be read.
        let unknown = held_against(None).unwrap();
        assert_eq!(costs(&unknown), costs(&real));
        assert_ne!(unknown.hash, real.hash);
    }

    // S11
    #[test]
    fn s11_the_queue_is_bounded_and_a_known_device_has_its_own() {
        let limits = Limits::default().with(Limit::SignInsAtOnce, 1).with(Limit::SignInsWaiting, 3);
        let passwords = Passwords::new(&limits);
        let turns: Vec<_> = (0..4).map(|_| passwords.turn(false).unwrap()).collect();
        let refused = passwords.turn(false).err().unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(passwords.turn(true).is_ok());
        drop(turns);
        assert!(passwords.turn(false).is_ok());
    }

    // S11: a client that hangs up while its password is computed leaves no room for another one.
    #[tokio::test]
    async fn s11_work_that_nobody_waits_for_any_more_keeps_its_place() {
        let limits = Limits::default().with(Limit::SignInsAtOnce, 1).with(Limit::SignInsWaiting, 1);
        let passwords = Passwords::new(&limits);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let asked = tokio::spawn(passwords.turn(false).unwrap().aside(move || {
            let _ = begun.send(());
            ends.recv()
        }));
        has_begun.await.unwrap();
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        // One that waits for its turn is gone as soon as its client is.
        for _ in 0..3 {
            let next = passwords.turn(false).unwrap().aside(|| ());
            assert!(tokio::time::timeout(std::time::Duration::from_millis(50), next).await.is_err());
        }
        let waits = passwords.turn(false).unwrap();
        assert!(passwords.turn(false).is_err());
        end.send(()).unwrap();
        waits.aside(|| ()).await.unwrap();
        assert!(passwords.turn(false).is_ok());
    }
}
