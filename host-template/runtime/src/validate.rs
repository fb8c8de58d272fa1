//! Checks of a request's values that end in one answer naming every field.

use std::ops::RangeInclusive;

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
        let message = if count == 0 {
            "must not be empty".to_owned()
        } else if count < min {
            format!("must have at least {min} characters")
        } else {
            format!("must have at most {max} characters")
        };
        self.that(field, chars.contains(&count), message)
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

fn looks_like_email(address: &str) -> bool {
    let plain = !address.contains(|c: char| c.is_whitespace() || c.is_control());
    plain
        && address.len() <= 254
        && address.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && domain.split('.').all(|label| !label.is_empty())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
