//! What a foreign program sees of the machine, and may change.
//!
//! Three fences, each as far as the system allows; a program stands behind all that there are:
//!
//! 1. **Namespaces** (user, mount, process, IPC): the whole file system is read-only, but for the work folder and temporary
//!    files of its own; the hidden folders are empty; no other process is there to be looked at or signalled. The network
//!    stays: programs are here to talk to databases.
//! 2. **Landlock**: the same for files as rules of the kernel, where there are no namespaces (the service's own unit forbids
//!    them, as do many containers), and in either case no signals to, and no looking into, processes outside. It does not hold
//!    sockets in folders, and those without one from Linux 6.12 on: where one of them leads out of the fences, seccomp lets a
//!    program make none that could reach it.
//! 3. **Always**: no privileges to be gained, limits on memory, files and processes, an environment of its own.
//!
//! Nothing here is optional for the program; for a system that has neither of the first two, `doctor` and the log say so.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use hub_release::beneath::{self, Beneath};
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, openat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_change, mount_remount, move_mount, open_tree, unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::{Job, network};

/// The kernel's interface whose rules are asked for; an older kernel holds those that it knows.
const LANDLOCK: ABI = ABI::V6;

/// Most bytes of temporary files, which are in memory, however much of that the program may take.
const MOST_TEMPORARY: u64 = 1 << 30;
/// Most temporary files, as each takes some memory of the system besides its bytes.
const TEMPORARY_FILES: u64 = 65_536;

/// Bytes of all temporary files together: a part of the memory that the program may take, and none beyond it.
fn temporary_bytes(memory: u64) -> u64 {
    (memory / 4).clamp(1 << 20, MOST_TEMPORARY)
}

/// Folders with these modes of one file system in memory, whose limits hold for all of them together: trees that are not
/// mounted anywhere yet.
fn in_memory<const N: usize>(memory: u64, modes: [u32; N]) -> io::Result<[OwnedFd; N]> {
    // For a moment, where there is a folder on every machine.
    let base = Path::new("/dev");
    let options = format!("size={},nr_inodes={TEMPORARY_FILES},mode=0700", temporary_bytes(memory));
    let options = std::ffi::CString::new(options).map_err(io::Error::other)?;
    mount("tmpfs", base, "tmpfs", OWN, Some(options.as_c_str()))?;
    let mut trees = Vec::new();
    for (number, mode) in modes.into_iter().enumerate() {
        let folder = base.join(number.to_string());
        fs::create_dir(&folder)?;
        // Whatever the umask.
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        trees.push(open_tree(CWD, &folder, flags)?);
    }
    unmount(base, UnmountFlags::DETACH)?;
    <[OwnedFd; N]>::try_from(trees).map_err(|_| io::Error::other("a folder in memory is missing"))
}

/// What no file system of a program's has: programs that change their user, and devices.
const OWN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// The fences that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) namespaces: bool,
    pub(crate) landlock: Kernel,
    /// Whether drivers of connectors are asked where they connect to.
    pub(crate) network: bool,
}

/// How much the kernel's Landlock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kernel {
    None,
    /// Reading and writing, though a file may be emptied: before Linux 6.2.
    Files,
    /// That too, though not signals to other processes: before Linux 6.12.
    Truncation,
    All,
}

impl Held {
    /// What runs and drivers can do here that they should not, a sentence each; none where they cannot.
    pub(crate) fn lacks(self) -> impl Iterator<Item = &'static str> {
        let network = (!self.network).then_some(
            "what drivers of connectors connect to is held by Python alone, and SQL Server is not tested, whose driver connects by \
             itself: seccomp with user notification is missing (Linux before 5.5, a container, kernel.yama.ptrace_scope above 1, or \
             a systemd unit of an earlier release: run `setup` once more)",
        );
        self.lack().into_iter().chain(network)
    }

    fn lack(self) -> Option<&'static str> {
        if self.namespaces {
            return None;
        }
        match self.landlock {
            Kernel::All => None,
            Kernel::Truncation => Some(
                "runs and scripts can end other processes of the host's user, the host too: this system has no user namespaces, \
                 and its Landlock is older than Linux 6.12",
            ),
            Kernel::Files => Some(
                "runs and scripts can empty files of the host's user and end its processes, though not read them: this system \
                 has no user namespaces, and its Landlock is older than Linux 6.2",
            ),
            Kernel::None => Some(
                "runs and scripts can read what the host's user can read, the database too: this system has neither user \
                 namespaces nor Landlock",
            ),
        }
    }
}

