//! What `check` looks into with programs that are not ours, where somebody asks for it: dbt, TypeScript, PostgreSQL.

pub mod dbt;
pub mod postgres;
pub mod types;
