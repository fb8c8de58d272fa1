//! Where a program connects to: whatever it opens its connections with, Python's own module or a library of its driver's, the
//! kernel asks this process first (seccomp, user notification: Linux 5.5). It looks at the address, and lets the call go on or
//! refuses it.
//!
//! Whether a program may have sockets to others of this machine at all is settled by the kind that it asks for, which nobody changes
//! behind the look ([`no_local_sockets`]).
//!
//! The fence is for programs that are led astray, by a server that names others or by what somebody has typed. One that means
//! harm could change the address between look and call; drivers are packages that the operator has installed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use crate::reach::Reach;

/// The port on which name servers answer.
const NAMES: u16 = 53;
/// Longest address that is looked at.
const LONGEST: usize = 128;
/// Most messages of one call that are looked at.
const MOST: u64 = 1024;

/// What the kernel calls the processor: calls of another kind are not let through, for their numbers are others.
#[cfg(target_arch = "x86_64")]
const PROCESSOR: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const PROCESSOR: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const PROCESSOR: Option<u32> = None;

/// Where a program may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(crate) reach: Reach,
    /// The machine's name servers, which are asked on [`NAMES`] wherever they are.
    pub(crate) names: Vec<IpAddr>,
    /// Do not start it where the system has no such fence.
    pub(crate) required: bool,
}

impl Network {
    fn allows(&self, address: IpAddr, port: u16) -> bool {
        self.reach.allows(address) || port == NAMES && self.names.contains(&address)
    }
}

/// Starts a program behind the fence, as a child of this process.
pub(super) fn spawn(mut command: Command, network: &Network) -> io::Result<Child> {
    let (sender, receiver) = mpsc::channel();
    let network = network.clone();
    // The filter is the thread's, and that of all that it starts: this process itself goes on without.
    std::thread::Builder::new().spawn(move || {
        let listener = match readable().and_then(|()| listen()) {
            Ok(listener) => Some(listener),
            Err(error) if network.required => {
                // Nobody waits any more: this process ends.
                let _ = sender.send(Err(lacking(&error)));
                return;
            }
            Err(_) => None,
        };
        // Who asked waits for it right below.
        let _ = sender.send(command.spawn());
        if let Some(listener) = listener {
            answer(&listener, &network);
        }
    })?;
    receiver.recv().map_err(io::Error::other)?
}

/// No number of the system's: it is not the program that is missing.
fn lacking(error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "its driver opens connections by itself, and nothing here can hold them to where connectors may go ({error}); \
         `hub-platform doctor` tells the operator what is missing"
    ))
}

/// Whether this machine has the fence. Puts this process behind a filter that nobody answers for: it is for one that ends.
pub(super) fn tried() -> bool {
    rustix::thread::set_no_new_privs(true).is_ok() && readable().and_then(|()| listen()).is_ok()
}

/// Goes on where this process may read the memory of those that it starts, in which the addresses of their calls are. Where a
/// container, a unit or the kernel's settings forbid it, every call would look like one that is not allowed.
fn readable() -> io::Result<()> {
    static KNOWN: u64 = 0x6875_622d_686f_7374;
    // Its own, for which the same call has to be open.
    let read = memory(std::process::id(), (&raw const KNOWN) as u64, size_of_val(&KNOWN))?;
    if read != KNOWN.to_ne_bytes() {
        return Err(io::Error::other("a process's memory reads differently from what is in it"));
    }
    match std::fs::read_to_string(YAMA) {
        Ok(scope) => may_trace(&scope),
        // A kernel without it lets a process read what it has started.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Who may read whose memory, as the kernel is set.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// Up to 1 whoever has started a process may; beyond that only root, which no program of a run is.
fn may_trace(scope: &str) -> io::Result<()> {
    match scope.trim() {
        "0" | "1" => Ok(()),
        other => Err(io::Error::other(format!("kernel.yama.ptrace_scope is {}", other.escape_debug()))),
    }
}

fn statement(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    // All of them fit: they are this file's own.
    libc::sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

/// Loads a part of the call.
fn load(at: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at)
}

/// Where its two words of the first and of the fifth argument lie; the lower one comes first on all processors that are known here.
const FIRST: u32 = 16;
const FIFTH: u32 = FIRST + 4 * 8;

/// How many statements to leave out, where what was loaded is this and where not.
fn is(value: u32, jt: u8, jf: u8) -> libc::sock_filter {
    statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, value)
}

fn ends(value: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, 0, 0, value)
}

