//! What the address of a PostgreSQL server and libpq's variables may say: one table of parameters for both, and what becomes of each. The
//! driver ignores what it does not know, and of its variables also what it cannot read: it does not get to see either.

use std::net::IpAddr;

use hub_manifest::environment::{self, quoted};
use hub_manifest::grammar::edits;

use super::Error;
use crate::settings::Env;

/// A parameter of an address, and the variable that says the same.
struct Parameter {
    name: &'static str,
    variable: Option<&'static str>,
    fate: Fate,
}

/// What becomes of a parameter.
enum Fate {
    /// The driver reads it.
    Read(Takes),
    /// The driver ignores it, and so may the host.
    Ignored,
    /// It guards the connection, and the driver ignores it. Only these of its values ask for nothing that is not there.
    Guards { harmless: &'static [&'static str], help: &'static str },
}

/// Which values a parameter takes.
enum Takes {
    /// Any.
    Text,
    /// One of these words, in either case.
    Word(&'static [&'static str]),
    /// A number from 1 to 65535.
    Port,
    /// A whole number.
    Number,
    /// An IP address.
    Address,
    /// A file of certificates. `system` stands for those of the machine in libpq alone.
    Roots,
}

impl Takes {
    /// What to write in the place of a value that it does not take; none for one that it does.
    fn instead(&self, value: &str) -> Option<String> {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Takes::Text => None,
            Takes::Word(words) => {
                let words_shown = || words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                let known = words.iter().any(|word| word.eq_ignore_ascii_case(value));
                (!known).then(|| format!("write one of {}", words_shown()))
            }
            Takes::Port => {
                let fits = digits && value.parse::<u16>().is_ok_and(|port| port > 0);
                (!fits).then(|| "write a number from 1 to 65535".to_owned())
            }
            Takes::Number => {
                let fits = digits && value.parse::<usize>().is_ok();
                (!fits).then(|| "write a whole number".to_owned())
            }
            Takes::Address => {
                value.parse::<IpAddr>().is_err().then(|| "write an IP address without brackets".to_owned())
            }
            Takes::Roots => (value == "system").then(|| {
                "leave it out, and use sslmode `verify-full`: the certificates of the machine are trusted without it".to_owned()
            }),
        }
    }
}

const fn read(name: &'static str, variable: Option<&'static str>, takes: Takes) -> Parameter {
    Parameter { name, variable, fate: Fate::Read(takes) }
}

const fn ignored(name: &'static str) -> Parameter {
    Parameter { name, variable: None, fate: Fate::Ignored }
}

const fn guards(
    name: &'static str,
    variable: Option<&'static str>,
    harmless: &'static [&'static str],
    help: &'static str,
) -> Parameter {
    Parameter { name, variable, fate: Fate::Guards { harmless, help } }
}

const MODES: Takes = Takes::Word(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]);
const USE_TLS: &str = "use sslmode `require`, or better `verify-full`, instead";
const NO_LISTS: &str =
    "leave it out, and give the server a certificate of an authority that has withdrawn none (sslrootcert)";

