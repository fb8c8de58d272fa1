//! The library behind `cargo xtask`: from a folder of plugins to one release.
//!
//! [`pipeline`] puts the stages in order; each stage is a module here that knows nothing of the ones after it.

pub mod base;
pub mod bundle;
pub mod checks;
pub mod compile;
pub mod docs;
pub mod explain;
pub mod generate;
pub mod load;
pub mod pack;
pub mod pipeline;
pub mod report;
pub mod resolve;
pub mod scaffold;
pub mod scan;
