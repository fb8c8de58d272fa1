//! Passwords: hashed with argon2id, off the threads that answer requests.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Shortest password that is taken.
pub(crate) const MIN_CHARS: usize = 10;
/// Longest one, so that hashing it stays cheap.
pub(crate) const MAX_CHARS: usize = 200;

/// Hashes that are computed at the same time: each takes 19 MiB.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords.
pub(crate) struct Passwords(Semaphore);

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords(Semaphore::new(AT_ONCE))
    }
}

impl Passwords {
    /// The PHC string to keep.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        self.aside(move || hash(&password)).await?.map_err(Problem::internal)
    }

    /// Whether the password is the one that was hashed. Without a hash, there being no such user, as much is computed:
    /// how long the answer takes tells nobody who has an account.
    pub(crate) async fn verify(&self, password: String, known: Option<String>) -> Result<bool, Problem> {
        self.aside(move || verify(&password, known.as_deref())).await
    }

    async fn aside<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _turn = self.0.acquire().await.map_err(Problem::internal)?;
        tokio::task::spawn_blocking(compute).await.map_err(Problem::internal)
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
    static NOBODYS: LazyLock<String> = LazyLock::new(|| hash("nobody's").unwrap_or_default());
    let text = known.unwrap_or(&NOBODYS);
    let Ok(parsed) = PasswordHash::new(text) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known.is_some()
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
    }
}
