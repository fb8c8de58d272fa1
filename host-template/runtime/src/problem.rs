//! Every error that a caller sees: RFC 9457 `application/problem+json`.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What a handler gives: the value, or a [`Problem`] for the caller.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error as the caller sees it. Build one with [`Problem::not_found`] and its siblings.
#[derive(Debug, Clone)]
pub struct Problem(Box<ProblemBody>);

/// The members of a problem, as RFC 9457 names them, and ours.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URI of the kind of problem; `about:blank` where `status` says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words, the same each time.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// What went wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable word for programs, such as `plugin-not-configured`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Identifier of the request, which the log carries too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// One entry a field that is not acceptable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds until it is worth trying again, for the `Retry-After` header.
    #[serde(skip)]
    #[schema(ignore)]
    retry_after: Option<u64>,
}

/// What is wrong with one field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, nested ones with dots: `address.city`.
    pub field: String,
    /// What it has to be.
    pub message: String,
}

impl Problem {
    /// A problem of the given status, with no detail yet.
    pub fn new(status: StatusCode) -> Problem {
        Problem(Box::new(ProblemBody {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Unknown status").to_owned(),
            status: status.as_u16(),
            detail: None,
            instance: None,
            code: None,
            request_id: None,
            errors: Vec::new(),
            retry_after: None,
        }))
    }

    /// 400: the request itself cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST).detail(detail)
    }

    /// 404: there is nothing of that name.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND).detail(detail)
    }

    /// 409: it collides with what is there already.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT).detail(detail)
    }

    /// 409: a name is another one's, or people would take it for that.
    pub(crate) fn name_taken(what: &str, name: &str) -> Problem {
        Problem::conflict(format!("there is a {what} `{name}` already")).code("name-taken")
    }

    /// 422 that names the fields.
    pub fn invalid(errors: Vec<FieldError>) -> Problem {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} fields are not acceptable", many.len()),
        };
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY).code("validation-failed").detail(detail).errors(errors)
    }

    /// 422 that names one field.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// 500: the cause goes to the log, and nothing of it to the caller.
    pub fn internal(cause: impl fmt::Display) -> Problem {
        tracing::error!(error = %cause, "a request failed inside the host");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
            .detail("The server could not do this. Its log says why, under this request's identifier.")
    }

    /// Says what went wrong this time.
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.0.detail = Some(detail.into());
        self
    }

    /// Gives the stable word for programs.
    pub fn code(mut self, code: impl Into<String>) -> Problem {
        self.0.code = Some(code.into());
        self
    }

    /// Says what is wrong with which field.
    pub fn errors(mut self, errors: Vec<FieldError>) -> Problem {
        self.0.errors = errors;
        self
    }

    /// Says after how many seconds it is worth trying again.
    pub fn retry_after(mut self, seconds: u64) -> Problem {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The members as they will be sent.
    pub fn body(&self) -> &ProblemBody {
        &self.0
    }

    /// Adds what only the middleware knows: the request's path and identifier.
    pub(crate) fn located(mut self, path: &str, request_id: &str) -> Problem {
        self.0.instance = Some(path.to_owned());
        self.0.request_id = Some(request_id.to_owned());
        self
    }

    /// The text that is sent.
    pub(crate) fn json(&self) -> Vec<u8> {
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status, self.0.title)?;
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The middleware takes it from here to add the request's path and identifier.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_is_named_in_the_detail() {
        let problem = Problem::invalid_field("title", "must not be empty");
        let json: serde_json::Value = serde_json::from_slice(&problem.json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
                "detail": "title: must not be empty", "code": "validation-failed",
                "errors": [{"field": "title", "message": "must not be empty"}],
            })
        );
    }

    #[test]
    fn an_inner_error_is_not_shown() {
        let problem = Problem::internal("no such table: secrets");
        let text = String::from_utf8(problem.json()).unwrap();
        assert!(!text.contains("secrets"), "{text}");
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
