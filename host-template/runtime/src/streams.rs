//! Event streams that are open, counted by person and by organisation: a stream holds a connection for as long as its client
//! likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use hub_manifest::limits::{Limit, Limits};

use crate::access::Caller;
use crate::problem::Problem;

/// How many are open, by identifier of a person or an organisation.
#[derive(Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// One that is open.
pub(crate) struct Open {
    counts: Arc<Mutex<HashMap<String, usize>>>,
    keys: [String; 2],
}

impl Streams {
    /// Counts one more, where the caller and the organisation may have it.
    pub(crate) fn open(&self, caller: &Caller, limits: &Limits) -> Result<Open, Problem> {
        self.count(&caller.user().id, &caller.org().id, limits)
    }

    /// How many are open.
    pub(crate) fn count_open(&self) -> usize {
        let counts = locked(&self.0);
        counts.iter().filter(|(key, _)| key.starts_with("user ")).map(|(_, count)| count).sum()
    }

    fn count(&self, user: &str, org: &str, limits: &Limits) -> Result<Open, Problem> {
        let keys = [format!("user {user}"), format!("org {org}")];
        let most = [limits.size(Limit::StreamsPerUser), limits.size(Limit::StreamsPerOrg)];
        let mut counts = locked(&self.0);
        for ((key, most), whose) in keys.iter().zip(most).zip(["you have", "this organisation has"]) {
            if counts.get(key).is_some_and(|count| *count >= most) {
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS)
                    .code("too-many-streams")
                    .detail(format!("{whose} {most} event streams open already; close one first"))
                    .retry_after(5));
            }
        }
        for key in &keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
        drop(counts);
        Ok(Open { counts: self.0.clone(), keys })
    }
}

fn locked(counts: &Mutex<HashMap<String, usize>>) -> MutexGuard<'_, HashMap<String, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = locked(&self.counts);
        for key in &self.keys {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_streams_are_counted_by_person_and_by_organisation() {
        let streams = Streams::default();
        let limits = Limits::default().with(Limit::StreamsPerUser, 2).with(Limit::StreamsPerOrg, 3);
        let first = streams.count("ann", "north", &limits).unwrap();
        let _second = streams.count("ann", "north", &limits).unwrap();
        let told = streams.count("ann", "north", &limits).err().unwrap();
        assert_eq!(told.status(), 429);
        let third = streams.count("bob", "north", &limits).unwrap();
        assert!(streams.count("cat", "north", &limits).is_err());
        assert!(streams.count("cat", "south", &limits).is_ok());
        drop(first);
        assert!(streams.count("ann", "north", &limits).is_ok());
        drop(third);
        assert!(!locked(&streams.0).contains_key("user bob"));
    }
}
