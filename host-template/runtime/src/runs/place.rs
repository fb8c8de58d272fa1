//! Where a target of a profile puts its data: on this host or on a server, and in a place of the organisation's own or not.
//! A target is looked at twice, with the variables of two organisations: what comes out the same is shared by both.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use hub_manifest::environment;
use hub_manifest::node::{Entry, Node, Value};

use super::jinja::{Rendered, render, variables};
use super::profile::{Apart, Asked};
use super::values::{get, merged, scalar};

/// Fields that name a server or a file: another one there is another database altogether.
const CONNECTION: &[&str] = &[
    "account",
    "cluster",
    "endpoint",
    "host",
    "hostname",
    "http_path",
    "path",
    "schema_directory",
    "schemas_and_paths",
    "server",
    "uri",
    "url",
];
/// Fields that name a part of a server's data.
const PART: &[&str] = &["catalog", "database", "dataset", "dbname", "keyspace", "project", "schema"];
/// Variables that differ between organisations.
const OF_ORG: &[&str] = &[environment::HUB_ORG, environment::HUB_SCHEMA, environment::HUB_WAREHOUSE];

pub(super) struct Place {
    /// Whether the data lies on this host.
    pub(super) local: bool,
    /// What keeps organisations apart; the error says that nothing does, and what to write.
    pub(super) apart: Result<Apart, String>,
}

impl Place {
    pub(super) fn of(adapter: &str, fields: &[&Entry], asked: &Asked<'_>) -> Place {
        let of = |name: &str| get(fields, name).map_or(Differs::No, |node| differs(node, asked));
        let file = File::of(adapter, fields, asked);
        let local = match file {
            Some(file) => file != File::Elsewhere && file != File::Memory,
            None => ["host", "hostname", "server"].iter().any(|name| {
                let node = get(fields, name);
                node.is_some_and(|node| loopback(&text(node, asked.variable).unwrap_or_default()))
            }),
        };
        let apart = if matches!(file, Some(File::OfWork | File::Memory))
            || CONNECTION.iter().any(|name| of(name) == Differs::Yes)
        {
            Ok(Apart::Connection)
        } else if PART.iter().any(|name| of(name) != Differs::No) {
            // What only dbt can tell is seen in what it makes of the project, before anything is built.
            Ok(Apart::Schema)
        } else {
            let unknown = CONNECTION.iter().find(|name| of(name) == Differs::Unknown);
            Err(shared(adapter, fields, unknown.copied()))
        };
        let apart = apart.and_then(|apart| match attached(fields, asked) {
            Some(path) => Err(format!(
                "attaches `{path}`, which is one place for all organisations: write `read_only: true` beside it, or a path \
                 with `{{{{ env_var('HUB_SCHEMA') }}}}`"
            )),
            None => Ok(apart),
        });
        Place { local, apart }
    }
}

/// Where a database that is a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    /// In the work folder of the organisation's workspace.
    OfWork,
    /// At a path of the profile's own.
    OfPath,
    /// Nowhere: it ends with the run.
    Memory,
    /// At a service.
    Elsewhere,
}

impl File {
    fn of(adapter: &str, fields: &[&Entry], asked: &Asked<'_>) -> Option<File> {
        match adapter {
            "duckdb" => {
                let Some(node) = get(fields, "path") else { return Some(File::Memory) };
                let Some(path) = text(node, asked.variable) else { return Some(File::OfPath) };
                Some(match path.trim() {
                    "" | ":memory:" => File::Memory,
                    path if path.starts_with("md:") || path.starts_with("motherduck:") => File::Elsewhere,
                    path if Path::new(path).is_absolute()
                        || path.contains("..")
                        || path.starts_with('~')
                        || path.contains(':') =>
                    {
                        File::OfPath
                    }
                    // dbt runs in the work folder.
                    _ => File::OfWork,
                })
            }
            "sqlite" => Some(File::OfPath),
            _ => None,
        }
    }
}

/// A database beside the target's own that the run may write to and that all organisations share.
fn attached(fields: &[&Entry], asked: &Asked<'_>) -> Option<String> {
    let Value::List(items) = &get(fields, "attach")?.value else { return None };
    items.iter().find_map(|item| {
        let Value::Map(entries) = &item.value else { return None };
        let entries = merged(entries);
        let path = get(&entries, "path")?;
        let read_only = get(&entries, "read_only").is_some_and(|node| node.value == Value::Bool(true));
        let relative = text(path, asked.variable)
            .is_some_and(|path| !path.starts_with(['/', '~']) && !path.contains("..") && !path.contains(':'));
        (!read_only && !relative && differs(path, asked) != Differs::Yes).then(|| scalar(path))
    })
}

