//! Whether the host that should serve now does: it answers, is of the right version, and is not the one that was to end.

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
    /// Releases of before this field have none.
    run: Option<String>,
}

/// The host that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answering {
    pub(super) version: String,
    /// Which run of the host it is; releases of before that word have none.
    pub(super) run: Option<String>,
}

/// The host that answers there now, if any does.
pub(super) async fn now(address: SocketAddr) -> Option<Answering> {
    let Health { version, run, .. } = tokio::time::timeout(ANSWER, ask(address)).await.ok()?.ok()?;
    Some(Answering { version, run })
}

/// What answers in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The new host, after this time.
    Serves(Duration),
    /// The host that was to be restarted; it is of the right version.
    Unchanged,
}

/// Waits until a host of this version answers there that is another run than `before`: a command that restarts a service may
/// come back while the old host still answers. The error says what answered last.
pub(super) async fn wait(
    address: SocketAddr,
    version: &Version,
    before: Option<&str>,
    limit: Duration,
) -> Result<Waited, String> {
    let begun = Instant::now();
    loop {
        let found = match tokio::time::timeout(ANSWER, ask(address)).await {
            Ok(Ok(health)) if health.status != "ok" => format!("says that it is `{}`", health.status),
            Ok(Ok(health)) if health.version != version.to_string() => {
                format!("is version {}", health.version)
            }
            Ok(Ok(health)) if before.is_none() || health.run.as_deref() != before => {
                return Ok(Waited::Serves(begun.elapsed()));
            }
            Ok(Ok(_)) if begun.elapsed() >= limit => return Ok(Waited::Unchanged),
            Ok(Ok(_)) => "is still the one that was to be restarted".to_owned(),
            Ok(Err(why)) => why,
            Err(_) => "does not answer".to_owned(),
        };
        if begun.elapsed() >= limit {
            return Err(format!("after {} s the host at {address} {found}", limit.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A host whose first answers are those of run `old`, all later ones those of run `new`.
    async fn restarting(old_answers: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answered = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let old = answered.fetch_add(1, Ordering::Relaxed) < old_answers;
                let run = if old { "old" } else { "new" };
                let body = format!(r#"{{"status":"ok","version":"0.2.0","run":"{run}"}}"#);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    stream.read(&mut request).await.unwrap();
                    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_host_that_was_to_be_restarted_is_not_taken_for_the_new_one() {
        let version = Version::new(0, 2, 0);
        let address = restarting(3).await;
        assert_eq!(now(address).await.unwrap().run.as_deref(), Some("old"));
        let waited = wait(address, &version, Some("old"), Duration::from_secs(60)).await.unwrap();
        assert!(matches!(waited, Waited::Serves(_)), "{waited:?}");
        assert_eq!(now(address).await.unwrap().run.as_deref(), Some("new"));

        let never = restarting(usize::MAX).await;
        let waited = wait(never, &version, Some("old"), Duration::from_millis(300)).await.unwrap();
        assert_eq!(waited, Waited::Unchanged);
        // Where nothing answered before, whatever is of the right version is the new one.
        let waited = wait(never, &version, None, Duration::from_secs(60)).await.unwrap();
        assert!(matches!(waited, Waited::Serves(_)), "{waited:?}");
    }
}
