//! SQLite: opening the file, binding values, fetching rows.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqlitePool};

use super::engine::engine;
use super::{Db, Error, Row};

impl Db {
    /// Opens the file, making it where it is missing.
    pub(crate) async fn open_sqlite(file: &Path) -> Result<Db, Error> {
        // A write-ahead log lets readers read while one writes; with it, `NORMAL` loses no committed transaction when
        // the process dies, and at most the last ones when the machine does.
        let options = options()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            // A file does not go away like a network peer: asking before each use would only cost.
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Db::Sqlite(pool))
    }

    /// Opens a file that is there already, as it is.
    pub(crate) async fn open_existing(file: &Path) -> Result<Db, Error> {
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options().filename(file)).await?;
        Ok(Db::Sqlite(pool))
    }

    /// Opens a copy that is thrown away: nothing of it has to outlast a crash.
    pub(crate) async fn open_copy(file: &Path) -> Result<Db, Error> {
        let options = options()
            .filename(file)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off);
        Ok(Db::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
    }

    /// A database of its own that lives in memory and goes with the pool.
    pub(crate) async fn open_memory() -> Result<Db, Error> {
        let pool = SqlitePoolOptions::new()
            // Every further connection would have another, empty database.
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options().in_memory(true))
            .await?;
        Ok(Db::Sqlite(pool))
    }
}

/// One more connection to the pool's file, on which references are not looked at.
pub(super) async fn open_unreferenced(pool: &SqlitePool) -> Result<Db, Error> {
    let options = (*pool.connect_options()).clone().foreign_keys(false);
    Ok(Db::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?))
}

/// Why the file takes no changes, where that can be seen from outside: connections that are open read on for a while.
pub(super) fn unwritable(options: &SqliteConnectOptions) -> Option<&'static str> {
    let file = options.get_filename();
    if file == Path::new(MEMORY) {
        return None;
    }
    // A relative path without a folder lies in the one that the host runs in.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match access(file, Access::WRITE_OK).and_then(|()| access(folder, Access::WRITE_OK | Access::EXEC_OK)) {
        Ok(()) => None,
        Err(Errno::NOENT) => Some("the database's file is gone"),
        Err(_) => Some("the database's file, or its folder, cannot be written"),
    }
}

/// What the driver calls a database without a file.
const MEMORY: &str = ":memory:";

fn options() -> SqliteConnectOptions {
    // With recursive triggers, `INSERT OR REPLACE` fires the triggers of what it deletes: the audit log's are not passed by.
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("recursive_triggers", "ON")
}

engine!(Sqlite, SqliteArguments, None::<i64>, Row::Sqlite);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_takes_no_changes() {
        assert_eq!(unwritable(&options().in_memory(true)), None);
        let folder = std::env::temp_dir().join(format!("hub-unwritable-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("hub.db");
        let told = || unwritable(&options().filename(&file));
        assert_eq!(told(), Some("the database's file is gone"));
        std::fs::write(&file, "").unwrap();
        assert_eq!(told(), None);
        // Root writes to whatever lies on a disk that is written to.
        if !rustix::process::geteuid().is_root() {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
            assert_eq!(told(), Some("the database's file, or its folder, cannot be written"));
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(told(), Some("the database's file is gone"));
    }
}