/// Those that the driver reads, besides `options[…]`; those of libpq that it ignores, some of which guard the connection; and those of
/// poolers and of what other programs connect with, which addresses of hosted servers contain.
const PARAMETERS: &[Parameter] = &[
    read("application_name", None, Takes::Text),
    read("dbname", Some(environment::PGDATABASE), Takes::Text),
    read("host", Some(environment::PGHOST), Takes::Text),
    read("hostaddr", Some(environment::PGHOSTADDR), Takes::Address),
    read("options", None, Takes::Text),
    read("password", Some(environment::PGPASSWORD), Takes::Text),
    read("port", Some(environment::PGPORT), Takes::Port),
    read("ssl-ca", None, Takes::Roots),
    read("ssl-cert", None, Takes::Text),
    read("ssl-key", None, Takes::Text),
    read("ssl-mode", None, MODES),
    read("ssl-root-cert", None, Takes::Roots),
    read("sslcert", Some(environment::PGSSLCERT), Takes::Text),
    read("sslkey", Some(environment::PGSSLKEY), Takes::Text),
    read("sslmode", Some(environment::PGSSLMODE), MODES),
    read("sslrootcert", Some(environment::PGSSLROOTCERT), Takes::Roots),
    read("statement-cache-capacity", None, Takes::Number),
    read("user", Some(environment::PGUSER), Takes::Text),
    guards(
        "channel_binding",
        Some("PGCHANNELBINDING"),
        &["disable", "prefer"],
        "leave it out, and use sslmode `verify-full`, which lets nobody in between either",
    ),
    guards(
        "gssencmode",
        Some("PGGSSENCMODE"),
        &["disable", "prefer"],
        "leave it out, and use sslmode `verify-full`: the host encrypts with TLS only",
    ),
    guards(
        "min_protocol_version",
        Some("PGMINPROTOCOLVERSION"),
        &["3.0"],
        "leave it out: the host uses version 3.0 of PostgreSQL's protocol",
    ),
    guards(
        "require_auth",
        Some("PGREQUIREAUTH"),
        &[],
        "leave it out, and let the server ask for scram-sha-256 (pg_hba.conf)",
    ),
    guards(
        "requirepeer",
        Some("PGREQUIREPEER"),
        &[],
        "leave it out, or connect over TCP with sslmode `verify-full`",
    ),
    guards("requiressl", Some("PGREQUIRESSL"), &["0"], USE_TLS),
    guards(
        "service",
        Some("PGSERVICE"),
        &[],
        "write what that section of the service file says into DATABASE_URL: the host does not read the file",
    ),
    guards("ssl", None, &["0", "false"], USE_TLS),
    guards(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
        "leave it out, and set ssl_min_protocol_version on the server: the host takes TLS 1.2 and later",
    ),
    guards(
        "sslcertmode",
        Some("PGSSLCERTMODE"),
        &["allow", "disable"],
        "leave it out, and let the server ask for a certificate (clientcert in pg_hba.conf)",
    ),
    guards("sslcrl", Some("PGSSLCRL"), &[], NO_LISTS),
    guards("sslcrldir", Some("PGSSLCRLDIR"), &[], NO_LISTS),
    guards("sslnegotiation", Some("PGSSLNEGOTIATION"), &["postgres"], USE_TLS),
    // The host writes, and says so itself of a server that takes no writes.
    guards(
        "target_session_attrs",
        Some("PGTARGETSESSIONATTRS"),
        &["any", "prefer-standby", "primary", "read-write"],
        "leave it out: the host needs a server that takes writes",
    ),
    ignored("client_encoding"),
    ignored("connect_timeout"),
    ignored("connection_limit"),
    ignored("fallback_application_name"),
    ignored("gssdelegation"),
    ignored("gsslib"),
    ignored("keepalives"),
    ignored("keepalives_count"),
    ignored("keepalives_idle"),
    ignored("keepalives_interval"),
    ignored("krbsrvname"),
    ignored("load_balance_hosts"),
    ignored("max_protocol_version"),
    ignored("passfile"),
    ignored("pgbouncer"),
    ignored("pool_timeout"),
    ignored("replication"),
    ignored("schema"),
    ignored("scram_client_key"),
    ignored("scram_server_key"),
    ignored("servicefile"),
    ignored("socket_timeout"),
    ignored("ssl_max_protocol_version"),
    ignored("sslcompression"),
    ignored("sslkeylogfile"),
    ignored("sslpassword"),
    ignored("sslsni"),
    ignored("tcp_user_timeout"),
];

/// Names of one parameter.
const ALIKE: &[&[&str]] = &[
    &["host", "hostaddr"],
    &["ssl-cert", "sslcert"],
    &["ssl-key", "sslkey"],
    &["ssl-mode", "sslmode"],
    &["ssl-ca", "ssl-root-cert", "sslrootcert"],
];

