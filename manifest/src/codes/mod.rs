//! The registry of diagnostic codes: what each one means, what to do about it, and why it is an error or a warning.
//!
//! `docs/diagnostics.md`, the rules in SARIF output and `cargo xtask explain` are made of it. A code keeps its meaning for
//! good. Whoever gives a new one adds its entry to the file of its area and names it by its constant, which is all that a
//! [`Diagnostic`](crate::diagnostic::Diagnostic) takes; a test compares the registry with the sources.

/// The entries of one area: a constant for each code, and the list of them all.
macro_rules! codes {
    ($($name:ident = $level:ident($id:literal, $title:literal) $(.$part:ident($value:expr))*;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: $crate::codes::Code = {
                const ENTRY: &$crate::codes::Entry =
                    &$crate::codes::Entry::$level(stringify!($name), $id, $title)$(.$part($value))*;
                $crate::codes::Code(ENTRY)
            };
        )*

        /// The codes of this area.
        pub(super) const CODES: &[$crate::codes::Code] = &[$($name),*];
    };
}

mod build;
pub mod customers;
mod dbt;
mod manifest;
mod plugins;
mod routers;
mod web;

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diagnostic::Level;

pub use build::*;
pub use customers::BuildOnly;
pub use dbt::*;
pub use manifest::*;
pub use plugins::*;
pub use routers::*;
pub use web::*;

/// A diagnostic code. There is none without an entry in the registry.
///
/// It is written as its identifier, `HUB0nn`, in text and in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static Entry);

/// What the registry says of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The identifier, `HUB0nn`; the first field, as codes are ordered by it.
    pub id: &'static str,
    /// Name of the constant that stands for the code in sources.
    pub constant: &'static str,
    /// How much it weighs; where another tool decides, what it is as a rule.
    pub level: Level,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// When it is given.
    pub cause: &'static str,
    /// What to do about it.
    pub cure: &'static str,
    /// Why it is an error, or only a warning.
    pub why: &'static str,
    /// Why the running host does not give it for a customer's plugin; none if it does.
    pub build_only: Option<BuildOnly>,
}

impl Code {
    /// The identifier, `HUB0nn`.
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// What the registry says of the code.
    pub const fn entry(self) -> &'static Entry {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let id = String::deserialize(deserializer)?;
        find(&id).ok_or_else(|| D::Error::custom(format_args!("`{id}` is not a diagnostic code")))
    }
}

impl Entry {
    const fn error(constant: &'static str, id: &'static str, title: &'static str) -> Entry {
        Entry { id, constant, level: Level::Error, title, cause: "", cure: "", why: "", build_only: None }
    }

    const fn warning(constant: &'static str, id: &'static str, title: &'static str) -> Entry {
        Entry { level: Level::Warning, ..Entry::error(constant, id, title) }
    }

    const fn cause(self, cause: &'static str) -> Entry {
        Entry { cause, ..self }
    }

    const fn cure(self, cure: &'static str) -> Entry {
        Entry { cure, ..self }
    }

    const fn why(self, why: &'static str) -> Entry {
        Entry { why, ..self }
    }

    const fn build_only(self, reason: BuildOnly) -> Entry {
        Entry { build_only: Some(reason), ..self }
    }
}

/// The codes by area: a heading, and its codes.
pub const AREAS: &[(&str, &[Code])] = &[
    ("One manifest", manifest::CODES),
    ("Plugins together", plugins::CODES),
    ("Routers and crates", routers::CODES),
    ("Web", web::CODES),
    ("dbt", dbt::CODES),
    ("Compiling, bundling and the machine", build::CODES),
];

const COUNT: usize = {
    let (mut area, mut count) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].1.len();
        area += 1;
    }
    count
};

const SORTED: [Code; COUNT] = {
    let mut all = [AREAS[0].1[0]; COUNT];
    let (mut area, mut filled) = (0, 0);
    while area < AREAS.len() {
        let mut index = 0;
        while index < AREAS[area].1.len() {
            let code = AREAS[area].1[index];
            let mut at = filled;
            while at > 0 && number(all[at - 1].id()) > number(code.id()) {
                all[at] = all[at - 1];
                at -= 1;
            }
            all[at] = code;
            filled += 1;
            index += 1;
        }
        area += 1;
    }
    all
};

/// Every code, sorted.
pub const CODES: &[Code] = &SORTED;

/// The code of an identifier.
pub fn find(id: &str) -> Option<Code> {
    CODES.binary_search_by(|known| known.id().cmp(id)).ok().map(|at| CODES[at])
}

/// The number in an identifier. One of another form does not compile.
const fn number(id: &str) -> u32 {
    let bytes = id.as_bytes();
    assert!(bytes.len() == 6 && bytes[0] == b'H' && bytes[1] == b'U' && bytes[2] == b'B', "a code is HUB0nn");
    let (mut at, mut number) = (3, 0);
    while at < bytes.len() {
        assert!(bytes[at].is_ascii_digit(), "a code is HUB0nn");
        number = number * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_stands_once_and_is_found() {
        assert!(CODES.windows(2).all(|pair| pair[0] < pair[1]), "a code stands twice: {CODES:#?}");
        assert!(CODES.iter().all(|code| find(code.id()) == Some(*code)));
        assert_eq!(find("HUB999"), None);
        assert_eq!(find("hub001"), None);
    }

    #[test]
    fn a_code_is_written_as_its_identifier_and_read_again() {
        let code = OLD_SURFACE;
        assert_eq!(
            (code.id(), code.to_string().as_str(), format!("{code:?}").as_str()),
            ("HUB066", "HUB066", "HUB066")
        );
        assert_eq!((code.entry().constant, code.entry().level), ("OLD_SURFACE", Level::Warning));
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"HUB066\"");
        assert_eq!(serde_json::from_str::<Code>("\"HUB066\"").unwrap(), code);
        for wrong in ["\"HUB999\"", "\"OLD_SURFACE\"", "66", "null"] {
            assert!(serde_json::from_str::<Code>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_entry_says_everything() {
        for code in CODES.iter().map(|code| code.entry()) {
            let sentences = [code.cause, code.cure, code.why];
            assert!(sentences.iter().all(|text| text.ends_with('.')), "three sentences wanted: {code:#?}");
            assert!(
                !code.title.is_empty() && !code.title.ends_with('.'),
                "a title has no full stop: {code:#?}"
            );
            assert!(
                code.title.starts_with(|c: char| !c.is_uppercase()),
                "a title goes on after the code: {code:#?}"
            );
        }
    }
}
