//! What handlers take and give: path, query and JSON body, whose rejections are problems that name the field.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub_manifest::limits::Limit;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ctx::Ctx;
use crate::objects::Objects;
use crate::problem::{FieldError, Problem};

/// The parameters of the path: `Path(id): Path<String>` for `/records/{id}`.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

/// The query string as a struct.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// A JSON body, of the request or of the answer.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(path_problem(rejection)),
        }
    }
}

fn path_problem(rejection: PathRejection) -> Problem {
    let PathRejection::FailedToDeserializePathParams(inner) = rejection else {
        return Problem::internal(format_args!("path parameters: {rejection}"));
    };
    match inner.into_kind() {
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            Problem::invalid_field(key, format!("`{value}` is not of type {expected_type}"))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => {
            Problem::invalid_field(key, "is not valid UTF-8 once decoded")
        }
        ErrorKind::DeserializeError { key, value, message } => {
            Problem::invalid_field(key, format!("`{value}`: {message}"))
        }
        ErrorKind::ParseError { value, expected_type } => {
            Problem::invalid_field("path", format!("`{value}` is not of type {expected_type}"))
        }
        // The handler asks for what its path does not have: the plugin's mistake, not the caller's.
        other => Problem::internal(format_args!("path parameters: {other}")),
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Query).map_err(|e| {
            let path = e.path().to_string();
            Problem::invalid(vec![field_error(&path, &e.inner().to_string())])
        })
    }
}

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, Problem> {
        let bytes = json_body(request, state).await?;
        parse(&bytes).map(Json)
    }
}

impl<T, S> OptionalFromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    /// None where the body is empty, whatever its type is said to be, or `null`.
    async fn from_request(request: Request, state: &S) -> Result<Option<Json<T>>, Problem> {
        let json = is_json(request.headers());
        // What is said to be something else, and is something, is not read.
        let length = request.body().size_hint();
        if !json && length.lower() > 0 {
            return Err(not_json());
        }
        let bytes = whole(request, state).await?;
        match bytes.is_empty() {
            true => Ok(None),
            false if json => parse::<Option<T>>(&bytes).map(|value| value.map(Json)),
            false => Err(not_json()),
        }
    }
}

/// A JSON body of a request that anybody may send: small, and soon there.
#[derive(Debug, Clone)]
pub(crate) struct Brief<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Ctx> for Brief<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, ctx: &Ctx) -> Result<Brief<T>, Problem> {
        let limits = &ctx.hub().limits;
        brief(request, limits.size(Limit::SignInBytes), limits.time(Limit::SignInSeconds)).await.map(Brief)
    }
}

async fn brief<T: DeserializeOwned>(request: Request, most: usize, time: Duration) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE)
            .detail(format!("the body is larger than this route takes, which is {most} bytes"))
    };
    if request.body().size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let read = axum::body::to_bytes(request.into_body(), most);
    match tokio::time::timeout(time, read).await {
        Ok(Ok(bytes)) => parse(&bytes),
        // The only error of its own that `to_bytes` has.
        Ok(Err(error)) if is_too_large(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("the body did not arrive whole")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT)
            .code("body-too-slow")
            .detail(format!("the body did not arrive within {} seconds", time.as_secs()))),
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The bytes of a body that says it is JSON.
async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    whole(request, state).await
}

fn not_json() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .detail("the body has to be JSON, with `Content-Type: application/json`")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut json))
        .map_err(|e| json_problem(&e.path().to_string(), e.inner()))?;
    json.end().map_err(|e| json_problem(".", &e))?;
    Ok(value)
}

/// All of the body, as far as the route takes it.
async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE).detail("the body is larger than this route takes")
        }
        _ => Problem::bad_request("the body did not arrive whole"),
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn json_problem(path: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    if error.is_data() {
        // The place in the text says nothing that the field's name does not say better.
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |s| s.0);
        Problem::invalid(vec![field_error(path, message)])
    } else {
        Problem::bad_request(format!("the body is not valid JSON: {text}"))
    }
}

/// A serde error as one field's: serde names a missing or unknown field in its text only.
fn field_error(path: &str, message: &str) -> FieldError {
    let below = |name: &str| match path {
        "." | "?" => name.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    let quoted = |prefix: &str| {
        message.strip_prefix(prefix).and_then(|rest| rest.split_once('`')).map(|(name, _)| name)
    };
    if let Some(name) = quoted("missing field `") {
        return FieldError { field: below(name), message: "is required".to_owned() };
    }
    if let Some(name) = quoted("unknown field `") {
        return FieldError {
            // serde_path_to_error has gone into the unknown field already.
            field: match path.strip_suffix(name) {
                Some(_) => path.to_owned(),
                None => below(name),
            },
            message: message.to_owned(),
        };
    }
    FieldError {
        field: match path {
            "." | "?" => "body".to_owned(),
            path => path.to_owned(),
        },
        message: message.to_owned(),
    }
}

/// Memory behind an answer that is not worth giving back.
const SLACK: usize = 64 * 1024;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(mut bytes) => {
                // A large answer may wait for its reader: what it was written into is up to twice as large.
                if bytes.capacity() - bytes.len() > SLACK {
                    bytes.shrink_to_fit();
                }
                json_response(bytes)
            }
            Err(error) => Problem::internal(format_args!("cannot write the answer: {error}")).into_response(),
        }
    }
}

