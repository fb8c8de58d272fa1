//! Telling systemd how the host fares: datagrams of `NAME=value` lines to the socket that it names (`sd_notify`).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable with the socket's name.
pub(super) const VARIABLE: &str = "NOTIFY_SOCKET";

/// Whom the host tells; nobody where it was not started by systemd.
#[derive(Clone, Default)]
pub(crate) struct Notify(Option<OsString>);

impl Notify {
    /// To the socket of this name.
    pub(super) fn new(name: Option<OsString>) -> Notify {
        Notify(name.filter(|name| !name.is_empty()))
    }

    /// The socket's name, for a successor.
    pub(super) fn name(&self) -> Option<&OsStr> {
        self.0.as_deref()
    }

    /// Says it. Nothing follows where that fails: a host that serves does not end because nobody hears of it.
    pub(crate) fn tell(&self, lines: &str) {
        if let Some(name) = &self.0
            && let Err(error) = send(name, lines)
        {
            tracing::warn!(%error, lines, "cannot tell systemd");
        }
    }
}

fn send(name: &OsStr, lines: &str) -> io::Result<()> {
    let address = match name.as_bytes() {
        // An abstract name, which is in no file system.
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(lines.as_bytes(), &address).map(drop)
}
