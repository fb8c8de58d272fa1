//! The command line, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds and checks the platform.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the platform with all its plugins into one tarball
    BuildPlatform(BuildArgs),
    /// Download everything that a build without a network needs
    Fetch,
    /// Check every plugin, without compiling or bundling anything
    Check(CheckCommand),
    /// Create a plugin that runs: router, page, override and dbt project
    NewPlugin(NewPluginArgs),
    /// Build, serve, and do both again on every change
    Dev(DevArgs),
    /// Explain why an override wins, who answers a route, what a plugin contributes, what a code means
    Explain(ExplainArgs),
    /// Verify a tarball: its list, its signature, every file; optionally build it again and compare
    Verify(VerifyArgs),
    /// Create a key pair to sign releases with
    Keygen(KeygenArgs),
    /// List the differences between two releases
    Diff(DiffArgs),
    /// Update the committed example of a generated host
    Golden(GoldenArgs),
    /// Update the generated documents and schemas
    Docs(DocsArgs),
    /// Run all tests and checks of the project, including their setup
    Test(TestArgs),
    /// Check the licences, sources and known vulnerabilities of all crates, with cargo-deny
    Audit(AuditArgs),
    /// Fuzz the parsers, with libFuzzer if a nightly toolchain is installed
    Fuzz(FuzzArgs),
    /// Run the benchmarks and print ratios
    Bench(BenchArgs),
}

/// Which plugins, and how to speak of them.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// Folder of plugins; may repeat, earlier folders win [default: plugins]
    #[arg(long, value_name = "DIR")]
    pub plugins: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    pub deny_warnings: bool,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    pub message_format: MessageFormat,
}

/// What `check` looks at.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckCommand {
    #[command(flatten)]
    pub check: CheckArgs,
    /// Check the dbt projects too, with dbt's own parser
    #[arg(long)]
    pub dbt: bool,
    /// Check the frontends with TypeScript, and every claim against the props of its surface
    #[arg(long)]
    pub types: bool,
    /// Run the migrations on PostgreSQL too, on a temporary server; HUB_CHECK_POSTGRES=1 does the same
    #[arg(long)]
    pub postgres: bool,
    /// Keep running, and check again after every change
    #[arg(long, conflicts_with_all = ["dbt", "postgres", "types"])]
    pub watch: bool,
}

#[derive(Debug, Clone, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub check: CheckArgs,
    /// Version of the release [default: the workspace's]
    #[arg(long, value_name = "V")]
    pub version: Option<String>,
    /// Folder of the tarball [default: dist]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How the host is compiled and the web shell bundled
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// Fail if a lock file would have to change
    #[arg(long)]
    pub locked: bool,
    /// Lock to compare the build with and to update [default: hub.lock; none with --plugins]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Also build a container image of the release, as an OCI layout
    #[arg(long)]
    pub image: bool,
    /// Also build a Helm chart of the release
    #[arg(long)]
    pub chart: bool,
    /// Leave plugins with errors out and record their errors in the release
    #[arg(long)]
    pub keep_going: bool,
    /// Use no network; requires an earlier `cargo xtask fetch`
    #[arg(long)]
    pub offline: bool,
    /// Sign the release with this secret key of minisign; HUB_SIGN_PASSWORD may hold its password
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Tarball of a release
    #[arg(value_name = "TARBALL")]
    pub tarball: PathBuf,
    /// Public key of minisign that must have signed it; may repeat, one of them is enough
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Build it again from this checkout, and compare every byte
    #[arg(long)]
    pub rebuild: bool,
    /// With --rebuild: folder of plugins; may repeat, earlier folders win [default: plugins]
    #[arg(long, value_name = "DIR", requires = "rebuild")]
    pub plugins: Vec<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct KeygenArgs {
    /// File of the secret key; the public one gets the same name with `.pub`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Create a key without a password [default: from HUB_SIGN_PASSWORD, or prompted for]
    #[arg(long)]
    pub no_password: bool,
}

