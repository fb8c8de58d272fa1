//! Migrations, tried on a PostgreSQL of the check's own as the host runs them at its first start: the platform's, then each
//! plugin's in one transaction, as a user who may do nothing but work in that database.
//!
//! Their text goes to the server as it is, and nowhere else: a client program would take some of it for its own commands.

mod place;
mod programs;
mod server;

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_core::Stream;
use hub_manifest::codes;
use hub_manifest::diagnostic::{self, Diagnostic, Span};
use hub_manifest::migrations::{Engine, Foreign, POSTGRES_TABLES, engine, foreign, runs_on};
use hub_manifest::statements::{UNFIT_HELP, unfit};
use tokio::runtime;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::base::failure::Machine;
use crate::base::files::shown_path;
use crate::load::LoadedPlugin;
use crate::load::migrations::{OfPlatform, of_platform};
use crate::pipeline::{Front, Repo};
use crate::resolve::{file_of_migration, out_of_bounds, untried};
use server::{OWNER, START, Server};

/// The user that migrations run as, and its database.
const USER: &str = "hub";
/// Longest time of one statement on an empty database.
const STATEMENT: Duration = Duration::from_secs(10);
/// Longest time of all migrations of one plugin, or of the platform: a text may lift the limit above.
const OWNERS: Duration = Duration::from_secs(20);
/// After this no further plugin is tried.
const OVERALL: Duration = Duration::from_secs(300);
/// Longest time of what the check itself asks of a server that runs.
const ANSWER: Duration = Duration::from_secs(10);

/// What the client library says of an answer that only a COPY gives.
const UNEXPECTED: &str = "unexpected message from server";

/// An installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// The folder of its programs.
    programs: PathBuf,
}

/// What was found out.
#[derive(Debug)]
pub struct Tried {
    /// Everything that is not told already, sorted.
    pub found: Vec<Diagnostic>,
    /// The version of the server, as it names it; none where it could not be made.
    pub version: Option<String>,
}

impl Postgres {
    /// Looks for one on this machine.
    pub fn find() -> Result<Postgres, Machine> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Postgres::of(programs::find(&path))
    }

    /// With its programs, where there are any.
    fn of(programs: Option<PathBuf>) -> Result<Postgres, Machine> {
        programs.map(|programs| Postgres { programs }).ok_or_else(|| {
            Machine::new(
                "migrations cannot be tried on PostgreSQL: its programs `initdb` and `postgres` are not installed",
                "install the PostgreSQL server (Debian: postgresql), put the folder of its programs into PATH, or leave \
                 `--postgres` and HUB_CHECK_POSTGRES out",
            )
        })
    }

    /// Tries the migrations of the platform and of the plugins of the plan.
    pub fn check(&self, repo: &Repo, front: &Front) -> Tried {
        let current = std::env::current_dir().unwrap_or_default();
        let platform = of_platform(&shown_path(&repo.migrations(), &current));
        let resolved = &front.resolved;
        let of = |name: &str| {
            let root = resolved.roots.get(name)?;
            front.loaded.iter().find(|plugin| plugin.slug() == name && plugin.folder.root == *root)
        };
        let plugins: Vec<&LoadedPlugin> =
            resolved.plan.host.plugins.iter().filter_map(|planned| of(&planned.name)).collect();
        let Tried { mut found, version } = self.tried(&platform, &plugins);
        found.iter_mut().for_each(Diagnostic::clean);
        found.retain(|one| !resolved.diagnostics.contains(one));
        diagnostic::sort(&mut found);
        Tried { found, version }
    }

    /// All of it with a server that is gone afterwards.
    fn tried(&self, platform: &OfPlatform, plugins: &[&LoadedPlugin]) -> Tried {
        if let Some((file, why)) = &platform.trouble {
            return Tried { found: vec![untried(file, why)], version: None };
        }
        let on_machine = |why: &str| of_the_machine(platform, why);
        let made = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match made {
            Ok(runtime) => runtime,
            Err(error) => {
                return Tried {
                    found: vec![on_machine(&format!("nothing can wait for a server: {error}"))],
                    version: None,
                };
            }
        };
        let no_server = |why: String| on_machine(&format!("no PostgreSQL can be made for this: {why}"));
        let server = match Server::start(&self.programs) {
            Ok(server) => server,
            Err(why) => return Tried { found: vec![no_server(why)], version: None },
        };
        let mut tried = match runtime.block_on(Trial::begin(&server)) {
            Ok(mut trial) => {
                let found = runtime.block_on(trial.all(platform, plugins));
                Tried { found, version: Some(trial.version) }
            }
            Err(why) => Tried { found: vec![no_server(why)], version: None },
        };
        // What waits for the server would wait for its end.
        drop(runtime);
        if let Err(why) = server.end() {
            tried
                .found
                .push(on_machine(&format!("the PostgreSQL that was made for this is not gone: {why}")));
        }
        tried
    }
}

