//! Who may give whom what: one pure decision that every route asks. Nobody gives what they do not hold.

use std::collections::BTreeSet;

use axum::http::StatusCode;

use super::Role;
use crate::problem::Problem;

/// The permission to invite, change and remove members.
const MANAGE: &str = "members.manage";

/// Where somebody works: which part of an organisation is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The organisation at large, with all its tenants.
    Whole,
    /// These tenants, by identifier; never none.
    Only(BTreeSet<String>),
}

impl Reach {
    /// The reach of somebody in this role who is in these tenants: to be in none means the organisation at large.
    pub(crate) fn of(role: Role, tenants: impl IntoIterator<Item = String>) -> Reach {
        let tenants: BTreeSet<String> = tenants.into_iter().collect();
        if role == Role::Admin || tenants.is_empty() { Reach::Whole } else { Reach::Only(tenants) }
    }

    /// Whether all of the other is part of it.
    pub(crate) fn covers(&self, other: &Reach) -> bool {
        match (self, other) {
            (Reach::Whole, _) => true,
            (Reach::Only(_), Reach::Whole) => false,
            (Reach::Only(own), Reach::Only(theirs)) => theirs.is_subset(own),
        }
    }
}

/// What somebody holds in an organisation, as the database has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) role: Role,
    /// What its groups give, whatever is enabled. An admin holds all.
    pub(crate) permissions: BTreeSet<String>,
    pub(crate) reach: Reach,
}

