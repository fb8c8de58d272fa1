//! Names that are rather a slip of the hand than another name, or that people take for one that there is.

use crate::validate::{likeness, outline};

/// The name among those that there are that people would take for this one, if it is not that one itself.
pub(crate) fn twin<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let (like, drawn) = (likeness(name), outline(name));
    // Two criteria: case makes letters alike that are drawn otherwise, and drawing those that no case does.
    let is_like = |other: &str| likeness(other) == like || outline(other) == drawn;
    known.into_iter().find(|other| *other != name && is_like(other))
}

/// Whether `typed` is `known` but for case, width, blanks and signs, or one slip besides: a sign that is missing, that is too
/// many, that is another one, or that has changed places with its neighbour, wherever in the name.
///
/// Names that people make on purpose beside each other are among them, `Clinic 1` and `Clinic 2`, `Fast` and `East`: nothing
/// tells these from a slip, and a word that says so costs less than an organisation that nobody wanted.
pub(super) fn is_slip(typed: &str, known: &str) -> bool {
    if typed == known {
        return false;
    }
    let (typed, known) = (drawn(typed), drawn(known));
    typed == known || differ_by_one(&typed, &known)
}

/// The letters and digits of a name as they look at a glance.
fn drawn(name: &str) -> Vec<char> {
    likeness(name).chars().filter(|c| c.is_alphanumeric()).map(look).collect()
}

/// The letter that a digit looks like: `S0uth` is hardly another organisation than `South`.
fn look(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | 'i' => 'l',
        '5' => 's',
        _ => c,
    }
}

/// Whether two names that are not the same differ by one slip.
fn differ_by_one(one: &[char], other: &[char]) -> bool {
    let before = one.iter().zip(other).take_while(|(x, y)| x == y).count();
    let (one, other) = (&one[before..], &other[before..]);
    let after = one.iter().rev().zip(other.iter().rev()).take_while(|(x, y)| x == y).count();
    match (&one[..one.len() - after], &other[..other.len() - after]) {
        ([_], [] | [_]) | ([], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S20
    #[test]
    fn s20_a_twin_is_found() {
        assert_eq!(twin("NORTH", ["South", "North"]), Some("North"));
        assert_eq!(twin("North", ["North"]), None);
        assert_eq!(twin("Norths", ["North"]), None);
    }

    // S20
    #[test]
    fn s20_a_name_with_letters_of_another_alphabet_that_look_the_same_is_a_twin() {
        for (name, other) in [
            ("\u{430}dmins", "admins"),
            ("\u{410}DMINS", "admins"),
            ("\u{441}\u{435}nt\u{435}r", "Center"),
            ("\u{39d}orth", "North"),
            // An accent that is written with its letter, in either alphabet.
            ("No\u{451}l", "No\u{eb}l"),
            ("\u{41d}\u{415}\u{422}", "\u{43d}\u{435}\u{442}"),
        ] {
            assert_eq!(twin(name, [other]), Some(other), "{name}");
            assert_eq!(twin(other, [name]), Some(name), "{other}");
        }
        // Names of another alphabet are names.
        for (name, other) in [
            ("\u{410}\u{434}\u{43c}\u{438}\u{43d}\u{44b}", "admins"),
            ("\u{421}\u{435}\u{432}\u{435}\u{440}", "\u{42e}\u{433}"),
            ("\u{3b2}orth", "North"),
        ] {
            assert_eq!(twin(name, [other]), None, "{name}");
        }
    }

    // O4
    #[test]
    fn o4_a_slip_is_told_from_another_name() {
        for (typed, known) in [
            ("Nroth", "North"),
            ("Nort", "North"),
            ("Northh", "North"),
            ("north", "North"),
            ("Nprth", "North"),
            ("Acme  GmbH", "Acme GmbH"),
            ("AcmeGmbH", "Acme GmbH"),
            ("acme-gmbh", "Acme GmbH"),
            ("Acme Gmbh & Co", "Acme GmbH Co"),
            ("Defualt", "Default"),
            ("St. Mary Hospitl", "St. Mary Hospital"),
            ("Müler", "Müller"),
            ("S0uth", "South"),
            ("\u{ff33}outh", "South"),
            ("C1inic 2", "Clinic 2"),
            // At either end of a name, and in a short one.
            ("Nortj", "North"),
            ("Morth", "North"),
            ("orth", "North"),
            ("ACM", "ACME"),
            ("ACME1", "ACME"),
            ("Fast", "East"),
            ("Abc", "Abd"),
            ("A", "B"),
            ("日本", "日木"),
            // As likely meant as not: whoever means it says so.
            ("Clinic 1", "Clinic 2"),
            ("Clinic 12", "Clinic 2"),
            ("Org A", "Org B"),
            ("OrgA", "OrgB"),
            ("org1", "org2"),
        ] {
            assert!(is_slip(typed, known), "{typed} {known}");
            assert!(is_slip(known, typed), "{known} {typed}");
        }
        for (typed, known) in [
            ("North", "North"),
            ("South", "North"),
            ("East", "West"),
            ("North Wing", "North"),
            ("Clinic 10", "Clinic 2"),
            ("Nrthh", "North"),
            ("ab", "cd"),
        ] {
            assert!(!is_slip(typed, known), "{typed} {known}");
        }
    }
}
