//! Checks of a request's values that end in one answer naming every field.

use std::io;
use std::ops::RangeInclusive;

use hub_manifest::visible::hidden_character;
use serde::Serialize;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::address;
use crate::problem::{FieldError, Problem, Result};

/// Collects what is wrong with a request; [`Check::done`] gives the problem that names all of it.
///
/// ```
/// use hub::prelude::*;
///
/// let answer = Check::new()
///     .text("title", "", 1..=200)
///     .range("beds", 12, 0..=10_000)
///     .done();
/// assert_eq!(answer.unwrap_err().body().errors[0].field, "title");
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Nothing found yet.
    pub fn new() -> Check {
        Check::default()
    }

    /// What `ok` says; `message` tells what the field has to be.
    pub fn that(mut self, field: &str, ok: bool, message: impl Into<String>) -> Check {
        if !ok {
            self.errors.push(FieldError { field: field.to_owned(), message: message.into() });
        }
        self
    }

    /// Text of so many characters, of one line or more, blanks at its ends not counted.
    pub fn text(self, field: &str, text: &str, chars: RangeInclusive<usize>) -> Check {
        let count = text.trim().chars().count();
        let (min, max) = (*chars.start(), *chars.end());
        // What is not counted is kept where nobody takes it away: there is an end to that, too.
        let blanks = text.chars().count() - count;
        // A terminal obeys them, and PostgreSQL keeps no NUL.
        let control = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        let message = if let Some(control) = control {
            format!("must not hold the control character U+{:04X}", u32::from(control))
        } else if blanks > 100 {
            "must have at most 100 blanks at its ends".to_owned()
        } else if count == 0 {
            "must not be empty".to_owned()
        } else if count < min {
            format!("must have at least {min} characters")
        } else {
            format!("must have at most {max} characters")
        };
        self.that(field, chars.contains(&count) && blanks <= 100 && control.is_none(), message)
    }

    /// A value that takes at most so many bytes as JSON.
    pub(crate) fn size(self, field: &str, value: &impl Serialize, most: usize) -> Check {
        let mut size = Size(0);
        // What cannot be written as JSON at all is found out where it is written.
        let fits = serde_json::to_writer(&mut size, value).is_err() || size.0 <= most;
        self.that(field, fits, format!("must have at most {most} bytes as JSON"))
    }

    /// A name or title that people read in one line, of so many characters: nothing in it that cannot be seen, that breaks
    /// the line, or that turns the direction of the text round. [`tidy`] gives it as it is kept.
    pub fn name(self, field: &str, text: &str, chars: RangeInclusive<usize>) -> Check {
        let tidied = tidy(text);
        if let Some(hidden) = hidden_character(&tidied) {
            let message = format!("must not hold the invisible character U+{:04X}", u32::from(hidden));
            return self.that(field, false, message);
        }
        if !tidied.is_empty() && !tidied.chars().any(is_seen) {
            return self.that(field, false, "must hold something that can be seen");
        }
        self.text(field, &tidied, chars)
    }

    /// A JSON object whose keys are names and whose texts may have lines and tabs, but nothing else that cannot be seen.
    pub fn visible(self, field: &str, object: &Map<String, Value>) -> Check {
        match hidden_entry(field, object) {
            None => self,
            Some((place, hidden)) => {
                let message = format!("must not hold the invisible character U+{:04X}", u32::from(hidden));
                self.that(&place, false, message)
            }
        }
    }

    /// A number in this range.
    pub fn range<N>(self, field: &str, number: N, range: RangeInclusive<N>) -> Check
    where
        N: PartialOrd + std::fmt::Display,
    {
        let message = format!("must be from {} to {}", range.start(), range.end());
        self.that(field, range.contains(&number), message)
    }

    /// One of these words.
    pub fn one_of(self, field: &str, word: &str, words: &[&str]) -> Check {
        let message = format!("must be one of {}", words.join(", "));
        self.that(field, words.contains(&word), message)
    }

    /// An e-mail address, as far as its form can tell.
    pub fn email(self, field: &str, address: &str) -> Check {
        self.that(field, is_email(address, 2), "must be an e-mail address, like name@example.com")
    }

    /// The same, or one of a machine of this network, such as `admin@localhost`.
    pub(crate) fn local_email(self, field: &str, address: &str) -> Check {
        self.that(field, is_email(address, 1), "must be an e-mail address, like name@example.com")
    }

    /// Goes on where nothing was wrong.
    pub fn done(self) -> Result<()> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// A name as it is kept: without blanks at its ends, one plain blank between words, and its accents in the form in which
