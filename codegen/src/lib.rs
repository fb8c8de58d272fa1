//! The library behind `cargo xtask`: from a folder of plugins to one release.
//!
//! [`pipeline`] puts the stages in order; each stage is a module here that knows nothing of the ones after it.

pub mod bundle;
pub mod cargo;
pub mod chart;
pub mod compile;
pub mod dbt;
pub mod digest;
pub mod docs;
pub mod explain;
pub mod failure;
pub mod generate;
pub mod image;
pub mod inventory;
pub mod links;
pub mod load;
pub mod migrations;
pub mod npm;
pub mod pack;
pub mod parallel;
pub mod pipeline;
pub mod postgres;
pub mod projects;
pub mod report;
pub mod resolve;
pub mod routes;
pub mod rust_source;
pub mod scaffold;
pub mod scan;
pub mod shared;
pub mod sign;
pub mod stage;
pub mod stamp;
pub mod supply;
pub mod types;
pub mod webgen;
pub mod websource;
pub mod write;
