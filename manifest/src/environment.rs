//! Every environment variable of the platform's own, once: its name, its default, and what it is for. The host and the build read
//! each by its constant, and the tables of variables in `docs/` are made of the same lines. What bounds memory, time and numbers
//! is a limit, and stands in [`crate::limits`].
//!
//! The table is in this crate because the build writes the documents and the host reads the variables.

/// What is known of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// What is in force where it is not set, in Markdown.
    pub default: &'static str,
    /// What it is for, in Markdown.
    pub what: &'static str,
}

/// Declares the variables of one reader, in the order of their names: `NAME, "default", "what"`. Each becomes a constant with its
/// own name for a value; the list has what is known of them all.
macro_rules! variables {
    ($(#[$about:meta])* $list:ident; $($name:ident, $default:literal, $what:literal;)+) => {
        $(
            #[doc = $what]
            pub const $name: &str = stringify!($name);
        )+

        $(#[$about])*
        pub const $list: &[About] = &[$(About { name: $name, default: $default, what: $what },)+];
    };
}

variables! {
    /// What the host reads. What begins with `PG` completes DATABASE_URL.
    HOST;
    DATABASE_URL, "`sqlite:` at `$DATA_DIR/hub.db`", "the database; `postgres://…` for more than one host; a parameter of it that is a typo, or that would guard the connection and is not kept, is refused";
    DATA_DIR, "what `setup` settled, else `/data/honeyframe` where that exists and is writable, else the user's data folder", "the customer's data; the log says which";
    HUB_ADMIN_EMAIL, "`admin@localhost`", "e-mail address of the first admin, who is created where there are no users";
    HUB_ADMIN_PASSWORD, "a random one, which the log shows once", "password of the first admin";
    HUB_BASE_PATH, "none", "path to serve below ([reverse-proxy.md](reverse-proxy.md))";
    HUB_CONNECTOR_ALLOW, "all networks", "the only networks that tests of connections may reach ([operator.md](operator.md#driver-plugins))";
    HUB_CONNECTOR_DENY, "none", "networks that tests of connections must not reach, whatever is allowed";
    HUB_CUSTOMER, "none", "name of the customer, which `setup` writes down from `install.conf`; nothing depends on it";
    HUB_CUSTOMER_NAME, "`Default`", "name of the first organisation";
    HUB_DEMO, "not set", "`1`, `true`, `yes` or `on` shows sample records to everybody, as `serve --demo`";
    HUB_DEV, "not set", "`1`, `true`, `yes` or `on` serves the page's files as they are on disk, and reloads the page when they change; for development only";
    HUB_FORWARDED_HEADER, "either", "`forwarded` or `x-forwarded`: the only headers of trusted proxies that count ([reverse-proxy.md](reverse-proxy.md))";
    HUB_MAIL_FROM, "none", "the sender's address of invitations";
    HUB_METRICS_TOKEN, "none", "opens `/metrics` to whoever sends it as a bearer token; without one it is for programs on the same machine";
    HUB_PUBLIC_URL, "`http://` and the address that the host listens on; for `0.0.0.0` and `[::]` that from which the machine goes out", "where links in mails begin";
    HUB_SMTP_URL, "none", "mail server for invitations";
    HUB_TAKE_OVER, "none", "vertical plugins of a release, separated by commas, that may take the place of the customer's; `upgrade --take-over` gives it to the preflight";
    HUB_TRUSTED_PROXIES, "none", "networks of the proxies whose `X-Forwarded-*` and `Forwarded` count ([reverse-proxy.md](reverse-proxy.md))";
    INSTALL_DIR, "the release that the program runs from", "folder with `web/` and `plugins/`";
    LISTEN, "`127.0.0.1:8001`", "address and port, as `serve --listen`";
    LOG_FORMAT, "text", "`json` for one JSON object a line";
    PGDATABASE, "the user's name", "database on PostgreSQL, where DATABASE_URL does not name it";
    PGHOST, "a socket of this machine, else `localhost`", "server of PostgreSQL, where DATABASE_URL does not name it";
    PGHOSTADDR, "none", "IP address of that server, which is connected to in the place of PGHOST";
    PGPASSFILE, "`~/.pgpass`", "file with the password for PostgreSQL, where DATABASE_URL has none";
    PGPASSWORD, "none", "password for PostgreSQL, where DATABASE_URL has none";
    PGPORT, "`5432`", "port of PostgreSQL, where DATABASE_URL does not name it";
    PGSSLCERT, "none", "file with the host's certificate for PostgreSQL";
    PGSSLKEY, "none", "file with the key of that certificate";
    PGSSLMODE, "`prefer`", "whether the connection to PostgreSQL has to be over TLS, and which certificates are taken: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`";
    PGSSLROOTCERT, "those of the machine", "file with the certificates that PostgreSQL's may be signed by";
    PGUSER, "the name of the user that runs the host", "user on PostgreSQL, where DATABASE_URL does not name it";
    RUST_LOG, "`info`", "what is logged";
}

variables! {
    /// What the host gives to the programs of a run.
    RUN;
    HUB_ORG, "", "identifier of the organisation";
    HUB_OUTPUT_SCHEMA, "", "in a script only: `HUB_SCHEMA`, `_` and the script's `output_schema`, as dbt names a custom schema; where that has more than 63 bytes, its beginning, `_` and 8 digits";
    HUB_SCHEMA, "", "`hub_` and 32 digits: a schema of the organisation's own";
    HUB_TENANT, "", "identifier of the tenant that the run was asked for in; empty for the organisation at large";
    HUB_WAREHOUSE, "", "path of the workspace's DuckDB file";
}

variables! {
    /// What a host gives to the one that takes its place; nobody else sets them.
    HANDOVER;
    HUB_HANDOVER, "", "descriptors of the listening socket and of the socket on which the two hosts talk: `<listening socket>,<talk>`";
    HUB_HANDOVER_DATABASE, "", "which file the host before has as its database";
    HUB_HANDOVER_LOCK, "", "descriptor of the data folder's lock";
}

variables! {
    /// What `cargo xtask` reads.
    BUILD;
    HUB_CHECK_POSTGRES, "not set", "`1` makes every `check` try the migrations on PostgreSQL, as `check --postgres`";
    HUB_REVISION, "none", "commit of the sources, which becomes a label of the container image ([containers.md](containers.md))";
    HUB_SIGN_PASSWORD, "asked for", "password of the secret key that `build-platform --sign` signs with, and that `keygen` makes";
}

/// A variable's value as a message may repeat it: in backticks, or `…` where it may be, or hold, a password. Lines of a file that run into
/// one another put an assignment or an address with its login into any variable.
pub fn quoted(value: &str) -> String {
    match ["=", "://", "@"].iter().any(|sign| value.contains(sign)) {
        true => "`…` (not shown, because it may contain a password)".to_owned(),
        false => format!("`{}`", value.escape_debug()),
    }
}

/// The names of [`HOST`].
pub const HOST_NAMES: &[&str] = &names::<{ HOST.len() }>(HOST);

const fn names<const N: usize>(list: &[About]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = list[at].name;
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_may_hold_a_password_is_not_repeated() {
        assert_eq!(quoted("xml\n"), "`xml\\n`");
        for value in
            ["json;DATABASE_URL=s3cret", "postgres://s3cret", "hub:s3cret@db", "json DATABASE_URL=s3cret"]
        {
            let shown = quoted(value);
            assert!(shown.starts_with("`…`") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn every_variable_is_declared_once_and_in_order() {
        for list in [HOST, RUN, HANDOVER, BUILD] {
            assert!(list.is_sorted_by(|a, b| a.name < b.name), "{list:?}");
            assert!(list.iter().all(|about| !about.what.is_empty()), "{list:?}");
        }
        // Two readers may not have one name: it would be two constants, which the compiler refuses. A limit could.
        let limits = crate::limits::Limit::ALL.iter().map(|limit| limit.about().variable);
        let all = || [HOST, RUN, HANDOVER, BUILD].into_iter().flatten();
        let twice: Vec<&str> = limits.filter(|limit| all().any(|about| about.name == *limit)).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(HOST_NAMES.iter().copied().eq(HOST.iter().map(|about| about.name)));
    }
}
