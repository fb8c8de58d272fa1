//! Event streams and WebSockets that are open, counted by person, by organisation, and all together: each holds a connection for as
//! long as its client likes, and never gives way to another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use axum::response::Response;
use hub_manifest::limits::{Limit, Limits};

use crate::access::Caller;
use crate::problem::Problem;
use crate::purse::busy;

/// How many are open, by identifier of a person or an organisation.
pub(crate) struct Streams {
    counts: Arc<Mutex<HashMap<String, usize>>>,
    /// All of them together.
    most: AtomicUsize,
}

impl Default for Streams {
    /// As many as people like, until somebody knows how many connections there can be.
    fn default() -> Streams {
        Streams { counts: Arc::default(), most: AtomicUsize::new(usize::MAX) }
    }
}

/// One that is open.
pub(crate) struct Open {
    counts: Arc<Mutex<HashMap<String, usize>>>,
    keys: Vec<String>,
}

/// How the place of a connection that becomes another protocol's comes to it.
#[derive(Clone)]
struct Ticket(Arc<Open>);

impl Streams {
    /// Counts one more, where the caller and the organisation may have it.
    pub(crate) fn open(&self, caller: &Caller, limits: &Limits) -> Result<Open, Problem> {
        self.count(&caller.user().id, &caller.org().id, limits)
    }

    /// The same for a connection that becomes another protocol's, such as a WebSocket. Where the host does not know who asks, it
    /// counts among all of them alone.
    pub(crate) fn upgrade(&self, caller: Option<&Caller>, limits: &Limits) -> Result<Open, Problem> {
        match caller {
            Some(caller) => self.open(caller, limits),
            // Nobody has this identifier.
            None => self.take(vec![("user ".to_owned(), usize::MAX, "you have")]),
        }
    }

    /// How many are open.
    pub(crate) fn count_open(&self) -> usize {
        total(&locked(&self.counts))
    }

    /// So many at most from here on, all of them together; those of one organisation leave half of that to others.
    pub(crate) fn at_most(&self, most: usize) {
        self.most.store(most.max(1), Ordering::Relaxed);
    }

    fn count(&self, user: &str, org: &str, limits: &Limits) -> Result<Open, Problem> {
        let all = self.most.load(Ordering::Relaxed);
        let of_org = limits.size(Limit::StreamsPerOrg).min((all / 2).max(1));
        let of_user = limits.size(Limit::StreamsPerUser).min(of_org);
        self.take(vec![
            (format!("user {user}"), of_user, "you have"),
            (format!("org {org}"), of_org, "this organisation has"),
        ])
    }

    /// Counts one more of each of these, which may have so many.
    fn take(&self, of: Vec<(String, usize, &str)>) -> Result<Open, Problem> {
        let all = self.most.load(Ordering::Relaxed);
        let mut counts = locked(&self.counts);
        for (key, most, whose) in &of {
            if counts.get(key).is_some_and(|count| count >= most) {
                return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS)
                    .code("too-many-streams")
                    .detail(format!(
                        "{whose} {most} event streams and WebSockets open already; close one first"
                    ))
                    .retry_after(5));
            }
        }
        if total(&counts) >= all {
            let why = format!(
                "{all} event streams and WebSockets are open, which is half of the connections that the host can have"
            );
            return Err(busy(&why).retry_after(5));
        }
        let keys: Vec<String> = of.into_iter().map(|(key, ..)| key).collect();
        for key in &keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
        drop(counts);
        Ok(Open { counts: self.counts.clone(), keys })
    }
}

impl Open {
    /// Goes to the connection with the answer that makes it another protocol's.
    pub(crate) fn go_with(self, response: &mut Response) {
        response.extensions_mut().insert(Ticket(Arc::new(self)));
    }
}

/// What goes to the connection with this answer.
pub(crate) fn brought(response: &mut Response) -> Option<Arc<Open>> {
    let Ticket(open) = response.extensions_mut().remove()?;
    Some(open)
}

fn total(counts: &HashMap<String, usize>) -> usize {
    counts.iter().filter(|(key, _)| key.starts_with("user ")).map(|(_, count)| count).sum()
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
        assert!(!locked(&streams.counts).contains_key("user bob"));
    }

    // S6
    #[test]
    fn s6_a_socket_of_nobody_known_counts_among_all() {
        let (streams, limits) = (Streams::default(), Limits::default());
        streams.at_most(40);
        let mut sockets: Vec<Open> = (0..1000).map_while(|_| streams.upgrade(None, &limits).ok()).collect();
        assert_eq!((sockets.len(), streams.count_open()), (40, 40));
        assert_eq!(streams.upgrade(None, &limits).err().unwrap().status(), 503);
        assert_eq!(streams.count("ann", "north", &limits).err().unwrap().status(), 503);
        // With its answer it comes to the connection, which is the last to have it.
        let mut response = Response::default();
        sockets.pop().unwrap().go_with(&mut response);
        let held = brought(&mut response).unwrap();
        assert!(brought(&mut response).is_none());
        assert!(streams.count("ann", "north", &limits).is_err());
        drop(held);
        assert!(streams.count("ann", "north", &limits).is_ok());
        drop(sockets);
        assert_eq!(streams.count_open(), 0);
    }

    // S6: whatever the limits say, others find a connection.
    #[test]
    fn s6_streams_leave_connections_to_others() {
        let streams = Streams::default();
        let limits = Limits::default();
        streams.at_most(10);
        let many = |org: &str, count: usize| -> Vec<Open> {
            (0..count).map_while(|n| streams.count(&format!("{org} {n}"), org, &limits).ok()).collect()
        };
        let (north, south) = (many("north", 1000), many("south", 1000));
        assert_eq!((north.len(), south.len()), (5, 5));
        let told = streams.count("eve", "east", &limits).err().unwrap();
        assert_eq!((told.status().as_u16(), told.body().code.as_deref()), (503, Some("busy")));
        drop(south);
        assert_eq!(many("east", 1000).len(), 5);
        // One person leaves as much to others as an organisation does.
        drop(north);
        let own = (0..1000).map_while(|_| streams.count("ann", "north", &limits).ok()).collect::<Vec<Open>>();
        assert_eq!(own.len(), 5);
    }
}
