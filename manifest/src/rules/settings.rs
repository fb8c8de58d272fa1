//! Environment variables of settings: whose each one is.

use std::collections::BTreeMap;

use super::{Owner, Subject};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::environment;
use crate::grammar::ident_of;
use crate::plan::HostPlugin;

/// Variables that the host itself reads, besides its limits.
pub const OF_PLATFORM: &[&str] = environment::HOST_NAMES;

/// Variables by which a machine or a supervisor sets any program, and the host among them.
const OF_SYSTEM: &[&str] = &[
    "BASH_ENV",
    "CREDENTIALS_DIRECTORY",
    "ENV",
    "HOME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LANGUAGE",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LOGNAME",
    "MAINPID",
    "NOTIFY_SOCKET",
    "PATH",
    "PWD",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];
/// What those of the loader, the C library and the locale begin with.
const BEGIN_OF_SYSTEM: &[&str] = &["GLIBC_", "LC_", "LD_", "MALLOC_"];

/// What the variables of tools and vendors begin with that keep addresses and secrets there. A plugin that somebody reviewed
/// may read one on purpose; one that nobody did gets none just because it calls itself so.
const BEGIN_OF_TOOLS: &[&str] = &[
    "ANTHROPIC_",
    "AWS_",
    "AZURE_",
    "BASH_",
    "BIGQUERY_",
    "CARGO_",
    "CHROMADB_",
    "CHROMA_",
    "CLICKHOUSE_",
    "CLOUDSDK_",
    "CONDA_",
    "CUDA_",
    "CURL_",
    "DATABRICKS_",
    "DATADOG_",
    "DBT_",
    "DD_",
    "DOCKER_",
    "DUCKDB_",
    "ELASTICSEARCH_",
    "ELASTIC_",
    "FAISS_",
    "GA4_",
    "GCLOUD_",
    "GCP_",
    "GH_",
    "GITHUB_",
    "GITLAB_",
    "GIT_",
    "GOOGLE_",
    "HADOOP_",
    "HELM_",
    "HF_",
    "HUGGINGFACE_",
    "HUGGING_FACE_",
    "JAVA_",
    "KAFKA_",
    "KEYCLOAK_",
    "KRB5_",
    "KUBERNETES_",
    "KUBE_",
    "LDAP_",
    "MAILGUN_",
    "MARIADB_",
    "MINIO_",
    "MONGODB_",
    "MONGO_",
    "MSSQL_",
    "MYSQL_",
    "NPM_",
    "NVIDIA_",
    "ODBC_",
    "OPENAI_",
    "OPENSSL_",
    "ORACLEDB_",
    "ORACLE_",
    "OSS_",
    "OTEL_",
    "OTLP_",
    "PERL_",
    "PIP_",
    "POSTGRESQL_",
    "POSTGRES_",
    "PYTHON_",
    "RABBITMQ_",
    "REDIS_",
    "REDSHIFT_",
    "REQUESTS_",
    "RUST_",
    "S3_",
    "SENDGRID_",
    "SENTRY_",
    "SLACK_",
    "SMTP_",
    "SNOWFLAKE_",
    "SPARK_",
    "SQLSERVER_",
    "SSH_",
    "SSL_",
    "STRIPE_",
    "TERRAFORM_",
    "TF_",
    "TNS_",
    "TORCH_",
    "TRINO_",
    "TWILIO_",
    "UV_",
    "VAULT_",
    "XDG_",
    "YARN_",
];

/// The same of names that begin as many a plugin's may.
const OF_TOOLS: &[&str] = &[
    "ALL_PROXY",
    "ARM_ACCESS_KEY",
    "ARM_CLIENT_ID",
    "ARM_CLIENT_SECRET",
    "ARM_SAS_TOKEN",
    "ARM_SUBSCRIPTION_ID",
    "ARM_TENANT_ID",
    "DB_HOST",
    "DB_NAME",
    "DB_PASSWORD",
    "DB_URL",
    "DB_USER",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_AUTH_TOKEN",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NO_PROXY",
];

/// Whether a variable is the host's own, or the system's: no plugin's setting, and nothing that a run gets. All that begin with
/// `HUB_` are, those of later releases too.
pub fn is_platform_variable(name: &str) -> bool {
    name.starts_with("HUB_") || OF_PLATFORM.contains(&name) || is_of_system(name)
}

