//! `serve`: listens, answers, hands over to another host when asked to, and ends in good order.

mod bodies;
mod connections;
mod control;
mod door;
mod inherit;
mod line;
mod lock;
mod notify;
mod pace;
mod successor;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_manifest::environment;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::connections::Terms;
use self::control::{Asker, Control, Outcome, Serving, Wish};
pub(crate) use self::control::{HandedOver, ask, who};
pub(crate) use self::inherit::{Inherited, take};
use self::lock::{DataLock, DatabaseLock, RunsLock};
use self::notify::Notify;
use self::successor::{Predecessor, Successor};
use crate::app;
use crate::fault::Fault;
use crate::host::Hub;
use crate::life::Life;
use crate::locate::Absent;
use crate::platform::Platform;
use crate::process;
use crate::runs::fences::bare;
use crate::runs::{self, Before, Comes};
use crate::settings::{self, Database, process_env, reason};
use crate::start::{self, Judged, Options};

/// How long requests under way may take once the host is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// The same while the page is being worked on, where an event stream never ends by itself.
const DEV_GRACE: Duration = Duration::from_millis(200);
/// How long requests under way may take once another host has taken over. Nobody waits for this one: a download that
/// takes minutes is answered to its end.
const LAST_ANSWERS: Duration = Duration::from_secs(300);
/// How long the database may take to be closed. SQLite puts what its log holds into the file then; cut off in that, it has lost
/// nothing: the log stays as it is until all of it is in the file and on the disk, and the next one who opens the file begins anew.
const CLOSING: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, or until another host has taken over.
pub(crate) async fn run(
    platform: &Platform,
    listen: SocketAddr,
    options: &Options<'_>,
    inherited: Inherited,
) -> Result<(), Fault> {
    let Inherited { listener, predecessor, lock, database, notify } = inherited;
    let broken = |e: io::Error| cannot_listen(listen, &e);
    let predecessor = predecessor.map(Predecessor::new).transpose().map_err(broken)?;
    let from = Begin { listener, lock, database, handed_over: predecessor.is_some() };
    let started = match start(platform, listen, options, from).await {
        Ok(started) => started,
        Err(fault) => {
            if let Some(predecessor) = predecessor {
                predecessor.refuse(fault.what()).await;
            }
            return Err(fault);
        }
    };
    serve(started, predecessor, notify, if options.dev { DEV_GRACE } else { GRACE }).await;
    Ok(())
}

/// A host that could answer.
struct Started {
    listener: TcpListener,
    address: SocketAddr,
    /// The listening socket once more, for a successor.
    socket: OwnedFd,
    signals: Signals,
    hub: Arc<Hub>,
    app: axum::Router,
    /// The data folder, for as long as this host serves.
    lock: DataLock,
    /// The same of a database that is a file.
    database: Option<DatabaseLock>,
    /// Until its last run has ended.
    runs: RunsLock,
    /// How it comes to the queue.
    comes: Comes,
}

/// What a host begins with.
struct Begin {
    listener: Option<std::net::TcpListener>,
    lock: Option<OwnedFd>,
    database: Option<String>,
    handed_over: bool,
}

async fn start(
    platform: &Platform,
    listen: SocketAddr,
    options: &Options<'_>,
    from: Begin,
) -> Result<Started, Fault> {
    let broken = |e: io::Error| cannot_listen(listen, &e);
    // First of all, so that a host that runs already is found out before its database is touched.
    let (data, _) = settings::data_dir(options.env)?;
    let lock = DataLock::take(&data, from.lock)?;
    let (runs, alone) = RunsLock::take(&data, from.handed_over)?;
    let listener = match from.listener {
        Some(listener) => TcpListener::from_std(listener),
        None => TcpListener::bind(listen).await,
    };
    let listener = listener.map_err(broken)?;
    let address = listener.local_addr().unwrap_or(listen);
    let listener = listener.into_std().map_err(broken)?;
    let socket = OwnedFd::from(listener.try_clone().map_err(broken)?);
    let listener = TcpListener::from_std(listener).map_err(broken)?;
    let signals = Signals::new()?;
    let named = settings::database((options.env)(environment::DATABASE_URL).as_deref(), &data)?;
    // First, so that what is another application's gets no note of this host's beside it.
    let judged = Judged::of(named, &data, Absent::Made).await?;
    let database = match &judged.database {
        Database::Sqlite(file) => DatabaseLock::take(file, &data, from.database.as_deref())?,
        Database::Postgres(_) => None,
    };
    let parts = start::parts(platform, options, address, judged).await?;
    let (hub, app) = app::assemble(parts).await.map_err(|e| {
        Fault::machine(
            format!("cannot read the state of the plugins: {e}"),
            e.help("see that the database answers, and start again"),
        )
    })?;
    if options.dev {
        start::enable_all(&hub).await;
    }
    let comes = comes(&hub, alone, from.handed_over).await?;
    tracing::info!("listening on http://{address}");
    tell_lacks(&hub.data);
    Ok(Started { listener, address, socket, signals, hub, app, lock, database, runs, comes })
}

