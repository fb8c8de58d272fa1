//! What a release is, for everyone who makes, checks, installs or starts one: the list of its files with the signature over
//! it, its tarball, its unpacked folder, and the install folder with all its releases.
//!
//! Nothing here knows the host or its database; the build, the host and the launcher all link it, so a release means the
//! same to them.

pub mod archive;
pub mod beneath;
pub mod bounds;
pub mod changes;
pub mod contents;
pub mod difference;
pub mod folder;
pub mod guard;
pub mod hash;
pub mod install;
pub mod keys;
pub mod manifest;
mod members;
mod problem;
mod remove;
#[cfg(test)]
mod scratch;
pub mod started;
pub mod unit;

pub use install::Install;
pub use keys::Trusted;
pub use manifest::{Listed, Manifest};
pub use problem::{Kind, Problem, reason};
