//! Who may come in: connections are counted, all of them and by sender, and below the number of files that the process may
//! have open. Where all places are taken, the connection gives way that has waited longest for its client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hub_manifest::limits::{Limit, Limits};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

use crate::access::sender;
use crate::streams::Open;

/// Places that may be taken twice for a moment: by one that gives way, and by the one that comes instead.
const LEAVING: usize = 32;

/// Files besides connections: the database's, runs', assets that are read, drivers, logs.
fn reserve(files: u64) -> u64 {
    (files / 4).clamp(48, 1024)
}

/// How many connections the process can have. Raises its own limit of open files as far as that takes, and the system lets it.
pub(super) fn places(limits: &Limits) -> usize {
    let wanted = limits.get(Limit::Connections);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = wanted.saturating_add(1024);
    let possible = maximum.unwrap_or(u64::MAX).min(needed);
    let mut files = current.unwrap_or(u64::MAX);
    if files < possible {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }) {
            Ok(()) => files = possible,
            Err(error) => tracing::warn!(%error, files, "cannot raise the limit of open files"),
        }
    }
    let places = wanted.min(files.saturating_sub(reserve(files)).max(8));
    if places < wanted {
        tracing::warn!(
            files,
            places,
            wanted,
            "fewer connections than HUB_CONNECTIONS allows: raise the limit of open files (LimitNOFILE=, ulimit -n)"
        );
    }
    usize::try_from(places).unwrap_or(usize::MAX)
}

/// What a connection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// No byte of the next request has come.
    Idle,
    /// The head of a request is coming.
    Head,
    /// The body of a request is waited for.
    Body,
    /// A request is being answered.
    Working,
    /// It has become another protocol's.
    Upgraded,
}

/// One connection, as the door sees it.
pub(super) struct Conn {
    phase: AtomicU8,
    /// Milliseconds of the door's clock.
    since: AtomicU64,
    /// Whether the client does not take what is written.
    blocked: AtomicBool,
    leaving: AtomicBool,
    leave: Notify,
    begun: Instant,
    /// A proxied request that became another protocol: its sender has it for as long as the connection is open.
    kept: OnceLock<Counted>,
    /// Its place among event streams, where it became another protocol: from then on it never gives way.
    stream: OnceLock<Arc<Open>>,
}

impl Conn {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Body,
            3 => Phase::Working,
            _ => Phase::Upgraded,
        }
    }

    /// Its time counts from where it last waited for its client: within a request the clock is not read.
    pub(super) fn enter(&self, phase: Phase) {
        if phase == Phase::Idle {
            self.since.store(self.now(), Ordering::Relaxed);
        }
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// How long it has waited for its client, in its present phase or since before it.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// Goes on counting a request whose answer is the connection's last.
    pub(super) fn keep(&self, counted: Counted) {
        // A connection becomes another protocol once.
        drop(self.kept.set(counted));
    }

    /// Has this place for as long as it is open.
    pub(super) fn hold(&self, open: Arc<Open>) {
        // As above.
        drop(self.stream.set(open));
    }

    pub(super) fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Which connections go first: those on which nothing is lost. None for one that is being answered.
    fn dispensable(&self) -> Option<(u8, u64)> {
        let since = self.since.load(Ordering::Relaxed);
        match self.phase() {
            _ if self.leaving.load(Ordering::Relaxed) => None,
            phase @ (Phase::Idle | Phase::Head | Phase::Body) => Some((phase as u8, since)),
            Phase::Working if self.blocked.load(Ordering::Relaxed) => Some((Phase::Working as u8, since)),
            Phase::Working | Phase::Upgraded => None,
        }
    }
}

/// The door.
pub(super) struct Door {
    table: Mutex<Table>,
    most: usize,
    each: usize,
    begun: Instant,
    freed: Notify,
    /// When a refusal was last told, in seconds of the door's clock and one.
    told: AtomicU64,
}

