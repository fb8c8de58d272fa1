//! What a database could not do, in words for the caller, and what an operator can do about it.

use std::fmt;

use axum::http::StatusCode;

use crate::problem::Problem;
use crate::settings::reason;

/// What the database could not do.
#[derive(Debug)]
pub enum Error {
    /// The driver's word.
    Sql(sqlx::Error),
    /// A row does not fit the struct it is read into.
    Row(String),
    /// A text holds the character NUL, which PostgreSQL does not keep.
    Nul,
    /// The same statement has waited in vain for a lock a moment ago, and is not tried at every call.
    Busy,
    /// The host does not work with a database like this; why, and what to set.
    Refused(String),
    /// The server cannot be reached: where it was looked for, and why.
    Away(String),
    /// The name of the file that is open leads elsewhere by now: a sentence with the path.
    Strayed(String),
    /// Beside the file lies the log of another one: a sentence with the paths.
    ForeignLog(String),
}

/// What a failure is about, whatever the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody answers, or the connection is gone.
    Unreachable,
    /// A statement waited too long for a lock, or took too long.
    Busy,
    /// Two transactions were in each other's way: the same one may work at once.
    Conflict,
    /// Nothing can be written: a standby, a file or a disk that is only read.
    ReadOnly,
    /// The file that is open was moved, removed or replaced.
    Strayed,
    /// The log beside the file is another file's.
    ForeignLog,
    /// There is no room.
    Full,
    /// The user or the password is not taken.
    Login,
    /// There is no such database.
    Missing,
    /// The user may not do this.
    Denied,
    /// It is no database.
    NoDatabase,
    /// It is a database, and what is in it does not fit together.
    Damaged,
    /// Anything else.
    Other,
}

