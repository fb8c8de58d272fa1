//! PostgreSQL: how a session is set up, opening the pool, binding values, fetching rows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

use hub_manifest::environment;
use hub_manifest::limits::{Limit, Limits};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode,
    PgTypeInfo,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Encode, Postgres, Row as _, Type};

use super::engine::engine;
use super::parameters::{self, Known, is_option, with_query};
use super::{Db, Error, Patience, Row};
use crate::settings::{Env, process_env, reason};

/// A setting that has no meaning but to arrive: one that does not was kept back by something between here and the server.
const SIGN: &str = "hub.session";

impl Db {
    /// Opens a pool to the server that the address names, and finds out whether each connection is a session of the
    /// server's own or lent by a pooler for one transaction at a time.
    pub(crate) async fn open_postgres(url: &str, limits: &Limits) -> Result<Db, Error> {
        let (options, ignored) = connect_options(url, &process_env)?;
        // Here alone: others read the address again, and have nothing to add.
        if !ignored.is_empty() {
            tracing::warn!(
                "the host makes nothing of these parameters of DATABASE_URL: {}",
                ignored.join(", ")
            );
        }
        Patience::set(limits);
        let Patience { statement, lock, .. } = Patience::get();
        let sign = crate::new_id();
        let direct = options.clone().options([
            ("statement_timeout", statement.to_string()),
            ("lock_timeout", lock.to_string()),
            (SIGN, sign.clone()),
        ]);
        let patience = limits.time(Limit::DatabaseConnect);
        // Tried once outside of the pool: that one tells nothing but that time is over.
        let found = within(patience, &direct, session(&direct, &sign)).await;
        let lent = match found {
            Ok(own) => !own,
            // Poolers refuse settings that they cannot keep.
            Err(error) if error.is_refused_setting() => true,
            Err(error) => return Err(error),
        };
        let pool = pool(limits);
        if !lent {
            let opened = pool.connect_with(direct.clone()).await;
            return Ok(Db::Postgres(told(&direct, opened).await?));
        }
        if let Some(lost) = options.get_options().filter(|lost| !lost.trim().is_empty()) {
            return Err(Error::Refused(format!(
                "a connection pooler stands before the server and drops `options={lost}`: give the settings to the \
                 user instead (ALTER ROLE … SET …), and take `options` out of DATABASE_URL and PGOPTIONS"
            )));
        }
        let lent = options.extra_float_digits(None).statement_cache_capacity(0);
        within(patience, &lent, session(&lent, &sign)).await?;
        tracing::info!(
            "the database is behind a connection pooler: each statement is a transaction of its own there"
        );
        let opened = pool.connect_with(lent.clone()).await;
        Ok(Db::Pooled(told(&lent, opened).await?))
    }
}

fn pool(limits: &Limits) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(u32::try_from(limits.get(Limit::DatabaseConnections)).unwrap_or(u32::MAX))
        // A server that is gone is told to callers soon; they may come again.
        .acquire_timeout(limits.time(Limit::DatabaseConnect))
        .before_acquire(|_, about| Box::pin(async move { Ok(!outdated(about.age)) }))
}

/// What a connection to this server gives, within a time.
async fn within<T>(
    patience: Duration,
    options: &PgConnectOptions,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, work).await {
        Ok(Err(Error::Sql(sqlx::Error::Io(e)))) => Err(away(options, &reason(&e))),
        Ok(result) => result,
        Err(_) => Err(away(options, &format!("it has not answered within {} s", patience.as_secs()))),
    }
}

/// That the server cannot be reached, with the place where it was looked for.
fn away(options: &PgConnectOptions, why: &str) -> Error {
    Error::Away(format!("the server at {} cannot be reached: {why}", place(options)))
}

/// That the server answers and does not let this host in.
fn shut_out(options: &PgConnectOptions, why: &str) -> Error {
    Error::Away(format!("the server at {} lets nobody in: {why}", place(options)))
}

/// Whether an error is that of a connection which is refused (PostgreSQL's SQLSTATE): a login that does not count, no database of
/// that name, one that takes no connections, too many of them, or a server that starts or ends.
fn shuts_out(code: &str) -> bool {
    code.starts_with("28") || ["3D000", "53300", "55000", "57P01", "57P02", "57P03"].contains(&code)
}

