//! The image's only layer: the release of a tarball, put where an installation has it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use hub_release::manifest::LAUNCHER;
use tempfile::NamedTempFile;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::config::{DATA, ROOT as INSTALL, USER};
use crate::base::write::at;
use crate::pack::{Gzip, Hashed, Owner, ROOT, Tape};

/// A layer on disk.
pub(super) struct Layer {
    /// The compressed archive.
    pub file: NamedTempFile,
    /// Its length.
    pub size: u64,
    /// Its digest.
    pub sha256: String,
    /// Digest of the archive before it was compressed.
    pub diff_id: String,
}

/// Makes the layer of a release, in a file in `out` that goes with it.
pub(super) fn write(tarball: &Path, version: &str, out: &Path) -> io::Result<Layer> {
    fs::create_dir_all(out).map_err(|e| at(out, e))?;
    let mut file = tempfile::Builder::new().prefix(".hub-platform-").tempfile_in(out)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let gzip = Gzip::new(Hashed::new(file.as_file_mut()), workers)?;
    let mut tape = Tape::new(Hashed::new(gzip));
    system(&mut tape)?;
    install(&mut tape, tarball, version)?;
    let (gzip, _, diff_id) = tape.finish()?.into_parts();
    let (inner, size, sha256) = gzip.finish()?.into_parts();
    inner.flush()?;
    Ok(Layer { file, size, sha256, diff_id })
}

/// What a program expects of the system below it.
fn system(tape: &mut Tape<impl Write>) -> io::Result<()> {
    let own: Owner = (USER, USER);
    let folders = [
        ("data", 0o755, ROOT),
        (DATA, 0o750, own),
        ("dev", 0o755, ROOT),
        ("etc", 0o755, ROOT),
        ("etc/ssl", 0o755, ROOT),
        ("etc/ssl/certs", 0o755, ROOT),
        // Places for what an engine mounts, so that none of them has to be made in a root that is read only.
        ("proc", 0o755, ROOT),
        ("sys", 0o755, ROOT),
        ("tmp", 0o1777, ROOT),
    ];
    for (path, mode, owner) in folders {
        tape.folder(path, mode, owner)?;
    }
    let passwd =
        format!("root:x:0:0:root:/:/sbin/nologin\nhub:x:{USER}:{USER}:hub-platform:/{DATA}:/sbin/nologin\n");
    let files = [
        ("etc/group", format!("root:x:0:\nhub:x:{USER}:\n")),
        // Names are resolved by the host itself, and by these two alone: there are no modules to load for others.
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        ("etc/passwd", passwd),
        ("etc/ssl/certs/ca-certificates.crt", authorities()),
    ];
    for (path, text) in files {
        tape.bytes(path, 0o644, text.as_bytes())?;
    }
    Ok(())
}

/// Mozilla's list of certificate authorities, as PEM: for databases whose certificate one of them signed.
fn authorities() -> String {
    let mut text = String::from(
        "# Certificate authorities that Mozilla trusts for servers, as the crate webpki-root-certs carries them.\n\
         # Under the Community Data License Agreement, Permissive 2.0: https://cdla.dev/permissive-2-0/\n",
    );
    for certificate in TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        for line in encoded.as_bytes().chunks(64) {
            text.extend(line.iter().copied().map(char::from));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The install folder: the release, the link to it, and the launcher outside of it, as `setup` makes them.
fn install(tape: &mut Tape<impl Write>, tarball: &Path, version: &str) -> io::Result<()> {
    for path in ["opt", INSTALL, &format!("{INSTALL}/bin"), &format!("{INSTALL}/releases")] {
        tape.folder(path, 0o755, ROOT)?;
    }
    tape.link(&format!("{INSTALL}/current"), &format!("releases/{version}"))?;
    let launcher = format!("releases/{version}/{LAUNCHER}");
    let mut found = None;
    let file = File::open(tarball).map_err(|e| at(tarball, e))?;
    for entry in tar::Archive::new(GzDecoder::new(file)).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (mode, size) = (entry.header().mode()?, entry.size());
        let place = format!("{INSTALL}/{}", path.trim_end_matches('/'));
        if entry.header().entry_type().is_dir() {
            tape.folder(&place, mode, ROOT)?;
        } else if path == launcher {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            tape.bytes(&place, mode, &bytes)?;
            found = Some(bytes);
        } else {
            tape.file(&place, mode, size, entry)?;
        }
    }
    let Some(bytes) = found else {
        return Err(io::Error::other(format!("it has no {launcher}")));
    };
    tape.bytes(&format!("{INSTALL}/{LAUNCHER}"), 0o755, &bytes)
}
