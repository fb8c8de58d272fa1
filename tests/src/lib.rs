//! What the end-to-end tests share: the real `xtask`, a release that is unpacked elsewhere, and a host that runs.

pub mod host;
pub mod release;
pub mod xtask;