/// A server at work.
struct Trial<'a> {
    server: &'a Server,
    begun: Instant,
    version: String,
}

/// Why something of one owner does not run: in which of its files, and where.
#[derive(Debug)]
struct Failure {
    file: usize,
    why: Failed,
}

#[derive(Debug)]
enum Failed {
    /// In the server's own words.
    Sql { message: String, hint: Option<String>, span: Span },
    /// It takes too long.
    Endless { span: Span },
    /// It ends the transaction.
    Ended,
    /// It does something to tables of others.
    Foreign(Foreign),
}

/// How far one owner's files are.
#[derive(Default)]
struct Progress {
    file: Cell<usize>,
    statements: Cell<usize>,
}

impl<'a> Trial<'a> {
    /// Waits for the server and makes the user and the database.
    async fn begin(server: &'a Server) -> Result<Trial<'a>, String> {
        let begun = Instant::now();
        let owner = connected(server, OWNER, "postgres").await?;
        let text = |error: tokio_postgres::Error| told(&error);
        let version = first(&owner, "SHOW server_version").await.map_err(text)?;
        // It may log in and nothing else: no files and programs of the server's, no other users.
        for sql in [
            format!("CREATE ROLE {USER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"),
            // As the host's user has it: the database is its own.
            format!("CREATE DATABASE {USER} OWNER {USER} TEMPLATE template0"),
        ] {
            owner.batch_execute(&sql).await.map_err(text)?;
        }
        Ok(Trial { server, begun, version })
    }

    /// Tries everything, in order.
    async fn all(&mut self, platform: &OfPlatform, plugins: &[&LoadedPlugin]) -> Vec<Diagnostic> {
        let own: Vec<(&str, &str)> = platform.on(Engine::Postgres).collect();
        match self.owner(None, &own).await {
            Ok(None) => {}
            Ok(Some(failure)) => {
                let (name, sql) = own.get(failure.file).copied().unwrap_or_default();
                return vec![of_the_platform(platform, name, sql, &failure.why)];
            }
            Err(why) => return vec![of_the_machine(platform, &why)],
        }
        let mut found = Vec::new();
        for (at, plugin) in plugins.iter().enumerate() {
            let (files, unread) = files(plugin);
            if files.is_empty() && unread.is_none() {
                continue;
            }
            let tried = match self.begun.elapsed() < OVERALL {
                true => self.owner(Some(plugin.slug()), &files).await,
                false => Err(format!("the plugins before took {} s and more", OVERALL.as_secs())),
            };
            match tried {
                Ok(Some(failure)) => {
                    let (name, sql) = files.get(failure.file).copied().unwrap_or_default();
                    found.push(of_a_plugin(plugin, name, sql, &failure.why));
                }
                Ok(None) => found.extend(unread),
                // What was not tried is never taken for sound.
                Err(why) => {
                    let names: Vec<&str> = plugins[at..].iter().map(|plugin| plugin.slug()).collect();
                    let why = format!("those of {} were not tried on PostgreSQL: {why}", names.join(", "));
                    found.push(of_the_machine(platform, &why));
                    break;
                }
            }
        }
        found
    }

    /// Runs the files of one owner in one transaction, in a session of its own. The error says why they were not tried.
    async fn owner(&self, slug: Option<&str>, files: &[(&str, &str)]) -> Result<Option<Failure>, String> {
        let client = connected(self.server, USER, USER).await?;
        let asked = async { first(&client, "SELECT pg_backend_pid()").await.map_err(|error| told(&error)) };
        let session = timeout(ANSWER, asked).await.map_err(|_| "it does not answer".to_string())??;
        let progress = Progress::default();
        let mut work = pin!(transaction(&client, slug, files, &progress));
        let why = match timeout(OWNERS, work.as_mut()).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(why)) => {
                // It may still be at work, and hold locks that others wait for.
                self.end(&session).await?;
                why
            }
            Err(_) => {
                self.end(&session).await?;
                // How many statements have run, the server only tells with its last words. Whether it does is no matter.
                let _ = timeout(ANSWER, work).await;
                let sql = files.get(progress.file.get()).map_or("", |(_, sql)| sql);
                Failed::Endless { span: place::of_statement(sql, progress.statements.get()) }
            }
        };
        Ok(Some(Failure { file: progress.file.get(), why }))
    }

    /// Ends a session and waits until it is gone.
    async fn end(&self, session: &str) -> Result<(), String> {
        let owner = connected(self.server, OWNER, "postgres").await?;
        let ended = async {
            loop {
                let sql = format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = {session} AND usename = '{USER}'"
                );
                if first(&owner, &sql).await.map_err(|error| told(&error))? == "0" {
                    return Ok(());
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let late = |_| "a migration before keeps the server busy and cannot be stopped".to_string();
        timeout(ANSWER, ended).await.map_err(late)?
    }
}

/// The files of a plugin that run on PostgreSQL, up to the first that cannot be read or is none for a transaction, and what is
/// said of that one: where it runs on SQLite too, or is none for a transaction, it is said already.
fn files(plugin: &LoadedPlugin) -> (Vec<(&str, &str)>, Option<Diagnostic>) {
    let mut files = Vec::new();
    for migration in plugin.migrations.files.iter().filter(|one| runs_on(&one.name, Engine::Postgres)) {
        match &migration.sql {
            Ok(sql) if unfit(sql, Engine::Postgres).is_some() => return (files, None),
            Ok(sql) => files.push((migration.name.as_str(), sql.as_str())),
            Err((why, span)) => {
                let unread = Diagnostic::error(
                    codes::MIGRATION_FAILS,
                    format!("the migration {} cannot be read: {why}", migration.name),
                )
                .plugin(plugin.slug())
                .at(file_of_migration(plugin, &migration.name), *span)
                .help("write it as a UTF-8 text file that the user who builds may read");
                return (files, engine(&migration.name).map(|_| unread));
            }
        }
    }
    (files, None)
}

/// Runs files as the host does.
async fn transaction(
    client: &Client,
    slug: Option<&str>,
    files: &[(&str, &str)],
    progress: &Progress,
) -> Result<(), Failed> {
    let at_start = |error: tokio_postgres::Error| failed(&error, "", 0);
    let millis = STATEMENT.as_millis();
    let begin = format!("BEGIN; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {millis}");
    client.batch_execute(&begin).await.map_err(at_start)?;
    let number = "SELECT txid_current()";
    let this = first(client, number).await.map_err(at_start)?;
    for (at, (_, sql)) in files.iter().enumerate() {
        progress.file.set(at);
        progress.statements.set(0);
        let before = tables(client).await.map_err(at_start)?;
        script(client, sql, &progress.statements)
            .await
            .map_err(|error| failed(&error, sql, progress.statements.get()))?;
        if first(client, number).await.map_err(at_start)? != this {
            return Err(Failed::Ended);
        }
        let after = tables(client).await.map_err(at_start)?;
        if let Some(foreign) = slug.and_then(|slug| foreign(slug, &before, &after)) {
            return Err(Failed::Foreign(foreign));
        }
    }
    client.batch_execute("COMMIT").await.map_err(at_start)
}

/// Runs a text of several statements and counts those that have run. Rows are taken one by one and forgotten.
async fn script(client: &Client, sql: &str, done: &Cell<usize>) -> Result<(), tokio_postgres::Error> {
    let mut answers = pin!(client.simple_query_raw(sql).await?);
    while let Some(answer) = poll_fn(|context| answers.as_mut().poll_next(context)).await {
        if let SimpleQueryMessage::CommandComplete(_) = answer? {
            done.set(done.get() + 1);
        }
    }
    Ok(())
}

async fn tables(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    column(client, POSTGRES_TABLES).await
}

/// The first value of a query's first row; empty where there is none.
async fn first(client: &Client, sql: &str) -> Result<String, tokio_postgres::Error> {
    Ok(column(client, sql).await?.into_iter().next().unwrap_or_default())
}

/// The first column of a query.
async fn column(client: &Client, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let answers = client.simple_query(sql).await?;
    let value = |answer: SimpleQueryMessage| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(value).collect())
}