/// Where a server is looked for: host and port, or the socket of this machine.
fn place(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    match options.get_socket() {
        Some(socket) => format!("{}/.s.PGSQL.{port}", socket.display()),
        None if host.starts_with('/') => format!("{host}/.s.PGSQL.{port}"),
        None if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    }
}

/// How long a server that gave no connection in time may take to one that is only asked for to learn why.
const PROBE: Duration = Duration::from_secs(2);
/// How long what was learned is told to others who ask: it costs the server a connection.
const LEARNED: Duration = Duration::from_secs(1);

/// Why a server gives no connection, in a sentence.
#[derive(Clone)]
enum Closed {
    /// It cannot be reached.
    Away(String),
    /// It answers, and does not let this host in.
    Refuses(String),
}

/// What was learned of a server last: its place, when, and why it cannot be had.
type Learned = Option<(String, Instant, Option<Closed>)>;

static LEARNED_LAST: tokio::sync::Mutex<Learned> = tokio::sync::Mutex::const_new(None);

/// What a pool gives, or why it gives nothing. The pool itself waits for a server that refuses, as for one that is about to
/// start, and then says no more than that time is over: so the server is asked.
pub(super) async fn told<T>(options: &PgConnectOptions, given: Result<T, sqlx::Error>) -> Result<T, Error> {
    match given {
        Ok(given) => Ok(given),
        Err(sqlx::Error::Io(e)) => Err(away(options, &reason(&e))),
        // Whom it does not let in, or nobody for now: as gone as one that is away, until an operator has seen to it.
        Err(sqlx::Error::Database(e)) if e.code().is_some_and(|code| shuts_out(&code)) => {
            Err(shut_out(options, e.message()))
        }
        Err(sqlx::Error::PoolTimedOut) => match why_none(options).await {
            Some(Closed::Away(why)) => Err(away(options, &why)),
            Some(Closed::Refuses(why)) => Err(shut_out(options, &why)),
            None => Err(sqlx::Error::PoolTimedOut.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Why no connection can be had; none where one can, and those of the pool are all in use. Asked once for all who wait.
async fn why_none(options: &PgConnectOptions) -> Option<Closed> {
    let place = place(options);
    let mut last = LEARNED_LAST.lock().await;
    if let Some((of, when, why)) = &*last
        && *of == place
        && when.elapsed() < LEARNED
    {
        return why.clone();
    }
    let connected = tokio::time::timeout(PROBE, PgConnection::connect_with(options)).await;
    let why = match connected {
        Ok(Ok(connection)) => {
            // Whatever comes of it: the server has answered.
            let _ = tokio::time::timeout(PROBE, connection.close()).await;
            None
        }
        Ok(Err(sqlx::Error::Io(e))) => Some(Closed::Away(reason(&e))),
        Ok(Err(error)) => Some(Closed::Refuses(Error::Sql(error).to_string())),
        Err(_) => Some(Closed::Away(format!("it has not answered within {} s", PROBE.as_secs()))),
    };
    *last = Some((place, Instant::now(), why.clone()));
    why
}

/// Connects, and says whether the sign has arrived.
async fn session(options: &PgConnectOptions, sign: &str) -> Result<bool, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    // Sent as plain text: a pooler has nothing to prepare.
    let sql = format!("SELECT current_setting('{SIGN}', true)");
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
    let found: Option<String> = row.try_get(0)?;
    connection.close().await?;
    Ok(found.as_deref() == Some(sign))
}

/// What the address and the variables say, with the user if they name none, and the names of the parameters that the host makes nothing
/// of. The machine's own lists of users are read as a file and never asked: in a static program that ends it.
fn connect_options(url: &str, env: Env<'_>) -> Result<(PgConnectOptions, Vec<String>), Error> {
    let Known { url, ignored, has_roots } = parameters::known(url, env)?;
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("hub-platform").disable_statement_logging();
    let options = match options.get_ssl_mode() {
        // As libpq does. The driver would take any certificate.
        PgSslMode::Require if has_roots => options.ssl_mode(PgSslMode::VerifyCa),
        _ => options,
    };
    if names_user(&url) {
        return Ok((options, ignored));
    }
    match this_user() {
        Some(user) => Ok((options.username(&user), ignored)),
        None => Err(Error::Refused(
            "DATABASE_URL names no user, and the one who runs this has no name on this machine: write \
             postgres://USER:PASSWORD@SERVER/DATABASE, or set PGUSER"
                .to_owned(),
        )),
    }
}

fn names_user(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let login = place.split('/').next().and_then(|authority| authority.rsplit_once('@'));
    login.is_some_and(|(login, _)| !login.is_empty() && !login.starts_with(':'))
        || query.split('&').any(|pair| pair.starts_with("user="))
}

/// That the server asks nothing of whoever reaches it as the host does, with what mends it; none where it asks for something that
/// runs do not have. They have the network, and the host's user. Tried as a stranger would, with an empty password: a server that asks
/// for one counts that as a failed sign-in of the host's own role, so that nobody tries it without being asked to.
pub(crate) async fn unguarded(url: &str) -> Option<(String, String)> {
    let help = "let it ask for one (scram-sha-256 in pg_hba.conf, for connections over TCP too), and give it to the host in \
                DATABASE_URL or a password file";
    // An address that cannot be read has no server; the start says so.
    for stranger in strangers(url).unwrap_or_default() {
        let (place, user) = (place(&stranger), stranger.get_username());
        let told = match tokio::time::timeout(PROBE, PgConnection::connect_with(&stranger)).await {
            Ok(Ok(connection)) => {
                // It was let in, however it leaves.
                let _ = tokio::time::timeout(PROBE, connection.close()).await;
                format!(
                    "the database's server at {place} lets `{user}` in without a password, and so runs and scripts, which have the \
                     network"
                )
            }
            Ok(Err(error)) if is_guarded(&error) => continue,
            Ok(Err(error)) => unknown(&place, user, &error.to_string()),
            Err(_) => unknown(&place, user, &format!("no answer within {} s", PROBE.as_secs())),
        };
        return Some((told, help.to_owned()));
    }
    None
}

/// Whether a stranger was turned away for what it does not have (SQLSTATE of class 28), or has found no server. Any other refusal (no
/// place is left, the server starts, a setting is not taken) may come before anything is asked, and says nothing of that.
fn is_guarded(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("28")),
        sqlx::Error::Io(error) => is_nowhere(error),
        _ => false,
    }
}

/// Whether nobody listens at an address, or this machine has no such address: it may be without IPv6.
fn is_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | AddrNotAvailable | NetworkUnreachable)
        || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

