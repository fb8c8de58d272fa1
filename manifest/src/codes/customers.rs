//! Why some codes are only a build's to give: those without such a reason hold for a customer's plugin as well.

use super::{CODES, Code};

/// The reasons: a variant with its sentence, and the list of them all.
macro_rules! reasons {
    ($($name:ident = $text:literal;)*) => {
        /// Why the running host does not give a code for a customer's plugin.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BuildOnly {
            $(#[doc = $text] $name,)*
        }

        impl BuildOnly {
            /// Every reason.
            pub const ALL: &[BuildOnly] = &[$(BuildOnly::$name),*];

            /// The reason in a sentence.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(BuildOnly::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    NoBackend = "No backend of a customer's plugin is linked: its routers are not mounted, and whether its \
        permissions are asked for is for whoever reads them to say.";
    NoFrontend = "No frontend of a customer's plugin is bundled: its pages, claims and modules are not in the page.";
    NoMigrations = "No migration of a customer's plugin runs: it has no tables.";
    NotComposed = "A dbt project of a customer's plugin is never composed with others into one release: each run \
        reads it as it is then, looks after its packages, and tells what dbt says of it.";
    NotCopied = "A customer's folder is not copied into a release: what its links lead to, a run sees only where its \
        fences let it.";
    OtherFolders = "It is about folders that are no plugins: there may be anything beside the customer's, drivers for instance.";
    Shadowed = "A name of the release's is the release's: the customer's plugin is listed as shadowed, under no code.";
    BuildMachine = "It is about the command line of the build, its compilers, its lock and the machine that it runs on.";
}

impl BuildOnly {
    /// The codes that have this reason, sorted.
    pub fn codes(self) -> impl Iterator<Item = Code> + Clone {
        CODES.iter().copied().filter(move |code| code.entry().build_only == Some(self))
    }
}

/// Codes that the running host gives too, sorted: of one manifest, and of plugins together.
pub fn held_by_both() -> impl Iterator<Item = Code> + Clone {
    CODES.iter().copied().filter(|code| code.entry().build_only.is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_reason_has_codes_and_the_codes_of_all_are_all_of_the_build() {
        let of_build: Vec<Code> = BuildOnly::ALL.iter().flat_map(|reason| reason.codes()).collect();
        assert_eq!(of_build.len() + held_by_both().count(), CODES.len());
        let idle: Vec<_> = BuildOnly::ALL.iter().filter(|reason| reason.codes().next().is_none()).collect();
        assert!(idle.is_empty(), "no entry has the reason {idle:?}: remove it");
    }

    /// The codes whose constants a source names.
    fn named_in(text: &str) -> impl Iterator<Item = Code> + '_ {
        let names = text.split("codes::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            &rest[..end.unwrap_or(rest.len())]
        });
        names.filter_map(|name| CODES.iter().copied().find(|code| code.entry().constant == name))
    }

    /// The entries say what the sources of the rules and of the manifest's reader give, no more and no less: a code without
    /// a reason that they do not give, and one with a reason that they do, are both a mistake.
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
        assert_eq!(given, held_by_both().collect::<BTreeSet<_>>());
    }
}