/// An address as the driver gets it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// With the parameters that the driver reads, and what the variables say where it does not.
    pub(super) url: String,
    /// Names of the parameters that were left out.
    pub(super) ignored: Vec<String>,
    /// Whether it says which authorities may have signed the server's certificate.
    pub(super) has_roots: bool,
}

/// Completes an address by the variables. It is refused if a parameter or variable has a value that it does not take or guards the
/// connection in a way that the host cannot, if a parameter is almost one that does something, and if its name must not be repeated.
pub(super) fn known(url: &str, env: Env<'_>) -> Result<Known, Error> {
    let parsed = parse(url)?;
    let is_verified = is_verified(&parsed, env);
    let (mut kept, mut ignored) = (Vec::new(), Vec::new());
    for (name, value) in parsed.query_pairs() {
        let parameter = PARAMETERS.iter().find(|parameter| parameter.name == &*name);
        match parameter.map(|parameter| &parameter.fate) {
            Some(Fate::Read(takes)) => {
                fits(takes, &format!("`{name}` of DATABASE_URL"), &value)?;
                let value = bare(&name, &value).to_owned();
                kept.push((name.into_owned(), value));
            }
            Some(Fate::Guards { harmless, help }) => {
                if !(is_verified && is_kept_by_verifying(&name)) {
                    guarded(harmless, help, &format!("DATABASE_URL has `{name}`"), &value)?;
                }
                ignored.push(name.into_owned());
            }
            Some(Fate::Ignored) => ignored.push(name.into_owned()),
            None if is_option(&name) => kept.push((name.into_owned(), value.into_owned())),
            None => match almost(&name) {
                Some(meant) => return Err(Error::Refused(unread(url, &name, Some(meant)))),
                None if may_be_told(url, &name) => ignored.push(name.into_owned()),
                // No program's parameter: rather the rest of a password that has a `?` or `&` in it.
                None => return Err(Error::Refused(unread(url, &name, None))),
            },
        }
    }
    let of_variables = of_variables(&parsed, &kept, &ignored, env)?;
    let is_changed = !(ignored.is_empty() && of_variables.is_empty()) || has_brackets(&parsed);
    if let Some(host) = parsed.host_str().filter(|host| bare("host", host) != *host)
        && !names(&kept, "host")
    {
        kept.push(("host".to_owned(), bare("host", host).to_owned()));
    }
    kept.extend(of_variables);
    let has_roots = names(&kept, "sslrootcert") || env(environment::PGSSLROOTCERT).is_some();
    let url = if is_changed { with_query(parsed, kept) } else { url.to_owned() };
    Ok(Known { url, ignored, has_roots })
}

/// The address, where all of it can be what it says. A password with reserved characters in it makes another address, parts of which
/// would be repeated as the server's.
fn parse(url: &str) -> Result<url::Url, Error> {
    let encode = "in a user, password or database name, write `/` as %2F, `?` as %3F, `#` as %23, `@` as %40, `:` as %3A and `%` as %25";
    let parsed = url::Url::parse(url)
        .map_err(|e| Error::Refused(format!("DATABASE_URL cannot be read ({e}): {encode}")))?;
    if parsed.fragment().is_some() {
        return Err(Error::Refused(format!("DATABASE_URL has a `#`, which ends an address: {encode}")));
    }
    if parsed.path().contains('@') {
        return Err(Error::Refused(format!("DATABASE_URL has an `@` behind the server's name: {encode}")));
    }
    Ok(parsed)
}

/// Whether the server has to prove that it is the one that is meant.
fn is_verified(url: &url::Url, env: Env<'_>) -> bool {
    let said = url.query_pairs().filter(|(name, _)| name == "sslmode" || name == "ssl-mode");
    let mode = said.map(|(_, value)| value.into_owned()).last().or_else(|| env(environment::PGSSLMODE));
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("verify-full"))
}