fn unknown(place: &str, user: &str, why: &str) -> String {
    format!(
        "it is not known whether the database's server at {place} lets `{user}` in without a password ({why})"
    )
}

/// How somebody who has only the host's user would come: to the same server, or, where the host comes by a socket, which runs do not
/// see, to one of this machine. Not at all where the host has a key, for that is what lets it in.
fn strangers(url: &str) -> Result<Vec<PgConnectOptions>, Error> {
    let (options, _) = connect_options(&without_options(url), &process_env)?;
    if process_env(environment::PGSSLKEY).is_some() || names_key(url) {
        return Ok(Vec::new());
    }
    if options.get_socket().is_none() && !options.get_host().starts_with('/') {
        return Ok(vec![plainly(options)]);
    }
    // What came by a socket has no other place.
    let of_network = |host: &str| {
        let stranger = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(options.get_port())
            .username(options.get_username())
            .application_name("hub-platform")
            .disable_statement_logging();
        plainly(match options.get_database() {
            Some(name) => stranger.database(name),
            None => stranger,
        })
    };
    Ok(["127.0.0.1", "::1"].map(of_network).into())
}

/// Without a password, and without settings: a pooler refuses those before it asks for anything.
fn plainly(options: PgConnectOptions) -> PgConnectOptions {
    options.password("").extra_float_digits(None).statement_cache_capacity(0)
}

/// The address without the settings of its sessions. (`PGOPTIONS` stays, which nothing takes from a program's options; a pooler that
/// refuses them is one that the host does not work with either.)
fn without_options(url: &str) -> String {
    // What is no address is told by the driver.
    let Ok(parsed) = url::Url::parse(url) else { return url.to_owned() };
    if !parsed.query_pairs().any(|(name, _)| name == "options" || is_option(&name)) {
        return url.to_owned();
    }
    let kept = parsed.query_pairs().filter(|(name, _)| name != "options" && !is_option(name));
    let kept = kept.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    with_query(parsed, kept)
}

fn names_key(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair.starts_with("sslkey=") || pair.starts_with("ssl-key="))
}

/// The name of the user that this process runs as, by the machine's own file.
fn this_user() -> Option<String> {
    let uid = rustix::process::getuid().as_raw();
    // A machine without the file has no names.
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_of(&users, uid)
}