fn is_of_system(name: &str) -> bool {
    OF_SYSTEM.contains(&name) || BEGIN_OF_SYSTEM.iter().any(|begin| name.starts_with(begin))
}

/// What is a tool's of a variable's name: all of it, or what it begins with.
fn of_tool(name: &str) -> Option<String> {
    let whole = OF_TOOLS.iter().find(|whole| name == **whole).map(|whole| format!("`{whole}` is"));
    whole.or_else(|| {
        let begin = BEGIN_OF_TOOLS.iter().find(|begin| name.starts_with(**begin))?;
        Some(format!("those that begin with `{begin}` are"))
    })
}

/// What the names of a plugin's own variables begin with, for a customer's plugin.
pub fn prefix_of(slug: &str) -> String {
    format!("{}_", ident_of(slug).trim_matches('_').to_ascii_uppercase())
}

/// Which variable sets what.
#[derive(Debug, Clone, Default)]
pub struct Variables<'a> {
    taken: BTreeMap<&'a str, (Owner<'a>, &'a str)>,
    /// What the variables of each plugin begin with, where that decides.
    prefixes: Option<BTreeMap<String, &'a str>>,
}

/// A setting whose variable is somebody else's.
#[derive(Debug, Clone)]
pub struct Foreign<'a> {
    /// The setting.
    pub key: &'a str,
    /// What there is to say of it.
    pub found: Diagnostic,
}