#[derive(Default)]
struct Table {
    next: u64,
    conns: HashMap<u64, (IpAddr, Arc<Conn>)>,
    senders: HashMap<IpAddr, usize>,
    leaving: usize,
}

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All connections are being answered on.
    All,
    /// All that one sender may have.
    Sender,
}

impl Door {
    pub(super) fn new(most: usize, each: usize) -> Arc<Door> {
        Arc::new(Door {
            table: Mutex::default(),
            most,
            // One sender leaves room for others.
            each: each.min((most / 2).max(1)),
            begun: Instant::now(),
            freed: Notify::new(),
            told: AtomicU64::new(0),
        })
    }

    /// How many connections may be open.
    pub(super) fn places(&self) -> usize {
        self.most
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection. A proxy's are those of many senders, and are counted by request.
    pub(super) async fn enter(self: &Arc<Door>, peer: IpAddr, proxy: bool) -> Result<Place, Full> {
        loop {
            let freed = self.freed.notified();
            match self.try_enter(peer, proxy) {
                Ok(Some(place)) => return Ok(place),
                Err(full) => return Err(full),
                // Many are on their way out: each of them takes no longer than its task takes to be run.
                Ok(None) => freed.await,
            }
        }
    }

    /// None where enough are on their way out already.
    fn try_enter(self: &Arc<Door>, peer: IpAddr, proxy: bool) -> Result<Option<Place>, Full> {
        let sender = sender(peer);
        let mut table = self.table();
        if !proxy && table.senders.get(&sender).is_some_and(|count| *count >= self.each) {
            if table.leaving >= LEAVING {
                return Ok(None);
            }
            if !table.make_room(Some(sender)) {
                return Err(Full::Sender);
            }
        } else if table.conns.len() - table.leaving >= self.most {
            if table.leaving >= LEAVING {
                return Ok(None);
            }
            if !table.make_room(None) {
                return Err(Full::All);
            }
        }
        let conn = Arc::new(Conn {
            phase: AtomicU8::new(Phase::Idle as u8),
            since: AtomicU64::new(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)),
            blocked: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            leave: Notify::new(),
            begun: self.begun,
            kept: OnceLock::new(),
            stream: OnceLock::new(),
        });
        let number = table.next;
        table.next += 1;
        table.conns.insert(number, (sender, conn.clone()));
        let counted = (!proxy).then(|| Counted::of(self, sender, &mut table));
        Ok(Some(Place { door: self.clone(), number, conn, _counted: counted }))
    }

    /// Lets the one go that is the easiest to do without: there are no files left.
    pub(super) fn make_room(&self) {
        self.table().make_room(None);
    }

    /// Counts a request that a proxy passes on for this sender, until it is answered.
    pub(super) fn request(self: &Arc<Door>, of: IpAddr) -> Result<Counted, Full> {
        let sender = sender(of);
        let mut table = self.table();
        if table.senders.get(&sender).is_some_and(|count| *count >= self.each) {
            return Err(Full::Sender);
        }
        Ok(Counted::of(self, sender, &mut table))
    }

    /// Says in the log that somebody was refused, at most every ten seconds.
    pub(super) fn tell(&self, full: Full, who: IpAddr) {
        let now = self.begun.elapsed().as_secs() + 1;
        let last = self.told.load(Ordering::Relaxed);
        let due = last == 0 || now >= last + 10;
        if due && self.told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            match full {
                Full::All => tracing::warn!(
                    most = self.most,
                    "refusing connections: all of HUB_CONNECTIONS are being answered on"
                ),
                Full::Sender => {
                    tracing::warn!(%who, each = self.each, "refusing connections of one sender, which has HUB_CONNECTIONS_PER_ADDRESS")
                }
            }
        }
    }
}

impl Table {
    /// Asks one to leave; of this sender's, where one is named. False where none can.
    fn make_room(&mut self, sender: Option<IpAddr>) -> bool {
        let conns = self.conns.values().filter(|(whose, _)| sender.is_none_or(|sender| *whose == sender));
        let first =
            conns.filter_map(|(_, conn)| Some((conn.dispensable()?, conn))).min_by_key(|(key, _)| *key);
        let Some((_, conn)) = first else { return false };
        conn.leaving.store(true, Ordering::Relaxed);
        conn.leave.notify_one();
        self.leaving += 1;
        true
    }
}

