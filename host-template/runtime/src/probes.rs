//! `/livez`, `/readyz`, `/startupz`, `/healthz` and `/metrics`: what orchestrators and load balancers ask, outside of the API.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;
use tokio::sync::Mutex;

use crate::db::Unwritable;
use crate::host::Hub;
use crate::life::Life;
use crate::metrics;
use crate::problem::Problem;

/// How long what was found out about the database is told again: nobody makes work for it by asking.
const FRESH: Duration = Duration::from_millis(500);
/// How long the database may take.
const ANSWER: Duration = Duration::from_secs(2);

/// The routes, in front of the page.
pub(crate) fn mount(router: axum::Router, hub: &Arc<Hub>) -> axum::Router {
    let measured = hub.clone();
    let ready = Arc::new(Ready { hub: hub.clone(), found: Mutex::new(None) });
    let when_ready = |ready: Arc<Ready>| -> MethodRouter<(), Infallible> {
        get(move || {
            let ready = ready.clone();
            async move { ready.answer().await }
        })
    };
    router
        // That it answers at all is the answer: a host that waits for its database is not mended by a restart.
        .route("/livez", get(async || well(&[])))
        // A host listens only when it has started.
        .route("/startupz", get(async || well(&[])))
        .route("/readyz", when_ready(ready.clone()))
        .route("/healthz", when_ready(ready))
        .route(
            "/metrics",
            get(move |request: Request| std::future::ready(metrics::answer(&measured, &request))),
        )
}

struct Ready {
    hub: Arc<Hub>,
    /// Why the database could not be worked with, where it could not, and when that was.
    found: Mutex<Option<(Instant, Option<String>)>>,
}

impl Ready {
    async fn answer(&self) -> Response {
        let stage = self.hub.stage.now();
        if stage != Life::Serving {
            return unready(match stage {
                Life::Ending => "the host is ending",
                _ => "another host has taken over",
            });
        }
        if let Some(why) = self.database().await {
            return unready(&why);
        }
        well(&["database"])
    }

    /// Why requests cannot be served with the database as it is. Asked once for all who ask at the same time.
    async fn database(&self) -> Option<String> {
        let mut found = self.found.lock().await;
        if let Some((when, why)) = &*found
            && when.elapsed() < FRESH
        {
            return why.clone();
        }
        let why = match tokio::time::timeout(ANSWER, self.hub.db.unwritable()).await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(Unwritable { told, log }))) => {
                tracing::warn!("not ready: {log}");
                Some(told)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database does not answer");
                Some("the database does not answer".to_owned())
            }
            Err(_) => {
                tracing::warn!("not ready: the database takes more than {} s", ANSWER.as_secs());
                Some("the database does not answer in time".to_owned())
            }
        };
        *found = Some((Instant::now(), why.clone()));
        why
    }
}

fn well(checked: &[&str]) -> Response {
    let checks: serde_json::Map<String, serde_json::Value> =
        checked.iter().map(|name| ((*name).to_owned(), json!("ok"))).collect();
    let mut response = json!({ "status": "ok", "checks": checks }).to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn unready(why: &str) -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE).code("not-ready").detail(why).retry_after(1).into_response()
}
