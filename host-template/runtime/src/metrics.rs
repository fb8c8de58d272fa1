//! `/metrics`: what the host measures of itself, as OpenMetrics text. It names no organisation and no person; programs on this
//! machine read it, others with the operator's token.

use std::fs;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Version, header};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use hub_manifest::environment;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sha2::Sha256;

use crate::access::{Proxies, peer};
use crate::fault::Fault;
use crate::host::Hub;
use crate::life::Life;
use crate::problem::Problem;
use crate::settings::Env;

/// The media type of OpenMetrics, which Prometheus reads.
const TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const TOKEN: &str = environment::HUB_METRICS_TOKEN;
/// Shortest token: one that can be guessed guards nothing.
const SHORTEST: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// Answers of this process by the first digit of their status. Shared by nobody, so that counting costs one addition.
static ANSWERS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts an answer.
pub(crate) fn count(status: u16) {
    if let Some(answers) = ANSWERS.get(usize::from(status / 100).wrapping_sub(1)) {
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who may read what is measured, and since when.
#[derive(Default)]
pub(crate) struct Metrics {
    token: Option<String>,
    /// Seconds since 1970.
    started: i64,
}

impl Metrics {
    /// As the environment has it.
    pub(crate) fn of(env: Env<'_>) -> Result<Metrics, Fault> {
        let token = env(TOKEN).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        if token.as_ref().is_some_and(|token| token.len() < SHORTEST) {
            return Err(Fault::machine(
                format!("{TOKEN} has fewer than {SHORTEST} characters"),
                "make a longer one, for example with `openssl rand -hex 32`",
            ));
        }
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Metrics { token, started: i64::try_from(started).unwrap_or(i64::MAX) })
    }

    /// A token opens it from anywhere. Without one it is for whoever asks on this machine, under a name of this machine, and not
    /// through a proxy there: one that says nothing of itself passes on the name that its caller asked for, or its own.
    fn may_read(&self, request: &Request) -> bool {
        match &self.token {
            Some(token) => bearer(request.headers()).is_some_and(|sent| same(sent, token)),
            None => {
                peer(request.extensions()).is_loopback()
                    && !Proxies::speak(request.headers())
                    // What nginx speaks to the host behind it, and no scraper.
                    && request.version() > Version::HTTP_10
                    && asks_here(request.headers())
            }
        }
    }

    fn text(&self, hub: &Hub) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::default();
        registry.register(
            "hub_build",
            "The release that runs",
            Info::new([("version", hub.version.clone())]),
        );
        let answers = Family::<Class, Counter>::default();
        for (class, number) in CLASSES.into_iter().zip(&ANSWERS) {
            answers.get_or_create(&Class { class }).inc_by(number.load(Ordering::Relaxed));
        }
        registry.register("hub_http_requests", "Requests that were answered, by class of status", answers);
        let mut gauge = |name: &str, help: &str, value: i64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        let serving = i64::from(hub.stage.now() == Life::Serving);
        gauge("hub_serving", "1 while the host takes new requests, 0 while it hands over or ends", serving);
        gauge(
            "hub_event_streams",
            "Event streams and WebSockets that are open",
            int(hub.streams.count_open()),
        );
        let (active, most) = hub.runs.under_way();
        gauge("hub_runs_active", "Runs of dbt and scripts under way on this host", int(active));
        gauge("hub_runs_most", "Runs that this host takes at the same time", int(most));
        let (open, idle) = hub.db.connections();
        let pool = Family::<State, Gauge>::default();
        pool.get_or_create(&State { state: "idle" }).set(int(idle));
        pool.get_or_create(&State { state: "used" }).set(int(open.saturating_sub(idle)));
        registry.register("hub_database_connections", "Connections to the database", pool);
        let plugins = Family::<State, Gauge>::default();
        let snapshot = hub.live.snapshot();
        let invalid = snapshot.registry.plugins.iter().filter(|plugin| !plugin.errors.is_empty()).count();
        plugins.get_or_create(&State { state: "invalid" }).set(int(invalid));
        plugins.get_or_create(&State { state: "ok" }).set(int(snapshot.registry.plugins.len() - invalid));
        registry.register("hub_plugins", "Vertical plugins", plugins);
        let mut measured = |name: &str, help: &str, unit: Unit, value: i64| {
            let gauge: Gauge = Gauge::default();
            gauge.set(value);
            registry.register_with_unit(name, help, unit, gauge);
        };
        measured("process_start_time", "When the process started, since 1970", Unit::Seconds, self.started);
        if let Some(bytes) = resident() {
            measured("process_resident_memory", "Memory that the process holds", Unit::Bytes, bytes);
        }
        if let Some(files) = open_files() {
            let gauge: Gauge = Gauge::default();
            gauge.set(files);
            registry.register("process_open_fds", "Files that the process has open", gauge);
        }
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

/// Answers `GET /metrics`.
pub(crate) fn answer(hub: &Hub, request: &Request) -> Response {
    if !hub.metrics.may_read(request) {
        return Problem::not_found(format!(
            "metrics are read on the host's own machine, or anywhere with the token of {TOKEN}"
        ))
        .into_response();
    }
    match hub.metrics.text(hub) {
        Ok(text) => {
            let headers =
                [(header::CONTENT_TYPE, TYPE), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (headers, text).into_response()
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// Whether the host that is asked for is this machine by a name that nobody else has.
fn asks_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compared by codes, so that the time it takes says nothing of where they differ.
fn same(sent: &str, token: &str) -> bool {
    // A key of any length is taken.
    let mac = |text: &str| {
        <Hmac<Sha256> as KeyInit>::new_from_slice(token.as_bytes())
            .map(|mac| mac.chain_update(text.as_bytes()))
    };
    let (Ok(sent), Ok(own)) = (mac(sent), mac(token)) else { return false };
    own.verify(&sent.finalize().into_bytes()).is_ok()
}

fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Bytes of memory in use; none where the kernel does not say.
fn resident() -> Option<i64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(int(rustix::param::page_size())))
}

fn open_files() -> Option<i64> {
    Some(int(fs::read_dir("/proc/self/fd").ok()?.count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_whole() {
        assert!(same("0123456789abcdef", "0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!same(other, "0123456789abcdef"), "{other}");
        }
    }

    #[test]
    fn only_a_name_of_this_machine_is_here() {
        let asks = |host: &'static str| {
            asks_here(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]))
        };
        for host in ["127.0.0.1:8001", "localhost", "LOCALHOST:80", "[::1]:8001", "127.0.0.1"] {
            assert!(asks(host), "{host}");
        }
        for host in ["hub.example.com", "192.0.2.7:8001", "", "[::2]", "localhost.example.com", "x:localhost"]
        {
            assert!(!asks(host), "{host}");
        }
        assert!(!asks_here(&HeaderMap::new()));
    }

    #[test]
    fn a_short_token_is_refused() {
        assert!(Metrics::of(&|_| Some("secret".to_owned())).is_err());
        assert!(Metrics::of(&|_| None).is_ok());
    }
}