/// One more of a sender's.
pub(super) struct Counted {
    door: Arc<Door>,
    sender: IpAddr,
}

impl Counted {
    fn of(door: &Arc<Door>, sender: IpAddr, table: &mut Table) -> Counted {
        *table.senders.entry(sender).or_default() += 1;
        Counted { door: door.clone(), sender }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut table = self.door.table();
        if let Some(count) = table.senders.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                table.senders.remove(&self.sender);
            }
        }
    }
}

/// A connection's place, for as long as the connection is open.
pub(super) struct Place {
    door: Arc<Door>,
    number: u64,
    pub(super) conn: Arc<Conn>,
    _counted: Option<Counted>,
}

/// Returns when the connection is to give its place to another.
pub(super) async fn asked_to_leave(door: &Door, conn: &Conn) {
    loop {
        conn.leave.notified().await;
        conn.leaving.store(false, Ordering::Relaxed);
        let goes = conn.dispensable().is_some();
        conn.leaving.store(goes, Ordering::Relaxed);
        if goes {
            return;
        }
        // A request has come meanwhile: it is answered.
        door.table().leaving -= 1;
        door.freed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.door.table();
        table.conns.remove(&self.number);
        if self.conn.leaving.load(Ordering::Relaxed) {
            table.leaving -= 1;
        }
        drop(table);
        self.door.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn s6_the_longest_silent_gives_way_and_never_one_that_is_answered() {
        let door = Door::new(3, 3);
        let proxy = address("127.0.0.1");
        let (a, b, c) = (
            door.enter(proxy, true).await.unwrap(),
            door.enter(proxy, true).await.unwrap(),
            door.enter(proxy, true).await.unwrap(),
        );
        a.conn.enter(Phase::Working);
        b.conn.enter(Phase::Body);
        c.conn.enter(Phase::Head);
        let d = door.enter(proxy, true).await.unwrap();
        // c is asked, as one whose request has hardly begun.
        tokio::time::timeout(std::time::Duration::from_secs(5), asked_to_leave(&door, &c.conn))
            .await
            .unwrap();
        drop(c);
        d.conn.enter(Phase::Working);
        let e = door.enter(proxy, true).await.unwrap();
        asked_to_leave(&door, &b.conn).await;
        drop(b);
        e.conn.enter(Phase::Working);
        assert_eq!(door.enter(proxy, true).await.err(), Some(Full::All));
        // One that takes nothing of its answer may go, too.
        a.conn.block(true);
        assert!(door.enter(proxy, true).await.is_ok());
    }

    #[tokio::test]
    async fn s6_one_sender_cannot_take_all_places() {
        let door = Door::new(10, 2);
        let mut places = Vec::new();
        for last in 1..=2 {
            // One /64 of IPv6 is one sender.
            let place = door.enter(address(&format!("2001:db8::{last}")), false).await.unwrap();
            place.conn.enter(Phase::Working);
            places.push(place);
        }
        assert_eq!(door.enter(address("2001:db8::9"), false).await.err(), Some(Full::Sender));
        assert!(door.enter(address("2001:db8:0:1::9"), false).await.is_ok());
        // What a proxy passes on counts by who sent it.
        let (one, two) =
            (door.request(address("203.0.113.9")).unwrap(), door.request(address("203.0.113.9")));
        assert!(two.is_ok());
        assert_eq!(door.request(address("203.0.113.9")).err(), Some(Full::Sender));
        drop(one);
        assert!(door.request(address("203.0.113.9")).is_ok());
        drop(places);
        assert!(door.enter(address("2001:db8::9"), false).await.is_ok());
        assert!(door.table().senders.len() <= 1, "nothing is kept of who has left");
    }
}
