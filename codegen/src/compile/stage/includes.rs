//! Files that Rust source pulls in by name: they have to be staged too when they lie beside the crate and not in it.

/// What a name in the source is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The folder of the source file.
    File,
    /// The folder of the crate.
    Crate,
}

/// The ways in which source names a file, and what the name is relative to.
const MARKERS: [(&str, Base); 6] = [
    ("include_str!", Base::File),
    ("include_bytes!", Base::File),
    ("include!", Base::File),
    ("#[path", Base::File),
    ("migrate!", Base::Crate),
    ("query_file!", Base::Crate),
];

/// The files and folders that `source` names by a plain string literal. Text in comments counts as well: a file too
/// many in the staged workspace does no harm.
pub fn named(source: &str) -> Vec<(Base, &str)> {
    let mut found = Vec::new();
    for (marker, base) in MARKERS {
        for (at, _) in source.match_indices(marker) {
            let rest =
                source[at + marker.len()..].trim_start_matches([' ', '\n', '\t', '\r', '(', '[', '{', '=']);
            if let Some(literal) = rest.strip_prefix('"')
                && let Some(end) = literal.find('"')
            {
                found.push((base, &literal[..end]));
            }
        }
    }
    found
}

/// Whether `source` reads a variable of the environment at compile time, other than those that cargo sets.
pub fn reads_environment(source: &str) -> bool {
    source.match_indices("env!").any(|(at, marker)| {
        let rest = source[at + marker.len()..].trim_start_matches([' ', '\n', '\t', '\r', '(', '[', '{']);
        !rest.starts_with("\"CARGO_")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_what_they_are_relative_to() {
        let source = r#"
            const A: &str = include_str!("../../data/a.txt");
            const B: &[u8] = include_bytes!(
                "b.bin"
            );
            #[path = "../shared/mod.rs"]
            mod shared;
            static M: Migrator = sqlx::migrate!("../migrations");
            include!(concat!(env!("OUT_DIR"), "/x.rs"));
        "#;
        let expected = [
            (Base::File, "../../data/a.txt"),
            (Base::File, "b.bin"),
            (Base::File, "../shared/mod.rs"),
            (Base::Crate, "../migrations"),
        ];
        assert_eq!(named(source), expected);
    }

    #[test]
    fn only_foreign_variables_count() {
        assert!(!reads_environment(r#"env!("CARGO_PKG_VERSION")"#));
        assert!(reads_environment(r#"option_env!("GIT_COMMIT")"#));
        assert!(!reads_environment("let env = 1;"));
    }
}
