//! Whether the host that should serve now does: it answers, and is of the right version.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use semver::Version;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::settings::reason;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// How long to wait before asking again. Asking more often takes time from the host that is starting, and costs callers
/// requests.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
}

/// Waits until a host of this version answers there; gives the time that took. The error says what answered last.
pub(super) async fn wait(
    address: SocketAddr,
    version: &Version,
    limit: Duration,
) -> Result<Duration, String> {
    let begun = Instant::now();
    loop {
        let found = match tokio::time::timeout(ANSWER, ask(address)).await {
            Ok(Ok(health)) if health.status != "ok" => format!("says that it is `{}`", health.status),
            Ok(Ok(health)) if health.version == version.to_string() => return Ok(begun.elapsed()),
            Ok(Ok(health)) => format!("is version {}", health.version),
            Ok(Err(why)) => why,
            Err(_) => "does not answer".to_owned(),
        };
        if begun.elapsed() >= limit {
            return Err(format!("after {} s the host at {address} {found}", limit.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The version that answers there now.
pub(super) async fn version(address: SocketAddr) -> Option<String> {
    tokio::time::timeout(ANSWER, ask(address)).await.ok()?.ok().map(|health| health.version)
}

async fn ask(address: SocketAddr) -> Result<Health, String> {
    let no_answer = |why: String| format!("does not answer ({why})");
    let stream = TcpStream::connect(address).await.map_err(|e| no_answer(reason(&e)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| no_answer(e.to_string()))?;
    tokio::spawn(connection);
    let request = Request::get("/api/health").header(header::HOST, address.to_string()).body(Body::empty());
    let request = request.map_err(|e| no_answer(e.to_string()))?;
    let answer = sender.send_request(request).await.map_err(|e| no_answer(e.to_string()))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("answers {}", answer.status()));
    }
    let body = axum::body::to_bytes(Body::new(answer.into_body()), 64 * 1024).await;
    let body = body.map_err(|e| no_answer(e.to_string()))?;
    serde_json::from_slice(&body).map_err(|_| "is no host of this platform".to_owned())
}
