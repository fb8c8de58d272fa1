//! Key pairs and signatures for releases, in minisign's format.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hub_manifest::environment;
use hub_release::keys::{UNTRUSTED_COMMENT, trusted_comment};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

use crate::base::failure::Machine;
use crate::pack::Sign;

/// The variable that holds a secret key's password.
pub const PASSWORD: &str = environment::HUB_SIGN_PASSWORD;

/// Comment of the keys; nobody relies on it.
const COMMENT: &str = "hub-platform releases";

/// A secret key that is ready to sign.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

impl Signer {
    /// Opens a secret key. Its password comes from the environment, else it is asked for where there is somebody to ask.
    pub fn open(path: &Path) -> Result<Signer, Machine> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| Machine::io("read", path, &error))?;
        // A key without a password says so itself.
        let plain = SecretKeyBox::from(text.clone()).into_unencrypted_secret_key().ok();
        let secret = match plain {
            Some(secret) => secret,
            None => encrypted(SecretKeyBox::from(text), path)?,
        };
        let public = PublicKey::from_secret_key(&secret).map_err(|error| {
            Machine::new(format!("{shown} holds no usable key: {error}"), "make a pair: cargo xtask keygen")
        })?;
        Ok(Signer { secret, public })
    }
}

impl Sign for Signer {
    fn id(&self) -> String {
        self.public.to_base64()
    }

    fn sign(&self, version: &str, release_json: &[u8]) -> Result<Vec<u8>, Machine> {
        let comment = UNTRUSTED_COMMENT.trim_start_matches("untrusted comment: ");
        let trusted = trusted_comment(version);
        minisign::sign(Some(&self.public), &self.secret, release_json, Some(&trusted), Some(comment))
            .map(|signature| signature.to_bytes())
            .map_err(|error| Machine::new(format!("the release cannot be signed: {error}"), ""))
    }
}

/// A key that a password protects.
fn encrypted(key: SecretKeyBox, path: &Path) -> Result<SecretKey, Machine> {
    let password = std::env::var(PASSWORD).ok();
    if password.is_none() && !io::stdin().is_terminal() {
        return Err(Machine::new(
            format!("{} is no secret key of minisign, or a password protects it", path.display()),
            format!(
                "set {PASSWORD} to its password, or name the file that `cargo xtask keygen` made (not the `.pub`)"
            ),
        ));
    }
    key.into_secret_key(password).map_err(|error| {
        Machine::new(
            format!("{} cannot be opened: {error}", path.display()),
            format!(
                "see that the password is right ({PASSWORD}), and that the file is a secret key of minisign; \
                 one that `minisign -W` made has no checksum: give it a password (minisign -C)"
            ),
        )
    })
}

/// Makes a key pair: the secret key at `path`, for its owner's eyes only, and the public one beside it, with `.pub`. Neither
/// file may be there yet. Without a password the secret key is as safe as the file.
pub fn keygen(path: &Path, password: Option<String>) -> Result<PathBuf, Machine> {
    let failed = |error: minisign::PError| Machine::new(format!("no key could be made: {error}"), "");
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let KeyPair { pk, sk } = pair.map_err(failed)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    let public = PathBuf::from(name);
    write_new(path, 0o600, &sk.to_box(Some(COMMENT)).map_err(failed)?.to_bytes())?;
    write_new(&public, 0o644, &pk.to_box().map_err(failed)?.to_bytes())?;
    Ok(public)
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Machine> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Machine::new(
            format!("{} is there already, and is not written over", path.display()),
            "name another file: whoever loses a secret key has to give all customers a new one",
        ),
        _ => Machine::io("write", path, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_release::manifest::seal;
    use hub_release::{Manifest, Trusted};

    fn release(version: &str) -> String {
        seal(format!("{{\"version\": \"{version}\", \"files\": []\n}}\n"))
    }

    #[test]
    fn what_is_signed_is_trusted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("release.key");
        let public = keygen(&key, None).unwrap();
        assert!(keygen(&key, None).unwrap_err().to_string().contains("is there already"));
        let mut trusted = Trusted::none();
        trusted.add(&public).unwrap();
        let text = release("1.0.0");
        let signature = Signer::open(&key).unwrap().sign("1.0.0", text.as_bytes()).unwrap();
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(trusted.check(&manifest, Some(&signature)), Ok(Some("release.key")));
        assert!(trusted.check(&manifest, None).unwrap_err().starts_with("it is not signed"));
        assert!(Trusted::none().check(&manifest, None).is_ok());

        let other = Manifest::parse(release("1.0.1").as_bytes()).unwrap();
        assert!(trusted.check(&other, Some(&signature)).is_err());
        let stranger = dir.path().join("stranger");
        keygen(&stranger, None).unwrap();
        let foreign = Signer::open(&stranger).unwrap().sign("1.0.0", text.as_bytes()).unwrap();
        assert_eq!(
            trusted.check(&manifest, Some(&foreign)).unwrap_err(),
            "it is signed with a key that is not trusted here (trusted: release.key)"
        );
    }

    #[test]
    fn every_byte_of_a_signature_counts() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("release");
        let public = keygen(&key, None).unwrap();
        let mut trusted = Trusted::none();
        trusted.add(&public).unwrap();
        let text = release("2.0.0-rc.1");
        let signature = Signer::open(&key).unwrap().sign("2.0.0-rc.1", text.as_bytes()).unwrap();
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        for at in 0..signature.len() {
            for bit in 0..8 {
                let mut changed = signature.clone();
                changed[at] ^= 1 << bit;
                assert!(trusted.check(&manifest, Some(&changed)).is_err(), "byte {at}, bit {bit}");
            }
            assert!(trusted.check(&manifest, Some(&signature[..at])).is_err(), "cut at {at}");
        }
        assert!(trusted.check(&manifest, Some(&[signature.as_slice(), b"\n"].concat())).is_err());
    }

    #[test]
    fn a_password_protects_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("release");
        keygen(&key, Some("a long password".to_string())).unwrap();
        let text = fs::read_to_string(&key).unwrap();
        assert!(SecretKeyBox::from(text.clone()).into_unencrypted_secret_key().is_err());
        assert!(SecretKeyBox::from(text.clone()).into_secret_key(Some("another".to_string())).is_err());
        assert!(SecretKeyBox::from(text).into_secret_key(Some("a long password".to_string())).is_ok());
    }
}
