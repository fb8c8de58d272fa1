//! The rules of enablement, without a database: what a change comes to, or why it is refused.

use axum::http::StatusCode;

use super::OrgSwitches;
use crate::access::{OrgState, TenantState};
use crate::problem::Problem;
use crate::registry::{Plugin, Registry};

/// For whom a plugin is switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole organisation.
    Org,
    /// One of its tenants, by identifier.
    Tenant(String),
}

impl Scope {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Scope::Org => "org",
            Scope::Tenant(_) => "tenant",
        }
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        match self {
            Scope::Org => None,
            Scope::Tenant(id) => Some(id),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) on: bool,
    pub(crate) scope: Scope,
}

/// What has to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) org: Option<OrgState>,
    pub(super) tenant: Option<(String, TenantState)>,
    /// Tenants that were chosen once are not chosen again by the next choice; those that opted out stay out.
    pub(super) forget_chosen: bool,
}

/// The word for the state in a scope.
pub(super) fn state(switches: &OrgSwitches, slug: &str, scope: &Scope) -> &'static str {
    match scope {
        Scope::Org => switches.of_org(slug).as_str(),
        Scope::Tenant(_) => of_bool(is_on(switches, slug, scope)),
    }
}

fn of_bool(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

/// Whether the plugin is on in a scope.
fn is_on(switches: &OrgSwitches, slug: &str, scope: &Scope) -> bool {
    let said = match scope {
        Scope::Org => None,
        Scope::Tenant(_) => Some(switches.of_tenant(slug)),
    };
    switches.of_org(slug).holds_for(said)
}

/// What the change comes to; none where everything is as asked for already.
pub(super) fn step(
    registry: &Registry,
    plugin: &Plugin,
    switches: &OrgSwitches,
    change: &Change,
) -> Result<Option<Step>, Problem> {
    let slug = plugin.name();
    let now = switches.of_org(slug);
    let from = state(switches, slug, &change.scope);
    // What was switched for another plugin of that name is settled by the first word about this one.
    let anothers = switches.others.contains(slug);
    let wanted = if change.on { OrgState::Enabled } else { OrgState::Disabled };
    let already = match change.scope {
        Scope::Org => now == wanted && !anothers,
        Scope::Tenant(_) => is_on(switches, slug, &change.scope) == change.on,
    };
    if already {
        return Ok(None);
    }
    if change.on {
        may_enable(plugin, switches, &change.scope)?;
    } else if !anothers {
        may_disable(registry, plugin, switches, &change.scope)?;
    }
    // Nor were tenants chosen for this one.
    let step = Step { from, to: of_bool(change.on), org: None, tenant: None, forget_chosen: anothers };
    Ok(Some(match (&change.scope, change.on) {
        (Scope::Org, true) => Step { org: Some(OrgState::Enabled), ..step },
        (Scope::Org, false) => Step { org: Some(OrgState::Disabled), forget_chosen: true, ..step },
        (Scope::Tenant(id), on) => Step {
            // The first tenant of an organisation for which the plugin is off.
            org: (on && now == OrgState::Disabled).then_some(OrgState::Chosen),
            tenant: Some((id.clone(), if on { TenantState::Enabled } else { TenantState::Disabled })),
            ..step
        },
    }))
}

fn may_enable(plugin: &Plugin, switches: &OrgSwitches, scope: &Scope) -> Result<(), Problem> {
    let slug = plugin.name();
    if !plugin.ok() {
        return Err(Problem::conflict(format!(
            "vertical plugin `{slug}` has errors and cannot be enabled: {}",
            plugin.errors.join("; ")
        ))
        .code("plugin-invalid"));
    }
    let missing: Vec<&str> = plugin
        .about
        .dependencies
        .iter()
        .map(String::as_str)
        .filter(|name| !is_on(switches, name, scope))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused("dependency-not-enabled").detail(format!(
        "vertical plugin `{slug}` needs {}: enable {} first",
        names(&missing),
        if missing.len() == 1 { "it" } else { "them" }
    )))
}

fn may_disable(
    registry: &Registry,
    plugin: &Plugin,
    switches: &OrgSwitches,
    scope: &Scope,
) -> Result<(), Problem> {
    let slug = plugin.name();
    // For the whole organisation, one that is on for a chosen tenant counts as well.
    let on = |name: &str| match scope {
        Scope::Org => switches.of_org(name) != OrgState::Disabled,
        Scope::Tenant(_) => is_on(switches, name, scope),
    };
    let dependants: Vec<&str> = registry
        .plugins
        .iter()
        .filter(|other| other.about.dependencies.iter().any(|name| name == slug))
        .map(|other| other.name())
        .filter(|name| on(name))
        .collect();
    if dependants.is_empty() {
        return Ok(());
    }
    let verb = if dependants.len() == 1 { "needs" } else { "need" };
    Err(refused("plugin-needed").detail(format!(
        "{} {verb} vertical plugin `{slug}`: disable {} first",
        names(&dependants),
        if dependants.len() == 1 { "it" } else { "them" }
    )))
}

