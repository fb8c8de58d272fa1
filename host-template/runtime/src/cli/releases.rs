//! The commands on releases, as typed: `setup`, `upgrade`, `rollback`, `verify`, `doctor`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::fault::Fault;
use crate::install;
use crate::platform::Platform;
use crate::settings::address;

/// Where an installation lies.
#[derive(Args)]
pub(super) struct Folders {
    /// Install folder [default: the one that this program lies in]
    #[arg(long, value_name = "DIR")]
    install_dir: Option<PathBuf>,
}

/// How the host is restarted.
#[derive(Args)]
pub(super) struct Restart {
    /// Command that restarts the service [default: the one that setup settled]
    #[arg(long, value_name = "COMMAND")]
    restart: Option<String>,
    /// Let the running host hand its socket over: no request is lost
    #[arg(long, conflicts_with = "restart")]
    graceful: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Args)]
pub(super) struct Wait {
    /// How long the command that restarts the service may take; the unit of setup gives a start 600 s, and a stop 45 s
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    restart_timeout: u64,
    /// How long the host may take until it answers
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    health_timeout: u64,
}

#[derive(Args)]
pub(super) struct Setup {
    /// YAML with the customer's name and the driver plugins
    #[arg(long, value_name = "FILE")]
    install_conf: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
    /// Driver plugins to install, besides those of install.conf
    #[arg(long, value_name = "ALIAS", value_delimiter = ',')]
    install_plugins: Vec<String>,
    /// Public key of minisign that releases have to be signed with; may repeat
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Address and port of the service, for a new .env
    #[arg(long, value_parser = address)]
    listen: Option<SocketAddr>,
    /// User that the service runs as, and that the data folder is given to: one that is there [default: honeyframe where a
    /// unit is written, made where it is missing]
    #[arg(long)]
    user: Option<String>,
    /// Folder of the systemd unit [default: /etc/systemd/system where systemd runs]
    #[arg(long, value_name = "DIR")]
    unit_dir: Option<PathBuf>,
    /// Write no unit, and start nothing
    #[arg(long, conflicts_with = "unit_dir")]
    no_service: bool,
    /// Command that restarts the service, where systemd does not
    #[arg(long, value_name = "COMMAND")]
    restart: Option<String>,
    /// Take a release that is older than the one installed
    #[arg(long)]
    allow_downgrade: bool,
    /// Go on with another data folder, and leave what is in that of before where it is
    #[arg(long)]
    leave_data_dir: bool,
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    wait: Wait,
}

/// What is to happen to names that both the release and the customer have.
#[derive(Args)]
pub(super) struct Names {
    /// Let the release's vertical plugin take the place of the customer's of the same name; may repeat
    #[arg(long, value_name = "SLUG", value_delimiter = ',')]
    take_over: Vec<String>,
}

#[derive(Args)]
pub(super) struct Upgrade {
    /// Tarball of the release [default: the highest release that is unpacked already]
    tarball: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
    /// Verify, unpack and look at what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How many releases stay on disk, the current one among them
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
    /// Take a release that is older than the one installed
    #[arg(long)]
    allow_downgrade: bool,
    /// A table, or a column as TABLE.COLUMN, whose data a migration of the new release may remove; may repeat
    #[arg(long, value_name = "TABLE")]
    accept_loss: Vec<String>,
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    restart: Restart,
}

#[derive(Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    folders: Folders,
    #[command(flatten)]
    restart: Restart,
}

#[derive(Args)]
pub(super) struct Verify {
    /// Tarball of a release [default: all releases that are installed]
    tarball: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
    /// Public key of minisign that may have signed it, besides those that are trusted here; may repeat
    #[arg(long, value_name = "FILE", requires = "tarball")]
    key: Vec<PathBuf>,
    /// Take a release that is older than the one installed
    #[arg(long)]
    allow_downgrade: bool,
}

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    folders: Folders,
}

impl Doctor {
    /// The install folder, where one is named.
    pub(super) fn install_dir(&self) -> Option<&Path> {
        self.folders.install_dir.as_deref()
    }
}

impl Wait {
    fn waits(&self) -> install::Waits {
        install::Waits {
            restart: Duration::from_secs(self.restart_timeout),
            health: Duration::from_secs(self.health_timeout),
        }
    }
}

pub(super) fn setup(typed: Setup, data_dir: Option<PathBuf>) -> Result<(), Fault> {
    install::setup(&install::Setup {
        install_conf: typed.install_conf,
        install_dir: typed.folders.install_dir,
        data_dir,
        plugins: typed.install_plugins,
        trust: typed.trust,
        listen: typed.listen,
        user: typed.user,
        unit_dir: typed.unit_dir,
        no_service: typed.no_service,
        restart: typed.restart,
        allow_downgrade: typed.allow_downgrade,
        leave_data_dir: typed.leave_data_dir,
        take_over: typed.names.take_over,
        waits: typed.wait.waits(),
    })
}

pub(super) fn upgrade(typed: Upgrade, data_dir: Option<PathBuf>) -> Result<(), Fault> {
    install::upgrade(&install::Upgrade {
        tarball: typed.tarball,
        install_dir: typed.folders.install_dir,
        data_dir,
        dry_run: typed.dry_run,
        keep: usize::from(typed.keep),
        graceful: typed.restart.graceful,
        waits: typed.restart.wait.waits(),
        restart: typed.restart.restart,
        allow_downgrade: typed.allow_downgrade,
        accept_loss: typed.accept_loss,
        take_over: typed.names.take_over,
    })
}

pub(super) fn rollback(typed: &Rollback, data_dir: Option<&Path>) -> Result<(), Fault> {
    let (folders, restart) = (&typed.folders, &typed.restart);
    install::rollback(
        folders.install_dir.as_deref(),
        data_dir,
        restart.graceful,
        restart.restart.as_deref(),
        restart.wait.waits(),
    )
}

pub(super) fn verify(typed: &Verify) -> Result<(), Fault> {
    install::verify(
        typed.tarball.as_deref(),
        typed.folders.install_dir.as_deref(),
        &typed.key,
        typed.allow_downgrade,
    )
}

pub(super) fn doctor(platform: &Platform, typed: &Doctor, data_dir: Option<&Path>) -> Result<(), Fault> {
    install::doctor(platform, typed.folders.install_dir.as_deref(), data_dir)
}
