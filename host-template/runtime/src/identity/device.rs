//! Devices that an account has been signed in from: a mark that the browser keeps for a long time. It opens nothing; it
//! only keeps other people's tries from holding up its owner.
//!
//! The mark is signed with what the database keeps of the account's password. So nothing has to be stored, every host
//! knows it, and a new password ends all marks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Days that a browser keeps its mark.
pub(crate) const DEVICE_DAYS: i64 = 365;

/// Characters of each half: a number of 128 random bits, and a signature of 256 bits.
const NUMBER: usize = 22;
const SIGNATURE: usize = 43;

/// A mark that is an account's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device(String);

impl Device {
    /// A new one for an account.
    pub(crate) fn new(user: &str, password_hash: &str) -> Result<Device, getrandom::Error> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes)?;
        let number = URL_SAFE_NO_PAD.encode(bytes);
        let signature = URL_SAFE_NO_PAD.encode(sign(user, password_hash, &number).finalize().into_bytes());
        Ok(Device(format!("{number}.{signature}")))
    }

    /// Whether a text has the form of a mark; only then is an account looked up for it.
    pub(crate) fn is_formed(text: &str) -> bool {
        let is_word = |text: &str, length: usize| {
            text.len() == length
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        text.split_once('.')
            .is_some_and(|(number, signature)| is_word(number, NUMBER) && is_word(signature, SIGNATURE))
    }

    /// The mark that a browser sends, where it is this account's.
    pub(crate) fn of(text: &str, user: &str, password_hash: &str) -> Option<Device> {
        if !Device::is_formed(text) {
            return None;
        }
        let (number, signature) = text.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compared in constant time.
        sign(user, password_hash, number).verify_slice(&signature).ok()?;
        Some(Device(text.to_owned()))
    }

    /// As the browser keeps it.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// What it is counted by.
    pub(crate) fn number(&self) -> &str {
        self.0.get(..NUMBER).unwrap_or_default()
    }
}

fn sign(user: &str, password_hash: &str, number: &str) -> Hmac<Sha256> {
    // A key of any length is taken.
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(password_hash.as_bytes())
        .unwrap_or_else(|_| <Hmac<Sha256> as KeyInit>::new(&Default::default()));
    for part in ["device", user, number] {
        mac.update(part.as_bytes());
        mac.update(b"\0");
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_one_accounts_and_ends_with_its_password() {
        let device = Device::new("ann", "$argon2id$one").unwrap();
        let of = |text: &str, user, hash| Device::of(text, user, hash);
        assert_eq!(of(device.secret(), "ann", "$argon2id$one"), Some(device.clone()));
        assert_eq!(of(device.secret(), "bob", "$argon2id$one"), None);
        assert_eq!(of(device.secret(), "ann", "$argon2id$two"), None);
        assert_ne!(device, Device::new("ann", "$argon2id$one").unwrap());
        let forged = format!("{}.{}", "a".repeat(22), &device.secret()[23..]);
        for wrong in ["", ".", "a.b", &forged, &device.secret()[1..], &format!("{} ", device.secret())] {
            assert_eq!(of(wrong, "ann", "$argon2id$one"), None, "{wrong}");
        }
    }
}
