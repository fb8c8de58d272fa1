//! Accepting connections and answering on them, until another host has the socket or this one ends.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::future::RouteFuture;
use futures_util::future::{Either, Ready, ready};
use hub_manifest::limits::{Limit, Limits};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower::Service;

use super::bodies::{Answered, Received, Upload};
use super::door::{Conn, Counted, Door, Full, Phase, Place, asked_to_leave, places};
use super::line::Line;
use super::pace::Patience;
use crate::access::Proxies;
use crate::base::Base;
use crate::life::Watch;
use crate::problem::Problem;
use crate::purse::{Held, Purse, busy, no_room, paid};
use crate::streams;
use crate::web::headers;

/// How long a connection of a host that has handed over may be silent. A client that has just been answered may send its
/// next request before it reads that the connection is no more: nothing is closed under its hands.
const SILENCE: Duration = Duration::from_secs(5);

/// An answer of fewer bytes than this costs nothing of what all answers share.
const LARGE: u64 = 64 * 1024;

/// What is said to one who may not come in.
const REFUSAL: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncache-control: no-store\r\n",
    "x-content-type-options: nosniff\r\ncontent-type: application/problem+json\r\ncontent-length: 120\r\n\r\n",
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"busy","#,
    r#""detail":"too many connections are open"}"#,
);

/// How connections are served.
pub(super) struct Terms {
    door: Arc<Door>,
    proxies: Proxies,
    base: Base,
    head: Duration,
    idle: Duration,
    head_bytes: usize,
    receive: Patience,
    send: Patience,
    /// What bodies of requests, and what large answers may hold.
    bodies: Arc<Purse>,
    answers: Arc<Purse>,
}

impl Terms {
    /// By these limits. Raises the process's limit of open files as far as they take.
    pub(super) fn new(limits: &Limits, proxies: Proxies, base: Base, answers: Arc<Purse>) -> Terms {
        Terms {
            door: Door::new(places(limits), limits.size(Limit::ConnectionsPerAddress)),
            proxies,
            base,
            head: limits.time(Limit::HeadSeconds),
            idle: limits.time(Limit::IdleSeconds),
            head_bytes: limits.size(Limit::HeadBytes),
            receive: Patience { grace: limits.time(Limit::BodySeconds), rate: limits.get(Limit::BodyRate) },
            send: Patience { grace: limits.time(Limit::SendSeconds), rate: limits.get(Limit::SendRate) },
            bodies: Purse::new(limits.get(Limit::BodiesMemory)),
            answers,
        }
    }

    /// How many connections may be open.
    pub(super) fn places(&self) -> usize {
        self.door.places()
    }
}

/// Accepts and answers until the host serves no more; then answers what comes on open connections, and returns when the
/// last of them is closed.
pub(super) async fn serve(listener: TcpListener, app: axum::Router, watch: Watch, terms: Terms) {
    let terms = Arc::new(terms);
    // Each connection holds a sender; nothing is ever sent.
    let (open, mut closed) = mpsc::channel::<Infallible>(1);
    let mut closing = watch.clone();
    // Looked at with every answer, so it is cheaper than a watch.
    let last = Arc::new(AtomicBool::new(false));
    let accepting = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    refused(&error, &terms.door).await;
                    continue;
                }
            };
            let ip = peer.ip().to_canonical();
            let place = match terms.door.enter(ip, terms.proxies.believes(ip)).await {
                Ok(place) => place,
                Err(full) => {
                    terms.door.tell(full, ip);
                    // One that does not even take this is closed without a word.
                    let _ = stream.try_write(REFUSAL.as_bytes());
                    continue;
                }
            };
            let (app, watch, terms) = (app.clone(), watch.clone(), terms.clone());
            let (last, open) = (last.clone(), open.clone());
            tokio::spawn(async move {
                answer(stream, peer, place, app, last, watch, terms).await;
                drop(open);
            });
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

