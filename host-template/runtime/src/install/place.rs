//! Where the commands on releases work: the install folder, the data folder, and what `setup` settled for them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hub_release::Install;
use hub_release::install::write;
use serde::{Deserialize, Serialize};

use crate::env_file;
use crate::fault::Fault;
use crate::serve;
use crate::settings::{self, process_env, reason};

/// The file of an install folder that says what `setup` settled.
const FILE: &str = "install.json";

/// What `setup` settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settled {
    /// The customer's data.
    pub(super) data_dir: Option<PathBuf>,
    /// The command that restarts the service, with its arguments.
    pub(super) restart: Vec<String>,
}

/// An installation.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) install: Install,
    /// The release that this program belongs to.
    pub(super) release: PathBuf,
    pub(super) data: PathBuf,
    pub(super) settled: Settled,
    /// The environment that the service is started with.
    pub(super) env: BTreeMap<String, String>,
}

impl Place {
    /// The installation that this program belongs to, or the one named. The data folder need not be there yet.
    pub(super) fn find(install_dir: Option<&Path>, data_dir: Option<&Path>) -> Result<Place, Fault> {
        let release = settings::install_dir(&|name| process_env(name).filter(|_| name != "INSTALL_DIR"))?;
        let install = match install_dir {
            Some(root) => Install::at(absolute(root)?),
            None => Install::of_release(&release).ok_or_else(|| {
                Fault::usage(
                    format!("this program does not lie in an install folder, but in {}", release.display()),
                    "name the install folder: --install-dir /opt/honeyframe",
                )
            })?,
        };
        let settled = read(install.root())?;
        let data = match (data_dir, &settled.data_dir) {
            (Some(data), _) => absolute(data)?,
            (None, Some(data)) => data.clone(),
            (None, None) => settings::existing_data_dir(&process_env)
                .unwrap_or_else(|| PathBuf::from(settings::SYSTEM_DATA)),
        };
        let file = data.join(".env");
        let env = env_file::read(&file).map_err(|e| {
            Fault::machine(
                format!("cannot read {}: {}", file.display(), reason(&e)),
                "run the command as root, or as the user that the host runs as",
            )
        })?;
        Ok(Place { install, release, data, settled, env })
    }

    /// Where the service listens, as somebody on this machine reaches it.
    pub(super) fn address(&self) -> Result<SocketAddr, Fault> {
        let told = self.env.get("LISTEN").filter(|text| !text.is_empty());
        let mut address = match told {
            Some(text) => settings::address(text).map_err(|how| {
                let file = self.data.join(".env");
                Fault::machine(format!("LISTEN in {} is `{}`", file.display(), text.escape_debug()), how)
            })?,
            None => serve::who(&self.data).map_or(SocketAddr::from(settings::LISTEN), |host| host.address),
        };
        if address.ip().is_unspecified() {
            let local = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
            address.set_ip(local.parse().unwrap_or(address.ip()));
        }
        Ok(address)
    }

    /// Notes what was settled.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(&self.settled).unwrap_or_default() + "\n";
        Ok(write(&self.install.root().join(FILE), text.as_bytes(), 0o644)?)
    }
}

fn read(root: &Path) -> Result<Settled, Fault> {
    let file = root.join(FILE);
    let help = "run `hub-platform setup` again";
    match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|e| Fault::machine(format!("{} cannot be understood: {e}", file.display()), help)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Settled::default()),
        Err(e) => Err(Fault::machine(format!("cannot read {}: {}", file.display(), reason(&e)), help)),
    }
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    std::path::absolute(path)
        .map_err(|e| Fault::usage(format!("`{}` is no path: {e}", path.display()), "name a folder"))
}
