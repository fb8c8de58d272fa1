//! Every limit of a host, once: the variable that sets it, its unit, its default, and what it holds back. The host reads its
//! values from here, `doctor` shows them, and `docs/limits.md` is made of them.
//!
//! The table is in this crate because the build writes the document and the host holds the limits.

use std::fmt;
use std::time::Duration;

use crate::environment::quoted;

/// What the number of a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of memory, of a body, of a file.
    Bytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Things: connections, runs, entries.
    Count,
    /// Things in a minute.
    PerMinute,
}

impl Unit {
    /// As it is told to people, behind a number.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Count => "",
            Unit::PerMinute => "a minute",
        }
    }
}

impl Unit {
    /// A value as people read it: the digits that are written into the variable, and the size of a large one.
    pub fn told(self, value: u64) -> String {
        let per_second = if self == Unit::BytesPerSecond { "/s" } else { "" };
        let bytes = matches!(self, Unit::Bytes | Unit::BytesPerSecond);
        let sizes = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match sizes.iter().find(|(size, _)| bytes && value >= *size && value.is_multiple_of(*size)) {
            Some((size, word)) => format!("{value} ({} {word}{per_second})", value / size),
            None => format!("{value} {}", self.word()).trim_end().to_owned(),
        }
    }
}

/// What is known of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The environment variable that sets it.
    pub variable: &'static str,
    /// What the number counts.
    pub unit: Unit,
    /// Where nothing is set.
    pub default: u64,
    /// The smallest value that makes sense.
    pub least: u64,
    /// The largest one.
    pub most: u64,
    /// What it holds back, and what happens at it.
    pub what: &'static str,
}

/// Declares the limits: `Name, "VARIABLE", Unit, default, least..=most, "what"`.
macro_rules! limits {
    ($($name:ident, $variable:literal, $unit:ident, $default:expr, $least:literal..=$most:expr, $what:literal;)+) => {
        /// A limit of the host.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit {
            $(#[doc = $what] $name,)+
        }

        impl Limit {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Limit] = &[$(Limit::$name,)+];

            /// What is known of it.
            pub const fn about(self) -> About {
                match self {
                    $(Limit::$name => About {
                        variable: $variable,
                        unit: Unit::$unit,
                        default: $default,
                        least: $least,
                        most: $most,
                        what: $what,
                    },)+
                }
            }
        }
    };
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY: u64 = 86_400;

