//! Runs of dbt workspaces and known scripts: a queue in the database, one run a workspace at a time, logs as they come.

pub(crate) mod dbt;
mod doors;
pub(crate) mod fences;
pub(crate) mod home;
mod jinja;
mod lineage;
mod log;
pub(crate) mod options;
mod packages;
mod place;
mod presence;
mod profile;
pub(crate) mod reader;
pub(crate) mod recipe;
mod reduced;
pub(crate) mod store;
mod values;
mod variables;
mod worker;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use lineage::{Kept, Lineage, Node};
pub(crate) use presence::{Before, Presence};
pub(crate) use worker::{Comes, Runs, work};

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A dbt project, built.
    Dbt,
    /// A known script of a plugin.
    Script,
}

/// How far a run is, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Waits for its turn.
    Queued,
    /// Is under way.
    Running,
    /// Did all that it was to do.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Was ended by somebody, or with its host.
    Cancelled,
    /// Took too long.
    TimedOut,
    /// Its host died.
    Lost,
}

impl State {
    /// As the database writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::TimedOut => "timed-out",
            State::Lost => "lost",
        }
    }

    /// Whether nothing follows any more.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, State::Queued | State::Running)
    }
}
