//! Testing a connection: a real one, in a process of its own, within limits, and what came of it in one line.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use hub_manifest::limits::{Limit, Limits};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;

use super::builtin::nobody;
use super::probe::{self, Answer, Question};
use super::{Kind, Parameters, driver};
use crate::drivers::one_line;
use crate::identity::{Buckets, Wait};
use crate::problem::{Problem, Result};
use crate::process::{self, Job};
use crate::reach::Reach;
use crate::runs::fences;
use crate::settings::reason;

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the process that connects is waited for beyond that, so that the last word is its own.
const MARGIN: Duration = Duration::from_secs(2);
/// Most bytes of an answer.
const LONGEST: usize = 64 * 1024;

/// Who may test where, how often, and how many at once.
pub(crate) struct Tests {
    pub(crate) reach: Reach,
    /// Those that run, and those that wait.
    places: Semaphore,
    turns: Semaphore,
    of_user: Buckets,
    of_org: Buckets,
}

impl Tests {
    pub(crate) fn new(reach: Reach, limits: &Limits) -> Tests {
        let a_minute = |limit| Buckets::new(limits.get(limit));
        Tests {
            reach,
            places: Semaphore::new(
                limits.size(Limit::ConnectorTestsAtOnce) + limits.size(Limit::ConnectorTestsWaiting),
            ),
            turns: Semaphore::new(limits.size(Limit::ConnectorTestsAtOnce)),
            of_user: a_minute(Limit::ConnectorTestsOfUser),
            of_org: a_minute(Limit::ConnectorTestsOfOrg),
        }
    }

    /// Counts a test; 429 where somebody has started too many.
    pub(crate) fn count(&self, user: &str, org: &str) -> Result<()> {
        for (buckets, key) in [(&self.of_user, user), (&self.of_org, org)] {
            buckets.attempt(key).map_err(|Wait(wait)| {
                let wait = wait.as_secs() + 1;
                Problem::new(StatusCode::TOO_MANY_REQUESTS)
                    .code("too-many-tests")
                    .retry_after(wait)
                    .detail(format!("too many connections were tested: try again in {wait} seconds"))
            })?;
        }
        Ok(())
    }

    /// A turn, once there is one. A client that hangs up gives back what it has, whatever it waits for.
    async fn take(&self) -> Result<[SemaphorePermit<'_>; 2]> {
        let busy = || {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE)
                .code("too-many-tests")
                .retry_after(LIMIT.as_secs())
                .detail("too many connections are being tested: try again in some seconds")
        };
        let place = self.places.try_acquire().map_err(|_| busy())?;
        match tokio::time::timeout(LIMIT, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok([turn, place]),
            _ => Err(busy()),
        }
    }
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    pub(crate) ok: bool,
    /// What is there, or why it cannot be reached: one line.
    pub(crate) message: String,
    /// How long it took, in milliseconds.
    pub(crate) millis: u64,
}

/// What every test goes by.
pub(crate) struct Place<'a> {
    pub(crate) data: &'a Path,
    /// Identifier of the organisation that asks.
    pub(crate) org: &'a str,
    pub(crate) limits: &'a Limits,
    pub(crate) tests: &'a Tests,
}