/// Looks which fences there are, in a process of its own.
pub(crate) fn held() -> io::Result<Held> {
    let has = |abi: ABI, signals: bool| {
        let rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(abi));
        let rules = rules.and_then(|rules| if signals { rules.scope(Scope::Signal) } else { Ok(rules) });
        rules.and_then(Ruleset::create).is_ok()
    };
    let landlock = match () {
        () if has(ABI::V3, true) => Kernel::All,
        () if has(ABI::V3, false) => Kernel::Truncation,
        () if has(ABI::V1, false) => Kernel::Files,
        () => Kernel::None,
    };
    // `unshare` is of one process: somebody else tries it.
    let tried = std::process::Command::new("/proc/self/exe").arg(super::COMMAND).arg(super::TRY).output()?;
    let tried = super::supervisor::Tried::of(tried.status.code())
        .ok_or_else(|| io::Error::other(format!("the process that tried it ended with {}", tried.status)))?;
    Ok(Held { namespaces: tried.namespaces, landlock, network: tried.network })
}

/// What [`confine`] settled for the program.
pub(super) struct Confined {
    /// The folder of its temporary files.
    pub(super) temporary: PathBuf,
}

/// Goes into namespaces of this process's own, of which its next child is the first process. False where the system does not
/// let it.
#[allow(unsafe_code)]
pub(super) fn namespaces() -> bool {
    // Which user this is has to be asked before: inside it is nobody until the map is written.
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let all = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    // SAFETY: no descriptor table is shared or left, which is what could go wrong.
    if unsafe { unshare_unsafe(all) }.is_err() {
        return false;
    }
    let write = |name: &str, text: &str| fs::write(format!("/proc/self/{name}"), text);
    // Everybody stays who they are.
    let mapped = write("setgroups", "deny")
        .and_then(|()| write("uid_map", &format!("{uid} {uid} 1")))
        .and_then(|()| write("gid_map", &format!("{gid} {gid} 1")));
    mapped.is_ok() && rustix::process::geteuid().as_raw() == uid
}

/// Puts this process, the program's first, behind the fences.
pub(super) fn confine(job: &Job, namespace: bool) -> io::Result<Confined> {
    // Looked at before there is another `/proc`.
    let list = fs::read(ABSTRACT);
    // Without the list nobody knows which sockets in folders are to be hidden either.
    let may_leave = list.is_err() || (!holds_abstract() && may_leave(list));
    let mounted = namespace && may_mount();
    if mounted {
        // Half of it would be neither the one nor the other.
        mounts(job).map_err(|error| io::Error::other(format!("cannot make its file system: {error}")))?;
    }
    let temporary = match (&job.work, mounted) {
        (Some(work), false) => {
            // An earlier run may have put a link there.
            beneath::clear_unless_folder(&work.join(".tmp"))?;
            Beneath::open(work)?.make_folder(".tmp", 0o700)?;
            work.join(".tmp")
        }
        _ => PathBuf::from("/tmp"),
    };
    give_up_capabilities()?;
    landlock(job, mounted).map_err(|error| io::Error::other(format!("cannot be confined: {error}")))?;
    // The kernel's rules for files say nothing of whom a program connects to by a socket's name, and mounts do not cover a name that
    // is in no folder.
    if !mounted && !job.sockets.is_empty() || may_leave {
        network::no_local_sockets().map_err(|error| {
            io::Error::other(format!("cannot be kept from sockets of this machine: {error}"))
        })?;
    }
    Ok(Confined { temporary })
}

/// The sockets of this machine, those in no folder among them, as the network of this process has them.
const ABSTRACT: &str = "/proc/self/net/unix";
/// What the names of such ones have in them that lead out of the fences: to the screen that somebody sits at, to a user's session and
/// services, to a server of PostgreSQL, and to who runs containers.
const LEADING_OUT: &[&str] = &[
    "/.ICE-unix/",
    "/.X11-unix/",
    "/.s.PGSQL.",
    "/containerd-shim/",
    "/dbus-",
    "/lxc/",
    "/systemd1/private",
];

/// Whether the kernel lets no program connect to a socket in no folder that is outside of its fences.
fn holds_abstract() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    rules.scope(Scope::AbstractUnixSocket).and_then(Ruleset::create).is_ok()
}

/// Whether a socket in no folder may lead out of the fences: a list that cannot be read tells of none that it does not.
fn may_leave(list: io::Result<Vec<u8>>) -> bool {
    match list {
        Ok(list) => String::from_utf8_lossy(&list).lines().any(leads_out),
        Err(_) => true,
    }
}

