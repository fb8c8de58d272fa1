//! An unpacked release, held against its own list.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::difference::{Difference, How, of_file};
use crate::hash;
use crate::keys::Trusted;
use crate::manifest::{Listed, MAX_LIST, Manifest, RELEASE_JSON, SIGNATURE};

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

/// Reads all of a release's folder. The error says in one sentence why its list cannot be trusted.
pub fn check(folder: &Path, trusted: &Trusted) -> Result<Looked, String> {
    let manifest = manifest(folder)?;
    let signature = match fs::read(folder.join(SIGNATURE)) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("{SIGNATURE} cannot be read: {error}")),
    };
    let signed_by = trusted.check(&manifest, signature.as_deref())?.map(str::to_owned);
    let mut differences = files(folder, &manifest);
    differences.extend(extra(folder, &manifest));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Looked { manifest, signed_by, differences })
}

/// The list of a release's folder, checked by itself.
pub fn manifest(folder: &Path) -> Result<Manifest, String> {
    let path = folder.join(RELEASE_JSON);
    let length = fs::metadata(&path).map(|meta| meta.len());
    let text = match length {
        Ok(length) if length > MAX_LIST => return Err(format!("{RELEASE_JSON} has {length} bytes")),
        Ok(_) => fs::read(&path),
        Err(error) => Err(error),
    };
    let text = text.map_err(|error| match error.kind() {
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
    let hashed = File::open(&path).and_then(|mut file| hash::copy(&mut file, &mut io::sink()));
    match hashed {
        Ok((size, sha256)) => of_file(listed, &Listed::new(&listed.path, size, meta.mode() & 0o7777, sha256)),
        Err(error) => differs(How::Unreadable(error.to_string())),
    }
}

/// What lies in the folder and is not listed.
fn extra(folder: &Path, manifest: &Manifest) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(inner) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&inner)) else {
            found.push(Difference::new(&inner, How::Unreadable("the folder cannot be listed".to_string())));
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if inner.is_empty() { name } else { format!("{inner}/{name}") };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if !manifest.files.contains_key(&path) && path != RELEASE_JSON && path != SIGNATURE {
                found.push(Difference::new(&path, How::Extra));
            }
        }
    }
    found
}
