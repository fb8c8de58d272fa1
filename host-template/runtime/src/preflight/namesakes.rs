//! Customers' plugins that have the name of one of the release: which of them stop a setup or an upgrade, and which are only
//! told.

use std::collections::BTreeSet;

use super::Finding;
use crate::discover::Namesake;

/// What there is to say of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Those that would silently give way to the release's.
    pub(crate) error: Option<Finding>,
    /// Those that give way to nothing, and would not be used where somebody counts on them.
    pub(crate) warnings: Vec<Finding>,
}

/// Judges them. `settled` says of a name that the release in use has it too, so that nothing changes with this one; `agreed`
/// that the operator lets the release's take over.
pub(crate) fn judge(
    all: &[Namesake],
    settled: impl Fn(&str) -> bool,
    agreed: impl Fn(&str) -> bool,
) -> Judged {
    let (stop, rest): (Vec<&Namesake>, Vec<&Namesake>) =
        all.iter().partition(|one| one.on && !settled(&one.slug) && !agreed(&one.slug));
    let told = rest.into_iter().filter(|one| !(one.on && agreed(&one.slug)));
    Judged { error: taken(&stop), warnings: told.map(unused).collect() }
}

/// That plugins of the customer's would give way to those of the release, with the two ways out of that.
fn taken(stop: &[&Namesake]) -> Option<Finding> {
    let slugs: BTreeSet<&str> = stop.iter().map(|one| one.slug.as_str()).collect();
    let slugs: Vec<&str> = slugs.into_iter().collect();
    let what = |one: &&Namesake| {
        format!(
            "the release brings a vertical plugin `{}` ({}), and {} is the customer's own of that name ({}): where it is on, \
             the release's would take its place",
            one.slug,
            one.of_release,
            one.folder.display(),
            version(one)
        )
    };
    let how = format!(
        "give the customer's another name, or let the release's take over: --take-over {}",
        slugs.join(",")
    );
    let what: Vec<String> = stop.iter().map(what).collect();
    (!stop.is_empty()).then(|| Finding::plugin(what.join("; "), how))
}

fn unused(one: &Namesake) -> Finding {
    let state = if one.on { "is not used" } else { "is off, and would not be used if it were on" };
    Finding::plugin(
        format!(
            "the customer's vertical plugin `{}` ({}) in {} {state}: the release has one of that name ({})",
            one.slug,
            version(one),
            one.folder.display(),
            one.of_release
        ),
        "give it another name where it is to be used, else remove it",
    )
}

/// Its version as it is told.
fn version(one: &Namesake) -> &str {
    if one.version.is_empty() { "without a version" } else { &one.version }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// O6: one that is on stops unless somebody has agreed; every other one is told, with its folder and both versions.
    #[test]
    fn o6_a_namesake_that_is_on_stops_and_one_that_is_off_is_told() {
        let one = |slug: &str, on| Namesake {
            slug: slug.to_owned(),
            folder: PathBuf::from("/data/plugins").join(slug),
            version: "1.0.0".to_owned(),
            of_release: "2.1.0".to_owned(),
            on,
        };
        let said = |all: &[Namesake], settled: &[&str], agreed: &[&str]| {
            let judged = judge(all, |slug| settled.contains(&slug), |slug| agreed.contains(&slug));
            let text = |finding: &Finding| format!("{}; {}", finding.what, finding.help);
            (judged.error.as_ref().map(text), judged.warnings.iter().map(text).collect::<Vec<_>>())
        };
        let has = |text: &str| {
            for part in ["`crm`", "/data/plugins/crm", "1.0.0", "2.1.0"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        };
        let (error, warnings) = said(&[one("crm", true)], &[], &["other"]);
        let error = error.unwrap();
        has(&error);
        assert!(error.ends_with("--take-over crm") && warnings.is_empty(), "{error} {warnings:?}");
        assert_eq!(said(&[one("crm", true)], &[], &["crm"]), (None, vec![]));
        for (on, settled, agreed, state) in [
            (false, &[][..], &[][..], "is off"),
            (false, &["crm"], &[], "is off"),
            (false, &[], &["crm"], "is off"),
            (true, &["crm"], &[], "is not used"),
        ] {
            let (error, warnings) = said(&[one("crm", on)], settled, agreed);
            assert!(error.is_none() && warnings.len() == 1 && warnings[0].contains(state), "{warnings:?}");
            has(&warnings[0]);
        }
        let (error, warnings) = said(&[one("a", true), one("b", false), one("c", true)], &[], &[]);
        assert!(error.unwrap().ends_with("--take-over a,c") && warnings.len() == 1);
    }
}
