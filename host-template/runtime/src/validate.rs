//! Checks of a request's values that end in one answer naming every field.

use std::io;
use std::ops::RangeInclusive;

use hub_manifest::grammar::hidden_character;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

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

    /// Text of so many characters, blanks at its ends not counted.
    pub fn text(self, field: &str, text: &str, chars: RangeInclusive<usize>) -> Check {
        let count = text.trim().chars().count();
        let (min, max) = (*chars.start(), *chars.end());
        // What is not counted is kept where nobody takes it away: there is an end to that, too.
        let blanks = text.chars().count() - count;
        let message = if blanks > 100 {
            "must have at most 100 blanks at its ends".to_owned()
        } else if count == 0 {
            "must not be empty".to_owned()
        } else if count < min {
            format!("must have at least {min} characters")
        } else {
            format!("must have at most {max} characters")
        };
        self.that(field, chars.contains(&count) && blanks <= 100, message)
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
        self.that(field, looks_like_email(address), "must be an e-mail address, like name@example.com")
    }

    /// Goes on where nothing was wrong.
    pub fn done(self) -> Result<()> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// A name as it is kept: without blanks at its ends, and its accents in the form in which they count the same (NFC).
pub fn tidy(text: &str) -> String {
    text.trim().nfc().collect()
}

/// Whether a character by itself leaves a mark: the joiners of scripts and emoji, and what only changes the one before,
/// do not.
fn is_seen(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{0300}'..='\u{036F}')
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

fn looks_like_email(address: &str) -> bool {
    let plain = !address.contains(char::is_whitespace) && hidden_character(address).is_none();
    plain
        && address.len() <= 254
        && address.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && domain.split('.').all(|label| !label.is_empty())
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
        assert_eq!(said("\u{200D}\u{200D}").as_deref(), Some("must hold something that can be seen"));
        assert_eq!(said(" \u{a0} ").as_deref(), Some("must not be empty"));
        // An accent counts once, however it is written.
        assert_eq!(tidy(" e\u{301} "), "\u{e9}");
        assert_eq!(said(&"e\u{301}".repeat(20)), None);
        assert_eq!(said(&"e\u{301}".repeat(21)).as_deref(), Some("must have at most 20 characters"));
    }

    #[test]
    fn every_field_is_named() {
        let problem = Check::new()
            .text("title", "  ", 1..=5)
            .text("note", "too long", 0..=5)
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
                "beds: must be from 0 to 9",
                "status: must be one of open, closed",
                "mail: must be an e-mail address, like name@example.com",
            ]
        );
        assert!(Check::new().email("mail", "ann.lee@example.com").done().is_ok());
    }
}
