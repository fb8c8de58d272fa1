//! `serve`: listens, answers, and ends in good order when asked to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::app;
use crate::fault::Fault;
use crate::live;
use crate::platform::Platform;
use crate::registry::Hub;
use crate::runs;
use crate::settings::reason;
use crate::start::{self, Options};

/// How long requests under way may take once the host is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// The same while the page is being worked on, where an event stream never ends by itself.
const DEV_GRACE: Duration = Duration::from_millis(200);

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(platform: &Platform, listen: SocketAddr, options: &Options<'_>) -> Result<(), Fault> {
    // First of all, so that a host that runs already is found out before its database is touched.
    let listener = TcpListener::bind(listen).await.map_err(|e| cannot_listen(listen, &e))?;
    let address = listener.local_addr().unwrap_or(listen);
    let signals = Signals::new()?;
    let parts = start::parts(platform, options).await?;
    let db = parts.db.clone();
    let (hub, app) = app::assemble(parts).await.map_err(|e| {
        Fault::machine(
            format!("cannot read the state of the plugins: {e}"),
            "see that the database answers, and start again",
        )
    })?;
    if options.dev {
        start::enable_all(&hub).await;
    }
    tracing::info!("listening on http://{address}");

    let listener = listener.tap_io(|stream| {
        // Answers are written whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
    });
    let (ending, mut ended) = watch::channel(false);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let following = follow(hub.clone(), signals.hangup);
    tokio::spawn(runs::work(hub.clone()));
    let shared = hub.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = ended.wait_for(|ending| *ending).await;
    });
    let grace = if options.dev { DEV_GRACE } else { GRACE };
    let stopped = async move {
        let mut signals = signals.ending;
        let name = signals.next().await;
        tracing::info!("{name}: finishing the requests under way");
        hub.ending.send_replace(true);
        let _ = ending.send(true);
        tokio::select! {
            () = tokio::time::sleep(grace) => tracing::info!("requests still under way are cut off"),
            name = signals.next() => tracing::info!("{name} again: ending at once"),
        }
    };
    tokio::select! {
        result = std::future::IntoFuture::into_future(server) => if let Err(e) = result {
            return Err(cannot_listen(address, &e));
        },
        () = stopped => {}
        () = following => {}
    }
    // Whichever way the server ended, the runs end too.
    shared.ending.send_replace(true);
    let _ = tokio::time::timeout(GRACE, shared.runs.idle()).await;
    let _ = tokio::time::timeout(Duration::from_secs(2), db.close()).await;
    tracing::info!("ended");
    Ok(())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Fault {
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

/// Follows other hosts' changes, and looks for customer plugins anew on SIGHUP.
async fn follow(hub: Arc<Hub>, mut hangup: Signal) {
    let reload = async {
        while hangup.recv().await.is_some() {
            match hub.reload().await {
                Ok(()) => tracing::info!("SIGHUP: looked for customer plugins anew"),
                Err(problem) => tracing::error!("SIGHUP: {problem}"),
            }
        }
    };
    tokio::join!(reload, live::follow(&hub.live, &hub.db));
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
