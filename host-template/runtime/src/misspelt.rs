//! Variables of `.env` that are most likely meant for others: a name that is almost one of the host's, and a line that holds two
//! assignments. Either sets something, so nobody would miss it; a `DATABASE_URL` lost so means another database. And such names of the
//! environment, as far as they can only be meant for the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hub_manifest::environment;
use hub_manifest::grammar::edits;
use hub_manifest::limits::Limit;
use hub_manifest::rules::settings::OF_PLATFORM;

/// The one that decides which database is the installation's.
const DATABASE_URL: &str = environment::DATABASE_URL;
/// What names begin with that are the host's. In an environment all others may be anybody's.
const OURS: &str = "HUB_";
/// A name that is shorter than this is another one after two edits.
const SHORT: usize = 9;

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
            Why::Near(known) => *known == DATABASE_URL,
            Why::Holds(other) => meant(other) == Some(DATABASE_URL),
        }
    }
}

/// The variables of a file that may have been meant otherwise, by name. What is set by its right name is in no doubt.
pub(crate) fn doubts(set: &BTreeMap<String, String>) -> Vec<Doubt> {
    let of = |(name, value): (&String, &String)| {
        let near = near(name).filter(|known| !set.contains_key(*known)).map(Why::Near);
        let holds =
            || held(value).find(|other| !set.contains_key(*other)).map(|other| Why::Holds(other.to_owned()));
        near.or_else(holds).map(|why| Doubt { name: name.clone(), why })
    };
    set.iter().filter_map(of).collect()
}

/// The names of this process's own environment that may have been meant otherwise, where `.env` sets this.
pub(crate) fn doubts_of_environment(own: &BTreeSet<String>, set: &BTreeMap<String, String>) -> Vec<Doubt> {
    let of = |name: &String| {
        let near = near(name).filter(|known| !own.contains(*known) && !set.contains_key(*known))?;
        Some(Doubt { name: name.clone(), why: Why::Near(near) })
    };
    own.iter().filter(|name| name.starts_with(OURS)).filter_map(of).collect()
}

/// The names that a value assigns to, of those that the host has, or almost has.
fn held(value: &str) -> impl Iterator<Item = &str> {
    let words = value.split_whitespace();
    words.filter_map(|word| word.split_once('=')).map(|(name, _)| name).filter(|name| meant(name).is_some())
}

/// The variable of the host that a name is, or almost is.
fn meant(name: &str) -> Option<&'static str> {
    known().find(|known| *known == name).or_else(|| near(name))
}

/// The variable of the host that a name is one or two edits from; none where it is one itself.
fn near(name: &str) -> Option<&'static str> {
    // Case is a slip too, and one that hides others.
    let upper = name.to_ascii_uppercase();
    let most = if name.len() < SHORT { 1 } else { 2 };
    let close = |known: &&str| known.len().abs_diff(upper.len()) <= most && edits(&upper, known) <= most;
    let found = known().filter(close).min_by_key(|known| edits(&upper, known));
    found.filter(|_| known().all(|known| known != name))
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

    /// What runs get, and what a host tells its successor: nobody sets it.
    const GIVEN: &[&str] = &[
        "HUB_HANDOVER",
        "HUB_HANDOVER_DATABASE",
        "HUB_HANDOVER_LOCK",
        "HUB_ORG",
        "HUB_OUTPUT_SCHEMA",
        "HUB_SCHEMA",
        "HUB_TENANT",
        "HUB_WAREHOUSE",
    ];
    /// What is read of the system's.
    const OF_SYSTEM: &[&str] = &["HOME", "PATH", "XDG_DATA_HOME"];
    /// By what a variable is read.
    const READS: &[&str] = &["env(", ".env)(", "env.get(", "is_set(", "var(", "var_os(", "variable("];

    /// The variables that the sources of a folder read, or have a constant for.
    fn read(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                read(&path, found);
            } else if name.ends_with(".rs") && !matches!(name, "tests.rs" | "testing.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.extend(read_in(text).into_iter().chain(constants_in(text)));
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

    /// The variables that a source names by their constants.
    fn constants_in(text: &str) -> Vec<String> {
        let other = |c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_';
        let named = text.split("environment::").skip(1).filter_map(|rest| rest.split(other).next());
        named.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn the_list_is_that_of_what_the_host_reads() {
        let mut found = BTreeSet::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed =
            |name: &str| known().chain(GIVEN.iter().chain(OF_SYSTEM).copied()).any(|one| one == name);
        let missing: Vec<&String> = found.iter().filter(|name| !listed(name)).collect();
        assert!(missing.is_empty(), "add to HOST of hub_manifest::environment: {missing:?}");
        // The driver of the database reads most of those that begin with `PG`.
        let own = OF_PLATFORM.iter().filter(|name| !name.starts_with("PG"));
        let unread: Vec<&&str> = own.chain(GIVEN).filter(|name| !found.contains(**name)).collect();
        assert!(unread.is_empty(), "no longer read: {unread:?}");
        // What the search sees.
        let text = "env(\"A_B\") is_set(\"C\") (options.env)(\"D\") command.env(\"E\", x) env!(\"F\") const G: &str = \"HUB_G\"";
        assert_eq!(read_in(text), ["A_B", "C", "D", "HUB_G"]);
        assert_eq!(
            constants_in("use x::environment; env(environment::HUB_H), environment::I"),
            ["HUB_H", "I"]
        );
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
            ("LISTN", "LISTEN"),
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
    fn o3_a_name_of_the_environment_that_can_only_be_the_hosts_is_told() {
        let told = |own: &[&str], file: &str| {
            let own = own.iter().map(|&name| name.to_owned()).collect();
            let set = crate::env_file::parse(file.as_bytes()).set;
            doubts_of_environment(&own, &set).iter().map(ToString::to_string).collect::<Vec<String>>()
        };
        let want = "`HUB_BASEPATH` is no variable of the host, which knows `HUB_BASE_PATH`: is that meant?";
        assert_eq!(told(&["HUB_BASEPATH", "PATH"], "A=1\n"), [want]);
        // What is set by its right name, wherever, is in no doubt.
        assert_eq!(told(&["HUB_BASEPATH", "HUB_BASE_PATH"], "").len(), 0);
        assert_eq!(told(&["HUB_BASEPATH"], "HUB_BASE_PATH=/hub\n").len(), 0);
        // Others have variables too, and so has whoever starts the host: a hand-over, or a service called `hub` of a cluster.
        let cluster = ["HUB_PORT", "HUB_PORT_8001_TCP", "HUB_SERVICE_HOST", "HUB_SERVICE_PORT"];
        for name in
            ["DATABSE_URL", "LISTN", "hub_basepath"].into_iter().chain(cluster).chain(GIVEN.iter().copied())
        {
            assert_eq!(told(&[name], "").len(), 0, "{name}");
        }
    }

    #[test]
    fn o3_two_assignments_on_a_line_are_told() {
        let two = |name: &str, other: &str| {
            format!("the value of `{name}` holds `{other}=`: each assignment has a line of its own")
        };
        assert_eq!(told("A=1 DATABASE_URL=postgres://h/d\n"), [(two("A", "DATABASE_URL"), true)]);
        assert_eq!(told("LISTEN=[::]:80\tDATABSE_URL=x\n"), [(two("LISTEN", "DATABSE_URL"), true)]);
        assert_eq!(told("A=1 HUB_DEMO=1\n"), [(two("A", "HUB_DEMO"), false)]);
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
