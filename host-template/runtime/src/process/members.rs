//! Which processes are a job's: those that have come from a supervisor of a host here, in the control group of this one.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::COMMAND;
use super::tree::Process;

/// The supervisors that are at work, for [`is_of_a_job`].
static SUPERVISORS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A supervisor, counted as one while it is at work.
pub(super) struct Registered(Option<u32>);

impl Registered {
    pub(super) fn new(process: Option<u32>) -> Registered {
        SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).extend(process);
        Registered(process)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).remove(process);
        }
    }
}

/// Whether a process is a supervisor of this host or has come from one: whatever it asks for is a job's wish. What a job
/// starts stays below its supervisor, however often it forks.
pub(crate) fn is_of_a_job(process: u32) -> io::Result<bool> {
    let known = SUPERVISORS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut at = process;
    // As deep as processes are nested anywhere.
    for _ in 0..4096 {
        if known.contains(&at) || is_supervisor(at)? {
            return Ok(true);
        }
        match Process::read(at)?.map(|process| process.parent) {
            Some(above) if above > 1 => at = above,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Whether a process is certainly in another control group than this one: jobs never leave their host's. Asked of the group and
/// not of the process, which a service with users of its own does not see.
pub(crate) fn is_elsewhere(process: u32) -> bool {
    // What cannot be read makes nothing certain.
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let members = own.lines().flat_map(members_files).filter_map(|file| std::fs::read_to_string(file).ok());
    let is_in = |members: &str, process: u32| members.lines().any(|line| line.parse() == Ok(process));
    // A list without this process itself is that of another group, or tells nothing.
    members.into_iter().any(|members| is_in(&members, std::process::id()) && !is_in(&members, process))
}

/// Where the members of a group may stand, of which `/proc/self/cgroup` has this line: the kernel's one hierarchy, and systemd's
/// where there are several.
fn members_files(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(kind), Some(path)) = (fields.next(), fields.next()) else { return Vec::new() };
    let places: &[&str] = match kind {
        "" => &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"],
        "name=systemd" => &["/sys/fs/cgroup/systemd"],
        _ => &[],
    };
    places.iter().map(|place| PathBuf::from(format!("{place}{path}/cgroup.procs"))).collect()
}

/// Whether a process has the command line of a supervisor: those of a host that has handed over are not known here.
fn is_supervisor(process: u32) -> io::Result<bool> {
    let mut line = Vec::new();
    std::fs::File::open(format!("/proc/{process}/cmdline"))?.take(4096).read_to_end(&mut line)?;
    Ok(line.split(|byte| *byte == 0).nth(1) == Some(COMMAND.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn where_the_members_of_a_group_stand() {
        assert_eq!(
            members_files("0::/system.slice/hub-platform.service"),
            [
                Path::new("/sys/fs/cgroup/system.slice/hub-platform.service/cgroup.procs"),
                Path::new("/sys/fs/cgroup/unified/system.slice/hub-platform.service/cgroup.procs")
            ]
        );
        assert_eq!(
            members_files("1:name=systemd:/a:b"),
            [Path::new("/sys/fs/cgroup/systemd/a:b/cgroup.procs")]
        );
        assert!(members_files("4:memory:/x").is_empty() && members_files("").is_empty());
        assert!(!is_elsewhere(std::process::id()));
    }
}
