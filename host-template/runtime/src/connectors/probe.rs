//! The program that talks to databases in the host's place: the host's own binary under another command, behind the same
//! fences as any foreign program. A server that answers with a gigabyte, or never, is then nobody's trouble but its own.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Kind, Parameters, builtin};
use crate::process::asked;

/// The hidden command.
pub(crate) const COMMAND: &str = "connect";

/// Longest question.
const LONGEST: u64 = 1 << 20;

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// The addresses of a name.
    Resolve(String),
    /// Whether a database answers.
    Connect {
        kind: String,
        parameters: Parameters,
        /// Where the name leads.
        address: IpAddr,
        /// Seconds.
        limit: u64,
    },
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Addresses(Vec<IpAddr>),
    Connected(String),
    Not(String),
}

/// Runs `connect`: a question as JSON on standard input, the answer as one line.
pub(crate) fn run() -> ExitCode {
    asked::answer(LONGEST, |question: Question| {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                let answer = runtime.block_on(answer(question));
                // A name that is being resolved is not waited for.
                runtime.shutdown_background();
                answer
            }
            Err(error) => Answer::Not(error.to_string()),
        }
    })
}

async fn answer(question: Question) -> Answer {
    match question {
        Question::Resolve(name) => {
            // The port is of no consequence for the addresses.
            match tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((name.as_str(), 0)))
                .await
            {
                Ok(Ok(found)) => Answer::Addresses(found.map(|socket| socket.ip()).collect()),
                Ok(Err(_)) => Answer::Addresses(Vec::new()),
                Err(_) => Answer::Not("no name server answers".to_owned()),
            }
        }
        Question::Connect { kind, parameters, address, limit } => {
            let Some(kind) = Kind::find(&kind) else {
                return Answer::Not("there is no such connector".to_owned());
            };
            let limit = Duration::from_secs(limit);
            match tokio::time::timeout(limit, builtin::connect(kind, &parameters, address)).await {
                Ok(Ok(what)) => Answer::Connected(what),
                Ok(Err(why)) => Answer::Not(why),
                Err(_) => Answer::Not(builtin::nobody(kind, &parameters)),
            }
        }
    }
}