impl Error {
    /// Whether a row of the same unique value is there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Error::Sql(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    /// Whether another transaction has been quicker: the same one, begun anew, sees what that did.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.is_unique_violation() || self.kind() == Kind::Conflict
    }

    /// Whether the database cannot be had at all just now; the same statement may work later.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Unreachable | Kind::Busy | Kind::Conflict | Kind::ReadOnly | Kind::Strayed | Kind::Full
        )
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Error::Row(_) | Error::Nul | Error::Refused(_) => Kind::Other,
            Error::Busy => Kind::Busy,
            Error::Away(_) => Kind::Unreachable,
            Error::Strayed(_) => Kind::Strayed,
            Error::ForeignLog(_) => Kind::ForeignLog,
            Error::Sql(sqlx::Error::Database(e)) => {
                let code = e.code().unwrap_or_default();
                match code.parse::<u32>() {
                    // SQLite's codes are numbers, the finer ones with the plain one in their last byte; those of
                    // PostgreSQL have five characters.
                    Ok(number) if code.len() < 5 => sqlite(number & 0xff),
                    _ => postgres(&code),
                }
            }
            Error::Sql(e) => match e {
                // The server was asked, and answers: its connections are with others here.
                sqlx::Error::PoolTimedOut => Kind::Busy,
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => Kind::Unreachable,
                _ => Kind::Other,
            },
        }
    }

    /// Whether something between here and the server takes no settings of a session.
    pub(super) fn is_refused_setting(&self) -> bool {
        let Error::Sql(sqlx::Error::Database(e)) = self else { return false };
        let code = e.code().unwrap_or_default();
        matches!(code.as_ref(), "08P01" | "0A000") || e.message().contains("startup parameter")
    }

    pub(super) fn is_lock_timeout(&self) -> bool {
        matches!(self, Error::Sql(sqlx::Error::Database(e)) if e.code().as_deref() == Some("55P03"))
    }

    /// Whether a table or column that a statement names is not there (PostgreSQL).
    pub(super) fn is_undefined(&self) -> bool {
        let Error::Sql(sqlx::Error::Database(e)) = self else { return false };
        matches!(e.code().as_deref(), Some("42P01" | "42703" | "3F000"))
    }

    /// Whether a pooler lends its connections for one statement at a time, so that there are no transactions. These are PgBouncer's
    /// words; their code, 08P01, is that of all it refuses.
    fn is_without_transactions(&self) -> bool {
        matches!(self, Error::Sql(sqlx::Error::Database(e)) if e.message().contains("statement pooling mode"))
    }

    /// The help of a command that could not do something: what mends the way to the server, where that is what is broken.
    pub(crate) fn help(&self, otherwise: &'static str) -> &'static str {
        match self {
            Error::Away(_) => self.cure(true),
            _ if self.is_without_transactions() => self.cure(true),
            _ => otherwise,
        }
    }

    /// What an operator can do about a database that cannot be opened.
    pub(crate) fn cure(&self, postgres: bool) -> &'static str {
        if self.is_without_transactions() {
            return "set `pool_mode = transaction` (or `session`) for this database in PgBouncer's settings, and reload it: in \
                    statement mode there are no transactions";
        }
        if let (Error::Refused(_), true) = (self, postgres) {
            return "change that in .env of the data folder, or in the environment that the host is started in, and try again";
        }
        match (self.kind(), postgres) {
            (Kind::Unreachable, true) => {
                "see that PostgreSQL runs at that address and port, and that this machine may reach it"
            }
            (Kind::Unreachable, false) => "see that its disk works: the kernel's log (dmesg) tells of errors",
            (Kind::Busy, true) => "see what holds it up: SELECT * FROM pg_stat_activity; then try again",
            (Kind::Busy, false) => "see which other program has the file open (fuser), then try again",
            (Kind::Conflict, _) => "try again",
            (Kind::ReadOnly, true) => {
                "it is a standby or set to read-only: let DATABASE_URL name the server that takes writes"
            }
            (Kind::ReadOnly, false) => {
                "make the file and its folder writable for the user that runs the host"
            }
            (Kind::Strayed, _) => {
                "put that very file back under its name; or stop the host, put another one there, move the -wal and -shm beside it \
                 away, and start again"
            }
            (Kind::ForeignLog, _) => {
                "if nobody has exchanged the file, emptied it or written over it, `touch` the log; else keep the log, for those \
                 changes are nowhere else: put the file that was there back under this name, or, to go on with this one, move the log \
                 and the -shm beside it away; then try again"
            }
            (Kind::Full, _) => "make room on its disk",
            (Kind::Login, _) => "mend the user and the password in DATABASE_URL (.env in the data folder)",
            (Kind::Missing, true) => "mend the database's name in DATABASE_URL, or make it: createdb NAME",
            (Kind::Missing, false) => "see that its folder is there, and that the host may write to it",
            (Kind::Denied, true) => match self {
                Error::Sql(sqlx::Error::Database(e)) => denied(e.message()),
                _ => denied(""),
            },
            (Kind::Denied, false) => "make the file and its folder writable for the user that runs the host",
            (Kind::Damaged, _) => {
                "where the file was put back from a copy, look for the log of the one before it beside it (its name with -wal at its \
                 end), which belongs to that one alone: move it and the one with -shm away, keep them, and try again; else put a \
                 copy back (PRAGMA integrity_check says what is damaged)"
            }
            (Kind::NoDatabase, _) => {
                "see that DATABASE_URL or DATA_DIR means this file, and that it is a SQLite database (PRAGMA integrity_check)"
            }
            (Kind::Other, true) => {
                "see that DATABASE_URL names the server as it should; the server's own log tells more"
            }
            (Kind::Other, false) => {
                "see that it is a SQLite file, in a folder that the host may write to, or set DATABASE_URL or DATA_DIR"
            }
        }
    }
}

fn sqlite(code: u32) -> Kind {
    match code {
        5 | 6 => Kind::Busy,
        8 => Kind::ReadOnly,
        10 => Kind::Unreachable,
        13 => Kind::Full,
        14 => Kind::Missing,
        11 => Kind::Damaged,
        26 => Kind::NoDatabase,
        3 | 23 => Kind::Denied,
        _ => Kind::Other,
    }
}

