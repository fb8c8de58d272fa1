//! Environment variables of settings: whose each one is.

use std::collections::BTreeMap;

use super::{Owner, Subject};
use crate::diagnostic::Diagnostic;
use crate::grammar::ident_of;
use crate::plan::HostPlugin;

/// Variables that the host itself reads, but for those that begin with `HUB_`. What begins with `PG` completes DATABASE_URL.
const OF_PLATFORM: &[&str] = &[
    "DATABASE_URL",
    "DATA_DIR",
    "INSTALL_DIR",
    "LISTEN",
    "LOG_FORMAT",
    "PGDATABASE",
    "PGHOST",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGUSER",
    "RUST_LOG",
];

/// Whether a variable is the host's own: no plugin's setting, and nothing that a run gets.
pub fn is_platform_variable(name: &str) -> bool {
    name.starts_with("HUB_") || OF_PLATFORM.contains(&name)
}

/// Which variable sets what.
#[derive(Debug, Clone, Default)]
pub struct Variables<'a>(BTreeMap<&'a str, (Owner<'a>, &'a str)>);

/// A setting whose variable is somebody else's.
#[derive(Debug, Clone)]
pub struct Foreign<'a> {
    /// The setting.
    pub key: &'a str,
    /// What there is to say of it.
    pub found: Diagnostic,
}

impl<'a> Variables<'a> {
    pub(super) fn know(&mut self, about: &'a HostPlugin) {
        for (key, field) in &about.config {
            if let Some(env) = &field.env {
                self.0.entry(env).or_insert_with(|| (Owner::of_release(about), key));
            }
        }
    }

    /// Takes in the next plugin; its settings whose variable is the platform's or sets another one.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Foreign<'a>> {
        let mut out = Vec::new();
        for (key, field) in &subject.manifest.config {
            let Some(env) = &field.env else { continue };
            let name = env.value.as_str();
            let found = if is_platform_variable(name) {
                let message = format!("the environment variable `{name}` is the platform's own");
                Diagnostic::warning("HUB024", message)
            } else if let Some((owner, other)) = self.0.get(name) {
                let message = format!(
                    "the environment variable `{name}` sets `{other}` of plugin `{}` too",
                    owner.slug
                );
                owner.beside(Diagnostic::warning("HUB024", message), "read here too")
            } else {
                self.0.insert(name, (subject.owner(&env.range), &key.value));
                continue;
            };
            let own = format!("{}_{}", ident_of(subject.slug), key.value).to_ascii_uppercase();
            let help = format!("give the setting a variable of its own, such as `{}`", own.trim_matches('_'));
            out.push(Foreign { key: &key.value, found: subject.found(&env.range, found.help(help)) });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_variables_are_no_plugins() {
        for own in ["HUB_ADMIN_PASSWORD", "HUB_", "DATABASE_URL", "DATA_DIR", "LISTEN", "PGPASSWORD"] {
            assert!(is_platform_variable(own), "{own}");
        }
        for other in ["HUBSPOT_KEY", "CRM_DATABASE_URL", "LISTEN_ON", ""] {
            assert!(!is_platform_variable(other), "{other}");
        }
    }
}
