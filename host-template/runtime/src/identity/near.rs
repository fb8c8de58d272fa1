//! Names that are rather a slip of the hand than another name, or that people take for one that there is.

use crate::validate::likeness;

/// The name among those that there are that people would take for this one, if it is not that one itself.
pub(crate) fn twin<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let like = likeness(name);
    known.into_iter().find(|other| *other != name && likeness(other) == like)
}

/// Whether `typed` is `known` with another case or other blanks and signs, or with one slip in a word: a letter that is
/// missing, doubled, swapped with its neighbour, or another one in the middle.
///
/// Names that people make on purpose beside each other are none: `North` and `South`, `Clinic 1` and `Clinic 2`, `Org A`
/// and `Org B`, `OrgA` and `OrgB`.
pub(super) fn is_slip(typed: &str, known: &str) -> bool {
    if typed == known {
        return false;
    }
    if likeness(typed) == likeness(known) {
        return true;
    }
    let (typed, known) = (words(typed), words(known));
    let as_drawn = |words: &[String]| words.concat().chars().map(look).collect::<String>();
    if as_drawn(&typed) == as_drawn(&known) {
        return true;
    }
    if typed.len() != known.len() {
        return false;
    }
    let mut differ = typed.iter().zip(&known).filter(|(one, other)| one != other);
    match (differ.next(), differ.next()) {
        (Some((one, other)), None) => slipped(one, other),
        _ => false,
    }
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

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Words shorter than this are too short to tell a slip from another word.
const SHORTEST: usize = 4;

fn slipped(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |a: &[char], b: &[char]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let before = same(&one, &other);
    let (rest, other_rest) = (&one[before..], &other[before..]);
    let backwards = |letters: &[char]| letters.iter().rev().copied().collect::<Vec<char>>();
    let after = same(&backwards(rest), &backwards(other_rest));
    let (ours, theirs) = (&rest[..rest.len() - after], &other_rest[..other_rest.len() - after]);
    let letters = ours.iter().chain(theirs).all(|c| c.is_alphabetic());
    if !letters || one.len().min(other.len()) < SHORTEST {
        return false;
    }
    match (ours, theirs) {
        ([_], []) | ([], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        // Not the first or the last letter: these tell names apart on purpose.
        ([_], [_]) => before > 0 && after > 0,
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
        ] {
            assert!(is_slip(typed, known), "{typed} {known}");
        }
        for (typed, known) in [
            ("North", "North"),
            ("South", "North"),
            ("East", "West"),
            ("Clinic 1", "Clinic 2"),
            ("Clinic 12", "Clinic 2"),
            ("Org A", "Org B"),
            ("OrgA", "OrgB"),
            ("org1", "org2"),
            ("A", "B"),
            ("Abc", "Abd"),
            ("North Wing", "North"),
            ("Fast", "East"),
            ("日本", "日木"),
        ] {
            assert!(!is_slip(typed, known), "{typed} {known}");
        }
    }
}