fn refuse(error: libc::c_int) -> libc::sock_filter {
    ends(libc::SECCOMP_RET_ERRNO | u32::try_from(error).unwrap_or_default())
}

fn number(call: libc::c_long) -> Option<u32> {
    u32::try_from(call).ok()
}

/// Leaves the call's number loaded; refuses what goes another way than by calls that are looked at.
fn head(processor: u32) -> Option<Vec<libc::sock_filter>> {
    Some(vec![
        load(4),
        is(processor, 1, 0),
        refuse(libc::EPERM),
        load(0),
        // The other numbers of x86-64.
        statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000),
        refuse(libc::ENOSYS),
        // It makes sockets and connects too, and nobody would be asked.
        is(number(libc::SYS_io_uring_setup)?, 0, 1),
        refuse(libc::ENOSYS),
    ])
}

/// Asks about `connect`, and about what is sent to an address.
fn filter(processor: u32) -> Option<Vec<libc::sock_filter>> {
    let (allow, ask) = (ends(libc::SECCOMP_RET_ALLOW), ends(libc::SECCOMP_RET_USER_NOTIF));
    let mut all = head(processor)?;
    all.extend([
        is(number(libc::SYS_connect)?, 0, 1),
        ask,
        is(number(libc::SYS_sendmsg)?, 0, 1),
        ask,
        is(number(libc::SYS_sendmmsg)?, 0, 1),
        ask,
        is(number(libc::SYS_sendto)?, 1, 0),
        allow,
        // Without an address it goes where the socket is connected to.
        load(FIFTH),
        is(0, 0, 3),
        load(FIFTH + 4),
        is(0, 0, 1),
        allow,
        ask,
    ]);
    Some(all)
}

/// Refuses sockets that reach other programs of this machine by a name. A pair of them does not: its ends are connected already (and
/// where they take single messages, these find nobody who answers).
fn without_local(processor: u32) -> Option<Vec<libc::sock_filter>> {
    let allow = ends(libc::SECCOMP_RET_ALLOW);
    let mut all = head(processor)?;
    all.extend([
        is(number(libc::SYS_socket)?, 1, 0),
        allow,
        load(FIRST),
        is(u32::try_from(libc::AF_UNIX).ok()?, 0, 1),
        refuse(libc::EACCES),
        allow,
    ]);
    Some(all)
}

/// From now on this process, and all that it starts, can make no socket to other programs of this machine: neither the kernel's
/// rules for files nor their modes say whom its user may connect to.
pub(super) fn no_local_sockets() -> io::Result<()> {
    let filter = PROCESSOR.and_then(without_local).ok_or(io::ErrorKind::Unsupported)?;
    behind(&filter, 0).map(drop)
}

/// Puts this thread behind a filter; gives what the kernel answers.
#[allow(unsafe_code)]
fn behind(filter: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<i32> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the program and what it points to live through the call, which copies both.
    let got =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match i32::try_from(got) {
        Ok(got) if got >= 0 => Ok(got),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts this thread behind the filter; gives what its calls are heard on.
#[allow(unsafe_code)]
fn listen() -> io::Result<OwnedFd> {
    let filter = PROCESSOR.and_then(filter).ok_or(io::ErrorKind::Unsupported)?;
    let listener = behind(&filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: a new descriptor, which nothing else here owns. The kernel has made it one that no program inherits.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

/// A call that waits, with room for what a newer kernel tells besides.
#[repr(C)]
struct Call {
    told: libc::seccomp_notif,
    more: [u8; 256],
}

/// Answers until there is nobody to ask.
#[allow(unsafe_code)]
fn answer(listener: &OwnedFd, network: &Network) {
    loop {
        // SAFETY: numbers alone, for which nothing is a value too.
        let mut call: Call = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, and there is room for what is told.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call.told) }
            != 0
        {
            match io::Error::last_os_error().raw_os_error() {
                // Whoever called is gone.
                Some(libc::EINTR | libc::ENOENT) => continue,
                _ => return,
            }
        }
        // What cannot be looked at is not let through.
        let allowed = asked(&call.told).is_ok_and(|places| places.iter().all(|place| place.allowed(network)));
        reply(listener, call.told.id, allowed);
    }
}

/// Says how a call goes on. One whose process is gone needs no answer.
#[allow(unsafe_code)]
fn reply(listener: &OwnedFd, id: u64, allowed: bool) {
    let go_on = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or_default();
    let refused = libc::seccomp_notif_resp { id, val: 0, error: -libc::EACCES, flags: 0 };
    let answers = match allowed {
        // A kernel that cannot let it go on refuses it.
        true => vec![libc::seccomp_notif_resp { error: 0, flags: go_on, ..refused }, refused],
        false => vec![refused],
    };
    for mut answer in answers {
        // SAFETY: the descriptor is open, and both values live through the calls. The first asks whether the process is still
        // the one whose memory was read: another may have its number by now.
        let sent = unsafe {
            libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0
                && libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) == 0
        };
        if sent {
            return;
        }
    }
}

/// What an address of a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On this machine, or none.
    Here,
    At(IpAddr, u16),
    /// Of no kind that is known here.
    Unknown,
}

