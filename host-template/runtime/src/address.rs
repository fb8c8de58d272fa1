//! E-mail addresses: the one form in which an account keeps its own, however somebody writes it.

use std::fmt;

use hub_manifest::visible::hidden_character;
use idna::AsciiDenyList;
use unicode_normalization::UnicodeNormalization;

/// An address as somebody wrote it, and the form that all ways to write it have in common: no blanks around it, signs in
/// the width and composition that count the same (NFKC), lower case, and the domain as it is asked for on the network
/// (`xn--…`), which is also what browsers send of one.
///
/// Whether it is an address at all is for [`Check::email`](crate::Check::email) to say of the canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    canonical: String,
    /// Forms under which an account may be kept, the likeliest to be meant first: earlier releases lowered the case of what
    /// was written, and no more.
    forms: [String; 3],
}

impl Address {
    pub(crate) fn of(text: &str) -> Address {
        let canonical = canonical(text);
        let shown = match canonical.rsplit_once('@') {
            Some((local, domain)) if domain.contains("xn--") => match idna::domain_to_unicode(domain) {
                (domain, Ok(())) => format!("{local}@{domain}"),
                (_, Err(_)) => canonical.clone(),
            },
            _ => canonical.clone(),
        };
        Address { forms: [text.trim().to_lowercase(), canonical.clone(), shown], canonical }
    }

    /// The canonical form.
    pub(crate) fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Forms under which it may be kept, the likeliest to be meant first.
    pub(crate) fn forms(&self) -> &[String; 3] {
        &self.forms
    }

    /// Whether an address that is kept somewhere is this one, written otherwise.
    pub(crate) fn is(&self, kept: &str) -> bool {
        self.canonical == kept || self.canonical == canonical(kept)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

/// A domain as it is asked for on the network, in ASCII and lower case; none where it cannot be a name there.
pub(crate) fn domain(text: &str) -> Option<String> {
    // What UTS 46 would leave out without a word.
    if hidden_character(text).is_some() {
        return None;
    }
    // Why it cannot be one is told to nobody: the address is refused as a whole, with an example.
    idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::URL).ok().map(|domain| domain.into_owned())
}

fn canonical(text: &str) -> String {
    // First of all, since there are signs for `@` and `.` of another width.
    let plain: String = text.trim().nfkc().collect();
    let plain = plain.trim();
    let Some((local, host)) = plain.rsplit_once('@') else { return lower(plain) };
    // An address that is none stays what it is, to be refused or to be found as it was kept.
    let Some(host) = domain(host) else { return lower(plain) };
    format!("{}@{host}", lower(local))
}

/// In lower case. A letter that has two small forms gets the one of its place; `ß` is none of `ss`, which is another
/// mailbox.
fn lower(text: &str) -> String {
    text.replace(['\u{3c2}', '\u{3c3}'], "\u{3a3}").to_lowercase().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        Address::of(text).as_str().to_owned()
    }

    // S20
    #[test]
    fn s20_ways_to_write_one_address_have_one_form() {
        for (written, want) in [
            (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
            ("\u{ff41}nn@example.com", "ann@example.com"),
            ("ann\u{ff20}example\u{ff0e}com", "ann@example.com"),
            ("ann@example\u{3002}com", "ann@example.com"),
            ("\u{212a}im@example.com", "kim@example.com"),
            ("o\u{fb03}ce@example.com", "office@example.com"),
            ("ann@ex\u{e4}mple.de", "ann@xn--exmple-cua.de"),
            ("ann@EX\u{c4}MPLE.de", "ann@xn--exmple-cua.de"),
            ("ann@exa\u{308}mple.de", "ann@xn--exmple-cua.de"),
            ("ann@XN--EXMPLE-CUA.de", "ann@xn--exmple-cua.de"),
            ("ann@\u{ff45}xample.com", "ann@example.com"),
            ("JOS\u{c9}@example.com", "jos\u{e9}@example.com"),
            ("jose\u{301}@example.com", "jos\u{e9}@example.com"),
            (
                "\u{39d}\u{399}\u{39a}\u{39f}\u{3a3}@example.com",
                "\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c2}@example.com",
            ),
            (
                "\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c3}@example.com",
                "\u{3bd}\u{3b9}\u{3ba}\u{3bf}\u{3c2}@example.com",
            ),
            ("admin@localhost", "admin@localhost"),
        ] {
            assert_eq!(one(written), want, "{written}");
            assert_eq!(one(want), want, "the form of a form is itself");
            assert!(Address::of(written).is(want) && Address::of(want).is(written), "{written}");
        }
        // Other mailboxes, and other domains.
        for (one, other) in [
            ("ann@example.com", "anne@example.com"),
            ("stra\u{df}e@example.com", "strasse@example.com"),
            ("ann@stra\u{df}e.de", "ann@strasse.de"),
            ("jos\u{e9}@example.com", "jose@example.com"),
            ("ann@example.com", "ann@exam\u{ad}ple.com"),
        ] {
            assert!(!Address::of(one).is(other), "{one} {other}");
        }
    }

    // S20
    #[test]
    fn s20_what_is_no_address_stays_what_it_is() {
        for text in
            ["", "@", "ann", "ann@", "a@b@c.d", "ann@xn--a.de", "ann@a b.de", "ann@exam\u{200b}ple.com"]
        {
            assert_eq!(one(text), text);
        }
    }

    // S20
    #[test]
    fn s20_an_account_of_an_earlier_release_is_looked_for_as_it_was_kept() {
        let address = Address::of(" Ann@EXA\u{308}mple.de");
        let want = ["ann@exa\u{308}mple.de", "ann@xn--exmple-cua.de", "ann@ex\u{e4}mple.de"];
        assert_eq!(address.forms().each_ref().map(String::as_str), want);
        assert!(Address::of("ann@xn--exmple-cua.de").forms().contains(&"ann@ex\u{e4}mple.de".to_owned()));
    }
}
