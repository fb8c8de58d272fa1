//! A folder for one test, which goes with it. The host's tests have it too.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An empty folder beneath that of temporary files, by a path without links. It is removed with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it. The name is for whoever finds one that a kill has left.
    pub(crate) fn new(name: &str) -> Scratch {
        // Tests run side by side in one process.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("hub-{name}-{}-{made}", std::process::id()));
        // An earlier process of this number may have been killed. What cannot be removed fails the next line.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Scratch(folder.canonicalize().unwrap())
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test may have removed it itself. What the test has said stands, whatever is left of its folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