impl Place {
    fn allowed(self, network: &Network) -> bool {
        match self {
            Place::Here => true,
            Place::At(address, port) => network.allows(address, port),
            Place::Unknown => false,
        }
    }

    /// Reads an address as the kernel does. `connects` is false for one that something is sent to.
    fn of(bytes: &[u8], connects: bool) -> Place {
        let Some(family) = bytes.get(..2).and_then(|two| two.try_into().ok()).map(u16::from_ne_bytes) else {
            // The kernel refuses it itself.
            return Place::Here;
        };
        let port = || bytes.get(2..4)?.try_into().ok().map(u16::from_be_bytes);
        let four = || -> Option<Place> {
            let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(Place::At(Ipv4Addr::from(octets).into(), port()?))
        };
        let six = || -> Option<Place> {
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(Place::At(Ipv6Addr::from(octets).into(), port()?))
        };
        match i32::from(family) {
            libc::AF_INET => four().unwrap_or(Place::Here),
            libc::AF_INET6 => six().unwrap_or(Place::Here),
            // It ends a connection; what is sent to it goes to an address of IPv4 all the same.
            libc::AF_UNSPEC if connects => Place::Here,
            libc::AF_UNSPEC => four().unwrap_or(Place::Here),
            libc::AF_UNIX | libc::AF_NETLINK => Place::Here,
            _ => Place::Unknown,
        }
    }
}

