//! The smallest backend of a vertical plugin.

pub mod ping;
