//! What must hold for any manifest, any `overrides.json`, any router and any public route, however broken: the targets,
//! shared by libFuzzer and by the runner on stable Rust.

pub mod bounds;
pub mod corpus;
pub mod invariants;
pub mod mutate;
pub mod run;
pub mod targets;