fn postgres(code: &str) -> Kind {
    match code {
        "55P03" | "57014" | "53300" | "25P03" => Kind::Busy,
        "40001" | "40P01" => Kind::Conflict,
        "25006" => Kind::ReadOnly,
        "53100" | "53200" => Kind::Full,
        "28000" | "28P01" => Kind::Login,
        "3D000" => Kind::Missing,
        "42501" => Kind::Denied,
        // The server shuts down or starts up; a connection is gone.
        "57P01" | "57P02" | "57P03" | "57P05" | "08006" | "08003" | "08001" | "08004" => Kind::Unreachable,
        _ => Kind::Other,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Sql(sqlx::Error::Database(e)) => f.write_str(e.message()),
            Error::Sql(sqlx::Error::Io(e)) => write!(f, "no connection: {}", reason(e)),
            Error::Sql(sqlx::Error::PoolTimedOut) => {
                f.write_str("all connections of this host stayed in use, and none became free in time")
            }
            Error::Sql(e) => e.fmt(f),
            Error::Row(text)
            | Error::Refused(text)
            | Error::Away(text)
            | Error::Strayed(text)
            | Error::ForeignLog(text) => f.write_str(text),
            Error::Nul => f.write_str("a text holds the character NUL"),
            Error::Busy => {
                f.write_str("the statement waited in vain for a lock before, and is not tried again yet")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let error = Error::Sql(error);
        if error.kind() == Kind::ReadOnly {
            super::postgres::now_read_only();
        }
        error
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        if let Error::Nul = error {
            return Problem::invalid_field("text", "must not hold the character NUL");
        }
        // Whoever comes second: a handler that knows the field says it better.
        if error.is_unique_violation() {
            tracing::debug!(%error, "there is one already");
            return Problem::conflict("There is one of that name already.").code("already-exists");
        }
        if let Error::Sql(sqlx::Error::Database(e)) = &error
            && e.is_foreign_key_violation()
        {
            tracing::debug!(%error, "what it belongs to is gone");
            return Problem::conflict(
                "It belongs to something that is not there, or something still belongs to it.",
            )
            .code("reference-broken");
        }
        let unavailable = |word: &str, seconds: u64, detail: &str| {
            tracing::error!(%error, "the database cannot be used");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE).code(word).retry_after(seconds).detail(detail)
        };
        match error.kind() {
            Kind::Unreachable => unavailable(
                "database-unavailable",
                5,
                "The platform cannot reach its database just now. Try again in a moment.",
            ),
            Kind::Busy => unavailable(
                "database-busy",
                3,
                "The platform's database is busy with something that holds this up. Try again in a moment.",
            ),
            Kind::Conflict => unavailable(
                "database-busy",
                1,
                "Two changes were in each other's way, and this one was not made. Try again.",
            ),
            Kind::ReadOnly => unavailable(
                "database-read-only",
                5,
                "The platform's database takes no changes just now. Try again in a moment.",
            ),
            Kind::Strayed => unavailable(
                "database-moved",
                60,
                "The platform's database is not where it was, and takes no changes. Its operator has to see to it.",
            ),
            Kind::Full => unavailable(
                "database-full",
                60,
                "The platform's database has no room for a change. Its operator has to make some.",
            ),
            _ => Problem::internal(format_args!("database: {error}")),
        }
    }
}

