//! What a host is started with besides its arguments: a listening socket from systemd, or socket and queue of the host
//! before it.
//!
//! systemd's protocol is `LISTEN_FDS`, `LISTEN_PID` and descriptor 3. A host cannot hand over that way: `LISTEN_PID` is a
//! number that is known only after the fork, when the environment is made already. So `HUB_HANDOVER` names two descriptors:
//! the listening socket, and one end of a pair of sockets on which the two hosts talk ([`super::successor`]).

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use hub_manifest::environment::{self, quoted};
use rustix::io::{FdFlags, fcntl_setfd};

use super::notify::{self, Notify};
use crate::fault::Fault;
use crate::settings::reason;

/// The variable by which a host speaks to its successor: `<listening socket>,<talk>`.
pub(super) const HANDOVER: &str = environment::HUB_HANDOVER;

/// The variable that names the descriptor of the data folder's lock ([`super::lock`]).
pub(super) const HANDOVER_LOCK: &str = environment::HUB_HANDOVER_LOCK;

/// The variable that says which file the predecessor has as its database ([`super::lock::DatabaseLock::name`]).
pub(super) const HANDOVER_DATABASE: &str = environment::HUB_HANDOVER_DATABASE;

/// systemd's first descriptor.
const FIRST: RawFd = 3;

/// What this host was started with.
#[derive(Default)]
pub(crate) struct Inherited {
    /// A socket that listens already.
    pub(super) listener: Option<TcpListener>,
    /// The host before this one, which still serves.
    pub(super) predecessor: Option<UnixStream>,
    /// Its lock on the data folder.
    pub(super) lock: Option<OwnedFd>,
    /// What it calls the file that is its database.
    pub(super) database: Option<String>,
    /// Who wants to hear how the host fares.
    pub(super) notify: Notify,
}

/// Takes all of it out of the environment, so that no program that the host starts takes it for its own.
///
/// # Safety
///
/// No other thread may run: it could read the environment meanwhile.
#[allow(unsafe_code)]
pub(crate) unsafe fn take() -> Result<Inherited, Fault> {
    let taken = |name: &str| -> Option<OsString> {
        let value = std::env::var_os(name);
        // SAFETY: by this function's own contract.
        unsafe { std::env::remove_var(name) };
        value
    };
    let text = |name: &str| taken(name).and_then(|value| value.into_string().ok());
    let (pid, count, handover) = (text("LISTEN_PID"), text("LISTEN_FDS"), text(HANDOVER));
    let lock = text(HANDOVER_LOCK).filter(|_| handover.is_some());
    let database = text(HANDOVER_DATABASE).filter(|_| handover.is_some());
    taken("LISTEN_FDNAMES");
    let notify = Notify::new(taken(notify::VARIABLE));
    let wanted = match &handover {
        Some(value) => Some(of_host(value)?),
        None => of_systemd(pid.as_deref(), count.as_deref(), std::process::id())?,
    };
    let Some((socket, talk)) = wanted else {
        return Ok(Inherited { notify, ..Inherited::default() });
    };
    let listener = TcpListener::from(own(socket)?);
    listener.local_addr().and_then(|_| listener.set_nonblocking(true)).map_err(|e| broken(socket, &e))?;
    let predecessor = match talk {
        Some(talk) => {
            let stream = UnixStream::from(own(talk)?);
            stream.set_nonblocking(true).map_err(|e| broken(talk, &e))?;
            Some(stream)
        }
        None => None,
    };
    let lock = lock.and_then(|text| text.parse().ok()).filter(|number: &RawFd| *number >= FIRST);
    let lock = lock.filter(|number| *number != socket && Some(*number) != talk).map(own).transpose()?;
    Ok(Inherited { listener: Some(listener), predecessor, lock, database, notify })
}

/// The listening socket, and where the predecessor is to be talked to.
type Descriptors = (RawFd, Option<RawFd>);

fn of_host(value: &str) -> Result<Descriptors, Fault> {
    let number = |text: &str| text.parse().ok().filter(|number: &RawFd| *number >= FIRST);
    value
        .split_once(',')
        .and_then(|(socket, talk)| Some((number(socket)?, Some(number(talk)?))))
        .filter(|(socket, talk)| Some(*socket) != *talk)
        .ok_or_else(|| {
            Fault::usage(
                format!("{HANDOVER} is {}, which is not two descriptors", quoted(value)),
                format!("leave {HANDOVER} unset: a host sets it for the one that takes its place"),
            )
        })
}

fn of_systemd(pid: Option<&str>, count: Option<&str>, own: u32) -> Result<Option<Descriptors>, Fault> {
    // What is meant for another process stays alone.
    if pid.and_then(|pid| pid.parse().ok()) != Some(own) {
        return Ok(None);
    }
    match count {
        Some("1") => Ok(Some((FIRST, None))),
        None | Some("0") => Ok(None),
        Some(count) => Err(Fault::machine(
            format!("systemd hands over {} sockets, and the host listens on one", quoted(count)),
            "leave one ListenStream= in the socket unit",
        )),
    }
}

/// Makes a descriptor the host's own, and no other program's.
#[allow(unsafe_code)]
fn own(number: RawFd) -> Result<OwnedFd, Fault> {
    // SAFETY: the descriptor is borrowed for one call, which says whether there is such a one.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).map_err(|e| broken(number, &io::Error::from(e)))?;
    // SAFETY: it is open, and was handed over to this process: nothing else here owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn broken(number: RawFd, error: &io::Error) -> Fault {
    Fault::machine(
        format!("descriptor {number} is not the TCP socket that was to be handed over: {}", reason(error)),
        "let systemd hand over a socket with ListenStream=, or start the host without one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_by_their_variables() {
        let of = |pid, count| of_systemd(pid, count, 7).map_err(|fault| fault.to_string());
        assert_eq!(of(Some("7"), Some("1")), Ok(Some((3, None))));
        assert_eq!(of(Some("8"), Some("1")), Ok(None));
        assert_eq!(of(None, Some("1")), Ok(None));
        assert!(of(Some("7"), Some("2")).unwrap_err().contains("`2` sockets"));
        assert_eq!(of_host("5,9").unwrap(), (5, Some(9)));
        for wrong in ["", "5", "5,5", "5,x", "1,2", "-1,4"] {
            assert!(of_host(wrong).unwrap_err().to_string().contains("not two descriptors"), "{wrong}");
        }
    }
}
