//! Opening a SQLite file to look at it: neither it nor what lies beside it is changed.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

use super::copy::Copy;
use super::error::Kind;
use super::parts::{PARTS, about};
use super::sqlite::{one, options, unwritable};
use super::{Db, Error, log};
use crate::settings::beside;

impl Db {
    /// Opens a file that is there already to look at it: neither it nor a log beside it is changed. It may lie where nothing can be
    /// written.
    pub(crate) async fn open_unchanged(file: &Path) -> Result<Db, Error> {
        look(file, options()).await
    }

    /// The same for a glance: where nobody works with the file, SQLite makes nothing beside it and takes no locks. Only for what is
    /// looked at again once the file is open.
    pub(crate) async fn open_briefly(file: &Path) -> Result<Db, Error> {
        let idle = log::check(file).is_ok() && PARTS.iter().all(|part| length(&beside(file, part)).is_none());
        match idle && !file.is_symlink() {
            true => one(options().filename(file).read_only(true).immutable(true)).await,
            false => look(file, options()).await,
        }
    }

    /// The same to read from it: nothing is written through it either.
    pub(crate) async fn open_to_read(file: &Path) -> Result<Db, Error> {
        look(file, options().pragma("query_only", "ON")).await
    }
}

/// Opens a file to look at it, whatever is beside it and whoever may write there.
async fn look(file: &Path, options: SqliteConnectOptions) -> Result<Db, Error> {
    log::check(file)?;
    // Where a link leads, as SQLite sees it: what it keeps beside the file lies there. One that leads nowhere is told by SQLite.
    let file = &*file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let lengths = PARTS.map(|part| length(&beside(file, part)));
    let options = options.filename(file);
    let writable = unwritable(file).is_none();
    if writable && lengths.iter().all(|length| length.is_none_or(|bytes| bytes == 0)) {
        // What SQLite keeps beside the file while it is open is removed again by one that may write.
        return one(options).await;
    }
    if !writable && lengths.iter().all(Option::is_none) {
        // Nobody works with the file; SQLite would make a log beside it even to read.
        return one(options.read_only(true).immutable(true)).await;
    }
    // The last one to close a file that it may write moves the log into it and removes the log, also one that a killed host has left
    // and that belongs to another file.
    let db = one(options.clone().read_only(true)).await?;
    match db.value::<i64>("SELECT count(*) FROM sqlite_schema", Vec::new()).await {
        Ok(_) => Ok(db),
        // It cannot be read as it lies without something being made beside it, or done to it.
        Err(error) if matches!(error.kind(), Kind::Missing | Kind::ReadOnly) => {
            db.close().await;
            let copy = Copy::of(file)?;
            // All of the log goes into the file of the copy, which has no name any more once it is open, and goes with the process.
            one(options.filename(copy.file()).journal_mode(SqliteJournalMode::Memory)).await
        }
        Err(error) => {
            db.close().await;
            Err(error)
        }
    }
}

/// Bytes of a part; none where it is not there. One that cannot be looked at counts as full: SQLite is asked, and says what is wrong,
/// where it would otherwise be told that nothing lies there.
fn length(part: &Path) -> Option<u64> {
    about(part).map_or(Some(u64::MAX), |about| about.map(|about| about.len()))
}

#[cfg(test)]
mod tests {
    use super::log::log_of;
    use super::*;
    use crate::scratch::Scratch;

    /// Where SQLite can neither read the log as it is nor make the other file that it needs to: in a copy, of which nothing is left.
    #[tokio::test]
    async fn another_applications_half_change_is_undone_in_a_copy_alone() {
        let folder = Scratch::new("hot");
        let (file, left) = (folder.join("theirs.db"), folder.join("left.db"));
        let theirs =
            one(options().filename(&file).create_if_missing(true).pragma("cache_size", "1")).await.unwrap();
        theirs.execute("CREATE TABLE t (id INTEGER, text BLOB)", Vec::new()).await.unwrap();
        theirs.execute("INSERT INTO t VALUES (1, zeroblob(100000))", Vec::new()).await.unwrap();
        let mut tx = theirs.begin().await.unwrap();
        tx.execute("UPDATE t SET id = 2, text = randomblob(300000)", Vec::new()).await.unwrap();
        // As a kill leaves them.
        std::fs::copy(&file, &left).unwrap();
        std::fs::copy(beside(&file, "-journal"), beside(&left, "-journal")).unwrap();
        tx.rollback().await.unwrap();
        theirs.close().await;
        let bytes = || (std::fs::read(&left).unwrap(), std::fs::read(beside(&left, "-journal")).unwrap());
        let before = bytes();
        let looked = Db::open_unchanged(&left).await.unwrap();
        assert_eq!(looked.value::<i64>("SELECT id FROM t", Vec::new()).await.unwrap(), 1);
        let copy = folder.join("copy.db").display().to_string();
        looked.execute("VACUUM INTO $1", crate::args![copy]).await.unwrap();
        looked.close().await;
        let read = Db::open_to_read(&left).await.unwrap();
        assert_eq!(read.value::<i64>("SELECT id FROM t", Vec::new()).await.unwrap(), 1);
        assert!(read.execute("DELETE FROM t", Vec::new()).await.is_err());
        read.close().await;
        assert!(bytes() == before);
    }

    #[test]
    fn a_log_that_cannot_be_looked_at_is_not_taken_for_none() {
        let folder = Scratch::new("lengths");
        let log = folder.join("hub.db-wal");
        assert_eq!(length(&log), None);
        std::os::unix::fs::symlink("hub.db-wal", &log).unwrap();
        assert!(length(&log).is_some_and(|bytes| bytes > 0));
        std::fs::remove_file(&log).unwrap();
        std::fs::write(&log, "log").unwrap();
        assert_eq!(length(&log), Some(3));
    }

    /// A host that was killed leaves a log. Whoever only looks leaves it as it is: it may belong to another file.
    #[tokio::test]
    async fn looking_leaves_the_log_of_a_killed_host() {
        let folder = Scratch::new("left-log");
        std::fs::create_dir_all(folder.join("left")).unwrap();
        let (file, left) = (folder.join("hub.db"), folder.join("left/hub.db"));
        let db = Db::open_sqlite(&file).await.unwrap();
        db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
        db.execute("INSERT INTO t VALUES (1), (2)", Vec::new()).await.unwrap();
        // As a kill leaves them.
        std::fs::copy(&file, &left).unwrap();
        std::fs::copy(log_of(&file), log_of(&left)).unwrap();
        db.close().await;
        let bytes = || (std::fs::read(&left).unwrap(), std::fs::read(log_of(&left)).unwrap());
        let before = bytes();
        assert!(!before.1.is_empty());
        for reader in [true, false] {
            let looked = match reader {
                true => Db::open_to_read(&left).await.unwrap(),
                false => Db::open_unchanged(&left).await.unwrap(),
            };
            assert_eq!(looked.value::<i64>("SELECT count(*) FROM t", Vec::new()).await.unwrap(), 2);
            if !reader {
                let copy = folder.join("copy.db").display().to_string();
                looked.execute("VACUUM INTO $1", crate::args![copy]).await.unwrap();
            }
            looked.close().await;
            assert!(bytes() == before, "by a reader: {reader}");
        }
        // Without a log nothing is left behind.
        let looked = Db::open_unchanged(&file).await.unwrap();
        assert_eq!(looked.value::<i64>("SELECT count(*) FROM t", Vec::new()).await.unwrap(), 2);
        looked.close().await;
        assert!(!log_of(&file).exists());
    }
}