/// The right that a server's user lacks, by what the server says. One that speaks another language may mean any of them.
fn denied(message: &str) -> &'static str {
    let is_of = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match () {
        () if is_of(&["for schema"]) => {
            "let the user of DATABASE_URL make tables: GRANT CREATE, USAGE ON SCHEMA public TO …"
        }
        () if is_of(&["for database"]) => {
            "let the user of DATABASE_URL use the database: GRANT CONNECT, TEMPORARY ON DATABASE … TO …"
        }
        () if is_of(&["must be owner"]) => {
            "let the user of DATABASE_URL own the platform's tables: ALTER TABLE … OWNER TO …"
        }
        () if is_of(&["for table", "for relation", "for view", "for column", "for sequence"]) => {
            "let the user of DATABASE_URL own the tables, or: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO …"
        }
        () => {
            "let the user of DATABASE_URL own the platform's tables, or GRANT it the right that the server names (on a schema \
             CREATE and USAGE, on tables SELECT, INSERT, UPDATE and DELETE)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// Rights on a schema help nobody who lacks one on a table.
    #[test]
    fn the_right_that_lacks_is_the_one_that_is_named() {
        for (message, want) in [
            ("permission denied for schema public", "GRANT CREATE, USAGE ON SCHEMA"),
            (
                "permission denied for table hub_plugin_migrations",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES",
            ),
            ("permission denied for database hub", "GRANT CONNECT"),
            ("must be owner of table hub_users", "OWNER TO"),
            ("keine Berechtigung für Tabelle hub_users", "the right that the server names"),
        ] {
            assert!(denied(message).contains(want), "{message}");
            assert_eq!(denied(message).contains("GRANT CREATE"), message.contains("schema"), "{message}");
        }
    }

    /// A pool without a free connection is not a server that is away, and says so.
    #[test]
    fn a_pool_that_is_used_up_is_busy_and_a_server_that_is_away_is_not() {
        let used_up = Error::Sql(sqlx::Error::PoolTimedOut);
        assert_eq!((used_up.kind(), used_up.is_unavailable()), (Kind::Busy, true));
        assert!(used_up.to_string().contains("stayed in use"));
        let away = Error::Away("the server at db:5432 cannot be reached: connection refused".to_owned());
        assert_eq!((away.kind(), away.is_unavailable()), (Kind::Unreachable, true));
        assert!(away.to_string().contains("db:5432") && away.help("else").contains("PostgreSQL runs"));
        assert_eq!(used_up.help("else"), "else");
    }

    /// Such a file may be well: a log that belongs to another one lies beside it.
    #[tokio::test]
    async fn a_file_that_does_not_fit_together_is_told_with_its_log() {
        use crate::db::Db;
        let folder = Scratch::new("malformed");
        let file = folder.join("hub.db");
        let db = Db::open_sqlite(&file).await.unwrap();
        db.execute("CREATE TABLE t (id INTEGER)", Vec::new()).await.unwrap();
        db.close().await;
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[4096..].fill(0xff);
        std::fs::write(&file, bytes).unwrap();
        let db = Db::open_unchanged(&file).await.unwrap();
        let error = db.value::<i64>("SELECT count(*) FROM t", Vec::new()).await.unwrap_err();
        db.close().await;
        assert_eq!((error.kind(), &*error.to_string()), (Kind::Damaged, "database disk image is malformed"));
        assert!(error.cure(false).contains("-wal") && error.cure(false).contains("integrity_check"));
    }

    #[test]
    fn s19_every_engines_codes_mean_the_same() {
        // SQLite's finer codes carry the plain one in their last byte.
        for (code, kind) in [
            (5, Kind::Busy),
            (517, Kind::Busy),
            (1032, Kind::ReadOnly),
            (13, Kind::Full),
            (11, Kind::Damaged),
            (267, Kind::Damaged),
            (26, Kind::NoDatabase),
        ] {
            assert_eq!(sqlite(code & 0xff), kind, "{code}");
        }
        for (code, kind) in [
            ("55P03", Kind::Busy),
            ("57014", Kind::Busy),
            ("40P01", Kind::Conflict),
            ("25006", Kind::ReadOnly),
            ("53100", Kind::Full),
            ("57P01", Kind::Unreachable),
            ("42P01", Kind::Other),
        ] {
            assert_eq!(postgres(code), kind, "{code}");
        }
    }
}
