//! Variables of `.env` that are most likely meant for others: a name that is almost one of the host's, and a line that holds two
//! assignments. Either sets something, so nobody would miss it; a `DATABASE_URL` lost so means another database. And such names of the
//! environment, as far as they can only be meant for the host: those that differ by case alone, and all that begin with `HUB_`.

use std::collections::BTreeMap;
use std::fmt;

use hub_manifest::environment::{self, BUILD, HANDOVER, RUN};
use hub_manifest::grammar::edits;
use hub_manifest::limits::Limit;
use hub_manifest::rules::settings::OF_PLATFORM;

/// The one that decides which database is the installation's.
const DATABASE_URL: &str = environment::DATABASE_URL;
/// What names begin with that are the host's. In an environment all others may be anybody's.
const OURS: &str = "HUB_";
/// A name that is shorter than this is another one after two edits.
const SHORT: usize = 9;

/// What others call a variable that has another name here.
const CALLED: &[(&str, &str)] = &[
    ("HUB_ADDRESS", environment::LISTEN),
    ("HUB_DATABASE", DATABASE_URL),
    ("HUB_DB", DATABASE_URL),
    ("HUB_DB_URL", DATABASE_URL),
    ("HUB_HOST", environment::LISTEN),
    ("HUB_LOG", environment::RUST_LOG),
    ("HUB_LOG_LEVEL", environment::RUST_LOG),
    ("HUB_PORT", environment::LISTEN),
];
/// What the tests of a build read.
const OF_TESTS: &[&str] = &[
    "HUB_BOOT",
    "HUB_BROWSER",
    "HUB_COMPILER",
    "HUB_CONTAINERS",
    "HUB_CYCLONEDX",
    "HUB_DBT",
    "HUB_EXAMPLES",
    "HUB_HELM",
    "HUB_LONG",
    "HUB_LONG_UNTIL",
    "HUB_MARIADB",
    "HUB_MINISIGN",
    "HUB_NAMESPACES",
    "HUB_NPM",
    "HUB_PGBOUNCER",
    "HUB_PIGZ",
    "HUB_POSTGRES",
    "HUB_PROXIES",
    "HUB_PYTHON",
    "HUB_ROOT",
    "HUB_SCHEMATHESIS",
    "HUB_SEED",
    "HUB_SKIPPED",
    "HUB_SMTP",
    "HUB_STRACE",
    "HUB_SYSTEMD",
    "HUB_WRK",
    "HUB_XTASK",
];
/// What such names begin with.
const BEGIN_OF_TESTS: &[&str] = &["HUB_BENCH_", "HUB_FUZZ_", "HUB_REQUIRE_"];

/// A variable that somebody may have meant otherwise. Its value is not repeated: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    name: String,
    why: Why,
}

