//! Dashboards made of blocks that nobody has.

use std::collections::BTreeSet;

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{alternatives, nearest};

/// The widgets whose block no plugin has. `known` holds the keys of those that one has, `block:…`.
pub fn check(subject: &Subject<'_>, known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let widgets = subject.manifest.dashboard_seeds.iter().flat_map(|dashboard| &dashboard.widgets);
    widgets
        .filter(|widget| !known.contains(widget.value.block.as_str()))
        .map(|widget| {
            let block = widget.value.block.as_str();
            let help = match nearest(block, known.iter().copied()).as_slice() {
                [] => {
                    "add it to `frontend_overrides.blocks`, or build with the plugin that has it".to_string()
                }
                near => format!("did you mean {}?", alternatives(near)),
            };
            let found =
                Diagnostic::warning(codes::UNKNOWN_BLOCK, format!("no plugin has the block `{block}`"));
            subject.found(&widget.range, found.help(help))
        })
        .collect()
}
