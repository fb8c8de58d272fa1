//! Releases on an operator's machine: set up, upgraded, rolled back, looked at.
//!
//! The files are `hub-release`'s business; here are the steps around them that need the host: its settings, its database, its
//! service. Each command holds the install folder's lock, and can be killed at any moment: what it leaves is a whole
//! release that starts.

mod activate;
mod conf;
mod doctor;
mod health;
mod place;
mod reach;
mod rollback;
mod say;
mod service;
mod setup;
mod upgrade;
mod user;
mod verify;

use hub_release::{Kind, Problem};

pub(crate) use doctor::doctor;
pub(crate) use rollback::rollback;
pub(crate) use service::Waits;
pub(crate) use setup::{Setup, setup};
pub(crate) use upgrade::{Upgrade, upgrade};
pub(crate) use verify::verify;

use crate::fault::Fault;

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Fault {
        match problem.kind {
            Kind::Refused => Fault::refused(problem.what, problem.help),
            Kind::Machine => Fault::machine(problem.what, problem.help),
        }
    }
}