/// Whether a server that is verified gives all that this guard is there for: nobody can be in between.
fn is_kept_by_verifying(name: &str) -> bool {
    matches!(name, "channel_binding" | "gssencmode")
}

/// What the variables say that the address does not, as parameters.
fn of_variables(
    url: &url::Url,
    kept: &[(String, String)],
    ignored: &[String],
    env: Env<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for Parameter { name, variable, fate } in PARAMETERS {
        let Some(variable) = variable else { continue };
        let Some(value) = env(variable) else { continue };
        match fate {
            Fate::Read(takes) => {
                fits(takes, variable, &value)?;
                // A certificate or key itself, and not its file: the driver takes that from the variable alone.
                let is_file = !value.trim_start().starts_with("-----BEGIN");
                if !is_file && std::env::var_os(variable).is_none() {
                    return Err(Error::Refused(format!(
                        "{variable} in .env holds the text of a certificate or key, which only the environment can: write it to a \
                         file, and name that"
                    )));
                }
                if is_file && !is_given(url, kept, name) {
                    found.push(((*name).to_owned(), bare(name, &value).to_owned()));
                }
            }
            Fate::Guards { harmless, help }
                if !ignored.iter().any(|given| given == name)
                    && !(is_kept_by_verifying(name) && is_verified(url, env)) =>
            {
                guarded(harmless, help, &format!("{variable} is set"), &value)?;
            }
            Fate::Guards { .. } | Fate::Ignored => {}
        }
    }
    // The driver goes by the last of them, and libpq by this one.
    if found.iter().any(|(name, _)| name == "hostaddr") {
        found.retain(|(name, _)| name != "host");
    }
    Ok(found)
}

/// Whether the address itself says what a parameter would.
fn is_given(url: &url::Url, kept: &[(String, String)], name: &str) -> bool {
    let in_place = match name {
        "host" | "hostaddr" => url.host_str().is_some_and(|host| !host.is_empty()),
        "port" => url.port().is_some(),
        "user" => !url.username().is_empty(),
        "password" => url.password().is_some(),
        "dbname" => !url.path().trim_start_matches('/').is_empty(),
        _ => false,
    };
    in_place || names(kept, name)
}

/// Whether a parameter is there under one of its names.
fn names(kept: &[(String, String)], name: &str) -> bool {
    let alike = ALIKE.iter().find(|alike| alike.contains(&name));
    kept.iter().any(|(given, _)| given == name || alike.is_some_and(|alike| alike.contains(&given.as_str())))
}

fn fits(takes: &Takes, whose: &str, value: &str) -> Result<(), Error> {
    match takes.instead(value) {
        None => Ok(()),
        Some(instead) => {
            Err(Error::Refused(format!("{whose} is {}, which the host cannot use: {instead}", quoted(value))))
        }
    }
}

fn guarded(harmless: &[&str], help: &str, what: &str, value: &str) -> Result<(), Error> {
    if harmless.iter().any(|word| word.eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{what}, which the host cannot keep, and the connection would be less safe without it: {help}"
    )))
}

/// A server's name without the brackets in which an address has one of IPv6: it is connected to without them.
fn bare<'a>(name: &str, value: &'a str) -> &'a str {
    let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.filter(|_| name == "host").unwrap_or(value)
}

fn has_brackets(url: &url::Url) -> bool {
    url.host_str().is_some_and(|host| host.starts_with('['))
        || url.query_pairs().any(|(name, value)| bare(&name, &value) != &*value)
}

pub(super) fn is_option(name: &str) -> bool {
    name.starts_with("options[") && name.ends_with(']')
}

