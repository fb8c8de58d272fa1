//! The bundle stage from outside: the real program over small repositories.

mod findings;
mod fixture;
mod output;
