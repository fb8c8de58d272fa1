//! Where the commands on releases work: the install folder, the data folder, and what `setup` settled for them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hub_manifest::environment::{self, quoted};
use hub_release::Install;

use super::say;
use crate::data_folder;
use crate::env_file::Odd;
use crate::fault::Fault;
use crate::locate::{self, Settled, Why, absolute};
use crate::privilege::{self, Owner};
use crate::serve;
use crate::settings::{self, process_env};

/// An installation.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) install: Install,
    /// The release that this program belongs to.
    pub(super) release: PathBuf,
    pub(super) data: PathBuf,
    pub(super) why: Why,
    /// Whom root becomes for all that is done in the data folder.
    pub(super) owner: Option<Owner>,
    pub(super) settled: Settled,
    /// The environment that the service is started with.
    pub(super) env: BTreeMap<String, String>,
    /// The lines of `.env` that set none of it.
    pub(super) odd: Vec<Odd>,
}

/// The release that this program belongs to, and the install folder: the one that is named, or that it lies in.
pub(super) fn releases(install_dir: Option<&Path>) -> Result<(PathBuf, Install), Fault> {
    let release = settings::own_release()?;
    let install = match install_dir {
        Some(root) => Install::at(absolute(root)?),
        None => Install::of_release(&release).ok_or_else(|| {
            Fault::usage(
                format!("this program does not lie in an install folder, but in {}", release.display()),
                "name the install folder: --install-dir /opt/honeyframe",
            )
        })?,
    };
    let release = install.path_of(&release).unwrap_or(release);
    Ok((release, install))
}

impl Place {
    /// The installation that this program belongs to, or the one named. The data folder need not be there yet.
    pub(super) fn find(install_dir: Option<&Path>, data_dir: Option<&Path>) -> Result<Place, Fault> {
        Place::of(install_dir, |settled| match locate::found() {
            // The command line has found it already.
            Some(found) => Ok((found.data.clone(), found.why)),
            None => locate::data_dir_of(data_dir, settled, &process_env),
        })
    }

    /// The same for a command that changes which release serves: only with the data folder that `setup` settled, and as its owner.
    /// Another one would be tried by the new release, and the service works with the one that was settled.
    pub(super) fn to_change(install_dir: Option<&Path>, data_dir: Option<&Path>) -> Result<Place, Fault> {
        let place = Place::find(install_dir, data_dir)?;
        if let Some(settled) = place.settled.other_than(&place.data) {
            let (data, settled) = (place.data.display(), settled.display());
            return Err(Fault::usage(
                format!(
                    "this installation works with the data folder {settled}, and {data} ({}) is another one: the service would go \
                     on with {settled}",
                    place.why.told()
                ),
                format!(
                    "leave --data-dir and DATA_DIR out to go on with {settled}; where {data} is meant, settle it first, with `setup \
                     --leave-data-dir` of the release in use; nothing was changed"
                ),
            ));
        }
        if let (None, Some(user)) = (place.owner, place.settled.user_of(&place.data)) {
            privilege::see_settled(&place.data, user, false)?;
        }
        Ok(place)
    }

    /// The same for `setup`, which makes what is missing.
    pub(super) fn to_set_up(install_dir: Option<&Path>, data_dir: Option<&Path>) -> Result<Place, Fault> {
        Place::of(install_dir, |settled| locate::data_dir_to_set_up(data_dir, settled, &process_env))
    }

    fn of(
        install_dir: Option<&Path>,
        data_dir: impl FnOnce(&Settled) -> Result<(PathBuf, Why), Fault>,
    ) -> Result<Place, Fault> {
        let (release, install) = releases(install_dir)?;
        let settled = Settled::read(install.root())?;
        let (data, why) = data_dir(&settled)?;
        data_folder::own(&data, Some(&install))?;
        let owner = privilege::owner(&data)?;
        let read = locate::variables(&data).map_err(|e| locate::unreadable(&data, &e))?;
        Ok(Place { install, release, data, why, owner, settled, env: read.set, odd: read.odd })
    }

    /// Says on standard error which installation a command changes.
    pub(super) fn tell(&self) -> Result<(), Fault> {
        let url = self.env.get(environment::DATABASE_URL).map(String::as_str).filter(|url| !url.is_empty());
        let database = settings::database(url, &self.data)?;
        // A reader that has seen enough is no error.
        let _ = writeln!(
            io::stderr(),
            "install folder {}, {}",
            self.install.root().display(),
            locate::line(&self.data, self.why, &database)
        );
        for text in [locate::left_out(&self.data, &self.odd), locate::doubtful(&self.data, &self.env)] {
            text.iter().for_each(|text| say::warn(text));
        }
        // Whatever comes next puts it right, or says that it needs one.
        if let Some(text) = self.install.astray() {
            say::warn(&format!("{text}: it is taken for none"));
        }
        Ok(())
    }

    /// Where the service listens, as somebody on this machine reaches it.
    pub(super) fn address(&self) -> Result<SocketAddr, Fault> {
        let told = self.env.get(environment::LISTEN).filter(|text| !text.is_empty());
        let mut address = match told {
            Some(text) => settings::address(text).map_err(|how| {
                let file = self.data.join(".env");
                Fault::machine(format!("LISTEN in {} is {}", file.display(), quoted(text)), how)
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
        Ok(self.settled.write(self.install.root())?)
    }
}
