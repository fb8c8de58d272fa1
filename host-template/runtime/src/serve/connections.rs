//! Accepting connections and answering on them, until another host has the socket or this one ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::life::Watch;

/// How long a connection of a host that has handed over may be silent. A client that has just been answered may send its
/// next request before it reads that the connection is no more: nothing is closed under its hands.
const SILENCE: Duration = Duration::from_secs(5);

/// How long a client may take to send the head of a request, from when the one before was answered: a connection that sends
/// a byte now and then does not hold a place for ever. Longer than the minute for which proxies keep a silent connection
/// for their next request, so that they close it first.
pub(super) const HEAD: Duration = Duration::from_secs(75);

/// Accepts and answers until the host serves no more; then answers what comes on open connections, and returns when the
/// last of them is closed.
pub(super) async fn serve(listener: TcpListener, app: axum::Router, watch: Watch, head: Duration) {
    // Each connection holds a sender; nothing is ever sent.
    let (open, mut closed) = mpsc::channel::<Infallible>(1);
    let mut closing = watch.clone();
    // Looked at with every answer, so it is cheaper than a watch.
    let last = Arc::new(AtomicBool::new(false));
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (app, watch) = (app.clone(), watch.clone());
                    let (last, open) = (last.clone(), open.clone());
                    tokio::spawn(async move {
                        answer(stream, peer, app, last, watch, head).await;
                        drop(open);
                    });
                }
                Err(error) => refused(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = closing.closing() => {}
    }
    last.store(true, Ordering::Release);
    // What waits to be accepted is the successor's, where there is one: the socket itself lives on in its hands.
    drop(listener);
    drop(open);
    closed.recv().await;
}

/// A client that is gone again is no error; where the host has no descriptor left, some will be closed soon.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept a connection");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Answers all requests of one connection; once `last` is set, one more at most.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    app: axum::Router,
    last: Arc<AtomicBool>,
    watch: Watch,
    head: Duration,
) {
    // Answers are written whole: waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answering = app.clone().oneshot(request);
        let last = last.clone();
        async move {
            let mut response: Response = answering.await?;
            // One that becomes another protocol is no longer a connection for requests.
            if last.load(Ordering::Acquire) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                // The next request is to come on a connection of its own, which somebody else accepts.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = patience(watch) => {}
    }
    // One that is silent is closed; one that is being answered is closed after the answer.
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Returns when a connection on which nothing happens has to go. All others were told to close with their last answer.
async fn patience(mut watch: Watch) {
    watch.closing().await;
    tokio::select! {
        () = watch.ending() => {}
        () = tokio::time::sleep(SILENCE) => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::life::{Life, Stage};

    #[tokio::test]
    async fn a_client_that_never_comes_to_the_point_is_sent_away() {
        let stage = Stage::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(900)).await;
            "done"
        };
        let app = axum::Router::new().route("/", get(slow));
        let server = tokio::spawn(serve(listener, app, stage.watch(), Duration::from_millis(300)));

        let mut slowly = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        let drip = async {
            for byte in b"GET / HTTP/1.1\r\nhost: x\r\nx-a: b".iter().cycle() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if slowly.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(5), drip).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(300));

        // An answer may take longer than its question.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut text = String::new();
        timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await.unwrap().unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("done"), "{text}");
        stage.enter(Life::Ending);
        timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
    }
}
