//! The registry of diagnostic codes: what each one means, what to do about it, and why it is an error or a warning.
//!
//! `docs/diagnostics.md`, the rules in SARIF output and `cargo xtask explain` are made of it. A code keeps its meaning for
//! good. Whoever gives a new one adds its entry to the file of its area; a test compares the registry with the sources.

mod build;
pub mod customers;
mod dbt;
mod manifest;
mod plugins;
mod routers;
mod web;

use crate::diagnostic::Level;

/// One diagnostic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code itself, `HUB0nn`.
    pub code: &'static str,
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
}

impl Code {
    const fn error(code: &'static str, title: &'static str) -> Code {
        Code { code, level: Level::Error, title, cause: "", cure: "", why: "" }
    }

    const fn warning(code: &'static str, title: &'static str) -> Code {
        Code { level: Level::Warning, ..Code::error(code, title) }
    }

    const fn cause(self, cause: &'static str) -> Code {
        Code { cause, ..self }
    }

    const fn cure(self, cure: &'static str) -> Code {
        Code { cure, ..self }
    }

    const fn why(self, why: &'static str) -> Code {
        Code { why, ..self }
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
    let mut all = [Code::error("", ""); COUNT];
    let (mut area, mut filled) = (0, 0);
    while area < AREAS.len() {
        let mut index = 0;
        while index < AREAS[area].1.len() {
            let code = AREAS[area].1[index];
            let mut at = filled;
            while at > 0 && number(all[at - 1].code) > number(code.code) {
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

/// The entry of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.binary_search_by(|known| known.code.cmp(code)).ok().map(|at| &CODES[at])
}

/// The number in a code. A code of another form does not compile.
const fn number(code: &str) -> u32 {
    let bytes = code.as_bytes();
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
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code), "a code stands twice: {CODES:#?}");
        assert!(CODES.iter().all(|code| find(code.code) == Some(code)));
        assert_eq!(find("HUB999"), None);
        assert_eq!(find("hub001"), None);
    }

    #[test]
    fn each_entry_says_everything() {
        for code in CODES {
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