#[derive(Debug, Clone, Args)]
pub struct NewPluginArgs {
    /// Name of the plugin: lowercase letters, digits and single hyphens
    pub slug: String,
    /// Folder to create the plugin's folder in [default: plugins]
    #[arg(long, value_name = "DIR")]
    pub plugins: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Folder of plugins; may repeat, earlier folders win [default: plugins]
    #[arg(long, value_name = "DIR")]
    pub plugins: Vec<PathBuf>,
    /// Address to serve on
    #[arg(long, default_value = "127.0.0.1:8001")]
    pub listen: SocketAddr,
    /// Data folder of the served platform [default: target/platform/dev/data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Override key, route (`GET /api/…`), path of a page, slug of a plugin, or diagnostic code
    #[arg(value_name = "WHAT", required = true)]
    pub what: Vec<String>,
    /// Folder of plugins; may repeat, earlier folders win [default: plugins]
    #[arg(long, value_name = "DIR")]
    pub plugins: Vec<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Tarball of the earlier release
    #[arg(value_name = "A.tar.gz")]
    pub before: PathBuf,
    /// Tarball of the later release
    #[arg(value_name = "B.tar.gz")]
    pub after: PathBuf,
    /// How changes are printed
    #[arg(long, value_enum, default_value_t = DiffFormat::Human)]
    pub message_format: DiffFormat,
}

#[derive(Debug, Clone, Args)]
pub struct GoldenArgs {
    /// Change nothing; fail if the example is outdated
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DocsArgs {
    /// Change nothing; fail if a document is outdated
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Args)]
pub struct TestArgs {
    /// Run only the steps whose name contains one of these words
    #[arg(value_name = "STEP")]
    pub only: Vec<String>,
    /// Fail, rather than skip, if the machine lacks something that a test needs
    #[arg(long)]
    pub require_all: bool,
    /// Run the long tests too: all, or those named (`--long=power-cut,systemd`)
    #[arg(long, value_name = "TEST", value_enum, num_args = 0.., require_equals = true)]
    #[arg(value_delimiter = ',', default_missing_value = "all")]
    pub long: Vec<Long>,
    /// Run all test programs this many times, and list the flaky tests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// With --repeat: keep the machine busy with this many threads
    #[arg(long, value_name = "THREADS", default_value_t = 0, requires = "repeat")]
    pub load: usize,
}

/// Tests that take minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Long {
    /// All of them
    All,
    /// An upgrade that is interrupted at each of its system calls
    PowerCut,
    /// A second build from scratch, without a network, by another user at another time, gives the same bytes
    Reproducible,
    /// An installation under a real systemd
    Systemd,
}

impl Long {
    /// As it is typed, and as tests are told.
    pub fn name(self) -> &'static str {
        match self {
            Long::All => "all",
            Long::PowerCut => "power-cut",
            Long::Reproducible => "reproducible",
            Long::Systemd => "systemd",
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
pub struct AuditArgs {
    /// Skip the known vulnerabilities, whose database comes from the network
    #[arg(long)]
    pub no_advisories: bool,
    /// Use the database of known vulnerabilities as it was last fetched
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Clone, Args)]
pub struct FuzzArgs {
    /// Inputs for each target
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub runs: u64,
    /// Another seed gives other inputs
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Use the runner on stable Rust, even if a nightly toolchain is installed
    #[arg(long)]
    pub stable: bool,
    /// Run only these targets [default: all]
    #[arg(value_name = "TARGET", value_parser = ["manifest", "overrides", "router", "public_route"])]
    pub targets: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Which benchmarks to run
    #[arg(value_enum, default_values_t = [Bench::Bundle, Bench::Check, Bench::Host, Bench::Release])]
    pub which: Vec<Bench>,
    /// Run once on a small input, to see that they work: 10 plugins, one round
    #[arg(long)]
    pub small: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// Text for people, with the source lines
    #[default]
    Human,
    /// One JSON object per line
    Json,
    /// One SARIF 2.1.0 document at the end, for code review
    Sarif,
}

/// Changes are no findings, so SARIF has no place for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Text for people
    #[default]
    Human,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Optimised, minified: what is shipped
    Release,
    /// Quick to build
    Dev,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    /// The bundle stage against Vite and esbuild
    Bundle,
    /// `check` over generated trees, beside esbuild, Vite and cargo
    Check,
    /// The host against a hand-written axum application
    Host,
    /// Packing and upgrading, beside tar and pigz; requests lost in an upgrade
    Release,
}
