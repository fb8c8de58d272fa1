//! The library that every generated host links, and that a plugin's backend is written against.
//!
//! A plugin's author needs the [`prelude`] and `#[hub::router]`:
//!
//! ```
//! use hub::prelude::*;
//!
//! #[hub::router]
//! pub fn router() -> Router {
//!     Router::new().route("/ping", get(ping))
//! }
//!
//! async fn ping() -> &'static str {
//!     "pong"
//! }
//! ```
//!
//! A generated host hands a [`Platform`] to [`main`] and holds no logic of its own.

// The macros write `::hub::…`, here as in a plugin.
extern crate self as hub;

mod access;
mod address;
mod api;
mod app;
mod audit;
mod base;
mod cli;
mod config;
mod connectors;
mod ctx;
mod data_folder;
pub mod db;
mod discover;
mod drivers;
mod enable;
mod env_file;
mod extract;
mod fault;
mod gate;
mod gather;
mod host;
mod identity;
mod install;
mod life;
mod listing;
mod live;
mod locate;
mod logs;
mod memory;
mod metrics;
pub mod middleware;
mod misspelt;
mod mount;
mod names;
mod networks;
mod objects;
mod openapi;
mod overrides;
mod page;
mod page_paths;
mod platform;
mod preflight;
mod privilege;
mod probes;
mod problem;
mod process;
mod purse;
mod reach;
mod registry;
mod router;
mod rows;
mod runs;
// The one of hub-release's tests: what a crate has for its own tests cannot be used by another.
#[cfg(test)]
#[path = "../../../release/src/scratch.rs"]
mod scratch;
mod serve;
mod settings;
mod start;
mod streams;
pub mod testing;
mod validate;
mod web;

use std::process::ExitCode;

pub use access::{Allowed, Caller, Org, Permission, Role, Tenant, User};
pub use axum;
pub use config::Config;
pub use ctx::Ctx;
pub use db::Db;
pub use extract::{Created, Json, Path, Query};
pub use hub_macros::{router, routes};
pub use page::{DEFAULT_LIMIT, MAX_LIMIT, Page, Paged};
pub use platform::{Mount, Platform};
pub use problem::{FieldError, Problem, ProblemBody, Result};
pub use router::{Answer, Handles, IsRouter, Methods, Router, Routes, delete, get, patch, post, put};
pub use serde_json::json;
pub use tracing;
pub use utoipa;
pub use validate::Check;

/// What a plugin's module begins with: `use hub::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Allowed, Caller, Check, Created, Ctx, Json, Page, Paged, Path, Problem, Query, Result, Router, args,
        delete, get, patch, permission, post, put, routes,
    };
    pub use axum::http::StatusCode;
    pub use utoipa::{self, IntoParams, ToSchema};
}

/// What a generated host does: runs the command that it was started with.
pub fn main(platform: Platform) -> ExitCode {
    memory::give_back_large_blocks();
    if !names::settle() {
        eprintln!(
            "error: the C library cannot be told where to look names up\n  help: start it with more memory"
        );
        return ExitCode::from(3);
    }
    cli::run(&platform)
}

/// A new identifier; later ones sort after earlier ones.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The time now as it is kept in the database: RFC 3339 in UTC, which sorts as text.
pub fn now() -> String {
    at(time::OffsetDateTime::now_utc())
}

/// A time as it is kept in the database.
pub(crate) fn at(time: time::OffsetDateTime) -> String {
    // Milliseconds, always three digits of them: texts of one length sort like the times.
    let millis = time.millisecond();
    let (date, time) = (time.date(), time.time());
    let (hour, minute, second) = time.as_hms();
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}
