//! Connectors: the kinds of places that data comes from, what each is told, and whether this host can talk to it.

mod builtin;
mod driver;
mod parameters;
pub(crate) mod probe;
mod servers;
mod test;

use std::collections::BTreeMap;

use crate::drivers::{Alias, Import};

pub(crate) use parameters::Parameters;
pub(crate) use test::{Place, Tested, Tests, test};

/// A kind of place.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) display_name: &'static str,
    /// Whether the host talks to it by itself.
    pub(crate) built_in: bool,
    /// Alias of the driver in `drivers.yaml`.
    pub(crate) driver: Option<&'static str>,
    pub(crate) fields: &'static [Field],
}

/// Something that a connector is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    pub(crate) required: bool,
}

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// One line of text.
    Text,
    /// Name or address of a machine.
    Host,
    /// A port, with the usual one.
    Port(u16),
    /// Text that is never shown again.
    Secret,
    /// Yes or no.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A path below the data folder.
    Path,
}

const fn needed(name: &'static str, value: Value) -> Field {
    Field { name, value, required: true }
}

const fn optional(name: &'static str, value: Value) -> Field {
    Field { name, value, required: false }
}

const HOST: Field = needed("host", Value::Host);
const USER: Field = needed("user", Value::Text);
const PASSWORD: Field = optional("password", Value::Secret);
const DATABASE: Field = optional("database", Value::Text);
/// `prefer` takes what the server offers, `require` insists on encryption, `verify` on a certificate too.
const TLS: Field = optional("tls", Value::Word(&["disable", "prefer", "require", "verify"]));

const MYSQL: &[Field] = &[
    HOST,
    optional("port", Value::Port(3306)),
    DATABASE,
    USER,
    PASSWORD,
    TLS,
    // Scripts and dbt connect through the driver: this tests the way that they will take.
    optional("through", Value::Word(&["built-in", "driver"])),
];

/// All kinds, in the order in which they are shown.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "postgresql",
        display_name: "PostgreSQL",
        built_in: true,
        driver: None,
        fields: &[
            HOST,
            optional("port", Value::Port(5432)),
            needed("database", Value::Text),
            USER,
            PASSWORD,
            TLS,
        ],
    },
    Kind { name: "mysql", display_name: "MySQL", built_in: true, driver: Some("mysql"), fields: MYSQL },
    Kind { name: "mariadb", display_name: "MariaDB", built_in: true, driver: Some("mysql"), fields: MYSQL },
    Kind {
        name: "oracle",
        display_name: "Oracle",
        built_in: false,
        driver: Some("oracle"),
        // The database is the name of its service.
        fields: &[HOST, optional("port", Value::Port(1521)), needed("database", Value::Text), USER, PASSWORD],
    },
    Kind {
        name: "mssql",
        display_name: "Microsoft SQL Server",
        built_in: false,
        driver: Some("mssql"),
        fields: &[HOST, optional("port", Value::Port(1433)), DATABASE, USER, PASSWORD],
    },
    Kind {
        name: "snowflake",
        display_name: "Snowflake",
        built_in: false,
        driver: Some("snowflake"),
        fields: &[
            needed("account", Value::Host),
            USER,
            PASSWORD,
            DATABASE,
            optional("schema", Value::Text),
            optional("warehouse", Value::Text),
            optional("role", Value::Text),
        ],
    },
    Kind {
        name: "bigquery",
        display_name: "Google BigQuery",
        built_in: false,
        driver: Some("bigquery"),
        fields: &[needed("project", Value::Text), needed("credentials", Value::Secret)],
    },
    Kind {
        name: "mongodb",
        display_name: "MongoDB",
        built_in: false,
        driver: Some("mongodb"),
        fields: &[
            HOST,
            optional("port", Value::Port(27017)),
            DATABASE,
            optional("user", Value::Text),
            PASSWORD,
            optional("auth_database", Value::Text),
            // The host's name stands for a whole cluster, as with Atlas.
            optional("srv", Value::Flag),
            optional("tls", Value::Flag),
        ],
    },
    Kind {
        name: "chroma",
        display_name: "Chroma",
        built_in: false,
        driver: Some("chroma"),
        // Either a folder or a server.
        fields: &[
            optional("folder", Value::Path),
            optional("host", Value::Host),
            optional("port", Value::Port(8000)),
            optional("tls", Value::Flag),
            optional("token", Value::Secret),
        ],
    },
    Kind {
        name: "faiss",
        display_name: "FAISS",
        built_in: false,
        driver: Some("faiss"),
        fields: &[needed("file", Value::Path)],
    },
    Kind {
        name: "ga4",
        display_name: "Google Analytics 4",
        built_in: false,
        driver: Some("ga4"),
        fields: &[needed("property", Value::Text), needed("credentials", Value::Secret)],
    },
    Kind {
        name: "oss",
        display_name: "Alibaba Cloud OSS",
        built_in: false,
        driver: Some("oss"),
        fields: &[needed("endpoint", Value::Host), needed("bucket", Value::Text), USER, PASSWORD],
    },
];

/// Whether a connector can be used, and what there is to say and to do where it cannot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Available {
    pub(crate) package: Option<String>,
    pub(crate) reason: Option<String>,
    /// The command that mends it.
    pub(crate) install: Option<String>,
}

impl Kind {
    /// The kind of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Whether its driver opens all connections with Python's own module, which is held to the operator's lists on every system.
    /// FreeTDS, below SQL Server's, is a library in C, and goes where a server sends it.
    pub(crate) fn through_python(&self) -> bool {
        self.name != "mssql"
    }

    /// The pip package of its driver.
    pub(crate) fn package<'a>(&self, aliases: &'a [Alias]) -> Option<&'a str> {
        let driver = self.driver?;
        aliases.iter().find(|alias| alias.name == driver).map(|alias| alias.package.as_str())
    }

    /// The state of its driver. What is built in has no need of one.
    pub(crate) fn driver_state(&self, aliases: &[Alias], found: &BTreeMap<String, Import>) -> Available {
        let package = self.package(aliases);
        let (reason, mends) = match (self.driver, package) {
            (None, _) => (None, false),
            (Some(driver), None) => {
                (Some(format!("drivers.yaml of the release names no driver `{driver}`")), false)
            }
            (Some(_), Some(package)) => match found.get(&crate::drivers::plain(package)) {
                Some(Import::Works) => (None, false),
                Some(Import::Fails(why)) => (Some(why.clone()), true),
                Some(Import::Missing) | None => (Some("driver not installed".to_owned()), true),
            },
        };
        let install = self.driver.filter(|_| mends);
        Available {
            package: package.map(str::to_owned),
            reason,
            install: install.map(|driver| format!("hub-platform drivers install {driver}")),
        }
    }
}
