//! Numbered folders of which one counts: an install fills a new one, then a link is pointed to it in one step.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A place where a set of packages is installed.
pub(super) struct Slot {
    folder: PathBuf,
    link: &'static str,
    prefix: &'static str,
}

/// Lies in a folder that was filled to its end.
const COMPLETE: &str = ".hub-complete";

impl Slot {
    /// Where drivers are.
    pub(super) fn drivers(data: &Path) -> Slot {
        Slot { folder: data.join("drivers"), link: "current", prefix: ".set-" }
    }

    /// Where dbt is.
    pub(super) fn dbt(data: &Path) -> Slot {
        Slot { folder: data.join("dbt"), link: "venv", prefix: "venv-" }
    }

    /// The folder that counts.
    pub(super) fn current(&self) -> Option<PathBuf> {
        self.folder.join(self.link).canonicalize().ok().filter(|folder| folder.is_dir())
    }

    /// The folders that there are, with their numbers.
    fn numbered(&self) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.strip_prefix(self.prefix)?.parse().ok()?;
                Some((number, entry.path()))
            })
            .collect()
    }

    /// A new, empty folder. What an install that was killed has left is removed first.
    pub(super) fn fresh(&self) -> io::Result<Fresh<'_>> {
        let made = !self.folder.is_dir();
        fs::create_dir_all(&self.folder)?;
        let current = self.current();
        let mut last = 0;
        for (number, folder) in self.numbered() {
            let counts = current.is_some() && folder.canonicalize().ok() == current;
            if counts || folder.join(COMPLETE).is_file() {
                last = last.max(number);
            } else {
                fs::remove_dir_all(&folder)?;
            }
        }
        let path = self.folder.join(format!("{}{}", self.prefix, last + 1));
        fs::create_dir(&path)?;
        Ok(Fresh { slot: self, path, made, counts: false })
    }
}

/// A folder that does not count yet. Dropped before it does, it leaves nothing behind.
pub(super) struct Fresh<'s> {
    slot: &'s Slot,
    pub(super) path: PathBuf,
    /// Whether the folder around it is new too.
    made: bool,
    counts: bool,
}

impl Fresh<'_> {
    /// Makes it the folder that counts. The one before it stays for processes that still use it; older ones go.
    pub(super) fn switch(mut self) -> io::Result<()> {
        let before = self.slot.current();
        fs::write(self.path.join(COMPLETE), "")?;
        let next = self.slot.folder.join(format!(".{}-next", self.slot.link));
        // Where an old one cannot be removed, making the link fails.
        let _ = fs::remove_file(&next);
        // A name without folders: the data folder may be moved.
        symlink(self.path.file_name().unwrap_or_default(), &next)?;
        fs::rename(&next, self.slot.folder.join(self.slot.link)).inspect_err(|_| {
            // The next install removes it; told is why this one does not count.
            let _ = fs::remove_file(&next);
        })?;
        self.counts = true;
        for (_, folder) in self.slot.numbered() {
            if folder != self.path && folder.canonicalize().ok() != before {
                // What cannot be removed today takes up room until the next install.
                let _ = fs::remove_dir_all(folder);
            }
        }
        Ok(())
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        if !self.counts {
            // What stays is removed by the next install.
            let _ = fs::remove_dir_all(&self.path);
            if self.made {
                let _ = fs::remove_dir(&self.slot.folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    struct Data(Scratch);

    impl Data {
        fn new(name: &str) -> Data {
            Data(Scratch::new(&format!("slot-{name}")))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.join("drivers")).into_iter().flatten().flatten();
            let mut names: Vec<_> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn one_folder_counts_and_the_one_before_it_stays() {
        let data = Data::new("switch");
        let slot = Slot::drivers(&data.0);
        assert_eq!(slot.current(), None);
        for number in 1..=4 {
            let fresh = slot.fresh().unwrap();
            fs::write(fresh.path.join("set"), number.to_string()).unwrap();
            fresh.switch().unwrap();
            assert_eq!(fs::read_to_string(data.0.join("drivers/current/set")).unwrap(), number.to_string());
        }
        assert_eq!(data.names(), [".set-3", ".set-4", "current"]);
        assert_eq!(slot.current(), Some(data.0.join("drivers/.set-4")));
    }

    #[test]
    fn what_does_not_come_to_count_leaves_nothing() {
        let data = Data::new("drop");
        let slot = Slot::drivers(&data.0);
        drop(slot.fresh().unwrap());
        assert!(!data.0.join("drivers").exists());
        slot.fresh().unwrap().switch().unwrap();
        drop(slot.fresh().unwrap());
        assert_eq!(data.names(), [".set-1", "current"]);
    }

    #[test]
    fn what_a_killed_install_left_is_removed_by_the_next() {
        let data = Data::new("killed");
        let slot = Slot::drivers(&data.0);
        slot.fresh().unwrap().switch().unwrap();
        for left in ["drivers/.set-2/half", "drivers/.set-9/half"] {
            fs::create_dir_all(data.0.join(left)).unwrap();
        }
        symlink(".set-9", data.0.join("drivers/.current-next")).unwrap();
        slot.fresh().unwrap().switch().unwrap();
        assert_eq!(data.names(), [".set-1", ".set-2", "current"]);
        assert_eq!(slot.current(), Some(data.0.join("drivers/.set-2")));
    }
}
