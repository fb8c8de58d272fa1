//! What every request passes: an identifier, one line in the log, an answer even where a handler panics.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::CatchUnwind;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Span;

use crate::metrics;
use crate::problem::Problem;
use crate::web::headers;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the middleware around every route and the fallback of an axum router.
pub fn wrap(router: axum::Router) -> axum::Router {
    router.layer(Observe)
}

/// The panic itself is in the log already, by the panic hook.
fn after_panic() -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
        .detail("The server could not do this. Its log says why, under this request's identifier.")
        .into_response()
}

/// Gives each request an identifier, a line in the log, and an answer where its handler panics.
#[derive(Clone, Copy)]
struct Observe;

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner }
    }
}

#[derive(Clone)]
struct Observed<S> {
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Observing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let id = request
            .headers()
            .get(&REQUEST_ID)
            .filter(|id| acceptable(id.as_bytes()))
            .cloned()
            .unwrap_or_else(new_id);
        // `acceptable` and `new_id` give plain ASCII.
        let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
        let about = About {
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            id,
        };
        // A route calls its handler only when it is polled.
        let inner = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Observing { inner, span, about: Some(about) }
    }
}

/// What the log says of a request.
struct About {
    started: Instant,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    id: HeaderValue,
}

pin_project! {
    struct Observing<F> {
        #[pin]
        inner: CatchUnwind<AssertUnwindSafe<F>>,
        span: Span,
        about: Option<About>,
    }
}

impl<F> Future for Observing<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _in_span = this.span.enter();
        // Nothing that a panic can have left half done is looked at again: the future is dropped.
        let response = match ready!(this.inner.poll(cx)) {
            Ok(Ok(response)) => response,
            Err(_payload) => after_panic(),
        };
        Poll::Ready(Ok(match this.about.take() {
            Some(about) => finish(about, response),
            None => response,
        }))
    }
}

/// Completes the answer and writes the line.
fn finish(about: About, mut response: Response) -> Response {
    let path = about.uri.path();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let problem = problem.located(path, about.id.to_str().unwrap_or_default());
        // A `HEAD` answer has had its body taken away.
        if response.body().size_hint().exact() != Some(0) {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::from(problem.json());
        }
    }
    let status = response.status().as_u16();
    metrics::count(status);
    let method = about.method.as_str();
    let micros = u64::try_from(about.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match &about.route {
        _ if status >= 500 => tracing::error!(method, path, status, micros, "request failed"),
        Some(route) => tracing::info!(method, route = route.as_str(), status, micros, "request"),
        // Pages and assets, and what there is not.
        None => tracing::debug!(method, path, status, micros, "request"),
    }
    let headers = response.headers_mut();
    if path.starts_with("/api/") {
        headers::of_api(headers);
    }
    headers.insert(REQUEST_ID.clone(), about.id);
    response
}

/// An identifier that a proxy in front of the host has given, unless it could not go into a log line.
fn acceptable(id: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    (1..=64).contains(&id.len()) && id.iter().all(plain)
}

/// An identifier that no other request of this process has, and hardly one of another process.
fn new_id() -> HeaderValue {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = *PROCESS.get_or_init(|| uuid::Uuid::now_v7().as_u64_pair().1);
    let mut text = *b"0000000000-0000000000";
    write_hex(&mut text[..10], process);
    write_hex(&mut text[11..], NEXT.fetch_add(1, Ordering::Relaxed));
    // Hexadecimal digits and a hyphen: always a header value.
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn write_hex(to: &mut [u8], mut number: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn ask(request: Request) -> (Response<()>, serde_json::Value) {
        async fn boom() -> &'static str {
            panic!("the handler's own fault")
        }
        async fn missing() -> Problem {
            Problem::not_found("no such thing")
        }
        let app = axum::Router::new().route("/boom", get(boom)).route("/missing", get(missing));
        let (parts, body) = wrap(app).oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn get_with_id(path: &str, id: &str) -> Request {
        Request::get(path).header("x-request-id", id).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_names_path_and_request() {
        let (response, json) = ask(get_with_id("/boom", "proxy-7")).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["x-request-id"], "proxy-7");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(json["instance"], "/boom");
        assert_eq!(json["request_id"], "proxy-7");
        assert!(!json.to_string().contains("own fault"), "{json}");
    }

    #[tokio::test]
    async fn an_identifier_that_could_forge_a_log_line_is_replaced() {
        let (response, json) = ask(get_with_id("/missing?q=1", "a b")).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-request-id"].len(), 21);
        assert_eq!(json["instance"], "/missing");
        let (other, _) = ask(get_with_id("/missing", &"x".repeat(65))).await;
        assert_ne!(response.headers()["x-request-id"], other.headers()["x-request-id"]);
    }

    #[tokio::test]
    async fn a_head_answer_has_no_body() {
        let request = Request::head("/missing").body(Body::empty()).unwrap();
        let (response, json) = ask(request).await;
        assert_eq!(response.status(), 404);
        assert_eq!(json, serde_json::Value::Null);
    }
}