limits! {
    DatabaseConnections, "HUB_DB_CONNECTIONS", Count, 16, 2..=1024, "connections to PostgreSQL of one host; who needs one more waits";
    DatabaseConnect, "HUB_DB_CONNECT_SECONDS", Seconds, 5, 1..=300, "time that a request waits for a connection to the database; then it is answered 503 with Retry-After";
    DatabaseStatement, "HUB_DB_STATEMENT_MS", Milliseconds, 30_000, 100..=3_600_000, "time of one statement on PostgreSQL outside of migrations; then it is stopped and answered 503";
    DatabaseLock, "HUB_DB_LOCK_MS", Milliseconds, 3_000, 10..=3_600_000, "time that a statement on PostgreSQL waits for a lock; then it is answered 503, and not tried at every call";
    MigrationSeconds, "HUB_MIGRATION_SECONDS", Seconds, 3_600, 1..=7 * DAY, "time of one statement of a migration on PostgreSQL, and that a host waits for another one's migrations";
    MigrationLock, "HUB_MIGRATION_LOCK_SECONDS", Seconds, 10, 1..=DAY, "time that a migration on PostgreSQL waits for a table that others work with; then it is undone and told";
    CensusSeconds, "HUB_MIGRATION_COUNT_SECONDS", Seconds, 30, 1..=3_600, "time for counting rows before and after a migration that may remove some, once, and for comparing values in all migrations of a run together; what is left then is estimated (PostgreSQL), refused or, of values, told";
    PreflightSeconds, "HUB_PREFLIGHT_SECONDS", Seconds, 3_000, 10..=3_500, "time of a whole preflight, and of the same look by `doctor`; then it ends with an error that says what was under way, and leaves no copy of the database";
    Connections, "HUB_CONNECTIONS", Count, 4096, 16..=1_000_000, "open connections; at that number the one that has waited longest for its client gives way, and where all are being answered on, new ones are refused (fewer where the process may not have as many files open)";
    ConnectionsPerAddress, "HUB_CONNECTIONS_PER_ADDRESS", Count, 1024, 1..=1_000_000, "connections of one address, or of one /64 of IPv6, and half of all at most; behind a trusted proxy, requests under way for one address";
    HeadSeconds, "HUB_HEAD_SECONDS", Seconds, 10, 1..=300, "time for the head of a request, from its first byte; then the connection is closed";
    IdleSeconds, "HUB_IDLE_SECONDS", Seconds, 75, 1..=3600, "time that a connection may be silent between requests; longer than a proxy keeps it, so that the proxy closes it first";
    HeadBytes, "HUB_HEAD_BYTES", Bytes, 32_768, 8192..=1_048_576, "head of a request; a larger one is answered with 431";
    BodySeconds, "HUB_BODY_SECONDS", Seconds, 10, 1..=300, "time for which the body of a request may be slower than HUB_BODY_RATE; then it is answered with 408";
    BodyRate, "HUB_BODY_RATE", BytesPerSecond, 1024, 1..=1_048_576, "rate at which the body of a request has to come";
    SendSeconds, "HUB_SEND_SECONDS", Seconds, 30, 1..=3600, "time for which a client may take an answer slower than HUB_SEND_RATE; then the connection is closed";
    SendRate, "HUB_SEND_RATE", BytesPerSecond, 1024, 1..=1_048_576, "rate at which an answer has to be taken";
    BodiesMemory, "HUB_BODIES_MEMORY", Bytes, 64 * MIB, 1_048_576..=64 * GIB, "bodies of requests that are being read, together, without the first 16 KiB of each; beyond that a body is answered with 503, and one that alone is larger with 413";
    AnswersMemory, "HUB_ANSWERS_MEMORY", Bytes, 32 * MIB, 1_048_576..=64 * GIB, "answers of the API of 64 KiB and more that are on their way, together, with the parts of logs and exports that streams have in hand; beyond that an answer is a 503, and a stream waits; one that alone is larger takes all of it";
    BodyBytes, "HUB_BODY_BYTES", Bytes, 2 * MIB, 1024..=1_073_741_824, "body of a request, where a route does not say otherwise; a larger one is answered with 413";
    SignInBytes, "HUB_SIGN_IN_BYTES", Bytes, 4096, 512..=MIB, "body of a request that anybody may send, such as a sign-in";
    SignInSeconds, "HUB_SIGN_IN_SECONDS", Seconds, 20, 1..=300, "time for the whole body of such a request";
    StreamsPerUser, "HUB_STREAMS_PER_USER", Count, 32, 1..=10_000, "event streams and WebSockets of one person, all pages and programs together; the next one is answered with 429";
    StreamsPerOrg, "HUB_STREAMS_PER_ORG", Count, 1024, 1..=1_000_000, "event streams and WebSockets of one organisation, and a quarter of the connections that there can be at most; those of all organisations together are half of the connections at most, and the next one is answered with 503";
    PageBytes, "HUB_PAGE_BYTES", Bytes, 2 * MIB, 65_536..=64 * MIB, "a page of a list; one that would be larger ends earlier";
    Dashboards, "HUB_DASHBOARDS", Count, 200, 1..=10_000, "dashboards of one organisation that people have made; seeds of plugins are not held back";
    FieldBytes, "HUB_FIELD_BYTES", Bytes, 65_536, 1024..=16 * MIB, "what a record, or a dashboard, holds besides its title, as JSON";
    RunsAtOnce, "HUB_RUNS_AT_ONCE", Count, 2, 1..=64, "dbt and script runs of one host under way at the same time; further ones wait in the queue. Where there are several organisations, none of them has the last of two or more places: it is kept for another";
    RunSeconds, "HUB_RUN_TIMEOUT", Seconds, 3600, 1..=7 * DAY, "time that a run may take; then it and all that it started are ended";
    RunsWaiting, "HUB_RUNS_WAITING", Count, 100, 1..=100_000, "runs of one organisation that wait in the queue; a further one is refused with 429";
    RunMemory, "HUB_RUN_MEMORY", Bytes, 4 * GIB, 67_108_864..=1024 * GIB, "memory that one process of a run may take; what it asks for beyond that it does not get. A quarter of it, and at most 1 GiB, is what the run's temporary files may have together, which are in memory where there are user namespaces";
    RunMemoryTotal, "HUB_RUN_MEMORY_TOTAL", Bytes, 8 * GIB, 67_108_864..=4096 * GIB, "memory that all processes of a run together may take, looked at twice a second, and no less than HUB_RUN_MEMORY; a run that takes more is ended. What several of them share counts for each, mapped files for none, and what the kernel holds for them (files in memory that have no name, buffers) is only held by MemoryMax= of the unit";
    RunFileBytes, "HUB_RUN_FILE_BYTES", Bytes, 64 * GIB, 1_048_576..=1024 * GIB, "size of a file that a run writes; a longer one ends the program that writes it";
    RunProcesses, "HUB_RUN_PROCESSES", Count, 512, 16..=65_536, "processes and threads of a run at once; where the system counts them by run (user namespaces) it gets no further ones, elsewhere a run with more is ended";
    RunLease, "HUB_RUN_LEASE", Seconds, 40, 10..=3600, "silence of a host after which its runs are ended by their supervisors; 20 s later others count them as lost";
    ConnectorTestsAtOnce, "HUB_CONNECTOR_TESTS_AT_ONCE", Count, 4, 1..=64, "tests of connections under way at the same time";
    ConnectorTestsWaiting, "HUB_CONNECTOR_TESTS_WAITING", Count, 16, 0..=1000, "tests of connections that wait for their turn; a further one is refused with 503";
    ConnectorTestsOfUser, "HUB_CONNECTOR_TESTS_OF_USER", PerMinute, 30, 1..=10_000, "tests of connections that one person may start; a further one is refused with 429";
    ConnectorTestsOfOrg, "HUB_CONNECTOR_TESTS_OF_ORG", PerMinute, 60, 1..=10_000, "tests of connections that one organisation may start; a further one is refused with 429";
    ConnectorMemory, "HUB_CONNECTOR_MEMORY", Bytes, 512 * MIB, 67_108_864..=64 * GIB, "memory that a test of a connection may take";
    RunLogBytes, "HUB_RUN_LOG_BYTES", Bytes, 8 * MIB, 65_536..=GIB, "log of a run that is kept: its head and its tail, with a line between them that tells what was left out";
    DbtManifestBytes, "HUB_DBT_MANIFEST_BYTES", Bytes, 64 * MIB, 65_536..=GIB, "size of dbt's manifest.json and run_results.json that are read after a run; of larger ones no lineage is shown";
    SignInsAtOnce, "HUB_SIGN_INS_AT_ONCE", Count, 2, 1..=64, "passwords that one host computes at the same time, 19 MiB each; devices that have signed in before have one more for themselves";
    SignInsWaiting, "HUB_SIGN_INS_WAITING", Count, 64, 1..=10_000, "sign-ins that wait for their turn; further ones are answered 503 with Retry-After";
    SignInTriesDevice, "HUB_SIGN_IN_TRIES_DEVICE", PerMinute, 10, 1..=1_000, "tries to sign in to one account from one address, or from one device that has signed in before; further ones are answered 429";
    SignInTriesAccount, "HUB_SIGN_IN_TRIES_ACCOUNT", PerMinute, 30, 1..=10_000, "tries to sign in to one account from all devices and addresses that it has not been signed in from before";
    SignInTriesAddress, "HUB_SIGN_IN_TRIES_ADDRESS", PerMinute, 60, 1..=100_000, "tries to sign in to any account from one IPv4 address or one IPv6 network of 64 bits";
    InvitationSeconds, "HUB_INVITATION_SECONDS", Seconds, 7 * DAY, 60..=90 * DAY, "time that the link of an invitation opens it";
    InvitationsPending, "HUB_INVITATIONS_PENDING", Count, 500, 1..=100_000, "invitations of one organisation that wait to be accepted";
    Invitations, "HUB_INVITATIONS_PER_MINUTE", PerMinute, 30, 1..=10_000, "invitations that one organisation makes or sends again";
    MailSeconds, "HUB_MAIL_TIMEOUT", Seconds, 10, 1..=120, "time that the mail server has to take an invitation";
    InstallSeconds, "HUB_INSTALL_SECONDS", Seconds, 3600, 1..=DAY, "time that each program may take which installs drivers or dbt (Python's venv, pip), in setup and in drivers install; then it and all that it started are ended, and nothing has changed";
    Reloads, "HUB_RELOADS_PER_MINUTE", PerMinute, 20, 1..=10_000, "looks for customer plugins that one organisation asks for";
}

