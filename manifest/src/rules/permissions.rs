//! Whose a permission is: who is granted one for the one plugin is granted it for the other.

use std::collections::BTreeMap;

use super::{Owner, Subject};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::PLATFORM_PERMISSIONS;
use crate::plan::HostPlugin;

/// Who has declared which permission first.
#[derive(Debug, Clone, Default)]
pub struct Owners<'a>(BTreeMap<&'a str, Owner<'a>>);

impl<'a> Owners<'a> {
    pub(super) fn know(&mut self, about: &'a HostPlugin) {
        for name in &about.permissions {
            self.0.entry(name).or_insert_with(|| Owner::of_release(about));
        }
    }

    /// Takes in the next plugin; its permissions that have an owner.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        for permission in &subject.manifest.permissions {
            let (name, range) = (permission.value.as_str(), &permission.range);
            let found = if PLATFORM_PERMISSIONS.contains(&name) {
                Diagnostic::warning(
                    codes::SHARED_PERMISSION,
                    format!("the permission `{name}` is the platform's own"),
                )
                .help("remove it: groups may grant it as it is; or declare one with a noun of the plugin")
            } else if let Some(owner) = self.0.get(name) {
                let message = format!("plugin `{}` declares the permission `{name}` already", owner.slug);
                let found = Diagnostic::warning(codes::SHARED_PERMISSION, message).help(
                    "use a noun of the plugin's own; or depend on the other plugin and remove this line",
                );
                owner.beside(found, "declared here")
            } else {
                self.0.insert(name, subject.owner(range));
                continue;
            };
            out.push(subject.found(range, found));
        }
        out
    }
}