/// Opens a connection and closes it again.
pub(crate) async fn test(kind: &Kind, place: &Place<'_>, parameters: Parameters) -> Result<Tested> {
    let _turn = place.tests.take().await?;
    let begun = Instant::now();
    let (parameters, told) = connect(kind, place, parameters, begun).await;
    let (ok, message) = match told {
        Ok(what) => (true, format!("connected to {what}")),
        Err(why) => (false, why),
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    // Before anything is cut off or put on one line: a part of a secret would not be found.
    let message = one_line(&parameters.without_secrets(kind, &message));
    // Neither place nor login: they may be secrets too.
    tracing::info!(connector = kind.name, ok, millis, "tested a connection");
    Ok(Tested { ok, message, millis })
}

async fn connect(
    kind: &Kind,
    place: &Place<'_>,
    parameters: Parameters,
    begun: Instant,
) -> (Parameters, Result<String, String>) {
    let pinned = match pinned(place, &parameters).await {
        Ok(pinned) => pinned,
        Err(why) => return (parameters, Err(why)),
    };
    let left = LIMIT.saturating_sub(begun.elapsed());
    if !kind.built_in || parameters.text("through") == Some("driver") {
        let (parameters, told) = driver::connect(kind, place, parameters, pinned, left).await;
        let told = told.unwrap_or_else(|| Err(nobody(kind, &parameters)));
        return (parameters, told);
    }
    let Some((_, address)) = pinned.clone() else { return (parameters, Err("`host` is missing".to_owned())) };
    let question = Question::Connect {
        kind: kind.name.to_owned(),
        parameters: parameters.clone(),
        address,
        limit: left.as_secs().max(1),
    };
    let told = match ask(place, &question, pinned, left + MARGIN).await {
        Ok(Some(Answer::Connected(what))) => Ok(what),
        Ok(Some(Answer::Not(why))) => Err(why),
        Ok(Some(Answer::Addresses(_)) | None) => Err(nobody(kind, &parameters)),
        Err(why) => Err(why),
    };
    (parameters, told)
}

/// The name that the test goes to, with the one address that it then stands for. The error is for people.
async fn pinned(place: &Place<'_>, parameters: &Parameters) -> Result<Option<(String, IpAddr)>, String> {
    // Other fields of this kind are names of accounts, for which the driver knows the vendor's machines.
    let Some(name) = ["host", "endpoint"].iter().find_map(|field| parameters.text(field)) else {
        return Ok(None);
    };
    // With `srv` the name is none of a machine: the driver asks for those behind it, and looks at each.
    if parameters.flag("srv") {
        return Ok(None);
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let addresses = match bare.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            match ask(place, &Question::Resolve(name.to_owned()), None, Duration::from_secs(7)).await? {
                Some(Answer::Addresses(found)) => found,
                Some(Answer::Not(why)) => return Err(why),
                _ => return Err("no name server answers".to_owned()),
            }
        }
    };
    if addresses.is_empty() {
        return Err(format!("there is no machine `{name}`"));
    }
    // All of them: a name with one address of each kind is asked for until the other one comes first.
    if !addresses.iter().all(|address| place.tests.reach.allows(*address)) {
        return Err(format!(
            "`{name}` is not among the places that connections may be tested to; the operator decides"
        ));
    }
    Ok(addresses.first().map(|address| (name.to_owned(), *address)))
}

/// Asks the host's own binary in a process of its own; none when it said nothing in time.
async fn ask(
    place: &Place<'_>,
    question: &Question,
    pinned: Option<(String, IpAddr)>,
    limit: Duration,
) -> Result<Option<Answer>, String> {
    let mut job = job(place, process::own_program(), pinned);
    job.arguments.push(probe::COMMAND.to_owned());
    job.input = serde_json::to_string(question).map_err(|error| error.to_string())?;
    let heard =
        job.ask(LONGEST, limit).await.map_err(|error| format!("cannot start a test: {}", reason(&error)))?;
    match heard.out.lines().find_map(|line| serde_json::from_str(line).ok()) {
        Some(answer) => Ok(Some(answer)),
        None if heard.late => Ok(None),
        None => {
            tracing::warn!(said = one_line(&heard.err), "the test of a connection ended without an answer");
            Err("what answers there says more than a test may hear".to_owned())
        }
    }
}

/// A program that may connect, and sees nothing of the data folder but what is named.
pub(super) fn job(place: &Place<'_>, program: impl Into<PathBuf>, pinned: Option<(String, IpAddr)>) -> Job {
    Job {
        read: fences::programs(place.data),
        hide: fences::hidden(place.data),
        sockets: fences::sockets(place.data),
        host: pinned,
        memory: place.limits.get(Limit::ConnectorMemory),
        file: 16 << 20,
        ..Job::new(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S16: a client that hangs up while it waits for its turn.
    #[tokio::test]
    async fn s16_whoever_no_longer_waits_leaves_its_place() {
        let limits =
            Limits::default().with(Limit::ConnectorTestsAtOnce, 1).with(Limit::ConnectorTestsWaiting, 1);
        let tests = Tests::new(Reach::default(), &limits);
        let turn = tests.take().await.unwrap();
        let hangs_up = async || tokio::time::timeout(Duration::from_millis(20), tests.take()).await.is_err();
        for _ in 0..3 {
            assert!(hangs_up().await, "it waits, and is not refused");
        }
        // One more than may wait is refused at once.
        let (waits, refused) = tokio::join!(hangs_up(), tests.take());
        assert!(waits);
        assert_eq!(refused.err().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(turn);
        assert!(tests.take().await.is_ok());
    }
}