/// Whether a line of that list is of one that somebody listens on, and that leads out.
fn leads_out(line: &str) -> bool {
    /// In the flags: connections are taken.
    const LISTENS: u32 = 1 << 16;
    // Seven fields, of which the fourth are the flags, and a name, which may hold anything; `@` stands for its first byte, which is 0.
    let Some((head, name)) = line.split_once(" @") else { return false };
    let fields: Vec<&str> = head.split_whitespace().collect();
    let flags = fields.get(3).and_then(|flags| u32::from_str_radix(flags, 16).ok());
    fields.len() == 7
        && flags.is_some_and(|flags| flags & LISTENS != 0)
        && LEADING_OUT.iter().any(|part| name.contains(part))
}

/// What is at a whole path, whoever may have put a link on the way to it since somebody looked.
fn through_no_link(path: &Path) -> io::Result<OwnedFd> {
    // A link is held like anything else then, and nothing lies below it. Folders on the way need not be readable.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here = openat(CWD, "/", flags, Mode::empty())?;
    for part in path.components().skip_while(|part| *part == Component::RootDir) {
        here = openat(&here, part.as_os_str(), flags, Mode::empty())?;
    }
    if FileType::from_raw_mode(rustix::fs::fstat(&here)?.st_mode).is_symlink() {
        return Err(io::Error::other(format!("{} has become a link", path.display())));
    }
    Ok(here)
}

/// Cuts the mounts of this namespace off from the machine's. Where the system lets nobody mount, not even in a namespace of its
/// own, this is what it refuses, and nothing has changed.
pub(super) fn may_mount() -> bool {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).is_ok()
}

/// Makes the file system that the program sees.
pub(super) fn mounts(job: &Job) -> io::Result<()> {
    // Taken hold of before anything is covered.
    let mut kept: Vec<(PathBuf, OwnedFd)> = Vec::new();
    for folder in job.work.iter().chain(&job.read) {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        kept.push((folder.clone(), open_tree(CWD, folder, flags)?));
    }
    for path in &job.read_unlinked {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::AT_EMPTY_PATH;
        kept.push((path.clone(), open_tree(through_no_link(path)?, "", flags)?));
    }
    let devices: Vec<(PathBuf, OwnedFd)> = devices()
        .into_iter()
        .filter_map(|device| {
            // The program is without one that cannot be taken along: nothing is open for that.
            Some((device.clone(), open_tree(CWD, &device, OpenTreeFlags::OPEN_TREE_CLONE).ok()?))
        })
        .collect();
    let resolver = job.host.as_ref().map(|(name, address)| hosts(name, address)).transpose()?;
    read_only(Path::new("/"), true)?;
    let all = || job.hide.iter().chain(&job.sockets).map(PathBuf::as_path);
    let hidden: Vec<&Path> = all().filter(|folder| folder.is_dir()).collect();
    let files: Vec<&Path> = all().filter(|path| is_no_folder(path)).collect();
    let [for_tmp, for_var, shared] = in_memory(job.memory, [0o700, 0o700, 0o1777])?;
    let onto = |tree: &OwnedFd, folder: &Path| {
        move_mount(tree.as_fd(), "", CWD, folder, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    };
    for (folder, tree) in [("/tmp", &for_tmp), ("/var/tmp", &for_var)] {
        let folder = Path::new(folder);
        if folder.is_dir() {
            onto(tree, folder)?;
        }
    }
    for folder in hidden.iter().copied() {
        // What lies below one that is covered already is gone.
        if !folder.is_dir() {
            match fs::create_dir_all(folder) {
                // A stranger's, which has gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => continue,
                made => made?,
            }
        }
        // Folders alone come into it, and then nobody writes to it.
        mount("tmpfs", folder, "tmpfs", OWN, Some(c"size=1m,mode=0700"))?;
    }
    // Nobody connects to what is no socket either.
    for file in files.into_iter().filter(|path| is_no_folder(path)) {
        match mount_bind("/dev/null", file) {
            // Whoever listened on it has ended meanwhile.
            Err(rustix::io::Errno::NOENT) if !file.exists() => {}
            done => done?,
        }
    }
    few_devices(devices, &shared)?;
    for (folder, tree) in kept {
        // There again where it was, if it was covered.
        if fs::symlink_metadata(&folder).is_err() {
            if rustix::fs::fstat(&tree).is_ok_and(|about| FileType::from_raw_mode(about.st_mode).is_dir()) {
                fs::create_dir_all(&folder)?;
            } else {
                folder.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&folder, "")?;
            }
        }
        onto(&tree, &folder)?;
        if Some(&folder) == job.work.as_ref() {
            restrict(&folder, true, 0)?;
        } else {
            read_only(&folder, true)?;
        }
    }
    for folder in hidden.into_iter().filter(|folder| folder.is_dir()) {
        read_only(folder, false)?;
    }
    if let Some(file) = resolver {
        let path = Path::new("/tmp/.hosts");
        fs::write(path, file)?;
        mount_bind(path, "/etc/hosts")?;
    }
    // A container may not let it: the old one stays then, with the processes of others, into which Landlock lets nobody look.
    // The machine's switches below it are root's, whatever namespace root is in: nobody writes to them.
    let flags = OWN | MountFlags::NOEXEC | MountFlags::RDONLY;
    let _ = mount("proc", "/proc", "proc", flags, None::<&std::ffi::CStr>);
    Ok(())
}