/// they count the same (NFC).
pub fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().nfc() {
        // What breaks the line is no blank: it is refused, not mended.
        let blank = c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
        match blank {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out
}

/// What two names have in common that people take for one: neither case, nor width, nor how an accent or a ligature is
/// written, nor what chooses between forms of one sign.
pub(crate) fn likeness(name: &str) -> String {
    let plain: String = tidy(name).nfkc().flat_map(char::to_lowercase).collect();
    // Upper case first, for letters of which two small ones have one capital.
    let folded: String = plain.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    folded.nfkc().filter(|c| !is_joiner(*c)).collect()
}

/// The likeness of a name with letters of the Latin alphabet in the place of those of others that are drawn like them: `аdmins` that
/// begins with a Cyrillic letter is `admins`. What two names have in common that look the same; a name that is Cyrillic or Greek
/// throughout has little of it in common with a Latin one.
pub(crate) fn outline(name: &str) -> String {
    let latin: String = tidy(name).nfkd().map(latin).collect();
    likeness(&latin)
}

/// The Latin letter that a Cyrillic or Greek one is drawn like, by `confusables.txt` of Unicode (UTS #39); else the letter itself. Case
/// is as it is written: `В` is drawn like `B`, and `в` is not.
fn latin(c: char) -> char {
    match c {
        '\u{410}' | '\u{391}' => 'A',
        '\u{412}' | '\u{392}' => 'B',
        '\u{421}' | '\u{3f9}' => 'C',
        '\u{415}' | '\u{395}' => 'E',
        '\u{50c}' => 'G',
        '\u{41d}' | '\u{397}' => 'H',
        '\u{406}' | '\u{4c0}' | '\u{399}' => 'I',
        '\u{408}' | '\u{37f}' => 'J',
        '\u{41a}' | '\u{39a}' => 'K',
        '\u{41c}' | '\u{39c}' => 'M',
        '\u{39d}' => 'N',
        '\u{41e}' | '\u{39f}' => 'O',
        '\u{420}' | '\u{3a1}' => 'P',
        '\u{51a}' => 'Q',
        '\u{405}' => 'S',
        '\u{422}' | '\u{3a4}' => 'T',
        '\u{474}' => 'V',
        '\u{51c}' => 'W',
        '\u{425}' | '\u{3a7}' => 'X',
        '\u{423}' | '\u{4ae}' | '\u{3a5}' => 'Y',
        '\u{396}' => 'Z',
        '\u{430}' | '\u{3b1}' | '\u{251}' => 'a',
        '\u{42c}' => 'b',
        '\u{441}' | '\u{3f2}' => 'c',
        '\u{501}' => 'd',
        '\u{435}' => 'e',
        '\u{261}' => 'g',
        '\u{4bb}' => 'h',
        '\u{456}' | '\u{3b9}' => 'i',
        '\u{458}' | '\u{3f3}' => 'j',
        '\u{4cf}' => 'l',
        '\u{43e}' | '\u{3bf}' | '\u{3c3}' => 'o',
        '\u{440}' | '\u{3c1}' => 'p',
        '\u{51b}' => 'q',
        '\u{433}' => 'r',
        '\u{455}' => 's',
        '\u{3c5}' => 'u',
        '\u{475}' | '\u{3bd}' => 'v',
        '\u{51d}' => 'w',
        '\u{445}' => 'x',
        '\u{443}' | '\u{4af}' | '\u{3b3}' => 'y',
        _ => c,
    }
}

/// What stands between or behind letters and is not drawn.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a character by itself leaves a mark: what only changes the one before does not.
fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !is_joiner(c) && !is_combining_mark(c)
}

