//! Which codes hold for a customer's plugin as well, and which only a build can hold, each with its reason: a code that
//! stands in neither list does not pass the tests.

use super::*;

/// Codes that the running host gives too: of one manifest, and of plugins together.
pub const HELD_BY_BOTH: &[Code] = &[
    UNREADABLE,
    EMPTY,
    SYNTAX,
    NOT_A_MAPPING,
    DUPLICATE_KEY,
    TOO_LARGE,
    HIDDEN_CHARACTER,
    DUPLICATE_NAME,
    MISSING_FIELD,
    WRONG_TYPE,
    MALFORMED_NAME,
    NAME_NOT_OF_FOLDER,
    RESERVED_SLUG,
    MALFORMED_VERSION,
    UNKNOWN_FIELD,
    MALFORMED_PERMISSION,
    MALFORMED_PATH,
    MALFORMED_PUBLIC_ROUTE,
    MALFORMED_ROUTER,
    UNKNOWN_WORD,
    MALFORMED_OVERRIDE_KEY,
    MALFORMED_REQUIREMENT,
    SHARED_VARIABLE,
    DUPLICATE_ENTRY,
    DEPENDS_ON_ITSELF,
    DUPLICATE_ROUTER,
    DUPLICATE_PLUGIN,
    MISSING_PLUGIN,
    DEPENDENCY_CYCLE,
    PLUGIN_VERSION,
    PLATFORM_VERSION,
    DUPLICATE_WORKSPACE,
    MISSING_FILE,
    NAVIGATION_WITHOUT_PAGE,
    UNDECLARED_PERMISSION,
    SHARED_NAVIGATION,
    SHARED_PERMISSION,
    UNKNOWN_BLOCK,
    MISSPELT_ORDER,
    FOREIGN_GRANT,
];

/// Codes that only a build can give, by the reason why.
pub const BUILD_ONLY: &[(&str, &[Code])] = &[
    (
        "No backend of a customer's plugin is linked: its routers are not mounted, and whether its permissions are asked \
         for is for whoever reads them to say.",
        &[
            MISSING_ROUTER_MODULE,
            MISSING_ROUTER,
            PRIVATE_ROUTER,
            NOT_A_ROUTER,
            PATH_LEADS_OUT,
            INHERITS_FROM_WORKSPACE,
            CARGO_TOML,
            DUPLICATE_CRATE,
            INEFFECTIVE_TABLE,
            CRATE_NOT_COPIED,
            ROUTER_WITHOUT_CRATE,
            RUST_SOURCE,
            ROUTE_NOT_MOUNTED,
            ROUTER_FAILS,
            UNMATCHED_PUBLIC_ROUTE,
            UNUSED_PERMISSION,
        ],
    ),
    (
        "No frontend of a customer's plugin is bundled: its pages, claims and modules are not in the page.",
        &[
            DUPLICATE_CLAIM,
            MODULE_SYNTAX,
            MODULE_TOO_LARGE,
            MISSING_EXPORT,
            EXPORT_IS_TYPE,
            MISSING_MODULE,
            EQUAL_PRIORITY,
            WRONG_EXPORT,
            MODULE_UNREADABLE,
            SEALED_SURFACE,
            OLD_SURFACE,
            MODULE_TOO_DEEP,
            MODULE_NOT_UTF8,
            FOREIGN_PAGE,
            UNUSED_OVERRIDE_KEY,
            NOT_A_MODULE,
            SECOND_REACT,
            BROKEN_RENAME,
            DUPLICATE_SURFACE,
            OVERRIDE_TYPE,
            TYPESCRIPT,
        ],
    ),
    (
        "No migration of a customer's plugin runs: it has no tables.",
        &[FOREIGN_TABLE_NAME, MIGRATION_ORDER, MIGRATION_FAILS, MIGRATIONS_NOT_TRIED, ONE_DATABASE_SQL],
    ),
    (
        "A dbt project of a customer's plugin is never composed with others into one release: each run reads it as it is \
         then, looks after its packages, and tells what dbt says of it.",
        &[
            DUPLICATE_DBT_PROJECT,
            DUPLICATE_MODEL,
            SHARED_MODEL_NAME,
            DBT_PARSE,
            DBT_REF,
            DBT_DUPLICATE_NAME,
            DBT_PACKAGE_OUTSIDE,
            DBT_PACKAGE_MISSING,
        ],
    ),
    (
        "A customer's folder is not copied into a release: what its links lead to, a run sees only where its fences let \
         it.",
        &[UNUSABLE_LINK],
    ),
    (
        "It is about folders that are no plugins: there may be anything beside the customer's, drivers for instance.",
        &[MISNAMED_MANIFEST],
    ),
    (
        "A name of the release's is the release's: the customer's plugin is listed as shadowed, under no code.",
        &[SHADOWED_PLUGIN],
    ),
    (
        "It is about the command line of the build, its compilers, its lock and the machine that it runs on.",
        &[
            COMMAND_LINE,
            COMPILE_ERROR,
            COMPILE_WARNING,
            CRATES_UNRESOLVED,
            PACKAGE_NOT_LOCKED,
            MODULE_NOT_BUNDLED,
            IMPORT_UNRESOLVED,
            IMPORT_NOT_EXPORTED,
            STYLE_SHEET,
            ASSET,
            PACKAGE_JSON,
            PACKAGE_LOCK,
            BUNDLER,
            MACHINE,
            HUB_LOCK,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_holds_for_customers_too_or_has_a_reason() {
        let mut times: BTreeMap<Code, usize> = CODES.iter().map(|code| (*code, 0)).collect();
        let of_build = BUILD_ONLY.iter().flat_map(|(_, codes)| *codes);
        for code in HELD_BY_BOTH.iter().chain(of_build) {
            *times.entry(*code).or_default() += 1;
        }
        let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
        assert!(wrong.is_empty(), "each code stands once, in HELD_BY_BOTH or in BUILD_ONLY: {wrong:?}");
    }

    /// The codes whose constants a source names.
    fn named_in(text: &str) -> impl Iterator<Item = Code> + '_ {
        let names = text.split("codes::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            &rest[..end.unwrap_or(rest.len())]
        });
        names.filter_map(|name| CODES.iter().copied().find(|code| code.entry().constant == name))
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
            given.extend(named_in(told));
        }
        assert_eq!(given, HELD_BY_BOTH.iter().copied().collect::<BTreeSet<_>>());
    }
}
