//! What a plugin's author declares (`plugin.yaml`, `overrides.json`), as typed values with positions, what can be
//! wrong with it, the [`plan::Plan`] that a build makes of all plugins together, and what programs of the platform say to
//! each other ([`wire`]).
//!
//! Nothing here reads a disk: every function takes text. The build and the running host share this crate, so that a
//! manifest means the same to both.

pub mod codes;
mod contributions;
pub mod dbt_packages;
pub mod dbt_project;
pub mod diagnostic;
pub mod environment;
pub mod grammar;
pub mod json;
pub mod limits;
pub mod metadata;
pub mod migrations;
pub mod node;
pub mod override_kind;
pub mod overrides;
pub mod plan;
mod planned;
pub mod plugin;
pub mod public;
mod reader;
pub mod routes;
pub mod rules;
#[cfg(feature = "schema")]
pub mod schema;
pub mod source;
pub mod statements;
pub mod visible;
pub mod wire;
pub mod yaml;
