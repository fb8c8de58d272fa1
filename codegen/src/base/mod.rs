//! What all stages share, and knows none of them: files, digests and stamps, text, threads, cargo, and how failures are told.

pub mod cargo;
pub mod digest;
pub mod failure;
pub(crate) mod files;
pub(crate) mod package_json;
pub mod parallel;
pub mod stamp;
pub(crate) mod text;
pub mod write;