fn refused(code: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT).code(code)
}

/// `a`, `b` and `c`.
fn names(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hub_manifest::plan::HostPlugin;

    use super::*;
    use crate::config::Config;
    use crate::overrides::Chains;
    use crate::page_paths::Pages;

    fn registry() -> Registry {
        let plugin = |name: &str, dependencies: &[&str]| {
            let dependencies = dependencies.iter().map(|&name| name.to_owned()).collect();
            let about = HostPlugin { name: name.to_owned(), dependencies, ..HostPlugin::default() };
            Plugin::of_build(about, Vec::new(), Config::default(), Vec::new())
        };
        Registry::new(
            vec![
                plugin("base", &[]),
                plugin("extra", &[]),
                plugin("top", &["base", "extra"]),
                plugin("more", &["base"]),
            ],
            Chains::default(),
            Pages::default(),
        )
    }

    fn switches(org: &[(&str, OrgState)], tenant: &[(&str, TenantState)]) -> OrgSwitches {
        OrgSwitches {
            org: org.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect(),
            tenant: tenant.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect(),
            others: BTreeSet::new(),
        }
    }

    fn run(slug: &str, on: bool, scope: Scope, switches: &OrgSwitches) -> Result<Option<Step>, String> {
        let registry = registry();
        let plugin = registry.find(slug).unwrap();
        step(&registry, plugin, switches, &Change { on, scope })
            .map_err(|problem| problem.body().detail.clone().unwrap_or_default())
    }

    #[test]
    fn dependencies_come_first() {
        let none = switches(&[], &[]);
        assert_eq!(
            run("top", true, Scope::Org, &none).unwrap_err(),
            "vertical plugin `top` needs `base` and `extra`: enable them first"
        );
        let base = switches(&[("base", OrgState::Enabled), ("extra", OrgState::Chosen)], &[]);
        assert_eq!(
            run("top", true, Scope::Org, &base).unwrap_err(),
            "vertical plugin `top` needs `extra`: enable it first"
        );
        let here = switches(
            &[("base", OrgState::Enabled), ("extra", OrgState::Chosen)],
            &[("extra", TenantState::Enabled)],
        );
        let step = run("top", true, Scope::Tenant("t".into()), &here).unwrap().unwrap();
        assert_eq!((step.from, step.to, step.org), ("disabled", "enabled", Some(OrgState::Chosen)));
    }

    #[test]
    fn what_others_need_stays_on() {
        let all = switches(
            &[("base", OrgState::Enabled), ("top", OrgState::Chosen), ("more", OrgState::Enabled)],
            &[("more", TenantState::Disabled)],
        );
        assert_eq!(
            run("base", false, Scope::Org, &all).unwrap_err(),
            "`top` and `more` need vertical plugin `base`: disable them first"
        );
        // This tenant has neither.
        assert!(run("base", false, Scope::Tenant("t".into()), &all).unwrap().is_some());
    }

    // O6
    #[test]
    fn o6_the_first_word_about_a_plugin_settles_what_was_anothers() {
        let none = switches(&[("more", OrgState::Enabled)], &[]);
        let anothers = OrgSwitches { others: BTreeSet::from(["base".to_owned()]), ..none };
        // Off already, whatever needs it.
        let step = run("base", false, Scope::Org, &anothers).unwrap().unwrap();
        assert_eq!((step.from, step.to, step.org), ("disabled", "disabled", Some(OrgState::Disabled)));
        assert!(step.forget_chosen);
        let step = run("base", true, Scope::Org, &anothers).unwrap().unwrap();
        assert_eq!((step.from, step.org, step.forget_chosen), ("disabled", Some(OrgState::Enabled), true));
        let step = run("base", true, Scope::Tenant("t".into()), &anothers).unwrap().unwrap();
        assert_eq!((step.org, step.forget_chosen), (Some(OrgState::Chosen), true));
        assert_eq!(run("base", false, Scope::Tenant("t".into()), &anothers), Ok(None));
    }

    #[test]
    fn what_is_so_already_is_no_change() {
        let on = switches(&[("base", OrgState::Enabled)], &[]);
        assert_eq!(run("base", true, Scope::Org, &on), Ok(None));
        assert_eq!(run("base", true, Scope::Tenant("t".into()), &on), Ok(None));
        assert_eq!(run("extra", false, Scope::Org, &on), Ok(None));
        let step = run("base", false, Scope::Org, &on).unwrap().unwrap();
        assert!(step.forget_chosen && step.org == Some(OrgState::Disabled));
    }
}