/// The first text in a value, key or not, that holds what cannot be seen, and where it is.
fn hidden_inside(place: &str, value: &Value) -> Option<(String, char)> {
    match value {
        Value::String(text) => {
            let hidden = text.split(['\n', '\t']).map(|line| line.strip_suffix('\r').unwrap_or(line));
            hidden.into_iter().find_map(hidden_character).map(|hidden| (place.to_owned(), hidden))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(at, item)| hidden_inside(&format!("{place}[{at}]"), item))
        }
        Value::Object(object) => hidden_entry(place, object),
        _ => None,
    }
}

fn hidden_entry(place: &str, object: &Map<String, Value>) -> Option<(String, char)> {
    // A key that does not show is not named.
    object.iter().find_map(|(key, item)| match hidden_character(key) {
        Some(hidden) => Some((place.to_owned(), hidden)),
        None => hidden_inside(&format!("{place}.{key}"), item),
    })
}

/// Counts what is written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The form that browsers hold an address to (HTML, "valid e-mail address"), in letters of any script (RFC 6531), with a
/// domain of so many labels at least. What comes first is a letter, a digit or `_`: a sheet takes `=`, `+` and `-` for formulas.
fn is_email(address: &str, labels: usize) -> bool {
    let of_domain = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let of_local = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    address.len() <= 254
        && hidden_character(address).is_none()
        && address.split_once('@').is_some_and(|(local, domain)| {
            // As the network knows it: what has no such form is the name of nothing.
            let Some(domain) = address::domain(domain) else { return false };
            (1..=64).contains(&local.len())
                && local.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                && local.chars().all(of_local)
                && domain.split('.').count() >= labels
                && domain.split('.').all(of_domain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    // S20
    #[test]
    fn s20_a_name_is_one_line_that_shows_as_what_it_is() {
        let said = |text: &str| {
            let problem = Check::new().name("name", text, 1..=20).done().err();
            problem.map(|problem| problem.body().errors[0].message.clone())
        };
        for fine in [
            "North",
            " Ärzte & Söhne ",
            "日本",
            "فارسی\u{200C}ها",
            "👩\u{200D}⚕\u{FE0F}",
            "O'Neill \"x\" <b>",
        ] {
            assert_eq!(said(fine), None, "{fine}");
        }
        let hidden = [
            "a\r\nb",
            "a\nb",
            "a\tb",
            "a\u{1b}[31m",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{0}b",
            "\u{202E}gnp.exe",
            "a\u{2066}b\u{2069}",
            "a\u{200B}b",
            "a\u{2060}b",
            "a\u{FEFF}b",
            "a\u{2028}b",
            "a\u{200E}b",
            "a\u{061C}b",
            "a\u{AD}b",
            "a\u{180E}b",
            "a\u{3164}b",
            "a\u{115F}",
            "a\u{E0041}b",
            "a\u{034F}b",
            "a\u{2800}",
        ];
        for wrong in hidden {
            let message = said(wrong).unwrap_or_default();
            assert!(message.starts_with("must not hold the invisible character U+"), "{wrong:?}: {message}");
        }
        for nothing in ["\u{301}", "\u{20D0}\u{1AB0}"] {
            assert_eq!(said(nothing).as_deref(), Some("must hold something that can be seen"));
        }
        assert_eq!(said(" \u{a0} ").as_deref(), Some("must not be empty"));
        // An accent counts once, however it is written.
        assert_eq!(tidy(" e\u{301} "), "\u{e9}");
        assert_eq!(said(&"e\u{301}".repeat(20)), None);
        assert_eq!(said(&"e\u{301}".repeat(21)).as_deref(), Some("must have at most 20 characters"));
    }

    // S20
    #[test]
    fn s20_names_that_people_take_for_one_are_alike() {
        assert_eq!(tidy(" North\u{a0}\u{3000} Wing "), "North Wing");
        assert_eq!(tidy("a\tb\u{2028}"), "a\tb", "at the ends every blank goes");
        for (one, other) in [
            ("North", "NORTH"),
            ("North  Wing", "North\u{a0}Wing"),
            ("\u{ff2e}orth", "North"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{3c3}\u{3b1}\u{3c2}", "\u{3a3}\u{391}\u{3a3}"),
            ("\u{fb01}n", "fin"),
            ("\u{2764}\u{FE0F}", "\u{2764}"),
        ] {
            assert_eq!(likeness(one), likeness(other), "{one} {other}");
        }
        for (one, other) in [("North", "South"), ("Clinic 1", "Clinic 2"), ("M\u{fc}ller", "Muller")] {
            assert_ne!(likeness(one), likeness(other), "{one} {other}");
        }
    }

    // S20
    #[test]
    fn s20_what_a_json_value_hides_is_named_with_its_place() {
        let said = |value: Value| {
            let problem = Check::new().visible("fields", value.as_object().unwrap()).done().err()?;
            Some(problem.body().errors[0].field.clone())
        };
        assert_eq!(said(serde_json::json!({"a b": "one\r\ntwo\tthree", "n": [1, null, true]})), None);
        assert_eq!(said(serde_json::json!({"a": [{"b": "\u{202E}x"}]})).as_deref(), Some("fields.a[0].b"));
        assert_eq!(said(serde_json::json!({"a": "x\ry"})).as_deref(), Some("fields.a"));
        assert_eq!(said(serde_json::json!({"a": {"b\u{1b}": 1}})).as_deref(), Some("fields.a"));
        assert_eq!(said(serde_json::json!({"line\nbreak": 1})).as_deref(), Some("fields"));
        assert_eq!(said(serde_json::json!({"a": "\u{0}"})).as_deref(), Some("fields.a"));
    }

    // S20
    #[test]
    fn s20_an_address_is_one_and_nothing_else() {
        let is = |address: &str| Check::new().email("mail", address).done().is_ok();
        for fine in [
            "ann.lee@example.com",
            "o'neill+crm@sub.example.co.uk",
            "_x@example.com",
            "jos\u{e9}@ex\u{e4}mple.de",
            "1@2.example",
        ] {
            assert!(is(fine), "{fine}");
        }
        for wrong in [
            "<a@x.y>",
            "Ann <a@x.y>",
            "a,b@x.y",
            "a;b@x.y",
            "mailto:a@x.y",
            "=cmd()@x.y",
            "=cmd@x.y",
            "+a@x.y",
            "-a@x.y",
            "a@b@x.y",
            "a@x",
            "a@.y",
            "a@x..y",
            "a@-x.y",
            "a@x.y-",
            "a@x_y.z",
            "a@[127.0.0.1]",
            "\"a b\"@x.y",
            "a b@x.y",
            "a\u{202E}@x.y",
            "a@x.y\n",
            "a@xn--a.y",
            "a@x\u{ad}y.z",
            "a@x\u{2100}.z",
            "@x.y",
            "a@",
        ] {
            assert!(!is(wrong), "{wrong}");
        }
        assert!(Check::new().local_email("mail", "admin@localhost").done().is_ok());
        assert!(Check::new().local_email("mail", "<a@localhost>").done().is_err());
        assert!(!is(&format!("{}@x.y", "a".repeat(65))) && !is(&format!("a@{}.y", "x".repeat(64))));
    }

    #[test]
    fn every_field_is_named() {
        let problem = Check::new()
            .text("title", "  ", 1..=5)
            .text("note", "too long", 0..=5)
            .text("diagnosis", "one\r\n\ttwo\u{0}", 0..=50)
            .range("beds", -1, 0..=9)
            .one_of("status", "gone", &["open", "closed"])
            .email("mail", "nobody@localhost")
            .that("id", true, "never said")
            .done()
            .unwrap_err();
        let errors: Vec<_> =
            problem.body().errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        assert_eq!(
            errors,
            [
                "title: must not be empty",
                "note: must have at most 5 characters",
                "diagnosis: must not hold the control character U+0000",
                "beds: must be from 0 to 9",
                "status: must be one of open, closed",
                "mail: must be an e-mail address, like name@example.com",
            ]
        );
        assert!(Check::new().email("mail", "ann.lee@example.com").done().is_ok());
    }
}
