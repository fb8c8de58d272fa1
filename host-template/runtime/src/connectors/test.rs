//! Testing a connection: a real one, within a time limit, and what came of it in one line.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::{Kind, Parameters, builtin, driver};
use crate::drivers::one_line;

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Each driver is a Python process of its own: no more than this at a time.
static TURNS: Semaphore = Semaphore::const_new(4);

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    pub(crate) ok: bool,
    /// What is there, or why it cannot be reached: one line.
    pub(crate) message: String,
    /// How long it took, in milliseconds.
    pub(crate) millis: u64,
}

/// Opens a connection and closes it again.
pub(crate) async fn test(kind: &Kind, data: &Path, parameters: Parameters) -> Tested {
    let begun = Instant::now();
    let through_driver = !kind.built_in || parameters.text("through") == Some("driver");
    let (parameters, told) = if through_driver {
        match tokio::time::timeout(LIMIT, TURNS.acquire()).await {
            Ok(_turn) => driver::connect(kind, data, parameters, LIMIT.saturating_sub(begun.elapsed())).await,
            Err(_) => (parameters, Some(Err("too many connections are being tested: try again".to_owned()))),
        }
    } else {
        let told = tokio::time::timeout(LIMIT, builtin::connect(kind, &parameters)).await.ok();
        (parameters, told)
    };
    let told = told.unwrap_or_else(|| Err(format!("no answer within {} seconds", LIMIT.as_secs())));
    let (ok, message) = match told {
        Ok(what) => (true, format!("connected to {what}")),
        Err(why) => (false, why),
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Before anything is cut off or put on one line: a part of a secret would not be found.
    let message = one_line(&parameters.without_secrets(kind, &message));
    // Neither place nor login: they may be secrets too.
    tracing::info!(connector = kind.name, ok, millis, "tested a connection");
    Tested { ok, message, millis }
}