/// The limits of a running host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits([u64; Limit::ALL.len()]);

/// A variable that holds no value that its limit could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The limit.
    pub limit: Limit,
    /// What the variable holds.
    pub text: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About { variable, least, most, .. } = self.limit.about();
        write!(f, "{variable} is {}, which is not a number from {least} to {most}", quoted(&self.text))
    }
}

impl Unfit {
    /// How to mend it.
    pub fn help(&self) -> String {
        let About { variable, default, .. } = self.limit.about();
        format!("set {variable} to such a number, or leave it unset for {default}")
    }
}

impl Default for Limits {
    fn default() -> Limits {
        let mut values = [0; Limit::ALL.len()];
        for limit in Limit::ALL {
            values[*limit as usize] = limit.about().default;
        }
        Limits(values)
    }
}

impl Limits {
    /// What the variables say, and the defaults for the rest. The error holds every variable that does not fit.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Limits, Vec<Unfit>> {
        let (mut limits, mut unfit) = (Limits::default(), Vec::new());
        for limit in Limit::ALL {
            let About { variable, least, most, .. } = limit.about();
            let Some(text) = env(variable) else { continue };
            // Digits alone: a number with a sign or a unit is not what anybody means by it.
            let digits = text.trim();
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            match digits.parse() {
                Ok(value) if plain && (least..=most).contains(&value) => limits.0[*limit as usize] = value,
                _ => unfit.push(Unfit { limit: *limit, text }),
            }
        }
        if unfit.is_empty() { Ok(limits) } else { Err(unfit) }
    }

    /// The value, in the limit's own unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// The value as a size or a number of things.
    pub fn size(&self, limit: Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or(usize::MAX)
    }

    /// The value of a limit of time.
    pub fn time(&self, limit: Limit) -> Duration {
        match limit.about().unit {
            Unit::Milliseconds => Duration::from_millis(self.get(limit)),
            _ => Duration::from_secs(self.get(limit)),
        }
    }

    /// The same limits with another value for one of them, for tests and trials.
    pub fn with(mut self, limit: Limit, value: u64) -> Limits {
        self.0[limit as usize] = value;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_makes_sense() {
        let variables: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.about().variable).collect();
        assert_eq!(variables.len(), Limit::ALL.len(), "a variable sets one limit");
        for (place, limit) in Limit::ALL.iter().enumerate() {
            let About { variable, default, least, most, what, .. } = limit.about();
            assert_eq!(*limit as usize, place);
            assert!(variable.starts_with("HUB_"), "{variable}");
            assert!((least..=most).contains(&default), "{variable}");
            assert!(!what.ends_with('.') && !what.contains('|'), "{variable}: {what}");
        }
    }

    #[test]
    fn values_are_told_with_their_units() {
        let told: Vec<String> = [
            (Unit::Bytes, 8 << 20),
            (Unit::Bytes, 1000),
            (Unit::BytesPerSecond, 1024),
            (Unit::Seconds, 60),
            (Unit::Count, 7),
            (Unit::PerMinute, 30),
        ]
        .map(|(unit, value)| unit.told(value))
        .into();
        assert_eq!(told, ["8388608 (8 MiB)", "1000 bytes", "1024 (1 KiB/s)", "60 s", "7", "30 a minute"]);
    }

    #[test]
    fn variables_set_values_and_all_that_do_not_fit_are_told() {
        let read = |pairs: &[(&str, &str)]| {
            Limits::read(&|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(read(&[]), Ok(Limits::default()));
        let limits = read(&[("HUB_RUNS_AT_ONCE", " 7 ")]).unwrap();
        assert_eq!(limits, Limits::default().with(Limit::RunsAtOnce, 7));
        assert_eq!(limits.time(Limit::RunSeconds), Duration::from_secs(3600));
        for wrong in ["+5", "-5", "1_0", "1e1", "5.0", "0", "0x5", " ", "5 6", "5s", "18446744073709551616"] {
            let unfit = read(&[("HUB_RUNS_AT_ONCE", wrong)]).unwrap_err();
            assert_eq!(unfit.len(), 1, "{wrong}");
        }
        let unfit = read(&[("HUB_RUNS_AT_ONCE", "65"), ("HUB_RUN_TIMEOUT", "1h")]).unwrap_err();
        let told: Vec<String> = unfit.iter().map(|unfit| format!("{unfit}; {}", unfit.help())).collect();
        assert_eq!(
            told,
            [
                "HUB_RUNS_AT_ONCE is `65`, which is not a number from 1 to 64; set HUB_RUNS_AT_ONCE to such a \
                 number, or leave it unset for 2",
                "HUB_RUN_TIMEOUT is `1h`, which is not a number from 1 to 604800; set HUB_RUN_TIMEOUT to such a \
                 number, or leave it unset for 3600",
            ]
        );
    }
}
