//! What belongs to the release that the host runs from: its own list says so. A file that somebody has added beside is not
//! read, whatever it is called.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hub_release::beneath::Beneath;
use hub_release::manifest::{Listed, RELEASE_JSON};
use hub_release::{folder, hash};

use crate::fault::Fault;

/// The files of a release by their paths. Without a list, as in a checkout, everything in the folder belongs to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing(Option<Arc<BTreeMap<String, Listed>>>);

impl Listing {
    /// The list of the release in this folder.
    pub(crate) fn of(install: &Path) -> Result<Listing, Fault> {
        // Of the name itself: a link to nowhere is a list that cannot be read.
        match std::fs::symlink_metadata(install.join(RELEASE_JSON)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
            _ => {}
        }
        let list = folder::manifest(install).map_err(|why| {
            Fault::refused(
                format!("the release in {} cannot be used: {why}", install.display()),
                "`hub-platform upgrade TARBALL` of the same release replaces it",
            )
        })?;
        Ok(Listing(Some(Arc::new(list.files))))
    }

    /// The paths below a folder of the release, relative to it; none where there is no list.
    pub(crate) fn below<'a>(&'a self, folder: &'a str) -> Option<impl Iterator<Item = &'a str> + 'a> {
        let files = self.0.as_ref()?;
        Some(files.keys().filter_map(move |path| path.strip_prefix(folder)?.strip_prefix('/')))
    }

    /// A listed file's bytes, which are as many as the list says.
    pub(crate) fn read(&self, install: &Beneath, path: &str) -> io::Result<Vec<u8>> {
        let listed = self.0.as_ref().and_then(|files| files.get(path));
        let listed =
            listed.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not part of the release"))?;
        let bytes = install.read(path, listed.size)?;
        match bytes.len() as u64 == listed.size {
            true => Ok(bytes),
            false => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it is shorter than the release's list says"))
            }
        }
    }

    /// Whether these bytes are the ones that the release has at this path; true of everything where there is no list.
    pub(crate) fn is_own(&self, path: &str, bytes: &[u8]) -> bool {
        match &self.0 {
            None => true,
            Some(files) => files.get(path).is_some_and(|listed| listed.sha256 == hash::of_bytes(bytes)),
        }
    }

    /// Whether there is such a file in the release; true of everything where there is no list.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|files| files.contains_key(path))
    }
}
