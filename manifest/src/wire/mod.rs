//! What the platform's programs say to each other in JSON: each message is a type here, for who writes it and who reads it.

pub mod bundler;
