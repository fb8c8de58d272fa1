//! The tables of environment variables.

use std::fmt::Write;

use hub_manifest::environment::{About, BUILD, HOST, RUN};

use crate::base::text::cell;

/// What the host reads, besides its limits.
pub(super) fn of_host() -> String {
    settings(HOST)
}

/// What `cargo xtask` reads.
pub(super) fn of_build() -> String {
    settings(BUILD)
}

/// What runs are given.
pub(super) fn of_runs() -> String {
    let mut out = String::from("| variable | what it holds |\n|---|---|\n");
    for About { name, what, .. } in RUN {
        let _ = writeln!(out, "| `{name}` | {} |", cell(what));
    }
    out
}

/// Variables that somebody sets.
fn settings(list: &[About]) -> String {
    let mut out = String::from("| variable | default | meaning |\n|---|---|---|\n");
    for About { name, default, what } in list {
        let _ = writeln!(out, "| `{name}` | {} | {} |", cell(default), cell(what));
    }
    out
}
