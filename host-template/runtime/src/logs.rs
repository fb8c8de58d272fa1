//! The log: one line an event on standard error, as text or, with `LOG_FORMAT=json`, as JSON.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use hub_manifest::environment::{self, quoted};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::fault::Fault;
use crate::settings::{self, Env};

/// `RUST_LOG` where it cannot be read, and why.
pub(crate) fn unreadable(env: Env<'_>) -> Option<(String, String)> {
    let text = env(environment::RUST_LOG)?;
    let error = text.parse::<Targets>().err()?;
    Some((text, error.to_string()))
}

/// Whether lines are JSON, by `LOG_FORMAT`.
pub(crate) fn is_json(env: Env<'_>) -> Result<bool, Fault> {
    let form = settings::one_of(environment::LOG_FORMAT, env(environment::LOG_FORMAT), &["text", "json"])?;
    Ok(form == Some("json"))
}

/// Starts the log. `RUST_LOG` sets levels (`info,sqlx=debug`); what it holds that is no level is said and left out.
pub(crate) fn start(env: Env<'_>) -> Result<(), Fault> {
    let json = is_json(env)?;
    let asked = env(environment::RUST_LOG);
    let parsed = asked.as_deref().map(str::parse::<Targets>);
    let filter = match &parsed {
        Some(Ok(targets)) => targets.clone(),
        _ => Targets::new().with_default(LevelFilter::INFO),
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    // Each form as a type of its own: a boxed layer would cost every request. A second start in one process (tests)
    // keeps the first log.
    let _ = if json {
        let lines = lines.json().flatten_event(true).with_span_list(false);
        tracing_subscriber::registry().with(filter).with(lines).try_init()
    } else {
        let lines = lines.with_ansi(std::io::stderr().is_terminal()).with_target(false);
        tracing_subscriber::registry().with(filter).with(lines).try_init()
    };
    if let (Some(asked), Some(Err(error))) = (asked, parsed) {
        tracing::warn!(RUST_LOG = quoted(&asked), %error, "RUST_LOG cannot be read; logging at level info");
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is one line of the log, with its place; the caller gets a 500 and the host lives on.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, message = panic_text(info.payload()));
}

/// What a panic says.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