/// The addresses that a call is about.
fn asked(call: &libc::seccomp_notif) -> io::Result<Vec<Place>> {
    let [_, second, third, _, fifth, sixth] = call.data.args;
    let name = |at: u64, length: u64, connects| -> io::Result<Place> {
        if at == 0 {
            return Ok(Place::Here);
        }
        let length = usize::try_from(length & 0xFFFF_FFFF).unwrap_or(LONGEST).min(LONGEST);
        Ok(Place::of(&memory(call.pid, at, length)?, connects))
    };
    // A message begins with where its address is, and how long that is.
    let message = |at: u64| -> io::Result<Place> {
        let head = memory(call.pid, at, 12)?;
        let (to, length) = head.split_at(8);
        let to = to.try_into().map(u64::from_ne_bytes).map_err(io::Error::other)?;
        let length = length.try_into().map(u32::from_ne_bytes).map_err(io::Error::other)?;
        name(to, length.into(), false)
    };
    match libc::c_long::from(call.data.nr) {
        libc::SYS_connect => Ok(vec![name(second, third, true)?]),
        libc::SYS_sendto => Ok(vec![name(fifth, sixth, false)?]),
        libc::SYS_sendmsg => Ok(vec![message(second)?]),
        libc::SYS_sendmmsg => {
            let size = size_of::<libc::mmsghdr>() as u64;
            // The kernel takes no more of them either.
            let count = (third & 0xFFFF_FFFF).min(MOST);
            (0..count).map(|number| message(second.wrapping_add(number * size))).collect()
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Bytes of another process's memory; fewer where it ends.
#[allow(unsafe_code)]
fn memory(process: u32, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; length];
    if length == 0 {
        return Ok(bytes);
    }
    let own = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let theirs = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: length };
    // SAFETY: the kernel writes into `bytes` alone, at most as much as it has room for; the other address is only a number here.
    let got = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            libc::c_long::from(process),
            &raw const own,
            1_usize,
            &raw const theirs,
            1_usize,
            0_usize,
        )
    };
    match usize::try_from(got) {
        Ok(got) if got == length => Ok(bytes),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address as it lies in memory.
    fn address(family: i32, port: u16, rest: &[u8]) -> Vec<u8> {
        let family = u16::try_from(family).unwrap().to_ne_bytes();
        [&family[..], &port.to_be_bytes(), rest].concat()
    }

    #[test]
    fn s16_an_address_is_read_as_the_kernel_reads_it() {
        let four = |family| address(family, 443, &[192, 0, 2, 7, 0, 0, 0, 0]);
        let place = Place::At("192.0.2.7".parse().unwrap(), 443);
        assert_eq!(Place::of(&four(libc::AF_INET), true), place);
        assert_eq!(Place::of(&four(libc::AF_UNSPEC), true), Place::Here);
        assert_eq!(Place::of(&four(libc::AF_UNSPEC), false), place);
        let mapped = [&[0; 4][..], &[0; 10], &[255, 255, 127, 0, 0, 2], &[0; 4]].concat();
        let six = Place::of(&address(libc::AF_INET6, 53, &mapped), true);
        assert_eq!(six, Place::At("::ffff:127.0.0.2".parse().unwrap(), 53));
        assert_eq!(Place::of(&address(libc::AF_VSOCK, 1, &[0; 12]), true), Place::Unknown);
        assert_eq!(Place::of(&address(libc::AF_UNIX, 0, b"x"), true), Place::Here);
        for short in [&[][..], &[2], &[2, 0, 1]] {
            assert_eq!(Place::of(short, true), Place::Here);
        }
    }

    #[test]
    fn s16_name_servers_are_asked_for_names_and_for_nothing_else() {
        let deny = |name: &str| (name == "HUB_CONNECTOR_DENY").then(|| "10.0.0.0/8".to_owned());
        let names = vec!["10.0.0.53".parse().unwrap()];
        let network = Network { reach: Reach::of(&deny).unwrap(), names, required: false };
        for (address, port, want) in [
            ("10.0.0.53", 53, true),
            ("10.0.0.53", 5432, false),
            ("10.0.0.9", 53, false),
            ("192.0.2.1", 53, true),
        ] {
            assert_eq!(network.allows(address.parse().unwrap(), port), want, "{address} {port}");
        }
    }

    #[test]
    fn who_may_read_is_told_by_the_kernels_setting() {
        assert!(may_trace("0\n").is_ok() && may_trace("1\n").is_ok());
        assert_eq!(may_trace("2\n").unwrap_err().to_string(), "kernel.yama.ptrace_scope is 2");
        assert!(may_trace("").is_err());
    }

    #[test]
    fn a_process_is_asked_about_by_a_filter_that_the_kernel_takes() {
        let Some(processor) = PROCESSOR else { return };
        for filter in [filter(processor).unwrap(), without_local(processor).unwrap()] {
            // Every jump stays within.
            for (at, step) in filter.iter().enumerate() {
                assert!(at + 1 + usize::from(step.jt.max(step.jf)) <= filter.len());
            }
        }
    }

    /// What a filter answers, as the kernel would take its statements.
    fn answered(filter: &[libc::sock_filter], processor: u32, call: u32, first: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match u32::from(step.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    loaded = match step.k {
                        0 => call,
                        4 => processor,
                        FIRST => first,
                        _ => 0,
                    }
                }
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => at += jump(loaded == step.k),
                code if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => at += jump(loaded >= step.k),
                _ => return step.k,
            }
        }
    }

    #[test]
    fn s5_sockets_of_this_machine_are_told_by_their_kind() {
        let processor = 7;
        let filter = without_local(processor).unwrap();
        let refused = |error: libc::c_int| libc::SECCOMP_RET_ERRNO | u32::try_from(error).unwrap_or_default();
        let [unix, four, six] =
            [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(|kind| u32::try_from(kind).unwrap());
        for (call, first, want) in [
            (libc::SYS_socket, unix, refused(libc::EACCES)),
            (libc::SYS_socket, four, libc::SECCOMP_RET_ALLOW),
            (libc::SYS_socket, six, libc::SECCOMP_RET_ALLOW),
            (libc::SYS_socketpair, unix, libc::SECCOMP_RET_ALLOW),
            (libc::SYS_connect, unix, libc::SECCOMP_RET_ALLOW),
            (libc::SYS_io_uring_setup, unix, refused(libc::ENOSYS)),
            (libc::SYS_socket | 0x4000_0000, unix, refused(libc::ENOSYS)),
        ] {
            assert_eq!(answered(&filter, processor, number(call).unwrap(), first), want, "{call} {first}");
        }
        let other = answered(&filter, processor + 1, number(libc::SYS_socket).unwrap(), four);
        assert_eq!(other, refused(libc::EPERM));
    }
}