/// Why it is doubted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Its name is almost this variable's of the host.
    Near(&'static str),
    /// It has the prefix, or lacks it, or is what others call this variable of the host.
    Other(&'static str),
    /// Its name begins as the host's do, and is none of them.
    Unknown,
    /// Its value holds an assignment to this name.
    Holds(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.why {
            Why::Near(known) => {
                write!(f, "`{name}` is no variable of the host, which knows `{known}`: is that meant?")
            }
            Why::Other(known) => {
                write!(f, "`{name}` is not a variable of the host: `{known}` is the name")
            }
            Why::Unknown => write!(f, "`{name}` is not a variable of the host, and nothing reads it"),
            Why::Holds(other) => {
                write!(f, "the value of `{name}` holds `{other}=`: each assignment has a line of its own")
            }
        }
    }
}

impl Doubt {
    /// Whether the database may have been meant.
    pub(crate) fn is_of_database(&self) -> bool {
        match &self.why {
            Why::Near(known) | Why::Other(known) => *known == DATABASE_URL,
            Why::Unknown => false,
            Why::Holds(other) => meant(other) == Some(DATABASE_URL),
        }
    }
}

/// The variables of a file that may have been meant otherwise, by name. What is set by its right name is in no doubt.
pub(crate) fn doubts(set: &BTreeMap<String, String>) -> Vec<Doubt> {
    let is_set = |known: &str| set.contains_key(known);
    let of = |(name, value): (&String, &String)| {
        let holds = || held(value).find(|&other| !is_set(other)).map(|other| Why::Holds(other.to_owned()));
        let why = match meant_by(name, value) {
            Some(why) => Some(why).filter(|why| !is_settled(why, is_set)).or_else(holds),
            None => holds().or_else(|| unknown(name, value)),
        };
        why.map(|why| Doubt { name: name.clone(), why })
    };
    set.iter().filter_map(of).collect()
}

/// The variables of this process's own environment that may have been meant otherwise, where `.env` sets this. Those of the file are
/// told with it.
pub(crate) fn doubts_of_environment(
    own: &BTreeMap<String, String>,
    set: &BTreeMap<String, String>,
) -> Vec<Doubt> {
    let is_set = |known: &str| own.contains_key(known) || set.contains_key(known);
    let of = |(name, value): (&String, &String)| {
        let twin = || known().any(|known| known.eq_ignore_ascii_case(name));
        if set.contains_key(name) || !(name.starts_with(OURS) || twin()) {
            return None;
        }
        let why = match meant_by(name, value) {
            Some(why) => Some(why).filter(|why| !is_settled(why, is_set)),
            None => unknown(name, value),
        };
        why.map(|why| Doubt { name: name.clone(), why })
    };
    own.iter().filter_map(of).collect()
}

/// Whether what was meant is set by its own name.
fn is_settled(why: &Why, is_set: impl Fn(&str) -> bool) -> bool {
    match why {
        Why::Near(known) | Why::Other(known) => is_set(known),
        Why::Unknown | Why::Holds(_) => false,
    }
}

/// Which variable of the host is meant by a name that is none, as far as that can be told.
fn meant_by(name: &str, value: &str) -> Option<Why> {
    if is_others(name, value) {
        return None;
    }
    other(name).map(Why::Other).or_else(|| near(name).map(Why::Near))
}

/// Whether a name is one of the host's by how it begins, and no more than that.
fn unknown(name: &str, value: &str) -> Option<Why> {
    let unknown = name.starts_with(OURS) && !is_known(name) && !is_others(name, value);
    unknown.then_some(Why::Unknown)
}

/// What runs get, and what a host tells its successor: nobody sets it.
fn given() -> impl Iterator<Item = &'static str> {
    RUN.iter().chain(HANDOVER).map(|about| about.name)
}

/// Whether a variable that begins as the host's do is others'.
fn is_others(name: &str, value: &str) -> bool {
    given().chain(BUILD.iter().map(|about| about.name)).any(|one| one == name)
        || OF_TESTS.contains(&name)
        || BEGIN_OF_TESTS.iter().any(|begin| name.starts_with(begin))
        || is_of_cluster(name, value)
}

/// Whether a cluster has set it for a service whose name begins with `hub`, as Kubernetes does for each.
fn is_of_cluster(name: &str, value: &str) -> bool {
    let service = name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let part = |end: &&str| name.ends_with(*end);
    let port =
        name.contains("_PORT_") && ["_TCP", "_UDP", "_SCTP", "_ADDR", "_PORT", "_PROTO"].iter().any(part);
    let place = || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.starts_with(OURS) && (service || port || name.ends_with("_PORT") && place())
}

/// The names that a value assigns to, of those that the host has, or almost has.
fn held(value: &str) -> impl Iterator<Item = &str> {
    // People separate them as they do in other files.
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ';' | ','));
    words.filter_map(|word| word.split_once('=')).map(|(name, _)| name).filter(|name| meant(name).is_some())
}

/// The variable of the host that a name is, or almost is.
fn meant(name: &str) -> Option<&'static str> {
    known().find(|known| *known == name).or_else(|| other(name)).or_else(|| near(name))
}

/// The variable of the host that a name is but for the prefix, or that others call so.
fn other(name: &str) -> Option<&'static str> {
    if is_known(name) {
        return None;
    }
    let called = CALLED.iter().find(|(called, _)| *called == name).map(|(_, known)| *known);
    let bare = |known: &str| name.strip_prefix(OURS) == Some(known) || known.strip_prefix(OURS) == Some(name);
    called.or_else(|| known().find(|&known| bare(known)))
}

fn is_known(name: &str) -> bool {
    known().any(|known| known == name)
}

/// The variable of the host that a name is one or two edits from; none where it is one itself.
fn near(name: &str) -> Option<&'static str> {
    // Case is a slip too, and one that hides others.
    let upper = name.to_ascii_uppercase();
    let most = if name.len() < SHORT { 1 } else { 2 };
    let close = |known: &&str| known.len().abs_diff(upper.len()) <= most && edits(&upper, known) <= most;
    let found = known().filter(close).min_by_key(|known| edits(&upper, known));
    found.filter(|_| !is_known(name))
}