/// Whether something is there that is no folder: a file, or a socket.
fn is_no_folder(path: &Path) -> bool {
    path.exists() && !path.is_dir()
}

/// The devices that everybody may use, such as `/dev/null`: no disks, no memory, no consoles, whoever runs the host; and no
/// terminals, for the one that it was started at is somebody's.
fn devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let for_all = |path: &PathBuf| {
        fs::symlink_metadata(path).is_ok_and(|about| {
            about.file_type().is_char_device()
                && about.permissions().mode() & 0o006 == 0o006
                && !is_terminal(about.rdev())
        })
    };
    entries.map(|entry| entry.path()).filter(for_all).collect()
}

/// Whether a device is a terminal that may be somebody's, by its number: a console, a pseudo-terminal, a line, or whichever the
/// process has (`/dev/tty`). What makes new ones (`/dev/ptmx`) is none.
fn is_terminal(device: u64) -> bool {
    const PTMX: u32 = 2;
    match (rustix::fs::major(device), rustix::fs::minor(device)) {
        (5, minor) => minor != PTMX,
        (4 | 136..=143 | 188 | 204 | 229, _) => true,
        _ => false,
    }
}

/// A `/dev` with these devices, and with what programs expect beside them.
fn few_devices(devices: Vec<(PathBuf, OwnedFd)>, shared: &OwnedFd) -> io::Result<()> {
    let dev = Path::new("/dev");
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("tmpfs", dev, "tmpfs", flags, Some(c"size=1m,mode=0755"))?;
    for (name, tree) in devices {
        if name == Path::new("/dev/ptmx") {
            continue;
        }
        fs::write(&name, "")?;
        move_mount(tree.as_fd(), "", CWD, &name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        std::os::unix::fs::symlink(target, dev.join(name))?;
    }
    fs::create_dir(dev.join("shm"))?;
    move_mount(shared.as_fd(), "", CWD, dev.join("shm"), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    restrict(&dev.join("shm"), false, libc::MOUNT_ATTR_NOEXEC)?;
    fs::create_dir(dev.join("pts"))?;
    // Few programs want a terminal of their own; where the system does not let them have one, they say so.
    if mount("devpts", dev.join("pts"), "devpts", flags, Some(c"newinstance,ptmxmode=0666,mode=0620")).is_ok()
    {
        std::os::unix::fs::symlink("pts/ptmx", dev.join("ptmx"))?;
    }
    read_only(dev, false)
}

/// `/etc/hosts` with one more line in front.
fn hosts(name: &str, address: &std::net::IpAddr) -> io::Result<String> {
    let rest = match hub_release::beneath::read(Path::new("/etc/hosts"), 1 << 20) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let others = rest
        .lines()
        .filter(|line| !line.split_whitespace().skip(1).any(|word| word.eq_ignore_ascii_case(name)));
    Ok(std::iter::once(format!("{address} {name}"))
        .chain(others.map(str::to_owned))
        .map(|line| line + "\n")
        .collect())
}

/// Nothing below can be written to any more.
fn read_only(folder: &Path, recursive: bool) -> io::Result<()> {
    restrict(folder, recursive, libc::MOUNT_ATTR_RDONLY)
}

/// Nothing below is a device or lets its user become another, and these attributes hold too. Those that are set already stay as
/// they are. (The few devices that a program has are mounts of their own.)
#[allow(unsafe_code)]
fn restrict(folder: &Path, recursive: bool, more: u64) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | more,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and attributes live through the call, and the size is the attributes' own.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // Linux before 5.12 knows mounts one by one only.
    if error.raw_os_error() == Some(libc::ENOSYS) && folder != Path::new("/") {
        let flag = |attribute, flag| if more & attribute == 0 { MountFlags::empty() } else { flag };
        let flags = flag(libc::MOUNT_ATTR_RDONLY, MountFlags::RDONLY)
            | flag(libc::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC);
        return Ok(mount_remount(folder, MountFlags::BIND | OWN | flags, c"")?);
    }
    Err(error)
}

/// Inside its user namespace this process could undo what it has just done; the program cannot. Nor has the program of a host
/// that is root what only root can.
#[allow(unsafe_code)]
fn give_up_capabilities() -> io::Result<()> {
    let held = rustix::thread::capabilities(None)?;
    // One that has none gains none either.
    if held.permitted.is_empty() && held.inheritable.is_empty() {
        return Ok(());
    }
    for capability in 0..64 {
        // SAFETY: numbers in, a number out.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            // Past the last one that the kernel knows.
            if error.raw_os_error() == Some(libc::EINVAL) {
                break;
            }
            return Err(error);
        }
    }
    let none = rustix::thread::CapabilitySets {
        effective: rustix::thread::CapabilitySet::empty(),
        permitted: rustix::thread::CapabilitySet::empty(),
        inheritable: rustix::thread::CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, none)?)
}

