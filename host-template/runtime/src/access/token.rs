//! Session tokens: 256 random bits for the caller, their hash for the database.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub_release::hash;

/// What a caller proves with who it is; in a cookie or after `Bearer`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Token(Box<str>);

/// Characters of a token.
const LENGTH: usize = 43;

impl Token {
    /// A new one, which nobody can guess.
    pub(crate) fn random() -> Result<Token, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Token(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The token that a caller sends, where it has the form of one.
    pub(crate) fn parse(text: &str) -> Option<Token> {
        let fits = text.len() == LENGTH
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Token(text.into()))
    }

    /// As the caller keeps it.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// What the database keeps.
    pub(crate) fn id(&self) -> String {
        hash::of_bytes(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let one = Token::random().unwrap();
        let other = Token::random().unwrap();
        assert_ne!(one.secret(), other.secret());
        assert_eq!(one.secret().len(), LENGTH);
        assert_eq!(Token::parse(one.secret()).map(|t| t.id()), Some(one.id()));
        assert!(!one.id().contains(one.secret()));
        for wrong in ["", "short", &"ä".repeat(43), &"a".repeat(44), &format!("{}\n", "a".repeat(42))] {
            assert!(Token::parse(wrong).is_none());
        }
    }
}
