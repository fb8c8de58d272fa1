//! Entries of the navigation that lead to one page and that one person may see together.

use std::collections::BTreeMap;

use super::{Owner, Subject};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::plan::{HostPlugin, Visibility};

/// Who leads where, for which roles.
#[derive(Debug, Clone, Default)]
pub struct Paths<'a>(BTreeMap<&'a str, Vec<(Owner<'a>, &'a [String])>>);

/// Whether one person may see entries for both; none means everybody.
fn together(a: &[String], b: &[String]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|role| b.contains(role))
}

impl<'a> Paths<'a> {
    pub(super) fn know(&mut self, about: &'a HostPlugin) {
        if about.visibility == Visibility::Internal {
            return;
        }
        for item in &about.nav {
            self.0.entry(&item.path).or_default().push((Owner::of_release(about), &item.roles));
        }
    }

    /// Takes in the next plugin; its entries that lead where another one leads. An internal plugin shows none.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        if subject.manifest.visibility == Some(Visibility::Internal) {
            return out;
        }
        for item in &subject.manifest.nav {
            let path = item.path.value.as_str();
            let others = self.0.entry(path).or_default();
            let Some((owner, _)) = others.iter().find(|(_, roles)| together(roles, &item.roles)) else {
                others.push((subject.owner(&item.path.range), &item.roles));
                continue;
            };
            let message = match owner.slug {
                slug if slug == subject.slug => format!("two navigation entries lead to `{path}`"),
                slug => format!("the navigation of plugin `{slug}` leads to `{path}` already"),
            };
            let found = Diagnostic::warning(codes::SHARED_NAVIGATION, message)
                .help("remove one of the two entries, or lead it to a page of its own");
            out.push(subject.found(&item.path.range, owner.beside(found, "the other entry")));
        }
        out
    }
}