/// The sentence that shows what to write; `unknown` is a field of which only dbt can tell what it comes to.
fn shared(adapter: &str, fields: &[&Entry], unknown: Option<&str>) -> String {
    let (field, value) = match adapter {
        "duckdb" | "sqlite" if !get(fields, "path").map(scalar).unwrap_or_default().starts_with("md:") => {
            ("path", "{{ env_var('HUB_WAREHOUSE') }}".to_owned())
        }
        _ => {
            let field = ["schema", "dataset"].into_iter().find(|name| get(fields, name).is_some());
            let field = field.unwrap_or(if adapter == "bigquery" { "dataset" } else { "schema" });
            let now = get(fields, field).map(scalar).filter(|text| !text.is_empty() && !text.contains('{'));
            let before = now.map(|text| format!("{text}_")).unwrap_or_default();
            (field, format!("{before}{{{{ env_var('HUB_SCHEMA') }}}}"))
        }
    };
    match unknown {
        Some(unknown) => format!(
            "may be one place for several organisations, for what its `{unknown}` makes of a variable only dbt can tell: write \
             the variable as it is, as in `{field}: \"{value}\"`"
        ),
        None => format!("is one place for all organisations: write `{field}: \"{value}\"` there"),
    }
}

/// Whether another organisation's run would see another value; in order of what a list of values takes from its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Differs {
    No,
    /// It asks for a variable that differs, and only dbt can tell what becomes of that: the beginnings of two may be the same.
    Unknown,
    Yes,
}

fn differs(node: &Node, asked: &Asked<'_>) -> Differs {
    match &node.value {
        Value::String(text) => match (render(text, asked.variable), render(text, asked.elsewhere)) {
            (Rendered::Unknown, _) | (_, Rendered::Unknown) => {
                let asks = variables(text).iter().any(|name| OF_ORG.contains(&name.as_str()));
                if asks { Differs::Unknown } else { Differs::No }
            }
            (one, other) if one == other => Differs::No,
            _ => Differs::Yes,
        },
        Value::List(items) => items.iter().map(|item| differs(item, asked)).max().unwrap_or(Differs::No),
        Value::Map(entries) => {
            entries.iter().map(|entry| differs(&entry.value, asked)).max().unwrap_or(Differs::No)
        }
        _ => Differs::No,
    }
}

fn text(node: &Node, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match render(&scalar(node), variable) {
        Rendered::Text(text) => Some(text),
        Rendered::Missing(_) | Rendered::Unknown => None,
    }
}

/// Whether a server's name means this machine, or a socket on it.
fn loopback(host: &str) -> bool {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host.starts_with('/') || name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let bare = host.split_once('%').map_or(host, |(host, _)| host);
    let address = bare.parse::<IpAddr>().ok().or_else(|| written_otherwise(&name).map(IpAddr::V4));
    // Whoever connects to no machine in particular comes to this one.
    address
        .map(|address| address.to_canonical())
        .is_some_and(|address| address.is_loopback() || address.is_unspecified())
}

/// An address of IPv4 as the system's own functions read it too: of one to four numbers, the last of which fills what is left, in
/// base 10, 16 or 8.
fn written_otherwise(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(|part| {
        let (digits, base) = match part.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (part, 8),
            None => (part, 10),
        };
        // A number with a sign is none.
        let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, base).ok().filter(|_| sound)
    });
    let numbers: Vec<u32> = numbers.collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    let room = 32_u32.checked_sub(8 * u32::try_from(first.len()).ok()?).filter(|room| *room > 0)?;
    if first.iter().any(|number| *number > 255) || u64::from(*last) >= 1_u64 << room {
        return None;
    }
    let places = first.iter().zip([24_u32, 16, 8]);
    let first = places.fold(0_u32, |address, (number, shift)| address | (number << shift));
    Some(Ipv4Addr::from_bits(first | last))
}

#[cfg(test)]
mod tests {
    use super::*;

    // D8
    #[test]
    fn d8_this_machine_is_known_by_all_its_names() {
        for here in [
            "localhost",
            "LOCALHOST",
            "Localhost.",
            "db.localhost",
            "db.localhost.",
            "127.0.0.1",
            "127.8.9.10",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "0",
            "::1",
            "[::1]",
            "::",
            "[::]",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "::1%lo",
            " localhost ",
            "/run/postgresql",
        ] {
            assert!(loopback(here), "{here}");
        }
        for elsewhere in [
            "",
            ".",
            "db",
            "localhost.example",
            "notlocalhost",
            "127.0.0.1.example",
            "128.1",
            "10.0.0.1",
            "127.0.0.0.1",
            "127.256.1",
            "4294967296",
            "+127.1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
        ] {
            assert!(!loopback(elsewhere), "{elsewhere}");
        }
    }
}
