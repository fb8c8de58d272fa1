//! Slugs of dbt workspaces: builds and runs name a workspace by its slug alone.

use std::collections::BTreeMap;

use super::{Owner, Subject};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{PLATFORM_WORKSPACE, ident_of};
use crate::plan::HostPlugin;

/// Who has which slug.
#[derive(Debug, Clone, Default)]
pub struct Slugs<'a>(BTreeMap<&'a str, Owner<'a>>);

impl<'a> Slugs<'a> {
    pub(super) fn know(&mut self, about: &'a HostPlugin) {
        for workspace in &about.dbt_workspaces {
            self.0.entry(&workspace.slug).or_insert_with(|| Owner::of_release(about));
        }
    }

    /// Takes in the next plugin; its workspaces whose slug is another's.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        for workspace in &subject.manifest.dbt_workspaces {
            let (slug, range) = (workspace.slug.value.as_str(), &workspace.slug.range);
            let found = if ident_of(slug) == PLATFORM_WORKSPACE {
                Diagnostic::error(
                    codes::DUPLICATE_WORKSPACE,
                    format!("the dbt workspace `{slug}` is the platform's own"),
                )
            } else if let Some(owner) = self.0.get(slug) {
                let message = format!("plugin `{}` has a dbt workspace `{slug}` already", owner.slug);
                owner.beside(Diagnostic::error(codes::DUPLICATE_WORKSPACE, message), "the other workspace")
            } else {
                self.0.insert(slug, subject.owner(range));
                continue;
            };
            out.push(subject.found(range, found.help("give the workspace a slug of its own")));
        }
        out
    }
}
