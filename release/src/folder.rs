//! An unpacked release, held against its own list.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::beneath;
use crate::bounds::{MAX_LIST, MAX_SIGNATURE};
use crate::difference::{Difference, How, of_file};
use crate::hash;
use crate::keys::Trusted;
use crate::manifest::{Listed, Manifest, RELEASE_JSON, SIGNATURE};

/// An unpacked release and what is wrong with it.
#[derive(Debug)]
pub struct Looked {
    /// Its list.
    pub manifest: Manifest,
    /// Name of the trusted key that signed it; none where this machine requires none.
    pub signed_by: Option<String>,
    /// All differences between the folder and its list, by path.
    pub differences: Vec<Difference>,
}

impl Looked {
    /// What keeps it from being started, in one sentence.
    pub fn damage(&self) -> Option<String> {
        let damage: Vec<Difference> =
            self.differences.iter().filter(|difference| difference.is_damage()).cloned().collect();
        (!damage.is_empty()).then(|| crate::difference::told(&damage))
    }
}

/// Why a release's files are not even looked at, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// Its list is missing, or was changed: unpacking it again mends that.
    Damaged(String),
    /// It may be whole, and this machine does not trust who made it: unpacking it again changes nothing.
    Untrusted(String),
    /// It may be whole, and lies where another version's place is: a copy, or a folder that somebody has renamed.
    Misnamed(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Unusable::Damaged(why) | Unusable::Untrusted(why) | Unusable::Misnamed(why)) = self;
        f.write_str(why)
    }
}

/// Reads all of a release's folder in an install folder, where it has to lie under its own version. This is how everybody
/// judges one that is installed: whoever starts it, and whoever only looks.
pub fn check_installed(folder: &Path, trusted: &Trusted) -> Result<Looked, Unusable> {
    let looked = check(folder, trusted)?;
    let (name, version) = (folder.file_name().unwrap_or_default(), looked.manifest.version.to_string());
    if name == version.as_str() {
        return Ok(looked);
    }
    Err(Unusable::Misnamed(format!("its folder is named {}, and its list says {version}", name.display())))
}

/// Reads all of a release's folder, wherever that lies.
pub fn check(folder: &Path, trusted: &Trusted) -> Result<Looked, Unusable> {
    let manifest = manifest(folder).map_err(Unusable::Damaged)?;
    let signature = match beneath::read(&folder.join(SIGNATURE), MAX_SIGNATURE) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Unusable::Damaged(format!("{SIGNATURE} cannot be read: {error}"))),
    };
    let signed_by = trusted.check(&manifest, signature.as_deref()).map_err(Unusable::Untrusted)?;
    let signed_by = signed_by.map(str::to_owned);
    let mut differences = files(folder, &manifest);
    differences.extend(extra(folder, &manifest));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Looked { manifest, signed_by, differences })
}

/// The list of a release's folder, checked by itself.
pub fn manifest(folder: &Path) -> Result<Manifest, String> {
    let text = beneath::read(&folder.join(RELEASE_JSON), MAX_LIST).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{RELEASE_JSON} is missing, so it was not unpacked to its end"),
        _ => format!("{RELEASE_JSON} cannot be read: {error}"),
    })?;
    Manifest::parse(&text).map_err(|why| format!("{RELEASE_JSON} cannot be trusted: {why}"))
}

/// The listed files that are not as they should be. All cores hash: this stands between a restart and the first answer.
fn files(folder: &Path, manifest: &Manifest) -> Vec<Difference> {
    let listed: Vec<&Listed> = manifest.files.values().collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(file) = listed.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(difference) = look(folder, file)
                && let Ok(mut found) = found.lock()
            {
                found.push(difference);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
        work();
    });
    found.into_inner().unwrap_or_default()
}

fn look(folder: &Path, listed: &Listed) -> Option<Difference> {
    let path = folder.join(&listed.path);
    let differs = |how| Some(Difference::new(&listed.path, how));
    let meta = match fs::symlink_metadata(&path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return differs(How::Missing),
        Err(error) => return differs(How::Unreadable(error.to_string())),
    };
    if !meta.is_file() {
        return differs(How::NoFile);
    }
    if meta.len() != listed.size {
        return differs(How::Size { listed: listed.size, found: meta.len() });
    }
    let hashed = beneath::open(&path).and_then(|mut file| hash::copy(&mut file, &mut io::sink()));
    match hashed {
        Ok((size, sha256)) => of_file(listed, &Listed::new(&listed.path, size, meta.mode() & 0o7777, sha256)),
        Err(error) => differs(How::Unreadable(error.to_string())),
    }
}

/// What lies in the folder and is not listed. What cannot be listed could hold anything.
fn extra(folder: &Path, manifest: &Manifest) -> Vec<Difference> {
    let of_release: BTreeSet<&str> = manifest
        .files
        .keys()
        .flat_map(|path| path.match_indices('/').map(|(slash, _)| &path[..slash]))
        .collect();
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(inner) = folders.pop() {
        let shown = if inner.is_empty() { "." } else { &inner };
        // Where the folder is not there any more, listing it says so.
        if let Ok(about) = fs::symlink_metadata(folder.join(&inner))
            && about.mode() & 0o1002 == 0o002
        {
            let mode = format!("{:04o}", about.mode() & 0o7777);
            found.push(Difference::new(shown, How::Open { mode }));
        }
        let entries = match fs::read_dir(folder.join(&inner)) {
            Ok(entries) => entries,
            Err(error) => {
                found.push(Difference::new(&inner, How::Unreadable(error.to_string())));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.push(Difference::new(&inner, How::Unreadable(error.to_string())));
                    break;
                }
            };
            let name = entry.file_name();
            // A name that is not UTF-8 is none of the list's, whatever it looks like.
            let plain = name.to_str().is_some();
            let name = name.to_string_lossy();
            let path = if inner.is_empty() { name.into_owned() } else { format!("{inner}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && plain => folders.push(path),
                Ok(_) if plain && manifest.files.contains_key(&path) => {}
                Ok(kind) if plain && of_release.contains(path.as_str()) => {
                    found.push(Difference::new(&path, How::NoFolder { link: kind.is_symlink() }));
                }
                Ok(_) if path == RELEASE_JSON || path == SIGNATURE => {}
                Ok(_) => found.push(Difference::new(&path, How::Extra)),
                Err(error) => found.push(Difference::new(&path, How::Unreadable(error.to_string()))),
            }
        }
    }
    found
}
