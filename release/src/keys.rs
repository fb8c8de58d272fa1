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
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Keys that are out of reach are no leave to take everything on trust.
                return beneath::dangling(folder).map_or(Ok(Trusted::none()), |gone| Err(failed(&gone)));
            }
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
        let text = beneath::read(path, MAX_SIGNATURE).map_err(|error| match error.kind() {
            // What is there and is no small file is no key; the disk is not to blame.
            io::ErrorKind::InvalidInput | io::ErrorKind::FileTooLarge | io::ErrorKind::IsADirectory => {
                no_key(path, &[])
            }
            _ => Problem::io("read the public key", path, &error),
        })?;
        let decoded = std::str::from_utf8(&text).ok().and_then(|text| PublicKey::decode(text).ok());
        let key = decoded.ok_or_else(|| no_key(path, &text))?;
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

/// The refusal of a file that is no public key; what it is instead, where it is one of those that lie beside keys.
fn no_key(path: &Path, text: &[u8]) -> Problem {
    let first =
        String::from_utf8_lossy(text.split(|byte| *byte == b'\n').next().unwrap_or_default()).to_lowercase();
    let instead = match path {
        path if path.is_dir() => ": it is a folder",
        // minisign's own says `signature from minisign secret key`.
        _ if first.contains("signature") => ": it is a signature",
        _ if text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"RWRTY0Iy"))
            || first.contains("secret key") =>
        {
            ": it is a secret key, which stays with whoever signs; the public one lies beside it and ends in .pub"
        }
        _ => "",
    };
    Problem::refused(
        format!("{} is no public key of minisign{instead}", path.display()),
        "a public key is a file of two lines: a comment that begins with `untrusted comment:`, and 56 letters that begin with \
         RW; ask whoever signs the releases for it. `cargo xtask keygen NAME`, or `minisign -G`, makes a pair, of which NAME.pub \
         is the one to name here",
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// Whatever is named in a key's place, the disk is not to blame.
    #[test]
    fn a_file_that_is_no_key_is_told_as_that() {
        let folder = Scratch::new("keys");
        let said = |path: &Path| Trusted::none().add(path).unwrap_err();
        let of = |bytes: &[u8]| {
            let file = folder.join("a.pub");
            fs::write(&file, bytes).unwrap();
            said(&file)
        };
        let secret = "untrusted comment: a key\nRWRTY0IyAAAA\n";
        for (bytes, instead) in [
            (&b""[..], ""),
            (b"no key\n", ""),
            (&[0xff; 100], ""),
            (&[b'a'; 100_000], ""),
            (b"untrusted comment: minisign encrypted secret key\nx\n", "it is a secret key"),
            (secret.as_bytes(), "it is a secret key"),
            (b"untrusted comment: signature from minisign secret key\nRUQ\n", "it is a signature"),
            (b"untrusted comment: signature of a hub-platform release\nRUQ\n", "it is a signature"),
        ] {
            let problem = of(bytes);
            let text = problem.to_string();
            assert!(text.contains("a.pub is no public key of minisign") && text.contains(instead), "{text}");
            for part in ["two lines", "untrusted comment:", "RW", "cargo xtask keygen NAME", "minisign -G"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("disk"), "{text}");
        }
        let text = said(&folder).to_string();
        assert!(text.contains("it is a folder") && !text.contains("disk"), "{text}");
        assert!(said(Path::new("/dev/null")).to_string().contains("is no public key"));
        let gone = said(&folder.join("gone.pub"));
        assert_eq!((gone.kind, gone.help.as_str()), (crate::Kind::Machine, "see that the path is right"));
    }
}