impl<'a> Variables<'a> {
    /// The rule for plugins that nobody has reviewed together: a variable belongs to the plugin whose slug it begins with,
    /// to the longest such slug where there are several, and to `mine` before `_mine`. `slugs` are those of all plugins, those of
    /// the release first.
    pub fn by_name(slugs: impl IntoIterator<Item = &'a str>) -> Variables<'a> {
        let mut prefixes = BTreeMap::new();
        for slug in slugs {
            let whose = prefixes.entry(prefix_of(slug)).or_insert(slug);
            // `mine` bears the name to the letter, `_mine` does not.
            if whose.starts_with('_') && !slug.starts_with('_') {
                *whose = slug;
            }
        }
        Variables { prefixes: Some(prefixes), ..Variables::default() }
    }

    pub(super) fn know(&mut self, about: &'a HostPlugin) {
        for (key, field) in &about.config {
            if let Some(env) = &field.env {
                self.taken.entry(env).or_insert_with(|| (Owner::of_release(about), key));
            }
        }
    }

    /// Takes in the next plugin; its settings whose variable is the platform's or sets another one.
    pub fn take(&mut self, subject: &Subject<'a>) -> Vec<Foreign<'a>> {
        let mut out = Vec::new();
        for (key, field) in &subject.manifest.config {
            let Some(env) = &field.env else { continue };
            let name = env.value.as_str();
            match self.not_to_be_had(subject, name) {
                None => {
                    self.taken.insert(name, (subject.owner(&env.range), &key.value));
                }
                Some(found) => {
                    let help = match self.free(subject, &key.value) {
                        Some(free) => format!("give the setting a variable of its own, such as `{free}`"),
                        None if self.prefixes.is_some() && of_tool(&prefix_of(subject.slug)).is_some() => {
                            "give the plugin another name, or the setting no variable".to_owned()
                        }
                        None => {
                            "give the setting another name, and a variable of its own after that".to_owned()
                        }
                    };
                    out.push(Foreign { key: &key.value, found: subject.found(&env.range, found.help(help)) });
                }
            }
        }
        out
    }

    /// Why a plugin cannot have a variable.
    fn not_to_be_had(&self, subject: &Subject<'a>, name: &str) -> Option<Diagnostic> {
        if is_platform_variable(name) {
            let whose = if is_of_system(name) { "the system's" } else { "the platform's own" };
            let message = format!("the environment variable `{name}` is {whose}");
            return Some(Diagnostic::warning(codes::SHARED_VARIABLE, message));
        }
        if let (Some(_), Some(which)) = (&self.prefixes, of_tool(name)) {
            let message = format!(
                "the environment variable `{name}` may be another program's: {which} for no customer's plugin"
            );
            return Some(Diagnostic::warning(codes::SHARED_VARIABLE, message));
        }
        if let Some((owner, other)) = self.taken.get(name) {
            let message =
                format!("the environment variable `{name}` sets `{other}` of plugin `{}` too", owner.slug);
            return Some(owner.beside(Diagnostic::warning(codes::SHARED_VARIABLE, message), "read here too"));
        }
        let prefixes = self.prefixes.as_ref()?;
        let begin = prefixes.iter().filter(|(prefix, _)| name.starts_with(prefix.as_str()));
        let message = match begin.max_by_key(|(prefix, _)| prefix.len()) {
            Some((_, whose)) if *whose == subject.slug => return None,
            Some((_, other)) => {
                format!("the environment variable `{name}` is plugin `{other}`'s, by its name")
            }
            None => {
                let own = prefix_of(subject.slug);
                match of_tool(&own) {
                    // Those are not to be had either: the plugin's name is what is wrong.
                    Some(which) => format!(
                        "the environment variable `{name}` is not the plugin's own, of which a plugin named `{}` has none: {which} \
                         for no customer's plugin",
                        subject.slug
                    ),
                    None => {
                        format!(
                            "the environment variable `{name}` is not the plugin's own, which begin with `{own}`"
                        )
                    }
                }
            }
        };
        Some(Diagnostic::warning(codes::SHARED_VARIABLE, message))
    }

    /// A variable that the plugin can have; none where the beginning of all that it would be called is somebody else's.
    fn free(&self, subject: &Subject<'a>, key: &str) -> Option<String> {
        const TRIES: u32 = 20;
        let first = format!("{}{}", prefix_of(subject.slug), key.to_ascii_uppercase());
        let more = (2..TRIES).map(|number| format!("{first}_{number}"));
        let mut names = std::iter::once(first.clone()).chain(more);
        names.find(|name| self.not_to_be_had(subject, name).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::Read;

    #[test]
    fn the_hosts_own_variables_are_no_plugins() {
        for own in ["HUB_ADMIN_PASSWORD", "HUB_", "DATABASE_URL", "DATA_DIR", "LISTEN", "PGPASSWORD"] {
            assert!(is_platform_variable(own), "{own}");
        }
        for of_system in ["PATH", "LD_PRELOAD", "NOTIFY_SOCKET", "LC_ALL", "LISTEN_FDS"] {
            assert!(is_platform_variable(of_system), "{of_system}");
        }
        for other in ["HUBSPOT_KEY", "CRM_DATABASE_URL", "LISTEN_ON", "PATHS_KEY", "LDAP_KEY", ""] {
            assert!(!is_platform_variable(other), "{other}");
        }
    }

    /// S: a name does not make another program's secrets a plugin's.
    #[test]
    fn a_customers_plugin_named_like_a_tool_gets_none_of_its_variables() {
        for (slug, variable) in [("pip", "PIP_INDEX_URL"), ("aws", "AWS_KEY"), ("git", "GIT_ASKPASS")] {
            let told = told(true, &[(slug, variable)]);
            assert!(told.len() == 1 && told[0].contains("give the plugin another name"), "{slug}: {told:?}");
        }
        for (slug, variable) in [("ld", "LD_PRELOAD"), ("notify", "NOTIFY_SOCKET")] {
            for by_name in [true, false] {
                let told = told(by_name, &[(slug, variable)]);
                assert!(told.len() == 1 && told[0].contains("is the system's"), "{slug}: {told:?}");
            }
        }
        assert!(told(true, &[("no", "NO_PROXY")])[0].contains("such as `NO_KEY`"));
        for (slug, variable) in
            [("no-shows", "NO_SHOWS_KEY"), ("node-status", "NODE_STATUS_KEY"), ("db", "DB_KEY")]
        {
            assert!(told(true, &[(slug, variable)]).is_empty(), "{slug}");
        }
        // Who reviews a build may let a plugin read what the machine has.
        assert!(told(false, &[("lake", "AWS_REGION")]).is_empty());
        assert!(told(true, &[("awsome", "AWSOME_KEY"), ("pipes", "PIPES_KEY")]).is_empty());
    }

    /// What a driver's package is called here is what its product calls its variables.
    #[test]
    fn the_names_of_drivers_are_tools() {
        for line in include_str!("../../../host-template/drivers.yaml").lines() {
            let Some((alias, _)) = line.split_once(": ").filter(|_| !line.starts_with('#')) else { continue };
            assert!(of_tool(&prefix_of(alias)).is_some(), "{alias}");
        }
        assert!(BEGIN_OF_TOOLS.is_sorted() && OF_TOOLS.is_sorted());
    }

    /// What plugins with these slugs and settings are told of their variables.
    fn told(by_name: bool, plugins: &[(&str, &str)]) -> Vec<String> {
        let read: Vec<Read> = plugins
            .iter()
            .map(|(slug, variable)| {
                Read::new(slug, &format!("config: {{key: {{type: string, env: {variable}}}}}\n"))
            })
            .collect();
        let slugs = plugins.iter().map(|(slug, _)| *slug);
        let mut variables = if by_name { Variables::by_name(slugs) } else { Variables::default() };
        let found = read.iter().flat_map(|read| variables.take(&read.subject()));
        found.map(|foreign| format!("{} ({})", foreign.found.message, foreign.found.help)).collect()
    }

    #[test]
    fn a_variable_is_the_plugins_whose_name_it_bears() {
        assert!(told(true, &[("a", "A_KEY"), ("a-b", "A_B_KEY"), ("c", "C_")]).is_empty());
        assert_eq!(
            told(true, &[("a", "A_B_KEY"), ("a-b", "A_B_KEY"), ("c", "KEY")]),
            [
                "the environment variable `A_B_KEY` is plugin `a-b`'s, by its name (give the setting a variable of its own, \
                 such as `A_KEY`)",
                "the environment variable `KEY` is not the plugin's own, which begin with `C_` (give the setting a variable \
                 of its own, such as `C_KEY`)"
            ]
        );
        assert_eq!(told(true, &[("a", "HUB_KEY")]).len(), 1);
    }

    /// What is told is the rule that is broken: a plugin called like a tool has no variables of its own to be sent to.
    #[test]
    fn a_plugin_called_like_a_tool_is_not_sent_to_that_tools_variables() {
        for (slug, variable, begin) in [("aws", "MY_KEY", "AWS_"), ("pip", "INDEX", "PIP_")] {
            let told = told(true, &[(slug, variable)]).pop().unwrap();
            assert!(
                told.contains(&format!("those that begin with `{begin}` are for no customer's plugin")),
                "{told}"
            );
            assert!(
                !told.contains("which begin with") && told.contains("give the plugin another name"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_proposed_is_free() {
        // Neither the variable itself nor one that is another's by its name.
        let told_of = |by_name, plugins: &[(&str, &str)]| told(by_name, plugins).pop().unwrap();
        assert!(told_of(false, &[("b", "A_KEY"), ("a", "A_KEY")]).contains("such as `A_KEY_2`"));
        assert!(told_of(true, &[("a", "KEY"), ("a-key", "A_KEY_X")]).contains("such as `A_KEY`"));
        assert!(
            told_of(false, &[("b", "A_KEY_2"), ("c", "A_KEY"), ("a", "A_KEY")]).contains("such as `A_KEY_3`")
        );
        // Where there is none, nothing is proposed, and nothing goes on for ever.
        let none = "give the setting another name";
        for by_name in [false, true] {
            assert!(told_of(by_name, &[("hub", "HUB_KEY")]).contains(none));
            assert!(told_of(by_name, &[("hub-x", "HUB_X_KEY")]).contains(none));
        }
        assert!(told_of(true, &[("a-key", "A_KEY_X"), ("a", "OTHER")]).contains("such as `A_KEY`"));
        assert!(
            told_of(true, &[("a-key", "A_KEY"), ("a-key-x", "A_KEY_X"), ("a", "A_KEY_X")])
                .contains("such as")
        );
    }

    #[test]
    fn of_two_plugins_that_begin_alike_the_first_has_the_variable() {
        for plugins in [[("crm", "CRM_A"), ("_crm", "CRM_B")], [("_crm", "CRM_B"), ("crm", "CRM_A")]] {
            let told = told(true, &plugins);
            assert_eq!(told.len(), 1);
            assert!(
                told[0].starts_with("the environment variable `CRM_B` is plugin `crm`'s, by its name"),
                "{told:?}"
            );
        }
    }
}