/// What somebody wants to do to the standing of another, or of a group.
#[derive(Debug, Clone)]
pub(crate) enum Deed<'a> {
    /// Invite, or change a member: role and reach afterwards, and all that groups give which were not held before.
    Place {
        /// What the other holds now; none where it is not there yet.
        now: Option<&'a Holding>,
        role: Role,
        given: &'a BTreeSet<String>,
        reach: &'a Reach,
    },
    /// Remove a member, or take an invitation back.
    Remove { now: &'a Holding },
    /// Make or change a group that gives these permissions beyond those that it gives already; remove one.
    Group { given: &'a BTreeSet<String> },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// The permission to manage members is gone.
    Manage,
    /// Only an admin makes, changes and removes admins.
    Admin,
    /// A permission that the granter does not hold.
    Permission(String),
    /// A part of the organisation that the granter does not work in.
    Reach,
    /// Groups belong to the organisation at large.
    Groups,
    /// One's own place is for others to change.
    Oneself,
}

/// Whether who holds `granter` may do it. `oneself`: it is about its own membership.
pub(crate) fn decide(granter: &Holding, deed: &Deed<'_>, oneself: bool) -> Result<(), Beyond> {
    if granter.role == Role::Admin {
        return Ok(());
    }
    if !granter.permissions.contains(MANAGE) {
        return Err(Beyond::Manage);
    }
    if oneself {
        return Err(Beyond::Oneself);
    }
    let all_held = |given: &BTreeSet<String>| match given.difference(&granter.permissions).next() {
        Some(name) => Err(Beyond::Permission(name.clone())),
        None => Ok(()),
    };
    let in_reach = |reach: &Reach| if granter.reach.covers(reach) { Ok(()) } else { Err(Beyond::Reach) };
    let touchable = |now: &Holding| {
        if now.role == Role::Admin {
            return Err(Beyond::Admin);
        }
        in_reach(&now.reach)
    };
    match deed {
        Deed::Place { now, role, given, reach } => {
            now.map_or(Ok(()), touchable)?;
            if *role == Role::Admin {
                return Err(Beyond::Admin);
            }
            in_reach(reach)?;
            all_held(given)
        }
        Deed::Remove { now } => touchable(now),
        Deed::Group { given } => {
            if granter.reach != Reach::Whole {
                return Err(Beyond::Groups);
            }
            all_held(given)
        }
    }
}

impl From<Beyond> for Problem {
    fn from(beyond: Beyond) -> Problem {
        let (code, detail) = match beyond {
            Beyond::Manage => (
                "permission-missing",
                "this needs the permission `members.manage`, which a group can give you".to_owned(),
            ),
            Beyond::Admin => ("admins-only", "only an admin makes, changes or removes an admin".to_owned()),
            Beyond::Permission(name) => (
                "permission-missing",
                format!("you do not hold the permission `{name}`, so you cannot give it to others"),
            ),
            Beyond::Reach => (
                "beyond-your-tenants",
                "you work in some tenants of this organisation: you manage only members who work in these alone"
                    .to_owned(),
            ),
            Beyond::Groups => (
                "beyond-your-tenants",
                "groups count in the whole organisation, and you work in some of its tenants".to_owned(),
            ),
            Beyond::Oneself => {
                ("own-membership", "your own role, tenants and groups are for others to change".to_owned())
            }
        };
        Problem::new(StatusCode::FORBIDDEN).code(code).detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["members.manage", "records.read", "dbt.run"];
    const TENANTS: [&str; 2] = ["alder", "birch"];

    /// Every subset.
    fn subsets(names: &[&str]) -> Vec<BTreeSet<String>> {
        (0..1u32 << names.len())
            .map(|bits| {
                let chosen = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                chosen.map(|(_, name)| (*name).to_owned()).collect()
            })
            .collect()
    }

    /// Everything that somebody can hold.
    fn holdings() -> Vec<Holding> {
        let mut all = Vec::new();
        for role in [Role::Admin, Role::Member] {
            for permissions in subsets(&NAMES) {
                for tenants in subsets(&TENANTS) {
                    let reach = Reach::of(role, tenants);
                    all.push(Holding { role, permissions: permissions.clone(), reach });
                }
            }
        }
        all
    }

    /// Whether `small` is nothing beyond `large`, said another way: by what each of them could do where.
    fn within(small: &Holding, large: &Holding) -> bool {
        let can = |holding: &Holding, permission: &str, tenant: Option<&str>| {
            let there = match (&holding.reach, tenant) {
                (Reach::Whole, _) => true,
                (Reach::Only(_), None) => false,
                (Reach::Only(own), Some(tenant)) => own.contains(tenant),
            };
            there && (holding.role == Role::Admin || holding.permissions.contains(permission))
        };
        let places = [None, Some("alder"), Some("birch")];
        let mut all = NAMES.iter().flat_map(|name| places.map(|place| (*name, place)));
        (small.role == Role::Member || large.role == Role::Admin)
            && all.all(|(name, place)| !can(small, name, place) || can(large, name, place))
    }

    // S2: over everything that granter, other and grant can be.
    #[test]
    fn s2_no_grant_exceeds_its_granter() {
        let all = holdings();
        let (mut yes, mut no) = (0, 0);
        for granter in &all {
            for after in &all {
                let deed = Deed::Place {
                    now: None,
                    role: after.role,
                    given: &after.permissions,
                    reach: &after.reach,
                };
                if decide(granter, &deed, false).is_ok() {
                    assert!(within(after, granter), "{granter:?} gives {after:?}");
                    yes += 1;
                } else {
                    no += 1;
                }
                let alone = decide(granter, &deed, true);
                assert!(granter.role == Role::Admin || alone.is_err(), "{granter:?} gives itself {after:?}");
                for now in &all {
                    let deed = Deed::Place {
                        now: Some(now),
                        role: after.role,
                        given: &after.permissions,
                        reach: &after.reach,
                    };
                    if decide(granter, &deed, false).is_ok() {
                        assert!(granter.role == Role::Admin || now.role == Role::Member);
                        assert!(granter.reach.covers(&now.reach) && granter.reach.covers(&after.reach));
                        assert!(within(after, granter));
                    }
                    if decide(granter, &Deed::Remove { now }, false).is_ok() {
                        assert!(granter.role == Role::Admin || now.role == Role::Member);
                        assert!(granter.reach.covers(&now.reach));
                    }
                }
            }
            for given in subsets(&NAMES) {
                if decide(granter, &Deed::Group { given: &given }, false).is_ok() {
                    // Whoever is in the group, anywhere, holds it then.
                    let widest = Holding { role: Role::Member, permissions: given, reach: Reach::Whole };
                    assert!(within(&widest, granter), "{granter:?}");
                }
            }
        }
        assert!(yes > 100 && no > 100, "{yes} {no}");
    }

    #[test]
    fn what_is_refused_says_why() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let manager = Holding {
            role: Role::Member,
            permissions: set(&["members.manage", "records.read"]),
            reach: Reach::Only(set(&["alder"])),
        };
        let place = |role, given: &[&str], tenants: &[&str]| {
            let (given, reach) = (set(given), Reach::of(role, set(tenants)));
            decide(&manager, &Deed::Place { now: None, role, given: &given, reach: &reach }, false)
        };
        assert_eq!(place(Role::Member, &["records.read"], &["alder"]), Ok(()));
        assert_eq!(place(Role::Admin, &[], &["alder"]), Err(Beyond::Admin));
        assert_eq!(place(Role::Member, &["dbt.run"], &["alder"]), Err(Beyond::Permission("dbt.run".into())));
        assert_eq!(place(Role::Member, &[], &["birch"]), Err(Beyond::Reach));
        assert_eq!(place(Role::Member, &[], &[]), Err(Beyond::Reach), "no tenants are all of them");
        assert_eq!(decide(&manager, &Deed::Group { given: &set(&[]) }, false), Err(Beyond::Groups));
        let reader = Holding { permissions: set(&["members.read"]), ..manager.clone() };
        assert_eq!(decide(&reader, &Deed::Group { given: &set(&[]) }, false), Err(Beyond::Manage));
    }
}
