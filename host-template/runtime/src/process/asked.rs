//! The host's own binary as a program that the host asks: a question as JSON on standard input, the answer as one line.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads the question, of at most so many bytes, and says the answer.
pub(crate) fn answer<Q, A>(longest: u64, answer: impl FnOnce(Q) -> A) -> ExitCode
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let mut text = String::new();
    let question = io::stdin()
        .take(longest)
        .read_to_string(&mut text)
        .and_then(|_| serde_json::from_str(&text).map_err(io::Error::other));
    let Ok(question) = question else {
        // Nobody may be there to read it.
        let _ = writeln!(
            io::stderr(),
            "error: this command is for the host, which asks it on its standard input"
        );
        return ExitCode::from(2);
    };
    let line = serde_json::to_string(&answer(question)).unwrap_or_default();
    // The host has gone: nobody wants to know.
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}
