//! Plugin order: dependencies first, then `order.before` and `order.after`, then slug.

use std::collections::{BTreeMap, BTreeSet};

/// What decides one plugin's place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// Slugs that come before this plugin because it depends on them.
    pub dependencies: BTreeSet<String>,
    /// Slugs that come before this plugin because `order` says so.
    pub after: BTreeSet<String>,
}

/// Orders the slugs (Kahn's algorithm, the smallest slug first among those that are free), or gives a cycle as a path
/// that begins and ends with the same slug. Constraints on slugs that are not keys of the map are ignored.
pub fn plugin_order(plugins: &BTreeMap<String, Constraints>) -> Result<Vec<String>, Vec<String>> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = plugins
        .iter()
        .map(|(slug, constraints)| {
            let before = constraints.dependencies.iter().chain(&constraints.after);
            (slug.as_str(), before.map(String::as_str).filter(|slug| plugins.contains_key(*slug)).collect())
        })
        .collect();
    let mut free: BTreeSet<&str> =
        waiting.iter().filter(|(_, before)| before.is_empty()).map(|(slug, _)| *slug).collect();
    let mut followers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (slug, before) in &waiting {
        for earlier in before {
            followers.entry(earlier).or_default().push(slug);
        }
    }
    let mut order = Vec::new();
    while let Some(slug) = free.pop_first() {
        waiting.remove(slug);
        order.push(slug.to_string());
        for follower in followers.get(slug).into_iter().flatten() {
            if let Some(before) = waiting.get_mut(follower) {
                before.remove(slug);
                if before.is_empty() {
                    free.insert(follower);
                }
            }
        }
    }
    if waiting.is_empty() { Ok(order) } else { Err(cycle(&waiting)) }
}

/// A cycle among plugins that all wait for one another, from its smallest slug.
fn cycle(waiting: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut at = waiting.keys().next().copied();
    // Each plugin that waits has one to wait for that waits too, so the walk must come back to where it has been.
    while let Some(slug) = at {
        if let Some(start) = path.iter().position(|seen| *seen == slug) {
            let mut round = path.split_off(start);
            let smallest =
                round.iter().enumerate().min_by_key(|(_, slug)| **slug).map_or(0, |(index, _)| index);
            round.rotate_left(smallest);
            round.push(round[0]);
            return round.into_iter().map(str::to_string).collect();
        }
        path.push(slug);
        at = waiting
            .get(slug)
            .and_then(|before| before.iter().find(|slug| waiting.contains_key(*slug)).copied());
    }
    path.into_iter().map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a: b c, d` reads: a depends on b and c; d stands alone.
    fn plugins(text: &str) -> BTreeMap<String, Constraints> {
        text.split(',')
            .map(|part| {
                let (slug, before) = part.split_once(':').unwrap_or((part, ""));
                let dependencies = before.split_whitespace().map(str::to_string).collect();
                (slug.trim().to_string(), Constraints { dependencies, after: BTreeSet::new() })
            })
            .collect()
    }

    fn check(text: &str, expect: Result<&str, &str>) {
        let got = plugin_order(&plugins(text));
        let got = got.map(|order| order.join(" ")).map_err(|cycle| cycle.join(" → "));
        assert_eq!(got, expect.map(str::to_string).map_err(str::to_string), "{text}");
    }

    #[test]
    fn orders_by_dependency_then_slug() {
        check("c, a, b", Ok("a b c"));
        check("a: z, b, z", Ok("b z a"));
        check("a: c, b: c, c: d, d", Ok("d c a b"));
        check("a: gone, b", Ok("a b"));
    }

    #[test]
    fn names_the_cycle_only() {
        check("a: b, b: a", Err("a → b → a"));
        check("a: b, b: c, c: d, d: b, e", Err("b → c → d → b"));
        check("a: a", Err("a → a"));
    }
}