fn known() -> impl Iterator<Item = &'static str> {
    OF_PLATFORM.iter().copied().chain(Limit::ALL.iter().map(|limit| limit.about().variable))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What is read of the system's.
    const OF_SYSTEM: &[&str] = &["HOME", "PATH", "XDG_DATA_HOME"];
    /// By what a variable is read.
    const READS: &[&str] = &["env(", ".env)(", "env.get(", "is_set(", "var(", "var_os(", "variable("];

    /// By what it is given to another program, or kept from one.
    const GIVES: &[&str] = &[".env(", ".env_remove("];
    /// What lists names to pass them on, or to write them down.
    const PASSING: &[&str] = &["privilege.rs", "setup.rs"];
    /// What is written down for people, and nothing depends on.
    const FOR_PEOPLE: &[&str] = &[environment::HUB_CUSTOMER];

    /// The variables of sources.
    #[derive(Default)]
    struct Found {
        /// All that are read, or that a constant or a text names.
        named: BTreeSet<String>,
        /// But for those that are given to others and nothing more.
        read: BTreeSet<String>,
    }

    /// The variables that the sources of a folder read, or have a constant for.
    fn read(folder: &Path, found: &mut Found) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                read(&path, found);
            } else if name.ends_with(".rs") && !matches!(name, "tests.rs" | "testing.rs" | "misspelt.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let constants = constants_in(text);
                let asked = constants.iter().filter(|(_, asked)| *asked && !PASSING.contains(&name));
                found.read.extend(asked.map(|(name, _)| name.clone()));
                found.read.extend(read_in(text));
                found.named.extend(read_in(text));
                found.named.extend(constants.into_iter().map(|(name, _)| name));
            }
        }
    }

    fn read_in(text: &str) -> Vec<String> {
        let pieces: Vec<&str> = text.split('"').collect();
        let is_read = |around: &&[&str]| {
            let name = around[1];
            let is_name = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let before = around[0].trim_end();
            let is_asked =
                || READS.iter().any(|by| before.ends_with(by)) && around[2].trim_start().starts_with(')');
            is_name && (name.strip_prefix("HUB_").is_some_and(|rest| !rest.is_empty()) || is_asked())
        };
        pieces.windows(3).filter(is_read).map(|around| around[1].to_owned()).collect()
    }

    /// The variables that a source names by their constants, and whether it does more with each than to give it to another program.
    fn constants_in(text: &str) -> Vec<(String, bool)> {
        let other = |c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_';
        let pieces: Vec<&str> = text.split("environment::").collect();
        let named = pieces.windows(2).filter_map(|around| {
            let name =
                around[1].split(other).next().filter(|name| !name.is_empty() && !name.ends_with('_'))?;
            let before = around[0].trim_end_matches("hub_manifest::").trim_end();
            Some((name.to_owned(), !GIVES.iter().any(|by| before.ends_with(by))))
        });
        named.collect()
    }

    #[test]
    fn the_list_is_that_of_what_the_host_reads() {
        let mut found = Found::default();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed =
            |name: &str| known().chain(given()).chain(OF_SYSTEM.iter().copied()).any(|one| one == name);
        let missing: Vec<&String> = found.named.iter().filter(|name| !listed(name)).collect();
        assert!(missing.is_empty(), "add to HOST of hub_manifest::environment: {missing:?}");
        // The driver of the database reads most of those that begin with `PG`.
        let own =
            OF_PLATFORM.iter().copied().filter(|name| !name.starts_with("PG") && !FOR_PEOPLE.contains(name));
        let unread: Vec<&str> = own.filter(|name| !found.read.contains(*name)).collect();
        assert!(unread.is_empty(), "no longer read: {unread:?}");
        let ungiven: Vec<&str> = given().filter(|name| !found.named.contains(*name)).collect();
        assert!(ungiven.is_empty(), "no longer given: {ungiven:?}");
        // What the search sees.
        let text = "env(\"A_B\") is_set(\"C\") (options.env)(\"D\") command.env(\"E\", x) env!(\"F\") const G: &str = \"HUB_G\"";
        assert_eq!(read_in(text), ["A_B", "C", "D", "HUB_G"]);
        assert_eq!(
            constants_in(
                "use x::environment; env(environment::HUB_H), environment::I; command.env(environment::J, x)\n  \
                 .env_remove(hub_manifest::environment::K); (options.env)(environment::L); here.env.get(environment::M)"
            ),
            [("HUB_H", true), ("I", true), ("J", false), ("K", false), ("L", true), ("M", true)]
                .map(|(name, asked)| (name.to_owned(), asked))
        );
    }

    #[test]
    fn o3_what_the_build_and_its_tests_read_is_not_told() {
        let mut found = Found::default();
        for folder in ["xtask/src", "tests/src", "codegen/src"] {
            read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder), &mut found);
        }
        let ours = found.named.iter().filter(|name| name.len() > OURS.len() && name.starts_with(OURS));
        let told: Vec<&String> = ours.filter(|name| unknown(name, "1").is_some()).collect();
        assert!(told.is_empty(), "add to OF_TESTS: {told:?}");
        assert!(found.named.contains("HUB_SIGN_PASSWORD"), "the search sees nothing");
        // Tests are told of each line of this table, and the hosts that they start are so too.
        let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/machine");
        let machine = fs::read_to_string(machine).unwrap();
        let lines = machine.lines().filter(|line| !line.starts_with('#'));
        for name in lines.filter_map(|line| line.split_whitespace().next()) {
            let name = format!("{OURS}{}", name.to_uppercase());
            assert!(unknown(&name, "1").is_none(), "add to OF_TESTS: {name}");
        }
    }

    /// Which variables of a file are doubted, and which of them may be the database's.
    fn told(text: &str) -> Vec<(String, bool)> {
        let found = doubts(&crate::env_file::parse(text.as_bytes()).set);
        found.iter().map(|doubt| (doubt.to_string(), doubt.is_of_database())).collect()
    }

    #[test]
    fn o3_a_name_that_is_almost_one_of_the_hosts_is_told() {
        for name in
            ["DATABSE_URL", "DATABASE_URI", "DATABASEURL", "DATABASE_URLS", "DATBASE_ULR", "database_url"]
        {
            let told = told(&format!("{name}=postgres://hub:s3cret@h/d\n"));
            let want =
                format!("`{name}` is no variable of the host, which knows `DATABASE_URL`: is that meant?");
            assert_eq!(told, [(want, true)], "{name}");
        }
        let told =
            |name: &str| told(&format!("{name}=1\n")).pop().map(|(text, of_database)| (text, of_database));
        for (name, meant) in [
            ("LISTN", environment::LISTEN),
            ("HUB_RUNS_AT_ONC", "HUB_RUNS_AT_ONCE"),
            ("hub_demo", "HUB_DEMO"),
            ("HUB_PUBLIC_ULR", "HUB_PUBLIC_URL"),
        ] {
            let (text, of_database) = told(name).unwrap();
            assert!(text.contains(&format!("`{meant}`")) && !of_database, "{name}: {text}");
        }
        let others = [
            "CRM_KEY",
            "HTTPS_PROXY",
            "DBT_ENV_SECRET_X",
            "LISTENS_TO",
            "PGSSLMODE",
            "CRM_DATABASE_URL",
            "X",
        ];
        for name in known().chain(others) {
            assert_eq!(told(name), None, "{name}");
        }
        assert_eq!(told(&"X".repeat(200_000)), None);
    }

    #[test]
    fn o3_a_name_that_only_begins_as_the_hosts_is_told() {
        let told = |name: &str| told(&format!("{name}=1\n")).pop();
        for (name, meant) in [
            ("HUB_DATABASE_URL", "DATABASE_URL"),
            ("HUB_DB_URL", "DATABASE_URL"),
            ("HUB_LISTEN", environment::LISTEN),
            ("HUB_PORT", environment::LISTEN),
            ("HUB_DATA_DIR", "DATA_DIR"),
            ("HUB_LOG_FORMAT", "LOG_FORMAT"),
            ("PUBLIC_URL", "HUB_PUBLIC_URL"),
            ("RUNS_AT_ONCE", "HUB_RUNS_AT_ONCE"),
        ] {
            let want = format!("`{name}` is not a variable of the host: `{meant}` is the name");
            assert_eq!(told(name), Some((want, meant == DATABASE_URL)));
        }
        for name in ["HUB_ADMIN", "HUB_SMTP_PASSWORD", "HUB_NO_SUCH_THING"] {
            let want = format!("`{name}` is not a variable of the host, and nothing reads it");
            assert_eq!(told(name), Some((want, false)));
        }
        for name in
            given().chain(OF_TESTS.iter().copied()).chain(["HUB_REVISION", "HUB_REQUIRE_ALL", "HUBSPOT_KEY"])
        {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn o3_a_name_of_the_environment_that_can_only_be_the_hosts_is_told() {
        // The values are a cluster's.
        let told = |own: &[&str], file: &str| {
            let own = own.iter().map(|&name| (name.to_owned(), "tcp://10.0.0.1:8001".to_owned())).collect();
            let set = crate::env_file::parse(file.as_bytes()).set;
            doubts_of_environment(&own, &set).iter().map(ToString::to_string).collect::<Vec<String>>()
        };
        let want = "`HUB_BASEPATH` is no variable of the host, which knows `HUB_BASE_PATH`: is that meant?";
        assert_eq!(told(&["HUB_BASEPATH", "PATH"], "A=1\n"), [want]);
        // What is set by its right name, wherever, is in no doubt; what the file sets is told with it.
        assert_eq!(told(&["HUB_BASEPATH", "HUB_BASE_PATH"], "").len(), 0);
        assert_eq!(told(&["HUB_BASEPATH"], "HUB_BASE_PATH=/hub\n").len(), 0);
        assert_eq!(told(&["HUB_BASEPATH"], "HUB_BASEPATH=/hub\n").len(), 0);
        for name in
            ["HUB_DATABASE_URL", "HUB_LISTEN", "HUB_ADMIN", "DATABASE_URl", "database_url", "Hub_Demo"]
        {
            let told = told(&[name], "");
            assert!(told.len() == 1 && told[0].starts_with(&format!("`{name}` is ")), "{name}: {told:?}");
        }
        // Others have variables too, and so has whoever starts the host: a hand-over, or a service called `hub` of a cluster.
        let cluster = [
            "HUB_PORT",
            "HUB_PORT_8001_TCP",
            "HUB_PORT_8001_TCP_ADDR",
            "HUB_SERVICE_HOST",
            "HUB_SERVICE_PORT",
            "HUB_SERVICE_PORT_HTTP",
            "HUB_PLATFORM_PORT",
            "HUB_PLATFORM_SERVICE_HOST",
        ];
        let others = ["DATABSE_URL", "LISTN", "hub_basepath", "PUBLIC_URL", "DEMO"];
        for name in others.into_iter().chain(cluster).chain(given()) {
            assert_eq!(told(&[name], "").len(), 0, "{name}");
        }
        let own = BTreeMap::from([("HUB_PORT".to_owned(), "8001".to_owned())]);
        assert_eq!(doubts_of_environment(&own, &BTreeMap::new()).len(), 1);
    }

    #[test]
    fn o3_two_assignments_on_a_line_are_told() {
        let two = |name: &str, other: &str| {
            format!("the value of `{name}` holds `{other}=`: each assignment has a line of its own")
        };
        assert_eq!(told("A=1 DATABASE_URL=postgres://h/d\n"), [(two("A", "DATABASE_URL"), true)]);
        assert_eq!(told("LISTEN=[::]:80\tDATABSE_URL=x\n"), [(two("LISTEN", "DATABSE_URL"), true)]);
        assert_eq!(told("A=1 HUB_DEMO=1\n"), [(two("A", "HUB_DEMO"), false)]);
        for separator in [";", ",", "; ", " ,"] {
            let text = format!("LOG_FORMAT=json{separator}DATABASE_URL=postgres://u:p@h/d\n");
            assert_eq!(told(&text), [(two("LOG_FORMAT", "DATABASE_URL"), true)], "{text}");
        }
        // A quotation mark that is closed lines later takes those lines with it.
        assert_eq!(told("A=\"1\nDATABASE_URL=x\nB=\"2\n"), [(two("A", "DATABASE_URL"), true)]);
        // What is another program's is its own business, and what is set by its name is in no doubt.
        for text in [
            "OPTIONS=-c x=1 -c y=2\n",
            "A=b DATABASE_URL\n",
            "A=1 DATABASE_URL=x\nDATABASE_URL=y\n",
            "DATABASE_URI=x\nDATABASE_URL=y\n",
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }
}