/// The rules for files where the mounts do not hold them, and in either case those for other processes.
fn landlock(job: &Job, mounted: bool) -> Result<(), RulesetError> {
    let all = AccessFs::from_all(LANDLOCK);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(if mounted { AccessFs::MakeBlock.into() } else { all })?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    if !mounted {
        let read = AccessFs::from_read(LANDLOCK);
        let device = AccessFs::WriteFile | AccessFs::ReadFile | AccessFs::IoctlDev;
        let hide: Vec<PathBuf> = job.hide.iter().cloned().chain([PathBuf::from("/dev")]).collect();
        let not_hidden = except(Path::new("/"), &hide);
        // What cannot be opened gets no rule, and so stays closed.
        let rule = |path: &PathBuf, access| PathFd::new(path).ok().map(|open| PathBeneath::new(open, access));
        let reading = not_hidden.iter().chain(&job.read).map(|path| (path.clone(), read));
        let shared =
            devices().into_iter().map(|path| (path, device)).chain([(PathBuf::from("/dev/shm"), all)]);
        let writing = job.work.iter().map(|path| (path.clone(), all));
        // A work folder is where temporary files are, too; who has none gets the machine's.
        let temporary = job.work.is_none().then(|| (PathBuf::from("/tmp"), all));
        for (path, access) in reading.chain(shared).chain(writing).chain(temporary) {
            // A file takes fewer rights than a folder; one that is gone needs none.
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK) };
            if let Some(rule) = rule(&path, access) {
                rules = rules.add_rule(rule)?;
            }
        }
        for path in &job.read_unlinked {
            // One that has become a link is not read.
            let Ok(open) = through_no_link(path) else { continue };
            let access = if path.is_dir() { read } else { read & AccessFs::from_file(LANDLOCK) };
            rules = rules.add_rule(PathBeneath::new(open, access))?;
        }
    }
    // What the kernel does not hold, [`held`] has said.
    rules.restrict_self().map(drop)
}

