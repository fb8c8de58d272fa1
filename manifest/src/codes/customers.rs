//! Which codes hold for a customer's plugin as well, and which only a build can hold, each with its reason: a code that
//! stands in neither list does not pass the tests.

/// Codes that the running host gives too: of one manifest, and of plugins together.
pub const HELD_BY_BOTH: &[&str] = &[
    "HUB001", "HUB002", "HUB003", "HUB004", "HUB005", "HUB006", "HUB008", "HUB009", "HUB010", "HUB011",
    "HUB012", "HUB013", "HUB014", "HUB015", "HUB016", "HUB017", "HUB018", "HUB019", "HUB020", "HUB021",
    "HUB022", "HUB023", "HUB024", "HUB025", "HUB026", "HUB027", "HUB030", "HUB032", "HUB033", "HUB034",
    "HUB035", "HUB048", "HUB049", "HUB070", "HUB076", "HUB082", "HUB084", "HUB085", "HUB086", "HUB109",
];

/// Codes that only a build can give, by the reason why.
pub const BUILD_ONLY: &[(&str, &[&str])] = &[
    (
        "No backend of a customer's plugin is linked: its routers are not mounted, and whether its permissions are asked \
         for is for whoever reads them to say.",
        &[
            "HUB036", "HUB037", "HUB038", "HUB039", "HUB050", "HUB051", "HUB052", "HUB053", "HUB056",
            "HUB057", "HUB073", "HUB074", "HUB093", "HUB094", "HUB095", "HUB102",
        ],
    ),
    (
        "No frontend of a customer's plugin is bundled: its pages, claims and modules are not in the page.",
        &[
            "HUB029", "HUB040", "HUB041", "HUB042", "HUB043", "HUB044", "HUB045", "HUB046", "HUB047",
            "HUB065", "HUB066", "HUB071", "HUB072", "HUB075", "HUB077", "HUB078", "HUB087", "HUB088",
            "HUB089", "HUB091", "HUB092",
        ],
    ),
    (
        "No migration of a customer's plugin runs: it has no tables.",
        &["HUB083", "HUB100", "HUB101", "HUB103", "HUB104"],
    ),
    (
        "A dbt project of a customer's plugin is never composed with others into one release: each run reads it as it is \
         then, looks after its packages, and tells what dbt says of it.",
        &["HUB079", "HUB080", "HUB081", "HUB097", "HUB098", "HUB099", "HUB107", "HUB108"],
    ),
    (
        "A customer's folder is not copied into a release: what its links lead to, a run sees only where its fences let \
         it.",
        &["HUB007"],
    ),
    (
        "It is about folders that are no plugins: there may be anything beside the customer's, drivers for instance.",
        &["HUB028"],
    ),
    (
        "A name of the release's is the release's: the customer's plugin is listed as shadowed, under no code.",
        &["HUB031"],
    ),
    (
        "It is about the command line of the build, its compilers, its lock and the machine that it runs on.",
        &[
            "HUB000", "HUB054", "HUB055", "HUB058", "HUB059", "HUB060", "HUB061", "HUB062", "HUB063",
            "HUB064", "HUB067", "HUB068", "HUB069", "HUB090", "HUB096",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::codes::CODES;

    #[test]
    fn every_code_holds_for_customers_too_or_has_a_reason() {
        let mut times: BTreeMap<&str, usize> = CODES.iter().map(|code| (code.code, 0)).collect();
        let of_build = BUILD_ONLY.iter().flat_map(|(_, codes)| *codes);
        for code in HELD_BY_BOTH.iter().chain(of_build) {
            *times.get_mut(code).unwrap_or_else(|| panic!("{code} is no code")) += 1;
        }
        let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
        assert!(wrong.is_empty(), "each code stands once, in HELD_BY_BOTH or in BUILD_ONLY: {wrong:?}");
    }

    /// The list says what the sources of the rules and of the manifest's reader give, no more and no less.
    #[test]
    fn what_both_hold_is_what_the_shared_sources_give() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let rules = fs::read_dir(src.join("rules")).unwrap().map(|file| file.unwrap().path());
        let reader = ["plugin.rs", "contributions.rs", "reader.rs", "source.rs", "yaml.rs"];
        let mut given = BTreeSet::new();
        for file in rules.chain(reader.map(|name| src.join(name))) {
            let text = fs::read_to_string(&file).unwrap();
            let told = text.split("#[cfg(test)]").next().unwrap_or_default();
            given.extend(told.match_indices("\"HUB").filter_map(|(at, _)| {
                let code = told.get(at + 1..at + 7)?;
                code[3..].bytes().all(|byte| byte.is_ascii_digit()).then(|| code.to_owned())
            }));
        }
        let listed: BTreeSet<String> = HELD_BY_BOTH.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(given, listed);
    }
}
