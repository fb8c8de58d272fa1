//! Databases that the host talks to by itself: PostgreSQL, MySQL and MariaDB.

use std::net::IpAddr;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Error, Row};

use super::{Kind, Parameters};

/// Connects, asks for the version, and hangs up: what the server is, or why not.
///
/// It goes to this address, which was found to be allowed. Only a certificate has to be held against the name: then the name is
/// what is connected to, which leads to that address and no other where runs have a file system of their own.
pub(super) async fn connect(kind: &Kind, parameters: &Parameters, address: IpAddr) -> Result<String, String> {
    let host = parameters.text("host").unwrap_or_default();
    let to = if parameters.text("tls") == Some("verify") { host.to_owned() } else { address.to_string() };
    let asked = match kind.name {
        "postgresql" => postgresql(kind, parameters, &to).await,
        _ => mysql(kind, parameters, &to).await,
    };
    asked.map_err(|error| explain(&error, kind, parameters))
}

/// What is said where no server of this kind answers, for whatever reason, and also where it answers too late.
pub(super) fn nobody(kind: &Kind, parameters: &Parameters) -> String {
    match parameters.text("host") {
        Some(host) => {
            format!("no {} server answers at {host} port {}", kind.display_name, parameters.port(kind))
        }
        None => format!("{} does not answer", kind.display_name),
    }
}

async fn postgresql(kind: &Kind, parameters: &Parameters, host: &str) -> Result<String, Error> {
    let given = |name| parameters.text(name).unwrap_or_default();
    // Everything is said here: the host's own environment must not lend its login to others.
    let options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(parameters.port(kind))
        .database(given("database"))
        .username(given("user"))
        .password(given("password"))
        .application_name("hub-platform")
        .ssl_mode(match parameters.text("tls") {
            Some("disable") => PgSslMode::Disable,
            Some("require") => PgSslMode::Require,
            Some("verify") => PgSslMode::VerifyFull,
            _ => PgSslMode::Prefer,
        });
    let mut connection = PgConnection::connect_with(&options).await?;
    let row = sqlx::query("SELECT current_setting('server_version')").fetch_one(&mut connection).await?;
    let version: String = row.try_get(0)?;
    connection.close().await?;
    Ok(format!("PostgreSQL {version}"))
}

async fn mysql(kind: &Kind, parameters: &Parameters, host: &str) -> Result<String, Error> {
    let given = |name| parameters.text(name).unwrap_or_default();
    let mut options =
        MySqlConnectOptions::new().host(host).port(parameters.port(kind)).username(given("user")).ssl_mode(
            match parameters.text("tls") {
                Some("disable") => MySqlSslMode::Disabled,
                Some("require") => MySqlSslMode::Required,
                Some("verify") => MySqlSslMode::VerifyIdentity,
                _ => MySqlSslMode::Preferred,
            },
        );
    if let Some(password) = parameters.text("password") {
        options = options.password(password);
    }
    if let Some(database) = parameters.text("database") {
        options = options.database(database);
    }
    let mut connection = MySqlConnection::connect_with(&options).await?;
    let row = sqlx::query("SELECT version()").fetch_one(&mut connection).await?;
    let version: String = row.try_get(0)?;
    connection.close().await?;
    // MariaDB's own version says so.
    let name = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    Ok(format!("{name} {version}"))
}

/// What a server says is passed on. Where no server of this kind answers, it is not told why: whether a port is closed,
/// filtered or somebody else's is nothing that a test of a connection has to find out.
fn explain(error: &Error, kind: &Kind, parameters: &Parameters) -> String {
    match error {
        Error::Database(error) => error.message().to_owned(),
        Error::Tls(error) => {
            let host = parameters.text("host").unwrap_or_default();
            format!("no encrypted connection to {host} port {}: {error}", parameters.port(kind))
        }
        Error::Configuration(error) if error.to_string().starts_with("RSA") => {
            "the server takes this password over an encrypted connection only: set tls to require".to_owned()
        }
        _ => nobody(kind, parameters),
    }
}
