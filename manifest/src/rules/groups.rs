//! What the groups of `seed_groups` may grant: what is the plugin's to give.

use std::collections::BTreeSet;

use super::Subject;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::grammar::{ADMINISTRATIVE, PLATFORM_PERMISSIONS, alternatives, nearest};

/// Every permission that a group grants and may not. `declared` holds those of all plugins.
///
/// A group grants what its own plugin declares, and what the platform declares but for what people alone give
/// ([`ADMINISTRATIVE`]). A plugin that grants more would hand out what neither its author nor whoever switches it on holds.
pub fn check(subject: &Subject<'_>, declared: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let manifest = subject.manifest;
    let own: BTreeSet<&str> = manifest.permissions.iter().map(|permission| &*permission.value).collect();
    let mut out = Vec::new();
    for group in &manifest.seed_groups {
        for permission in &group.permissions {
            let (group, name) = (group.name.value.as_str(), permission.value.as_str());
            let found = if ADMINISTRATIVE.contains(&name) {
                let message = format!("the group `{group}` grants `{name}`, which only people grant");
                Diagnostic::error(codes::FOREIGN_GRANT, message)
                    .help("remove it: whoever administers an organisation gives it to those who need it")
            } else if own.contains(name) || PLATFORM_PERMISSIONS.contains(&name) {
                continue;
            } else if declared.contains(name) {
                let message = format!("the group `{group}` grants `{name}`, which is another plugin's");
                Diagnostic::error(codes::FOREIGN_GRANT, message)
                    .help("remove it: the groups of the plugin that declares it grant it, and people do")
            } else {
                undeclared(group, name, declared)
            };
            out.push(subject.found(&permission.range, found));
        }
    }
    out
}

fn undeclared(group: &str, name: &str, declared: &BTreeSet<&str>) -> Diagnostic {
    let known = declared.iter().chain(PLATFORM_PERMISSIONS).copied().collect::<BTreeSet<&str>>();
    let help = match nearest(name, known).as_slice() {
        [] => format!("add `{name}` to `permissions`"),
        near => format!("did you mean {}? otherwise add it to `permissions`", alternatives(near)),
    };
    let message = format!("the group `{group}` grants `{name}`, which nobody declares");
    Diagnostic::error(codes::UNDECLARED_PERMISSION, message).help(help)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Read, told};
    use super::*;

    #[test]
    fn s20_a_group_grants_what_is_the_plugins_to_give() {
        let plugin = Read::new(
            "mine",
            "permissions: [mine.read, audit.read]\nseed_groups:\n  - name: G\n    permissions:\n      - mine.read\n      \
             - records.write\n      - members.manage\n      - audit.read\n      - customers.read\n      - mine.write\n",
        );
        let declared = BTreeSet::from(["mine.read", "customers.read", "audit.read"]);
        assert_eq!(
            told(&check(&plugin.subject(), &declared)),
            [
                "HUB109 10: the group `G` grants `members.manage`, which only people grant",
                "HUB109 11: the group `G` grants `audit.read`, which only people grant",
                "HUB109 12: the group `G` grants `customers.read`, which is another plugin's",
                "HUB076 13: the group `G` grants `mine.write`, which nobody declares",
            ]
        );
    }
}
