//! Reads what dbt wrote, in a process of its own: the host's own binary under another command, behind the same fences as any
//! foreign program. dbt's files are a stranger's: one of sixty megabytes may stand for gigabytes of lists, or for an hour's
//! walk from node to node. Memory and time of that are the process's alone, and what it answers is bounded.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use hub_manifest::limits::Limit;
use serde::{Deserialize, Serialize};

use super::dbt::apart_in;
use super::{Lineage, fences, lineage};
use crate::host::Hub;
use crate::process::{self, Job, asked};
use crate::settings::reason;

/// The hidden command.
pub(crate) const COMMAND: &str = "read-dbt";

/// Longest question.
const LONGEST: u64 = 64 << 10;
/// Longest answer: a lineage is held to less.
const MOST: usize = 2 * lineage::BYTES;
/// How long reading may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Memory that it may take, beside four times the size of the files.
const MEMORY: u64 = 256 << 20;

/// What is asked about a work folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// What the run has made.
    Lineage,
    /// Whether all that the project would write is the organisation's own.
    Apart { schema: String, org: String },
}

#[derive(Serialize, Deserialize)]
struct Asked {
    work: PathBuf,
    most: u64,
    question: Question,
}

type Answer = Result<Option<Lineage>, String>;

/// Asks; a lineage where one was asked for and dbt came so far. The error is a sentence.
pub(super) async fn ask(hub: &Hub, work: &Path, question: Question) -> Answer {
    let most = hub.limits.get(Limit::DbtManifestBytes);
    let work = std::path::absolute(work).map_err(|error| error.to_string())?;
    let asked = Asked { work: work.clone(), most, question };
    let mut job = Job {
        input: serde_json::to_string(&asked).map_err(|error| error.to_string())?,
        read: vec![work],
        hide: fences::hidden(&hub.data),
        sockets: fences::sockets(&hub.data),
        memory: MEMORY + 4 * most,
        file: 1 << 20,
        processes: 16,
        ..Job::new(process::own_program())
    };
    job.arguments.push(COMMAND.to_owned());
    let heard = job
        .ask(MOST, LIMIT)
        .await
        .map_err(|error| format!("cannot read what dbt wrote: {}", reason(&error)))?;
    match serde_json::from_str::<Answer>(heard.out.trim()) {
        Ok(answer) => answer,
        Err(_) if heard.late => {
            Err(format!("what dbt wrote takes more than {} seconds to read", LIMIT.as_secs()))
        }
        Err(_) => Err("what dbt wrote takes more memory to read than it may have".to_owned()),
    }
}

/// Runs `read-dbt`: a question as JSON on standard input, the answer as one line.
pub(crate) fn run() -> ExitCode {
    asked::answer(LONGEST, |Asked { work, most, question }| -> Answer {
        match question {
            Question::Lineage => lineage::read(&work, most),
            Question::Apart { schema, org } => lineage::relations(&work, most)
                .and_then(|relations| apart_in(&relations, &schema, &org))
                .map(|()| None),
        }
    })
}