fn user_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Milliseconds since the program's first look at the clock at which a server was found to be only read.
static READ_ONLY: AtomicU64 = AtomicU64::new(0);

fn clock() -> u64 {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    // Never 0, which stands for "not yet".
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// The server that connections lead to takes no writes any more: another one does. Those that are open lead to the old one.
pub(super) fn now_read_only() {
    READ_ONLY.store(clock(), Ordering::Relaxed);
}

/// Whether a connection of this age was opened before that.
fn outdated(age: Duration) -> bool {
    was_open(READ_ONLY.load(Ordering::Relaxed), clock(), age)
}

fn was_open(read_only: u64, now: u64, age: Duration) -> bool {
    let opened = now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    read_only != 0 && opened <= read_only
}

/// A pool's connections for statements, each in a transaction of its own, which begins so.
pub(super) async fn lent(pool: &PgPool, begin: &str) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
    told(&pool.connect_options(), pool.begin_with(AssertSqlSafe(super::begin_lent(begin))).await).await
}

/// A NULL of whatever type the server finds fitting.
struct Null;

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        // Type 0 leaves it to the server to infer the parameter's type.
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(&self, _to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

engine!(Postgres, PgArguments, Null, Row::Postgres);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_users_are_found_without_the_machines_name_service() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\n# note\nhub:x:998:998::/:/sbin/nologin\n";
        assert_eq!(user_of(users, 998).as_deref(), Some("hub"));
        assert_eq!(user_of(users, 54321), None);
        for (url, named) in [
            ("postgres://hub@db/hub", true),
            ("postgres://hub:p@db/hub", true),
            ("postgres://db/hub", false),
            ("postgres://:p@db/hub", false),
            ("postgres:///hub?host=/run/postgresql", false),
            ("postgres:///hub?host=/run/postgresql&user=hub", true),
            ("postgres://db/hub?options=-c%20a=b@c", false),
        ] {
            assert_eq!(names_user(url), named, "{url}");
        }
    }

    #[test]
    fn s5_a_stranger_comes_over_the_network_and_without_a_password() {
        for (url, want) in [
            ("postgres://hub:s3cret@db.internal:6543/hub", &["db.internal:6543"][..]),
            ("postgres:///hub?host=/run/postgresql&user=hub", &["127.0.0.1:5432", "[::1]:5432"]),
            ("postgres://hub@%2Frun%2Fpostgresql:6543/hub", &["127.0.0.1:6543", "[::1]:6543"]),
            ("postgres://hub@db/hub?sslmode=require&sslkey=/etc/client.key", &[]),
        ] {
            let strangers = strangers(url).unwrap();
            assert_eq!(strangers.iter().map(place).collect::<Vec<_>>(), want, "{url}");
            for stranger in &strangers {
                assert_eq!((stranger.get_username(), stranger.get_database()), ("hub", Some("hub")));
                assert!(!format!("{stranger:?}").contains("s3cret"), "{url}");
            }
        }
    }

    /// A server that takes one client and answers what it begins with; gives its port, and later what that was.
    fn server(
        answer: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static,
    ) -> (u16, std::thread::JoinHandle<Vec<u8>>) {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            client.read_exact(&mut length).unwrap();
            let mut begin = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
            client.read_exact(&mut begin).unwrap();
            client.write_all(&answer(&begin)).unwrap();
            // Until the client goes: one that is cut off may not read what it was told.
            let _ = client.read_to_end(&mut Vec::new());
            begin
        });
        (port, served)
    }

    /// A message of PostgreSQL's.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn refusal(code: &str) -> Vec<u8> {
        message(b'E', format!("SFATAL\0VFATAL\0C{code}\0Mno such luck\0\0").as_bytes())
    }

    fn welcome() -> Vec<u8> {
        [message(b'R', &0_u32.to_be_bytes()), message(b'Z', b"I")].concat()
    }

    async fn told_of(port: u16) -> Option<String> {
        let url = format!(
            "postgres://hub:s3cret@127.0.0.1:{port}/hub?sslmode=disable&options=-c%20a%3Db&options[search_path]=x"
        );
        unguarded(&url).await.map(|(told, _)| told)
    }

    #[tokio::test]
    async fn s5_a_server_that_lets_strangers_in_is_told_behind_a_pooler_too() {
        // As PgBouncer does: what it cannot keep it refuses before it asks for a password.
        let settings = ["extra_float_digits", "options"];
        let (port, served) = server(move |begin| {
            let begin = String::from_utf8_lossy(begin).into_owned();
            let refused = settings.iter().any(|setting| begin.split('\0').any(|word| word == *setting));
            if refused { refusal("08P01") } else { welcome() }
        });
        let told = told_of(port).await;
        let begin = String::from_utf8(served.join().unwrap()).unwrap_or_default();
        let want = format!("the database's server at 127.0.0.1:{port} lets `hub` in without a password");
        assert!(told.as_ref().is_some_and(|told| told.starts_with(&want)), "{told:?}: {begin:?}");
    }

    #[tokio::test]
    async fn s5_a_refusal_that_is_not_for_the_password_leaves_it_unknown() {
        for (code, is_known) in [
            ("28P01", true),
            ("28000", true),
            ("08P01", false),
            ("3D000", false),
            ("53300", false),
            ("57P03", false),
        ] {
            let (port, served) = server(move |_| refusal(code));
            let told = told_of(port).await;
            served.join().unwrap();
            let want = format!(
                "it is not known whether the database's server at 127.0.0.1:{port} lets `hub` in without a password (",
            );
            match told {
                None => assert!(is_known, "{code}"),
                Some(told) => assert!(!is_known && told.starts_with(&want), "{code}: {told}"),
            }
        }
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(told_of(closed).await, None);
        // Whoever says nothing has not asked either.
        let (port, served) = server(|_| Vec::new());
        let told = told_of(port).await;
        assert!(told.is_some_and(|told| told.contains("is not known")));
        served.join().unwrap();
        for (error, nowhere) in [
            (libc::ECONNREFUSED, true),
            (libc::EADDRNOTAVAIL, true),
            (libc::EAFNOSUPPORT, true),
            (libc::ENETUNREACH, true),
            (libc::ECONNRESET, false),
            (libc::EMFILE, false),
        ] {
            assert_eq!(is_nowhere(&io::Error::from_raw_os_error(error)), nowhere, "{error}");
        }
    }

    #[test]
    fn a_stranger_asks_for_no_setting() {
        for (url, want) in [
            (
                "postgres://hub@db/hub?options=-c%20a%3Db&sslmode=require",
                "postgres://hub@db/hub?sslmode=require",
            ),
            ("postgres://hub@db/hub?options[a]=b", "postgres://hub@db/hub"),
            ("postgres://hub@db/hub?host=/run/x", "postgres://hub@db/hub?host=/run/x"),
            ("no address", "no address"),
        ] {
            assert_eq!(without_options(url), want);
        }
    }

    #[test]
    fn a_server_that_is_away_is_named_by_its_place() {
        for (url, shown) in [
            ("postgres://hub@db.internal/hub", "db.internal:5432"),
            ("postgres://hub@127.0.0.1:6543/hub", "127.0.0.1:6543"),
            ("postgres://hub@[::1]:6543/hub", "[::1]:6543"),
            ("postgres:///hub?host=/run/postgresql&user=hub", "/run/postgresql/.s.PGSQL.5432"),
        ] {
            let options: PgConnectOptions = url.parse().unwrap();
            assert_eq!(place(&options), shown, "{url}");
        }
    }

    /// A pool that gave nothing in time is told from a server that is not there.
    #[tokio::test]
    async fn a_server_that_refuses_or_is_deaf_is_told_with_its_place() {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = free().local_addr().unwrap().port();
        let deaf = free();
        let said = async |port: u16| {
            let options: PgConnectOptions = format!("postgres://hub@127.0.0.1:{port}/hub").parse().unwrap();
            told(&options, Err::<(), _>(sqlx::Error::PoolTimedOut)).await.unwrap_err().to_string()
        };
        let want = format!("the server at 127.0.0.1:{closed} cannot be reached: connection refused");
        assert_eq!(said(closed).await, want);
        let text = said(deaf.local_addr().unwrap().port()).await;
        assert!(text.contains("has not answered within 2 s"), "{text}");
        // What was learned of one server is not told of another.
        assert_eq!(said(closed).await, want);
    }

    #[test]
    fn s19_connections_from_before_a_failover_are_outdated() {
        let second = Duration::from_secs(1);
        assert!(!was_open(0, 10_000, second), "no server was found to be only read");
        assert!(was_open(9_500, 10_000, second) && was_open(9_000, 10_000, second));
        assert!(!was_open(8_999, 10_000, second) && !was_open(9_999, 10_000, Duration::ZERO));
    }
}
