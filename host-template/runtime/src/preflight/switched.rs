//! What organisations have switched on, held against the plugins that there would be: what is on for another plugin of that name,
//! and what is on for none.

use std::path::PathBuf;

use serde::Deserialize;

use super::Finding;
use crate::access::orgs_told;
use crate::registry::Origin;

/// A plugin that is on for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct On {
    pub(super) plugin: String,
    /// Where it comes from; none where a release has written that which did not keep it.
    pub(super) origin: Option<String>,
    /// For so many organisations.
    pub(super) orgs: i64,
}

/// All of them.
pub(super) const ALL: &str =
    "SELECT plugin, origin, count(*) AS orgs FROM hub_org_plugins WHERE state <> 'disabled'
    GROUP BY plugin, origin ORDER BY plugin, origin";

/// What would become of one of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Same,
    /// Stands in the way.
    Stops(Finding),
    Told(Finding),
}

/// Judges one. `now` is the plugin that would have the name, from where and in which folder; `before` where that of the release
/// in use comes from, as far as that is known.
pub(super) fn judge(on: &On, now: Option<(Origin, PathBuf)>, before: Option<&str>) -> Fate {
    let slug = &on.plugin;
    let Some((origin, folder)) = now else {
        return Fate::Told(Finding::plugin(
            format!("vertical plugin `{slug}` is on for somebody, and this release does not have it"),
            "take a build with it, or tell those who use it",
        ));
    };
    let orgs = orgs_told(usize::try_from(on.orgs).unwrap_or_default());
    let would = match origin {
        Origin::Install => Origin::whose(origin.as_str()).to_owned(),
        Origin::Data => format!("{} in {}", Origin::whose(origin.as_str()), folder.display()),
    };
    match (on.origin.as_deref(), before) {
        (Some(known), _) if known != origin.as_str() => Fate::Told(Finding::plugin(
            format!(
                "vertical plugin `{slug}` is on for {orgs} as {}, and the one of that name would be {would}: it would be off \
                 for them",
                Origin::whose(known)
            ),
            "tell their admins: whoever wants it enables it anew, and others disable it, on the Plugins page",
        )),
        // The other way round it is told of the folder: `namesakes`.
        (None, Some("install")) if origin == Origin::Data => Fate::Stops(Finding::plugin(
            format!(
                "vertical plugin `{slug}` is on for {orgs} as the release's, which this release does not have: {would} would \
                 take its place, unasked"
            ),
            "give the customer's another name, write `enabled: false` into its plugin.yaml, or take a build with the release's",
        )),
        _ => Fate::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O6
    #[test]
    fn o6_what_was_switched_on_is_not_silently_anothers() {
        let judged = |origin: Option<&str>, now: Option<Origin>, before: Option<&str>| {
            let on = On { plugin: "crm".to_owned(), origin: origin.map(str::to_owned), orgs: 2 };
            match judge(&on, now.map(|now| (now, PathBuf::from("/data/plugins/crm"))), before) {
                Fate::Same => ("same", String::new()),
                Fate::Stops(finding) => ("stops", finding.what),
                Fate::Told(finding) => ("told", finding.what),
            }
        };
        use Origin::{Data, Install};
        for (origin, now, before) in [
            (Some("install"), Install, None),
            (Some("data"), Data, Some("data")),
            // As always.
            (None, Install, Some("install")),
            (None, Data, Some("data")),
            (None, Data, None),
            (None, Install, Some("data")),
        ] {
            assert_eq!(judged(origin, Some(now), before).0, "same", "{origin:?} {now:?}");
        }
        let (fate, text) = judged(Some("data"), Some(Install), Some("data"));
        assert_eq!(fate, "told");
        assert!(text.contains("for 2 organisations as the customer's own"), "{text}");
        let (fate, text) = judged(Some("install"), Some(Data), None);
        assert!(fate == "told" && text.contains("the customer's own in /data/plugins/crm"), "{text}");
        let (fate, text) = judged(None, Some(Data), Some("install"));
        assert!(fate == "stops" && text.contains("/data/plugins/crm"), "{text}");
        assert_eq!(judged(Some("data"), None, None).0, "told");
    }
}