/// A client that is gone again is no error; where the host has no descriptor left, one is made free.
async fn refused(error: &io::Error, door: &Door) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept a connection");
        door.make_room();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Answers all requests of one connection; once `last` is set, one more at most.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    app: axum::Router,
    last: Arc<AtomicBool>,
    watch: Watch,
    terms: Arc<Terms>,
) {
    // Answers are written whole: waiting for more would only delay them. Where that cannot be set they come all the same.
    let _ = stream.set_nodelay(true);
    let conn = place.conn.clone();
    let proxy = terms.proxies.believes(peer.ip().to_canonical());
    let mut builder = http1::Builder::new();
    // Silence and slow heads are the line's: one timer a connection, where this would be one a request.
    builder
        .header_read_timeout(None)
        .max_header_size(terms.head_bytes)
        .max_buf_size(terms.head_bytes.max(8192) + 8192);
    let line = Line::new(stream, place, terms.idle, terms.head, terms.send);
    // What all connections share is counted by all processors: a request counts this connection's part alone.
    let here = Arc::new(Here { app, last, terms: terms.clone(), conn: conn.clone(), peer, proxy });
    let service = service_fn(move |request| respond(request, &here));
    let connection = builder.serve_connection(TokioIo::new(line), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = asked_to_leave(&terms.door, &conn) => return,
        () = patience(watch) => {}
    }
    // One that is silent is closed; one that is being answered is closed after the answer.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        // What a connection ends with is its client's to see.
        _ = connection => {}
        () = asked_to_leave(&terms.door, &conn) => {}
    }
}

/// What a connection's requests are answered with.
struct Here {
    app: axum::Router,
    last: Arc<AtomicBool>,
    terms: Arc<Terms>,
    conn: Arc<Conn>,
    peer: SocketAddr,
    /// Whether the peer is a proxy that is believed.
    proxy: bool,
}

/// Begins to answer one request. All that can be told without waiting is told here, so that little of it has to move on with
/// what waits.
fn respond(mut request: hyper::Request<Incoming>, here: &Arc<Here>) -> Responding {
    let Here { app, terms, conn, peer, proxy, .. } = &**here;
    conn.enter(Phase::Working);
    // What nobody says of a request is not looked for again.
    let proxied = *proxy && Proxies::speak(request.headers());
    let tls = proxied && terms.proxies.tls(peer.ip(), request.headers());
    let mut responding = Responding {
        asked: Either::Right(ready(Ok(Response::default()))),
        here: here.clone(),
        upload: None,
        counted: None,
        api: false,
        tls,
    };
    let refused = |problem: Problem| Either::Right(ready(Ok(problem.into_response())));
    if proxied {
        match caller(terms, peer.ip(), &request) {
            Ok(counted) => responding.counted = counted,
            Err(full) => {
                terms.door.tell(full, terms.proxies.seen(peer.ip(), request.headers()).address);
                responding.asked = refused(busy("too many requests of this address are under way"));
                return responding;
            }
        }
    }
    if let Some(why) = ambiguous(&request) {
        responding.asked = refused(Problem::bad_request(why));
        return responding;
    }
    if let Cow::Owned(uri) = terms.base.strip(request.uri()) {
        *request.uri_mut() = uri;
    }
    // A client that would rather speak HTTP/2 is answered as any other; nobody is to count it as a WebSocket.
    if request.extensions().get::<OnUpgrade>().is_some()
        && request.headers().get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"h2c"))
    {
        request.extensions_mut().remove::<OnUpgrade>();
    }
    request.extensions_mut().insert(ConnectInfo(*peer));
    responding.api = request.uri().path().starts_with("/api/");
    let request = request.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        let upload = responding.upload.insert(Upload::new()).clone();
        Body::new(Received::new(body, conn.clone(), upload, terms.bodies.clone(), terms.receive))
    });
    responding.asked = Either::Left(app.clone().call(request));
    responding
}

pin_project! {
    /// An answer on its way.
    struct Responding {
        #[pin]
        asked: Either<RouteFuture<Infallible>, Ready<Result<Response, Infallible>>>,
        here: Arc<Here>,
        upload: Option<Arc<Upload>>,
        counted: Option<Counted>,
        api: bool,
        tls: bool,
    }
}

impl Future for Responding {
    type Output = Result<Response<Answered>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = task::ready!(this.asked.poll(cx));
        let Here { last, terms, conn, .. } = &**this.here;
        if let Some(problem) = this.upload.as_ref().and_then(|upload| upload.failure()) {
            response = in_place_of(&response, problem.into_response());
        }
        let held = if *this.api { settle(&mut response, &terms.answers) } else { paid(&mut response) };
        let headers = response.headers_mut();
        headers::of_all(headers);
        if *this.tls {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, headers::ONLY_TLS);
        }
        if !terms.base.is_root() {
            headers::below(headers, &terms.base);
        }
        // One that becomes another protocol is no longer a connection for requests.
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if upgraded && let Some(open) = streams::brought(&mut response) {
            conn.hold(open);
        }
        if last.load(Ordering::Acquire) && !upgraded {
            // The next request is to come on a connection of its own, which somebody else accepts.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let counted = this.counted.take();
        Poll::Ready(Ok(response.map(|body| Answered::new(body, conn.clone(), held, counted, upgraded))))
    }
}

