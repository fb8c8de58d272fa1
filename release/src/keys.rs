//! Signatures of releases, in minisign's format, and the public keys that an installation trusts.

use std::fs;
use std::io;
use std::path::Path;

use minisign_verify::{Error, PublicKey, Signature};
use semver::Version;

use crate::beneath;
use crate::bounds::MAX_SIGNATURE;
use crate::manifest::{Manifest, SIGNATURE};
use crate::problem::Problem;

/// The first line of a signature. It is not signed, so no other text may stand there.
pub const UNTRUSTED_COMMENT: &str = "untrusted comment: signature of a hub-platform release";

/// The signed comment of a release's signature.
pub fn trusted_comment(version: &str) -> String {
    format!("hub-platform {version}")
}

/// The public keys that are trusted. Where there is none, releases need no signature.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    key: PublicKey,
}

impl Trusted {
    /// No key: everything is taken on trust.
    pub fn none() -> Trusted {
        Trusted::default()
    }

    /// The keys in a folder: files that end in `.pub`. A folder that is not there holds none; a key that cannot be read is
    /// an error, since leaving it out could leave none.
    pub fn read(folder: &Path) -> Result<Trusted, Problem> {
        let failed = |error: &io::Error| Problem::io("read the trusted keys in", folder, error);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Trusted::none()),
            Err(error) => return Err(failed(&error)),
        };
        let mut trusted = Trusted::none();
        for entry in entries {
            let path = entry.map_err(|error| failed(&error))?.path();
            if path.extension().is_some_and(|extension| extension == "pub") {
                trusted.add(&path)?;
            }
        }
        trusted.keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(trusted)
    }

    /// Trusts the key in a file too.
    pub fn add(&mut self, path: &Path) -> Result<(), Problem> {
        let text = beneath::read(path, MAX_SIGNATURE)
            .map_err(|error| Problem::io("read the public key", path, &error))?;
        let decoded = std::str::from_utf8(&text).ok().and_then(|text| PublicKey::decode(text).ok());
        let key = decoded.ok_or_else(|| {
            Problem::refused(
                format!("{} is no public key of minisign", path.display()),
                "it has two lines: a comment, and 56 letters that begin with RW; `cargo xtask keygen` makes one",
            )
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.keys.push(Key { name, key });
        Ok(())
    }

    /// Whether signatures are required.
    pub fn is_required(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Checks the signature over a list; gives the name of the key that made it, where one is required.
    pub fn check(&self, manifest: &Manifest, signature: Option<&[u8]>) -> Result<Option<&str>, String> {
        if !self.is_required() {
            return Ok(None);
        }
        let Some(text) = signature else {
            return Err(format!(
                "it is not signed (it holds no {SIGNATURE}), and this installation has trusted keys"
            ));
        };
        let signature = parse(text, &manifest.version)?;
        let mut foreign = true;
        for Key { name, key } in &self.keys {
            match key.verify(&manifest.text, &signature, false) {
                Ok(()) => return Ok(Some(name)),
                Err(Error::UnexpectedKeyId) => {}
                Err(_) => foreign = false,
            }
        }
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        let names = names.join(", ");
        Err(match foreign {
            true => format!("it is signed with a key that is not trusted here (trusted: {names})"),
            false => "its signature does not fit: it was changed after it was signed".to_string(),
        })
    }
}

/// Takes a signature that is written exactly as `build-platform` writes it: what is not signed has only one form.
fn parse(text: &[u8], version: &Version) -> Result<Signature, String> {
    let bad = || format!("{SIGNATURE} is no signature of this release");
    let text = std::str::from_utf8(text).map_err(|_| bad())?;
    let lines: Vec<&str> = text.split('\n').collect();
    let [untrusted, _, trusted, _, ""] = lines.as_slice() else { return Err(bad()) };
    if *untrusted != UNTRUSTED_COMMENT
        || *trusted != format!("trusted comment: {}", trusted_comment(&version.to_string()))
    {
        return Err(bad());
    }
    Signature::decode(text).map_err(|_| bad())
}