/// An answer with a body that is JSON already.
pub(crate) fn json_response(bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(axum::body::Body::from(bytes.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 201 with the new thing and, in `Location`, where it is.
#[derive(Debug, Clone)]
pub struct Created<T> {
    /// Absolute path of the new thing.
    pub location: String,
    /// The new thing.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::CREATED;
            if let Ok(location) = HeaderValue::from_str(&self.location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Address {
        city: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct New {
        title: String,
        beds: u32,
        address: Address,
    }

    async fn body(text: &'static str, kind: &'static str) -> Problem {
        let request = Request::post("/").header("content-type", kind);
        let request = request.body(axum::body::Body::from(text)).unwrap();
        <Json<New> as FromRequest<()>>::from_request(request, &()).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_body_that_does_not_fit_names_its_field() {
        let check = async |text, field: &str, message: &str| {
            let problem = body(text, "application/json; charset=utf-8").await;
            assert_eq!(problem.status(), 422, "{problem}");
            let error = &problem.body().errors[0];
            assert_eq!((error.field.as_str(), error.message.as_str()), (field, message));
        };
        check("{}", "title", "is required").await;
        check(r#"{"title":"a","beds":-1}"#, "beds", "invalid value: integer `-1`, expected u32").await;
        check(r#"{"title":"a","beds":1,"address":{}}"#, "address.city", "is required").await;
        check(
            r#"{"titel":"a"}"#,
            "titel",
            "unknown field `titel`, expected one of `title`, `beds`, `address`",
        )
        .await;
        let array = "invalid type: sequence, expected a JSON object";
        check("[]", "body", array).await;
        check(r#"["a",1,{"city":"b"}]"#, "body", array).await;
        check(r#"{"title":"a","beds":1,"address":["b"]}"#, "address", array).await;
    }

    #[tokio::test]
    async fn a_body_that_cannot_be_read_is_a_bad_request() {
        let problem = body("{\"title\": ", "application/json").await;
        assert_eq!(
            problem.to_string(),
            "400 Bad Request: the body is not valid JSON: EOF while parsing a value at line 1 column 10"
        );
        assert_eq!(body("{}", "text/plain").await.status(), 415);
        assert_eq!(body("{} {}", "application/json").await.status(), 422);
    }

    /// O12: what is not there needs no type.
    #[tokio::test]
    async fn o12_a_body_that_may_be_left_out() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Scope {
            scope: String,
        }
        let ask = async |kind: Option<&str>, text: &'static str| {
            let mut request = Request::post("/");
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let request = request.body(axum::body::Body::from(text)).unwrap();
            let read = <Json<Scope> as OptionalFromRequest<()>>::from_request(request, &()).await;
            read.map(|json| json.map(|Json(Scope { scope })| scope))
                .map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(ask(None, "").await, Ok(None));
        assert_eq!(ask(Some("application/json"), "").await, Ok(None));
        assert_eq!(ask(Some("application/x-www-form-urlencoded"), "").await, Ok(None));
        assert_eq!(ask(Some("application/json"), r#"{"scope":"org"}"#).await, Ok(Some("org".to_owned())));
        assert_eq!(ask(None, r#"{"scope":"org"}"#).await, Err(415));
        assert_eq!(ask(Some("text/plain"), "x").await, Err(415));
        assert_eq!(ask(Some("application/json"), "{").await, Err(400));
        assert_eq!(ask(Some("application/json"), "{}").await, Err(422));
        assert_eq!(ask(Some("application/json"), r#"["org"]"#).await, Err(422));
    }

    /// S6: what anybody may send is small, and does not come for ever.
    #[tokio::test]
    async fn s6_a_brief_body_is_small_and_soon_there() {
        let ask = async |body: axum::body::Body| {
            let request = Request::post("/").header("content-type", "application/json").body(body).unwrap();
            brief::<serde_json::Value>(request, 10, Duration::from_millis(50))
                .await
                .map_err(|p| p.status().as_u16())
        };
        assert!(ask("[1,2,3]".into()).await.is_ok());
        assert_eq!(ask("[1,2,3,4,5,6,7]".into()).await, Err(413));
        let parts = |texts: &'static [&'static str]| {
            let parts = texts.iter().map(|text| Ok::<_, std::io::Error>(Bytes::from_static(text.as_bytes())));
            futures_util::stream::iter(parts)
        };
        // Of a length that nobody told before.
        assert_eq!(ask(axum::body::Body::from_stream(parts(&["[1,2,3,", "4,5,6,7]"]))).await, Err(413));
        let never = futures_util::StreamExt::chain(parts(&["[1"]), futures_util::stream::pending());
        assert_eq!(ask(axum::body::Body::from_stream(never)).await, Err(408));
    }

    #[tokio::test]
    async fn a_query_that_does_not_fit_names_its_field() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Filter {
            beds: Option<u32>,
        }
        let (mut parts, ()) = Request::get("/?beds=many").body(()).unwrap().into_parts();
        let problem = Query::<Filter>::from_request_parts(&mut parts, &()).await.unwrap_err();
        assert_eq!(problem.body().errors[0].field, "beds");
        assert_eq!(problem.body().errors[0].message, "invalid digit found in string");
    }
}