/// The address with these parameters, and no others.
pub(super) fn with_query(mut url: url::Url, kept: Vec<(String, String)>) -> String {
    if kept.is_empty() {
        url.set_query(None);
    } else {
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url.into()
}

/// The parameter that a name is one or two edits from, of those that the connection depends on; case is a slip too.
fn almost(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    // A name that is shorter than this is another one after two edits.
    let most = |known: &str| if known.len() < 6 { 1 } else { 2 };
    let known = PARAMETERS.iter().filter(|parameter| !matches!(parameter.fate, Fate::Ignored));
    let close = |known: &&str| {
        known.len().abs_diff(lower.len()) <= most(known) && edits(&lower, known) <= most(known)
    };
    known.map(|parameter| parameter.name).filter(close).min_by_key(|known| edits(&lower, known))
}

/// What stands for a name that is not repeated.
const HIDDEN: &str = "one whose name is not repeated here";

/// Whether what stands there as a name may be repeated. Only what is one to the letter is: what stands behind `?` may be the rest of a
/// password.
fn may_be_told(url: &str, name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_name = !name.is_empty() && name.chars().all(plain) && url.contains(&format!("{name}="));
    let query = url.split_once('?').map_or("", |(_, query)| query);
    is_name && !query.contains('@')
}

/// Why an address is refused that has a parameter which nobody reads; with the one that may be meant, as far as that can be told.
fn unread(url: &str, name: &str, meant: Option<&str>) -> String {
    let (which, meant) = match meant {
        Some(meant) if may_be_told(url, name) => (format!("`{name}`"), format!("`{meant}` may be meant; ")),
        _ => (HIDDEN.to_owned(), String::new()),
    };
    format!(
        "DATABASE_URL has a parameter that is not known, {which}: {meant}write the name that is meant (such as sslmode, sslrootcert, \
         host, user, password, options), or leave it out; a `?` or `&` in a password is written %3F or %26"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn refused(url: &str) -> String {
        known(url, &none).unwrap_err().to_string()
    }

    /// What is made of an address with these variables.
    fn with(url: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let env = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        known(url, &env).map(|known| known.url).map_err(|e| e.to_string())
    }

    #[test]
    fn a_parameter_that_is_almost_a_known_one_is_refused_without_its_value() {
        for (url, named) in [
            ("postgres://hub@db/hub?passwrod=s3cret", Some("`passwrod`: `password` may be meant")),
            ("postgres://hub@db/hub?sslmode=require&sslmod=s3cret", Some("`sslmod`: `sslmode` may be meant")),
            ("postgres://hub@db/hub?SSLMODE=s3cret", Some("`SSLMODE`: `sslmode` may be meant")),
            ("postgres://hub@db/hub?requirepear=s3cret", Some("`requirepear`: `requirepeer` may be meant")),
            ("postgres://hub@db/hub?passw%72od=s3cret", None),
            ("postgres://hub@db/hub?passwrod=s3cret@y", None),
            // No names: the rest of a password, rather.
            ("postgres://hub@db/hub?s3cret", None),
            ("postgres://hub@db/hub?s3%63ret=x", None),
            ("postgres://hub@db/hub?s3cret=x@y", None),
            ("postgres://hub@db/hub?password=x&s3cret!s3cret=y", None),
            ("postgres://hub@db/hub?=s3cret", None),
        ] {
            let said = refused(url);
            assert!(!said.contains("s3cret"), "{said}");
            assert!(said.contains(named.unwrap_or(HIDDEN)), "{said}");
        }
    }

    #[test]
    fn a_parameter_that_the_host_makes_nothing_of_is_left_out_and_named() {
        for (url, want, ignored) in [
            ("postgres://hub@db/hub", "postgres://hub@db/hub", &[][..]),
            (
                "postgres://hub@db/hub?sslmode=require&options[search_path]=a&user=x",
                "postgres://hub@db/hub?sslmode=require&options[search_path]=a&user=x",
                &[],
            ),
            (
                "postgres://hub:p%40@db/hub?sslmode=require&channel_binding=prefer&password=a%26b",
                "postgres://hub:p%40@db/hub?sslmode=require&password=a%26b",
                &["channel_binding"],
            ),
            ("postgres://hub@db/hub?connect_timeout=9", "postgres://hub@db/hub", &["connect_timeout"]),
            (
                "postgres://hub@db/hub?currentTool=s3cret&host=h",
                "postgres://hub@db/hub?host=h",
                &["currentTool"],
            ),
        ] {
            let ignored = ignored.iter().map(|name| (*name).to_owned()).collect();
            let want = Known { url: want.to_owned(), ignored, has_roots: false };
            assert_eq!(known(url, &none).unwrap(), want, "{url}");
        }
        for Parameter { name, fate, .. } in PARAMETERS {
            let values: &[&str] = match fate {
                Fate::Read(_) => continue,
                Fate::Ignored => &["x"],
                Fate::Guards { harmless, .. } => harmless,
            };
            for value in values {
                let known = known(&format!("postgres://hub@db/hub?{name}={value}"), &none).unwrap();
                assert_eq!((&*known.url, known.ignored), ("postgres://hub@db/hub", vec![(*name).to_owned()]));
            }
        }
    }

    #[test]
    fn what_guards_the_connection_is_not_left_out() {
        for Parameter { name, variable, fate } in PARAMETERS {
            let Fate::Guards { harmless, .. } = fate else { continue };
            let said = refused(&format!("postgres://hub@db/hub?{name}=s3cret"));
            assert!(said.contains(&format!("`{name}`")) && said.contains("less safe"), "{said}");
            assert!(!said.contains("s3cret") && !said.contains("not known"), "{said}");
            let Some(variable) = variable else { continue };
            let said = with("postgres://hub@db/hub", &[(variable, "s3cret")]).unwrap_err();
            assert!(
                said.contains(variable) && said.contains("less safe") && !said.contains("s3cret"),
                "{said}"
            );
            for value in *harmless {
                assert!(with("postgres://hub@db/hub", &[(variable, value)]).is_ok(), "{variable}={value}");
                // The address goes before the variable.
                let url = format!("postgres://hub@db/hub?{name}={value}");
                assert!(with(&url, &[(variable, "s3cret")]).is_ok(), "{url}");
            }
        }
        for (name, value) in [
            ("channel_binding", "require"),
            ("gssencmode", "require"),
            ("ssl_min_protocol_version", "TLSv1.3"),
            ("sslcertmode", "require"),
            ("sslnegotiation", "direct"),
            ("target_session_attrs", "standby"),
        ] {
            assert!(
                refused(&format!("postgres://hub@db/hub?{name}={value}")).contains("less safe"),
                "{name}"
            );
        }
    }

    /// The driver takes `prefer` for a word that it does not know, and 5432 for what is not a number.
    #[test]
    fn a_word_or_number_that_cannot_be_read_is_refused() {
        let url = "postgres://hub@db/hub";
        for (variable, parameter, value, want) in [
            (
                "PGSSLMODE",
                "sslmode",
                "verify_full",
                "`verify_full`, which the host cannot use: write one of `disable`",
            ),
            ("PGSSLMODE", "sslmode", " require", "` require`"),
            ("PGPORT", "port", "abc", "`abc`, which the host cannot use: write a number from 1 to 65535"),
            ("PGPORT", "port", "0", "`0`"),
            ("PGPORT", "port", "+5432", "`+5432`"),
            ("PGPORT", "port", "65536", "`65536`"),
            ("PGHOSTADDR", "hostaddr", "db.internal", "write an IP address"),
            ("PGSSLROOTCERT", "sslrootcert", "system", "leave it out"),
        ] {
            let said = with(url, &[(variable, value)]).unwrap_err();
            assert!(said.contains(&format!("{variable} is ")) && said.contains(want), "{said}");
            let mut parsed = url::Url::parse(url).unwrap();
            parsed.query_pairs_mut().append_pair(parameter, value);
            let said = refused(parsed.as_str());
            assert!(
                said.contains(&format!("`{parameter}` of DATABASE_URL is ")) && said.contains(want),
                "{said}"
            );
        }
        assert!(refused(&format!("{url}?statement-cache-capacity=many")).contains("a whole number"));
        let said = with(url, &[("PGSSLMODE", "require;PGPASSWORD=s3cret")]).unwrap_err();
        assert!(said.contains("PGSSLMODE is `…`") && !said.contains("s3cret"), "{said}");
        assert!(with(url, &[("PGSSLMODE", "Verify-Full")]).is_ok());
    }

    #[test]
    fn variables_complete_the_address_and_do_not_change_it() {
        let all = [
            ("PGDATABASE", "d"),
            ("PGHOST", "/run/pg"),
            ("PGPASSWORD", "a&b"),
            ("PGPORT", "6543"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
            ("PGUSER", "u"),
        ];
        assert_eq!(
            with("postgres://", &all).unwrap(),
            "postgres://?dbname=d&host=%2Frun%2Fpg&password=a%26b&port=6543&sslmode=verify-full&sslrootcert=%2Fca.pem&user=u"
        );
        let url = "postgres://hub:p@db:1/hub?ssl-mode=require&ssl-ca=/own.pem";
        assert_eq!(with(url, &all).as_deref(), Ok(url));
        let both = [("PGHOST", "db"), ("PGHOSTADDR", "::1")];
        assert_eq!(with("postgres:///hub", &both).as_deref(), Ok("postgres:///hub?hostaddr=%3A%3A1"));
        // The driver reads a certificate from the variable itself, which is not there.
        let inline = [("PGSSLROOTCERT", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----")];
        assert!(with("postgres://db/hub", &inline).unwrap_err().contains("write it to a file"));
        let roots = |name: &str| (name == "PGSSLROOTCERT").then(|| "/ca.pem".to_owned());
        assert!(known("postgres://db/hub", &roots).unwrap().has_roots);
        assert!(known("postgres://db/hub?ssl-ca=/x", &none).unwrap().has_roots);
    }

    #[test]
    fn what_keeps_strangers_out_is_not_asked_for_twice() {
        let full = "postgres://hub@db/hub?channel_binding=require&gssencmode=require&sslmode=verify-full";
        assert_eq!(known(full, &none).unwrap().url, "postgres://hub@db/hub?sslmode=verify-full");
        let variables = [("PGSSLMODE", "verify-full"), ("PGCHANNELBINDING", "require")];
        assert!(with("postgres://hub@db/hub", &variables).is_ok());
        assert!(
            with("postgres://hub@db/hub?sslmode=require", &variables)
                .unwrap_err()
                .contains("PGCHANNELBINDING")
        );
    }

    #[test]
    fn a_server_may_be_named_by_an_address_of_ipv6() {
        for (url, want) in [
            ("postgres://u:p@[::1]:5432/db", "::1"),
            ("postgres://u:p@db/db?host=[2001:db8::7]", "2001:db8::7"),
            ("postgres://u:p@[::1]/db?host=other", "other"),
        ] {
            let known = known(url, &none).unwrap();
            let options: sqlx::postgres::PgConnectOptions = known.url.parse().unwrap();
            assert_eq!(options.get_host(), want, "{url}");
        }
        assert!(with("postgres:///db", &[("PGHOST", "[::1]")]).unwrap().contains("host=%3A%3A1"));
    }

    #[test]
    fn a_password_with_reserved_characters_is_to_be_encoded_and_not_repeated() {
        for url in [
            "postgres://u:s3@cret/word#1@host/db",
            "postgres://u:s3cret#1@host/db",
            "postgres://u:s3cret/1@host/db",
            "postgres://u:1/s3cret@host/db",
            "postgres://u:s3cret?1@host/db",
            "postgres://u:1?s3cret@host/db",
        ] {
            let said = refused(url);
            assert!(said.contains("%3F") && !said.contains("cret"), "{url}: {said}");
        }
        assert!(known("postgres://u:p%2F%23@host/d%40b", &none).is_ok());
        assert!(known("postgres://u:p@ss@host/db", &none).is_ok());
    }
}