/// Says what cannot be kept from runs and scripts here. Trying it takes two processes of this program, for which no start waits.
fn tell_lacks(data: &Path) {
    let data = data.to_path_buf();
    let tell = move || {
        if let Some(text) = process::blind() {
            tracing::warn!("{text}");
        }
        bare(&process_env, &data).iter().for_each(|text| tracing::warn!("{text}"));
        match process::held() {
            Ok(held) => held.lacks().for_each(|lack| tracing::warn!("{lack}")),
            Err(error) => {
                tracing::warn!(%error, "it is not known what runs and scripts can read on this machine")
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("fences".to_owned()).spawn(tell) {
        tracing::warn!(%error, "it is not known what runs and scripts can read on this machine");
    }
}

/// How the host comes to the queue, once the database knows it. A host that is handed over to has its identifier from the one
/// before it, which still serves.
async fn comes(hub: &Hub, alone: bool, handed_over: bool) -> Result<Comes, Fault> {
    if handed_over {
        return Ok(Comes::After);
    }
    let unsaid = |e: crate::db::Error| {
        Fault::machine(
            format!("cannot say in the database that this host is there: {e}"),
            "see that the database answers, and start again",
        )
    };
    // Only until it has arrived.
    if let Some(told) = hub.runs.presence.newcomer(&hub.db).await.map_err(unsaid)? {
        tracing::warn!("{told}");
    }
    let arrived = hub.runs.presence.arrive(&hub.db).await.map_err(unsaid)?;
    match arrived {
        Ok(Before::Own) if alone => Ok(Comes::Alone),
        Ok(_) => Ok(Comes::Beside),
        Err(what) => Err(Fault::machine(
            what,
            format!(
                "if {} is a copy of that host's data folder, remove host-id from the copy: the next start makes another \
                 identifier; else stop that host first",
                hub.data.display()
            ),
        )),
    }
}

/// How a host's service ends.
enum End {
    /// By this signal.
    Asked(&'static str),
    /// By another host, and somebody wants to hear of it.
    HandedOver(Box<Successor>, Asker, Instant),
}

async fn serve(started: Started, predecessor: Option<Predecessor>, notify: Notify, grace: Duration) {
    let Started { listener, address, socket, signals, hub, app, lock, database, runs: held_runs, comes } =
        started;
    let mut held_runs = Some(held_runs);
    let Signals { mut ending, hangup } = signals;
    let following = tokio::spawn(follow(hub.clone(), hangup, notify.clone()));
    let terms = Terms::new(&hub.limits, hub.proxies.clone(), hub.base.clone(), hub.answers.clone());
    hub.streams.at_most(terms.places() / 2);
    let mut answering = tokio::spawn(connections::serve(listener, app, hub.stage.watch(), terms));
    if let Some(predecessor) = predecessor {
        // Its runs stay its own, and it takes no more of them from here on.
        predecessor.relieve().await;
        if let Err(error) = lock.sign() {
            tracing::warn!(error = reason(&error), "host.lock names the process before this one");
        }
        if let Some(database) = &database {
            database.sign();
        }
    }
    notify.tell("READY=1");
    let queue = tokio::spawn(runs::work(hub.clone(), comes));
    let about = Serving { pid: std::process::id(), address, version: hub.version.clone() };
    let held = Held { socket: &socket, lock: &lock, database: database.as_ref(), notify: &notify };
    let end = asked(&hub, about, &mut ending, &held).await;
    drop(socket);
    let name = match end {
        End::Asked(name) => {
            notify.tell("STOPPING=1");
            name
        }
        End::HandedOver(mut successor, asker, begun) => {
            let taken = HandedOver { pid: successor.pid, millis: millis(begun) };
            // From here on systemd hears of the other alone.
            notify.tell(&format!("MAINPID={}", taken.pid));
            hub.stage.enter(Life::HandedOver);
            let _ = queue.await;
            successor.let_go().await;
            // It is the successor's alone: what is still under way here is in nobody's way.
            drop(lock);
            if let Some(database) = &database {
                database.let_go();
            }
            tracing::info!(pid = taken.pid, millis = taken.millis, "handed over");
            asker.tell(&Outcome::HandedOver(taken)).await;
            // Runs go on to their own end or limit: what has been under way for an hour is not begun anew.
            let last_run = async {
                hub.runs.idle().await;
                drop(held_runs.take());
            };
            let rest = async {
                // What is not answered by then is cut off with the process.
                let _ = tokio::join!(tokio::time::timeout(LAST_ANSWERS, &mut answering), last_run);
            };
            tokio::select! {
                () = rest => "handed over",
                name = ending.next() => name,
            }
        }
    };
    tracing::info!("{name}: finishing what is under way");
    hub.stage.enter(Life::Ending);
    if !answering.is_finished() {
        tokio::select! {
            _ = &mut answering => {}
            () = tokio::time::sleep(grace) => tracing::info!("requests still under way are cut off"),
            name = ending.next() => tracing::info!("{name} again: ending at once"),
        }
    }
    let _ = tokio::time::timeout(GRACE, hub.runs.idle()).await;
    following.abort();
    let _ = following.await;
    match tokio::time::timeout(CLOSING, hub.db.close()).await {
        // Not before SQLite has closed the file.
        Ok(()) => drop(database),
        Err(_) => {
            if let Some(why) = hub.db.unclosed() {
                tracing::warn!("the database was not closed within {} s: {why}", CLOSING.as_secs());
            }
            // Closing the descriptor would take SQLite's own locks away while it still writes, and let another host in beside it:
            // the system closes all of them at once when the process has ended.
            std::mem::forget(database);
        }
    }
    tracing::info!("ended");
}

/// What a host gives to its successor.
struct Held<'a> {
    socket: &'a OwnedFd,
    lock: &'a DataLock,
    database: Option<&'a DatabaseLock>,
    notify: &'a Notify,
}

/// Waits until the host is asked to end, or another one has become ready to take its place.
async fn asked(hub: &Hub, about: Serving, ending: &mut Ending, held: &Held<'_>) -> End {
    let control = match Control::bind(&hub.data, about) {
        Ok(control) => control,
        Err(error) => {
            tracing::warn!(
                error = reason(&error),
                "cannot be asked to hand over: no socket in the data folder"
            );
            return End::Asked(ending.next().await);
        }
    };
    loop {
        let (wish, asker) = tokio::select! {
            asked = control.next() => asked,
            name = ending.next() => return End::Asked(name),
        };
        let begun = Instant::now();
        let why = tokio::select! {
            started = hand_over(&hub.install, &wish, held) => match started {
                Ok(successor) => return End::HandedOver(Box::new(successor), asker, begun),
                Err(why) => why,
            },
            name = ending.next() => {
                asker.tell(&Outcome::Failed(format!("{name}: the host was asked to end"))).await;
                return End::Asked(name);
            }
        };
        tracing::error!(millis = millis(begun), "cannot hand over, and serves on: {why}");
        asker.tell(&Outcome::Failed(why)).await;
    }
}

/// Starts the successor. It has this host's environment: a variable that was changed since needs a restart.
async fn hand_over(install: &Path, wish: &Wish, held: &Held<'_>) -> Result<Successor, String> {
    if std::process::id() == 1 {
        return Err("the host is the first process of a container, which ends with it".to_owned());
    }
    let program = successor::program(install)
        .map_err(|e| format!("cannot tell which program to start: {}", reason(&e)))?;
    tracing::info!("handing over to {}", program.display());
    successor::start(&program, held, Duration::from_secs(wish.seconds)).await
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Why an address cannot be listened on, and what to do.
pub(crate) fn cannot_listen(address: SocketAddr, error: &io::Error) -> Fault {
    let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8001));
    match error.kind() {
        io::ErrorKind::AddrInUse => Fault::machine(
            format!("cannot listen on {address}: another program uses that port"),
            format!(
                "stop that program (a host that runs already?), or choose another port: serve --listen {other}"
            ),
        ),
        io::ErrorKind::PermissionDenied => Fault::machine(
            format!("cannot listen on {address}: this user may not use that port"),
            "choose a port above 1023 and put a proxy in front: serve --listen 127.0.0.1:8001",
        ),
        io::ErrorKind::AddrNotAvailable => Fault::machine(
            format!("cannot listen on {address}: this machine has no such address"),
            "choose one that it has; 0.0.0.0 stands for all: serve --listen 0.0.0.0:8001",
        ),
        _ => Fault::machine(
            format!("cannot listen on {address}: {}", reason(error)),
            "choose another address: serve --listen 127.0.0.1:8001",
        ),
    }
}

/// Follows other hosts' changes, and has customer plugins looked for anew on SIGHUP.
async fn follow(hub: Arc<Hub>, mut hangup: Signal, notify: Notify) {
    let reload = async {
        while hangup.recv().await.is_some() {
            // systemd hears of its service from the host that serves.
            let serves = hub.stage.now() == Life::Serving;
            if serves {
                notify.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic()));
            }
            let reloaded = hub.reload().await;
            if serves {
                notify.tell("READY=1");
            }
            match reloaded {
                Ok(()) => tracing::info!("SIGHUP: looked for customer plugins anew"),
                Err(error) => {
                    tracing::error!(%error, "SIGHUP: cannot look for customer plugins anew");
                }
            }
        }
    };
    tokio::join!(reload, hub.follow());
}

/// Microseconds on the clock that systemd compares with.
fn monotonic() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// The signals that the host knows.
struct Signals {
    ending: Ending,
    hangup: Signal,
}

/// The signals that end the host.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Fault> {
        let catch = |kind| {
            signal(kind).map_err(|e| {
                Fault::machine(
                    format!("cannot catch signals: {}", reason(&e)),
                    "run the host where a process may set signal handlers",
                )
            })
        };
        let ending =
            Ending { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? };
        Ok(Signals { ending, hangup: catch(SignalKind::hangup())? })
    }
}

impl Ending {
    /// Waits for one; gives its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