/// All that lies below a folder, but for what is hidden: the folder itself where nothing below it is, else its entries, each
/// in the same way.
fn except(folder: &Path, hide: &[PathBuf]) -> Vec<PathBuf> {
    if hide.iter().any(|hidden| folder.starts_with(hidden)) {
        return Vec::new();
    }
    if !hide.iter().any(|hidden| hidden.starts_with(folder)) {
        return vec![folder.to_path_buf()];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // A link is none of them: it leads to another entry, or into what is hidden.
    let own = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    own.flat_map(|entry| except(&entry.path(), hide)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn everything_but_what_is_hidden() {
        let root = Scratch::new("confine");
        for folder in ["a/b/c", "a/d", "e"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let check = |hide: &[&str], want: &[&str]| {
            let hide: Vec<PathBuf> = hide.iter().map(|path| root.join(path)).collect();
            let mut got = except(&root, &hide);
            got.sort();
            assert_eq!(got, want.iter().map(|path| root.join(path)).collect::<Vec<_>>());
        };
        check(&["nothing/here"], &["a", "e"]);
        check(&["a/b"], &["a/d", "e"]);
        check(&["a", "e"], &[]);
        check(&["a/b/c"], &["a/d", "e"]);
        // A link to a folder above what is hidden would open it.
        std::os::unix::fs::symlink(root.join("a"), root.join("link")).unwrap();
        check(&["a/b"], &["a/d", "e"]);
    }

    #[test]
    fn s5_sockets_in_no_folder_that_lead_out_are_told_by_their_names() {
        for (flags, name, out) in [
            ("00010000", " @/tmp/.X11-unix/X0", true),
            ("00010000", " @/tmp/dbus-1aB2cD3eF4", true),
            ("00010000", " @/pg/.s.PGSQL.5432", true),
            ("00010000", " @/containerd-shim/1f.sock", true),
            // A connection, and what systemd's clients are called.
            ("00000000", " @/tmp/.X11-unix/X0", false),
            ("00000000", " @5e1f/bus/dbus-broker-lau/bus-api-user", false),
            ("00010000", " @/org/kernel/linux/storage/multipathd", false),
            ("00010000", " @00a1f", false),
            // In a folder, where others hide it.
            ("00010000", " /tmp/.X11-unix/X0", false),
            ("00010000", " /tmp/a @/.X11-unix/X0", false),
            ("00010000", "", false),
        ] {
            let line = format!("0000000000000000: 00000002 00000000 {flags} 0001 01 31547{name}");
            let list = format!("Num       RefCount Protocol Flags    Type St Inode Path\n{line}\n");
            assert_eq!(may_leave(Ok(list.into_bytes())), out, "{line}");
        }
        assert!(may_leave(Err(io::ErrorKind::NotFound.into())), "nobody has looked");
        // The kernel's own list is of that form.
        let name = format!("/hub-test-{}/.X11-unix/X0", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let list = String::from_utf8_lossy(&fs::read(ABSTRACT).unwrap()).into_owned();
        assert!(list.lines().any(|line| line.contains(&name) && leads_out(line)), "{list}");
        drop(listener);
    }

    #[test]
    fn what_a_machine_lacks_is_said() {
        let lack = |namespaces, landlock| Held { namespaces, landlock, network: true }.lacks().next();
        assert_eq!(lack(true, Kernel::None), None);
        assert_eq!(lack(false, Kernel::All), None);
        for (kernel, said) in
            [(Kernel::None, "can read"), (Kernel::Files, "can empty"), (Kernel::Truncation, "can end")]
        {
            assert!(lack(false, kernel).unwrap().contains(said), "{kernel:?}");
        }
        let both = Held { namespaces: false, landlock: Kernel::None, network: false };
        assert_eq!(both.lacks().count(), 2);
        assert!(Held { namespaces: true, ..both }.lacks().next().unwrap().contains("run `setup` once more"));
    }

    #[test]
    fn temporary_files_fit_into_the_memory_of_a_run() {
        assert_eq!(temporary_bytes(4 << 30), 1 << 30);
        assert_eq!(temporary_bytes(64 << 20), 16 << 20);
        assert_eq!(temporary_bytes(1 << 40), MOST_TEMPORARY);
    }

    #[test]
    fn a_path_through_a_link_leads_nowhere() {
        let root = Scratch::new("unlinked");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        std::os::unix::fs::symlink("file", root.join("a/link")).unwrap();
        for (path, there) in
            [("a", true), ("a/file", true), ("link", false), ("link/file", false), ("a/link", false)]
        {
            assert_eq!(through_no_link(&root.join(path)).is_ok(), there, "{path}");
        }
    }

    #[test]
    fn s5_terminals_are_told_by_their_numbers() {
        use rustix::fs::makedev;
        // tty1, tty, console, pts/0, ttyUSB0, hvc0
        for (major, minor) in [(4, 1), (5, 0), (5, 1), (136, 0), (143, 7), (188, 0), (229, 0)] {
            assert!(is_terminal(makedev(major, minor)), "{major}:{minor}");
        }
        // null, ptmx, nvidia0
        for (major, minor) in [(1, 3), (5, 2), (195, 0)] {
            assert!(!is_terminal(makedev(major, minor)), "{major}:{minor}");
        }
        assert!(!devices().iter().any(|device| device == Path::new("/dev/tty")));
    }

    #[test]
    fn a_name_is_held_to_an_address() {
        let text = hosts("Db.example", &"192.0.2.7".parse().unwrap()).unwrap();
        assert!(text.starts_with("192.0.2.7 Db.example\n"), "{text}");
    }
}