/// A session, as soon as the server gives one: it may be about to start, or to recover from a session that broke down.
async fn connected(server: &Server, user: &str, database: &str) -> Result<Client, String> {
    let mut config = Config::new();
    config.host_path(server.socket()).port(5432).user(user).dbname(database);
    config.application_name("hub check").connect_timeout(ANSWER);
    let begun = Instant::now();
    let mut last = "it does not listen".to_string();
    loop {
        if let Some(said) = server.ended() {
            return Err(format!("it has ended: {said}"));
        }
        if server.listens() {
            match timeout(ANSWER, config.connect(NoTls)).await {
                Ok(Ok((client, connection))) => {
                    // What goes wrong with the connection, its client is told too.
                    tokio::spawn(async move {
                        let _ = connection.await;
                    });
                    return Ok(client);
                }
                Ok(Err(error)) => last = told(&error),
                Err(_) => last = "it does not answer".to_string(),
            }
        }
        if begun.elapsed() > START {
            return Err(format!("{last} after {} s: {}", START.as_secs(), server.said()));
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// An error in the server's own words, with what it adds to them.
fn told(error: &tokio_postgres::Error) -> String {
    let Some(told) = error.as_db_error() else {
        return match (std::error::Error::source(error), error.to_string()) {
            (Some(source), text) => format!("{text}: {source}"),
            (None, text) if text == UNEXPECTED => {
                "it exchanges data with a client (COPY … FROM STDIN or TO STDOUT), which a migration has not"
                    .to_string()
            }
            (None, text) => text,
        };
    };
    match told.detail() {
        Some(detail) => format!("{} ({})", told.message(), detail.trim_end_matches('.')),
        None => told.message().to_string(),
    }
}

/// What an error means for a text of which so many statements had run.
fn failed(error: &tokio_postgres::Error, sql: &str, done: usize) -> Failed {
    let position = error.as_db_error().and_then(DbError::position).and_then(|position| match position {
        ErrorPosition::Original(position) => Some(*position),
        // That is a place in another text, of a function or a DO block.
        ErrorPosition::Internal { .. } => None,
    });
    let span = place::of_error(sql, position, done);
    if error.code() == Some(&SqlState::QUERY_CANCELED) {
        return Failed::Endless { span };
    }
    let hint = error.as_db_error().and_then(DbError::hint).map(str::to_string);
    Failed::Sql { message: told(error), hint, span }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Sql { message, .. } => write!(f, "fails on PostgreSQL: {message}"),
            Failed::Endless { .. } => f.write_str("takes too long on an empty database of PostgreSQL's"),
            Failed::Ended => f.write_str("ends the transaction that it runs in"),
            Failed::Foreign(foreign) => foreign.fmt(f),
        }
    }
}

impl Failed {
    fn span(&self, sql: &str) -> Span {
        match self {
            Failed::Sql { span, .. } | Failed::Endless { span } => *span,
            Failed::Ended => {
                let word = ["COMMIT", "ROLLBACK", "END"]
                    .into_iter()
                    .find_map(|word| Some((sql.to_ascii_uppercase().find(word)?, word.len())));
                word.map_or(Span::START, |(at, len)| Span::at(sql, at, len))
            }
            Failed::Foreign(_) => Span::START,
        }
    }
}

/// What is said where the server is at fault.
fn of_the_machine(platform: &OfPlatform, why: &str) -> Diagnostic {
    untried(&platform.folder, why)
        .help("see that this user may run PostgreSQL's initdb and postgres in the temporary folder (TMPDIR), and check again")
}

/// What is said where the platform's own do not run.
fn of_the_platform(platform: &OfPlatform, name: &str, sql: &str, why: &Failed) -> Diagnostic {
    let file: &Path = &platform.folder.join(name);
    Diagnostic { span: why.span(sql), ..untried(file, &format!("this one of the platform {why}")) }
}

/// What is said of a plugin's.
fn of_a_plugin(plugin: &LoadedPlugin, name: &str, sql: &str, why: &Failed) -> Diagnostic {
    let own = match engine(name) {
        Some(_) => "mend the statement: the host runs the plugin's migrations in one transaction".to_string(),
        None => {
            let stem = name.strip_suffix(".sql").unwrap_or(name);
            format!(
                "write it so that both engines take it, or give each a file of its own: {stem}.postgres.sql beside \
                 {stem}.sqlite.sql"
            )
        }
    };
    let (what, span, help) = match why {
        Failed::Foreign(foreign) => out_of_bounds(plugin.slug(), sql, foreign),
        Failed::Sql { hint: Some(hint), span, .. } => {
            (why.to_string(), *span, format!("{own}; PostgreSQL's hint: {hint}"))
        }
        Failed::Sql { span, .. } => (why.to_string(), *span, own),
        Failed::Endless { span } => (
            why.to_string(),
            *span,
            "make the statement smaller: the host does not serve before it ends".to_string(),
        ),
        Failed::Ended => (why.to_string(), why.span(sql), UNFIT_HELP.to_string()),
    };
    Diagnostic::error(codes::MIGRATION_FAILS, format!("the migration {name} {what}"))
        .plugin(plugin.slug())
        .at(file_of_migration(plugin, name), span)
        .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_without_postgresql_it_says_what_to_install() {
        let lack = Postgres::of(None).expect_err("there is none");
        assert!(lack.what.contains("`initdb` and `postgres` are not installed"), "{lack}");
        assert!(lack.help.contains("(Debian: postgresql)"), "{lack}");
    }
}