/// What an answer of the API holds of what all answers share; it gives way to a refusal where there is not as much. What has no
/// known size is a stream, which counts its parts itself.
fn settle(response: &mut Response, answers: &Arc<Purse>) -> Option<Held> {
    let mut held = paid(response);
    let Some(size) = response.body().size_hint().exact() else { return held };
    let size = if size >= LARGE { usize::try_from(size).unwrap_or(usize::MAX) } else { 0 };
    let enough = match &mut held {
        Some(held) => held.settle(size),
        None if size == 0 => true,
        None => {
            // Why there is none is said below.
            held = answers.ask(size as u64).ok();
            held.is_some()
        }
    };
    if enough {
        return held;
    }
    *response = in_place_of(response, no_room().into_response());
    None
}

/// Why nobody can tell which host a request is for: HTTP/1.1 names exactly one (RFC 9112, section 3.2), and of two a proxy in
/// front may have taken the other.
fn ambiguous<B>(request: &hyper::Request<B>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let differs = |host: &HeaderValue| {
        let named = request.uri().authority();
        named.is_some_and(|named| !named.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    };
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Some("the request has more than one Host header"),
        (None, None) if request.version() == Version::HTTP_11 => Some("the request has no Host header"),
        (Some(host), None) if !is_host(host) => Some("the Host header is not the name or address of a host"),
        (Some(host), None) if differs(host) => {
            Some("the request's target and its Host header name different hosts")
        }
        _ => None,
    }
}

/// A name or an address, with or without a port; nothing at all is allowed too, for what has no name.
fn is_host(host: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let bytes = host.as_bytes();
    // Most are nothing else, and need no parser.
    match bytes.iter().position(|byte| !plain(byte)).map(|end| bytes.split_at(end)) {
        None => return true,
        Some(([_, ..], [b':', port @ ..])) if port.iter().all(u8::is_ascii_digit) => return true,
        Some(_) => {}
    }
    let Ok(text) = host.to_str() else { return false };
    let Ok(authority) = text.parse::<Authority>() else { return text.is_empty() };
    let port = text.get(authority.host().len()..).unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    !text.contains('@') && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Counts the request for whom a proxy passes it on.
fn caller(terms: &Terms, peer: IpAddr, request: &hyper::Request<Incoming>) -> Result<Option<Counted>, Full> {
    match terms.proxies.behind(peer, request.headers()) {
        Some(address) => terms.door.request(address).map(Some),
        None => Ok(None),
    }
}

/// The answer in place of another one, under the same identifier.
fn in_place_of(other: &Response, mut response: Response) -> Response {
    if let Some(id) = other.headers().get("x-request-id") {
        response.headers_mut().insert("x-request-id", id.clone());
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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
    use axum::extract::Request;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::life::{Life, Stage};

    #[test]
    fn o8_a_request_names_one_host() {
        let why = |target: &str, version: Version, hosts: &[&str]| {
            let mut request = Request::builder().uri(target).version(version);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            ambiguous(&request.body(()).unwrap())
        };
        assert_eq!(why("/x", Version::HTTP_11, &["a"]), None);
        assert_eq!(why("/x", Version::HTTP_10, &[]), None);
        assert_eq!(why("http://a:80/x", Version::HTTP_11, &["A:80"]), None);
        assert!(why("/x", Version::HTTP_11, &[]).is_some());
        assert!(why("/x", Version::HTTP_11, &["a", "b"]).is_some());
        assert!(why("/x", Version::HTTP_10, &["a", "a"]).is_some());
        assert!(why("http://b/x", Version::HTTP_11, &["a"]).is_some());
        for host in ["hub.example.com", "127.0.0.1:8001", "[::1]:8001", "[::1]", "a:", ""] {
            assert_eq!(why("/x", Version::HTTP_11, &[host]), None, "{host}");
        }
        for host in
            ["a b", "[::1", "127.0.0.1:abc", "127.0.0.1/evil", "evil@127.0.0.1", "127.0.0.1, evil.example"]
        {
            assert!(why("/x", Version::HTTP_11, &[host]).is_some(), "{host}");
        }
    }

    // S20
    #[test]
    fn s20_a_refusal_is_an_answer_like_any_other() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    }

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
        let answers = Purse::new(1 << 20);
        let mut terms = Terms::new(&Limits::default(), Proxies::default(), Base::default(), answers);
        (terms.head, terms.idle) = (Duration::from_millis(300), Duration::from_millis(300));
        let server = tokio::spawn(serve(listener, app, stage.watch(), terms));

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
        assert!(text.contains("x-content-type-options: nosniff\r\n"), "{text}");
        stage.enter(Life::Ending);
        timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
    }
}
